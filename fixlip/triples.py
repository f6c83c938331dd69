"""Third order: what three players do together beyond what their pairs do, and the algebra that goes with it.

The best fit of third order under the p-measure is the Taylor expansion of the multilinear extension, at (p, ..., p), to
third order (Marichal and Mathonet, Discrete Applied Mathematics 2011): the values and the interactions of second order
stay what they are, and triples D_ijk are added. In coordinates around the empty coalition these are

    e_ijk = D_ijk,   e_ij = D_ij - p sum_k D_ijk,   e_i = D_i - p sum_j D_ij + p^2 sum_{j<k} D_ijk,

so the coefficient of a pair is no longer its average effect: `Explanation.pair_values` is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .masks import BoolArray, FloatArray, IntArray

# All triples of so many players are 216 MB of doubles; those of 14 x 14 patches and 8 words are 68 MB.
MOST_PLAYERS = 300


def check_players(n_players: int) -> int:
    """Return the number of players; ValueError if all their triples would not fit into memory."""
    if n_players > MOST_PLAYERS:
        raise ValueError(
            f"order: got 3 for {n_players:,} players, wanted at most {MOST_PLAYERS} for triples, or order 2."
        )
    return n_players


def frozen_triples(name: str, values: Any, n_players: int, least: float = -np.inf) -> FloatArray:
    """Triples that nobody can change, (n, n, n); ValueError unless symmetric, zero where players coincide, and finite.

    What is such an array already is not copied: there may be hundreds of megabytes of it.
    """
    n = check_players(n_players)
    given = np.asarray(values)
    if given.dtype.kind not in "fiub" or given.shape != (n, n, n):
        raise ValueError(f"{name}: got shape {given.shape} of {given.dtype}, wanted ({n}, {n}, {n}) real numbers.")
    kept = given.dtype == np.float64 and given.base is None and not given.flags.writeable
    array: FloatArray = given if kept else given.astype(np.float64)
    # Not finite, if anything is: a sum of finite numbers this size does not overflow. No arrays of booleans needed.
    if not np.isfinite(array.sum()) or (least > -np.inf and array.min(initial=0.0) < least):
        raise ValueError(
            f"{name}: got values that are not finite{'' if least == -np.inf else f', or below {least:g}'}."
        )
    places = np.arange(n)
    if array[places, places].any() or not all(
        np.array_equal(array, array.swapaxes(*axes)) for axes in ((0, 1), (1, 2))
    ):
        raise ValueError(f"{name}: wanted a symmetric array with zeros where two players are the same.")
    array.flags.writeable = False
    return array


def cubic(masks: BoolArray, triples: FloatArray) -> FloatArray:
    """Sum of the triples that lie within each mask x of shape (m, n): sum_{i<j<k} triples_ijk x_i x_j x_k, (m,)."""
    present, total = masks.astype(np.float64), np.zeros(len(masks))
    for i in range(masks.shape[1] - 2):
        rows = np.flatnonzero(masks[:, i])
        rest = present[rows, i + 1 :]
        total[rows] += 0.5 * np.einsum("mj,mj->m", rest @ triples[i, i + 1 :, i + 1 :], rest)
    return total


def place(triples: Any, i: int, block: Any) -> None:
    """Put in all triples of player `i` with later ones: an array or tensor (n, n, n), and (n - i - 1, n - i - 1).

    Args:
        triples: is changed.
        i: a player.
        block: of the players after i; symmetric, with a zero diagonal.
    """
    later = slice(i + 1, None)
    triples[i, later, later] = triples[later, i, later] = triples[later, later, i] = block


def triple_indices(n_players: int) -> tuple[IntArray, IntArray, IntArray]:
    """First, second and third player of every triple i < j < k, in lexicographic order."""
    at = np.arange(n_players)
    first, second, third = np.nonzero((at[:, None, None] < at[:, None]) & (at[:, None] < at))
    return first, second, third


def packed(triples: FloatArray) -> FloatArray:
    """Each triple once, i < j < k in lexicographic order: (n (n-1) (n-2) / 6,)."""
    return np.asarray(triples[triple_indices(len(triples))])


def unpacked(values: NDArray[Any], n_players: int) -> FloatArray:
    """(n, n, n) of what `packed` gives; ValueError if there are more or fewer."""
    n, triples = check_players(n_players), np.zeros((n_players,) * 3)
    wanted = n * (n - 1) * (n - 2) // 6
    if values.shape != (wanted,):
        raise ValueError(f"{values.size:,} triples instead of {wanted:,}")
    start = 0
    for i in range(n - 2):
        block = np.zeros((n - i - 1,) * 2)
        pairs = np.triu_indices(n - i - 1, 1)
        block[pairs] = values[start : start + len(pairs[0])]
        start += len(pairs[0])
        place(triples, i, block + block.T)
    return triples
