"""A drawing as SVG: text that can be searched and edited, shapes, and the image at its own resolution."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .drawing import CARD, DASH, ROUNDING, SPACE, Box, Colour, Point, hex_of
from .fonts import placed
from .inches import Page, png_of

# The font that lengths were measured in, which Pillow brings along, and what comes close to it.
_FONTS = "Aileron, Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


def svg(page: Page, words: str) -> str:
    """The page as a file; `words` are for who cannot see it."""
    pen = _Pen()
    pen.card(page.sheet.width, page.sheet.height)
    for name, arguments in page.sheet.marks:
        getattr(pen, name)(*arguments)
    view = " ".join(f"{one:.4f}" for one in page.view)
    size = f'width="{page.width:.6g}in" height="{page.height:.6g}in"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="{view}" font-family="{_FONTS}">'
    body = "\n".join(pen.elements)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}\n<desc>{_plain(words)}</desc>\n{body}\n</svg>\n'


class _Pen:
    """The marks of a `Sheet` as elements."""

    def __init__(self) -> None:
        self.elements: list[str] = []

    def card(self, width: float, height: float) -> None:
        self._add("rect", _box((0, 0, width, height)), fill=CARD, rx=ROUNDING)

    def text(self, at: Point, text: str, size: float, colour: Colour, anchor: str, halo: float) -> None:
        x, y, width, shown, _ = placed(at, text, size, anchor)
        rim = {"stroke": CARD, "stroke_width": 2 * halo, "stroke_linejoin": "round", "paint_order": "stroke"}
        self._text(shown, width, {"x": x, "y": y, "font_size": size, "fill": colour} | (rim if halo else {}))

    def upward(self, at: Point, text: str, size: float, colour: Colour) -> None:
        x, y, width, shown, _ = placed((0, 0), text, size, "mm")
        turned = f"translate({at[0]:.3f} {at[1]:.3f}) rotate(-90)"
        self._text(shown, width, {"x": x, "y": y, "font_size": size, "fill": colour, "transform": turned})

    def box(self, box: Box, fill: Colour | None = None, outline: Colour | None = None, radius: float = 0) -> None:
        border: dict[str, Any] = {} if outline is None else {"stroke": outline, "stroke_width": 1}
        # A border lies within its box.
        left, top, right, bottom = box
        within = (left + 0.5, top + 0.5, right - 0.5, bottom - 0.5) if outline else box
        self._add("rect", _box(within), fill="none" if fill is None else fill, rx=radius, **border)

    def path(self, points: Sequence[Point], colour: Colour, width: float, dashed: bool = False) -> None:
        line = "M" + " L".join(f"{x:.2f} {y:.2f}" for x, y in points)
        round_ends = {"stroke_linecap": "round", "stroke_linejoin": "round"}
        dashes = {"stroke_dasharray": f"{DASH:g} {SPACE:g}"} if dashed else {}
        self._add("path", {"d": line}, fill="none", stroke=colour, stroke_width=width, **round_ends, **dashes)

    def dot(self, at: Point, radius: float, colour: Colour) -> None:
        for r, fill in ((radius + 1.5, CARD), (radius, colour)):
            self._add("circle", {"cx": at[0], "cy": at[1], "r": r}, fill=fill)

    def picture(self, box: Box, image: Image.Image) -> None:
        data = base64.b64encode(png_of(image)).decode("ascii")
        self._add("image", _box(box), preserveAspectRatio="none", href=f"data:image/png;base64,{data}")

    def tint(self, box: Box, colours: NDArray[np.uint8], opacity: NDArray[np.float64]) -> None:
        rows, columns = opacity.shape
        w, h = (box[2] - box[0]) / columns, (box[3] - box[1]) / rows
        for row, column in zip(*np.nonzero(np.round(255 * opacity)), strict=True):
            left, top = box[0] + column * w, box[1] + row * h
            red, green, blue = (int(one) for one in colours[row, column])
            cell = _box((left, top, left + w, top + h))
            self._add("rect", cell, fill=(red, green, blue), fill_opacity=float(opacity[row, column]))

    def area(self, loops: Sequence[Sequence[Point]], colour: Colour, opacity: float) -> None:
        line = " ".join("M" + " L".join(f"{x:.2f} {y:.2f}" for x, y in loop) + "Z" for loop in loops)
        self._add("path", {"d": line}, fill=colour, fill_opacity=opacity, fill_rule="evenodd")

    def _text(self, shown: str, width: float, attributes: dict[str, Any]) -> None:
        # Readers without the font squeeze another into the same length, so that nothing runs into anything.
        length = {"textLength": width, "lengthAdjust": "spacingAndGlyphs"} if len(shown) > 1 else {}
        self._add("text", attributes | length, _plain(shown))

    def _add(self, kind: str, attributes: dict[str, Any], content: str = "", **more: Any) -> None:
        told = " ".join(f'{_name(name)}="{_told(value)}"' for name, value in (attributes | more).items())
        self.elements.append(f"<{kind} {told}>{content}</{kind}>" if content else f"<{kind} {told}/>")


def _box(box: Box) -> dict[str, Any]:
    return {"x": box[0], "y": box[1], "width": box[2] - box[0], "height": box[3] - box[1]}


def _name(name: str) -> str:
    return name.replace("_", "-")


def _told(value: Any) -> str:
    if isinstance(value, tuple):
        return hex_of(value)
    return f"{float(value):.3f}" if isinstance(value, int | float | np.number) else escape(str(value))


def _plain(text: str) -> str:
    """Text that XML can hold."""
    return escape("".join(c if c.isprintable() else " " for c in text))
