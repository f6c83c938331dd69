"""Third order, from two surrogates: the same scalar products as for pairs, with one player more.

D_{a u b} = scale <D_a f, D_b g> for patches a and words b: two words and a patch meet as D_ij g and D_k f, two patches
and a word as D_kl f and D_i g, and three of one side meet the other's average. No model call is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..explanation import Explanation
from ..masks import FloatArray
from .indices import MAX_NODES, quadrature, weight_of_triple
from .surrogate import Surrogate


def refine(second: Explanation, triples: FloatArray, **changes: Any) -> Explanation:
    """The explanation of third order whose `second_order()` is the given one.

    Args:
        second: of second order.
        triples: (n, n, n) of the same index: D_ijk, for weighted Banzhaf interactions.
        changes: what else changes: `triple_errors`, `expected_faithfulness`.
    """
    triples = np.asarray(triples, np.float64)
    p, of_pairs = second.p, triples.sum(axis=2)
    total = of_pairs.sum(axis=1) / 2
    # Of one player p^2 sum_{j<k} for averages at p; of averages over p the mean of p^2, a third, takes the place.
    third = p**2 if second.index == "banzhaf" else 1 / 3
    numbers = {
        "constant": second.constant - (p**3 * total.sum() / 3 if second.index == "banzhaf" else 0.0),
        "attributions": second.attributions + (2 * p**2 - third) * total,
        "interactions": second.interactions - p * of_pairs,
        "triples": triples,
        "order": 3,
        "stderr": None,
        "value_errors": second.value_stderr,
        "pair_errors": second.pair_stderr,
        "expected_faithfulness": None,
    }
    return replace(second, **(numbers | changes))


def averaged(
    at: Callable[[float], FloatArray], n_players: int, index: str, p: float, nodes: int = MAX_NODES
) -> FloatArray:
    """What a function of p says of triples, (n, n, n), at p, or for Shapley indices on average over all p."""
    if index == "banzhaf":
        return at(p)
    total = np.zeros((n_players,) * 3)
    for node in quadrature(n_players, index, nodes):
        total += node.weight * weight_of_triple(node.p, index) * at(node.p)
    return total


def derivatives(image: Surrogate, text: Surrogate, p: float) -> torch.Tensor:
    """D_ijk at p of the scalar products of two sides, (n, n, n)."""
    (f0, f1, _), (g0, g1, _) = image.derivatives(p), text.derivatives(p)
    n_image, n = image.n_players, image.n_players + text.n_players
    found = f0.new_zeros((n, n, n))
    patches, words = slice(0, n_image), slice(n_image, n)
    found[patches, patches, patches] = image.triples(p, g0)
    found[words, words, words] = text.triples(p, f0)
    if not text.n_players:
        return found
    two = torch.stack([image.pairs(p, direction) for direction in g1], 2)
    one = torch.stack([text.pairs(p, direction) for direction in f1])
    _spread(found, patches, words, two, one)
    return found


def variances(
    contributions: Iterable[tuple[Iterable[torch.Tensor], slice, slice]], n_players: int, device: str
) -> torch.Tensor:
    """Variances of D_ijk, (n, n, n), from what each sampled side adds for three own players to none; and the slices."""
    total = torch.zeros((n_players,) * 3, dtype=torch.float64, device=device)
    for added, own, other in contributions:
        three, two, one, none = added
        total[own, own, own] += three
        total[other, other, other] += none
        _spread(total, own, other, two, one)
    return total


def _spread(total: torch.Tensor, own: slice, other: slice, two: torch.Tensor, one: torch.Tensor) -> None:
    """Add numbers of triples with two own players, (n, n, n'), and with one, (n, n', n'), in every order."""
    total[own, own, other] += two
    total[own, other, own] += two.permute(0, 2, 1)
    total[other, own, own] += two.permute(2, 0, 1)
    total[own, other, other] += one
    total[other, own, other] += one.permute(1, 0, 2)
    total[other, other, own] += one.permute(1, 2, 0)
