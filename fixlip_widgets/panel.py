"""What all widgets share: a state, a place for messages, work in the background, a picture without a kernel."""

from __future__ import annotations

import functools
import html
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from fixlip.atomic import replace_whole
from fixlip.pictures import Picture
from fixlip.pictures.drawing import POSITIVE, hex_of

from .live import Live
from .page import saved_page

# Below the picture that stands where a widget would be.
WITHOUT_KERNEL = "A picture of a widget, which needs a running kernel to change."

_log = logging.getLogger(__name__)


class Cancelled(Exception):
    """The user pressed cancel. Raised inside a job in the background, which it ends."""


def in_words(error: BaseException) -> str:
    """An error as a sentence. One that nobody foresaw is told by type and message, and its traceback is logged."""
    foreseen = isinstance(error, ValueError | ImportError) and bool(str(error))
    _log.log(logging.DEBUG if foreseen else logging.ERROR, "error in a widget", exc_info=error)
    return str(error) if foreseen else f"{type(error).__name__}: {error} (the log has the traceback)"


class State(traitlets.HasTraits):
    """What a widget shows, apart from how: it can be moved and read without any display.

    Attributes:
        lock: held while what is shown is changed. JupyterLab runs callbacks in two threads, and jobs have their own.
    """

    lock: threading.RLock

    def __init__(self, **values: Any) -> None:
        self.lock = threading.RLock()  # first, since traits that are set call observers
        super().__init__(**values)


class Panel(ipywidgets.VBox):
    """A widget made of controls and views, over a state whose lock its callbacks take.

    Attributes:
        state: what is shown.
        contents: controls and views, without the line of messages below them.
    """

    def __init__(self, state: State, contents: list[ipywidgets.Widget]) -> None:
        self.lock = state.lock
        self.contents = contents
        self.message = ipywidgets.HTML()
        self.cancel = ipywidgets.Button(description="cancel", layout={"display": "none"})
        self.cancel.on_click(lambda _: self._cancel())
        self._cancelled = threading.Event()
        self._worker: threading.Thread | None = None
        self._waiting: Callable[[], None] | None = None
        super().__init__([*contents, ipywidgets.HBox([self.message, self.cancel])])

    # ---- messages

    def say(self, text: str = "", kind: str = "info") -> None:
        """Show a sentence below the widget; an empty one takes the last away."""
        colour = {"info": "inherit", "error": f"var(--jp-error-color1, {hex_of(POSITIVE)})"}[kind]
        role = "alert" if kind == "error" else "status"
        self.message.value = f'<div role="{role}" style="color:{colour}">{html.escape(text)}</div>' if text else ""

    def report(self, error: BaseException) -> None:
        """Show an error as `in_words` tells it."""
        self.say(in_words(error), "error")

    # ---- work in the background

    def in_background(self, job: Callable[[], None]) -> None:
        """Run a job in a thread; of jobs that arrive meanwhile only the last one is run.

        The job calls `progress` or `check_cancelled` now and then, where it ends if the user has pressed cancel. It
        computes without the lock, so that other controls go on answering, and takes it to set the state and show it.
        """
        with self.lock:
            self._waiting = job
            if self._worker is not None and self._worker.is_alive():
                return
            self._worker = threading.Thread(target=self._work, daemon=True)
            self._worker.start()

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            try:
                job()
            except Cancelled:
                self.say("cancelled; what was shown before is still there.")
            except BaseException as error:  # whatever it is, later jobs must run and "cancel" must go
                self.report(error)

    def _next_job(self) -> Callable[[], None] | None:
        with self.lock:
            job, self._waiting = self._waiting, None
            if job is None:
                self._worker = None
            self._cancelled.clear()
            self.cancel.layout.display = "none" if job is None else ""
            return job

    def _cancel(self) -> None:
        with self.lock:
            self._waiting = None
            self._cancelled.set()

    def check_cancelled(self) -> None:
        """End the job in the background if the user has pressed cancel.

        Raises:
            Cancelled: if so.
        """
        if self._cancelled.is_set():
            raise Cancelled

    def progress(self, done: int, total: int, doing: str = "asking the model") -> None:
        """Say how far the job in the background is.

        Raises:
            Cancelled: if the user has pressed cancel.
        """
        self.check_cancelled()
        self.say(f"{doing}: {done:,} of {total:,} …")

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
        shown = dict(super()._repr_mimebundle_(**options) or {})
        picture, metadata = self.picture().with_footnote(WITHOUT_KERNEL)._repr_mimebundle_()
        return shown | picture, metadata

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write the views and numbers as a page that opens offline; hovering and selecting work in it, sliders do not.

        Raises:
            ValueError: if it cannot be written; an earlier page is still there then.
        """
        return self._write(path)

    def _write(self, path: str | os.PathLike[str], live: Live | None = None) -> Path:
        """Write the page, whose controls work where something answers."""
        target = Path(path)
        with self.lock:
            page = saved_page(self.contents, self.picture, live)
        try:
            replace_whole(target, page.encode("utf-8", "xmlcharrefreplace"))
        except OSError as error:
            raise ValueError(f"path: cannot write {str(target)!r} ({error.strerror or error}).") from None
        return target


def callback(method: Callable[..., None]) -> Callable[..., None]:
    """A method that answers a control: under the panel's lock, and its errors appear inside the widget, in words."""

    @functools.wraps(method)
    def call(self: Panel, *arguments: Any) -> None:
        with self.lock:
            try:
                self.say()
                method(self, *arguments)
            except Exception as error:
                self.report(error)

    return call
