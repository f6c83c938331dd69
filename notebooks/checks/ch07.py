"""What the exercises of chapter 07 the pointing game want."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from course import Exercise

from .ch04 import random_explanation

EXERCISES: dict[str, Exercise] = {}


def _quarters() -> Any:
    """(4, 49), the patches of each quarter of a 7 x 7 grid."""
    cells = np.zeros((4, 7, 7), bool)
    cells[0, :3, :3] = cells[1, :3, 4:] = cells[2, 4:, :3] = cells[3, 4:, 4:] = True
    return cells.reshape(4, 49)


def _word_values(rng: Any, k: int) -> tuple[Any, Any, Any]:
    cells = _quarters()
    return rng.normal(size=49) + cells[k], cells[k], np.delete(cells, k, axis=0).any(axis=0)


def _pgr(inside: Any, outside: Any) -> float:
    correct = inside[inside > 0].sum() - outside[outside < 0].sum()
    return float(correct / (np.abs(inside).sum() + np.abs(outside).sum()))


EXERCISES["07.1"] = Exercise(
    cases=lambda rng: [
        (np.array([2.0, -1.0, 0.5, -3.0, 9.0]), np.array([1, 1, 0, 0, 0], bool), np.array([0, 0, 1, 1, 0], bool)),
        *(_word_values(rng, k) for k in range(4)),
    ],
    reference=lambda values, own, others: _pgr(values[own], values[others]),
    hint="correct: positive in the own quarter and negative in the others; wrong: the rest; sum sizes, not signs.",
    mistakes=[
        (
            lambda values, own, others: _pgr(values[own], values[~own]),
            "patches in neither mask, the cross in the middle, do not count.",
        ),
        (
            lambda values, own, others: (
                np.maximum(values[own], 0).sum()
                / (np.maximum(values[own], 0).sum() + np.maximum(values[others], 0).sum())
            ),
            "negative values count, too: in the other quarters they are correct, in the own one wrong.",
        ),
        (
            lambda values, own, others: ((values[own] > 0).sum() + (values[others] < 0).sum()) / (own | others).sum(),
            "this counts patches; PGR adds up the sizes of their values.",
        ),
        (lambda values, own, others: 1 - _pgr(values[own], values[others]), "this is the share of what is wrong."),
    ],
)


def _pointed(values: Any, how: Callable[[Any], Any] = np.sum) -> int:
    return int(np.argmax([how(values[:49][cell]) for cell in _quarters()]))


def _quarter_cases(rng: Any, explanation: Any) -> list[tuple[Any, str]]:
    """The explanation itself, and ones where the strongest patch lies in another quarter than the largest sum."""
    words = explanation.labels[explanation.n_image :]
    cases = [(explanation, word) for word in words]
    for k in range(8):
        player = explanation.n_image + k % len(words)
        interactions = np.array(random_explanation(rng, explanation).interactions)
        right, loud = rng.choice(4, 2, replace=False)
        pull = 0.3 * rng.normal(size=49) + 1.0 * _quarters()[right]
        pull[rng.choice(np.flatnonzero(_quarters()[loud]))] = 4.0
        interactions[:49, player] = interactions[player, :49] = pull
        made = replace(explanation, interactions=interactions, value_errors=None, stderr=None)
        cases.append((made, words[k % len(words)]))
    return cases


EXERCISES["07.2"] = Exercise(
    cases=_quarter_cases,
    reference=lambda explanation, word: _pointed(explanation.condition(word)),
    hint="explanation.condition(word) holds a value for every player; the first 49 are patches, seven to a row.",
    mistakes=[
        (
            lambda explanation, word: [float(explanation.condition(word)[:49][cell].sum()) for cell in _quarters()],
            "these are the four sums; return which of them is the largest, a number from 0 to 3.",
        ),
        (
            lambda explanation, word: np.array([explanation.condition(word)[:49][cell].sum() for cell in _quarters()]),
            "these are the four sums in an array; return which of them is the largest, a number from 0 to 3.",
        ),
        (
            lambda explanation, word: _pointed(explanation.condition(word), np.max),
            "this is where the strongest patch lies; one loud patch may lie elsewhere than the largest sum.",
        ),
        (
            lambda explanation, word: _pointed(explanation.values),
            "the patches' values are the same for every word; condition(word) holds those of the word.",
        ),
        (
            lambda explanation, word: _pointed(explanation.condition(word)) + 1,
            "quarters are counted from 0.",
        ),
    ],
)
