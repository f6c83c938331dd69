"""What all widgets share: a place for errors, work in the background, a picture without a kernel, a page to save."""

from __future__ import annotations

import base64
import functools
import html
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets

from fixlip.pictures import Picture, to_png


class Panel(ipywidgets.VBox):
    """A widget made of controls and views.

    Callbacks take one lock, because JupyterLab runs them in two threads.
    """

    def __init__(self, children: list[ipywidgets.Widget]) -> None:
        self.lock = threading.RLock()
        self.message = ipywidgets.HTML()
        self.cancel = ipywidgets.Button(description="cancel", layout={"display": "none"})
        self.cancel.on_click(lambda _: self._stop.set())
        self._stop = threading.Event()
        self._worker: threading.Thread | None = None
        self._waiting: Callable[[], None] | None = None
        super().__init__([*children, ipywidgets.HBox([self.message, self.cancel])])

    def say(self, text: str = "", kind: str = "info") -> None:
        """Show a sentence below the widget; an empty one takes the last away."""
        colour = {"info": "inherit", "error": "var(--jp-error-color1, #b2182b)"}[kind]
        role = "alert" if kind == "error" else "status"
        self.message.value = f'<div role="{role}" style="color:{colour}">{html.escape(text)}</div>' if text else ""

    def in_background(self, job: Callable[[], None]) -> None:
        """Run a job in a thread; of jobs that arrive meanwhile only the last one is run.

        The job calls `progress` now and then, where it ends if the user has pressed cancel.
        """
        with self.lock:
            self._waiting = job
            if self._worker is not None and self._worker.is_alive():
                return
            self._worker = threading.Thread(target=self._work, daemon=True)
            self._worker.start()

    def _work(self) -> None:
        while True:
            with self.lock:
                job, self._waiting = self._waiting, None
                if job is None:
                    self._worker = None
                    self.cancel.layout.display = "none"
                    return
                self._stop.clear()
                self.cancel.layout.display = ""
            try:
                job()
            except (ValueError, RuntimeError, MemoryError) as error:
                self.say(str(error), "error")

    def progress(self, done: int, total: int) -> None:
        """Say how far the work in the background is.

        Raises:
            RuntimeError: if the user has cancelled it.
        """
        if self._stop.is_set():
            raise RuntimeError("cancelled; what was shown before is still there.")
        self.say(f"asking the model: {done:,} of {total:,} …")

    def wait(self, seconds: float = 60.0) -> None:
        """Wait until nothing runs in the background."""
        worker = self._worker
        if worker is not None:
            worker.join(seconds)

    # ---- where no kernel runs

    def picture(self) -> Picture:
        """A static picture of the state, shown where no kernel runs."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        picture = self.picture()
        bundle = dict(bundle or {})
        bundle["image/png"] = base64.b64encode(to_png(picture.image, compact=True)).decode("ascii")
        bundle["text/plain"] = picture.words
        return bundle

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write the views and numbers as a page that opens offline; hovering and selecting work in it, sliders do not.

        Raises:
            ValueError: if it cannot be written.
        """
        target = Path(path)
        try:
            target.write_text(_page(self), "utf-8")
        except OSError as error:
            raise ValueError(f"path: cannot write {str(target)!r} ({error.strerror or error}).") from None
        return target


def guarded(method: Callable[..., None]) -> Callable[..., None]:
    """A callback under the panel's lock, whose errors appear inside the widget, in words."""

    @functools.wraps(method)
    def call(self: Panel, *arguments: Any) -> None:
        with self.lock:
            try:
                self.say()
                method(self, *arguments)
            except (ValueError, RuntimeError, MemoryError) as error:
                self.say(str(error), "error")

    return call


_ROW = "row wrap"


def side_by_side(*parts: ipywidgets.Widget) -> ipywidgets.Widget:
    """Parts in a row, below each other where the page is narrow."""
    for part in parts:
        part.layout.max_width = "100%"
    layout = {"flex_flow": _ROW, "grid_gap": "8px 28px", "align_items": "flex-start"}
    return ipywidgets.Box(list(parts), layout=layout)


def labelled(control: ipywidgets.Widget, label: str) -> ipywidgets.Widget:
    """A control with a visible label beside it, which is its accessible name too."""
    control.description = label
    control.style.description_width = "initial"
    return control


def _page(panel: Panel) -> str:
    """Views and numbers, laid out as in the widget; controls, which would do nothing, are left out."""
    scripts: list[str] = []
    body = "\n".join(_part(child, scripts) for child in panel.children[:-1])  # the last holds message and cancel
    if not scripts:  # nothing to look at yet
        picture = panel.picture()
        data = base64.b64encode(to_png(picture.image, compact=True)).decode("ascii")
        body += f'<img src="data:image/png;base64,{data}" alt="{html.escape(picture.words)}">'
    return _PAGE.format(styles=_CSS, body=body, scripts="\n".join(scripts), model=_MODEL)


def _part(widget: ipywidgets.Widget, scripts: list[str]) -> str:
    """A widget as HTML; a view's script goes to `scripts`."""
    if isinstance(widget, ipywidgets.HTML):
        return str(widget.value)
    if isinstance(widget, anywidget.AnyWidget):
        scripts.append(_script(widget, len(scripts)))
        return f'<div id="view{len(scripts) - 1}"></div>'
    inside = "\n".join(filter(None, (_part(child, scripts) for child in getattr(widget, "children", ()))))
    if not inside:
        return ""
    kind, width = ("row" if widget.layout.flex_flow == _ROW else "column"), widget.layout.width or "auto"
    return f'<div class="{kind}" style="width:{width}">{inside}</div>'


def _script(view: anywidget.AnyWidget, number: int) -> str:
    """A view's module, its traits, and as much of a model as drawing needs."""
    state: dict[str, Any] = {}
    for name in view.traits(sync=True):
        value = getattr(view, name)
        if isinstance(value, bytes):
            state[name] = {"bytes": base64.b64encode(value).decode("ascii")}
        elif not name.startswith("_") and isinstance(value, str | int | float | list | bool):
            state[name] = value
    state["live"] = False
    module = str(view._esm).replace("export default { render };", "")
    return (
        f"{{\n{module}\nrender({{model: model({json.dumps(state)}), el: document.getElementById('view{number}')}});\n}}"
    )


_CSS = Path(__file__).with_name("pair.css").read_text("utf-8")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>FIxLIP</title><style>
:root {{ color-scheme: light dark; }} body {{ font-family: system-ui, sans-serif; margin: 24px; }}
.row {{ display: flex; flex-wrap: wrap; gap: 8px 28px; align-items: flex-start; }} .column {{ max-width: 100%; }}
{styles}</style></head><body>
{body}
<script type="module">
{model}
{scripts}
</script></body></html>
"""
_MODEL = """function model(state) {
  const listeners = {};
  const read = (value) => value && value.bytes !== undefined
    ? new DataView(Uint8Array.from(atob(value.bytes), (c) => c.charCodeAt(0)).buffer) : value;
  return {
    get: (name) => read(state[name]),
    set: (name, value) => { state[name] = value; (listeners["change:" + name] || []).forEach((call) => call()); },
    on: (name, call) => { (listeners[name] ||= []).push(call); },
    save_changes: () => {},
  };
}"""
