"""Emoji scenes: pictures whose truth is known, with captions.

A scene is a square picture with one to four objects on a coloured background. It knows which object is where, so that
an explanation can be checked against the truth. All lengths below are in units of the model's 112 pixels; a picture can
be rendered at any size.
"""

from __future__ import annotations

import difflib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

UNITS = 112  # side of a scene in units, and of the picture the embedded models read in pixels
SMALLEST, LARGEST = 30.0, 54.0  # longer side of an object
MOST_OBJECTS = 4

COLOURS = {
    "white": (242, 242, 238),
    "grey": (158, 160, 164),
    "red": (206, 92, 86),
    "orange": (232, 164, 92),
    "yellow": (238, 216, 120),
    "green": (128, 182, 118),
    "blue": (112, 158, 210),
    "purple": (168, 134, 196),
}
LAYOUTS = ("free", "grid")
STYLES = ("list", "sentence", "photo")
GRAMMAR = ("a", "an", "and", "background", "of", "on", "photo")  # what captions hold beside objects and colours

SHIPPED = Path(__file__).parent  # the folder of the pictures that come with the package


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture, its caption and its truth.

    Attributes:
        image: RGB picture, square.
        caption: what it shows.
        objects: the words of its objects; in a grid in reading order.
        boxes: (left, top, right, bottom) of each object in pixels of `image`, tight around what is visible.
        background: name of the background colour.
    """

    image: Image.Image
    caption: str
    objects: tuple[str, ...]
    boxes: tuple[tuple[int, int, int, int], ...]
    background: str

    def _repr_jpeg_(self) -> bytes:
        """What a notebook shows; noise makes PNGs ten times as large."""
        buffer = io.BytesIO()
        self.image.save(buffer, format="JPEG", quality=90)
        return buffer.getvalue()

    def __repr__(self) -> str:
        return f"Scene({self.caption!r}, {self.background} background)"


def scene(
    seed: int | np.random.Generator,
    objects: int = 2,
    layout: str = "free",
    words: Sequence[str] | None = None,
    size: int = 336,
    sprites: Path | None = None,
) -> Scene:
    """A scene, the same for the same seed.

    Args:
        seed: any whole number, or a Generator to draw from.
        objects: how many objects, 1 to 4; ignored where `words` are given.
        layout: "free" (anywhere, hardly overlapping) or "grid" (each in its own quarter, in reading order).
        words: which objects; by default drawn without repetition.
        size: side of the picture in pixels. The embedded models read 112; more is for the eye.
        sprites: folder with another style of pictures, as `make_sprites` writes it; by default the shipped one.

    Raises:
        ValueError: if an argument does not fit, or a word is no object.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout: got {layout!r}, wanted one of {', '.join(LAYOUTS)}.")
    rng = seed if isinstance(seed, np.random.Generator) else np.random.default_rng(seed)
    chosen = choose(objects, words, rng)
    background = str(rng.choice(list(COLOURS)))
    canvas = draw_background(COLOURS[background], size, rng)
    places = grid_places(len(chosen), rng) if layout == "grid" else free_places(len(chosen), rng)
    folder = sprites or SHIPPED
    boxes = tuple(
        paste(canvas, sprite_of(word, pixels_of(place, size), folder), place, rng)
        for word, place in zip(chosen, places, strict=True)
    )
    image = Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
    style = "list" if layout == "grid" and len(chosen) > 2 else "sentence"
    return Scene(image, caption(chosen, style), chosen, boxes, background)


def caption(words: Sequence[str], style: str = "sentence", colour: str | None = None) -> str:
    """A caption for objects.

    Args:
        words: the objects, in the order of the caption.
        style: "list" ("cat banana"), "sentence" ("a cat and a banana") or "photo" ("a photo of a cat and a banana").
        colour: of the background, if it is to be mentioned.
    """
    if style not in STYLES:
        raise ValueError(f"style: got {style!r}, wanted one of {', '.join(STYLES)}.")
    if style == "list":
        text = " ".join(words)
    else:
        named = [("an " if word[0] in "aeiou" else "a ") + word for word in words]
        text = " ".join(named[:-1]) + (" and " if named[1:] else "") + named[-1]
        text = f"a photo of {text}" if style == "photo" else text
    return text if colour is None else f"{text} on a {colour} background"


@cache
def vocabulary() -> tuple[str, ...]:
    """The words of all objects."""
    return tuple(json.loads((SHIPPED / "sprites.json").read_text(encoding="utf-8"))["objects"])


def choose(objects: int, words: Sequence[str] | None, rng: np.random.Generator) -> tuple[str, ...]:
    """The words of a scene's objects, given or by chance."""
    if words is None:
        if isinstance(objects, bool) or not isinstance(objects, int | np.integer) or not 1 <= objects <= MOST_OBJECTS:
            raise ValueError(f"objects: got {objects!r}, wanted a whole number from 1 to {MOST_OBJECTS}.")
        return tuple(str(word) for word in rng.choice(vocabulary(), size=objects, replace=False))
    if isinstance(words, str) or not 1 <= len(words) <= MOST_OBJECTS:
        raise ValueError(f"words: got {words!r}, wanted a list of 1 to {MOST_OBJECTS} words.")
    for word in words:
        if word not in vocabulary():
            close = difflib.get_close_matches(str(word), vocabulary(), n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(vocabulary())}."
            raise ValueError(f"words: {word!r} is not one of the {len(vocabulary())} objects{hint}")
    return tuple(words)


