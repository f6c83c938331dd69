"""Third order, from two surrogates: the same scalar products as for pairs, with one player more.

D_{a u b} = scale <D_a f, D_b g> for patches a and words b: two words and a patch meet as D_ij g and D_k f, two patches
and a word as D_kl f and D_i g, and three of one side meet the other's average. No model call is needed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..masks import FloatArray
from ..triples import check_players, refine
from .indices import quadrature, weight_of_triple
from .surrogate import to_numpy

if TYPE_CHECKING:
    from ..explanation import Explanation
    from .readout import Readout

# As in `readout`, error bars of Shapley indices take a few values of p only.
_ERROR_NODES = 5


def third_order(readout: Readout, p: float, index: str, errors: bool = True) -> Explanation:
    """The explanation of third order at p; arguments as for `Readout.explain`.

    Its second-order part is that of order 2. Triples of 14 x 14 patches and 8 words take about a second and 68 MB, and
    their standard errors as much again.
    """
    check_players(readout.answers.subject.n_players)
    second = readout.explain(p, index, 2, errors=False)
    if errors:
        singles, pairs = readout.standard_errors(p, index, 1)[0], readout.standard_errors(p, index, 2)[1]
        second = replace(second, value_errors=singles, pair_errors=pairs)
    found = averaged(lambda at: derivatives(readout, at), readout.answers.subject.n_players, index, p)
    if not errors:
        return refine(second, found)
    told = averaged(lambda at: standard_errors(readout, at), readout.answers.subject.n_players, index, p, _ERROR_NODES)
    faithful = readout.expected_faithfulness(p, 3) if index == "banzhaf" else None
    return refine(second, found, triple_errors=told, expected_faithfulness=faithful)


def averaged(at: Any, n_players: int, index: str, p: float, nodes: int | None = None) -> FloatArray:
    """What a function of p says of triples, (n, n, n), at p, or for Shapley indices on average over all p."""
    if index == "banzhaf":
        return np.asarray(at(p))
    total = np.zeros((n_players,) * 3)
    for node in quadrature(n_players, index) if nodes is None else quadrature(n_players, index, nodes):
        total += node.weight * weight_of_triple(node.p, index) * at(node.p)
    return total


def derivatives(readout: Readout, p: float) -> FloatArray:
    """D_ijk at p, (n, n, n) logits."""
    image, text = readout.image, readout.text
    (f0, f1, _), (g0, g1, _) = image.derivatives(p), text.derivatives(p)
    n_image, n = image.n_players, image.n_players + text.n_players
    found = f0.new_zeros((n, n, n))
    patches, words = slice(0, n_image), slice(n_image, n)
    found[patches, patches, patches] = image.triples(p, g0)
    found[words, words, words] = text.triples(p, f0)
    with_words = torch.stack([image.pairs(p, direction) for direction in g1], 2)
    with_patches = torch.stack([text.pairs(p, direction) for direction in f1])
    _spread(found, patches, words, with_words, with_patches)
    return to_numpy(found.mul_(readout.answers.scale))


def standard_errors(readout: Readout, p: float) -> FloatArray:
    """Standard errors of D_ijk at p, (n, n, n) logits; those of three players of a sampled side are upper bounds."""
    n = readout.answers.subject.n_players
    variances = torch.zeros((n, n, n), dtype=torch.float64, device=readout.image.device)
    for added, own, other in readout.contributions(p):
        three, two, one, none = added.triples()
        variances[own, own, own] += three
        variances[other, other, other] += none
        _spread(variances, own, other, two, one)
    return readout.deviations(variances)


def _spread(total: torch.Tensor, own: slice, other: slice, two: torch.Tensor, one: torch.Tensor) -> None:
    """Add numbers of triples with two own players, (n, n, n'), and with one, (n, n', n'), in every order."""
    total[own, own, other] += two
    total[own, other, own] += two.permute(0, 2, 1)
    total[other, own, own] += two.permute(2, 0, 1)
    total[own, other, other] += one
    total[other, own, other] += one.permute(1, 0, 2)
    total[other, other, own] += one.permute(1, 2, 0)
