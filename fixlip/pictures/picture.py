"""A picture as notebooks and files want it: sharp, at its true size, with words for who cannot see it."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import dataclass
from typing import Any

from PIL import Image

from .drawing import DEVICE, MUTED, Sheet, lines_of

_NOTE_TEXT, _NOTE_LINE, _NOTE_GAP = 11.5, 16.0, 6  # of a footnote, CSS pixels


@dataclass(frozen=True)
class Picture:
    """A picture that notebooks show sharp, at its true size, and in words where pictures cannot be shown.

    Attributes:
        image: the Pillow image, two pixels per CSS pixel.
        words: what it says.
    """

    image: Image.Image
    words: str

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture as PNG, or whatever the ending says."""
        self.image.save(path)

    def with_footnote(self, text: str) -> Picture:
        """The picture with a line below it, as wide as the picture; its words say the same."""
        width = self.image.width / DEVICE
        lines = lines_of(text, _NOTE_TEXT, width - 32)
        note = Sheet(width, 16 + _NOTE_LINE * len(lines))
        for k, line in enumerate(lines):
            note.text((16, 8 + _NOTE_LINE * (k + 0.5)), line, _NOTE_TEXT, MUTED)
        strip, top = note.finish(), self.image.height + DEVICE * _NOTE_GAP
        both = Image.new("RGBA", (self.image.width, top + strip.height))
        both.paste(self.image, (0, 0))
        both.paste(strip, (0, top))
        return Picture(both, f"{self.words}\n{text}")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        png = base64.b64encode(to_png(self.image, compact=True)).decode("ascii")
        size = {"width": self.image.width // DEVICE, "height": self.image.height // DEVICE}
        return {"image/png": png, "text/plain": self.words}, {"image/png": size}

    def __repr__(self) -> str:
        return self.words


def to_png(image: Image.Image, compact: bool = False) -> bytes:
    """The picture as PNG; `compact` keeps 127 well-chosen colours: a quarter of the size, for stored notebooks."""
    buffer = io.BytesIO()
    if not compact:
        image.save(buffer, format="PNG")
        return buffer.getvalue()
    few = image.convert("RGB").quantize(127, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    few.putpalette([*(few.getpalette() or [])[: 3 * 127], 255, 255, 255])  # one more, for the transparent corners
    few.paste(127, mask=image.getchannel("A").point(lambda alpha: 255 * (alpha < 128)))
    few.save(buffer, format="PNG", transparency=127)
    return buffer.getvalue()
