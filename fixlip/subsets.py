"""Subsets of players of highest and lowest value, one for every size, under a second-order explanation.

The value of a subset is what the explanation predicts for it (Baniecki et al., NeurIPS 2025). Finding the best one of
each size is a quadratic problem over 0/1 vectors; small games are enumerated, larger ones searched. Subsets of
different sizes need not be nested. Everything here works on the numbers alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from .masks import MAX_ENUMERATED_PLAYERS, BoolArray, FloatArray, IntArray, enumerate_masks, quadratic

METHODS = ("auto", "greedy", "swaps", "exact")
# With more players greedy subsets grow from some of them only: this many of either end of each ranking.
_MOST_STARTS, _STARTS_PER_RANKING = 100, 19


@dataclass(frozen=True, eq=False)
class Subsets:
    """The best subsets found, one for every size.

    Attributes:
        highest: (n, n) masks; row k - 1 is the subset of k players with the highest value.
        lowest: likewise with the lowest.
        highest_values: (n,) their values, the explanation's constant included, in logits.
        lowest_values: likewise.
        method: "exact" (proven), "swaps" or "greedy".
    """

    highest: BoolArray
    lowest: BoolArray
    highest_values: FloatArray
    lowest_values: FloatArray
    method: str


def subsets(
    constant: float,
    attributions: FloatArray,
    interactions: FloatArray,
    method: str = "auto",
    starts: Sequence[int] | None = None,
    *,
    first_order: FloatArray | None = None,
) -> Subsets:
    """Subsets of highest and lowest value for every size from 1 to n.

    The value of a subset is the constant plus the attributions of its players plus the interactions of its pairs.

    Args:
        constant: value of the empty subset, logits.
        attributions: (n,) logits.
        interactions: (n, n) logits, symmetric with a zero diagonal.
        method: "greedy" grows subsets player by player from every start, always by the best and always by the worst
            player, and keeps the best of each size over all (as published); "swaps" goes on from there by exchanging
            players in pairs for as long as that helps, so it is never worse; "exact" enumerates (at most 16 players);
            "auto" is "exact" where possible, else "swaps".
        starts: numbers of the players from which greedy subsets grow; by default all, or for more than 100 players
            those that matter most and least by `attributions` and by `first_order`, as published.
        first_order: (n,) attributions of the best explanation without interactions, which takes part in that choice.

    Raises:
        ValueError: if the method is unknown or too slow for so many players, or a start is no player.
    """
    n = len(attributions)
    if method not in METHODS:
        raise ValueError(f"method: got {method!r}, wanted one of {', '.join(METHODS)}.")
    if method == "auto":
        method = "exact" if n <= MAX_ENUMERATED_PLAYERS else "swaps"
    if method == "exact":
        if n > MAX_ENUMERATED_PLAYERS:
            raise ValueError(f'method: "exact" takes at most {MAX_ENUMERATED_PLAYERS} players, got {n}; use "swaps".')
        high, low = _enumerate(constant, attributions, interactions)
    else:
        rankings = [attributions] if first_order is None else [attributions, first_order]
        chosen = _default_starts(rankings) if starts is None else _check_starts(starts, n)
        high, low = _greedy(attributions, interactions, chosen)
        if method == "swaps":
            high, low = (_swap(attributions, interactions, found, sign) for found, sign in ((high, 1.0), (low, -1.0)))
    high_values, low_values = (quadratic(found, constant, attributions, interactions) for found in (high, low))
    return Subsets(high, low, high_values, low_values, method)


# ---- enumerating


def _enumerate(constant: float, attributions: FloatArray, interactions: FloatArray) -> tuple[BoolArray, BoolArray]:
    """The subset of highest and of lowest value of each size, of all there are."""
    masks = enumerate_masks(len(attributions))
    values, sizes = quadratic(masks, constant, attributions, interactions), masks.sum(axis=1)
    highest, lowest = [], []
    for size in range(1, len(attributions) + 1):
        rows = np.flatnonzero(sizes == size)
        highest.append(rows[np.argmax(values[rows])])
        lowest.append(rows[np.argmin(values[rows])])
    return masks[highest], masks[lowest]


# ---- growing


def _check_starts(starts: Sequence[int], n: int) -> IntArray:
    chosen = np.asarray(starts)
    if not chosen.size:
        raise ValueError("starts: got none, wanted at least one player.")
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or chosen.min() < 0 or chosen.max() >= n:
        raise ValueError(f"starts: got {starts!r}, wanted numbers of players from 0 to {n - 1}.")
    return chosen.astype(np.intp)


def _default_starts(rankings: Sequence[FloatArray]) -> IntArray:
    """All players; or of many the largest, the smallest and the least important by each ranking (as published)."""
    n = len(rankings[0])
    if n <= _MOST_STARTS:
        return np.arange(n)
    found: set[int] = set()
    for values in rankings:
        for order in (np.argsort(values), np.argsort(-values), np.argsort(np.abs(values))):
            found.update(order[:_STARTS_PER_RANKING].tolist())
    return np.array(sorted(found), dtype=np.intp)


@dataclass
class _Best:
    """The best subset of each size seen so far; the best has the largest value times `sign`."""

    n: int
    sign: float
    masks: BoolArray = field(init=False)
    values: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.masks, self.values = np.zeros((self.n, self.n), bool), np.full(self.n, -np.inf)

    def offer(self, masks: BoolArray, values: FloatArray) -> None:
        """Take the best of these subsets (m, n) of one size, unless the best so far is as good."""
        winner, row = int(np.argmax(self.sign * values)), int(masks[0].sum()) - 1
        if self.sign * values[winner] > self.values[row]:
            self.values[row], self.masks[row] = self.sign * values[winner], masks[winner]


def _greedy(attributions: FloatArray, interactions: FloatArray, starts: IntArray) -> tuple[BoolArray, BoolArray]:
    """The best and the worst subset of each size among those grown from all starts, by best and by worst players."""
    n = len(attributions)
    highest, lowest = _Best(n, 1.0), _Best(n, -1.0)
    for direction in (1.0, -1.0):
        for masks, values in _grow(attributions, interactions, starts, direction):
            highest.offer(masks, values)
            lowest.offer(masks, values)
    return highest.masks, lowest.masks


def _grow(
    attributions: FloatArray, interactions: FloatArray, starts: IntArray, direction: float
) -> Iterator[tuple[BoolArray, FloatArray]]:
    """Grow one subset from every start by whoever adds most (direction 1) or least (-1).

    Yields the subsets (starts, n) of each size from 1 to n, in an array that is reused, and their values, constant
    left out.
    """
    n, rows = len(attributions), np.arange(len(starts))
    inside, values = np.zeros((len(starts), n), bool), np.zeros(len(starts))
    gains = np.repeat(attributions[None, :], len(starts), axis=0)  # what each player would add to each subset
    joining = starts
    for _ in range(n):
        values = values + gains[rows, joining]
        inside[rows, joining] = True
        gains += interactions[joining]
        yield inside, values
        joining = np.argmax(np.where(inside, -np.inf, direction * gains), axis=1)


# ---- exchanging


def _swap(attributions: FloatArray, interactions: FloatArray, start: BoolArray, sign: float) -> BoolArray:
    """Exchange one player inside for one outside, the best pair each time, in all subsets at once, until none helps."""
    inside, pairs = start.copy(), sign * interactions
    gains = sign * attributions + inside @ pairs
    active = np.flatnonzero(~inside.all(axis=1))
    tiny = 1e-10 * (1 + np.abs(attributions).max() + np.abs(pairs).max())
    while len(active):
        leaving, joining, change = _best_exchanges(inside[active], gains[active], pairs)
        helps = change > tiny
        active, leaving, joining = active[helps], leaving[helps], joining[helps]
        inside[active, leaving], inside[active, joining] = False, True
        gains[active] += pairs[joining] - pairs[leaving]
    return inside


def _best_exchanges(inside: BoolArray, gains: FloatArray, pairs: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """For each subset (m, n) who leaves, who joins, and what that adds, each (m,)."""
    # Leaving loses gains[out]; joining adds gains[in], less the pair that is no longer there.
    change = gains[:, None, :] - gains[:, :, None] - pairs[None]
    change[~(inside[:, :, None] & ~inside[:, None, :])] = -np.inf
    flat = change.reshape(len(inside), -1)
    best = flat.argmax(axis=1)
    leaving, joining = np.divmod(best, inside.shape[1])
    return leaving, joining, flat[np.arange(len(inside)), best]
