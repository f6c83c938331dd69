"""What leaving out each sample of a side changes in the numbers of an explanation (see `fixlip.jackknife`).

Without sample m a number is less by the sample's influence times `left_out`, in the direction that the number meets of
the other side: nothing is fitted anew (see `KernelSurrogate.influence`).
"""

from __future__ import annotations

import numpy as np
import torch

from ..jackknife import Changes, chosen_pairs
from .indices import ERROR_NODES, Node, quadrature
from .kernel import KernelSurrogate
from .surrogate import Surrogate, to_numpy


def changes_of(own: Surrogate, other: Surrogate, p: float, index: str, is_image: bool) -> Changes | None:
    """The changes that a side's samples make, whose own players are the image's or the caption's; None if it is exact.

    Those of Shapley indices are averages over p.
    """
    if not isinstance(own, KernelSurrogate):
        return None
    n = own.n_players + other.n_players
    nodes = [Node(p, 1.0, 1.0)] if index == "banzhaf" else quadrature(n, index, ERROR_NODES)
    found = [(node, *_at(own, other, node.p, is_image)) for node in nodes]
    values = torch.stack([node.weight * of_values for node, of_values, _ in found]).sum(0)
    pairs = torch.stack([node.weight * node.of_pair * of_pairs for node, _, of_pairs in found]).sum(0)
    return Changes(own.masks, *(to_numpy(one).astype(np.float32) for one in (values, pairs)))


def _at(own: KernelSurrogate, other: Surrogate, p: float, is_image: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """In D_i, (m, n), and in D_ij of the chosen pairs, (m, k)."""
    mean, single, _ = own.influence(p)
    g0, g1, _ = other.derivatives(p)
    by_average, by_single = own.left_out @ g0, own.left_out @ g1.T
    of_own, of_other = single * by_average[:, None], mean[:, None] * by_single
    n_image, n_text = (own if is_image else other).n_players, (other if is_image else own).n_players
    i, j, kind = (torch.as_tensor(one, device=own.device) for one in chosen_pairs(n_image, n_text))
    patches, words, across = kind == 0, kind == 1, kind > 1
    within, beyond = (patches, words) if is_image else (words, patches)
    start, start_other = (0, n_image) if is_image else (n_image, 0)
    of_pairs = own.left_out.new_zeros(len(own.left_out), len(kind))
    of_pairs[:, within] = own.pair_influence(p, i[within] - start, j[within] - start) * by_average[:, None]
    met = other.some_pairs(p, i[beyond] - start_other, j[beyond] - start_other)
    of_pairs[:, beyond] = mean[:, None] * (own.left_out @ met.T)
    mine, theirs = (i[across], j[across] - n_image) if is_image else (j[across] - n_image, i[across])
    of_pairs[:, across] = single[:, mine] * by_single[:, theirs]
    return torch.cat([of_own, of_other] if is_image else [of_other, of_own], 1), of_pairs
