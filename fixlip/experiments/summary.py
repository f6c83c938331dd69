"""The page beside a table: means over items, what the columns mean, with what it was made, what was left out."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .tables import EXPLAINED, KEYS

# The scores that are averaged; the table has them all.
SUMMARISED = {
    "insertion-deletion": ("aid", "mean_difference"),
    "pointing-game": ("pgr", "sign_ratio"),
    "faithfulness": ("spearman", "r2"),
    "runtime": ("encoding_seconds", "fitting_seconds"),
}
# What an experiment varies stands before p.
GROUPED = {name: ("model", "method", *keys[2:], "p") for name, keys in KEYS.items()}


class Running:
    """Mean and standard deviation of numbers that come one by one (Welford's method); NaN does not count."""

    def __init__(self) -> None:
        self.count, self.mean, self._squares = 0, math.nan, 0.0

    def add(self, value: float) -> None:
        """Take one number into account."""
        if math.isnan(value):
            return
        self.count += 1
        if self.count == 1:
            self.mean = value
            return
        step = value - self.mean
        self.mean += step / self.count
        self._squares += step * (value - self.mean)

    @property
    def deviation(self) -> float:
        """Standard deviation of the numbers themselves (divided by their count); NaN if there are none."""
        return math.sqrt(self._squares / self.count) if self.count else math.nan

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return self.deviation / math.sqrt(self.count) if self.count else math.nan


def summary(rows: Iterable[dict[str, str]], experiment: str) -> str:
    """Means and standard deviations by model, method, p and whatever else an experiment varies, as Markdown."""
    keys, scores = GROUPED[experiment], SUMMARISED[experiment]
    groups: dict[tuple[str, ...], list[Running]] = {}
    counts: dict[tuple[str, ...], int] = {}
    for row in rows:
        group = tuple(row[key] for key in keys)
        counts[group] = counts.get(group, 0) + 1
        for running, score in zip(groups.setdefault(group, [Running() for _ in scores]), scores, strict=True):
            running.add(float(row[score]))
    lines = ["| " + " | ".join([*keys, *scores, "items"]) + " |", "|" + "---|" * (len(keys) + len(scores) + 1)]
    for group, found in groups.items():
        cells = [f"{one.mean:.3f} ± {one.deviation:.3f}" for one in found]
        lines.append("| " + " | ".join([*group, *cells, str(counts[group])]) + " |")
    return "\n".join(lines) + "\n"


def page(rows: Iterable[dict[str, str]], experiment: str, settings: dict[str, str], notes: list[str]) -> str:
    """The whole page, as Markdown.

    Args:
        rows: of the table.
        experiment: its name.
        settings: what the table was made with, by name.
        notes: what else there is to say, a paragraph each.
    """
    columns = (*GROUPED[experiment], *SUMMARISED[experiment])
    text = summary(rows, experiment) + "\nMean ± standard deviation over items.\n\n"
    text += "".join(f"- `{name}`: {EXPLAINED[name]}.\n" for name in columns)
    text += "\nMade with " + ", ".join(f"{name}={value}" for name, value in settings.items()) + ".\n"
    return text + "".join(f"\n{note}\n" for note in notes)


def left_out(sentences: list[str]) -> list[str]:
    """The paragraph that names what was left out, if anything was."""
    if not sentences:
        return []
    return [f"Left out, {len(sentences)}:\n\n" + "\n".join(f"- {sentence}" for sentence in sentences)]
