"""A picture as notebooks and files want it: sharp, at its true size, with words for who cannot see it."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
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
        drawn: lays it out at a width in CSS pixels, for files of a given size; None where there are only pixels.
    """

    image: Image.Image
    words: str
    drawn: Callable[[int], Sheet] | None = field(default=None, repr=False, compare=False)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        width: float | None = None,
        height: float | None = None,
        dpi: float | None = None,
    ) -> Path:
        """Write the picture as the ending of `path` says; a failed save harms no earlier file.

        `.svg` and `.pdf` hold text, lines and boxes, and the image at its own resolution; a PDF needs the extra
        "paper" (`pip install "fixlip-lab[paper]"`). Anything else, `.png` above all, holds pixels.

        Args:
            path: where to; its ending says what.
            width: inches. The picture is laid out anew for it, so that text keeps its size: 7 to 11 points. Narrower
                than 2.3 inches it is made smaller as a whole. By default 6.7 inches, for a picture drawn at 720 CSS
                pixels.
            height: inches; by default as high as the picture needs. With a width too, the picture is fitted into both.
            dpi: pixels per inch, of pixel files alone; 300 by default if a size is given. Without any size a file has
                two pixels for every CSS pixel.

        Returns:
            where it lies.

        Raises:
            ValueError: one sentence, if an argument does not fit, or nothing can be written.
        """
        from .paper import save

        return save(self.image, self.words, self.drawn, Path(path), (width, height), dpi)

    def saying(self, words: str) -> Picture:
        """The picture with other words."""
        return replace(self, words=words)

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