def draw_background(colour: tuple[int, int, int], size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A colour with a gentle gradient and noise, float32 (size, size, 3)."""
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 24)
    axis = np.linspace(-1, 1, UNITS, dtype=np.float32)
    shade = strength * (np.cos(angle) * axis[None, :] + np.sin(angle) * axis[:, None])
    shade = shade + rng.standard_normal((UNITS, UNITS), dtype=np.float32) * np.float32(rng.uniform(0, 6))
    if size != UNITS:
        # Noise belongs to the units, not to the pixels: else it would vanish when a large picture is made small.
        shade = np.asarray(Image.fromarray(shade.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC))
    tint = np.asarray(colour, dtype=np.float32) + rng.uniform(-14, 14, 3).astype(np.float32)
    return np.asarray(tint + shade[:, :, None], dtype=np.float32)


Place = tuple[float, float, float]  # centre x, centre y, longer side


def grid_places(count: int, rng: np.random.Generator) -> list[Place]:
    """One in each quarter, in reading order, wholly inside its own."""
    places = []
    for k in range(count):
        side = rng.uniform(SMALLEST, LARGEST)
        room = UNITS / 2 - side
        left, top = (k % 2) * UNITS / 2, (k // 2) * UNITS / 2
        x, y = left + side / 2 + rng.uniform(0, room), top + side / 2 + rng.uniform(0, room)
        places.append((x, y, side))
    return places


def free_places(count: int, rng: np.random.Generator) -> list[Place]:
    """Anywhere, with boxes that hardly overlap; if chance fails, with smaller objects."""
    largest = LARGEST
    while True:
        places: list[Place] = []
        for _ in range(60):
            side = rng.uniform(SMALLEST, largest)
            x, y = rng.uniform(side / 2, UNITS - side / 2, 2)
            apart = (max(abs(x - a), abs(y - b)) > 0.42 * (side + other) for a, b, other in places)
            if all(apart):
                places.append((float(x), float(y), side))
            if len(places) == count:
                return places
        largest = max(SMALLEST, largest - 6)


Sprite = tuple[NDArray[np.float32], NDArray[np.float32]]  # colours (height, width, 3), opacity (height, width, 1)


def pixels_of(place: Place, size: int) -> int:
    """Longer side of an object in pixels."""
    return max(1, round(place[2] * size / UNITS))


def paste(
    canvas: NDArray[np.float32], sprite: Sprite, place: Place, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """Lay an object on the canvas, mirrored at times; return its box in pixels."""
    scale = len(canvas) / UNITS
    colours, alpha = sprite
    if rng.random() < 0.5:
        colours, alpha = colours[:, ::-1], alpha[:, ::-1]
    height, width = alpha.shape[:2]
    left = min(max(round(place[0] * scale - width / 2), 0), len(canvas) - width)
    top = min(max(round(place[1] * scale - height / 2), 0), len(canvas) - height)
    under = canvas[top : top + height, left : left + width]
    under += alpha * (colours - under)
    return left, top, left + width, top + height


@cache
def sheet(folder: Path) -> dict[str, Image.Image]:
    """The objects' pictures, cut to what is visible."""
    facts = json.loads((folder / "sprites.json").read_text(encoding="utf-8"))
    cell = facts["cell_size"]
    with Image.open(folder / "sprites.png") as opened:
        opened.load()
        pictures = {}
        for word, fact in facts["objects"].items():
            column, row = fact["cell"]
            picture = opened.crop((column * cell, row * cell, (column + 1) * cell, (row + 1) * cell))
            pictures[word] = picture.crop(picture.getchannel("A").point(lambda a: 255 * (a > 16)).getbbox())
    return pictures


def sprite_of(word: str, longer: int, folder: Path) -> Sprite:
    """An object, so many pixels long: colours in 0..255 and opacity in 0..1."""
    # Small ones, as the models read them, are made over and over in training; large ones would fill the memory.
    return _small_sprite(word, longer, folder) if longer <= LARGEST else _resized(word, longer, folder)


@cache
def _small_sprite(word: str, longer: int, folder: Path) -> Sprite:
    return _resized(word, longer, folder)


def _resized(word: str, longer: int, folder: Path) -> Sprite:
    picture = sheet(folder)[word]
    scale = longer / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    # Resizing with premultiplied alpha, else the transparent pixels' colour bleeds into the rim.
    small = picture.convert("RGBa").resize((width, height), Image.Resampling.LANCZOS).convert("RGBA")
    array = np.asarray(small, dtype=np.float32)
    return array[:, :, :3].copy(), array[:, :, 3:] / np.float32(255)
