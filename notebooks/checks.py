"""What the exercises of the chapters want, by their numbers; do not read it before you have tried them."""

from __future__ import annotations

from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


# ---- 00 quick start


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
