"""Curves over a share from 0 to 1 (of the input removed, say), with axes and a key: the picture of every such plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from .drawing import INK, MUTED, Box, Colour, Point, Sheet, lines_of, text_width

_LEFT, _RIGHT, _BOTTOM = 52.0, 20.0, 50.0  # room around the curves for ticks and labels
_HEIGHT = 222.0  # of the curves
_TITLE_TEXT, _TITLE_LINE = 15.0, 20.0
_TEXT, _KEY_LINE, _DASH = 11.0, 16.0, 24.0
_SHARES = {"0%": 0.0, "25%": 0.25, "50%": 0.5, "75%": 0.75, "100%": 1.0}


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        name: for the key.
        y: its values, at least two.
        colour: (red, green, blue), or as HTML writes it.
        dashed: so that curves of one colour are told apart.
        x: the shares that the values belong to, rising; equal steps from 0 to 1 if not given.
    """

    name: str
    y: Sequence[float]
    colour: Colour | str
    dashed: bool = False
    x: Sequence[float] | None = None

    @property
    def rgb(self) -> Colour:
        """The colour as (red, green, blue)."""
        return ImageColor.getrgb(self.colour)[:3] if isinstance(self.colour, str) else self.colour

    def points(self) -> list[Point]:
        """(share, value) all along the curve."""
        return list(zip(self._shares().tolist(), map(float, self.y), strict=True))

    def at(self, share: float) -> float:
        """Value at a share, between two points by a straight line."""
        return float(np.interp(share, self._shares(), self.y))

    def _shares(self) -> NDArray[np.float64]:
        return np.linspace(0, 1, len(self.y)) if self.x is None else np.asarray(self.x, dtype=np.float64)


def draw_curves(
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str,
    y_label: str = "",
    levels: Sequence[float] = (0.0, 1.0),
    ticks: Mapping[str, float] = _SHARES,
    mark: float | None = None,
    width: int = 560,
) -> Image.Image:
    """Draw curves with a key above them.

    Args:
        lines: the curves; without any, the axes are drawn.
        title: headline, broken into lines where it is long.
        x_label: what the share along the picture is of.
        y_label: what the values are, beside the vertical axis.
        levels: values with a tick and a faint line across; the picture reaches at least from the lowest to the highest.
        ticks: names of shares along the horizontal axis.
        mark: a share that a vertical line marks, with a dot on every curve.
        width: width in CSS pixels; the picture has twice as many.

    Returns:
        an RGBA picture, opaque but for its rounded corners.

    Raises:
        ValueError: if a curve has fewer than two values, or one that is not finite, if its shares do not rise, or the
            mark is no share.
    """
    return curves_on_sheet(lines, title, x_label, y_label, levels, ticks, mark, width).finish()


def curves_on_sheet(
    lines: Sequence[Line],
    title: str,
    x_label: str,
    y_label: str = "",
    levels: Sequence[float] = (0.0, 1.0),
    ticks: Mapping[str, float] = _SHARES,
    mark: float | None = None,
    width: int = 560,
) -> Sheet:
    """What `draw_curves` draws, before it is pixels."""
    _check(lines, levels, mark)
    heading, key = lines_of(title, _TITLE_TEXT, width - 40), _lay_out_key([line.name for line in lines], width)
    key_top = 46 + _TITLE_LINE * (len(heading) - 1)
    key_height = max([_KEY_LINE, *(y for _, y in key)])
    top = key_top + key_height + 16
    frame = (_LEFT + (18 if y_label else 0), top, width - _RIGHT, top + _HEIGHT)
    axes = _Axes(frame, *_range([*levels, *(float(y) for line in lines for y in line.y)]))
    sheet = Sheet(width, frame[3] + _BOTTOM)
    for k, words in enumerate(heading):
        sheet.text((20, 24 + _TITLE_LINE * k), words, _TITLE_TEXT)
    _draw_axes(sheet, axes, levels, ticks, x_label, y_label)
    for line, (x, y) in zip(lines, key, strict=True):
        sheet.path([axes.at(*point) for point in line.points()], line.rgb, 2, dashed=line.dashed)
        sheet.path([(x, key_top + y), (x + _DASH, key_top + y)], line.rgb, 2, dashed=line.dashed)
        sheet.text((x + _DASH + 6, key_top + y), line.name, _TEXT)
    if mark is not None:
        sheet.path([axes.at(mark, axes.low), axes.at(mark, axes.high)], INK, 1)
        for line in lines:
            sheet.dot(axes.at(mark, line.at(mark)), 4, line.rgb)
    return sheet


@dataclass(frozen=True)
class _Axes:
    """Where a share and a value lie on the sheet."""

    frame: Box
    low: float
    high: float

    def at(self, share: float, y: float) -> Point:
        left, top, right, bottom = self.frame
        return left + (right - left) * share, top + (bottom - top) * (self.high - y) / (self.high - self.low)


def _draw_axes(
    sheet: Sheet, axes: _Axes, levels: Sequence[float], ticks: Mapping[str, float], x_label: str, y_label: str
) -> None:
    left, top, right, bottom = axes.frame
    for level in levels:
        sheet.path([axes.at(0, level), axes.at(1, level)], MUTED, 0.6, dashed=True)
        sheet.text((left - 8, axes.at(0, level)[1]), f"{level:g}", _TEXT, MUTED, anchor="rm")
    for name, share in ticks.items():
        sheet.text((axes.at(share, 0)[0], bottom + 14), name, _TEXT, MUTED, anchor="mm")
    sheet.text(((left + right) / 2, bottom + 34), x_label, _TEXT, INK, anchor="mm")
    if y_label:
        sheet.upward((18, (top + bottom) / 2), y_label, _TEXT, INK)


def _check(lines: Sequence[Line], levels: Sequence[float], mark: float | None) -> None:
    for line in lines:
        if len(line.y) < 2:
            raise ValueError(f"lines: {line.name!r} has {len(line.y)} values, wanted at least two.")
        if line.x is not None and (len(line.x) != len(line.y) or (np.diff(line.x) <= 0).any()):
            raise ValueError(f"lines: x of {line.name!r} wants as many shares as there are values, rising.")
        if not np.isfinite(np.asarray(line.y, dtype=np.float64)).all():
            raise ValueError(f"lines: {line.name!r} has values that are not finite.")
    if not len(levels):
        raise ValueError("levels: got none, wanted at least one value that the vertical axis names.")
    if mark is not None and not 0 <= mark <= 1:
        raise ValueError(f"mark: got {mark!r}, wanted a share from 0 to 1.")


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest value, never the same."""
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _lay_out_key(names: Sequence[str], width: float) -> list[Point]:
    """Where the entries of the key start: in columns of two, or of as many as make the columns fit."""
    room = [_DASH + 6 + text_width(name, _TEXT) + 24 for name in names]
    for rows in range(2, len(names) + 1):
        columns = [max(room[k : k + rows]) for k in range(0, len(names), rows)]
        if sum(columns) <= width - 24:
            break
    else:
        rows, columns = max(1, len(names)), [width]
    lefts = np.cumsum([24.0, *columns])
    return [(float(lefts[k // rows]), _KEY_LINE * (k % rows)) for k in range(len(names))]
