"""What the picture of a pair shows, and where: options checked, lines of text and chips, boxes of players.

Lengths are in CSS pixels, from the top left of the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..claims import Names
from ..masks import FloatArray, IntArray
from ..subject import Subject
from .conditions import Condition, chosen_players, meaning_of
from .drawing import Box, Point, lines_of, tell, text_width, wrap

if TYPE_CHECKING:
    from ..expansion import Expansion
    from ..terms import Term

Scale = float | tuple[float, float] | None

SCALINGS = ("auto", "joint", "separate")
APART = 3.0  # words whose largest value is so many times the patches' get a scale of their own, under "auto"
MARGIN = 24.0
TITLE_TEXT, TITLE_LINE = 17.0, 22.0
FACT_TEXT, FACT_LINE, FACT_GAP = 12.5, 18.0, "  \u00b7  "
CHIP_TEXT, CHIP_HEIGHT, CHIP_GAP = 15.0, 44.0, 8.0
LANE, ROW_GAP = 13.0, 34.0  # between chips where lines pass, and between their rows
TAG_TEXT, TAG_GAP = 13.0, 8.0  # of the name of a row of chips
RULER_TEXT, RULER_STEP = 10.0, 15.0  # row and column numbers, and how close to each other they may stand
LEGEND_TEXT, SCALE_LINE, LINES_KEY = 11.0, 15.0, 34.0
NARROW = 600  # on narrower cards the key to the lines takes a row of its own
_MOST_PICTURE = 420.0  # longer side of the picture
_DOT = 0.68  # where in its patch a line starts, from the top: below the number


@dataclass(frozen=True)
class Content:
    """What is shown of an explanation.

    Attributes:
        values: (n,) what tints the players, in the unit of the explanation.
        inside: (n,) players that are not greyed.
        condition: with whom the values are: a player or two; none for the players' own values (or coefficients).
        edges: interactions of patches and tokens drawn as lines, strongest first.
        image_scale: absolute value of full colour for patches.
        text_scale: the same for tokens.
        names: what the numbers are called.
        largest: the score that is told as 1.00; None for logits.
        meaning: what a number says, a line in the legend; empty where the unit says enough.
        places: what image players are called.
    """

    values: FloatArray
    inside: NDArray[np.bool_]
    condition: tuple[int, ...]
    edges: list[Term]
    image_scale: float
    text_scale: float
    names: Names
    largest: float | None
    meaning: str = ""
    places: str = "patches"

    def told(self, value: float) -> str:
        """A number as this picture tells it."""
        return tell(float(value), None, self.largest)


@dataclass(frozen=True)
class Head:
    """Lines of the title and of the facts below it."""

    title: list[str]
    facts: list[str]

    @property
    def height(self) -> float:
        """From the top of the card to the picture."""
        if not self.title:
            return 28 + (24 + FACT_LINE * (len(self.facts) - 1) if self.facts else 0)
        return 82 + TITLE_LINE * (len(self.title) - 1) + FACT_LINE * (len(self.facts) - 1)


@dataclass(frozen=True)
class Plan:
    """Where everything goes.

    Attributes:
        grid: (rows, columns) of the patches, or None where image players are chips.
        picture: box of the patches or regions; empty without.
        chips: box of every player that is a chip.
        lanes: of players that lines end at, the gaps between chips above through which the lines pass, from the top: x,
            and the upper and lower end of the row of chips.
        legend_top: upper edge of the legend.
        width, height: of the card.
        legend: whether there is one.
        tags: names of rows of chips, with where their middle right ends stand.
        regions: the label map of regions, where these are the image players.
        points: (n_image, 2), where in the picture they are written on, in shares of its width and height.
    """

    grid: tuple[int, int] | None
    picture: Box
    chips: dict[int, Box]
    legend_top: float
    width: float
    height: float
    lanes: dict[int, list[tuple[float, float, float]]] = field(default_factory=dict)
    legend: bool = True
    tags: tuple[tuple[str, Point], ...] = ()
    regions: IntArray | None = None
    points: FloatArray | None = None

    def place_of(self, player: int) -> Point:
        """A point of an image player that is no chip: where lines to it end, below what is written on it."""
        if self.points is None:
            left, top, right, bottom = self.box_of(player)
            return (left + right) / 2, top + _DOT * (bottom - top)
        (x, y), (left, top, right, bottom) = self.points[player], self.picture
        return left + float(x) * (right - left), top + float(y) * (bottom - top)

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


def check_options(edges: int, scaling: str, scale: Scale, width: int) -> None:
    """Raise ValueError unless the options of a picture make sense; see `fixlip.pictures.draw`."""
    if scaling not in SCALINGS:
        raise ValueError(f"scaling: got {scaling!r}, wanted one of {', '.join(SCALINGS)}.")
    if scale is not None and not all(isinstance(s, int | float | np.number) and 0 < s < np.inf for s in _pair(scale)):
        raise ValueError(
            f"scale: got {scale!r}, wanted a positive number of logits, or two: for patches and for words."
        )
    if isinstance(edges, bool) or not isinstance(edges, int | np.integer) or edges < 0:
        raise ValueError(f"edges: got {edges!r}, wanted a whole number of at least 0.")
    if isinstance(width, bool) or not isinstance(width, int | np.integer) or not 240 <= width <= 4000:
        raise ValueError(f"width: got {width!r}, wanted a whole number of CSS pixels from 240 to 4000.")


def check_words(title: str | None, subtitle: str | None, legend: bool) -> None:
    """Raise ValueError unless a picture's title and subtitle are texts, if any, and the legend is a choice."""
    for name, given in (("title", title), ("subtitle", subtitle)):
        if given is not None and not isinstance(given, str):
            raise ValueError(f"{name}: got {given!r:.60}, wanted a text, or None for the usual one.")
    if not isinstance(legend, bool):
        raise ValueError(f"legend: got {legend!r:.60}, wanted True or False.")


