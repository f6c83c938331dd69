"""Static pictures of explanations: image and caption together, red raises the similarity, blue lowers it.

The same picture is shown in a notebook, in the command line's report, and wherever no kernel runs. Sign never depends
on colour alone: chips and the strongest patches carry signed numbers, and negative interactions are dashed lines.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..masks import FloatArray
from .drawing import (
    CARD,
    DEVICE,
    FAINT,
    INK,
    MUTED,
    NEGATIVE,
    POSITIVE,
    Box,
    Point,
    Sheet,
    colour_of,
    curve,
    ink_on,
    mix,
    shorten,
    signed,
    text_width,
    wrap,
)

if TYPE_CHECKING:
    from ..explanation import Explanation, Term

MARGIN = 24.0
CHIP_HEIGHT, CHIP_GAP, CHIP_TEXT, VALUE_TEXT = 44.0, 8.0, 15.0, 11.0
SCALINGS = ("joint", "separate")
NARROW = 600  # CSS pixels


def draw(
    explanation: Explanation,
    *,
    condition: int | str | None = None,
    players: Sequence[int | str] | NDArray[np.bool_] | None = None,
    edges: int = 8,
    scaling: str = "joint",
    scale: float | None = None,
    width: int = 720,
    title: str | None = None,
) -> Image.Image:
    """Draw an explanation.

    Args:
        explanation: what to draw.
        condition: a player (number or label): show its interactions with every other player instead of attributions.
        players: a subset, as a boolean mask (n,) or as numbers or labels: everything outside is greyed.
        edges: how many of the strongest interactions between image and caption to draw as lines; dashed is negative.
        scaling: "joint" (patches and tokens on one colour scale) or "separate" (each on its own).
        scale: absolute value (logits) of full colour, to compare pictures; by default the largest shown.
        width: width in CSS pixels; the picture has twice as many.
        title: headline; by default what is shown.

    Returns:
        an RGBA picture, opaque but for its rounded corners.

    Raises:
        ValueError: if an argument does not fit.
    """
    options = _check(explanation, condition, players, edges, scaling, scale, width)
    chips = _lay_out_chips(explanation, width)
    plan = _plan(explanation, chips, width, has_edges=bool(options.edges))
    sheet = Sheet(width, plan.height)
    _draw_title(sheet, explanation, options, title)
    if explanation.grid:
        _draw_patches(sheet, explanation, options, plan.picture)
    boxes = {player: _moved(box, plan.chips_top) for player, box in chips.boxes.items()}
    _draw_edges(sheet, explanation, options, plan.picture, boxes)
    _draw_patch_values(sheet, explanation, options, plan.picture)
    for player, box in boxes.items():
        _draw_chip(sheet, explanation, options, player, box)
    if options.condition is not None:
        sheet.frame(_grown(_box_of(explanation, options.condition, plan.picture, boxes), 2))
    _draw_legend(sheet, options, plan.legend_top)
    return sheet.finish()


def to_png(image: Image.Image, compact: bool = False) -> bytes:
    """The picture as PNG; `compact` keeps 127 well-chosen colours: a quarter of the size, for stored notebooks."""
    buffer = io.BytesIO()
    if not compact:
        image.save(buffer, format="PNG")
        return buffer.getvalue()
    few = image.convert("RGB").quantize(127, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    few.putpalette([*(few.getpalette() or [])[: 3 * 127], 255, 255, 255])  # one more, for the transparent corners
    few.paste(127, mask=image.getchannel("A").point(lambda alpha: 255 * (alpha < 128)))
    few.save(buffer, format="PNG", transparency=127)
    return buffer.getvalue()


@dataclass(frozen=True)
class Picture:
    """A picture that notebooks show sharp, at its true size, and in words where pictures cannot be shown.

    Attributes:
        image: the Pillow image, two pixels a CSS pixel.
        words: what it says.
    """

    image: Image.Image
    words: str

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture as PNG, or whatever the ending says."""
        self.image.save(path)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        png = base64.b64encode(to_png(self.image, compact=True)).decode("ascii")
        size = {"width": self.image.width // DEVICE, "height": self.image.height // DEVICE}
        return {"image/png": png, "text/plain": self.words}, {"image/png": size}

    def __repr__(self) -> str:
        return self.words


def alt_text(explanation: Explanation, condition: int | str | None = None) -> str:
    """One or two sentences for whoever cannot see the picture, of the whole or of one player's interactions."""
    size = f"({explanation.n_image} patches, {explanation.n_text} tokens)"
    if condition is not None:
        player = explanation.find(condition)
        values = explanation.condition(player)
        strongest = [int(i) for i in np.argsort(-np.abs(values), kind="stable")[:3] if values[i]]
        named = "; ".join(f"{explanation.labels[i]} {signed(float(values[i]))}" for i in strongest)
        head = f'Interactions of {_quoted(explanation, player)} in "{explanation.text}" {size}.'
        return f"{head} Strongest: {named or 'none'}."
    head = f'Similarity {explanation.full_value:.2f} of an image and "{explanation.text}" {size}.'
    terms = explanation.top(3, kind="players" if explanation.order == 1 else "crossmodal")
    if not terms:
        return head
    return f"{head} Strongest: " + "; ".join(f"{' with '.join(t.labels[::-1])} {signed(t.value)}" for t in terms) + "."


# ---- what to show


@dataclass(frozen=True)
class _Options:
    values: FloatArray  # (n,) what tints the players
    inside: NDArray[np.bool_]  # (n,) players that are not greyed
    condition: int | None
    edges: list[Term]
    image_scale: float
    text_scale: float

    def scale_of(self, player: int, n_image: int) -> float:
        return self.image_scale if player < n_image else self.text_scale


def _check(
    explanation: Explanation,
    condition: int | str | None,
    players: Any,
    edges: int,
    scaling: str,
    scale: float | None,
    width: int,
) -> _Options:
    if scaling not in SCALINGS:
        raise ValueError(f"scaling: got {scaling!r}, wanted one of {', '.join(SCALINGS)}.")
    if scale is not None and not (isinstance(scale, int | float | np.number) and 0 < scale < np.inf):
        raise ValueError(f"scale: got {scale!r}, wanted a positive number of logits.")
    if isinstance(edges, bool) or not isinstance(edges, int | np.integer) or edges < 0:
        raise ValueError(f"edges: got {edges!r}, wanted a whole number of at least 0.")
    if isinstance(width, bool) or not isinstance(width, int | np.integer) or not 240 <= width <= 4000:
        raise ValueError(f"width: got {width!r}, wanted a whole number of CSS pixels from 240 to 4000.")
    inside = _inside(explanation, players)
    chosen = None if condition is None else explanation.find(condition)
    values = explanation.attributions if chosen is None else explanation.condition(chosen)
    image, text = (float(np.abs(part).max(initial=0.0)) for part in np.split(values, [explanation.n_image]))
    if scaling == "joint":
        image = text = max(image, text)
    drawn: list[Term] = []
    if edges and explanation.order > 1 and chosen is None and explanation.grid:
        shown = explanation if inside.all() else explanation.restrict(np.flatnonzero(inside).tolist())
        drawn = shown.top(int(edges))
    return _Options(values, inside, chosen, drawn, float(scale or image or 1.0), float(scale or text or 1.0))


def _inside(explanation: Explanation, players: Any) -> NDArray[np.bool_]:
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


# ---- where things go


@dataclass(frozen=True)
class _Chips:
    boxes: dict[int, Box]  # relative to the top of the chips
    height: float


@dataclass(frozen=True)
class _Plan:
    picture: Box
    chips_top: float
    legend_top: float
    height: float


def _lay_out_chips(explanation: Explanation, width: float) -> _Chips:
    """Centred lines of chips: the tokens, and before them the image players where these are no grid."""
    room = width - 2 * MARGIN
    boxes: dict[int, Box] = {}
    groups = [range(explanation.n_image, explanation.n_players)]
    if not explanation.grid:
        groups.insert(0, range(explanation.n_image))
    top = 0.0
    for group in groups:
        # Wide enough for the label and for a signed value below it.
        widths = [min(room, max(46.0, text_width(explanation.labels[i], CHIP_TEXT) + 20)) for i in group]
        for line in wrap(widths, CHIP_GAP, room):
            left = (width - sum(widths[k] for k in line) - CHIP_GAP * (len(line) - 1)) / 2
            for k in line:
                boxes[group[k]] = (left, top, left + widths[k], top + CHIP_HEIGHT)
                left += widths[k] + CHIP_GAP
            top += CHIP_HEIGHT + CHIP_GAP
    return _Chips(boxes, top)


def _plan(explanation: Explanation, chips: _Chips, width: float, has_edges: bool) -> _Plan:
    top = 74.0
    picture: Box = (MARGIN, top, MARGIN, top)
    if explanation.grid:
        rows, columns = explanation.grid
        cell = min((width - 2 * MARGIN) / columns, 420.0 / max(rows, columns))
        w, h = cell * columns, cell * rows
        picture = ((width - w) / 2, top, (width + w) / 2, top + h)
    chips_top = picture[3] + (64.0 if has_edges else 24.0)
    legend_top = chips_top + chips.height + 12
    # On a narrow card the key to the lines takes a row of its own.
    return _Plan(picture, chips_top, legend_top, legend_top + (80 if has_edges and width < NARROW else 48))


def _patch_box(explanation: Explanation, player: int, picture: Box) -> Box:
    rows, columns = explanation.grid or (1, 1)
    row, column = divmod(player, columns)
    w, h = (picture[2] - picture[0]) / columns, (picture[3] - picture[1]) / rows
    left, top = picture[0] + column * w, picture[1] + row * h
    return left, top, left + w, top + h


def _box_of(explanation: Explanation, player: int, picture: Box, chips: dict[int, Box]) -> Box:
    return chips[player] if player in chips else _patch_box(explanation, player, picture)


def _moved(box: Box, down: float) -> Box:
    return box[0], box[1] + down, box[2], box[3] + down


def _grown(box: Box, by: float) -> Box:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def _centre(box: Box) -> Point:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


# ---- drawing


def _draw_title(sheet: Sheet, explanation: Explanation, options: _Options, title: str | None) -> None:
    title = _default_title(explanation, options) if title is None else title
    facts = [f"{explanation.empty_value:.2f} with everything removed", f"p = {explanation.p:g}"]
    if explanation.budget:
        facts.append(f"{explanation.budget:,} masked images")
    if explanation.expected_faithfulness is not None:
        facts.append(f"faithfulness {explanation.expected_faithfulness:.2f}")
    if explanation.model:
        facts.append(explanation.model)
    room = sheet.width - 2 * MARGIN
    sheet.text((MARGIN, 28), shorten(title, 17, room), 17)
    sheet.text((MARGIN, 52), shorten("  \u00b7  ".join(facts), 12.5, room), 12.5, MUTED)


def _default_title(explanation: Explanation, options: _Options) -> str:
    if options.condition is not None:
        return f"What goes together with {_quoted(explanation, options.condition)}"
    if not options.inside.all():
        value = float(explanation.predict(options.inside)[0])
        return f"{options.inside.sum()} of {explanation.n_players} players: predicted similarity {value:.2f}"
    together = "" if explanation.order == 1 else ", and what goes together"
    return f"Similarity {explanation.full_value:.2f}: what each part contributes{together}"


def _quoted(explanation: Explanation, player: int) -> str:
    label = explanation.labels[player]
    return label if player < explanation.n_image else f"\u201c{label}\u201d"


def _draw_patches(sheet: Sheet, explanation: Explanation, options: _Options, picture: Box) -> None:
    rows, columns = explanation.grid or (1, 1)
    if explanation.image is None:
        sheet.box(picture, fill=(236, 237, 240))
    else:
        # Pale and nearly grey: a red background must not pass for red tints, yet the picture stays recognisable.
        view = Image.fromarray(explanation.image)
        pale = Image.blend(view.convert("L").convert("RGB"), view, 0.22)
        sheet.picture(picture, Image.blend(pale, Image.new("RGB", view.size, "white"), 0.36))
    shares = (options.values[: explanation.n_image] / options.image_scale).reshape(rows, columns)
    inside = options.inside[: explanation.n_image].reshape(rows, columns)
    # Full colours from half the scale on would lie about size: hue is fixed, opacity grows with the value.
    colours = np.where(shares[:, :, None] >= 0, POSITIVE, NEGATIVE).astype(np.uint8)
    opacity = 0.82 * np.clip(np.abs(shares), 0, 1)
    colours[~inside], opacity[~inside] = CARD, 0.86
    sheet.tint(picture, colours, opacity)
    _draw_grid(sheet, picture, rows, columns)


def _draw_grid(sheet: Sheet, picture: Box, rows: int, columns: int) -> None:
    left, top, right, bottom = picture
    for k in range(rows + 1):
        y = top + (bottom - top) * k / rows
        sheet.path([(left, y), (right, y)], (240, 240, 242), 0.5)
    for k in range(columns + 1):
        x = left + (right - left) * k / columns
        sheet.path([(x, top), (x, bottom)], (240, 240, 242), 0.5)


def _draw_patch_values(sheet: Sheet, explanation: Explanation, options: _Options, picture: Box, most: int = 6) -> None:
    if not explanation.grid or (picture[2] - picture[0]) / explanation.grid[1] < 36:
        return  # numbers would not fit
    values = np.where(options.inside, options.values, 0.0)[: explanation.n_image]
    for player in np.argsort(-np.abs(values), kind="stable")[:most]:
        if values[player]:
            left, top, _, _ = _patch_box(explanation, int(player), picture)
            sheet.text((left + 4, top + 9), signed(float(values[player])), 10.5, INK, halo=1.5)


def _draw_edges(sheet: Sheet, explanation: Explanation, options: _Options, picture: Box, chips: dict[int, Box]) -> None:
    if not options.edges:
        return
    strongest = abs(options.edges[0].value)
    # Weakest first, so that the strongest lie on top.
    for term in reversed(options.edges):
        patch, token = term.players
        start, chip = _centre(_patch_box(explanation, patch, picture)), chips[token]
        points = curve(start, ((chip[0] + chip[2]) / 2, chip[1]))
        share = abs(term.value) / strongest
        colour, width = (POSITIVE if term.value > 0 else NEGATIVE), 1.2 + 4.0 * share
        sheet.path(points, CARD, width + 2.4)
        sheet.path(points, mix(CARD, colour, 0.45 + 0.55 * share), width, dashed=term.value < 0)
        sheet.dot(start, 2.2 + 2.2 * share, colour)


def _draw_chip(sheet: Sheet, explanation: Explanation, options: _Options, player: int, box: Box) -> None:
    x = (box[0] + box[2]) / 2
    label = shorten(explanation.labels[player], CHIP_TEXT, box[2] - box[0] - 12)
    if not options.inside[player]:
        sheet.box(box, fill=CARD, outline=FAINT, radius=7)
        sheet.text((x, box[1] + 22), label, CHIP_TEXT, (170, 173, 181), anchor="mm")
        return
    value = float(options.values[player])
    fill = colour_of(value / options.scale_of(player, explanation.n_image))
    sheet.box(box, fill=fill, outline=mix(fill, INK, 0.25), radius=7)
    shown = player != options.condition
    sheet.text((x, box[1] + (16 if shown else 22)), label, CHIP_TEXT, ink_on(fill), anchor="mm")
    if shown:
        sheet.text((x, box[1] + 33), signed(value), VALUE_TEXT, ink_on(fill), anchor="mm")


def _draw_legend(sheet: Sheet, options: _Options, top: float) -> None:
    steps, w, h = 120, 150.0, 10.0
    left = MARGIN
    for k in range(steps):
        x = left + w * k / steps
        sheet.box((x, top, x + w / steps + 0.5, top + h), fill=colour_of(2 * (k + 0.5) / steps - 1))
    scales = [options.image_scale, options.text_scale]
    if np.isclose(options.image_scale, options.text_scale):
        for share, anchor in ((0.0, "la"), (0.5, "ma"), (1.0, "ra")):
            sheet.text((left + w * share, top + 15), signed((2 * share - 1) * scales[0]), 11, MUTED, anchor)
        note = "logits"
    else:
        sheet.text((left, top + 15), "lowers", 11, MUTED, "la")
        sheet.text((left + w, top + 15), "raises", 11, MUTED, "ra")
        note = f"patches \u00b1{scales[0]:.2f}, words \u00b1{scales[1]:.2f}"
    sheet.text((left + w + 12, top + 5), note, 11.5, MUTED)
    if options.edges:
        _draw_edge_key(sheet, options.edges[0].value, top + 34 if sheet.width < NARROW else top)


def _draw_edge_key(sheet: Sheet, strongest: float, top: float) -> None:
    x = sheet.width - MARGIN
    text = f"together: up to {signed(strongest)}"
    sheet.text((x, top + 5), text, 11.5, MUTED, anchor="rm")
    x -= text_width(text, 11.5) + 44
    sheet.path([(x, top), (x + 34, top)], POSITIVE, 3)
    sheet.path([(x, top + 10), (x + 34, top + 10)], NEGATIVE, 3, dashed=True)
    sheet.text((x - 8, top), "raises more", 10.5, MUTED, anchor="rm")
    sheet.text((x - 8, top + 11), "raises less", 10.5, MUTED, anchor="rm")
