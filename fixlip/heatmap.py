"""A map of one's own, turned into a number for each patch, and numbers for the words."""

from __future__ import annotations

from typing import Any

import numpy as np

from .masks import FloatArray, IntArray
from .regions import NOBODY
from .subject import Subject


def patch_scores(array: Any, subject: Subject) -> FloatArray:
    """A number for each image player, (n_image,).

    Args:
        array: (n_image,); or, where the patches form a grid, a map of any height >= rows and width >= columns that
            covers the whole image. Every patch gets the mean of the map over its area; a cell of the map that lies in
            several patches counts for each by the share that lies there. Regions take a map of any size.
        subject: whose players they are.

    Raises:
        ValueError: one sentence, if it is none of these, or not all are finite real numbers.
    """
    numbers = _numbers("array", array)
    if numbers.shape == (subject.n_image,):
        return numbers
    if subject.regions is not None and numbers.ndim == 2 and numbers.size:
        return _of_regions(numbers, subject.regions, subject.n_image)
    if subject.grid is None:
        raise ValueError(
            f"array: got shape {numbers.shape}, wanted ({subject.n_image},): the image players form no grid."
        )
    rows, columns = subject.grid
    if numbers.ndim != 2 or numbers.shape[0] < rows or numbers.shape[1] < columns:
        raise ValueError(
            f"array: got shape {numbers.shape}, wanted {subject.grid} for the rows and columns of patches, a finer "
            f"map, or ({subject.n_image},)."
        )
    means: FloatArray = _shares(rows, numbers.shape[0]) @ numbers @ _shares(columns, numbers.shape[1]).T
    return means.ravel()


def _of_regions(numbers: FloatArray, regions: IntArray, count: int) -> FloatArray:
    """The mean of a map over each region, of what lies at the middle of its pixels."""
    rows, columns = (
        ((np.arange(side) + 0.5) * cells / side).astype(np.intp)
        for side, cells in zip(regions.shape, numbers.shape, strict=True)
    )
    inside = regions != NOBODY
    at, owners = numbers[np.ix_(rows, columns)][inside], regions[inside]
    return np.asarray(np.bincount(owners, at, count) / np.bincount(owners, minlength=count))


def word_scores(text: Any, subject: Subject) -> FloatArray:
    """A number for each text player, (n_text,); zeros for None.

    Raises:
        ValueError: one sentence, if there are more or fewer, or not all are finite real numbers.
    """
    if text is None:
        return np.zeros(subject.n_text)
    numbers = _numbers("text", text)
    if numbers.shape != (subject.n_text,):
        tokens = ", ".join(subject.labels[subject.n_image :])
        raise ValueError(
            f"text: got shape {numbers.shape}, wanted ({subject.n_text},), a number for each token: {tokens}."
        )
    return numbers


def _numbers(name: str, given: Any) -> FloatArray:
    """Finite real numbers as doubles, from an array, a list or a tensor on any device."""
    if hasattr(given, "detach"):  # a tensor, without importing torch: NumPy takes none that is on a GPU or in bfloat16
        given = given.detach().cpu()
        given = given if given.is_complex() else given.double()
    try:
        array = np.asarray(given)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name}: got {type(given).__name__} that is no array of numbers.") from None
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name}: got entries of type {array.dtype}, wanted real numbers.")
    wrong = np.count_nonzero(~np.isfinite(array))
    if wrong:
        raise ValueError(f"{name}: {wrong} of {array.size} entries are not finite numbers.")
    return array.astype(np.float64)


def _shares(patches: int, cells: int) -> FloatArray:
    """How much of each patch, in one direction, each cell of a finer map covers: (patches, cells), rows sum to one."""
    edges, ends = np.arange(cells + 1) / cells, np.arange(patches + 1) / patches
    upper = np.minimum(ends[1:, None], edges[None, 1:])
    lower = np.maximum(ends[:-1, None], edges[None, :-1])
    return np.asarray(np.clip(upper - lower, 0, None) * patches)