def content_of(
    explanation: Expansion,
    condition: Condition,
    players: Any,
    edges: int,
    scaling: str,
    scale: Scale,
    coefficients: bool = False,
) -> Content:
    """What the options make of an explanation; see `fixlip.pictures.draw`."""
    if coefficients and not explanation.predicts:
        raise ValueError(f"coefficients: {explanation.unit_name} are no coefficients of a prediction; leave it out.")
    inside = _inside(explanation, players)
    chosen = chosen_players(explanation, condition)
    own = explanation.attributions if coefficients else explanation.values
    values = explanation.condition(chosen) if chosen else own
    image, text = _pair(scale) if scale is not None else scales_of([(explanation, values)], scaling)
    drawn: list[Term] = []
    if edges and explanation.order > 1 and not chosen and explanation.subject.has_places:
        shown = explanation if inside.all() else explanation.second_order().restrict(np.flatnonzero(inside).tolist())
        drawn = shown.top(int(edges))
    names, largest, meaning = explanation.names, explanation.largest, meaning_of(explanation, chosen)
    places = explanation.subject.plurals[0]
    return Content(values, inside, chosen, drawn, float(image), float(text), names, largest, meaning, places)


def scales_of(shown: Iterable[tuple[Expansion, FloatArray]], scaling: str) -> tuple[float, float]:
    """Absolute value of full colour for patches and for words, in all that is shown together, which is in one unit.

    Args:
        shown: explanations with the values (n,) that tint their players.
        scaling: "joint", "separate", or "auto": separate where the largest value of a word is more than three times
            that of a patch.
    """
    image = text = 0.0
    for explanation, values in shown:
        image = max(image, float(np.abs(values[: explanation.n_image]).max(initial=0.0)))
        text = max(text, float(np.abs(values[explanation.n_image :]).max(initial=0.0)))
    if scaling == "joint" or (scaling == "auto" and not text > APART * image > 0):
        image = text = max(image, text)
    return image or 1.0, text or 1.0


def _pair(scale: Any) -> tuple[Any, Any]:
    """One scale for each of patches and words."""
    return scale if isinstance(scale, tuple) and len(scale) == 2 else (scale, scale)


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
    """Break the title between words, and the facts between each other, into lines that fit; nothing is cut off.

    An empty title, and no facts or one that is empty, take no room.
    """
    room = width - 2 * MARGIN
    pieces = [piece for fact in facts for piece in lines_of(fact, FACT_TEXT, room)]
    lines = wrap([text_width(piece, FACT_TEXT) for piece in pieces], text_width(FACT_GAP, FACT_TEXT), room)
    told = [FACT_GAP.join(pieces[k] for k in line) for line in lines]
    return Head(lines_of(title, TITLE_TEXT, room) if title else [], [line for line in told if line])


