"""Pictures of pairs of one kind: two images beside each other, or two texts below each other, with lines between."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .drawing import (
    CARD,
    MUTED,
    NEGATIVE,
    POSITIVE,
    Box,
    Colour,
    Point,
    Sheet,
    mix,
    text_width,
    wrap,
)
from .layout import (
    CHIP_GAP,
    CHIP_HEIGHT,
    CHIP_TEXT,
    LEGEND_TEXT,
    LINES_KEY,
    MARGIN,
    NARROW,
    SCALE_LINE,
    TAG_GAP,
    TAG_TEXT,
    Content,
    Plan,
)
from .legend import draw_legend, meaning_lines
from .lines import curve
from .pair import draw_chip, draw_head, draw_patch_values, draw_patches, draw_rulers, head_of

if TYPE_CHECKING:
    from ..expansion import Expansion

_APART = 44.0  # between two images
_BETWEEN = 84.0  # between two texts, where lines pass
_LETTERS = ("A", "B")


@dataclass(frozen=True)
class Half:
    """One side of a pair.

    Attributes:
        expansion: its players alone, as image players.
        content: what is shown of them.
    """

    expansion: Expansion
    content: Content


def twin_sheet(
    explanation: Expansion,
    halves: tuple[Half, Half],
    content: Content,
    width: int,
    title: str | None,
    subtitle: str | None,
    legend: bool,
    coefficients: bool,
) -> Sheet:
    """The drawing of a pair: halves with or without grids, the strongest interactions as lines, a legend."""
    head = head_of(explanation, content, width, title, coefficients, subtitle)
    gridded = all(half.expansion.grid for half in halves)
    boxes, bottom = (
        _lay_out_images(halves, head.height, width) if gridded else _lay_out_texts(halves, head.height, width)
    )
    lines = (1 if np.isclose(content.image_scale, content.text_scale) else 2) + len(meaning_lines(content, width))
    rows = 18 + LEGEND_TEXT + 4 + SCALE_LINE * lines
    key = LINES_KEY if content.edges and width < NARROW else 0.0
    sheet = Sheet(width, bottom + 14 + (rows + key if legend else 0.0))
    draw_head(sheet, head)
    places: list[Box] = []
    for letter, half, found in zip(_LETTERS, halves, boxes, strict=True):
        if gridded:
            plan = Plan(half.expansion.grid, found[0], {}, bottom, width, sheet.height)
            draw_patches(sheet, half.expansion, half.content, plan.picture)
            draw_rulers(sheet, plan)
            places += [plan.box_of(player) for player in range(half.expansion.n_image)]
            sheet.text((found[0][0] - 6, found[0][1] - 8), letter, TAG_TEXT, MUTED, anchor="rm")
        else:
            places += found
            sheet.text((found[0][0] - TAG_GAP, (found[0][1] + found[0][3]) / 2), letter, TAG_TEXT, MUTED, anchor="rm")
    _draw_lines(sheet, content, places, gridded)
    for half, found in zip(halves, boxes, strict=True):
        if gridded:
            plan = Plan(half.expansion.grid, found[0], {}, bottom, width, sheet.height)
            draw_patch_values(sheet, half.expansion, half.content, plan, most=4)
            continue
        for player, box in enumerate(found):
            label = half.expansion.labels[player]
            draw_chip(sheet, label, half.content, player, half.content.image_scale, box)
    for player in content.condition:
        left, top, right, lower = places[player]
        sheet.frame((left - 2, top - 2, right + 2, lower + 2))
    if legend:
        draw_legend(sheet, content, bottom + 14)
    return sheet


def _lay_out_images(halves: tuple[Half, Half], top: float, width: float) -> tuple[list[list[Box]], float]:
    """Boxes of two images beside each other, as large as there is room, and their lower end."""
    room = (width - 2 * MARGIN - _APART) / 2
    boxes, left = [], MARGIN
    for half in halves:
        rows, columns = half.expansion.grid or (1, 1)
        boxes.append([(left, top, left + room, top + room * rows / columns)])
        left += room + _APART
    return boxes, max(box[0][3] for box in boxes)


def _lay_out_texts(halves: tuple[Half, Half], top: float, width: float) -> tuple[list[list[Box]], float]:
    """Boxes of the words of two texts below each other, and their lower end."""
    found: list[list[Box]] = []
    for half in halves:
        labels, boxes = half.expansion.labels, []
        widths = [min(width - 2 * MARGIN, max(46.0, text_width(label, CHIP_TEXT) + 20)) for label in labels]
        for line in wrap(widths, CHIP_GAP, width - 2 * MARGIN):
            left = (width - sum(widths[i] for i in line) - CHIP_GAP * (len(line) - 1)) / 2
            for i in line:
                boxes.append((left, top, left + widths[i], top + CHIP_HEIGHT))
                left += widths[i] + CHIP_GAP
            top += CHIP_HEIGHT + CHIP_GAP
        found.append(boxes)
        top += _BETWEEN
    return found, top - _BETWEEN - CHIP_GAP


def _draw_lines(sheet: Sheet, content: Content, places: list[Box], gridded: bool) -> None:
    """Interactions as lines between players of the two halves; the strongest lie on top."""
    dots: list[tuple[Point, float, Colour]] = []
    for term in reversed(content.edges):
        share = abs(term.value) / abs(content.edges[0].value)
        colour, width = (POSITIVE if term.value > 0 else NEGATIVE), 1.2 + 3.2 * share
        first, second = (places[player] for player in term.players)
        start, end = _ends(first, second, gridded)
        # Between images the line leaves sideways: the same curve with its axes exchanged.
        points = [(x, y) for y, x in curve(start[::-1], end[::-1])] if gridded else curve(start, end)
        sheet.path(points, CARD, width + 2.4)
        sheet.path(points, mix(CARD, colour, 0.45 + 0.55 * share), width, dashed=term.value < 0)
        dots += [(at, 2.2 + 2.0 * share, colour) for at in (start, end)]
    for at, radius, colour in dots:
        sheet.dot(at, radius, colour)


def _ends(first: Box, second: Box, gridded: bool) -> tuple[Point, Point]:
    """Where a line starts and ends: below the numbers of two patches, or between two words."""
    (x0, x1), dot = ((box[0] + box[2]) / 2 for box in (first, second)), 0.68
    if gridded:
        return (x0, first[1] + dot * (first[3] - first[1])), (x1, second[1] + dot * (second[3] - second[1]))
    return (x0, first[3]), (x1, second[1])


def half_content(content: Content, first: int, count: int, scale: float) -> Content:
    """What is shown of `count` players from `first` on, on a scale of their own."""
    part = slice(first, first + count)
    return replace(
        content,
        values=content.values[part],
        inside=content.inside[part],
        condition=tuple(player - first for player in content.condition if first <= player < first + count),
        edges=[],
        image_scale=scale,
    )
