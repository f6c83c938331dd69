"""How the errors of two explanations go together: what leaving out each sample changes in the numbers of both.

If two explanations were made from answers to the same masks, a sample that misleads one often misleads the other as
well, and their difference is known better than either. With v1 and v2 the variances of two numbers,

    variance of the difference = v1 + v2 - 2 rho sqrt(v1 v2),

where rho is the correlation, over samples, of what leaving out each of them changes in the one and in the other (the
jackknife: Efron, The Jackknife, the Bootstrap and Other Resampling Plans, 1982, Chapter 3). It is written here as
(s1 - s2)^2 + 2 (1 - rho) s1 s2, which no rounding error can make negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .masks import BoolArray, FloatArray

# Of so many pairs of each kind the changes are kept: those of all would fill the memory, and one correlation is enough.
_PAIRS = 48


@dataclass(frozen=True, eq=False)
class Changes:
    """What leaving out each of a side's m samples changes in an explanation's numbers, in any unit.

    Attributes:
        masks: (m, n_own), of the samples.
        values: (m, n), in the players' values.
        pairs: (m, k), in the average interactions of the pairs `chosen_pairs`.
    """

    masks: BoolArray
    values: NDArray[np.float32]
    pairs: NDArray[np.float32]


# Those of the image's samples and of the caption's; None for a side that was not sampled, and so has no errors.
Jackknife = tuple[Changes | None, Changes | None]


class ChosenPairs(NamedTuple):
    """Some pairs of players i < j, and their kind, all (k,): 0 of patches, 1 of words, 2 + t of patches with word t."""

    i: NDArray[np.intp]
    j: NDArray[np.intp]
    kind: NDArray[np.intp]


@lru_cache(64)
def chosen_pairs(n_image: int, n_text: int) -> ChosenPairs:
    """The pairs whose changes are kept; always the same of as many players."""
    found = []
    for kind, (start, count) in enumerate(((0, n_image), (n_image, n_text))):
        i, j = np.triu_indices(count, 1)
        some = np.random.default_rng(0).permutation(len(i))[:_PAIRS]
        found.append((i[some] + start, j[some] + start, np.full(len(some), kind)))
    patches = np.random.default_rng(1).permutation(n_image)[: max(2, _PAIRS // max(1, n_text))]
    word = np.repeat(np.arange(n_text), len(patches))
    found.append((np.tile(patches, n_text), word + n_image, word + 2))
    return ChosenPairs(*(np.concatenate(one).astype(np.intp) for one in zip(*found, strict=True)))


def value_errors(
    errors: tuple[FloatArray, FloatArray], first: Jackknife | None, second: Jackknife | None
) -> FloatArray:
    """Standard errors of the differences of two explanations' values, (n,), from those of either.

    Args:
        errors: (n,) of the first and of the second.
        first: its changes; None where they are not known. Then, and where the masks are others, the errors are taken to
            be independent.
        second: the same of the second.
    """
    n = len(errors[0])
    return _combined(*errors, _apart(first, second, "values", np.arange(n), n))


def pair_errors(
    errors: tuple[FloatArray, FloatArray], first: Jackknife | None, second: Jackknife | None, n_image: int
) -> FloatArray:
    """The same of pairs, (n, n).

    One correlation serves all pairs of patches, one all pairs of words, and one the pairs of patches with each word.

    Args:
        errors: (n, n) of the first and of the second.
        first: its changes, or None.
        second: the same of the second.
        n_image: number of patches.
    """
    n = len(errors[0])
    apart = _apart(first, second, "pairs", chosen_pairs(n_image, n - n_image).kind, 2 + n - n_image)
    word = np.maximum(np.arange(n) - n_image, -1)  # -1 for patches
    last, both = np.maximum(word[:, None], word), np.minimum(word[:, None], word) >= 0
    kinds = np.where(both, 1, np.where(last >= 0, 2 + last, 0))
    return _combined(*errors, apart[kinds])


def _combined(first: FloatArray, second: FloatArray, apart: FloatArray) -> FloatArray:
    found: FloatArray = np.sqrt((first - second) ** 2 + 2 * apart * first * second)
    return found


def _apart(
    first: Jackknife | None, second: Jackknife | None, name: str, kind: NDArray[np.intp], n_kinds: int
) -> FloatArray:
    """One minus the correlation of the changes of the numbers of each kind, (n_kinds,); `kind` (k,) is that of each."""
    if first is None or second is None:
        return np.ones(n_kinds)

    def total(squares: FloatArray) -> FloatArray:
        return np.bincount(kind, squares, n_kinds).astype(np.float64)

    def scaled(sides: Jackknife) -> list[FloatArray]:
        """The changes of both sides' samples, divided such that the squares of all of a kind sum to one."""
        tables = [np.zeros((0, len(kind))) if one is None else getattr(one, name).astype(float) for one in sides]
        norm = np.sqrt(total(np.sum([np.square(table).sum(0) for table in tables], axis=0)))
        return [table / np.where(norm > 0, norm, 1.0)[kind] for table in tables]

    found = np.zeros(n_kinds)
    for a, b, one, other in zip(scaled(first), scaled(second), first, second, strict=True):
        both = _shared(one, other)
        found += total(np.square(a[:both] - b[:both]).sum(0)) / 2
        found += total(np.square(a[both:]).sum(0) + np.square(b[both:]).sum(0)) / 2
    return found


def _shared(first: Changes | None, second: Changes | None) -> int:
    """How many samples both have; of the same draw, the smaller number are the first of the larger."""
    if first is None or second is None or first.masks.shape[1] != second.masks.shape[1]:
        return 0
    both = min(len(first.masks), len(second.masks))
    return both if np.array_equal(first.masks[:both], second.masks[:both]) else 0
