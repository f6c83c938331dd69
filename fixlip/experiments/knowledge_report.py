"""The page and the figure of the experiment on mutual knowledge: means over the pictures of one model."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..extras import need
from .knowledge import KnowledgeSettings
from .knowledge_columns import BASELINES, CURVES, EXPLAINED, MEASURES, SCORES, STRUCK
from .summary import Running
from .tables import one_line

ALL = "all"
_TITLES = {"information": "mutual information, nats", "overlap_score": "overlap score", "jaccard": "Jaccard"}
_PER_CLASS = ("right", "shared", "expected", *MEASURES, *(f"{name}_area" for name in MEASURES))


class Group:
    """Running means of pictures: of a class, or of all."""

    def __init__(self) -> None:
        self.scores = {name: Running() for name in SCORES}

    def add(self, row: dict[str, str]) -> None:
        """Take one picture's row into account."""
        for name, running in self.scores.items():
            running.add(float(row[name]))

    def shown(self, name: str) -> str:
        """Mean ± standard error; without the error for a single picture, which has none."""
        one = self.scores[name]
        return f"{one.mean:.3f} ± {_error(one):.3f}" if one.count > 1 else f"{one.mean:.3f}"


def groups_of(rows: Iterable[dict[str, str]]) -> dict[str, Group]:
    """Means of all pictures, under `ALL`, and of each class in the order in which they come."""
    every, by_class = Group(), dict[str, Group]()
    for row in rows:
        every.add(row)
        by_class.setdefault(row["class"], Group()).add(row)
    # Asterisks keep apart what is no class's name.
    return {f"*{ALL}*": every} | by_class


def curves_of(points: Iterable[dict[str, str]]) -> dict[str, dict[int, Running]]:
    """Mean curves of a data set, by column and number of words struck out, no longer than the longest."""
    found: dict[str, dict[int, Running]] = {name: {} for name in CURVES}
    for point in points:
        for name in CURVES:
            found[name].setdefault(int(point[STRUCK]), Running()).add(float(point[name]))
    # By chance something is always shared while a word is left; so the longest picture's last value but one is not 0.
    longest = max((k for k, one in found["jaccard_chance"].items() if one.mean > 0), default=-1) + 1
    return {name: {k: one for k, one in places.items() if k <= longest} for name, places in found.items()}


def page_of_knowledge(
    rows: Iterable[dict[str, str]],
    points: Iterable[dict[str, str]],
    settings: KnowledgeSettings,
    described: dict[str, str],
    notes: list[str],
) -> str:
    """The whole page, as Markdown.

    Args:
        rows: of the table.
        points: of the table of curves.
        settings: of the run.
        described: what the table was made with, by name.
        notes: what else there is to say, a paragraph each.
    """
    groups, curves = groups_of(rows), curves_of(points)
    every = groups[f"*{ALL}*"]
    count = every.scores["right"].count
    lines = [f"# What do both sides of {one_line(Path(settings.model).name)} know?", ""]
    lines += [
        f"{count} pictures of {len(groups) - 1} classes; {every.shown('right')} of them were given their own class, "
        f"chance is {1 / len(settings.classes):.3f}. The bank has {len(settings.bank)} concepts.",
        "",
        *_table(("measure", *_columns("whole sets"), *_columns("area"), "area of the data set", "by chance")),
    ]
    for name in MEASURES:
        cells = [every.shown(f"{name}{area}{base}") for area in ("", "_area") for base in BASELINES]
        cells += [f"{_area(curves[name + base]):.3f}" for base in ("", "_chance")]
        lines.append(f"| {_TITLES[name]} | {' | '.join(cells)} |")
    lines += ["", *_table(("class", "pictures", *_PER_CLASS))]
    for name, group in groups.items():
        cells = [str(group.scores["right"].count), *map(group.shown, _PER_CLASS)]
        lines.append(f"| {name.replace('|', '/')} | {' | '.join(cells)} |")
    lines += [
        "",
        "Mean ± standard error over pictures. The area of the data set is the published one: curves are padded",
    ]
    lines += ["with zeros to the longest and averaged, and the area is that under their mean.", ""]
    lines += [f"- `{name}`: {text}." for name, text in EXPLAINED.items()]
    lines += ["", "Made with " + ", ".join(f"{name}={value}" for name, value in described.items()) + "."]
    return "\n".join(lines) + "\n" + "".join(f"\n{note}\n" for note in notes)


def _table(columns: tuple[str, ...]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]


def _columns(what: str) -> list[str]:
    return [f"{what}{', ' + base if end else ''}" for end, base in BASELINES.items()]


def _error(one: Running) -> float:
    """Standard error of the mean, with the deviation of a sample."""
    return one.error * math.sqrt(one.count / (one.count - 1))


def _area(curve: dict[int, Running]) -> float:
    """The mean of a mean curve's values."""
    return sum(one.mean for one in curve.values()) / max(1, len(curve))


def draw_knowledge(points: Iterable[dict[str, str]], model: str) -> str:
    """The deletion dynamics, a panel for each measure beside its chance, as an HTML page.

    Raises:
        ValueError: one sentence, if bokeh is not installed.
    """
    embed, layouts, resources = (
        need(f"bokeh.{name}", "the experiment's figure") for name in ("embed", "layouts", "resources")
    )
    curves = curves_of(points)
    panels = [_panel(name, one_line(Path(model).name), curves) for name in MEASURES]
    grid = layouts.gridplot(panels, ncols=1, toolbar_location=None)
    return str(embed.file_html(grid, resources.INLINE, "mutual-knowledge"))


def _panel(name: str, model: str, curves: dict[str, dict[int, Running]]) -> Any:
    from bokeh.palettes import Colorblind
    from bokeh.plotting import figure

    labels = ("words of the image side struck out, the most important first", _TITLES[name])
    panel = figure(title=model, x_axis_label=labels[0], y_axis_label=labels[1], width=800, height=320)
    looks = (("", "both sides", "solid", "circle"), ("_chance", "by chance", "dashed", "triangle"))
    for k, (base, label, dash, mark) in enumerate(looks):
        places = curves[name + base]
        x, mean = [*places], [one.mean for one in places.values()]
        error = [_error(one) if one.count > 1 else 0.0 for one in places.values()]
        look = {"color": Colorblind[8][2 * k], "legend_label": label}
        low, high = ([m + sign * e for m, e in zip(mean, error, strict=True)] for sign in (-1, 1))
        panel.varea(x, low, high, fill_color=look["color"], fill_alpha=0.15)
        panel.line(x, mean, line_dash=dash, line_width=2, **look)
        panel.scatter(x, mean, marker=mark, size=8, **look)
    return panel
