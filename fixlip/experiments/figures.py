"""One figure for each experiment, as a page that opens offline."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]
Curve = dict[float, list[float]]
# What runs along the figure, what is drawn, and what they are called.
AXES = {
    "insertion-deletion": ("", "", "share of the input removed", "prediction, normalised"),
    "pointing-game": ("objects", "pgr", "objects named in the caption", "pointing game recognition"),
    "faithfulness": ("at", "spearman", "p of the fresh masks", "Spearman correlation"),
    "runtime": ("budget", "encoding_seconds", "masked images", "seconds in the encoders"),
}


def draw(path: Path, experiment: str, rows: list[Row]) -> None:
    """Write the figure of a table's rows; nothing if there are none, or if bokeh is not installed."""
    if not rows:
        return
    try:
        from bokeh.embed import file_html
        from bokeh.layouts import gridplot
        from bokeh.resources import INLINE
    except ImportError:
        return
    by_p: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_p[str(row["p"])].append(row)
    panels = [_panel(experiment, f"{rows[0]['model']}, p = {p}", part) for p, part in sorted(by_p.items())]
    path.write_text(file_html(gridplot(panels, ncols=2, toolbar_location=None), INLINE, experiment), encoding="utf-8")


def _panel(experiment: str, title: str, rows: list[Row]) -> Any:
    from bokeh.palettes import Colorblind
    from bokeh.plotting import figure

    _, _, along, up = AXES[experiment]
    panel = figure(title=title, x_axis_label=along, y_axis_label=up, width=520, height=380, toolbar_location=None)
    methods = list(dict.fromkeys(str(row["method"]) for row in rows))
    for colour, method in zip(Colorblind[8], methods, strict=False):
        own = [row for row in rows if row["method"] == method]
        for name, curve, dash in _curves(experiment, own):
            x = np.array(sorted(curve))
            mean = np.array([np.nanmean(curve[v]) for v in x])
            error = np.array([np.nanstd(curve[v]) / np.sqrt(len(curve[v])) for v in x])
            label = method + name
            panel.varea(x, mean - error, mean + error, fill_color=colour, fill_alpha=0.2)
            panel.line(x, mean, color=colour, line_dash=dash, line_width=2.5, legend_label=label)
            if len(x) < 20:
                panel.scatter(x, mean, color=colour, size=7, legend_label=label)
    panel.legend.label_text_font_size = "8pt"
    panel.legend.background_fill_alpha = 0.7
    return panel


def _curves(experiment: str, rows: list[Row]) -> list[tuple[str, Curve, str]]:
    """Name, values at each place, and dash of every curve of a method."""
    if experiment == "insertion-deletion":
        found = []
        for name, dash in (("insert", "dashed"), ("delete", "dotted")):
            values = np.array([[float(v) for v in row[name].split()] for row in rows])
            grid = np.linspace(0, 1, values.shape[1])
            found.append((f", {name}", {float(x): values[:, k].tolist() for k, x in enumerate(grid)}, dash))
        return found
    along, up, _, _ = AXES[experiment]
    curve: Curve = defaultdict(list)
    for row in rows:
        if row[along] != "shapley":
            curve[float(row[along])].append(float(row[up]))
    return [("", curve, "solid")] if curve else []
