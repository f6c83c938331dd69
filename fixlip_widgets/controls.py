"""How controls and views are named and laid out."""

from __future__ import annotations

import ipywidgets

# The flow of parts that stand side by side; a saved page knows them by it.
ROW = "row wrap"


def side_by_side(*parts: ipywidgets.Widget) -> ipywidgets.Widget:
    """Parts in a row, below each other where the page is narrow."""
    for part in parts:
        part.layout.max_width = "100%"
    layout = {"flex_flow": ROW, "grid_gap": "8px 28px", "align_items": "flex-start"}
    return ipywidgets.Box(list(parts), layout=layout)


def labelled(control: ipywidgets.Widget, label: str) -> ipywidgets.Widget:
    """A control with a visible label beside it, which is its accessible name too."""
    control.description = label
    control.style.description_width = "initial"
    control.layout.max_width = "calc(100% - 4px)"  # with its margins
    return control
