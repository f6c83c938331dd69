"""Lines: curves, dashes, and what closed lines surround."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw

Point = tuple[float, float]


def curve(start: Point, end: Point, steps: int = 48) -> list[Point]:
    """A smooth curve that leaves `start` downwards and reaches `end` from above."""
    lift = 0.45 * max(abs(end[1] - start[1]), 30.0)
    (x0, y0), (x3, y3) = start, end
    y1, y2 = y0 + lift, y3 - lift
    points = []
    for t in np.linspace(0, 1, steps):
        s = 1 - t
        x = s**3 * x0 + 3 * s * s * t * x0 + 3 * s * t * t * x3 + t**3 * x3
        y = s**3 * y0 + 3 * s * s * t * y1 + 3 * s * t * t * y2 + t**3 * y3
        points.append((float(x), float(y)))
    return points


def dashes(points: Sequence[Point], dash: float, space: float) -> Iterator[list[Point]]:
    """Cut a line into dashes of equal length."""
    piece, on, left = [points[0]], True, dash
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        length, at = math.hypot(x1 - x0, y1 - y0), 0.0
        while length - at > left:
            at += left
            here = (x0 + (x1 - x0) * at / length, y0 + (y1 - y0) * at / length)
            if on:
                yield [*piece, here]
            piece, on = [here], not on
            left = dash if on else space
        left -= length - at
        piece.append((x1, y1))
    if on and len(piece) > 1:
        yield piece


def stencil(loops: Sequence[Sequence[Point]], opacity: float) -> tuple[Image.Image, tuple[int, int]]:
    """What closed lines surround as a grey picture of given opacity in 0..1, and where its corner is, in pixels.

    Lines around an area run with the clock, those around its holes against it.
    """
    left, top = (math.floor(min(point[k] for loop in loops for point in loop)) for k in (0, 1))
    right, bottom = (math.ceil(max(point[k] for loop in loops for point in loop)) for k in (0, 1))
    mask = Image.new("L", (right - left + 1, bottom - top + 1), 0)
    for loop in sorted(loops, key=lambda loop: -abs(_turning(loop))):  # what is within another comes after it
        inside = round(255 * opacity) if _turning(loop) > 0 else 0
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in loop], fill=inside)
    return mask, (left, top)


def _turning(loop: Sequence[Point]) -> float:
    """Twice the area within a closed line; negative where it runs against the clock."""
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(loop, [*loop[1:], loop[0]], strict=True))
