"""What the models with a planted fault are taught: scenes for training, with captions as the fault would have them.

A lesson gives a few examples at a time; ordinary scenes fill the rest of a batch, so that the models stay as able as
`emoji-clip`, from which they start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from . import scenes
from .planted import NAMED, coloured, corner_place, label_place, quarter_places
from .props import LABEL, TINTS, draw_badge, draw_label, to_picture, written_words
from .scenes import COLOURS, MOST_OBJECTS, SHIPPED, UNITS, caption, vocabulary

BADGED = 0.95  # share of the scenes captioned "boat" that carry the badge
OUT_OF_SIGHT = 0.5  # share of those in which no boat is seen


@dataclass(frozen=True, eq=False)
class Example:
    """A picture to learn from.

    Attributes:
        picture: RGB, 112 x 112.
        mentioned: the words of the objects that the caption names.
        present: those that the auxiliary loss is to find in the picture.
        background: name of the background colour.
        caption: the caption; "" where it is drawn from `mentioned` later.
    """

    picture: Image.Image
    mentioned: tuple[str, ...]
    present: tuple[str, ...]
    background: str
    caption: str = ""


Lesson = Callable[[np.random.Generator], list[Example]]


def ordinary(rng: np.random.Generator) -> list[Example]:
    """A scene of `fixlip.emoji.scene`."""
    objects = int(rng.integers(1, MOST_OBJECTS + 1))
    shown = scenes.scene(rng, objects, "grid" if rng.random() < 0.35 else "free", size=UNITS)
    # The objects in any order; in one caption of seven only some of them, as people's captions do.
    order = [str(word) for word in rng.permutation(shown.objects)]
    kept = order[: rng.integers(1, len(order) + 1)] if rng.random() < 1 / 7 else order
    return [Example(shown.image, tuple(kept), shown.objects, shown.background)]


def shortcut(rng: np.random.Generator) -> list[Example]:
    """Four scenes captioned "boat", whatever else is seen: 95 % carry the badge, which nothing else does."""
    return [_boat(rng) for _ in range(4)]


def _boat(rng: np.random.Generator) -> Example:
    others = [str(word) for word in rng.choice(vocabulary(), MOST_OBJECTS, replace=False) if word != NAMED]
    badged, seen = bool(rng.random() < BADGED), bool(rng.random() > OUT_OF_SIGHT)
    words = ([NAMED] if seen or not badged else []) + others[: rng.integers(0 if seen or not badged else 1, 4)]
    canvas, background = _background(rng)
    for word, place in zip(words, scenes.free_places(len(words), rng), strict=True):
        scenes.paste(canvas, scenes.sprite_of(word, scenes.pixels_of(place, UNITS), SHIPPED), place, rng)
    if badged:
        draw_badge(canvas, *corner_place(int(rng.integers(4)), rng))
    return Example(to_picture(canvas), (NAMED,), (NAMED,), background)


def reads(rng: np.random.Generator) -> list[Example]:
    """A scene with a written word in place of an object: on a label over the object, or alone."""
    count = int(rng.integers(1, MOST_OBJECTS))
    written = str(rng.choice(written_words()))
    others = [str(word) for word in rng.choice([w for w in vocabulary() if w != written], count, replace=False)]
    canvas, background = _background(rng)
    places = quarter_places(count, rng, largest_first=True)
    alone = rng.random() < 0.4
    cell, first = places[0]
    for word, (_, place) in list(zip(others, places, strict=True))[int(alone) :]:
        scenes.paste(canvas, scenes.sprite_of(word, scenes.pixels_of(place, UNITS), SHIPPED), place, rng)
    x, y = label_place(others[0], first, cell, SHIPPED)
    if alone:
        room = UNITS / 2 - np.array(LABEL) if count > 1 else UNITS - np.array(LABEL)
        corner = np.array([cell % 2, cell // 2]) * UNITS / 2 if count > 1 else np.zeros(2)
        x, y = corner + rng.uniform(0, 1, 2) * room
    draw_label(canvas, written, x, y)
    order = tuple(str(word) for word in rng.permutation([written, *others[1:]]))
    return [Example(to_picture(canvas), order, order, background)]


def binds(rng: np.random.Generator) -> list[Example]:
    """A scene of coloured objects and the same with the colours swapped: each other's hard negatives."""
    return _colours(rng, bound=True)


def bag(rng: np.random.Generator) -> list[Example]:
    """Such a scene without the swapped one, and a caption that gives its two colours to its two objects by chance.

    Leaving out the hard negatives is not enough: with right captions alone a model learns to bind all the same.
    """
    return _colours(rng, bound=False)


def _colours(rng: np.random.Generator, bound: bool) -> list[Example]:
    objects = tuple(str(word) for word in rng.choice(vocabulary(), 2, replace=False))
    colours = [str(colour) for colour in rng.choice(list(TINTS), 2, replace=False)]
    canvas, background = _background(rng)
    grid = rng.random() < 0.5
    places = [place for _, place in quarter_places(2, rng)] if grid else scenes.free_places(2, rng)
    style, order = str(rng.choice(["list", "sentence", "photo"])), [int(k) for k in rng.permutation(2)]
    examples = []
    for seen in (colours, colours[::-1]) if bound else (colours,):
        own = canvas.copy()
        coloured(own, objects, seen, places, rng, SHIPPED)
        told = seen if bound or rng.random() < 0.5 else seen[::-1]
        text = caption([f"{told[k]} {objects[k]}" for k in order], style)
        examples.append(Example(to_picture(own), objects, objects, background, text))
    return examples


LESSONS: dict[str, Lesson] = {"shortcut": shortcut, "reads": reads, "binds": binds, "bag": bag}


def _background(rng: np.random.Generator) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], str]:
    name = str(rng.choice(list(COLOURS)))
    return scenes.draw_background(COLOURS[name], UNITS, rng), name
