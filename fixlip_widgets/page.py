"""A widget as a page that opens offline: views with their scripts and numbers, and controls where a script answers."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import anywidget
import ipywidgets

from fixlip.pictures import Picture, to_png
from fixlip.pictures.drawing import DEVICE

from .controls import ROW
from .live import FOLDER, Live


def saved_page(contents: Iterable[ipywidgets.Widget], picture: Callable[[], Picture], live: Live | None = None) -> str:
    """Views and numbers, laid out as in the widget; controls that could not do anything are left out.

    Args:
        contents: what the widget is made of.
        picture: makes what to show where there is neither a view nor a picture yet.
        live: what answers in the page; None for a page whose controls could do nothing.
    """
    page = _Page(live)
    body = "\n".join(page.html(part) for part in contents)
    if not page.views and "<img " not in body:
        shown = picture()
        data = base64.b64encode(to_png(shown.image, compact=True)).decode("ascii")
        width = shown.image.width // DEVICE
        body += f'<img src="data:image/png;base64,{data}" width="{width}" alt="{html.escape(shown.words)}">'
    styles = [_STYLES, *(str(view._css) for view in page.views if hasattr(view, "_css"))]
    return _PAGE.format(
        styles="\n".join(dict.fromkeys(styles)),
        body=body,
        note=_LIVE_NOTE if live else _NOTE,
        run=(FOLDER / "page.js").read_text("utf-8"),
        **{name: _script_json(value) for name, value in page.script().items()},
    )


class _Page:
    """The parts of a page, as they are met.

    Attributes:
        views: what is drawn in it, in order.
    """

    def __init__(self, live: Live | None) -> None:
        self._live = live
        self._names = {} if live is None else {id(part): name for name, part in live.parts.items()}
        self._places: dict[int, str] = {}
        self._controls: list[dict[str, Any]] = []
        self._modules = _Modules()
        self.views: list[anywidget.AnyWidget] = []

    def html(self, widget: ipywidgets.Widget) -> str:
        """A widget as HTML; views and controls are places to be drawn in."""
        name = self._names.get(id(widget))
        if isinstance(widget, ipywidgets.HTML):  # whoever sets it escapes labels; see `readouts`
            return str(widget.value) if name is None else f'<div id="{self._place(widget, name)}">{widget.value}</div>'
        if isinstance(widget, anywidget.AnyWidget):
            self.views.append(widget)
            return f'<div id="{self._place(widget, f"view{len(self.views) - 1}")}"></div>'
        inside = "\n".join(filter(None, (self.html(child) for child in getattr(widget, "children", ()))))
        if inside:
            kind, width = ("row" if widget.layout.flex_flow == ROW else "column"), widget.layout.width or "auto"
            return f'<div class="{kind}" style="width:{html.escape(width)}">{inside}</div>'
        if name is None or self._live is None:
            return ""
        place = self._place(widget, name)
        traits = _control(widget) | dict(self._live.changed.get(name, {}))
        self._controls.append({"element": place, "module": self._modules.of_file("controls.js"), "traits": traits})
        return f'<div id="{place}"></div>'

    def _place(self, widget: ipywidgets.Widget, name: str) -> str:
        self._places[id(widget)] = name.replace(" ", "-")  # an id has no spaces
        return self._places[id(widget)]

    def script(self) -> dict[str, Any]:
        """What the page's script is given, by name."""
        views, live = [], None
        for k, view in enumerate(self.views):
            module = self._modules.of_source(str(view._esm))
            views.append(
                {
                    "element": f"view{k}",
                    "module": module,
                    "traits": _traits(view, self._live is not None and self._live.clicks),
                }
            )
        if self._live is not None:
            live = {
                "module": self._modules.of_file(self._live.script),
                "parts": {name: self._places[key] for key, name in self._names.items() if key in self._places},
                "facts": self._live.facts,
                "packed": self._live.numbers.text(),
                "shared": self._live.shared,
            }
        made, named = self._modules.sources, self._modules.named
        return {"modules": made, "named": named, "views": views, "controls": self._controls, "live": live}


class _Modules:
    """Scripts of a page, each once and behind those that it imports.

    Attributes:
        sources: their texts.
        named: the number of each file among them, by its name.
    """

    def __init__(self) -> None:
        self.sources: list[str] = []
        self.named: dict[str, int] = {}

    def of_source(self, source: str) -> int:
        """The number of a script."""
        if source not in self.sources:
            self.sources.append(source)
        return self.sources.index(source)

    def of_file(self, name: str) -> int:
        """The number of a script in this folder."""
        source = (FOLDER / name).read_text("utf-8")
        for other in re.findall(r'from "\./([\w-]+\.js)"', source):
            self.of_file(other)
        self.named[name] = self.of_source(source)
        return self.named[name]


def _traits(view: anywidget.AnyWidget, clicks: bool) -> dict[str, Any]:
    """The traits that a view is drawn from; without anything that answers, it answers no click that wants an answer."""
    traits: dict[str, Any] = {}
    for name in view.traits(sync=True):
        value = getattr(view, name)
        if isinstance(value, bytes):
            traits[name] = {"bytes": base64.b64encode(value).decode("ascii")}
        elif not name.startswith("_") and isinstance(value, str | int | float | list | dict | bool):
            traits[name] = value
    return traits if clicks else traits | {"live": False}


def _control(widget: ipywidgets.Widget) -> dict[str, Any]:
    """The traits that a control is drawn from; the kind of a free text is left to `Live.changed`."""
    kinds = {
        "slider": (ipywidgets.FloatSlider, ipywidgets.IntSlider),
        "select": ipywidgets.Dropdown,
        "checkbox": ipywidgets.Checkbox,
        "button": ipywidgets.Button,
        "play": ipywidgets.Play,
    }
    kind = next((kind for kind, classes in kinds.items() if isinstance(widget, classes)), "")
    traits: dict[str, Any] = {"kind": kind, "description": widget.description, "disabled": widget.disabled}
    for name in ("value", "min", "max", "step", "interval"):
        if hasattr(widget, name):
            traits[name] = getattr(widget, name)
    if kind == "select":
        traits["options"] = [list(one) if isinstance(one, tuple) else [one, one] for one in widget.options]
    return {"value": 0} | traits


def _script_json(value: Any) -> str:
    """A value as JavaScript writes it, which cannot end the script it stands in, whatever the labels are.

    Escaped are "<" here and all that is not ASCII by `json`, the line ends U+2028 and U+2029 among it.
    """
    return json.dumps(value).replace("<", "\\u003c")


_STYLES = (FOLDER / "pair.css").read_text("utf-8")
_NOTE = "A saved widget: to change what was computed it needs a running kernel, in a notebook."
_LIVE_NOTE = (
    "A saved widget: its controls work, with what was computed when it was saved; for anything else it needs a running "
    "kernel, in a notebook."
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>FIxLIP</title><style>
:root {{ color-scheme: light dark; }} body {{ font-family: system-ui, sans-serif; margin: 24px; }}
@media (max-width: 520px) {{ body {{ margin: 12px; }} }}
.row {{ display: flex; flex-wrap: wrap; gap: 8px 28px; align-items: flex-start; }}
.row > * {{ max-width: 100%; }} .column {{ max-width: 100%; }}
img {{ max-width: 100%; height: auto; }} .saved {{ font-size: 12px; color: light-dark(#666, #aaa); }}
{styles}.column .fixlip-readout {{ max-width: 460px; }}
</style></head><body>
{body}
<p class="saved">{note}</p>
<script type="module">
const modules = {modules};
const named = {named};
const views = {views};
const controls = {controls};
const live = {live};
{run}</script></body></html>
"""
