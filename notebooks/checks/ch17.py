"""What the exercises of chapter 17 your own model, your own picture want."""

from __future__ import annotations

from typing import Any

from course import Exercise

EXERCISES: dict[str, Exercise] = {}


def _boxes(rng: Any) -> Any:
    yield (0, 0, 600, 400), 600, 400
    yield (75, 70, 480, 385), 600, 400
    yield (0, 10, 80, 90), 600, 400  # nothing of it is seen
    yield (20, 30, 220, 330), 300, 500
    yield (10, 20, 40, 60), 100, 100
    for _ in range(6):
        width, height = (int(size) for size in rng.integers(200, 800, 2))
        left, top = int(rng.integers(0, width // 2)), int(rng.integers(0, height // 2))
        yield (left, top, int(rng.integers(left + 20, width)), int(rng.integers(top + 20, height))), width, height


def _overlap(box: Any, window: Any) -> float:
    """The area that two boxes share; each is (left, top, right, bottom)."""
    across = min(box[2], window[2]) - max(box[0], window[0])
    down = min(box[3], window[3]) - max(box[1], window[1])
    return max(0.0, across) * max(0.0, down)


def _area(box: Any) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _square(width: int, height: int) -> Any:
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def _seen(box: Any, width: int, height: int) -> float:
    return _overlap(box, _square(width, height)) / _area(box)


def _at_the_corner(box: Any, width: int, height: int) -> float:
    side = min(width, height)
    return _overlap(box, (0, 0, side, side)) / _area(box)


def _landscape_only(box: Any, width: int, height: int) -> float:
    left = (width - height) / 2
    return _overlap(box, (left, 0, left + height, height)) / _area(box)


def _unclipped(box: Any, width: int, height: int) -> float:
    window = _square(width, height)
    sides = ((min(box[k + 2], window[k + 2]) - max(box[k], window[k])) for k in (0, 1))
    across, down = sides
    return across * down / _area(box)


EXERCISES["17.1"] = Exercise(
    cases=_boxes,
    reference=_seen,
    hint="the square has the shorter side's length and lies in the middle: its left edge is (width - side) / 2, its "
    "top (height - side) / 2. Cut the box with it, and divide the area left by the box's own.",
    mistakes=[
        (lambda box, width, height: 1.0, "this is 1 for every box: what lies outside the square is cut off."),
        (_at_the_corner, "your square begins in the corner; the crop is in the middle."),
        (_landscape_only, "pictures higher than wide lose their top and bottom, not their sides."),
        (_unclipped, "a box wholly outside has no area in common: widths below 0 count as 0."),
        (
            lambda box, width, height: _overlap(box, _square(width, height)) / min(width, height) ** 2,
            "this is the share of the square that the box fills; wanted is the share of the box.",
        ),
        (
            lambda box, width, height: _overlap(box, _square(width, height)),
            "this is an area in pixels; divide it by the box's.",
        ),
    ],
    tolerance=1e-9,
)


def _plans(rng: Any) -> Any:
    yield 1, 1, 49, 5, 512
    yield 1000, 20, 49, 8, 512
    yield 3, 3, 4, 5, 256
    yield 12, 40, 8, 10, 512
    for _ in range(4):
        images, captions = (int(count) for count in rng.integers(2, 200, 2))
        yield images, captions, int(rng.integers(3, 50)), int(rng.integers(2, 11)), int(rng.choice([128, 256, 512]))


EXERCISES["17.2"] = Exercise(
    cases=_plans,
    reference=lambda images, captions, regions, words, budget: images * min(budget, 2**regions) + captions * 2**words,
    hint="a picture has 2 ** regions masks, of which at most the budget is encoded; a caption has 2 ** words, all of "
    "them. Each picture and each caption is encoded once, whatever it is paired with.",
    mistakes=[
        (
            lambda images, captions, regions, words, budget: images * captions * (min(budget, 2**regions) + 2**words),
            "this encodes every pair anew; a grid encodes each picture and each caption once.",
        ),
        (
            lambda images, captions, regions, words, budget: images * captions * min(budget, 2**regions) * 2**words,
            "this counts pairs of masks; embeddings of both sides are combined for free.",
        ),
        (
            lambda images, captions, regions, words, budget: images * budget + captions * 2**words,
            "few regions have fewer masks than the budget: 2 ** regions is the most there are.",
        ),
        (
            lambda images, captions, regions, words, budget: images * min(budget, 2**regions),
            "the masked captions are missing.",
        ),
        (
            lambda images, captions, regions, words, budget: images * 2**regions + captions * 2**words,
            "that is every mask there is; of pictures at most the budget is encoded.",
        ),
        (
            lambda images, captions, regions, words, budget: (
                images * min(budget, 2**regions) + captions * min(budget, 2**words)
            ),
            "the budget is of masked images alone; a short caption's masks are all encoded.",
        ),
    ],
)
