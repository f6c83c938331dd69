"""Fonts: one that has the characters of a text, and where a line of it stands."""

from __future__ import annotations

import unicodedata
from functools import cache

from PIL import ImageFont

FINE = 4  # canvas pixels per CSS pixel

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

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


def fit_font(text: str, size: float, fine: float = FINE) -> tuple[str, Font]:
    """A font of `fine` pixels per CSS pixel that has the characters of a text, and the text as it can be shown with it.

    Pillow's own font comes first, then what the system has. Characters that nothing has lose their accents, or else are
    named by their code point; they are never left blank.
    """
    text = "".join(c if c.isprintable() else " " for c in text)
    for family in ("", *OTHER_FONTS):
        if all(_covers(family, c) for c in set(text)):
            font = _font(family, size * fine)
            assert font is not None  # it covers something
            return text, font
    return "".join(_plain(c) for c in text), ImageFont.load_default(size * fine)


def placed(at: tuple[float, float], text: str, size: float, anchor: str) -> tuple[float, float, float, str, Font]:
    """Where a line of text begins on its baseline, and how wide it is, in CSS pixels; as it can be shown; and its font.

    Args:
        at: what the text is anchored to.
        text: the line.
        size: of its font.
        anchor: as in Pillow: left, middle or right; ascender, middle or baseline.
    """
    shown, font = fit_font(text, size)
    width = float(font.getlength(shown)) / FINE
    up, down = font.getmetrics() if isinstance(font, ImageFont.FreeTypeFont) else (0.8 * size * FINE, 0.2 * size * FINE)
    left = at[0] - {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]] * width
    return left, at[1] + {"a": up, "m": (up - down) / 2, "s": 0.0}[anchor[1]] / FINE, width, shown, font


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
