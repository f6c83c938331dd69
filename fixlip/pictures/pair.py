"""The picture of a pair: image and caption together, red raises the similarity, blue lowers it.

The same picture is shown in a notebook, in the command line's report, and wherever no kernel runs. Sign never depends
on colour alone: chips and the strongest patches carry signed numbers, and negative interactions are dashed lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .areas import draw_areas, frame_area, write_on_areas
from .conditions import Condition
from .drawing import (
    CARD,
    FAINT,
    INK,
    MUTED,
    NEGATIVE,
    POSITIVE,
    Box,
    Colour,
    Point,
    Sheet,
    colour_of,
    ink_on,
    mix,
    shorten,
    text_width,
)
from .layout import (
    CHIP_TEXT,
    FACT_LINE,
    FACT_TEXT,
    MARGIN,
    RULER_TEXT,
    TAG_TEXT,
    TITLE_LINE,
    TITLE_TEXT,
    Content,
    Head,
    Plan,
    Scale,
    check_options,
    check_words,
    chip_labels,
    content_of,
    lay_out,
    lay_out_head,
    ruler,
)
from .legend import draw_legend, is_joint, meaning_lines
from .lines import curve
from .picture import Picture, to_png
from .words import alt_text, default_title

if TYPE_CHECKING:
    from ..expansion import Expansion

__all__ = ["Picture", "alt_text", "draw", "to_png"]

_VALUE_TEXT, _NUMBER = 11.0, 10.5
_PLUG = 10.0  # between the ends of lines
_GRID_LINE = (240, 240, 242)
_NO_PICTURE = (236, 237, 240)
_ABSENT_INK = (170, 173, 181)
FULL_TINT = 0.82  # opacity of full colour, so that the picture below stays recognisable


def draw(
    explanation: Expansion,
    *,
    condition: Condition = None,
    players: Sequence[int | str] | NDArray[np.bool_] | None = None,
    edges: int = 8,
    scaling: str = "auto",
    scale: Scale = None,
    width: int = 720,
    title: str | None = None,
    subtitle: str | None = None,
    legend: bool = True,
    coefficients: bool = False,
) -> Image.Image:
    """Draw an explanation.

    Patches and words are coloured by their values: how much the similarity changes on average when they are added. The
    scores of a method with a unit of its own are told relative to the largest, and the legend says so.

    Args:
        explanation: what to draw.
        condition: a player (number or label): show its interactions with every other player instead of values; or two,
            ("red", "fish"), where the explanation is of third order: show the triples of both with every other player.
        players: a subset, as a boolean mask (n,) or as numbers or labels: everything outside is greyed.
        edges: how many of the strongest interactions between image and caption to draw as lines; dashed is negative.
        scaling: "joint" (patches and tokens on one colour scale), "separate" (each on its own), or "auto": separate
            where the largest value of a token is more than three times that of a patch. The legend says which.
        scale: absolute value (in the unit of the explanation) of full colour, to compare pictures, or one for patches
            and one for tokens; by default the largest shown.
        width: width in CSS pixels; the picture has twice as many.
        title: headline; by default what is shown. An empty one takes no room.
        subtitle: small print below the title; by default how the explanation came about. An empty one takes no room.
        legend: False leaves out the colour scale and the key to the lines.
        coefficients: show attributions, the coefficients at the empty input, which are no contributions.

    Returns:
        an RGBA picture, opaque but for its rounded corners.

    Raises:
        ValueError: if an argument does not fit.
    """
    shown = {"condition": condition, "players": players, "edges": edges, "scaling": scaling, "scale": scale}
    words = {"title": title, "subtitle": subtitle, "legend": legend, "coefficients": coefficients}
    return _sheet_of(explanation)(width=width, **shown, **words).finish()


def picture(explanation: Expansion, words: str = "", **options: Any) -> Picture:
    """The picture that `draw` gives, with words for who cannot see it; it is laid out anew for the width of a paper.

    Args:
        explanation: what to draw.
        words: what it says; by default what `alt_text` says.
        options: as in `draw`.
    """
    found = draw(explanation, **options)
    words = words or alt_text(explanation, options.get("condition"))
    return Picture(found, words, lambda width: _sheet_of(explanation)(**options | {"width": width}))


def _sheet_of(explanation: Expansion) -> Callable[..., Sheet]:
    """What draws an explanation: itself, if it is of two images or two texts."""
    return getattr(explanation, "sheet", None) or partial(_sheet, explanation)


def _sheet(
    explanation: Expansion,
    condition: Condition = None,
    players: Sequence[int | str] | NDArray[np.bool_] | None = None,
    edges: int = 8,
    scaling: str = "auto",
    scale: Scale = None,
    width: int = 720,
    title: str | None = None,
    subtitle: str | None = None,
    legend: bool = True,
    coefficients: bool = False,
) -> Sheet:
    """The canvas of `draw`, whose options these are."""
    check_options(edges, scaling, scale, width)
    check_words(title, subtitle, legend)
    content = content_of(explanation, condition, players, edges, scaling, scale, coefficients)
    head = head_of(explanation, content, width, title, coefficients, subtitle)
    return painted(explanation, content, head, plan_of(explanation, content, head.height, width, legend=legend))


def head_of(
    explanation: Expansion,
    content: Content,
    width: float,
    title: str | None = None,
    coefficients: bool = False,
    subtitle: str | None = None,
) -> Head:
    """The title, by default what is shown, and the facts below it, or the subtitle given."""
    if title is None:
        title = default_title(explanation, content.condition, content.inside, coefficients)
    return lay_out_head(title, explanation.facts() if subtitle is None else [subtitle], width)


def plan_of(
    explanation: Expansion,
    content: Content,
    top: float,
    width: float,
    beside: Iterable[Content] = (),
    legend: bool = True,
) -> Plan:
    """Where everything goes, from `top` on; beside pictures with other contents of as many players."""
    ends = [term.players[1] for term in content.edges]
    others = {term.players[1] for other in beside for term in other.edges}
    rows = (1 if is_joint(content) else 2) + len(meaning_lines(content, width)) if legend else 0
    return lay_out(explanation, top, width, ends, rows, others)


def painted(explanation: Expansion, content: Content, head: Head, plan: Plan) -> Sheet:
    """What was chosen, with everything where the plan says."""
    sheet = Sheet(plan.width, plan.height)
    draw_head(sheet, head)
    if explanation.subject.has_places:
        draw_patches(sheet, explanation, content, plan.picture)
    if plan.grid:
        draw_rulers(sheet, plan)
    _draw_edges(sheet, content, plan)
    draw_patch_values(sheet, explanation, content, plan)
    for player, box in plan.chips.items():
        scale = content.image_scale if player < explanation.n_image else content.text_scale
        draw_chip(sheet, chip_labels(explanation)[player], content, player, scale, box)
    for tag, at in plan.tags:
        sheet.text(at, tag, TAG_TEXT, MUTED, anchor="rm")
    for player in content.condition:
        if plan.regions is not None and player not in plan.chips:
            frame_area(sheet, plan.picture, plan.regions, player)
        else:
            sheet.frame(_grown(plan.box_of(player), 2))
    if plan.legend:
        draw_legend(sheet, content, plan.legend_top)
    return sheet


def _grown(box: Box, by: float) -> Box:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def draw_head(sheet: Sheet, head: Head) -> None:
    """Title and facts."""
    y = 28.0
    for k, line in enumerate(head.title):
        sheet.text((MARGIN, y + TITLE_LINE * k), line, TITLE_TEXT)
    y = y + 24 + TITLE_LINE * (len(head.title) - 1) if head.title else 24.0
    for k, line in enumerate(head.facts):
        sheet.text((MARGIN, y + FACT_LINE * k), line, FACT_TEXT, MUTED)


def draw_patches(sheet: Sheet, explanation: Expansion, content: Content, picture: Box) -> None:
    """The picture, pale, with tinted patches or regions."""
    if explanation.image is None:
        sheet.box(picture, fill=_NO_PICTURE)
    else:
        sheet.picture(picture, pale(explanation.image))
    shares, inside = content.values[: explanation.n_image] / content.image_scale, content.inside[: explanation.n_image]
    # Full colours from half the scale on would lie about size: hue is fixed, opacity grows with the value.
    colours = np.where(shares[:, None] >= 0, POSITIVE, NEGATIVE).astype(np.uint8)
    opacity = FULL_TINT * np.clip(np.abs(shares), 0, 1)
    colours[~inside], opacity[~inside] = CARD, 0.86
    if explanation.subject.regions is not None:
        draw_areas(sheet, picture, explanation.subject.regions, colours, opacity)
        return
    rows, columns = explanation.grid or (1, 1)
    sheet.tint(picture, colours.reshape(rows, columns, 3), opacity.reshape(rows, columns))
    draw_grid(sheet, picture, rows, columns)


def pale(image: NDArray[np.uint8]) -> Image.Image:
    """An image nearly grey: red in it must not pass for red tints, yet it stays recognisable."""
    view = Image.fromarray(image)
    grey = Image.blend(view.convert("L").convert("RGB"), view, 0.22)
    return Image.blend(grey, Image.new("RGB", view.size, "white"), 0.36)


def draw_grid(sheet: Sheet, picture: Box, rows: int, columns: int) -> None:
    """Lines between patches."""
    left, top, right, bottom = picture
    for k in range(rows + 1):
        y = top + (bottom - top) * k / rows
        sheet.path([(left, y), (right, y)], _GRID_LINE, 0.5)
    for k in range(columns + 1):
        x = left + (right - left) * k / columns
        sheet.path([(x, top), (x, bottom)], _GRID_LINE, 0.5)


def draw_rulers(sheet: Sheet, plan: Plan) -> None:
    """Numbers of the rows, on the left, and of the columns, above: "patch 2,6" is in row 2 and column 6."""
    rows, columns = plan.grid or (1, 1)
    left, top, right, bottom = plan.picture
    for k in ruler(columns, right - left):
        at = left + (right - left) * (k + 0.5) / columns
        sheet.text((at, top - 8), str(k + 1), RULER_TEXT, MUTED, anchor="mm")
    for k in ruler(rows, bottom - top):
        at = top + (bottom - top) * (k + 0.5) / rows
        sheet.text((left - 6, at), str(k + 1), RULER_TEXT, MUTED, anchor="rm")


def draw_patch_values(sheet: Sheet, explanation: Expansion, content: Content, plan: Plan, most: int = 6) -> None:
    """Numbers on the strongest patches, where there is room."""
    values = np.where(content.inside, content.values, 0.0)[: explanation.n_image]
    order = np.argsort(-np.abs(values), kind="stable")[:most]
    told = {int(player): content.told(values[player]) for player in order if values[player]}
    if plan.regions is not None:
        write_on_areas(sheet, plan, explanation.labels, told)
        return
    if not plan.grid or (plan.picture[2] - plan.picture[0]) / plan.grid[1] < 36:
        return  # numbers would not fit
    for player, words in told.items():
        left, top, _, _ = plan.box_of(player)
        # On a plate of its own: lines of other patches may pass behind it.
        sheet.box((left + 2, top + 2, left + 8 + text_width(words, _NUMBER), top + 17), fill=CARD, radius=3)
        sheet.text((left + 5, top + 9.5), words, _NUMBER, INK)


def _draw_edges(sheet: Sheet, content: Content, plan: Plan) -> None:
    if not content.edges:
        return
    strongest = abs(content.edges[0].value)
    dots: list[tuple[Point, float, Colour]] = []
    # Weakest first, so that the strongest lie on top; dots last, so that no line covers another one's.
    for term in reversed(content.edges):
        patch, token = term.players
        points = _line(plan, patch, token, _end(content, plan, patch, token))
        share = abs(term.value) / strongest
        colour, width = (POSITIVE if term.value > 0 else NEGATIVE), 1.2 + 4.0 * share
        sheet.path(points, CARD, width + 2.4)
        sheet.path(points, mix(CARD, colour, 0.45 + 0.55 * share), width, dashed=term.value < 0)
        dots += [(at, 2.2 + 2.2 * share, colour) for at in (points[0], points[-1])]
    for at, radius, colour in dots:  # the lower ones are half behind their chips, like plugs
        sheet.dot(at, radius, colour)


def _line(plan: Plan, patch: int, token: int, x: float) -> list[Point]:
    """From a patch to the upper edge of a token's chip at `x`, between the chips that stand above it."""
    points = [plan.place_of(patch)]
    for lane, upper, lower in plan.lanes[token]:
        points += [*curve(points[-1], (lane, upper)), (lane, lower)]
    return points + curve(points[-1], (x, plan.chips[token][1]))


