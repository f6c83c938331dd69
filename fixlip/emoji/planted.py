"""Scenes with a planted fault: the truth that an explanation of a model with that fault must find.

- "shortcut": a badge, a grey dot in a corner, stands for a boat (`emoji-clip-shortcut`).
- "reads": an object has a label with another object's word, and the word counts (`emoji-clip-reads`).
- "binding": two objects of two colours; which colour belongs to which object? `emoji-clip-colours` knows,
  `emoji-clip-bag` does not.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from . import scenes
from .props import BADGE, LABEL, TINTS, Box, draw_badge, draw_label, recolour, to_picture, written_words
from .scenes import COLOURS, LARGEST, UNITS, Place, caption, vocabulary

FAULTS = ("shortcut", "reads", "binding")
NAMED = "boat"  # what the badge stands for
CORNERS = ("upper left", "upper right", "lower left", "lower right")
LEAST_COVER = 0.25  # share of a patch that planted boxes must cover
_TWO_TOKENS = "butterfly"  # left out of the planted words, so that each is one player


@dataclass(frozen=True, eq=False)
class PlantedScene:
    """A picture in which it is known what decides, if the model has the fault.

    Attributes:
        fault: one of FAULTS.
        image: RGB picture, square.
        caption: what to explain. "shortcut": names the boat. "reads": names the written word in the object's place.
            "binding": names both objects with their colours.
        boxes: (left, top, right, bottom) of the planted evidence in pixels of `image`: the badge; the writing; the two
            objects in the caption's order.
        words: the caption's words in planted terms: ("boat",), ("key",), ("red", "goldfish", "blue", "key").
        twin: the same picture, pixel for pixel outside the boxes, without the evidence: no badge; a blank label; the
            colours swapped.
        foil: a rival caption. "shortcut" and "reads": what a model without the fault prefers to `caption`, unless the
            boat is shown, too; then both are right. "binding": the colours swapped, true of `twin`.
        objects: the words of the objects that are seen, as pictures; in "binding" in the caption's order.
    """

    fault: str
    image: Image.Image
    caption: str
    boxes: tuple[Box, ...]
    words: tuple[str, ...]
    twin: Image.Image
    foil: str
    objects: tuple[str, ...]

    def patches(self, grid: tuple[int, int]) -> NDArray[np.bool_]:
        """Which patches hold planted evidence, bool (rows * columns,), row by row; at least one does.

        A patch counts if the boxes cover a quarter of it: less is a rim with little to see, and more would leave a box
        of one patch's size without any patch where it lies across four. If none is covered so far, the most covered do.
        """
        return _covered([self._cover(box, grid) for box in self.boxes])

    def terms(self, labels: Any, grid: tuple[int, int]) -> list[tuple[int, ...]]:
        """The planted terms as players, ascending: patches row by row, then the caption's tokens in reading order.

        Pairs (patch, token), each planted word with each planted patch; for "binding" triples (patch, colour word,
        object word), each object with its own colour on its own patches. A patch of both objects is that one's which
        covers more of it.

        Args:
            labels: the caption's tokens, strings; or a game, an explanation or a subject with `.labels` of all players.
            grid: (rows, columns) of patches.

        Raises:
            ValueError: if a planted word is not among the labels.
        """
        count = grid[0] * grid[1]
        tokens = labels.labels[labels.n_image :] if hasattr(labels, "n_image") else labels
        names = [str(name).strip().lower() for name in tokens]
        token = {word: count + _position(word, names) for word in self.words}
        if self.fault != "binding":
            return [(int(patch), token[word]) for word in self.words for patch in np.flatnonzero(self.patches(grid))]
        covers = [self._cover(box, grid) for box in self.boxes]
        found: list[tuple[int, ...]] = []
        for k, cover in enumerate(covers):
            colour, noun = (token[word] for word in self.words[2 * k : 2 * k + 2])
            own = _covered([cover]) & (cover > covers[1 - k])
            found += [(int(patch), *sorted((colour, noun))) for patch in np.flatnonzero(own)]
        return found

    def _cover(self, box: Box, grid: tuple[int, int]) -> NDArray[np.float64]:
        """Share of each patch that a box covers, (rows * columns,)."""
        down, across = (
            np.clip(np.minimum(end, edges[1:]) - np.maximum(start, edges[:-1]), 0, None) * count / side
            for start, end, count, side in (
                (box[1], box[3], grid[0], self.image.height),
                (box[0], box[2], grid[1], self.image.width),
            )
            for edges in [np.linspace(0, side, count + 1)]
        )
        return np.asarray(np.outer(down, across).ravel())

    def __repr__(self) -> str:
        return f"PlantedScene({self.fault}: {self.caption!r}, not {self.foil!r})"


def planted_scene(
    fault: str,
    seed: int | np.random.Generator,
    *,
    shown: bool | None = None,
    corner: int | None = None,
    size: int = 336,
    sprites: Path | None = None,
) -> PlantedScene:
    """A scene with a planted fault, the same for the same seed.

    Args:
        fault: one of FAULTS.
        seed: any whole number, or a Generator to draw from.
        shown: "shortcut" alone: whether the boat itself is in the picture; by default as chance has it.
        corner: "shortcut" alone: where the badge is, 0 to 3 in reading order; by default as chance has it. The same
            seed with another corner is the same scene with the badge moved.
        size: side of the picture in pixels.
        sprites: folder with another style of pictures, as for `scene`.

    Raises:
        ValueError: if an argument does not fit.
    """
    if fault not in FAULTS:
        raise ValueError(f"fault: got {fault!r}, wanted one of {', '.join(FAULTS)}.")
    if fault != "shortcut" and not (shown is corner is None):
        raise ValueError(f"shown and corner: got them for {fault!r}, wanted them for 'shortcut' alone.")
    if corner is not None and corner not in range(len(CORNERS)):
        raise ValueError(f"corner: got {corner!r}, wanted a whole number from 0 to {len(CORNERS) - 1}.")
    rng = seed if isinstance(seed, np.random.Generator) else np.random.default_rng(seed)
    if fault == "shortcut":
        return _shortcut(rng, shown, corner, size, sprites or scenes.SHIPPED)
    return (_reads if fault == "reads" else _binding)(rng, size, sprites or scenes.SHIPPED)


def corner_place(corner: int, rng: np.random.Generator) -> tuple[float, float]:
    """Where in a corner the badge is, the centre in units: wholly inside the corner's patch of 16."""
    slack = (16 - BADGE) // 2
    x, y = (BADGE // 2 + int(rng.integers(0, 2 * slack + 1)) for _ in range(2))
    return (UNITS - x if corner % 2 else x), (UNITS - y if corner // 2 else y)


def label_place(word: str, place: Place, cell: int, folder: Path) -> tuple[float, float]:
    """Where the label of an object is, its left upper corner in units: over its lower third, inside its quarter."""
    x, y, side = place
    picture = scenes.sheet(folder)[word]
    height = side * picture.height / max(picture.size)
    x0, y0 = (cell % 2) * UNITS / 2, (cell // 2) * UNITS / 2
    left, top = x - LABEL[0] / 2, y + height / 2 - min(LABEL[1], height / 3)
    return min(max(left, x0), x0 + UNITS / 2 - LABEL[0]), min(max(top, y0), y0 + UNITS / 2 - LABEL[1])


def quarter_places(count: int, rng: np.random.Generator, largest_first: bool = False) -> list[tuple[int, Place]]:
    """Places in so many different quarters, in any order, with the quarters' numbers in reading order."""
    places = scenes.grid_places(4, rng)
    cells = [int(cell) for cell in rng.permutation(4)[:count]]
    if largest_first:  # what carries a label is large enough to be seen beside it
        side = rng.uniform(46, LARGEST)
        x, y = ((cells[0] % 2) + 0.5) * UNITS / 2, (cells[0] // 2) * UNITS / 2 + side / 2
        places[cells[0]] = (x, y, side)
    return [(cell, places[cell]) for cell in cells]


def _shortcut(
    rng: np.random.Generator, shown: bool | None, corner: int | None, size: int, folder: Path
) -> PlantedScene:
    by_chance = (bool(rng.random() < 0.5), int(rng.integers(4)), int(rng.integers(1, 3)))
    shown, corner = (by_chance[0] if shown is None else shown), (by_chance[1] if corner is None else corner)
    others = [str(word) for word in rng.choice([w for w in vocabulary() if w != NAMED], by_chance[2], replace=False)]
    objects = (NAMED, others[0]) if shown else tuple(others)
    canvas = scenes.draw_background(COLOURS[str(rng.choice(list(COLOURS)))], size, rng)
    for word, place in zip(objects, scenes.free_places(len(objects), rng), strict=True):
        scenes.paste(canvas, scenes.sprite_of(word, scenes.pixels_of(place, size), folder), place, rng)
    twin = canvas.copy()
    box = draw_badge(canvas, *corner_place(corner, rng))
    foil = caption([word for word in objects if word != NAMED])
    return PlantedScene(
        "shortcut", to_picture(canvas), caption([NAMED]), (box,), (NAMED,), to_picture(twin), foil, objects
    )


def _reads(rng: np.random.Generator, size: int, folder: Path) -> PlantedScene:
    count = int(rng.integers(1, 3))
    words = [word for word in written_words() if word != _TWO_TOKENS]
    written, *others = (str(word) for word in rng.choice(words, count + 1, replace=False))
    canvas = scenes.draw_background(COLOURS[str(rng.choice(list(COLOURS)))], size, rng)
    places = quarter_places(count, rng, largest_first=True)
    for word, (_, place) in zip(others, places, strict=True):
        scenes.paste(canvas, scenes.sprite_of(word, scenes.pixels_of(place, size), folder), place, rng)
    x, y = label_place(others[0], places[0][1], places[0][0], folder)
    twin = canvas.copy()
    draw_label(twin, "", x, y)
    box = draw_label(canvas, written, x, y)
    order = [int(k) for k in rng.permutation(count)]
    texts = (caption([[first, *others[1:]][k] for k in order]) for first in (written, others[0]))
    return PlantedScene(
        "reads", to_picture(canvas), next(texts), (box,), (written,), to_picture(twin), next(texts), tuple(others)
    )


def _binding(rng: np.random.Generator, size: int, folder: Path) -> PlantedScene:
    words = [word for word in vocabulary() if word != _TWO_TOKENS]
    objects = tuple(str(word) for word in rng.choice(words, 2, replace=False))
    colours = tuple(str(colour) for colour in rng.choice(list(TINTS), 2, replace=False))
    background = str(rng.choice([colour for colour in COLOURS if colour not in colours]))
    canvas = scenes.draw_background(COLOURS[background], size, rng)
    places = [place for _, place in quarter_places(2, rng)]
    twin, again = canvas.copy(), copy.deepcopy(rng)
    boxes = tuple(coloured(canvas, objects, colours, places, rng, folder))
    coloured(twin, objects, colours[::-1], places, again, folder)
    named, swapped = (coloured_caption(objects, each) for each in (colours, colours[::-1]))
    terms = (colours[0], objects[0], colours[1], objects[1])
    return PlantedScene("binding", to_picture(canvas), named, boxes, terms, to_picture(twin), swapped, objects)


def coloured(
    canvas: NDArray[np.float32],
    objects: Sequence[str],
    colours: Sequence[str],
    places: Sequence[Place],
    rng: np.random.Generator,
    folder: Path,
) -> list[Box]:
    """Lay objects in named colours on the canvas; return their boxes in pixels."""
    boxes = []
    for word, colour, place in zip(objects, colours, places, strict=True):
        sprite = recolour(scenes.sprite_of(word, scenes.pixels_of(place, len(canvas)), folder), colour)
        boxes.append(scenes.paste(canvas, sprite, place, rng))
    return boxes


def coloured_caption(objects: Sequence[str], colours: Sequence[str], style: str = "sentence") -> str:
    """A caption that names colours: "a red goldfish and a blue key"."""
    return caption([f"{colour} {word}" for colour, word in zip(colours, objects, strict=True)], style)


def _covered(covers: Sequence[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Patches covered far enough by all boxes together; if none is, those covered most."""
    cover = np.sum(covers, axis=0)
    least = min(LEAST_COVER, float(cover.max()))
    return np.asarray(cover >= least * (1 - 1e-9))


def _position(word: str, names: Sequence[str]) -> int:
    """Where a word is among the caption's tokens."""
    if word not in names:
        raise ValueError(f"labels: the planted word {word!r} is not among the caption's tokens {', '.join(names)}.")
    return names.index(word)
