"""What the exercises of the chapters want, by their numbers; do not read it before you have tried them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
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


# ---- 04 the p slider


def _random_explanation(rng: Any, like: Any) -> Any:
    """One with random numbers, of the same subject and p as another."""
    n = like.n_players
    upper = np.triu(rng.normal(size=(n, n)), 1)
    return replace(like, attributions=rng.normal(size=n), interactions=upper + upper.T, value_errors=None, stderr=None)


def _slope(explanation: Any, player: int) -> float:
    return float(explanation.interactions[player].sum())


EXERCISES["04.1"] = Exercise(
    cases=lambda rng, by_p: [
        (_random_explanation(rng, by_p[at]), int(rng.integers(by_p[at].n_players)), float(rng.uniform(0.05, 0.95)))
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
    cases=lambda rng, samples: [(samples, float(p)) for p in (*rng.uniform(0.25, 0.75, 3).round(2), 0.2, 0.8)],
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


# ---- 05 how many samples


def _near_misses(rng: Any) -> tuple[Any, ...]:
    """Estimates, errors, values and z with some values just inside and some just outside, on both sides."""
    n, z = int(rng.integers(5, 40)), float(rng.uniform(0.5, 2.5))
    estimates, errors = rng.normal(size=n), rng.uniform(0.1, 2.0, n)
    off = z * errors * rng.choice([-3.0, -1.1, -0.9, -0.2, 0.2, 0.9, 1.1, 3.0], n)
    return estimates, errors, estimates + off, z


EXERCISES["05.1"] = Exercise(
    cases=lambda rng: [
        (np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 0.1, 1.0, 0.1]), np.array([-3.0, 1.15, 1.0, 3.25]), 2.0),
        *(_near_misses(rng) for _ in range(4)),
    ],
    reference=lambda estimates, errors, values, z: float(np.mean(np.abs(values - estimates) <= z * errors)),
    hint="compare each distance with z times its own error; the mean of a boolean array is a share.",
    mistakes=[
        (
            lambda estimates, errors, values, z: np.mean(values - estimates <= z * errors),
            "the distance counts, whatever its sign; values far below their estimates are outside, too.",
        ),
        (
            lambda estimates, errors, values, z: np.mean(np.abs(values - estimates) <= errors),
            "this is for one standard error; z of them are asked for.",
        ),
        (
            lambda estimates, errors, values, z: np.sum(np.abs(values - estimates) <= z * errors),
            "this is how many they are; wanted is their share, between 0 and 1.",
        ),
        (
            lambda estimates, errors, values, z: np.mean(np.abs(values - estimates) > z * errors),
            "this is the share outside.",
        ),
        (
            lambda estimates, errors, values, z: np.abs(values - estimates) <= z * errors,
            "this says of each value whether it is inside; return one number, their share.",
        ),
    ],
)


def _expected(samples: Any, budget: int, p: float) -> float:
    return float(samples.first(budget).explain(p).expected_faithfulness)


def _enough(samples: Any, budgets: Any, p: float, target: float) -> int | None:
    return next((budget for budget in budgets if _expected(samples, budget, p) >= target), None)


def _budget_cases(rng: Any, samples: Any) -> list[tuple[Any, ...]]:
    """Targets that the first, a middle, the last and none of the budgets reaches, kept off the expectations."""
    budgets = (64, 96, 160, 256)
    expected = [_expected(samples, budget, 0.5) for budget in budgets]
    inside = [sorted(expected)[k] - 1e-4 * float(rng.uniform(0.1, 1.0)) for k in range(len(budgets))]
    return [(samples, budgets, 0.5, target) for target in (*inside, max(expected) + 0.01)]


EXERCISES["05.2"] = Exercise(
    cases=_budget_cases,
    reference=_enough,
    hint="samples.first(budget) is what a smaller budget would have drawn; its explanation has expected_faithfulness.",
    mistakes=[
        (
            lambda samples, budgets, p, target: next(
                (b for b in budgets if samples.explain(p).expected_faithfulness >= target), None
            ),
            "this asks all samples every time; samples.first(budget) are those of a smaller budget.",
        ),
        (
            lambda samples, budgets, p, target: _enough(samples, budgets[::-1], p, target),
            "this one reaches the target, but one that comes earlier does, too.",
        ),
        (
            lambda samples, budgets, p, target: _enough(samples, budgets, p, target) or budgets[-1],
            "none of them reaches the target; the answer is None then.",
        ),
    ],
)
