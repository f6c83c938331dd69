"""Drawing primitives on Pillow: colours of signed values, text in any script, chips, dashed frames, curves.

Lengths are in CSS pixels. A `Sheet` is drawn at four times that and reduced by two, so that what comes out has two
device pixels for every CSS pixel and smooth edges.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .fonts import FINE, fit_font
from .lines import Point as Point
from .lines import dashes, stencil

DEVICE = 2  # pixels of the result per CSS pixel

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]
Mark = tuple[str, tuple[Any, ...]]  # a method of `Sheet` and its arguments

# Half the width of a 90 % interval, in standard errors: of every error bar and of every word about certainty.
INTERVAL = 1.645
_MOST_DECIMALS = 6

# The diverging scale of ColorBrewer's RdBu: told apart by people with any colour vision, opaque on any theme. This is
# the only place in Python that says what red and blue are; HTML takes them through `hex_of`.
POSITIVE: Colour = (178, 24, 43)
NEGATIVE: Colour = (33, 102, 172)
NEUTRAL: Colour = (247, 247, 247)
CARD: Colour = (252, 252, 252)
INK: Colour = (34, 36, 42)
DARK: Colour = (20, 22, 28)
MUTED: Colour = (104, 108, 118)
FAINT: Colour = (214, 216, 221)

ROUNDING = 12.0  # of a card's corners
DASH, SPACE = 7.0, 5.0


def colour_of(share: float) -> Colour:
    """Colour of a value that is `share` of the scale, -1 to 1: blue, near white, red."""
    share = max(-1.0, min(1.0, share))
    end = POSITIVE if share >= 0 else NEGATIVE
    return mix(NEUTRAL, end, abs(share))


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour `share` of the way from the first to the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def ink_on(background: Colour) -> Colour:
    """Dark or light text, whichever has more contrast on this background (relative luminance as in WCAG 2)."""
    linear = [(c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4) for c in background]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # At this luminance white and DARK contrast equally.
    return DARK if luminance > 0.195 else (255, 255, 255)


def hex_of(colour: Colour) -> str:
    """A colour as HTML and SVG write it: "#b2182b"."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def signed(value: float) -> str:
    """A value with its sign, in as many digits as matter: +0.042, -1.31, +12.4."""
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 0.095 else 3
    text = f"{value:+.{digits}f}"
    return "0" if float(text) == 0 else text


def tell(value: float, stderr: float | None = None, largest: float | None = None) -> str:
    """A value as pictures and texts tell it: in logits, or relative to the largest.

    Args:
        value: what is told.
        stderr: its standard error, where there is one.
        largest: what is told as 1.00; None for logits, which are told as they are.
    """
    if largest is None:
        return with_error(value, stderr)
    if stderr is not None:
        return with_error(value / largest, stderr / largest)
    share = value / largest
    # Two digits that matter: nothing but zero is told as zero, since scores of the two sides may differ a thousandfold.
    return signed(share) if abs(share) >= 0.095 or not share else f"{share:+#.2g}"


def with_error(value: float, stderr: float | None) -> str:
    """A value with its standard error, both in the digits that the error leaves certain: +0.012 ± 0.003.

    The error keeps two significant digits if they are below 36, else one (the rule of the Particle Data Group), and the
    value as many decimals. A value without an error is written as `signed` does.

    Args:
        value: what is told.
        stderr: its standard error, in the same unit; None where the estimator gives none.
    """
    if stderr is None:
        return signed(value)
    if not (math.isfinite(stderr) and stderr > 0):
        return f"{signed(value)} \u00b1 {stderr:g}"
    power = math.floor(math.log10(stderr))
    decimals = max(0, -power + (stderr / 10.0**power < 3.55))
    error = f"{stderr:.{decimals}f}"
    if decimals > _MOST_DECIMALS:  # next to nothing: rounding errors of an exact sum, say
        decimals, error = _MOST_DECIMALS, f"{stderr:.0e}"
    text = f"{value:+.{decimals}f}"
    return f"{text if float(text) else text[1:]} \u00b1 {error}"


