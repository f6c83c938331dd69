"""Maps of the gallery's page: patches over one shared picture as SVG, and the caption's words as chips."""

from __future__ import annotations

from html import escape

import numpy as np

from ..explanation import Explanation
from ..pictures.drawing import colour_of, hex_of, ink_on
from ..pictures.layout import Content, content_of
from ..pictures.pair import FULL_TINT
from .tiles import heading_of, scale_of

# Patches carry numbers on grids this coarse, so many of them; they tell their values to the pointer on grids of no
# more than so many patches, or the page would be large.
_COLUMNS, _NUMBERED, _TOLD = 10, 3, 600


def figure(explanation: Explanation, word: int | None) -> str:
    """A map with a heading above and its colour scale below, as HTML.

    Args:
        explanation: what to show.
        word: a player: show its interactions; the figure then has the class "word" and its number.
    """
    heading = heading_of(explanation, word)
    heading = heading[:1].upper() + heading[1:]
    content = content_of(explanation, word, None, 0, "separate", None)
    n = explanation.n_image
    patches = "" if explanation.grid is None else _map(explanation, content, heading)
    players = range(0 if explanation.grid is None else n, explanation.n_players)
    chips = "".join(_chip(explanation, content, k) for k in players)
    kind = "" if word is None else f' class="word word{word}"'
    return (
        f"<figure{kind}><b>{escape(heading)}</b>{patches}"
        f'<div class="chips">{chips}</div><figcaption>{escape(scale_of(explanation, content))}</figcaption></figure>'
    )


def _map(explanation: Explanation, content: Content, heading: str) -> str:
    """Patches over the picture: hue says the sign, opacity the size; the strongest carry their numbers."""
    rows, columns = explanation.grid or (1, 1)
    values, scale = content.values[: explanation.n_image], content.image_scale
    told = [_signed(content, value) for value in values]
    cells = []
    for k, value in enumerate(values):
        opacity = FULL_TINT * min(1.0, abs(float(value)) / scale)
        title = f"<title>{escape(explanation.labels[k])} {told[k]}</title>" if len(values) <= _TOLD else ""
        cells.append(
            f'<rect x="{k % columns}" y="{k // columns}" width="1" height="1" class="{"d" if value < 0 else "u"}" '
            f'fill-opacity="{opacity:.3f}">{title}</rect>'
        )
    strongest = [int(k) for k in np.argsort(-np.abs(values), kind="stable")[:_NUMBERED] if values[k]]
    plates = [_plate(k, columns, told[k]) for k in strongest if columns <= _COLUMNS]
    names = "; ".join(f"{explanation.labels[k]} {told[k]}" for k in strongest)
    alt = escape(f"{heading}, {rows} rows and {columns} columns of patches. Strongest: {names or 'none'}.")
    photo = "" if explanation.image is None else '<use href="#photo"/>'
    inside = photo + "".join(cells + plates)
    return f'<svg class="map" viewBox="0 0 {columns} {rows}" role="img" aria-label="{alt}">{inside}</svg>'


def _plate(patch: int, columns: int, text: str) -> str:
    """A number on a patch, on a plate of its own; it stays within the picture."""
    width, y = 0.145 * len(text) + 0.08, patch // columns
    left = min(patch % columns + 0.05, columns - width - 0.02)
    return (
        f'<rect class="plate" x="{left:.2f}" y="{y + 0.05:.2f}" width="{width:.2f}" height=".3" rx=".06"/>'
        f'<text x="{left + 0.04:.2f}" y="{y + 0.28:.2f}">{text}</text>'
    )


def _chip(explanation: Explanation, content: Content, player: int) -> str:
    scale = content.image_scale if player < explanation.n_image else content.text_scale
    value = float(content.values[player])
    fill = colour_of(value / scale)
    is_chosen = player in content.condition
    note = "\u2022" if is_chosen else _signed(content, value)
    kind, style = " chosen" * is_chosen, f"background:{hex_of(fill)};color:{hex_of(ink_on(fill))}"
    label = escape(explanation.labels[player])
    return f'<span class="chip{kind}" style="{style}">{label}<small>{note}</small></span>'


def _signed(content: Content, value: float) -> str:
    """A number as the picture tells it, with a real minus."""
    return content.told(value).replace("-", "\u2212")
