"""Drawing primitives on Pillow: colours of signed values, text in any script, chips, dashed frames, curves.

Lengths are in CSS pixels. A `Sheet` is drawn at four times that and reduced by two, so that what comes out has two
device pixels for every CSS pixel and smooth edges.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FINE = 4  # canvas pixels per CSS pixel
DEVICE = 2  # pixels of the result per CSS pixel

Colour = tuple[int, int, int]
Point = tuple[float, float]
Box = tuple[float, float, float, float]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

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

# Fonts that systems carry for scripts that Pillow's own font lacks.
OTHER_FONTS = (
    "DejaVuSans.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
    "msyh.ttc",
    "Hiragino Sans GB.ttc",
    "wqy-microhei.ttc",
    "seguiemj.ttf",
)


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
    """A canvas in CSS pixels with rounded corners."""

    def __init__(self, width: float, height: float):
        self.width, self.height = width, height
        self.image = Image.new("RGB", (_fine(width), _fine(height)), CARD)
        self.pen = ImageDraw.Draw(self.image)

    def finish(self) -> Image.Image:
        """The picture at two device pixels per CSS pixel, corners rounded (transparent outside)."""
        result = self.image.reduce(FINE // DEVICE).convert("RGBA")
        mask = Image.new("L", self.image.size, 0)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, mask.width - 1, mask.height - 1), _fine(12), fill=255)
        result.putalpha(mask.reduce(FINE // DEVICE))
        return result

    def text(
        self, at: Point, text: str, size: float, colour: Colour = INK, anchor: str = "lm", halo: float = 0
    ) -> None:
        """One line of text; `anchor` as in Pillow, `halo` the width of a light rim."""
        shown, font = fit_font(text, size)
        self.pen.text(
            (_fine(at[0]), _fine(at[1])),
            shown,
            fill=colour,
            font=font,
            anchor=anchor,
            stroke_width=_fine(halo),
            stroke_fill=CARD,
        )

    def upward(self, at: Point, text: str, size: float, colour: Colour = INK) -> None:
        """One line of text that runs upwards, its centre at `at`: the label of a vertical axis."""
        shown, font = fit_font(text, size)
        left, top, right, bottom = (round(c) for c in font.getbbox(shown))
        stencil = Image.new("L", (right - left, bottom - top), 0)
        ImageDraw.Draw(stencil).text((-left, -top), shown, fill=255, font=font)
        stencil = stencil.transpose(Image.Transpose.ROTATE_90)
        corner = (_fine(at[0]) - stencil.width // 2, _fine(at[1]) - stencil.height // 2)
        self.image.paste(colour, corner, stencil)

    def box(self, box: Box, fill: Colour | None = None, outline: Colour | None = None, radius: float = 0) -> None:
        """A filled or outlined box."""
        coordinates = tuple(_fine(c) for c in box)
        self.pen.rounded_rectangle(coordinates, _fine(radius), fill=fill, outline=outline, width=_fine(1))

    def frame(self, box: Box, colour: Colour = INK, width: float = 2.5) -> None:
        """A dashed frame with a light rim, which reads on any picture."""
        left, top, right, bottom = box
        corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        self.path(corners, CARD, width + 2.5)
        self.path(corners, colour, width, dashed=True)

    def path(self, points: Sequence[Point], colour: Colour, width: float, dashed: bool = False) -> None:
        """A line through points, solid or dashed, with round joints."""
        pieces = _dashes(points, 7.0, 5.0) if dashed else iter([points])
        radius = _fine(width) / 2
        for piece in pieces:
            fine = [(p[0] * FINE, p[1] * FINE) for p in piece]
            self.pen.line(fine, fill=colour, width=max(1, _fine(width)), joint="curve")
            # Pillow leaves cracks in sharp bends of thick lines.
            for x, y in fine if width > 3 else (fine[0], fine[-1]):
                self.pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def dot(self, at: Point, radius: float, colour: Colour) -> None:
        """A dot with a light rim."""
        for r, fill in ((radius + 1.5, CARD), (radius, colour)):
            self.pen.ellipse(tuple(_fine(c) for c in (at[0] - r, at[1] - r, at[0] + r, at[1] + r)), fill=fill)

    def picture(self, box: Box, image: Image.Image) -> None:
        """A picture stretched to a box."""
        left, top, right, bottom = (_fine(c) for c in box)
        self.image.paste(image.resize((right - left, bottom - top), Image.Resampling.BICUBIC), (left, top))

    def tint(self, box: Box, colours: NDArray[np.uint8], opacity: NDArray[np.float64]) -> None:
        """Lay coloured cells (rows, columns, 3) of given opacity (rows, columns) in 0..1 over a box."""
        left, top, right, bottom = (_fine(c) for c in box)
        size = (right - left, bottom - top)
        layer = Image.fromarray(colours).resize(size, Image.Resampling.NEAREST)
        alpha = Image.fromarray(np.round(255 * opacity).astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
        self.image.paste(layer, (left, top), alpha)


def curve(start: Point, end: Point, steps: int = 48) -> list[Point]:
    """A smooth curve that leaves `start` downwards and reaches `end` from above."""
    lift = 0.45 * max(abs(end[1] - start[1]), 30.0)
    (x0, y0), (x3, y3) = start, end
    y1, y2 = y0 + lift, y3 - lift
    points = []
    for t in np.linspace(0, 1, steps):
        s = 1 - t
        x = s**3 * x0 + 3 * s * s * t * x0 + 3 * s * t * t * x3 + t**3 * x3
        y = s**3 * y0 + 3 * s * s * t * y1 + 3 * s * t * t * y2 + t**3 * y3
        points.append((float(x), float(y)))
    return points


def fit_font(text: str, size: float) -> tuple[str, Font]:
    """A font that has the characters of a text, and the text as it can be shown with it.

    Pillow's own font comes first, then what the system has. Characters that nothing has lose their accents, or else are
    named by their code point; they are never left blank.
    """
    text = "".join(c if c.isprintable() else " " for c in text)
    for family in ("", *OTHER_FONTS):
        if all(_covers(family, c) for c in set(text)):
            font = _font(family, size * FINE)
            assert font is not None  # it covers something
            return text, font
    return "".join(_plain(c) for c in text), ImageFont.load_default(size * FINE)


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


def _fine(length: float) -> int:
    return round(length * FINE)


def _dashes(points: Sequence[Point], dash: float, space: float) -> Iterator[list[Point]]:
    """Cut a line into dashes of equal length."""
    piece, on, left = [points[0]], True, dash
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        length, at = math.hypot(x1 - x0, y1 - y0), 0.0
        while length - at > left:
            at += left
            here = (x0 + (x1 - x0) * at / length, y0 + (y1 - y0) * at / length)
            if on:
                yield [*piece, here]
            piece, on = [here], not on
            left = dash if on else space
        left -= length - at
        piece.append((x1, y1))
    if on and len(piece) > 1:
        yield piece


@cache
def _font(family: str, size: float) -> Font | None:
    """A font of the system, or Pillow's own for the empty name."""
    if not family:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(family, size)
    except OSError:
        return None


@cache
def _covers(family: str, character: str) -> bool:
    """Whether a font draws this character otherwise than one that no font has."""
    font = _font(family, 24)
    if font is None:
        return False
    return character.isspace() or bytes(font.getmask(character)) != bytes(font.getmask("\U0010fffe"))


def _plain(character: str) -> str:
    if _covers("", character):
        return character
    base = unicodedata.normalize("NFKD", character)[0]
    return base if _covers("", base) else f"[U+{ord(character):04X}]"
