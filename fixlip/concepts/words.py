"""Words for visual concepts: optimal transport between regions and a bank, as published, or the most similar words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..masks import FloatArray, IntArray

SHARPNESS = 2.5  # what cosines are multiplied by before the transport
ITERATIONS = 1000
_SETTLED = 1e-13


def transport_plan(scores: FloatArray, regularisation: float = 1.0, iterations: int = ITERATIONS) -> FloatArray:
    """Sinkhorn and Knopp's scaling of exp(scores / regularisation), rows and then columns to sum one, again and again.

    Args:
        scores: (regions, words), higher where a word fits better.
        regularisation: lambda; the smaller, the more a word goes to one region alone.
        iterations: how often.

    Returns:
        (regions, words), columns of sum one. So a word counts as much as it belongs to this region rather than to the
        others; with one region all are 1, and say nothing.
    """
    log_plan = scores / regularisation  # logarithms neither overflow nor vanish
    for _ in range(iterations):
        before = log_plan
        log_plan = log_plan - np.logaddexp.reduce(log_plan, axis=1, keepdims=True)
        log_plan = log_plan - np.logaddexp.reduce(log_plan, axis=0, keepdims=True)
        if np.abs(log_plan - before).max() < _SETTLED:
            break
    return np.asarray(np.exp(log_plan))


def candidates(similarities: FloatArray, most: int, wanted: int, relevance: FloatArray | None = None) -> IntArray:
    """The words that regions compete for, ascending.

    As published: those among the `most` highest of every region. Three fallbacks for small banks: no more than the
    bank has; where fewer than `wanted` words are in all regions' lists, those that are in any; and `relevance` is not
    asked where it would leave fewer than `wanted`.

    Args:
        similarities: (regions, words).
        most: length of each region's list.
        wanted: how many words there should be at least.
        relevance: (words,) similarity with the whole picture: only words above its mean over the candidates, less 0.01,
            stay (the published code's option).
    """
    regions, words = similarities.shape
    lists = np.argsort(-similarities, axis=1, kind="stable")[:, : min(most, words)]
    counts = np.bincount(lists.ravel(), minlength=words)
    found = np.flatnonzero(counts == regions)
    if len(found) < min(wanted, words):
        found = np.flatnonzero(counts)
    if relevance is not None:
        kept = found[relevance[found] > relevance[found].mean() - 0.01]
        found = kept if len(kept) >= min(wanted, len(found)) else found
    return np.asarray(found, np.intp)


def words_of_regions(
    similarities: FloatArray,
    count: int = 3,
    *,
    transport: bool = True,
    most: int = 100,
    regularisation: float = 1.0,
    relevance: FloatArray | None = None,
) -> tuple[tuple[int, ...], ...]:
    """The words of each region, best first.

    Args:
        similarities: (regions, words), cosines.
        count: words of a region.
        transport: share words out by optimal transport; with one region there is nothing to share out.
        most: see `candidates`.
        regularisation: see `transport_plan`.
        relevance: see `candidates`.
    """
    if not len(similarities):
        return ()
    if not transport or len(similarities) == 1:
        return _best(similarities, np.arange(similarities.shape[1]), count)
    found = candidates(similarities, most, count, relevance)
    return _best(transport_plan(SHARPNESS * similarities[:, found], regularisation), found, count)


def _best(scores: FloatArray, words: IntArray, count: int) -> tuple[tuple[int, ...], ...]:
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    return tuple(tuple(int(words[k]) for k in row) for row in order)


def by_importance(chosen: Sequence[Sequence[int]], relevance: FloatArray) -> tuple[int, ...]:
    """D_v: all regions' words, each once, those most similar to the whole picture first; ties as they were named."""
    every = list(dict.fromkeys(word for words in chosen for word in words))
    return tuple(sorted(every, key=lambda word: -relevance[word]))


def of_class(similarities: FloatArray, count: int) -> tuple[int, ...]:
    """D_y: the words (of similarities (words,) with a class prompt) that are most similar, best first."""
    return tuple(int(k) for k in np.argsort(-similarities, kind="stable")[:count])
