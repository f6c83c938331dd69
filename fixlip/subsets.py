"""Subsets of players of highest and lowest value, one for every size, under a second-order explanation.

The value of a subset is what the explanation predicts for it (Baniecki et al., NeurIPS 2025). Finding the best one of
each size is a quadratic problem over 0/1 vectors; small games are enumerated, larger ones searched. Subsets of
different sizes need not be nested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .explanation import Explanation
from .masks import MAX_ENUMERATED_PLAYERS, BoolArray, FloatArray, enumerate_masks

METHODS = ("auto", "greedy", "swaps", "exact")
_MOST_STARTS = 100


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


def subsets(explanation: Explanation, method: str = "auto", starts: Sequence[int] | None = None) -> Subsets:
    """Subsets of highest and lowest value for every size from 1 to n.

    Args:
        explanation: whose predictions are the values.
        method: "greedy" grows subsets player by player from every start, always by the best and always by the worst
            player, and keeps the best of each size over all (as published); "swaps" goes on from there by exchanging
            players in pairs for as long as that helps, so it is never worse; "exact" enumerates (at most 16 players);
            "auto" is "exact" where possible, else "swaps".
        starts: players from which greedy subsets grow; by default all, or for more than 100 players those that matter
            most and least, as published.
    """
    n = explanation.n_players
    if method not in METHODS:
        raise ValueError(f"method: got {method!r}, wanted one of {', '.join(METHODS)}.")
    if method == "auto":
        method = "exact" if n <= MAX_ENUMERATED_PLAYERS else "swaps"
    if method == "exact":
        if n > MAX_ENUMERATED_PLAYERS:
            raise ValueError(f'method: "exact" takes at most {MAX_ENUMERATED_PLAYERS} players, got {n}; use "swaps".')
        high, low = _enumerate(explanation, 1.0), _enumerate(explanation, -1.0)
    else:
        high, low = _greedy(explanation, _starts(explanation, starts))
        if method == "swaps":
            high, low = _swap(explanation, high, 1.0), _swap(explanation, low, -1.0)
    return Subsets(high, low, explanation.predict(high), explanation.predict(low), method)


def _enumerate(explanation: Explanation, sign: float) -> BoolArray:
    masks = enumerate_masks(explanation.n_players)
    values, sizes = sign * explanation.predict(masks), masks.sum(axis=1)
    best = [np.flatnonzero(sizes == k)[np.argmax(values[sizes == k])] for k in range(1, explanation.n_players + 1)]
    return masks[best]


def _starts(explanation: Explanation, starts: Sequence[int] | None) -> NDArray[np.intp]:
    n = explanation.n_players
    if starts is not None:
        chosen = np.array([explanation.find(player) for player in starts], dtype=np.intp)
        if not len(chosen):
            raise ValueError("starts: got none, wanted at least one player.")
        return chosen
    if n <= _MOST_STARTS:
        return np.arange(n)
    # The largest, the smallest and the least important by either order, at most 6 k players (the published heuristic).
    k, found = 19, set()
    for values in (explanation.attributions, explanation.first_order().attributions):
        for order in (np.argsort(values), np.argsort(-values), np.argsort(np.abs(values))):
            found.update(order[:k].tolist())
    return np.array(sorted(found), dtype=np.intp)


def _greedy(explanation: Explanation, starts: NDArray[np.intp]) -> tuple[BoolArray, BoolArray]:
    """The best and the worst subset of each size among those grown from all starts, by best and by worst players."""
    n = explanation.n_players
    best = [np.zeros((n, n), bool), np.zeros((n, n), bool)]
    values = [np.full(n, -np.inf), np.full(n, -np.inf)]
    for direction in (1.0, -1.0):
        inside = np.zeros((len(starts), n), bool)
        gains = np.repeat(explanation.attributions[None, :], len(starts), axis=0)
        total, joining = np.zeros(len(starts)), starts
        rows = np.arange(len(starts))
        for size in range(n):
            total = total + gains[rows, joining]
            inside[rows, joining] = True
            gains += explanation.interactions[joining]
            for side, sign in enumerate((1.0, -1.0)):
                winner = int(np.argmax(sign * total))
                if sign * total[winner] > values[side][size]:
                    values[side][size] = sign * total[winner]
                    best[side][size] = inside[winner]
            joining = np.argmax(np.where(inside, -np.inf, direction * gains), axis=1)
    return best[0], best[1]


def _swap(explanation: Explanation, start: BoolArray, sign: float) -> BoolArray:
    """Exchange one player inside for one outside, the best pair each time, in all subsets at once, until none helps."""
    inside, pairs = start.copy(), sign * explanation.interactions
    gains = sign * explanation.attributions + inside @ pairs
    active = np.flatnonzero(~inside.all(axis=1))
    tiny = 1e-10 * (1 + np.abs(explanation.attributions).max() + np.abs(pairs).max())
    while len(active):
        rows = inside[active]
        # Leaving loses gains[out]; joining adds gains[in], less the pair that is no longer there.
        change = gains[active][:, None, :] - gains[active][:, :, None] - pairs[None]
        change[~(rows[:, :, None] & ~rows[:, None, :])] = -np.inf
        flat = change.reshape(len(active), -1)
        best = flat.argmax(axis=1)
        helps = flat[np.arange(len(active)), best] > tiny
        active, best = active[helps], best[helps]
        leaving, joining = np.divmod(best, inside.shape[1])
        inside[active, leaving], inside[active, joining] = False, True
        gains[active] += pairs[joining] - pairs[leaving]
    return inside