def _end(content: Content, plan: Plan, patch: int, token: int) -> float:
    """Where a line meets its token: beside the others that do, from left to right as they come."""
    left, _, right, _ = plan.chips[token]
    patches = [term.players[0] for term in content.edges if term.players[1] == token]
    if plan.lanes[token]:  # they have come through one gap
        return (left + right) / 2
    patches.sort(key=plan.place_of)
    apart = min(_PLUG, (right - left - _PLUG) / len(patches))
    return (left + right) / 2 + apart * (patches.index(patch) - (len(patches) - 1) / 2)


def draw_chip(sheet: Sheet, label: str, content: Content, player: int, scale: float, box: Box) -> None:
    """A player as a chip: its label, tinted, and its value."""
    x = (box[0] + box[2]) / 2
    label = shorten(label, CHIP_TEXT, box[2] - box[0] - 12)
    if not content.inside[player]:
        sheet.box(box, fill=CARD, outline=FAINT, radius=7)
        sheet.text((x, box[1] + 22), label, CHIP_TEXT, _ABSENT_INK, anchor="mm")
        return
    value = float(content.values[player])
    fill = colour_of(value / scale)
    sheet.box(box, fill=fill, outline=mix(fill, INK, 0.25), radius=7)
    has_value = player not in content.condition
    sheet.text((x, box[1] + (16 if has_value else 22)), label, CHIP_TEXT, ink_on(fill), anchor="mm")
    if has_value:
        sheet.text((x, box[1] + 33), content.told(value), _VALUE_TEXT, ink_on(fill), anchor="mm")
