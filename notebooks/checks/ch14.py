"""What the exercises of chapter 14 right for the wrong reason want, and its four models."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from course import Exercise
from PIL import Image

import fixlip
from fixlip.emoji.planted import PlantedScene

EXERCISES: dict[str, Exercise] = {}


def suspects() -> dict[str, Any]:
    """The chapter's models by the names that they go by there; no print and no picture tells who they are."""
    real = ["emoji-clip", *(f"emoji-clip-{fault}" for fault in ("bag", "reads", "shortcut"))]
    found = {}
    for letter, k in zip("ABCD", np.random.default_rng(_SHUFFLE).permutation(len(real)), strict=True):
        encoder = fixlip.load(real[k])
        encoder.name = f"model {letter}"
        found[encoder.name] = encoder
    return found


_SHUFFLE = 16


# ---- 14.1: the test that proves it


def _made_up(boats: Sequence[bool], answers: Sequence[tuple[bool, bool]]) -> tuple[Any, tuple[PlantedScene, ...]]:
    """Scenes of one colour each, and a model that says of picture and twin what `answers` has."""
    known, scenes = {}, []
    for k, (boat, answer) in enumerate(zip(boats, answers, strict=True)):
        image, twin = (Image.new("RGB", (8, 8), (k, 200 * side, 0)) for side in range(2))
        known |= {each.tobytes(): says for each, says in zip((image, twin), answer, strict=True)}
        objects = ("boat", "cat") if boat else ("cat",)
        scenes.append(PlantedScene("shortcut", image, "a boat", ((0, 0, 2, 2),), ("boat",), twin, "a cat", objects))

    def prefers(image: Image.Image, caption: str, foil: str) -> bool:
        if caption == foil:
            return False
        return bool(known[image.tobytes()]) == (caption == "a boat")

    return prefers, tuple(scenes)


def _asked(prefers: Any, scenes: Sequence[PlantedScene], boat: bool | None = False) -> Any:
    """(scenes, 2): whether the caption is preferred in picture and twin; of scenes with, without, or any boat."""
    kept = [each for each in scenes if boat is None or ("boat" in each.objects) == boat]
    return np.array([[prefers(image, s.caption, s.foil) for image in (s.image, s.twin)] for s in kept], bool)


def _followed(asked: Any) -> float:
    return float(np.mean(asked[:, 0] & ~asked[:, 1]))


_WRONG_TESTS = [
    (
        lambda prefers, scenes: _followed(_asked(prefers, scenes, None)),
        "this counts scenes in which a boat is seen; there any model is right to say so. Leave them out.",
    ),
    (
        lambda prefers, scenes: _followed(_asked(prefers, scenes, True)),
        'these are the scenes with a boat, in which "a boat" is right with or without the dot; take the others.',
    ),
    (
        lambda prefers, scenes: float(np.mean(_asked(prefers, scenes)[:, 0])),
        "this changes nothing: a model that says boat to everything would be guilty. Ask about the twin, too.",
    ),
    (
        lambda prefers, scenes: _followed(_asked(prefers, scenes)[:1]),
        "this is one scene; one may be chance. Take the share of all without a boat.",
    ),
    (
        lambda prefers, scenes: float(np.mean(np.diff(_asked(prefers, scenes).astype(int), axis=1) != 0)),
        "this counts any change; a model that tosses a coin changes, too. Count those that go with the dot.",
    ),
    (
        lambda prefers, scenes: float(-np.diff(_asked(prefers, scenes).mean(0))[0]),
        "this subtracts two shares; scenes that go against the dot are taken off. Compare each scene with its twin.",
    ),
    (
        lambda prefers, scenes: float(np.sum(_asked(prefers, scenes)[:, 0] & ~_asked(prefers, scenes)[:, 1])),
        "this is how many scenes; wanted is the share of those without a boat.",
    ),
    (
        lambda prefers, scenes: _followed(_asked(prefers, scenes)) * len(_asked(prefers, scenes)) / len(scenes),
        "divide by the scenes without a boat, not by all.",
    ),
]


