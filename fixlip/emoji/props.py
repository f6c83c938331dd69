"""What else a scene can hold: objects in named colours, written words, and a badge.

All lengths are in units, 112 of which are the side of a scene, as in `fixlip.emoji.scenes`. Whatever the size of the
picture, letters and badge lie on whole units, so that the models' 112 pixels show them alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .scenes import UNITS, Sprite, vocabulary

# Colours of objects: the hues of the backgrounds' colours of the same names, but much more saturated.
TINTS = {
    "red": (222, 28, 34),
    "orange": (248, 132, 10),
    "yellow": (250, 214, 0),
    "green": (24, 156, 48),
    "blue": (28, 88, 230),
    "purple": (142, 48, 196),
}
BADGE = 12  # diameter of the badge: one patch of 16 pixels can hold it
LABEL = (52, 18)  # width and height of the sticker that a word is written on: less than a quarter of the scene is wide
_BADGE_COLOUR, _PAPER, _INK = (92, 94, 98), (250, 249, 242), (24, 24, 30)
_STEP = 4  # a label's corner lies on every fourth unit
_LETTER_WIDTH, _LETTER_HEIGHT = 5, 7
# Seven rows of five dots a letter, a byte a row, read as a binary number.
_LETTERS = {
    letter: bytes.fromhex(rows)
    for letter, rows in {
        "a": "0e11111f111111",
        "b": "1e11111e11111e",
        "c": "0e11101010110e",
        "d": "1e11111111111e",
        "e": "1f10101e10101f",
        "f": "1f10101e101010",
        "g": "0e11101711110e",
        "h": "1111111f111111",
        "i": "0e04040404040e",
        "j": "0702020202120c",
        "k": "11121418141211",
        "l": "1010101010101f",
        "m": "111b1515111111",
        "n": "11111915131111",
        "o": "0e11111111110e",
        "p": "1e11111e101010",
        "q": "0e11111115120d",
        "r": "1e11111e141211",
        "s": "0f10100e01011e",
        "t": "1f040404040404",
        "u": "1111111111110e",
        "v": "11111111110a04",
        "w": "11111115151b11",
        "x": "11110a040a1111",
        "y": "11110a04040404",
        "z": "1f01020408101f",
    }.items()
}

Box = tuple[int, int, int, int]  # left, top, right, bottom


def written_words() -> tuple[str, ...]:
    """The objects' words that fit on a label: those of three to seven letters."""
    return tuple(word for word in vocabulary() if 3 <= len(word) <= 7)


def recolour(sprite: Sprite, colour: str) -> Sprite:
    """An object in one of the six colours of TINTS; light and shade stay, so that it can be recognised."""
    if colour not in TINTS:
        raise ValueError(f"colour: got {colour!r}, wanted one of {', '.join(TINTS)}.")
    colours, alpha = sprite
    light = colours @ np.array([0.299, 0.587, 0.114], dtype=np.float32)[:, None]
    weight = np.maximum(alpha.sum(), 1)
    mean = (light * alpha).sum() / weight
    spread = max(float(np.sqrt((alpha * (light - mean) ** 2).sum() / weight)), 12.0)
    shade = np.clip((light - mean) / (2 * spread), -1, 1)
    tint = np.asarray(TINTS[colour], dtype=np.float32)
    tinted = tint + np.where(shade < 0, 0.75 * shade * tint, 0.55 * shade * (255 - tint))
    return np.asarray(tinted, dtype=np.float32), alpha


def draw_badge(canvas: NDArray[np.float32], x: float, y: float) -> Box:
    """Lay the grey dot on the canvas, its centre at x, y units; return its box in pixels."""
    reach = BADGE / 2
    x, y = (min(max(round(each), int(reach)), UNITS - int(reach)) for each in (x, y))
    box = _on_canvas(canvas, (x - reach, y - reach, x + reach, y + reach))
    left, top, right, bottom = box
    scale = len(canvas) / UNITS
    across = (np.arange(left, right) + 0.5) / scale - x
    down = (np.arange(top, bottom) + 0.5) / scale - y
    # The rim fades over one unit.
    alpha = np.clip(reach - np.hypot(across[None, :], down[:, None]), 0, 1).astype(np.float32)[:, :, None]
    under = canvas[top:bottom, left:right]
    under += alpha * (np.asarray(_BADGE_COLOUR, dtype=np.float32) - under)
    return box


def draw_label(canvas: NDArray[np.float32], word: str, x: float, y: float) -> Box:
    """Stick a label on the canvas, its left upper corner next to x, y units; return the writing's box in pixels.

    Args:
        canvas: float32 (size, size, 3), 0..255; changed in place.
        word: up to seven letters a to z; "" leaves the label blank, and gives the box of the whole label.
        x: left side, moved to the nearest fourth unit where the label fits into the picture.
        y: upper side, likewise.
    """
    if len(word) > 7 or not set(word) <= set(_LETTERS):
        raise ValueError(f"word: got {word!r}, wanted at most seven letters from a to z.")
    width, height = LABEL
    x = _STEP * round(min(max(x, 0), UNITS - width) / _STEP)
    y = _STEP * round(min(max(y, 0), UNITS - height - 2) / _STEP)
    left, top, right, bottom = label = _on_canvas(canvas, (x, y, x + width, y + height))
    canvas[top:bottom, left:right] = _PAPER
    if not word:
        return label
    dots = _dots(word)
    x, y = x + (width - dots.shape[1]) // 2, y + (height - dots.shape[0]) // 2
    left, top, right, bottom = box = _on_canvas(canvas, (x, y, x + dots.shape[1], y + dots.shape[0]))
    rows = np.linspace(0, len(dots), bottom - top, endpoint=False).astype(int)
    columns = np.linspace(0, dots.shape[1], right - left, endpoint=False).astype(int)
    canvas[top:bottom, left:right][dots[np.ix_(rows, columns)]] = _INK
    return box


def with_badge(image: Image.Image, x: float, y: float) -> Image.Image:
    """A copy of a square picture with the badge at x, y units (its centre)."""
    canvas = np.asarray(image.convert("RGB"), dtype=np.float32).copy()
    draw_badge(canvas, x, y)
    return to_picture(canvas)


def with_label(image: Image.Image, word: str, x: float, y: float) -> Image.Image:
    """A copy of a square picture with a written word, its label's left upper corner next to x, y units."""
    canvas = np.asarray(image.convert("RGB"), dtype=np.float32).copy()
    draw_label(canvas, word, x, y)
    return to_picture(canvas)


def to_picture(canvas: NDArray[np.float32]) -> Image.Image:
    """The canvas as a picture."""
    return Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))


def _dots(word: str) -> NDArray[np.bool_]:
    """Where ink is, in units: dots are two units high, and two wide where the word is short enough."""
    letters = [
        np.unpackbits(np.frombuffer(_LETTERS[letter], np.uint8)[:, None], axis=1)[:, -_LETTER_WIDTH:].astype(bool)
        for letter in word
    ]
    gap = np.zeros((_LETTER_HEIGHT, 1), bool)
    row = np.concatenate([part for letter in letters for part in (gap, letter)][1:], axis=1)
    return row.repeat(2, axis=0).repeat(2 if len(word) <= 4 else 1, axis=1)


def _on_canvas(canvas: NDArray[np.float32], box: tuple[float, float, float, float]) -> Box:
    """A box in units as pixels."""
    left, top, right, bottom = (round(each * len(canvas) / UNITS) for each in box)
    return left, top, right, bottom