def lay_out(
    subject: Subject | Expansion,
    top: float,
    width: float,
    ends: Iterable[int] = (),
    rows: int = 1,
    beside: Iterable[int] = (),
) -> Plan:
    """Picture, chips and legend below one another, from `top` on.

    Args:
        subject: whose players they are.
        top: where the picture starts.
        width: of the card.
        ends: tokens that lines from patches end at, the most important first.
        rows: lines of numbers in the legend, one for each colour scale; none without a legend.
        beside: tokens that lines end at in pictures that this one stands beside: their words are to be level.
    """
    ends = list(dict.fromkeys(ends))
    lined = {*ends, *beside}
    picture: Box = (MARGIN, top, MARGIN, top)
    whose = subject if isinstance(subject, Subject) else subject.subject
    shape = whose.grid if whose.regions is None else whose.regions.shape
    if shape:
        grid_rows, columns = shape
        cell = min((width - 2 * MARGIN) / columns, _MOST_PICTURE / max(grid_rows, columns))
        w, h = cell * columns, cell * grid_rows
        picture = ((width - w) / 2, top, (width + w) / 2, top + h)
    chips, lines, bottom = _lay_out_chips(subject, picture[3] + (64.0 if lined else 24.0), width, lined)
    legend_top = bottom + 12
    height = legend_top + (18 + LEGEND_TEXT + 4 + SCALE_LINE * rows if rows else 6)
    if lined and rows and width < NARROW:
        height += LINES_KEY
    lanes = _lay_out_lanes(chips, lines, ends, width)
    tags = tuple((tag, _beside(chips[players[0]])) for tag, players in rows_of(subject) if tag)
    points = None if whose.regions is None else whose.region_points
    placed: dict[str, Any] = {"tags": tags, "regions": whose.regions, "points": points}
    return Plan(whose.grid, picture, chips, legend_top, width, height, lanes, bool(rows), **placed)


def rows_of(subject: Subject | Expansion) -> tuple[tuple[str, range], ...]:
    """Groups of text players that are rows of their own, and their names; most subjects have one without a name."""
    whole = (("", range(subject.n_image, subject.n_image + subject.n_text)),)
    return getattr(subject, "rows", whole)


def chip_labels(subject: Subject | Expansion) -> tuple[str, ...]:
    """What is written on chips: the players' labels, or shorter ones where their rows have names."""
    return getattr(subject, "chip_labels", subject.labels)


def _beside(chip: Box) -> Point:
    return chip[0] - TAG_GAP, (chip[1] + chip[3]) / 2


def _lay_out_chips(
    subject: Subject | Expansion, top: float, width: float, ends: set[int]
) -> tuple[dict[int, Box], list[list[int]], float]:
    """Centred lines of chips: the tokens, and before them image players without a grid.

    Returns their boxes, the players of each line, and the lower end. Lines of chips are further apart where lines from
    patches pass.
    """
    room, gap, labels = width - 2 * MARGIN, LANE if ends else CHIP_GAP, chip_labels(subject)
    groups = [players for _, players in rows_of(subject)]
    if not (subject if isinstance(subject, Subject) else subject.subject).has_places:
        groups.insert(0, range(subject.n_image))
    lines: list[list[int]] = []
    sizes: dict[int, float] = {}
    for group in groups:
        # Wide enough for the label and for a signed value below it.
        widths = [min(room, max(46.0, text_width(labels[i], CHIP_TEXT) + 20)) for i in group]
        sizes.update(zip(group, widths, strict=True))
        lines += [[group[k] for k in line] for line in wrap(widths, gap, room)]
    last = max((k for k, line in enumerate(lines) if ends.intersection(line)), default=0)
    boxes: dict[int, Box] = {}
    for k, line in enumerate(lines):
        left = (width - sum(sizes[i] for i in line) - gap * (len(line) - 1)) / 2
        for i in line:
            boxes[i] = (left, top, left + sizes[i], top + CHIP_HEIGHT)
            left += sizes[i] + gap
        top += CHIP_HEIGHT + (ROW_GAP if k < last else CHIP_GAP)
    return boxes, lines, top


def _lay_out_lanes(
    chips: dict[int, Box], lines: Sequence[Sequence[int]], ends: Sequence[int], width: float
) -> dict[int, list[tuple[float, float, float]]]:
    """For each token that lines end at, the nearest gap in every line of chips above it, of two rather the inner one.

    Two tokens share none if they can.
    """
    used: dict[Point, int] = {}
    lanes = {}
    for token in ends:
        at = next(k for k, line in enumerate(lines) if token in line)
        x = (chips[token][0] + chips[token][2]) / 2
        lane: list[tuple[float, float, float]] = []
        for line in reversed(lines[:at]):
            _, upper, _, lower = chips[line[0]]
            gaps = [chips[i][0] - LANE / 2 for i in line] + [chips[line[-1]][2] + LANE / 2]
            gaps = [gap for gap in gaps if LANE / 2 <= gap <= width - LANE / 2]
            costs = [abs(g - x) + abs(g - width / 2) / 4 + 7 * LANE * used.get((g, upper), 0) for g in gaps]
            x = gaps[int(np.argmin(costs))]
            used[x, upper] = used.get((x, upper), 0) + 1
            lane.insert(0, (x, upper, lower))
        lanes[token] = lane
    return lanes


def ruler(count: int, length: float) -> range:
    """Which of `count` rows or columns, from 0, over `length` CSS pixels have room for their number."""
    return range(0, count, next((step for step in (1, 2, 5, 10) if step * length / count >= RULER_STEP), 20))