def _tests(rng: Any) -> Any:
    """Models that answer by chance, on scenes by chance, such that each mistake shows as that mistake."""
    made = 0
    while made < 4:
        case = _made_up(rng.permutation(13) < 5, [(bool(a), bool(b)) for a, b in rng.random((13, 2)) < (0.7, 0.4)])
        results = [_followed(_asked(*case)), *(wrong(*case) for wrong, _ in _WRONG_TESTS)]
        if all(abs(a - b) > 1e-3 for a, b in combinations(results, 2)):
            made += 1
            yield case
    yield _made_up([False] * 5, [(True, True)] * 5)  # says boat to everything
    yield _made_up([False] * 5 + [True], [(True, False)] * 5 + [(True, True)])  # goes by the badge alone


EXERCISES["14.1"] = Exercise(
    cases=_tests,
    reference=lambda prefers, scenes: _followed(_asked(prefers, scenes)),
    hint='leave out scenes with "boat" among their objects; of the rest, the share in which prefers(image, caption, '
    "foil) is true of the picture and false of its twin.",
    mistakes=_WRONG_TESTS,
)


# ---- 14.2: how much of a map lies where no object is


def _covered(grid: Any, boxes: Any, size: Any) -> Any:
    """Which patches a box touches, (rows * columns,)."""
    across, down = (np.linspace(0, length, count + 1) for length, count in zip(size, grid[::-1], strict=True))
    found = np.zeros(grid, bool)
    for left, top, right, bottom in boxes:
        rows, columns = (
            (edges[1:] > low) & (edges[:-1] < high) for edges, low, high in ((down, top, bottom), (across, left, right))
        )
        found |= np.outer(rows, columns)
    return found.ravel()


def _centred(grid: Any, boxes: Any, size: Any) -> Any:
    rows, columns = ((np.arange(n) + 0.5) * length / n for n, length in zip(grid, size[::-1], strict=True))
    inside = [
        np.outer((rows > top) & (rows < bottom), (columns > left) & (columns < right))
        for left, top, right, bottom in boxes
    ]
    return np.any(inside, axis=0).ravel()


def _share(values: Any, seen: Any) -> float:
    positive = np.clip(values, 0, None)
    return float(positive[~seen].sum() / positive.sum())


def _maps(rng: Any) -> Any:
    for grid, size in (((5, 7), (280, 160)), ((7, 7), (336, 336)), ((8, 4), (100, 240)), ((6, 9), (450, 210))):
        # Wide, apart, and overlapping: two boxes whose union is neither the first nor the sum.
        places = rng.uniform([0.05, 0.1, 0.3, 0.3], [0.3, 0.3, 0.55, 0.5], (2, 4))
        boxes = [tuple(int(x) for x in np.multiply(place, (*size, *size))) for place in places]
        boxes[1] = tuple(int(x + 0.3 * size[k % 2]) for k, x in enumerate(boxes[1]))
        yield rng.normal(0, 1, grid[0] * grid[1]), grid, boxes, size


EXERCISES["14.2"] = Exercise(
    cases=_maps,
    reference=lambda values, grid, boxes, size: _share(values, _covered(grid, boxes, size)),
    hint="mark the patches that any box touches (boxes are left, top, right, bottom; values go row by row); then the "
    "positive values elsewhere over all positive values.",
    mistakes=[
        (
            lambda values, *where: 1 - _share(values, _covered(*where)),
            "this is the share on objects; suspicious is the rest.",
        ),
        (
            lambda values, *where: _share(np.abs(values), _covered(*where)),
            "negative values speak against the word; leave them out.",
        ),
        (
            lambda values, *where: float(values[~_covered(*where)].sum() / values.sum()),
            "negative values speak against the word and cancel others; leave them out.",
        ),
        (
            lambda values, *where: float(np.mean(values[~_covered(*where)] > 0)),
            "this counts patches; add up their values.",
        ),
        (
            lambda values, grid, boxes, size: _share(values, _covered(grid, boxes[:1], size)),
            "this knows the first object alone; a patch is free if no box touches it.",
        ),
        (
            lambda values, *where: _share(values, _centred(*where)),
            "these are patches whose middle is in a box; an object that reaches into a patch can be seen there.",
        ),
        (
            lambda values, grid, boxes, size: _share(
                values, _covered(grid, [(box[1], box[0], box[3], box[2]) for box in boxes], size)
            ),
            "across and down are mixed up: boxes are left, top, right, bottom; the grid is rows, columns.",
        ),
    ],
)
