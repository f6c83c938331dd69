"""What the exercises of chapter 02 Shapley to Banzhaf want."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


class _Table(dict[tuple[int, ...], float]):
    """Values of coalitions, which says how they are named if one is asked for otherwise."""

    def __missing__(self, key: object) -> float:
        raise KeyError(f"{key!r} is no coalition here; the keys are sorted tuples of different players, such as (0, 2)")


def _table(rng: np.random.Generator, n: int) -> _Table:
    coalitions = (s for size in range(n + 1) for s in itertools.combinations(range(n), size))
    return _Table({coalition: round(float(rng.normal(0, 4)), 1) for coalition in coalitions})


def _with(values: Any, context: Any, *players: int) -> float:
    return float(values[tuple(sorted((*context, *players)))])


def _over_contexts(n: int, of: Any, weight: Any, but: Any) -> float:
    """Weighted sum of `of(context)` over the coalitions of the players other than `but`; weight(size, others)."""
    others = [i for i in range(n) if i not in but]
    return sum(
        weight(size, len(others)) * of(context)
        for size in range(len(others) + 1)
        for context in itertools.combinations(others, size)
    )


def _by_subsets(weight: Any) -> Any:
    """The function of a game's values that adds up a player's marginal contributions with these weights."""

    def total(values: Any, player: int, n: int) -> float:
        return _over_contexts(n, lambda c: _with(values, c, player) - _with(values, c), weight, (player,))

    return total


def _players_of_games(rng: np.random.Generator, game: Any) -> Any:
    yield from ((_Table(game.values), player, 3) for player in (1, 0, 2))
    for n in (2, 3, 4, 5):
        yield _table(rng, n), int(rng.integers(n)), n


EXERCISES["02.1"] = Exercise(
    cases=_players_of_games,
    reference=_by_subsets(lambda k, others: 1 / ((others + 1) * math.comb(others, k))),
    hint="a set of k others has weight 1 / (n * C(n-1, k)); values wants sorted tuples, tuple(sorted(...)).",
    mistakes=[
        (
            _by_subsets(lambda k, others: 1 / 2**others),
            "this is the Banzhaf value: all coalitions of the others weigh the same here. In orders, their sizes do.",
        ),
        (
            _by_subsets(lambda k, others: 1 / (others + 1)),
            "each size k has probability 1/n, but its C(n-1, k) coalitions have to share that.",
        ),
        (
            _by_subsets(lambda k, others: 1 / math.comb(others, k)),
            "the sizes 0 to n-1 have probability 1/n each; divide by n.",
        ),
        (
            _by_subsets(lambda k, others: (k < others) / ((others + 1) * math.comb(others, k))),
            "the context in which all others are present is missing: k goes from 0 to n-1.",
        ),
        (
            _by_subsets(lambda k, others: (k > 0) / ((others + 1) * math.comb(others, k))),
            "the empty context is missing: k goes from 0 to n-1.",
        ),
        (
            _by_subsets(lambda k, others: 1.0 * (k == others)),
            "this is what the player adds to all others; average over everyone who may have come before.",
        ),
    ],
)


def _interaction(weight: Any) -> Any:
    """The function of a game's values that adds up two players' interactions; weight(k, others, p)."""

    def total(values: Any, i: int, j: int, n: int, p: float) -> float:
        def delta(context: Any) -> float:
            either = _with(values, context, i) + _with(values, context, j)
            return _with(values, context, i, j) - either + _with(values, context)

        return _over_contexts(n, delta, lambda k, others: weight(k, others, p), (i, j))

    return total


def _pairs_of_games(rng: np.random.Generator, game: Any) -> Any:
    yield from ((_Table(game.values), i, j, 3, p) for i, j, p in ((0, 1, 0.5), (1, 2, 0.3), (2, 0, 0.8)))
    for n in (2, 4, 5):
        i, j = rng.choice(n, 2, replace=False).tolist()
        yield _table(rng, n), i, j, n, round(float(rng.uniform(0.1, 0.9)), 2)


EXERCISES["02.2"] = Exercise(
    cases=_pairs_of_games,
    reference=_interaction(lambda k, others, p: p**k * (1 - p) ** (others - k)),
    hint="a context with k of the n - 2 others has weight p^k (1-p)^(n-2-k).",
    mistakes=[
        (
            _interaction(lambda k, others, p: 1 / 2**others),
            "all contexts weigh the same here, which is right for p = 0.5 only.",
        ),
        (
            _interaction(lambda k, others, p: (1 - p) ** k * p ** (others - k)),
            "p is the probability of being present; here it is that of being absent.",
        ),
        (
            _interaction(lambda k, others, p: p**k),
            "the others who are absent count as well, each with 1 - p.",
        ),
        (
            _interaction(lambda k, others, p: p**k * (1 - p) ** (others + 1 - k)),
            "without the two players there are n - 2 others, not n - 1.",
        ),
        (
            _interaction(lambda k, others, p: 1.0 * (k == 0)),
            "only the empty context is in this sum; the others may be present.",
        ),
        (
            _interaction(lambda k, others, p: 1 / ((others + 1) * math.comb(others, k))),
            "these are the weights of the Shapley value; wanted are those of coins with probability p.",
        ),
    ],
)
