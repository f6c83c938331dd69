"""Two explanations beside each other and their difference, on one colour scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .drawing import DEVICE
from .layout import check_options, content_of, lay_out
from .pair import head_of, paint
from .picture import Picture
from .words import alt_text

if TYPE_CHECKING:
    from ..expansion import Expansion

_GAP = 12  # CSS pixels


def compare(
    first: Expansion,
    second: Expansion,
    *,
    names: tuple[str, str] = ("first", "second"),
    condition: int | str | None = None,
    edges: int = 5,
    width: int = 420,
) -> Picture:
    """Draw two explanations and, where they have as many players, the first minus the second, all on one scale.

    The same colour then means the same number of logits: two models, two captions, two p's, two estimators.

    Args:
        first: an explanation.
        second: another.
        names: what to call them.
        condition: a player of either: show its interactions instead of the players' values.
        edges: strongest interactions between image and caption drawn in each.
        width: of each picture, in CSS pixels.

    Returns:
        the pictures in a row, for a notebook or to `save`.

    Raises:
        ValueError: if an argument does not fit.
    """
    shown = dict(zip(names, (first, second), strict=True))
    if len(shown) != 2:
        raise ValueError(f"names: got {names!r}, wanted two different names.")
    if (first.n_image, first.n_text) == (second.n_image, second.n_text):
        shown[f"{names[0]} minus {names[1]}"] = first - second
    values = [e.values if condition is None else e.condition(condition) for e in shown.values()]
    scale = max(float(np.abs(v).max(initial=0.0)) for v in values) or 1.0
    check_options(edges, "joint", scale, width)
    contents = [content_of(e, condition, None, edges, "joint", scale) for e in shown.values()]
    heads = [head_of(e, content, width, name) for (name, e), content in zip(shown.items(), contents, strict=True)]
    top = max(head.height for head in heads)  # so that the pictures stand side by side
    tiles = [
        paint(e, content, head, lay_out(e, bool(content.edges), top, width))
        for e, content, head in zip(shown.values(), contents, heads, strict=True)
    ]
    gap = DEVICE * _GAP
    row = Image.new("RGBA", (sum(t.width for t in tiles) + gap * (len(tiles) - 1), max(t.height for t in tiles)))
    left = 0
    for tile in tiles:
        row.paste(tile, (left, 0))
        left += tile.width + gap
    words = "\n".join(f"{name}: {alt_text(e, condition)}" for name, e in shown.items())
    return Picture(row, words)
