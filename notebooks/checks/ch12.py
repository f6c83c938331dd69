"""What the exercises of chapter 12 comparing models want."""

from __future__ import annotations

from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


def _way(found: Any) -> float:
    return float(found.full_value - found.empty_value)


def _shares(found: Any) -> Any:
    """(n + 1,): how far along the way the average input is, and how far each player moves it."""
    return np.append(found.average - found.empty_value, found.values) / _way(found)


EXERCISES["12.1"] = Exercise(
    cases=lambda rng, ask: [
        (ask(name), p)
        for name, p in (
            ("emoji-siglip", 0.3),
            ("emoji-clip", 0.7),
            ("emoji-clip-plain", 0.4),
            ("emoji-siglip", round(float(rng.uniform(0.55, 0.65)), 2)),
        )
    ],
    reference=lambda samples, p: _shares(samples.explain(p)),
    hint="take samples.explain(p); the way is full_value - empty_value; the average is first, then the values.",
    mistakes=[
        (
            lambda samples, p: _shares(samples.explain(0.5)),
            "these are the shares at p = 0.5, whatever p is asked for; explanations at different p do not compare.",
        ),
        (
            lambda samples, p: (
                np.append(samples.explain(p).average, samples.explain(p).values) / samples.explain(p).full_value
            ),
            "this divides by the full value. The way starts at the empty value, which is not zero.",
        ),
        (
            lambda samples, p: (
                np.append(samples.explain(p).average - samples.explain(p).empty_value, samples.explain(p).values)
                / samples.explain(p).full_value
            ),
            "this divides by the full value; the way is as long as full_value - empty_value.",
        ),
        (
            lambda samples, p: (
                np.append(samples.explain(p).average, samples.explain(p).values) / _way(samples.explain(p))
            ),
            "the average is measured from the empty value, not from zero logits; you forgot to take that off.",
        ),
        (
            lambda samples, p: (
                (np.append(samples.explain(p).average, samples.explain(p).values) - samples.explain(p).empty_value)
                / _way(samples.explain(p))
            ),
            "values are changes already; the empty value is taken off the average alone.",
        ),
        (
            lambda samples, p: np.append(
                (samples.explain(p).average - samples.explain(p).empty_value) / _way(samples.explain(p)),
                samples.explain(p).values / samples.explain(p).values.sum(),
            ),
            "values at one p need not add up to the way; dividing by their sum hides that.",
        ),
        (
            lambda samples, p: (
                np.append(samples.explain(p).average - samples.explain(p).empty_value, samples.explain(p).attributions)
                / _way(samples.explain(p))
            ),
            "attributions are coefficients at the empty input; what a player contributes is in values.",
        ),
        (
            lambda samples, p: _shares(samples.explain(p))[1:],
            "the values' shares are right; the average's share belongs in front of them.",
        ),
    ],
)


def _covered(count: int, length: float, low: float, high: float) -> Any:
    """(count,): which share of each of `count` equal strips of 0 to `length` lies between low and high."""
    edges = np.linspace(0, length, count + 1)
    return np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None) * count / length


def _weights(grid: Any, box: Any, size: Any) -> Any:
    """(rows, columns): the share of each patch that the box covers."""
    left, top, right, bottom = box
    return np.outer(_covered(grid[0], size[1], top, bottom), _covered(grid[1], size[0], left, right))


def _in_box(values: Any, grid: Any, box: Any, size: Any) -> float:
    return float(values @ _weights(grid, box, size).ravel())


def _centred(grid: Any, box: Any, size: Any) -> Any:
    rows, columns = ((np.arange(count) + 0.5) * side / count for count, side in zip(grid, size[::-1], strict=True))
    left, top, right, bottom = box
    return np.outer((rows > top) & (rows < bottom), (columns > left) & (columns < right)).ravel()


def _box_cases(rng: Any) -> list[tuple[Any, ...]]:
    """Grids that are not square, pictures that are not, and boxes that end within patches."""
    cases: list[tuple[Any, ...]] = [(2.0 ** np.arange(6), (2, 3), (0.0, 10.0, 15.0, 20.0), (30, 20))]
    for grid in ((7, 7), (14, 14), (8, 8), (3, 5), (6, 4)):
        width, height = (int(side) for side in rng.integers(100, 300, 2))
        left, top = rng.uniform(0, 0.5, 2) * (width, height)
        right, bottom = (left, top) + rng.uniform(0.25, 0.5, 2) * (width, height)
        box = tuple(float(edge) for edge in (left, top, right, bottom))
        cases.append((rng.normal(size=grid[0] * grid[1]) + 0.5, grid, box, (width, height)))
    return cases


EXERCISES["12.2"] = Exercise(
    cases=_box_cases,
    reference=_in_box,
    hint="each patch gives its value times the share of its own area that lies in the box; add these up.",
    mistakes=[
        (
            lambda values, grid, box, size: float(values[_weights(grid, box, size).ravel() > 0].sum()),
            "every patch that the box touches counts in full here; it should count by the share that is covered.",
        ),
        (
            lambda values, grid, box, size: float(values[_centred(grid, box, size)].sum()),
            "patches count by their centres here, all or nothing; they should count by the share that is covered.",
        ),
        (
            lambda values, grid, box, size: _in_box(values, grid, box, size) / float(_weights(grid, box, size).sum()),
            "this is a mean over patches. A finer grid has more of them, each with less; only sums compare.",
        ),
        (
            lambda values, grid, box, size: (
                _in_box(values, grid, box, size) * grid[0] * grid[1] / float(size[0] * size[1])
            ),
            "this is divided by the area of a patch in pixels; the weight is covered area over the patch's area.",
        ),
        (
            lambda values, grid, box, size: _in_box(values, grid, (box[1], box[0], box[3], box[2]), size),
            "a box is (left, top, right, bottom): left and right belong to columns, top and bottom to rows.",
        ),
        (
            lambda values, grid, box, size: float(values @ _weights(grid, box, size).T.ravel()),
            "rows and columns are exchanged: patches go row by row, so the weight of rows comes first.",
        ),
        (
            lambda values, grid, box, size: _in_box(values, grid, box, size[::-1]),
            "size is (width, height), as a picture has it: the width is shared by the columns.",
        ),
    ],
)
