"""One figure for each experiment, as a page that opens offline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..extras import need
from . import planted_columns as planted
from .settings import METHODS
from .summary import Running


@dataclass(frozen=True)
class Axes:
    """What a figure shows.

    Attributes:
        along: the column that runs along it; empty where methods stand below each other, a panel for each score.
        drawn: the scores, each with its dash.
        titles: of the two axes.
    """

    along: str
    drawn: dict[str, str]
    titles: tuple[str, str] = ("", "")


# Insertion and deletion are drawn from the table of curves, the others from the table of scores.
AXES = {
    "insertion-deletion": Axes(
        "removed",
        {"insert": "solid", "delete": "dashed"},
        ("share of the input removed", "normalised value: insertion solid, deletion dashed"),
    ),
    "pointing-game": Axes("objects", {"pgr": "solid"}, ("objects named in the caption", "pointing game recognition")),
    "faithfulness": Axes("at", {"spearman": "solid"}, ("p of the fresh masks", "Spearman correlation")),
    "context": Axes(
        "", dict.fromkeys(("change_spearman", "context_spearman", "context_change", "binding", "absent_share"), "solid")
    ),
    "randomisation": Axes(
        "randomised", {"patches": "solid"}, ("weights random from the top down to", "rank correlation of the patches")
    ),
    "runtime": Axes("cost", {"encoding_seconds": "solid"}, ("passes of an encoder", "seconds in the encoders")),
    **{name: Axes("", dict.fromkeys(scores, "solid")) for name, scores in planted.DRAWN.items()},
}
# Mean and error at each place along the figure, by method and score.
Lines = dict[tuple[str, str], dict[Any, Running]]
# Colours that are told apart in pairs of hue and shape: methods of one colour have other marks.
MARKS = ("circle", "triangle", "square", "diamond")
SHOWN_AT_FIRST = 6  # with many methods a reader chooses which lines to see


def draw(rows: Iterable[dict[str, str]], experiment: str, model: str) -> str:
    """The figure of a table's rows, a panel per p, or per score, as an HTML page.

    Raises:
        ValueError: one sentence, if bokeh is not installed.
    """
    embed, layouts, resources = (
        need(f"bokeh.{name}", "the experiment's figure") for name in ("embed", "layouts", "resources")
    )
    axes = AXES[experiment]
    panels: dict[str, Lines] = {}
    for row in rows:
        lines = panels.setdefault(row["p"], {})
        for score in axes.drawn:
            places = lines.setdefault((row["method"], score), {})
            place = row[axes.along] if axes.along else ""
            if place not in ("shapley", "nan"):  # which is no place among numbers
                places.setdefault(_number(place), Running()).add(float(row[score]))
    name = Path(model).name if Path(model).is_dir() else model
    if axes.along:
        shown = [_panel(axes, f"{name}, p = {p}", panels[p]) for p in sorted(panels, key=float)]
    else:
        shown = [_dots(score, f"{name}: {score}", panels) for score in axes.drawn]
    grid = layouts.gridplot(shown, ncols=1 if axes.along else 2, toolbar_location=None)
    return str(embed.file_html(grid, resources.INLINE, experiment))


def _number(place: str) -> float | str:
    try:
        return float(place)
    except ValueError:
        return place


def _looks(method: str, methods: list[str]) -> tuple[str, str]:
    """Colour and mark of a method, the same in every panel."""
    from bokeh.palettes import Colorblind

    known = [*METHODS, *(one for one in methods if one not in METHODS)]
    k = known.index(method)
    return Colorblind[8][k % 8], MARKS[k // 8 % len(MARKS)]


def _panel(axes: Axes, title: str, lines: Lines) -> Any:
    from bokeh.models import Legend, LegendItem
    from bokeh.plotting import figure

    along, up = axes.titles
    names = list(dict.fromkeys(str(x) for places in lines.values() for x in places if isinstance(x, str)))
    options: dict[str, Any] = {"x_range": names} if names else {}
    panel = figure(title=title, x_axis_label=along, y_axis_label=up, width=1000, height=520, **options)
    methods = list(dict.fromkeys(method for method, _ in lines))
    items = []
    for k, method in enumerate(methods):
        colour, mark = _looks(method, methods)
        glyphs = []
        for score, dash in axes.drawn.items():
            found = {x: one for x, one in lines[method, score].items() if one.count}
            x = [*found] if names else sorted(found)
            if x:
                glyphs += _line(panel, x, [found[place] for place in x], colour, mark, dash)
        for glyph in glyphs:
            glyph.visible = k < SHOWN_AT_FIRST or len(methods) <= 2 * SHOWN_AT_FIRST or len(axes.drawn) == 1
        if glyphs:
            items.append(LegendItem(label=method, renderers=glyphs))
    panel.add_layout(Legend(items=items, click_policy="hide", label_text_font_size="8pt", spacing=0), "right")
    panel.legend.title = "click to show or hide"
    return panel


def _line(panel: Any, x: list[Any], places: list[Running], colour: str, mark: str, dash: str) -> list[Any]:
    """Means as a line, standard errors as a band, and marks where there are few."""
    mean, error = [one.mean for one in places], [one.error for one in places]
    low, high = ([m + sign * e for m, e in zip(mean, error, strict=True)] for sign in (-1, 1))
    glyphs = [panel.line(x, mean, color=colour, line_dash=dash, line_width=2)]
    if len({*map(type, x)}) == 1 and not isinstance(x[0], str):
        glyphs.append(panel.varea(x, low, high, fill_color=colour, fill_alpha=0.12))
    if len(x) < 20:
        glyphs.append(panel.scatter(x, mean, color=colour, marker=mark, size=8))
    return glyphs


def _dots(score: str, title: str, panels: dict[str, Lines]) -> Any:
    """Means of one score with their standard errors, methods below each other."""
    from bokeh.plotting import figure

    found = {
        method if len(panels) <= 1 + (p == "0.5") else f"{method}, p = {p}": (method, places[""])
        for p in sorted(panels, key=float)
        for (method, other), places in panels[p].items()
        if other == score and places[""].count
    }
    panel = figure(title=title, y_range=[*reversed(found)], width=640, height=90 + 20 * len(found))
    methods = list(dict.fromkeys(method for method, _ in found.values()))
    for label, (method, one) in found.items():
        colour, mark = _looks(method, methods)
        panel.segment([one.mean - one.error], [label], [one.mean + one.error], [label], color=colour, line_width=2)
        panel.scatter([one.mean], [label], color=colour, marker=mark, size=8)
    return panel
