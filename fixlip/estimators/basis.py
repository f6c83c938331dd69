"""The p-biased orthonormal basis, in which the best second-order fit is a list of averages.

With sigma^2 = p (1 - p), the functions chi_S(x) = prod_{i in S} (x_i - p) / sigma are orthonormal under the p-measure,
so the coefficients of the least-squares fit are c_S = E_p[v chi_S]. The fit's ordinary coefficients follow from them
(Baniecki et al., NeurIPS 2025, Theorem 1).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..masks import BoolArray, FloatArray
from .indices import taylor


def standardise(masks: BoolArray, p: float) -> FloatArray:
    """chi_i(x) = (x_i - p) / sigma, shape (m, n)."""
    return np.asarray((masks - p) / np.sqrt(p * (1.0 - p)), dtype=np.float64)


def pairs(n_players: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and second player of every pair i < j, in lexicographic order, each of shape (n (n-1) / 2,)."""
    return np.triu_indices(n_players, 1)


def expand(masks: BoolArray, p: float, order: int) -> FloatArray:
    """All chi_S with |S| <= order, empty set first, then players, then pairs: shape (m, columns)."""
    chi = standardise(masks, p)
    columns = [np.ones((len(masks), 1))]
    if order >= 1:
        columns.append(chi)
    if order >= 2:
        first, second = pairs(masks.shape[1])
        columns.append(chi[:, first] * chi[:, second])
    return np.concatenate(columns, axis=1)


def n_columns(n_players: int, order: int) -> int:
    """How many subsets S of n players have |S| <= order (0, 1 or 2): as many as coefficients there are."""
    return sum(math.comb(n_players, size) for size in range(order + 1))


def to_coefficients(c0: float, c1: FloatArray, c2: FloatArray, p: float) -> tuple[float, FloatArray, FloatArray]:
    """From orthonormal coefficients to those of 1, x_i and x_i x_j.

    Args:
        c0: c of the empty set.
        c1: (n,) c of single players.
        c2: (n, n) c of pairs, symmetric with zero diagonal.
        p: presence probability.

    Returns:
        constant, attributions (n,), interactions (n, n).
    """
    variance = p * (1.0 - p)
    return taylor(c0, c1 / np.sqrt(variance), c2 / variance, p)
