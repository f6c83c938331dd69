"""One figure for each experiment, as a page that opens offline."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..extras import need
from .summary import Running

# What runs along the figure, what is drawn (with its dash), and what they are called. Insertion and deletion are drawn
# from the table of curves, the others from the table of scores.
AXES = {
    "insertion-deletion": (
        "removed",
        {"insert": "dashed", "delete": "dotted"},
        "share of the input removed",
        "prediction, normalised",
    ),
    "pointing-game": ("objects", {"pgr": "solid"}, "objects named in the caption", "pointing game recognition"),
    "faithfulness": ("at", {"spearman": "solid"}, "p of the fresh masks", "Spearman correlation"),
    "runtime": ("budget", {"encoding_seconds": "solid"}, "masked images", "seconds in the encoders"),
}
# Mean and error at each place along the figure, by method and score.
Lines = dict[tuple[str, str], dict[float, Running]]


def draw(rows: Iterable[dict[str, str]], experiment: str, model: str) -> str:
    """The figure of a table's rows, a panel per p, as an HTML page.

    Raises:
        ValueError: one sentence, if bokeh is not installed.
    """
    embed, layouts, resources = (
        need(f"bokeh.{name}", "the experiment's figure") for name in ("embed", "layouts", "resources")
    )
    along, drawn, _, _ = AXES[experiment]
    panels: dict[str, Lines] = {}
    for row in rows:
        lines = panels.setdefault(row["p"], {})
        for score in drawn:
            places = lines.setdefault((row["method"], score), {})
            if row[along] != "shapley":  # which is no place among probabilities
                places.setdefault(float(row[along]), Running()).add(float(row[score]))
    name = Path(model).name if Path(model).is_dir() else model
    shown = [_panel(experiment, f"{name}, p = {p}", panels[p]) for p in sorted(panels, key=float)]
    grid = layouts.gridplot(shown, ncols=2, toolbar_location=None)
    return str(embed.file_html(grid, resources.INLINE, experiment))


def _panel(experiment: str, title: str, lines: Lines) -> Any:
    from bokeh.palettes import Colorblind
    from bokeh.plotting import figure

    _, drawn, along, up = AXES[experiment]
    panel = figure(title=title, x_axis_label=along, y_axis_label=up, width=520, height=380, toolbar_location=None)
    methods = list(dict.fromkeys(method for method, _ in lines))
    for (method, score), places in lines.items():
        if not places:
            continue
        colour = Colorblind[8][methods.index(method) % 8]
        x = sorted(places)
        mean, error = [places[v].mean for v in x], [places[v].error for v in x]
        low, high = ([m + sign * e for m, e in zip(mean, error, strict=True)] for sign in (-1, 1))
        label = f"{method}, {score}" if len(drawn) > 1 else method
        panel.varea(x, low, high, fill_color=colour, fill_alpha=0.2)
        panel.line(x, mean, color=colour, line_dash=drawn[score], line_width=2.5, legend_label=label)
        if len(x) < 20:
            panel.scatter(x, mean, color=colour, size=7, legend_label=label)
    panel.legend.label_text_font_size = "8pt"
    panel.legend.background_fill_alpha = 0.7
    return panel
