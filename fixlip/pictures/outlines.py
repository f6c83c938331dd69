"""Regions of patches outlined on a picture, told apart by letter, pattern and colour."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..masks import BoolArray
from .drawing import CARD, Box, Colour, Point, Sheet, ink_on, mix

# ColorBrewer's Dark2: told apart by people with any colour vision, and not the red and blue of raise and lower.
COLOURS: tuple[Colour, ...] = (
    (27, 158, 119),
    (217, 95, 2),
    (117, 112, 179),
    (231, 41, 138),
    (102, 166, 30),
    (166, 118, 29),
)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LINE, _HATCH, _RIM = 3.0, 1.6, 1.2  # widths, CSS pixels
# Lines within a patch, in shares of its sides: one pattern for each colour.
_PATTERNS: tuple[tuple[tuple[Point, Point], ...], ...] = (
    (((0, 1), (1, 0)),),
    (((0.5, 0), (0.5, 1)),),
    (((0, 0), (1, 1)),),
    (((0, 0.5), (1, 0.5)),),
    (((0, 1), (1, 0)), ((0, 0), (1, 1))),
    (((0.5, 0), (0.5, 1)), ((0, 0.5), (1, 0.5))),
)


def letter_of(number: int) -> str:
    """A to Z for 0 to 25, then A2 and so on."""
    turn, place = divmod(number, len(_LETTERS))
    return f"{_LETTERS[place]}{turn + 1 if turn else ''}"


def colour_for(number: int) -> Colour:
    """The colour of a region; six, again and again."""
    return COLOURS[number % len(COLOURS)]


def draw_regions(sheet: Sheet, box: Box, regions: Mapping[int, BoolArray]) -> None:
    """Outline regions of patches, hatch them, and write their letters, over a picture that is there.

    Args:
        sheet: where.
        box: of the picture, which the patches divide evenly.
        regions: by number, each (rows, columns), True = the patch belongs to it.
    """
    for number, region in regions.items():
        _hatch(sheet, box, region, number)
    for number, region in regions.items():
        for loop in outlines_of(region):
            points = [_point(box, region, point) for point in inset(loop, 0.07)]
            sheet.path([*points, *points[:2]], CARD, _LINE + 2 * _RIM)
            sheet.path([*points, *points[:2]], colour_for(number), _LINE)
    for number, region in regions.items():
        row, column = middle_patch(region)
        badge(sheet, _point(box, region, (column + 0.5, row + 0.5)), number)


def badge(sheet: Sheet, at: Point, number: int) -> None:
    """A region's letter on a disc of its colour."""
    sheet.dot(at, 10, colour_for(number))
    sheet.text(at, letter_of(number), 12, ink_on(colour_for(number)), anchor="mm")


def swatch(sheet: Sheet, box: Box, number: int) -> None:
    """A region's pattern in its colour: an entry of a key."""
    sheet.box(box, fill=mix(CARD, colour_for(number), 0.12))
    _hatch(sheet, box, np.ones((1, 1), bool), number)
    left, top, right, bottom = box
    sheet.path([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], colour_for(number), 2)


def _hatch(sheet: Sheet, box: Box, region: BoolArray, number: int) -> None:
    for row, column in np.argwhere(region):
        for start, end in _PATTERNS[number % len(_PATTERNS)]:
            ends = [_point(box, region, (column + _within(x), row + _within(y))) for x, y in (start, end)]
            sheet.path(ends, CARD, _HATCH + _RIM)
            sheet.path(ends, colour_for(number), _HATCH)


def _within(share: float) -> float:
    """A little closer to the middle of a patch, so that round ends of lines stay inside."""
    return 0.5 + 0.84 * (share - 0.5)


def _point(box: Box, region: BoolArray, at: Point) -> Point:
    """Where a point of the grid, in patches from the top left, lies on the sheet."""
    (rows, columns), (left, top, right, bottom) = region.shape, box
    return left + (right - left) * float(at[0]) / columns, top + (bottom - top) * float(at[1]) / rows


def middle_patch(region: BoolArray) -> tuple[int, int]:
    """(row, column) of the region's patch that is closest to the median of its patches."""
    patches = np.argwhere(region)
    nearest = np.abs(patches - np.median(patches, axis=0)).sum(1)
    row, column = patches[int(np.argmin(nearest))]
    return int(row), int(column)


def outlines_of(region: BoolArray) -> list[list[tuple[int, int]]]:
    """Closed lines around a region and its holes: corners (x, y) in patches, with the region on the right of the way.

    Patches that touch at a corner alone have lines of their own.
    """
    padded = np.pad(region, 1)
    within = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    ways: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row, column in np.argwhere(region & ~within):
        y, x = int(row), int(column)
        sides = (
            (padded[y, x + 1], (x, y), (x + 1, y)),
            (padded[y + 1, x + 2], (x + 1, y), (x + 1, y + 1)),
            (padded[y + 2, x + 1], (x + 1, y + 1), (x, y + 1)),
            (padded[y + 1, x], (x, y + 1), (x, y)),
        )
        for inner, start, end in sides:
            if not inner:
                ways.setdefault(start, []).append(end)
    found, done = [], set()
    for edge in [(start, end) for start, ends in ways.items() for end in ends]:
        loop = []
        while edge not in done:
            done.add(edge)
            loop.append(edge[0])
            (x0, y0), (x, y) = edge
            right = (x - (y - y0), y + (x - x0))
            edge = ((x, y), right if right in ways[x, y] else ways[x, y][0])
        if loop:
            found.append(loop)
    return found


def inset(loop: list[tuple[int, int]], by: float) -> list[Point]:
    """A closed line of level and upright steps, moved to its right by `by`; points within straight lines are dropped.

    So outlines of regions that border on each other lie beside each other.
    """
    points: list[Point] = []
    for k, (x, y) in enumerate(loop):
        (x0, y0), (x1, y1) = loop[k - 1], loop[(k + 1) % len(loop)]
        if (x - x0, y - y0) == (x1 - x, y1 - y):
            continue
        across, down = -(y - y0) - (y1 - y), (x - x0) + (x1 - x)
        points.append((x + by * across, y + by * down))
    return points
