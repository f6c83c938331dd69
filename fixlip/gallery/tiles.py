"""The gallery as one picture: a tile a method, each on a colour scale of its own."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from ..explanation import Explanation
from ..pictures import Picture
from ..pictures.drawing import DEVICE, INK, MUTED, Sheet, lines_of, shorten
from ..pictures.layout import MARGIN, Content, content_of, lay_out
from ..pictures.pair import draw_chip, draw_patch_values, draw_patches
from .entries import SCORES, Entry, Pair, brief

_WIDTH, _GAP = 300, 12  # CSS pixels
_TITLE, _TITLE_LINE, _TEXT, _LINE = 15.0, 20.0, 11.5, 16.0
_HEAD = 68.0  # above the maps


def picture_of(pair: Pair, entries: Sequence[Entry], word: int, columns: int, words: str) -> Picture:
    """All methods as tiles in rows of `columns`; those of second order have two, the other for one word.

    Args:
        pair: what was explained.
        entries: the methods.
        word: the player whose interactions the other tile shows.
        columns: how many tiles in a row.
        words: what the picture says.
    """
    tiles: list[Image.Image] = []
    for entry in entries:
        tiles.append(_tile(entry, None))
        if entry.order > 1:
            tiles.append(_tile(entry, word))
    rows = [tiles[k : k + columns] for k in range(0, len(tiles), columns)]
    gap = DEVICE * _GAP
    heights = [max(tile.height for tile in row) for row in rows]
    width = max(len(row) for row in rows) * (DEVICE * _WIDTH + gap) - gap
    sheet = Image.new("RGBA", (width, sum(heights) + gap * (len(rows) - 1)))
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for k, tile in enumerate(row):
            sheet.paste(tile, (k * (DEVICE * _WIDTH + gap), top))
        top += height + gap
    return Picture(sheet, words)


def _tile(entry: Entry, word: int | None) -> Image.Image:
    if entry.explanation is None:
        return _failed(entry)
    explanation = entry.explanation
    content = content_of(explanation, word, None, 0, "separate", None)
    plan = lay_out(explanation, _HEAD, _WIDTH, rows=0)
    footer = [piece for line in _footer(entry, content, word) for piece in lines_of(line, _TEXT, _WIDTH - 2 * MARGIN)]
    sheet = Sheet(_WIDTH, plan.height + _LINE * len(footer) + 8)
    _head(sheet, entry.title, f"order {entry.order}: {heading_of(explanation, word)}")
    if explanation.subject.has_places:
        draw_patches(sheet, explanation, content, plan.picture)
        draw_patch_values(sheet, explanation, content, plan, most=3)
    for player, box in plan.chips.items():
        scale = content.image_scale if player < explanation.n_image else content.text_scale
        draw_chip(sheet, explanation.labels[player], content, player, scale, box)
    if word is not None:
        left, top, right, bottom = plan.box_of(word)
        sheet.frame((left - 2, top - 2, right + 2, bottom + 2))
    for k, line in enumerate(footer):
        sheet.text((MARGIN, plan.height + _LINE * (k + 0.5) - 4), line, _TEXT, MUTED)
    return sheet.finish()


def _head(sheet: Sheet, title: str, what: str) -> None:
    room = sheet.width - 2 * MARGIN
    sheet.text((MARGIN, 26), shorten(title, _TITLE, room), _TITLE, INK)
    sheet.text((MARGIN, 48), shorten(what, _TEXT, room), _TEXT, MUTED)


def _footer(entry: Entry, content: Content, word: int | None) -> list[str]:
    """The scale, and below the first tile of a method its scores and what must be said of it."""
    assert entry.explanation is not None
    told = [scale_of(entry.explanation, content)]
    if word is None:
        scores = "; ".join(f"{SCORES[name]} {value:.2f}" for name, value in entry.scores.items())
        told.append(scores or "no scores")
        passes = [] if entry.passes is None else [f"{entry.passes:,} passes"]
        told.append(", ".join(passes + ([] if entry.seconds is None else [brief(entry.seconds)])))
        told += entry.remarks
    return [line.replace("\u00b2", " squared") for line in told]  # a sign that the pictures' own font lacks


def heading_of(explanation: Explanation, word: int | None) -> str:
    """What a map shows: values of all players, or what one word has with them."""
    if word is None:
        return (
            "what each part contributes" if not explanation.names.rule else f"{explanation.names.players} of each part"
        )
    what = "what goes" if explanation.predicts else explanation.names.pairs
    return f"{what} with \u201c{explanation.labels[word]}\u201d"


def scale_of(explanation: Explanation, content: Content) -> str:
    """What full colour is, of patches and of words: in every map its own largest value."""
    n = explanation.n_image
    parts = [
        f"{name} \u00b1{content.told(scale).lstrip('+')}" if values.any() else f"{name} all 0"
        for name, scale, values in (
            ("patches", content.image_scale, content.values[:n]),
            ("words", content.text_scale, content.values[n:]),
        )
        if len(values)
    ]
    unit = content.names.unit if content.largest is None else f"of the largest score ({content.largest:.2g})"
    return f"own scale, full colour: {', '.join(parts)} {unit}"


def _failed(entry: Entry) -> Image.Image:
    lines = lines_of(entry.error, _TEXT, _WIDTH - 2 * MARGIN)
    sheet = Sheet(_WIDTH, _HEAD + _LINE * len(lines) + 16)
    _head(sheet, entry.title, "not run" if not entry.is_done else "failed")
    for k, line in enumerate(lines):
        sheet.text((MARGIN, _HEAD + _LINE * (k + 0.5)), line, _TEXT, INK)
    return sheet.finish()
