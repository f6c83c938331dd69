"""What the exercises of chapter 00 quick start want."""

from __future__ import annotations

from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


def _value(game: Any, mask: Any) -> float:
    return float(game(np.asarray(mask, bool))[0])


EXERCISES["00.1"] = Exercise(
    cases=lambda rng, game: [(game, word) for word in game.labels[game.n_image :]],
    reference=lambda game, word: _value(game, [label != word for label in game.labels]),
    hint="a mask has one entry per player; everyone but the word is present, and game(mask) returns an array.",
    mistakes=[
        (
            lambda game, word: _value(game, [label == word for label in game.labels]),
            "this is the word all alone; it is the word that has to be absent, and everybody else present.",
        ),
        (
            lambda game, word: game.full_value - _value(game, [label != word for label in game.labels]),
            "this is how much removing the word costs; wanted is the value that remains.",
        ),
        (
            lambda game, word: game(np.array([label != word for label in game.labels])),
            "game(mask) returns an array with one value; return that value, float(game(mask)[0]).",
        ),
    ],
    tolerance=1e-4,
)


def _pull(explanation: Any, word: str) -> Any:
    return explanation.condition(word)[:49].reshape(7, 7)


def _inside(box: Any) -> Any:
    centre = 48 * np.arange(7) + 24
    left, top, right, bottom = box
    return np.outer((top <= centre) & (centre <= bottom), (left <= centre) & (centre <= right))


def _share(pull: Any, inside: Any) -> float:
    return float(pull[inside].sum() / pull.sum())


def _boxes(rng: np.random.Generator, explanation: Any, scene: Any) -> Any:
    """Every object in its own box and in another's, and in boxes anywhere."""
    for word in scene.objects:
        yield from ((explanation, word, box) for box in scene.boxes)
        for left, top in rng.integers(0, 150, size=(3, 2)).tolist():
            yield explanation, word, (left, top, left + 100, top + 170)


EXERCISES["00.2"] = Exercise(
    cases=_boxes,
    reference=lambda explanation, word, box: _share(np.maximum(_pull(explanation, word), 0), _inside(box)),
    hint="add up the positive interactions of the patches inside, and divide by all positive ones.",
    mistakes=[
        (
            lambda explanation, word, box: _share(np.maximum(_pull(explanation, word), 0), _inside(box).T),
            "rows and columns are exchanged: patch k has row k // 7 and column k % 7; rows go with top and bottom.",
        ),
        (
            lambda explanation, word, box: _share(_pull(explanation, word), _inside(box)),
            "negative interactions do not count, neither inside the box nor in the sum over all patches.",
        ),
        (
            lambda explanation, word, box: _share(np.abs(_pull(explanation, word)), _inside(box)),
            "negative interactions do not count; their size was added here.",
        ),
        (
            lambda explanation, word, box: float(np.maximum(_pull(explanation, word), 0)[_inside(box)].sum()),
            "this is the sum inside; wanted is its share of the sum over all patches.",
        ),
        (
            lambda explanation, word, box: float(
                np.maximum(_pull(explanation, word), 0)[_inside(box)].sum()
                / np.maximum(explanation.condition(word), 0).sum()
            ),
            "only patches count; the interactions with other words are in the sum here.",
        ),
    ],
)
