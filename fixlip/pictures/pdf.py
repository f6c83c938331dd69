"""A drawing as PDF, by matplotlib: embedded fonts, shapes, and the image at its own resolution."""

from __future__ import annotations

import atexit
import io
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFont

from ..extras import need
from .drawing import CARD, DASH, ROUNDING, SPACE, Box, Colour, Point
from .fonts import Font, placed
from .inches import Page

_POINTS = 72.0  # per inch
_WHAT = "path: a PDF"


def pdf(page: Page, words: str) -> bytes:
    """The page as a file; `words` are for who cannot see it."""
    matplotlib = need("matplotlib", _WHAT, 'matplotlib (the extra "paper")')
    canvas = need("matplotlib.backends.backend_pdf", _WHAT, "matplotlib")
    figures = need("matplotlib.figure", _WHAT, "matplotlib")
    # Type 42 keeps outlines as they are; pictures one by one, since others would be melted into one.
    with matplotlib.rc_context({"pdf.fonttype": 42, "image.composite_image": False}):
        figure = figures.Figure(figsize=(page.width, page.height))
        figure.patch.set_alpha(0)
        left, top, width, height = page.view
        axes = figure.add_axes((0, 0, 1, 1), xlim=(left, left + width), ylim=(top + height, top))
        axes.set_axis_off()
        pen = _Pen(axes, page.scale * _POINTS)
        pen.card(page.sheet.width, page.sheet.height)
        for name, arguments in page.sheet.marks:
            getattr(pen, name)(*arguments)
        buffer = io.BytesIO()
        about = {"Title": words.partition("\n")[0][:200], "Creator": "FIxLIP-Lab", "CreationDate": None}
        canvas.FigureCanvasPdf(figure).print_pdf(buffer, metadata=about)
    return buffer.getvalue()


class _Pen:
    """The marks of a `Sheet` on axes in CSS pixels, `points` of paper each; what comes later lies on top."""

    def __init__(self, axes: Any, points: float) -> None:
        self._axes, self._points, self._order = axes, points, 0
        self._patches, self._paths = need("matplotlib.patches", _WHAT), need("matplotlib.path", _WHAT)
        self._fonts = need("matplotlib.font_manager", _WHAT)

    def card(self, width: float, height: float) -> None:
        self.box((0, 0, width, height), fill=CARD, radius=ROUNDING)

    def text(self, at: Point, text: str, size: float, colour: Colour, anchor: str, halo: float) -> None:
        x, y, _, shown, font = placed(at, text, size, anchor)
        rim = []
        if halo:
            effects = need("matplotlib.patheffects", _WHAT)
            rim = [effects.withStroke(linewidth=2 * halo * self._points, foreground=_rgb(CARD))]
        self._text(x, y, shown, font, size, colour, ha="left", path_effects=rim)

    def upward(self, at: Point, text: str, size: float, colour: Colour) -> None:
        _, y, _, shown, font = placed((0, 0), text, size, "mm")
        self._text(at[0] + y, at[1], shown, font, size, colour, ha="center", rotation=90, rotation_mode="anchor")

    def _text(self, x: float, y: float, text: str, font: Font, size: float, colour: Colour, **options: Any) -> None:
        properties = self._fonts.FontProperties(fname=file_of(font), size=size * self._points)
        options |= {"va": "baseline", "color": _rgb(colour), "parse_math": False, "zorder": self._next()}
        self._axes.text(x, y, text, fontproperties=properties, **options)

    def box(self, box: Box, fill: Colour | None = None, outline: Colour | None = None, radius: float = 0) -> None:
        inset = 0.5 if outline else 0.0  # a border lies within its box
        left, top, right, bottom = box[0] + inset, box[1] + inset, box[2] - inset, box[3] - inset
        border = {"edgecolor": _rgb(outline), "linewidth": self._points} if outline else {"linewidth": 0}
        colours = {"facecolor": "none" if fill is None else _rgb(fill), **border}
        size = (left, top), right - left, bottom - top
        if radius:
            rounded = {"boxstyle": f"round,pad=0,rounding_size={radius}", "mutation_aspect": 1}
            self._add(self._patches.FancyBboxPatch(*size, **rounded, **colours))
        else:
            self._add(self._patches.Rectangle(*size, **colours))

    def path(self, points: Sequence[Point], colour: Colour, width: float, dashed: bool = False) -> None:
        line = {"edgecolor": _rgb(colour), "linewidth": width * self._points, "facecolor": "none"}
        ends = {"capstyle": "round", "joinstyle": "round"}
        # Dashes are told in widths of the line.
        style = (0, (DASH / width, SPACE / width)) if dashed else "-"
        self._add(self._patches.PathPatch(self._paths.Path(points), linestyle=style, **line, **ends))

    def dot(self, at: Point, radius: float, colour: Colour) -> None:
        for r, fill in ((radius + 1.5, CARD), (radius, colour)):
            self._add(self._patches.Circle(at, r, facecolor=_rgb(fill), linewidth=0))

    def picture(self, box: Box, image: Image.Image) -> None:
        extent = (box[0], box[2], box[3], box[1])
        limits = self._axes.get_xlim(), self._axes.get_ylim()
        shown = np.asarray(image.convert("RGB"))
        self._axes.imshow(shown, extent=extent, interpolation="none", aspect="auto", zorder=self._next())
        self._axes.set(xlim=limits[0], ylim=limits[1])

    def tint(self, box: Box, colours: NDArray[np.uint8], opacity: NDArray[np.float64]) -> None:
        rows, columns = opacity.shape
        w, h = (box[2] - box[0]) / columns, (box[3] - box[1]) / rows
        for row, column in zip(*np.nonzero(np.round(255 * opacity)), strict=True):
            corner = box[0] + column * w, box[1] + row * h
            colour = (*(colours[row, column] / 255), float(opacity[row, column]))
            self._add(self._patches.Rectangle(corner, w, h, facecolor=colour, linewidth=0))

    def area(self, loops: Sequence[Sequence[Point]], colour: Colour, opacity: float) -> None:
        whole = self._paths.Path.make_compound_path(
            *(self._paths.Path([*loop, loop[0]], closed=True) for loop in loops)
        )
        self._add(self._patches.PathPatch(whole, facecolor=(*_rgb(colour), opacity), linewidth=0))

    def _add(self, patch: Any) -> None:
        patch.set_zorder(self._next())
        self._axes.add_patch(patch)

    def _next(self) -> int:
        self._order += 1
        return self._order


def _rgb(colour: Colour) -> tuple[float, ...]:
    return tuple(one / 255 for one in colour)


def file_of(font: Font) -> str:
    """The file of a font; Pillow's own, which has none, is written to one for as long as Python runs."""
    path = getattr(font, "path", "")
    return path if isinstance(path, str) and path else _own_font()


@cache
def _own_font() -> str:
    folder = tempfile.mkdtemp(prefix="fixlip-font-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file, font = Path(folder) / "Aileron.ttf", ImageFont.load_default(10)
    assert isinstance(font, ImageFont.FreeTypeFont)
    file.write_bytes(font.font_bytes)
    return str(file)
