"""What the exercises of chapter 04 the p slider want."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


def random_explanation(rng: Any, like: Any) -> Any:
    """One with random numbers, of the same subject and p as another."""
    n = like.n_players
    upper = np.triu(rng.normal(size=(n, n)), 1)
    return replace(like, attributions=rng.normal(size=n), interactions=upper + upper.T, value_errors=None, stderr=None)


def _slope(explanation: Any, player: int) -> float:
    return float(explanation.interactions[player].sum())


EXERCISES["04.1"] = Exercise(
    cases=lambda rng, by_p: [
        (random_explanation(rng, by_p[at]), int(rng.integers(by_p[at].n_players)), float(rng.uniform(0.05, 0.95)))
        for at in (0.2, 0.5, 0.8, 0.4)
    ],
    reference=lambda explanation, player, p: float(
        explanation.attributions[player] + p * explanation.interactions[player].sum()
    ),
    hint="start from the player's value at explanation.p; the slope is the sum of its interactions.",
    mistakes=[
        (
            lambda explanation, player, p: explanation.values[player] + p * _slope(explanation, player),
            "the value belongs to explanation.p already; only the step from there, p - explanation.p, counts.",
        ),
        (lambda explanation, player, p: explanation.values[player], "that is the value at explanation.p, not at p."),
        (
            lambda explanation, player, p: (
                explanation.values[player] - (p - explanation.p) * _slope(explanation, player)
            ),
            "the step goes from explanation.p to p; its sign is turned round.",
        ),
        (
            lambda explanation, player, p: explanation.attributions[player],
            "that is the line's end at the empty input, p = 0.",
        ),
        (
            lambda explanation, player, p: explanation.attributions[player] + _slope(explanation, player),
            "that is the line's end at the complete input, p = 1.",
        ),
    ],
)


def _patch_pair(samples: Any, p: float, worst: Callable[[Any], Any] = np.argmin) -> tuple[str, str]:
    found = samples.explain(p)
    n = found.n_image
    first, second = np.triu_indices(n, 1)
    at = int(worst(found.interactions[first, second]))
    return found.labels[first[at]], found.labels[second[at]]


EXERCISES["04.2"] = Exercise(
    # Nearly all along the slider it is the same pair, but not at 0.05.
    cases=lambda rng, samples: [(samples, float(p)) for p in (*rng.uniform(0.25, 0.75, 3).round(2), 0.05, 0.8)],
    reference=_patch_pair,
    hint="patches are players 0 to 48; interactions is symmetric, so look at one half of it.",
    mistakes=[
        (
            lambda samples, p: _patch_pair(samples, p, np.argmax),
            "these support each other most; redundant is negative.",
        ),
        (
            lambda samples, p: _patch_pair(samples, p)[::-1],
            "the right two; the one with the smaller number comes first.",
        ),
        (lambda samples, p: _patch_pair(samples, 0.5), "this is the pair at p = 0.5, whatever p is asked for."),
        (
            lambda samples, p: tuple(samples.subject.labels.index(name) for name in _patch_pair(samples, p)),
            "these are their numbers; wanted are their labels, as in explanation.labels[number].",
        ),
    ],
)
