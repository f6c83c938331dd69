"""A widget as a page that opens offline: views with their scripts and numbers, without the controls."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Iterable
from typing import Any

import anywidget
import ipywidgets

from fixlip.pictures import Picture, to_png
from fixlip.pictures.drawing import DEVICE

from .controls import ROW
from .views import FOLDER


def saved_page(contents: Iterable[ipywidgets.Widget], picture: Callable[[], Picture]) -> str:
    """Views and numbers, laid out as in the widget; controls, which could not do anything, are left out.

    Args:
        contents: what the widget is made of.
        picture: makes what to show where there is neither a view nor a picture yet.
    """
    views: list[anywidget.AnyWidget] = []
    body = "\n".join(_html(part, views) for part in contents)
    if not views and "<img " not in body:
        shown = picture()
        data = base64.b64encode(to_png(shown.image, compact=True)).decode("ascii")
        width = shown.image.width // DEVICE
        body += f'<img src="data:image/png;base64,{data}" width="{width}" alt="{html.escape(shown.words)}">'
    modules = list(dict.fromkeys(str(view._esm) for view in views))
    drawn = [
        {"element": f"view{k}", "module": modules.index(str(view._esm)), "traits": _traits(view)}
        for k, view in enumerate(views)
    ]
    styles = "\n".join(dict.fromkeys([_STYLES, *(str(view._css) for view in views if hasattr(view, "_css"))]))
    return _PAGE.format(
        styles=styles, body=body, note=_NOTE, modules=_script_json(modules), views=_script_json(drawn), run=_RUN
    )


def _html(widget: ipywidgets.Widget, views: list[anywidget.AnyWidget]) -> str:
    """A widget as HTML; views are places to be drawn in, and are added to `views`."""
    if isinstance(widget, ipywidgets.HTML):
        return str(widget.value)  # whoever sets it escapes labels; see `readouts`
    if isinstance(widget, anywidget.AnyWidget):
        views.append(widget)
        return f'<div id="view{len(views) - 1}"></div>'
    inside = "\n".join(filter(None, (_html(child, views) for child in getattr(widget, "children", ()))))
    if not inside:
        return ""
    kind, width = ("row" if widget.layout.flex_flow == ROW else "column"), widget.layout.width or "auto"
    return f'<div class="{kind}" style="width:{html.escape(width)}">{inside}</div>'


def _traits(view: anywidget.AnyWidget) -> dict[str, Any]:
    """The traits that a view is drawn from; it answers no click that only a kernel could answer."""
    traits: dict[str, Any] = {}
    for name in view.traits(sync=True):
        value = getattr(view, name)
        if isinstance(value, bytes):
            traits[name] = {"bytes": base64.b64encode(value).decode("ascii")}
        elif not name.startswith("_") and isinstance(value, str | int | float | list | dict | bool):
            traits[name] = value
    return traits | {"live": False}


def _script_json(value: Any) -> str:
    """A value as JavaScript writes it, which cannot end the script it stands in, whatever the labels are.

    Escaped are "<" here and all that is not ASCII by `json`, the line ends U+2028 and U+2029 among it.
    """
    return json.dumps(value).replace("<", "\\u003c")


_STYLES = (FOLDER / "pair.css").read_text("utf-8")
_RUN = (FOLDER / "page.js").read_text("utf-8")
_NOTE = "A saved widget: to change what was computed it needs a running kernel, in a notebook."
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>FIxLIP</title><style>
:root {{ color-scheme: light dark; }} body {{ font-family: system-ui, sans-serif; margin: 24px; }}
.row {{ display: flex; flex-wrap: wrap; gap: 8px 28px; align-items: flex-start; }}
.row > * {{ max-width: 100%; }} .column {{ max-width: 100%; }}
img {{ max-width: 100%; height: auto; }} .saved {{ font-size: 12px; color: light-dark(#666, #aaa); }}
{styles}.column .fixlip-readout {{ max-width: 460px; }}
</style></head><body>
{body}
<p class="saved">{note}</p>
<script type="module">
const modules = {modules};
const views = {views};
{run}</script></body></html>
"""
