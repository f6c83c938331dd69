"""Subsets of players of highest and lowest value, one for each size asked for, under an explanation of any order.

The value of a subset is what the explanation predicts for it (Baniecki et al., NeurIPS 2025). Finding the best one of
each size is a quadratic problem over 0/1 vectors, or a cubic one with triples; small games are enumerated, larger ones
searched, and where there are no interactions sorting is enough. Subsets of different sizes need not be nested.
Everything here works on the numbers alone, and takes memory for a few copies of the interactions, or of the triples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from .masks import MAX_ENUMERATED_PLAYERS, BoolArray, FloatArray, IntArray, enumerate_masks, quadratic
from .triples import cubic

METHODS = ("auto", "greedy", "swaps", "exact")
# With more players greedy subsets grow from some of them only: this many of either end of each ranking.
_MOST_STARTS, _STARTS_PER_RANKING = 100, 19


@dataclass(frozen=True, eq=False)
class Subsets:
    """The best subsets found, one for each of m sizes; with every size asked for, row k - 1 has k players.

    Attributes:
        highest: (m, n) masks; each the subset of its size with the highest value.
        lowest: likewise with the lowest.
        highest_values: (m,) their values, the explanation's constant included, in its unit.
        lowest_values: likewise.
        method: "exact" (proven), "swaps" or "greedy".
        sizes: (m,) how many players each has.
    """

    highest: BoolArray
    lowest: BoolArray
    highest_values: FloatArray
    lowest_values: FloatArray
    method: str
    sizes: IntArray


def subsets(
    constant: float,
    attributions: FloatArray,
    interactions: FloatArray,
    method: str = "auto",
    starts: Sequence[int] | None = None,
    *,
    first_order: FloatArray | None = None,
    triples: FloatArray | None = None,
    sizes: Sequence[int] | IntArray | None = None,
) -> Subsets:
    """Subsets of highest and lowest value for every size from 1 to n, or for some sizes.

    The value of a subset is the constant plus the attributions of its players plus the interactions of its pairs, and
    its triples where there are any. The subset of one size does not depend on which other sizes are asked for.

    Args:
        constant: value of the empty subset, logits.
        attributions: (n,) logits.
        interactions: (n, n) logits, symmetric with a zero diagonal.
        method: "greedy" grows subsets player by player from every start, always by the best and always by the worst
            player, and keeps the best of each size over all (as published); "swaps" goes on from there by exchanging
            players in pairs for as long as that helps, so it is never worse; "exact" enumerates (at most 16 players),
            or sorts where there are no interactions; "auto" is "exact" where possible, else "swaps".
        starts: numbers of the players from which greedy subsets grow; by default all, or for more than 100 players
            those that matter most and least by `attributions` and by `first_order`, as published.
        first_order: (n,) attributions of the best explanation without interactions, which takes part in that choice.
        triples: (n, n, n) logits, symmetric, zero where two players coincide; none by default. The search goes as
            without, with each pair as it is in the company of the subset's other players.
        sizes: numbers of players, each from 1 to n, in any order; every one by default. Players are exchanged in
            subsets of these sizes only, and growing ends with the largest, so that few sizes are much quicker.

    Raises:
        ValueError: if the method is unknown or too slow for so many players, or a start is no player, or a size none
            that a subset can have.
    """
    n = len(attributions)
    if method not in METHODS:
        raise ValueError(f"method: got {method!r}, wanted one of {', '.join(METHODS)}.")
    wanted = np.arange(1, n + 1) if sizes is None else _whole_numbers("sizes", sizes, 1, n)
    sortable = not interactions.any() and (triples is None or not triples.any())
    if method == "auto":
        method = "exact" if sortable or n <= MAX_ENUMERATED_PLAYERS else "swaps"
    if method == "exact" and sortable:
        high, low = _largest(attributions, wanted), _largest(-attributions, wanted)
    elif method == "exact":
        if n > MAX_ENUMERATED_PLAYERS:
            raise ValueError(f'method: "exact" takes at most {MAX_ENUMERATED_PLAYERS} players, got {n}; use "swaps".')
        high, low = _enumerate(lambda masks: _values(masks, constant, attributions, interactions, triples), n, wanted)
    else:
        rankings = [attributions] if first_order is None else [attributions, first_order]
        chosen = _default_starts(rankings) if starts is None else _whole_numbers("starts", starts, 0, n - 1)
        high, low = _greedy(attributions, interactions, triples, chosen, wanted)
        if method == "swaps":
            ends = ((high, 1.0), (low, -1.0))
            high, low = (_swap(attributions, interactions, triples, found, sign) for found, sign in ends)
    high_values, low_values = (_values(found, constant, attributions, interactions, triples) for found in (high, low))
    return Subsets(high, low, high_values, low_values, method, wanted)


def _values(
    masks: BoolArray, constant: float, attributions: FloatArray, interactions: FloatArray, triples: FloatArray | None
) -> FloatArray:
    found = quadratic(masks, constant, attributions, interactions)
    return found if triples is None else found + cubic(masks, triples)


def _whole_numbers(name: str, given: Sequence[int] | IntArray, least: int, most: int) -> IntArray:
    chosen = np.asarray(given)
    if not chosen.size:
        raise ValueError(f"{name}: got none, wanted at least one.")
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or chosen.min() < least or chosen.max() > most:
        raise ValueError(f"{name}: got {given!r}, wanted numbers of players from {least} to {most}.")
    return chosen.astype(np.intp)


# ---- sorting and enumerating


def _largest(values: FloatArray, sizes: IntArray) -> BoolArray:
    """For each size the players of largest values, (m, n); of equal ones the first."""
    ranks = np.argsort(np.argsort(-values, kind="stable"))
    return np.asarray(ranks[None, :] < sizes[:, None])


def _enumerate(values_of: Callable[[BoolArray], FloatArray], n: int, sizes: IntArray) -> tuple[BoolArray, BoolArray]:
    """The subset of highest and of lowest value of each size, of all there are."""
    masks = enumerate_masks(n)
    values, present = values_of(masks), masks.sum(axis=1)
    highest, lowest = [], []
    for size in sizes:
        rows = np.flatnonzero(present == size)
        highest.append(rows[np.argmax(values[rows])])
        lowest.append(rows[np.argmin(values[rows])])
    return masks[highest], masks[lowest]


# ---- growing


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
    sizes: IntArray
    masks: BoolArray = field(init=False)
    values: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.masks, self.values = np.zeros((len(self.sizes), self.n), bool), np.full(len(self.sizes), -np.inf)

    def offer(self, size: int, masks: BoolArray, values: FloatArray) -> None:
        """Take the best of these subsets (m, n) of one size, unless the best so far is as good."""
        winner = int(np.argmax(self.sign * values))
        better = (self.sizes == size) & (self.sign * values[winner] > self.values)
        self.values[better], self.masks[better] = self.sign * values[winner], masks[winner]


def _greedy(
    attributions: FloatArray, interactions: FloatArray, triples: FloatArray | None, starts: IntArray, sizes: IntArray
) -> tuple[BoolArray, BoolArray]:
    """The best and the worst subset of each size among those grown from all starts, by best and by worst players."""
    n = len(attributions)
    highest, lowest = _Best(n, 1.0, sizes), _Best(n, -1.0, sizes)
    for direction in (1.0, -1.0):
        grown = _grow(attributions, interactions, triples, starts, direction)
        for size, (masks, values) in enumerate(islice(grown, int(sizes.max())), start=1):
            highest.offer(size, masks, values)
            lowest.offer(size, masks, values)
    return highest.masks, lowest.masks


def _grow(
    attributions: FloatArray, interactions: FloatArray, triples: FloatArray | None, starts: IntArray, direction: float
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
        if triples is not None:
            for row, player in enumerate(joining):
                gains[row] += inside[row] @ triples[player]
        yield inside, values
        joining = np.argmax(np.where(inside, -np.inf, direction * gains), axis=1)


# ---- exchanging


def _swap(
    attributions: FloatArray, interactions: FloatArray, triples: FloatArray | None, start: BoolArray, sign: float
) -> BoolArray:
    """Exchange one player inside for one outside, the best pair each time, in every subset, until none helps."""
    inside, pairs = start.copy(), sign * interactions
    gains = sign * attributions + inside @ pairs
    tiny = 1e-10 * (1 + np.abs(attributions).max() + np.abs(pairs).max())
    if triples is not None:
        triples = sign * triples
        tiny += 1e-10 * np.abs(triples).max()
    for row in range(len(inside)):
        if triples is None:
            _exchange(inside[row], gains[row], pairs, tiny)
            continue
        # In company every pair is worth more or less; what a player adds counts each of its triples once.
        company = triples[inside[row]].sum(axis=0)
        gained = gains[row] + company @ inside[row] / 2
        _exchange(inside[row], gained, pairs + company, tiny, triples)
    return inside


def _exchange(
    inside: BoolArray, gains: FloatArray, pairs: FloatArray, tiny: float, triples: FloatArray | None = None
) -> None:
    """Exchange players in one subset (n,), in place.

    One subset at a time: an array over subsets and pairs of players would take gigabytes for a thousand players.

    Args:
        inside: who is in it.
        gains: (n,) what each player adds to it.
        pairs: (n, n) interactions; with triples, those in the company of who is inside, and changed in place.
        tiny: exchanges that add no more than this are none.
        triples: (n, n, n), where there are any.
    """
    # How much more than the gains say an exchange can add, at most, since a pair is no longer there.
    reach = max(0.0, -float(pairs.min()))
    while 0 < np.count_nonzero(inside) < len(inside):
        members, others = np.flatnonzero(inside), np.flatnonzero(~inside)
        leaving, joining = members[gains[members].argmin()], others[gains[others].argmax()]
        # Few can take part in an exchange that is as good as this one, and the best is found among them.
        good = max(gains[joining] - gains[leaving] - pairs[leaving, joining], tiny) - tiny
        members = members[gains[joining] - gains[members] + reach >= good]
        others = others[gains[others] - gains[leaving] + reach >= good]
        if not (len(members) and len(others)):
            return
        # Leaving loses the one's gain; joining adds the other's, less the pair that is no longer there.
        change = gains[others] - gains[members, None] - pairs[members[:, None], others]
        best = int(change.argmax())
        if not change.flat[best] > tiny:
            return
        leaving, joining = members[best // len(others)], others[best % len(others)]
        inside[leaving], inside[joining] = False, True
        if triples is None:
            gains += pairs[joining] - pairs[leaving]
        else:
            gains -= pairs[leaving]
            pairs -= triples[leaving]
            gains += pairs[joining]
            pairs += triples[joining]
            reach = max(0.0, -float(pairs.min()))