class Sheet:
    """A canvas in CSS pixels with rounded corners.

    It remembers every mark that is made on it, so that other canvases can make it again: `fixlip.pictures.paper`.

    Args:
        width, height: in CSS pixels.
        fine: canvas pixels per CSS pixel.
    """

    def __init__(self, width: float, height: float, fine: int = FINE):
        self.width, self.height, self.fine = width, height, fine
        self.image = Image.new("RGB", (self._fine(width), self._fine(height)), CARD)
        self.pen = ImageDraw.Draw(self.image)
        self.marks: list[Mark] = []

    def _fine(self, length: float) -> int:
        return round(length * self.fine)

    def finish(self, size: tuple[int, int] | None = None) -> Image.Image:
        """The picture at two device pixels per CSS pixel, or of a size in pixels; corners rounded (clear outside)."""
        mask = Image.new("L", self.image.size, 0)
        last = (mask.width - 1, mask.height - 1)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, *last), self._fine(ROUNDING), fill=255)
        if size is not None:
            result, alpha = (one.resize(size, Image.Resampling.BOX) for one in (self.image, mask))
        else:
            result, alpha = (one.reduce(self.fine // DEVICE) for one in (self.image, mask))
        result = result.convert("RGBA")
        result.putalpha(alpha)
        return result

    def text(
        self, at: Point, text: str, size: float, colour: Colour = INK, anchor: str = "lm", halo: float = 0
    ) -> None:
        """One line of text; `anchor` as in Pillow, `halo` the width of a light rim."""
        self.marks.append(("text", (at, text, size, colour, anchor, halo)))
        shown, font = fit_font(text, size, self.fine)
        self.pen.text(
            (self._fine(at[0]), self._fine(at[1])),
            shown,
            fill=colour,
            font=font,
            anchor=anchor,
            stroke_width=self._fine(halo),
            stroke_fill=CARD,
        )

    def upward(self, at: Point, text: str, size: float, colour: Colour = INK) -> None:
        """One line of text that runs upwards, its centre at `at`: the label of a vertical axis."""
        self.marks.append(("upward", (at, text, size, colour)))
        shown, font = fit_font(text, size, self.fine)
        left, top, right, bottom = (round(c) for c in font.getbbox(shown))
        stencil = Image.new("L", (right - left, bottom - top), 0)
        ImageDraw.Draw(stencil).text((-left, -top), shown, fill=255, font=font)
        stencil = stencil.transpose(Image.Transpose.ROTATE_90)
        corner = (self._fine(at[0]) - stencil.width // 2, self._fine(at[1]) - stencil.height // 2)
        self.image.paste(colour, corner, stencil)

    def box(self, box: Box, fill: Colour | None = None, outline: Colour | None = None, radius: float = 0) -> None:
        """A filled or outlined box."""
        self.marks.append(("box", (box, fill, outline, radius)))
        coordinates = tuple(self._fine(c) for c in box)
        self.pen.rounded_rectangle(
            coordinates, self._fine(radius), fill=fill, outline=outline, width=max(1, self._fine(1))
        )

    def frame(self, box: Box, colour: Colour = INK, width: float = 2.5) -> None:
        """A dashed frame with a light rim, which reads on any picture."""
        left, top, right, bottom = box
        corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        self.path(corners, CARD, width + 2.5)
        self.path(corners, colour, width, dashed=True)

    def path(self, points: Sequence[Point], colour: Colour, width: float, dashed: bool = False) -> None:
        """A line through points, solid or dashed, with round joints."""
        self.marks.append(("path", (points, colour, width, dashed)))
        pieces = dashes(points, DASH, SPACE) if dashed else iter([points])
        radius = self._fine(width) / 2
        for piece in pieces:
            fine = [(p[0] * self.fine, p[1] * self.fine) for p in piece]
            self.pen.line(fine, fill=colour, width=max(1, self._fine(width)), joint="curve")
            # Pillow leaves cracks in sharp bends of thick lines.
            for x, y in fine if width > 3 else (fine[0], fine[-1]):
                self.pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def dot(self, at: Point, radius: float, colour: Colour) -> None:
        """A dot with a light rim."""
        self.marks.append(("dot", (at, radius, colour)))
        for r, fill in ((radius + 1.5, CARD), (radius, colour)):
            self.pen.ellipse(tuple(self._fine(c) for c in (at[0] - r, at[1] - r, at[0] + r, at[1] + r)), fill=fill)

    def picture(self, box: Box, image: Image.Image) -> None:
        """A picture stretched to a box."""
        self.marks.append(("picture", (box, image)))
        left, top, right, bottom = (self._fine(c) for c in box)
        self.image.paste(image.resize((right - left, bottom - top), Image.Resampling.BICUBIC), (left, top))

    def tint(self, box: Box, colours: NDArray[np.uint8], opacity: NDArray[np.float64]) -> None:
        """Lay coloured cells (rows, columns, 3) of given opacity (rows, columns) in 0..1 over a box."""
        self.marks.append(("tint", (box, colours, opacity)))
        left, top, right, bottom = (self._fine(c) for c in box)
        size = (right - left, bottom - top)
        layer = Image.fromarray(colours).resize(size, Image.Resampling.NEAREST)
        alpha = Image.fromarray(np.round(255 * opacity).astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
        self.image.paste(layer, (left, top), alpha)

    def area(self, loops: Sequence[Sequence[Point]], colour: Colour, opacity: float) -> None:
        """Lay a colour of given opacity in 0..1 over what closed lines surround; those of holes run the other way."""
        self.marks.append(("area", (loops, colour, opacity)))
        mask, corner = stencil([[(x * self.fine, y * self.fine) for x, y in loop] for loop in loops], opacity)
        self.image.paste(colour, corner, mask)


def text_width(text: str, size: float) -> float:
    """Width of a line of text in CSS pixels."""
    shown, font = fit_font(text, size)
    return float(font.getlength(shown)) / FINE


def shorten(text: str, size: float, width: float) -> str:
    """The text, cut with an ellipsis where it is wider than `width`."""
    if text_width(text, size) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text_width(text[:middle] + "\u2026", size) <= width else (low, middle - 1)
    return text[:low] + "\u2026"


def lines_of(text: str, size: float, width: float) -> list[str]:
    """The text in lines that are no wider than `width`, broken between words, and within words that are wider."""
    words = [piece for word in text.split() for piece in _pieces(word, size, width)]
    lines = wrap([text_width(word, size) for word in words], text_width(" ", size), width)
    return [" ".join(words[k] for k in line) for line in lines] or [""]


def wrap(widths: Sequence[float], gap: float, room: float) -> list[list[int]]:
    """Fill lines with items of given widths, in order; returns the items of each line."""
    lines: list[list[int]] = []
    used = 0.0
    for i, width in enumerate(widths):
        if lines and used + gap + width <= room:
            lines[-1].append(i)
            used += gap + width
        else:
            lines.append([i])
            used = width
    return lines


def _pieces(word: str, size: float, width: float) -> Iterator[str]:
    """A word in as few pieces as fit a line."""
    while len(word) > 1 and text_width(word, size) > width:
        fitting = next((k for k in range(len(word) - 1, 1, -1) if text_width(word[:k], size) <= width), 1)
        yield word[:fitting]
        word = word[fitting:]
    yield word
