"""What the picture of a pair shows, and where: options checked, lines of text and chips, boxes of players.

Lengths are in CSS pixels, from the top left of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..masks import FloatArray
from .drawing import Box, lines_of, text_width, wrap

if TYPE_CHECKING:
    from ..expansion import Expansion, Term

SCALINGS = ("joint", "separate")
MARGIN = 24.0
TITLE_TEXT, TITLE_LINE = 17.0, 22.0
FACT_TEXT, FACT_LINE, FACT_GAP = 12.5, 18.0, "  \u00b7  "
CHIP_TEXT, CHIP_HEIGHT, CHIP_GAP = 15.0, 44.0, 8.0
NARROW = 600  # on narrower cards the key to the lines takes a row of its own
_MOST_PICTURE = 420.0  # longer side of the picture


@dataclass(frozen=True)
class Content:
    """What is shown of an explanation.

    Attributes:
        values: (n,) what tints the players, logits.
        inside: (n,) players that are not greyed.
        condition: whose interactions the values are, or None for the players' values (or coefficients).
        edges: interactions of patches and tokens drawn as lines, strongest first.
        image_scale: absolute value of full colour for patches, logits.
        text_scale: the same for tokens.
    """

    values: FloatArray
    inside: NDArray[np.bool_]
    condition: int | None
    edges: list[Term]
    image_scale: float
    text_scale: float


@dataclass(frozen=True)
class Head:
    """Lines of the title and of the facts below it."""

    title: list[str]
    facts: list[str]

    @property
    def height(self) -> float:
        """From the top of the card to the picture."""
        return 74 + TITLE_LINE * (len(self.title) - 1) + FACT_LINE * (len(self.facts) - 1)


@dataclass(frozen=True)
class Plan:
    """Where everything goes.

    Attributes:
        grid: (rows, columns) of the patches, or None where image players are chips.
        picture: box of the patches; empty without a grid.
        chips: box of every player that is a chip.
        legend_top: upper edge of the legend.
        width, height: of the card.
    """

    grid: tuple[int, int] | None
    picture: Box
    chips: dict[int, Box]
    legend_top: float
    width: float
    height: float

    def box_of(self, player: int) -> Box:
        """Where a player is: its chip, or its patch."""
        if player in self.chips:
            return self.chips[player]
        rows, columns = self.grid or (1, 1)
        row, column = divmod(player, columns)
        left, top, right, bottom = self.picture
        w, h = (right - left) / columns, (bottom - top) / rows
        return left + column * w, top + row * h, left + (column + 1) * w, top + (row + 1) * h


# ---- what to show


def check_options(edges: int, scaling: str, scale: float | None, width: int) -> None:
    """Raise ValueError unless the options of a picture make sense; see `fixlip.pictures.draw`."""
    if scaling not in SCALINGS:
        raise ValueError(f"scaling: got {scaling!r}, wanted one of {', '.join(SCALINGS)}.")
    if scale is not None and not (isinstance(scale, int | float | np.number) and 0 < scale < np.inf):
        raise ValueError(f"scale: got {scale!r}, wanted a positive number of logits.")
    if isinstance(edges, bool) or not isinstance(edges, int | np.integer) or edges < 0:
        raise ValueError(f"edges: got {edges!r}, wanted a whole number of at least 0.")
    if isinstance(width, bool) or not isinstance(width, int | np.integer) or not 240 <= width <= 4000:
        raise ValueError(f"width: got {width!r}, wanted a whole number of CSS pixels from 240 to 4000.")


def content_of(
    explanation: Expansion,
    condition: int | str | None,
    players: Any,
    edges: int,
    scaling: str,
    scale: float | None,
    coefficients: bool = False,
) -> Content:
    """What the options make of an explanation; see `fixlip.pictures.draw`."""
    inside = _inside(explanation, players)
    chosen = None if condition is None else explanation.find(condition)
    own = explanation.attributions if coefficients else explanation.values
    values = own if chosen is None else explanation.condition(chosen)
    image, text = (float(np.abs(part).max(initial=0.0)) for part in np.split(values, [explanation.n_image]))
    if scaling == "joint":
        image = text = max(image, text)
    drawn: list[Term] = []
    if edges and explanation.order > 1 and chosen is None and explanation.grid:
        shown = explanation if inside.all() else explanation.restrict(np.flatnonzero(inside).tolist())
        drawn = shown.top(int(edges))
    return Content(values, inside, chosen, drawn, float(scale or image or 1.0), float(scale or text or 1.0))


def _inside(explanation: Expansion, players: Any) -> NDArray[np.bool_]:
    n = explanation.n_players
    if players is None:
        return np.ones(n, bool)
    array = np.asarray(players)
    if array.dtype == np.bool_:
        if array.shape != (n,):
            raise ValueError(f"players: got a mask of shape {array.shape}, wanted {(n,)}.")
        return array
    inside = np.zeros(n, bool)
    inside[[explanation.find(player) for player in players]] = True
    return inside


# ---- where it goes


def lay_out_head(title: str, facts: Sequence[str], width: float) -> Head:
    """Break the title between words, and the facts between each other, into lines that fit; nothing is cut off."""
    room = width - 2 * MARGIN
    pieces = [piece for fact in facts for piece in lines_of(fact, FACT_TEXT, room)]
    lines = wrap([text_width(piece, FACT_TEXT) for piece in pieces], text_width(FACT_GAP, FACT_TEXT), room)
    return Head(lines_of(title, TITLE_TEXT, room), [FACT_GAP.join(pieces[k] for k in line) for line in lines])


def lay_out(explanation: Expansion, has_edges: bool, top: float, width: float) -> Plan:
    """Picture, chips and legend below one another, from `top` on."""
    picture: Box = (MARGIN, top, MARGIN, top)
    if explanation.grid:
        rows, columns = explanation.grid
        cell = min((width - 2 * MARGIN) / columns, _MOST_PICTURE / max(rows, columns))
        w, h = cell * columns, cell * rows
        picture = ((width - w) / 2, top, (width + w) / 2, top + h)
    chips, bottom = _lay_out_chips(explanation, picture[3] + (64.0 if has_edges else 24.0), width)
    legend_top = bottom + 12
    height = legend_top + (80 if has_edges and width < NARROW else 48)
    return Plan(explanation.grid, picture, chips, legend_top, width, height)


def _lay_out_chips(explanation: Expansion, top: float, width: float) -> tuple[dict[int, Box], float]:
    """Centred lines of chips: the tokens, and before them image players without a grid; boxes and their lower end."""
    room = width - 2 * MARGIN
    groups = [range(explanation.n_image, explanation.n_players)]
    if not explanation.grid:
        groups.insert(0, range(explanation.n_image))
    boxes: dict[int, Box] = {}
    for group in groups:
        # Wide enough for the label and for a signed value below it.
        widths = [min(room, max(46.0, text_width(explanation.labels[i], CHIP_TEXT) + 20)) for i in group]
        for line in wrap(widths, CHIP_GAP, room):
            left = (width - sum(widths[k] for k in line) - CHIP_GAP * (len(line) - 1)) / 2
            for k in line:
                boxes[group[k]] = (left, top, left + widths[k], top + CHIP_HEIGHT)
                left += widths[k] + CHIP_GAP
            top += CHIP_HEIGHT + CHIP_GAP
    return boxes, top
