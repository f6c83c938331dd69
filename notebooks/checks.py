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


# ---- 06 insertion and deletion


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


# ---- 07 the pointing game


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
        interactions = np.array(_random_explanation(rng, explanation).interactions)
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
