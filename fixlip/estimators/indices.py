"""Interaction indices, all from the derivatives of the multilinear extension.

With D_S(p) the expected effect of adding the players in S when everybody else is present with probability p:

- the second-order game that fits best under the p-measure is the Taylor expansion of the extension around p, that is
  weighted Banzhaf interactions D_ij(p) and values D_i(p) (Baniecki et al., NeurIPS 2025, Theorem 1);
- Shapley values are the average of D_i over p (Owen, Management Science 1972), Shapley interactions that of D_ij
  (Grabisch and Roubens, Int. J. Game Theory 1999);
- faithful Shapley interactions of order two are the average of D_ij with the density 6 p (1 - p): the weights
  6 (t+1)! (n-t-1)! / (n+1)! of the closed form (Tsai, Yeh and Ravikumar, JMLR 2023, Theorem 19) are Beta integrals.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..masks import FloatArray

INDICES = ("banzhaf", "shapley", "sii")
Derivatives = Callable[[float], tuple[float, FloatArray, FloatArray]]
# Derivatives are polynomials in p of degree n - 1 at most; with so many nodes the quadrature is exact for 60 players,
# and for more it errs by far less than anything that was estimated.
_MAX_NODES = 32


def check_index(index: str) -> str:
    """Return `index`, or raise ValueError if there is no such index."""
    if index not in INDICES:
        raise ValueError(f"index: got {index!r}, wanted one of {', '.join(INDICES)}.")
    return index


def coefficients(
    derivatives: Derivatives, n_players: int, index: str, p: float, ends: tuple[float, float]
) -> tuple[float, FloatArray, FloatArray]:
    """Constant, attributions (n,) and interactions (n, n) of an index.

    Args:
        derivatives: of p, returns E_p[v], D_i (n,) and D_ij (n, n).
        n_players: how many players there are.
        index: one of `INDICES`.
        p: presence probability for "banzhaf".
        ends: values of the empty and of the full coalition, which both Shapley indices meet exactly.
    """
    if index == "banzhaf":
        return taylor(*derivatives(p), p)
    single, pair = np.zeros(n_players), np.zeros((n_players, n_players))
    for node, weight, of_pair, _ in quadrature(n_players, index):
        _, by_one, by_two = derivatives(node)
        single += weight * by_one
        pair += weight * of_pair * by_two
    # Values estimated miss the difference between the ends by a little; least squares spreads it evenly.
    single += (ends[1] - ends[0] - single.sum()) / n_players
    return ends[0], single - pair.sum(axis=1) / 2, pair


def quadrature(n_players: int, index: str, nodes: int = _MAX_NODES) -> list[tuple[float, float, float, float]]:
    """Gauss-Legendre nodes p in (0, 1): (p, weight, factor of D_ij in an interaction, and in an attribution)."""
    points, weights = np.polynomial.legendre.leggauss(min(nodes, n_players // 2 + 2))
    rows = []
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        of_pair = 6 * point * (1 - point) if index == "shapley" else 1.0
        rows.append((float(point), float(weight), float(of_pair), float(of_pair / 2)))
    return rows


def taylor(d0: float, d1: FloatArray, d2: FloatArray, p: float) -> tuple[float, FloatArray, FloatArray]:
    """From an expansion around p, d0 + sum d1_i (x_i - p) + sum d2_ij (x_i - p)(x_j - p), to coefficients of x."""
    return float(d0 - p * d1.sum() + p**2 * d2.sum() / 2), d1 - p * d2.sum(axis=1), d2
