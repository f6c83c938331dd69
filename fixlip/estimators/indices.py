"""Interaction indices, all from the derivatives of the multilinear extension.

With D_S(p) the expected effect of adding the players in S when everybody else is present with probability p:

- the second-order game that fits best under the p-measure is the Taylor expansion of the extension around p, that is
  weighted Banzhaf interactions D_ij(p) and values D_i(p) (Baniecki et al., NeurIPS 2025, Theorem 1);
- Shapley values are the average of D_i over p (Owen, Management Science 1972), Shapley interactions that of D_ij
  (Grabisch and Roubens, Int. J. Game Theory 1999), which k-SII of order two completes to a game whose attributions
  and interactions add up to the value of the grand coalition (Bordt and von Luxburg, AISTATS 2023);
- faithful Shapley interactions of order two are the average of D_ij with the density 6 p (1 - p): the weights
  6 (t+1)! (n-t-1)! / (n+1)! of the closed form (Tsai, Yeh and Ravikumar, JMLR 2023, Theorem 19) are Beta integrals.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..masks import FloatArray

INDICES = ("banzhaf", "shapley", "sii")
# The index of numbers that follow another rule than averaging over coalitions, a gradient method's, say.
SCORES = "scores"
# What the literature and shapiq call them: faithful or weighted Banzhaf, faithful Shapley, and k-Shapley interactions.
ALIASES = {"banzhaf": ("FBII", "WBII"), "shapley": ("FSII",), "sii": ("k-SII",)}
Derivatives = Callable[[float], tuple[float, FloatArray, FloatArray]]
# Derivatives are polynomials in p of degree n - 1 at most; with so many nodes the quadrature is exact for 60 players,
# and for more it errs by far less than anything that was estimated.
MAX_NODES = 32
# Error bars of Shapley indices are averages over p of smooth functions; a few nodes do.
ERROR_NODES = 5


def check_index(index: str) -> str:
    """Return the name of `INDICES` for an index given by it or by one of its `ALIASES`, whatever the case.

    Raises:
        ValueError: one sentence, if there is no such index.
    """
    for name in INDICES:
        if isinstance(index, str) and index.lower() in (name, *(alias.lower() for alias in ALIASES[name])):
            return name
    aliases = ", ".join(" or ".join(ALIASES[name]) for name in INDICES)
    raise ValueError(f"index: got {index!r}, wanted one of {', '.join(INDICES)} (that is {aliases}).")


def coefficients(
    derivatives: Derivatives, n_players: int, index: str, p: float, ends: tuple[float, float]
) -> tuple[float, FloatArray, FloatArray]:
    """Constant, attributions (n,) and interactions (n, n) of an index.

    Args:
        derivatives: of p, returns E_p[v], D_i (n,) and D_ij (n, n).
        n_players: how many players there are.
        index: one of `INDICES`.
        p: presence probability for "banzhaf".
        ends: values of the empty and of the grand coalition, which both Shapley indices meet exactly.
    """
    if index == "banzhaf":
        return taylor(*derivatives(p), p)
    single, pair = np.zeros(n_players), np.zeros((n_players, n_players))
    for node in quadrature(n_players, index):
        _, by_one, by_two = derivatives(node.p)
        single += node.weight * by_one
        pair += node.weight * node.of_pair * by_two
    # Values estimated miss the difference between the ends by a little; least squares spreads it evenly.
    single += (ends[1] - ends[0] - single.sum()) / n_players
    return ends[0], single - pair.sum(axis=1) / 2, pair


class Node(NamedTuple):
    """One p of the average over p that a Shapley index is.

    With the weights w, an interaction is the sum of w * of_pair * D_ij(p), and an attribution that of
    w * (D_i(p) - of_pair / 2 * sum over j of D_ij(p)).
    """

    p: float
    weight: float
    of_pair: float


def quadrature(n_players: int, index: str, nodes: int = MAX_NODES) -> list[Node]:
    """Gauss-Legendre nodes in (0, 1) for the index "shapley" or "sii"; the weights sum to one."""
    points, weights = np.polynomial.legendre.leggauss(min(nodes, n_players // 2 + 2))
    return [
        Node(float(p), float(weight), float(6 * p * (1 - p)) if index == "shapley" else 1.0)
        for p, weight in zip((points + 1) / 2, weights / 2, strict=True)
    ]


def weight_of_triple(p: float, index: str) -> float:
    """The density of D_ijk(p) in the average over p that a Shapley interaction of order three is.

    For faithful Shapley interactions it is 30 p^2 (1 - p)^2 (Tsai, Yeh and Ravikumar, JMLR 2023, Theorem 19), for
    Shapley interactions 1. The lower orders then follow from those of order two (see `fixlip.triples.refine`).
    """
    return 30 * (p * (1 - p)) ** 2 if index == "shapley" else 1.0


def taylor(d0: float, d1: FloatArray, d2: FloatArray, p: float) -> tuple[float, FloatArray, FloatArray]:
    """From an expansion around p, d0 + sum d1_i (x_i - p) + sum d2_ij (x_i - p)(x_j - p), to coefficients of x."""
    return float(d0 - p * d1.sum() + p**2 * d2.sum() / 2), d1 - p * d2.sum(axis=1), d2
