"""A drawing on a page of a size in inches."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from .drawing import Sheet

# So large are a picture's CSS pixels on paper that its text has 7 to 11 points: one and a half to a point.
PER_INCH = 108.0
NARROWEST, WIDEST = 240, 4000  # that a picture is laid out at, CSS pixels


@dataclass(frozen=True)
class Page:
    """What is on a page, and where.

    Attributes:
        sheet: the drawing.
        width, height: of the page, inches.
        scale: inches per CSS pixel.
    """

    sheet: Sheet
    width: float
    height: float
    scale: float

    @property
    def view(self) -> tuple[float, float, float, float]:
        """What of the drawing's plane the page shows: left, top, width and height in CSS pixels; it is centred."""
        width, height = self.width / self.scale, self.height / self.scale
        return (self.sheet.width - width) / 2, (self.sheet.height - height) / 2, width, height


def lay_out(drawn: Callable[[int], Sheet], usual: float, width: float | None, height: float | None) -> Page:
    """A page of the size asked for; the drawing is laid out for its width, and fitted into both.

    Args:
        drawn: lays the drawing out at a width in CSS pixels.
        usual: its width where none is asked for.
        width: inches, or None.
        height: likewise.
    """
    wanted = usual if width is None else width * PER_INCH
    sheet = drawn(round(min(max(wanted, NARROWEST), WIDEST)))
    scales = [side / own for side, own in ((width, sheet.width), (height, sheet.height)) if side is not None]
    scale = min(scales, default=1 / PER_INCH)
    return Page(sheet, width or sheet.width * scale, height or sheet.height * scale, scale)


def png_of(image: Image.Image) -> bytes:
    """An image as PNG at its own resolution."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
