"""Bars of signed numbers with their names and error bars: the picture of players that have no place in an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .drawing import CARD, INK, INTERVAL, MUTED, NEGATIVE, POSITIVE, Sheet, lines_of, shorten, text_width
from .layout import FACT_TEXT, LEGEND_TEXT, MARGIN, SCALE_LINE, Head

_LABEL_TEXT, _NUMBER_TEXT = 13.0, 11.5
_ROW, _BAR, _GAP = 24.0, 13.0, 10.0
_HEADING, _AFTER = 30.0, 10.0  # above the rows of a group, and below them
_MOST_LABEL, _LEAST_BARS = 0.4, 60.0  # of the width, for names; and CSS pixels for bars


@dataclass(frozen=True)
class Bar:
    """One number: what it is called, how it is told, and its standard error where that is known."""

    label: str
    value: float
    told: str
    stderr: float | None = None

    @property
    def reach(self) -> tuple[float, float]:
        """From where to where bar and error bar go; zero lies within."""
        error = INTERVAL * (self.stderr or 0.0)
        return min(0.0, self.value - error), max(0.0, self.value + error)


@dataclass(frozen=True)
class Group:
    """Bars on one scale below a heading.

    Attributes:
        heading: what they are.
        bars: from the top.
        scale: the absolute value at which bars end; those that are longer are cut, and their numbers are not.
    """

    heading: str
    bars: Sequence[Bar]
    scale: float


@dataclass(frozen=True)
class _Columns:
    """Where things are: names end at `labels`, zero is at `zero`, a group's scale takes `unit`, numbers end right."""

    labels: float
    zero: float
    unit: float


def bar_sheet(
    head: Head, draw_head: Callable[[Sheet, Head], None], groups: Sequence[Group], key: str, width: int
) -> Sheet:
    """The canvas: head, groups of bars with one zero for all, and a key in small print, if any.

    Args:
        head: title and facts, laid out for this width.
        draw_head: draws them.
        groups: below each other.
        key: what a bar says.
        width: in CSS pixels.
    """
    keys = lines_of(key, LEGEND_TEXT, width - 2 * MARGIN) if key else []
    rows = sum(_HEADING + _AFTER + _ROW * max(1, len(group.bars)) for group in groups)
    sheet = Sheet(width, head.height + rows + SCALE_LINE * len(keys) + 10)
    draw_head(sheet, head)
    y, columns = head.height - 8, _columns(groups, width)
    for group in groups:
        y = _draw_group(sheet, group, y, columns)
    for k, line in enumerate(keys):
        sheet.text((MARGIN, y + 4 + SCALE_LINE * k), line, LEGEND_TEXT, MUTED, "la")
    return sheet


def _columns(groups: Sequence[Group], width: float) -> _Columns:
    """Names, bars and numbers side by side; where there is little room, names are cut."""
    bars = [bar for group in groups for bar in group.bars]
    numbers = max((text_width(bar.told, _NUMBER_TEXT) for bar in bars), default=0.0)
    room = width - 2 * MARGIN - numbers - 2 * _GAP  # of names and bars
    names = max((text_width(bar.label, _LABEL_TEXT) for bar in bars), default=0.0)
    labels = MARGIN + min(names, _MOST_LABEL * width, max(room - _LEAST_BARS, room / 2))
    shares = [_cut(end, group.scale) for group in groups for bar in group.bars for end in bar.reach]
    low, high = min(0.0, *shares, 0.0), max(0.0, *shares, 0.0)
    unit = (width - MARGIN - numbers - _GAP - labels - _GAP) / ((high - low) or 1.0)
    return _Columns(labels, labels + _GAP - low * unit, unit)


def _cut(value: float, scale: float) -> float:
    """A share of the scale, -1 to 1."""
    return max(-1.0, min(1.0, value / scale))


def _draw_group(sheet: Sheet, group: Group, top: float, columns: _Columns) -> float:
    """Heading and bars from `top` on; returns their lower end."""
    sheet.text((MARGIN, top + _HEADING / 2), group.heading, FACT_TEXT, MUTED)
    top += _HEADING
    if not group.bars:
        sheet.text((MARGIN, top + _ROW / 2), "none", _LABEL_TEXT, MUTED)
        return top + _ROW + _AFTER
    bottom = top + _ROW * len(group.bars)
    for k, bar in enumerate(group.bars):
        _draw_bar(sheet, bar, group.scale, top + _ROW * (k + 0.5), columns)
    sheet.path([(columns.zero, top), (columns.zero, bottom)], MUTED, 1)
    return bottom + _AFTER


def _draw_bar(sheet: Sheet, bar: Bar, scale: float, y: float, columns: _Columns) -> None:
    label = shorten(bar.label, _LABEL_TEXT, columns.labels - MARGIN)
    sheet.text((columns.labels, y), label, _LABEL_TEXT, INK, "rm")
    zero, end = columns.zero, columns.zero + columns.unit * _cut(bar.value, scale)
    if bar.value:
        fill = POSITIVE if bar.value > 0 else NEGATIVE
        sheet.box((min(zero, end), y - _BAR / 2, max(zero, end), y + _BAR / 2), fill=fill)
    if bar.stderr:
        error = INTERVAL * bar.stderr
        ends = [(zero + columns.unit * _cut(bar.value + side * error, scale), y) for side in (-1, 1)]
        sheet.path(ends, CARD, 3.0)
        sheet.path(ends, INK, 1.2)
    sheet.text((sheet.width - MARGIN, y), bar.told, _NUMBER_TEXT, INK, "rm")
