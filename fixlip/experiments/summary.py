"""The page beside a table: means over items, what the columns mean, with what it was made, what was left out."""

from __future__ import annotations

import math
from collections.abc import Iterable

from . import planted_columns as planted
from .tables import EXPLAINED, KEYS

# The scores that are averaged; the table has them all.
SUMMARISED = {
    "insertion-deletion": ("aid", "aid_image", "mean_difference"),
    "pointing-game": ("pgr", "sign_ratio"),
    "faithfulness": ("spearman", "r2"),
    "context": ("change_spearman", "change_r2", "context_spearman", "context_change", "binding", "absent_share"),
    "randomisation": ("patches", "interactions"),
    "runtime": ("encoding_seconds", "fitting_seconds"),
    **planted.SUMMARISED,
}
# What only methods have that predict, or only those of second order: without it they do not abstain, they have none.
NOT_FOR_ALL = ("r2", "change_r2", "interactions", *planted.NOT_FOR_ALL)
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


class Group:
    """The rows of one method at one p.

    Attributes:
        rows: how many.
        scores: of each score.
        cost: passes of an encoder.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.rows, self.cost = 0, Running()
        self.scores = {name: Running() for name in names}

    def add(self, row: dict[str, str]) -> None:
        """Take one row into account."""
        self.rows += 1
        self.cost.add(float(row["cost"]))
        for name, running in self.scores.items():
            running.add(float(row[name]))

    def cells(self) -> list[str]:
        """Means and deviations, cost, what was undefined on how many items, and how many items there are."""
        means = [f"{one.mean:.3f} ± {one.deviation:.3f}" if one.count else "–" for one in self.scores.values()]
        missing = {
            name: self.rows - one.count
            for name, one in self.scores.items()
            if one.count < self.rows and not (name in NOT_FOR_ALL and one.count == 0)
        }
        abstained = ", ".join(f"{name}: {count}" for name, count in missing.items())
        cost = f"{self.cost.mean:,.0f}" if self.cost.count else "–"
        return [*means, cost, abstained or "–", str(self.rows)]


def summary(rows: Iterable[dict[str, str]], experiment: str) -> str:
    """Means and standard deviations by model, method, p and whatever else an experiment varies, as Markdown."""
    keys, scores = GROUPED[experiment], SUMMARISED[experiment]
    groups: dict[tuple[str, ...], Group] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), Group(scores)).add(row)
    columns = [*keys, *scores, "cost", "abstained", "items"]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join([*group, *found.cells()]) + " |" for group, found in groups.items()]
    return "\n".join(lines) + "\n"


def page(rows: Iterable[dict[str, str]], experiment: str, settings: dict[str, str], notes: list[str]) -> str:
    """The whole page, as Markdown.

    Args:
        rows: of the table.
        experiment: its name.
        settings: what the table was made with, by name.
        notes: what else there is to say, a paragraph each.
    """
    columns = (*GROUPED[experiment], *SUMMARISED[experiment], "cost", "abstained")
    text = summary(rows, experiment) + "\nMean ± standard deviation over items.\n\n"
    text += "".join(f"- `{name}`: {EXPLAINED[name]}.\n" for name in columns)
    text += "\nMade with " + ", ".join(f"{name}={value}" for name, value in settings.items()) + ".\n"
    return text + "".join(f"\n{note}\n" for note in notes)


def left_out(sentences: list[str]) -> list[str]:
    """The paragraph that names what was left out, if anything was."""
    if not sentences:
        return []
    return [f"Left out, {len(sentences)}:\n\n" + "\n".join(f"- {sentence}" for sentence in sentences)]
