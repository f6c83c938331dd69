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
            target.write_text(_page([part for part in _walk(self) if part is not self.message]), "utf-8")
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


def side_by_side(*parts: ipywidgets.Widget) -> ipywidgets.Widget:
    """Parts in a row, below each other where the page is narrow."""
    for part in parts:
        part.layout.max_width = "100%"
    layout = {"flex_flow": "row wrap", "grid_gap": "8px 28px", "align_items": "flex-start"}
    return ipywidgets.Box(list(parts), layout=layout)


def labelled(control: ipywidgets.Widget, label: str) -> ipywidgets.Widget:
    """A control with a visible label beside it, which is its accessible name too."""
    control.description = label
    control.style.description_width = "initial"
    return control


def _walk(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    found = [widget]
    for child in getattr(widget, "children", ()):
        found += _walk(child)
    return found


def _page(parts: list[Any]) -> str:
    """Numbers as they are, and one script a view: its module, its traits, and as much of a model as drawing needs."""
    blocks, places = [], []
    for k, view in enumerate(parts):
        if isinstance(view, ipywidgets.HTML):
            places.append(view.value)
        if not isinstance(view, anywidget.AnyWidget):
            continue
        places.append(f'<div id="view{k}"></div>')
        state = {}
        for name in view.traits(sync=True):
            value = getattr(view, name)
            if isinstance(value, bytes):
                state[name] = {"bytes": base64.b64encode(value).decode("ascii")}
            elif not name.startswith("_") and isinstance(value, str | int | float | list | bool):
                state[name] = value
        module = str(view._esm).replace("export default { render };", "")
        blocks.append(
            f"{{\n{module}\nrender({{model: model({json.dumps(state)}), el: document.getElementById('view{k}')}});\n}}"
        )
    return _PAGE.format(styles=_CSS, places="\n".join(places), blocks="\n".join(blocks), model=_MODEL)


_CSS = Path(__file__).with_name("pair.css").read_text("utf-8")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>FIxLIP</title><style>
:root {{ color-scheme: light dark; }} body {{ font-family: system-ui, sans-serif; margin: 24px; }}
{styles}</style></head><body>
{places}
<script type="module">
{model}
{blocks}
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
