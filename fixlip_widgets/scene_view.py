"""A scene in the page, in which a thing is put down or an object painted; the drawing is in scene.js beside this."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from fixlip.emoji.scenes import UNITS

from .views import FOLDER


class SceneView(anywidget.AnyWidget):
    """A picture to put a thing down in: click, or Tab to it, arrow keys and Enter; Delete takes it away.

    Traits: `image` (a data URI), `units` (its side; all lengths are in these), `grid` (rows and columns of patches),
    `name` of the picture, `thing` (width and height of what is put down; empty where objects are painted instead),
    `round` if it is a disc, `named`, what it is called, and `at`, where its middle is (empty: nowhere); `boxes` (left,
    top, right, bottom), names and `tints` of the `objects`, which a click turns to the next of the `palette`; `words`
    below the picture, and a `hint` on what a click does.
    """

    _esm = FOLDER / "scene.js"
    _css = FOLDER / "scene.css"
    image = traitlets.Unicode().tag(sync=True)
    units = traitlets.Int(UNITS).tag(sync=True)
    grid = traitlets.List([1, 1]).tag(sync=True)
    name = traitlets.Unicode("scene").tag(sync=True)
    thing: traitlets.List[Any] = traitlets.List().tag(sync=True)
    round = traitlets.Bool(False).tag(sync=True)
    named = traitlets.Unicode().tag(sync=True)
    at: traitlets.List[Any] = traitlets.List().tag(sync=True)
    boxes: traitlets.List[Any] = traitlets.List().tag(sync=True)
    objects: traitlets.List[Any] = traitlets.List().tag(sync=True)
    tints: traitlets.List[Any] = traitlets.List().tag(sync=True)
    palette: traitlets.List[Any] = traitlets.List().tag(sync=True)
    hint = traitlets.Unicode().tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)
    live = traitlets.Bool(True).tag(sync=True)
