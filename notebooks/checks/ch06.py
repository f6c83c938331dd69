"""What the exercises of chapter 06 insertion and deletion want."""

from __future__ import annotations

from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


def _trapezoids(height: Any) -> float:
    return float(((height[1:] + height[:-1]) / 2).sum() / (len(height) - 1))


EXERCISES["06.1"] = Exercise(
    cases=lambda rng: [
        (np.array([1.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])),
        *((rng.normal(size=n), rng.normal(size=n)) for n in (2, 7, 57)),
    ],
    reference=lambda insert, delete: _trapezoids(insert - delete),
    hint="every step has a width of 1 / (number of points - 1) and the mean height of its two ends.",
    mistakes=[
        (
            lambda insert, delete: float(np.mean(insert - delete)),
            "a plain mean counts the two ends in full; a trapezoid has the mean of its two ends as its height.",
        ),
        (
            lambda insert, delete: _trapezoids(np.abs(insert - delete)),
            "where deletion lies above insertion the area counts as negative.",
        ),
        (
            lambda insert, delete: _trapezoids(insert - delete) * (1 - 1 / len(insert)),
            "between n points there are n - 1 steps.",
        ),
        (lambda insert, delete: _trapezoids(delete - insert), "insertion minus deletion; the sign is turned round."),
        (lambda insert, delete: _trapezoids(insert - delete) * (len(insert) - 1), "the steps are not 1 wide."),
    ],
)


def _kept(values: Any, sizes: Any) -> Any:
    """Masks that keep the players of lowest value, as many as each size says."""
    rank = np.argsort(np.argsort(values))
    return (rank[None, :] < np.asarray(sizes)[:, None]).astype(float)


EXERCISES["06.2"] = Exercise(
    cases=lambda rng: [(np.array([3.0, 1.0, 2.0]),), *((rng.normal(size=n),) for n in (5, 8, 12))],
    reference=lambda values: _kept(values, np.arange(len(values), -1, -1)),
    hint="the first to go is the most important; return an array of zeros and ones or of booleans.",
    mistakes=[
        (
            lambda values: _kept(-values, np.arange(len(values), -1, -1)),
            "these keep the highest, which is insertion; for deletion the highest goes first.",
        ),
        (
            lambda values: (np.argsort(values)[None, :] < np.arange(len(values), -1, -1)[:, None]).astype(float),
            "argsort says who comes k-th, not at which place player i is; sort once more: argsort(argsort(values)).",
        ),
        (
            lambda values: _kept(values, np.arange(len(values), 0, -1)),
            "the last row is missing, where nobody is left.",
        ),
        (
            lambda values: _kept(values, np.arange(len(values) + 1)),
            "the rows stand upside down: the first keeps everybody.",
        ),
    ],
)
