"""What the exercises of chapter 05 how many samples want."""

from __future__ import annotations

from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


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
