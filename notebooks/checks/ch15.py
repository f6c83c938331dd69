"""What the exercises of chapter 15 does it read want."""

from __future__ import annotations

from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


def _gaps(rng: Any) -> Any:
    """Gaps of several scenes, in which pictures, stickers and writing each decide now and then."""
    yield np.array([5.0, 4.0, 3.0, -1.0, 6.0]), np.array([3.0, -2.0, 2.0, -3.0, 4.0]), np.array([-4.0, -5, -1, -6, 2])
    yield np.array([4.0, 7.0, 2.0]), np.array([3.0, 5.0, -1.0]), np.array([2.0, 6.0, 1.0])  # nobody is fooled
    for _ in range(5):
        plain, blank, written = (rng.normal(mean, 4.0, 24) for mean in (5.0, 1.0, -3.0))
        yield plain, blank, written


def _blame(plain: Any, blank: Any, written: Any) -> float:
    fooled = (plain > 0) & (written < 0)
    return float((blank[fooled] > 0).mean()) if fooled.any() else 0.0


EXERCISES["15.1"] = Exercise(
    cases=_gaps,
    reference=_blame,
    hint="fooled: right without a label, wrong with the word. Of these alone, how many are still right with the blank "
    "label? Where none is fooled, return 0.0.",
    mistakes=[
        (
            lambda plain, blank, written: float(((plain > 0) & (blank > 0) & (written < 0)).mean()),
            "this is a share of all scenes; wanted is a share of the fooled ones.",
        ),
        (
            lambda plain, blank, written: 1 - _blame(plain, blank, written),
            "this is what the sticker alone had done: wrong with the blank label, too.",
        ),
        (
            lambda plain, blank, written: float((blank[written < 0] > 0).mean()) if (written < 0).any() else 0.0,
            "a scene that was wrong without any label was not fooled by one: leave it out.",
        ),
        (
            lambda plain, blank, written: float(((plain > 0) & (written < 0)).mean()),
            "this is how many are fooled; the blank label has not been asked.",
        ),
        (
            lambda plain, blank, written: float(
                (blank.mean() - written.mean()) / (plain.mean() - written.mean())
                if plain.mean() != written.mean()
                else 0.0
            ),
            "this is a share of logits; count decisions.",
        ),
    ],
    tolerance=1e-9,
)


def _counts(rng: Any) -> Any:
    """After how many patches attacked and honest decisions turn; 13 stands for never."""
    yield np.array([1, 1, 2, 2, 5]), np.array([6, 7, 3, 13, 8]), 0.0
    yield np.array([1, 2, 2, 3, 3]), np.array([3, 7, 9, 13, 8]), 0.2
    yield np.array([2, 4, 4, 6]), np.array([1, 1, 9, 13]), 0.1  # no removal is allowed
    for _ in range(5):
        yield rng.integers(1, 7, 20), rng.integers(2, 14, 20), float(rng.choice([0.0, 0.05, 0.1, 0.25]))


def _how_many(attacked: Any, honest: Any, most: float, at_least: bool = True) -> int:
    allowed = [k for k in range(13) if np.mean(honest <= k) <= most]
    undone = [float(np.mean(attacked <= k)) for k in allowed]
    best = [k for k, share in zip(allowed, undone, strict=True) if share == max(undone)]
    return int(best[0] if at_least else best[-1])


EXERCISES["15.2"] = Exercise(
    cases=_counts,
    reference=_how_many,
    hint="a decision has turned after k patches if its number is at most k. Keep those k (from 0 to 12) that turn no "
    "more than `most` of the honest ones; of these, the smallest that turns the most attacked ones.",
    mistakes=[
        (
            lambda attacked, honest, most: _how_many(attacked + 1, honest + 1, most),
            "one too many: a decision that turns at the second patch has turned after two.",
        ),
        (
            lambda attacked, honest, most: _how_many(attacked, honest, most, at_least=False),
            "this is the largest number allowed; if fewer patches undo as many attacks, remove fewer.",
        ),
        (
            lambda attacked, honest, most: _how_many(attacked, honest, 1.0),
            "this forgets the price: honest decisions turn, too; no more than `most` of them may.",
        ),
        (
            lambda attacked, honest, most: int(np.median(attacked)),
            "this does not ask the honest scenes what it costs.",
        ),
        (
            lambda attacked, honest, most: max(
                (k for k in range(13) if np.mean(honest <= k) <= most),
                key=lambda k: np.mean(attacked == k),
            ),
            "count all decisions that turned at k or before, not only those at k.",
        ),
    ],
    tolerance=0,
)
