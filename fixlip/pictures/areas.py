"""Regions over a picture: tinted, outlined, framed, with what is written on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..regions import NOBODY
from .drawing import CARD, INK, MUTED, Box, Colour, Point, Sheet, shorten, text_width
from .outlines import inset, outlines_of

if TYPE_CHECKING:
    from ..masks import FloatArray, IntArray
    from .layout import Plan

_LINE, _RIM = 0.8, 1.0  # widths, CSS pixels
_PLATE_TEXT, _WIDEST = 10.5, 96.0
_ABSENT: Colour = (128, 128, 128)  # what is always removed


def loops_of(regions: IntArray, player: int) -> list[list[Point]]:
    """Closed lines around a region and its holes, as shares (x, y) of the picture's width and height."""
    height, width = regions.shape
    loops = [inset(loop, 0.0) for loop in outlines_of(regions == player)]
    return [[(x / width, y / height) for x, y in loop] for loop in loops]


def draw_areas(sheet: Sheet, box: Box, regions: IntArray, colours: NDArray[np.uint8], opacity: FloatArray) -> None:
    """Tint regions, and draw the lines between them, over a picture that is there.

    Args:
        sheet: where.
        box: of the picture.
        regions: (height, width), the player that each place belongs to; what is nobody's is grey.
        colours: (n, 3), of the players.
        opacity: (n,), in 0..1.
    """
    loops = {player: _placed(loops_of(regions, player), box) for player in range(len(colours))}
    for player, lines in loops.items():
        if opacity[player]:
            red, green, blue = (int(one) for one in colours[player])
            sheet.area(lines, (red, green, blue), float(opacity[player]))
    if (regions == NOBODY).any():
        loops[NOBODY] = _placed(loops_of(regions, NOBODY), box)
        sheet.area(loops[NOBODY], _ABSENT, 1.0)
    for colour, width in ((CARD, _LINE + 2 * _RIM), (MUTED, _LINE)):
        for lines in loops.values():
            for line in lines:
                sheet.path([*line, line[0]], colour, width)


def frame_area(sheet: Sheet, box: Box, regions: IntArray, player: int) -> None:
    """A dashed line with a light rim around a region, which reads on any picture."""
    for line in _placed(loops_of(regions, player), box):
        sheet.path([*line, line[0]], CARD, 5.0)
        sheet.path([*line, line[0]], INK, 2.5, dashed=True)


def write_on_areas(sheet: Sheet, plan: Plan, labels: tuple[str, ...], told: Mapping[int, str]) -> None:
    """What is told of regions, after their names, on plates within the picture, above where lines begin."""
    left, top, right, _ = plan.picture
    for player, words in told.items():
        name = shorten(labels[player], _PLATE_TEXT, _WIDEST)
        line = f"{name} {words}"
        width = text_width(line, _PLATE_TEXT) + 6
        x, y = plan.place_of(player)
        x, y = min(max(x - width / 2, left + 1), right - width - 1), max(y - 22, top + 1)
        sheet.box((x, y, x + width, y + 15), fill=CARD, radius=3)
        sheet.text((x + 3, y + 7.5), line, _PLATE_TEXT, INK)


def _placed(loops: list[list[Point]], box: Box) -> list[list[Point]]:
    left, top, right, bottom = box
    return [[(left + x * (right - left), top + y * (bottom - top)) for x, y in loop] for loop in loops]
