"""What the exercises of chapter 09 reading explanations want."""

from __future__ import annotations

from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


def _switched(game: Any, first: int, second: int, masks: Any, signs: Any) -> float:
    """Mean of the game with the two players on/on, on/off, off/on and off/off, with these signs."""
    total = 0.0
    for sign, (one, other) in zip(signs, ((True, True), (True, False), (False, True), (False, False)), strict=True):
        asked = masks.copy()
        asked[:, first], asked[:, second] = one, other
        total = total + sign * np.asarray(game(asked))
    return float(np.mean(total))


def _pairs_of_players(rng: Any, game: Any) -> Any:
    for _ in range(3):
        first, second = (int(player) for player in rng.choice(game.n_players, 2, replace=False))
        yield game, first, second, rng.random((12, game.n_players)) < 0.5


EXERCISES["09.1"] = Exercise(
    cases=_pairs_of_players,
    reference=lambda game, first, second, masks: _switched(game, first, second, masks, (1, -1, -1, 1)),
    hint="four copies of the masks, with both columns set; both together minus either alone plus none, then the mean.",
    mistakes=[
        (
            lambda game, first, second, masks: _switched(game, first, second, masks, (1, 0, 0, -1)),
            "this is what the two bring together; what each brings alone has to be taken away.",
        ),
        (
            lambda game, first, second, masks: _switched(game, first, second, masks, (1, -1, -1, 0)),
            "the value without both is missing: it was subtracted twice, so it comes back once.",
        ),
        (
            lambda game, first, second, masks: _switched(game, first, second, masks, (1, -1, 0, 0)),
            "this is what the second player adds beside the first; subtract what it adds without the first.",
        ),
    ],
    tolerance=1e-4,
)


def _words_and_patches(rng: Any, explanation: Any) -> Any:
    words = [label for label in explanation.labels[explanation.n_image :] if explanation.labels.count(label) == 1]
    for _ in range(4):
        first, second = (int(patch) for patch in rng.choice(explanation.n_image, 2, replace=False))
        yield explanation, str(rng.choice(words)), first, second


def _apart(explanation: Any, word: str, first: int, second: int, error: Any) -> float:
    player = explanation.find(word)
    values, errors = explanation.interactions[player], explanation.stderr[1][player]
    return float(abs(values[first] - values[second]) / error(errors[first], errors[second]))


EXERCISES["09.2"] = Exercise(
    cases=_words_and_patches,
    reference=lambda *given: _apart(*given, np.hypot),
    hint="explanation.condition(word) has the interactions and explanation.stderr[1] their standard errors, (n, n); "
    "the error of a difference is the root of the sum of squares.",
    mistakes=[
        (lambda *given: _apart(*given, np.add), "errors of two numbers do not add up; their squares do."),
        (lambda *given: _apart(*given, np.maximum), "the larger error alone is too small; add the squares of both."),
        (
            lambda *given: _apart(*given, lambda a, b: a * a + b * b),
            "this divides by the variance; its root is the standard error.",
        ),
    ],
)
