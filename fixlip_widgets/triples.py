"""What a page needs to show two words together with every patch: their triples, and no others."""

from __future__ import annotations

import itertools

import numpy as np

from fixlip.expansion import Expansion
from fixlip.masks import FloatArray


def of_word_pairs(explanation: Expansion, numbers: FloatArray | None) -> FloatArray:
    """Triples (or their errors) with two words each, (pairs of words, n): a row for each pair, in reading order.

    Args:
        explanation: whose players they are.
        numbers: (n, n, n); None for none.
    """
    if numbers is None:
        return np.zeros((0, explanation.n_players))
    pairs = list(itertools.combinations(range(explanation.n_image, explanation.n_players), 2))
    return np.array([numbers[pair] for pair in pairs]).reshape(len(pairs), explanation.n_players)
