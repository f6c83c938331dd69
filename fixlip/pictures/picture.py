"""A picture as notebooks and files want it: sharp, at its true size, with words for who cannot see it."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import dataclass
from typing import Any

from PIL import Image

from .drawing import DEVICE


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
