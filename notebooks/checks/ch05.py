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
        (np.arange(5.0), np.array([1.0, 0.1, 1.0, 0.1, 1.0]), np.array([-3.0, 1.15, 1.0, 3.25, -5.0]), 2.0),
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


def _gaussian(rng: Any) -> tuple[Any, ...]:
    """A kernel matrix of masks of a few players, a noise that matters, and answers."""
    m = int(rng.integers(4, 12))
    masks, rho = rng.random((m, 6)) < 0.5, rng.uniform(0.05, 0.4, 6)
    kernel = np.where(masks[:, None] == masks, 1.0, (1 - rho) / (1 + rho)).prod(axis=-1)
    return kernel, float(rng.uniform(0.05, 0.3)), rng.normal(size=m)


def _left_out(kernel: Any, noise: float, answers: Any) -> Any:
    """By as many refits as there are answers: the definition, not the formula."""
    found = np.empty(len(answers))
    for k in range(len(answers)):
        others = np.delete(np.arange(len(answers)), k)
        noisy = kernel[np.ix_(others, others)] + noise * np.eye(len(others))
        found[k] = answers[k] - kernel[k, others] @ np.linalg.solve(noisy, answers[others])
    return found


def _weights(kernel: Any, noise: float, answers: Any) -> tuple[Any, Any]:
    """A^-1 y and the diagonal of A^-1."""
    inverse = np.linalg.inv(kernel + noise * np.eye(len(answers)))
    return inverse @ answers, np.diag(inverse)


EXERCISES["05.3"] = Exercise(
    cases=lambda rng: [(np.ones((1, 1)), 0.5, np.array([2.0])), *(_gaussian(rng) for _ in range(4))],
    reference=_left_out,
    hint="divide entry k of A^-1 y by entry k of the diagonal of A^-1; or refit without sample k.",
    mistakes=[
        (
            lambda kernel, noise, answers: noise * _weights(kernel, noise, answers)[0],
            "this is what the fit with all samples leaves over: each was used to predict itself.",
        ),
        (
            lambda kernel, noise, answers: _weights(kernel, 0.0, answers)[0] / _weights(kernel, 0.0, answers)[1],
            "the noise is missing: A = K + noise times the identity.",
        ),
        (
            lambda kernel, noise, answers: answers - _left_out(kernel, noise, answers),
            "these are the predictions; wanted is the answer minus its prediction.",
        ),
        (
            lambda kernel, noise, answers: -_left_out(kernel, noise, answers),
            "the sign is the wrong way round: the answer minus its prediction.",
        ),
        (
            lambda kernel, noise, answers: _weights(kernel, noise, answers)[0],
            "these are the weights A^-1 y; each is still to be divided by its entry on the diagonal of A^-1.",
        ),
    ],
)
