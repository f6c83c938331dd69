"""What both encoders know of a picture, drawn: visual concepts outlined, their words, what either side has alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..concepts.overlap import MEASURES, check_measure
from .curves import Line, curves_on_sheet
from .drawing import CARD, DARK, INK, MUTED, Sheet, lines_of, shorten, text_width, wrap
from .outlines import badge, draw_regions, letter_of, swatch
from .picture import Picture

if TYPE_CHECKING:
    from ..concepts.found import ImageConcepts

_MARGIN, _TITLE_TEXT, _TITLE_LINE, _TEXT, _LINE = 20.0, 15.0, 20.0, 12.0, 17.0
_CHIP, _GAP = 23.0, 6.0  # height of a word, and the room between words
LEAST_WIDTH = 420
# What each measure is, for titles and numbers.
UNITS = {"information": "mutual information, nats", "overlap score": "overlap score (published)", "jaccard": "Jaccard"}


def outlined(found: ImageConcepts, width: int = 300) -> Picture:
    """The picture with its visual concepts outlined, and nothing else.

    Args:
        found: with the picture: from `Study.image` or `Study.images`.
        width: in CSS pixels; the picture has twice as many.

    Raises:
        ValueError: one sentence, if the picture was not kept.
    """

    def drawn(width: int) -> Sheet:
        sheet = Sheet(width, round(width * _shape(found)))
        _draw_image(sheet, found, (0.0, 0.0), float(width))
        return sheet

    return Picture(drawn(width).finish(), words_of_regions(found), drawn)


def draw_concepts(found: ImageConcepts, *, title: str | None = None, width: int = 640) -> Picture:
    """Draw the visual concepts, their words (those that the class shares are filled), and what either side has alone.

    Args:
        found: with the picture: from `Study.image` or `Study.images`.
        title: headline; by default the class, and whether it is the predicted one.
        width: in CSS pixels, 420 or more; the picture has twice as many.

    Raises:
        ValueError: one sentence, if the picture was not kept, or the width is too small.
    """
    if width < LEAST_WIDTH:
        raise ValueError(f"width: got {width}, wanted {LEAST_WIDTH} or more.")
    heading = headline(found) if title is None else title

    def drawn(width: int) -> Sheet:
        return _concepts_on_sheet(found, heading, max(width, LEAST_WIDTH))

    return Picture(drawn(width).finish(), words_of(found), drawn)


def _concepts_on_sheet(found: ImageConcepts, title: str, width: int) -> Sheet:
    heading = lines_of(title, _TITLE_TEXT, width - 2 * _MARGIN)
    side = round(0.42 * width)
    left, room = _MARGIN + side + 24, width - 2 * _MARGIN - side - 24
    top = 30 + _TITLE_LINE * len(heading)
    facts = [line for fact in facts_of(found) for line in lines_of(fact, _TEXT, width - 2 * _MARGIN)]
    height = side * _shape(found)
    below = max(height, _draw_words(Sheet(1, 1), found, left, 0.0, room)) + 22
    sheet = Sheet(width, top + below + _LINE * len(facts) + 6)
    for k, words in enumerate(heading):
        sheet.text((_MARGIN, 24 + _TITLE_LINE * k), words, _TITLE_TEXT)
    _draw_image(sheet, found, (_MARGIN, top), side)
    _draw_words(sheet, found, left, top, room)
    for k, line in enumerate(facts):
        sheet.text((_MARGIN, top + below + _LINE * k), line, _TEXT, MUTED)
    return sheet


def draw_deletion(
    found: ImageConcepts, measure: str = MEASURES[0], *, struck: int | None = None, width: int = 460
) -> Picture | None:
    """Draw a measure of overlap as the image side's words are struck out, and what chance gives.

    Args:
        found: of any picture.
        measure: one of MEASURES.
        struck: how many are struck out, which a line marks.
        width: in CSS pixels.

    Returns:
        the curves, or None where the image side has no words.

    Raises:
        ValueError: if there is no such measure, or fewer words to strike out.
    """
    values, chance, count = found.curve(check_measure(measure)), found.chance_curve(measure), len(found.visual)
    if struck is not None and not 0 <= struck <= count:
        raise ValueError(f"struck: got {struck}, wanted 0 to {count}, the words of the image side.")
    if not count:
        return None
    highest = max(*values, *chance)
    lines = [
        Line("this picture", values.tolist(), INK),
        Line("sets of this size by chance, on average", chance.tolist(), MUTED, dashed=True),
    ]
    drawn = partial(
        curves_on_sheet,
        lines,
        f"{UNITS[measure][:1].upper()}{UNITS[measure][1:]}, as words are struck out",
        x_label="words of the image side struck out, the most important first",
        levels=(0.0, _round_up(highest)),
        ticks={str(k): k / count for k in range(count + 1)},
        mark=None if struck is None else struck / count,
    )
    told = ", ".join(f"{value:.2f}" for value in values)
    words = f"{UNITS[measure]} as words are struck out: {told}; by chance {chance[0]:.2f} at first."
    return Picture(drawn(width=width).finish(), words, lambda width: drawn(width=width))


# ---- what is said


def headline(found: ImageConcepts) -> str:
    """Whose concepts these are."""
    predicted = found.classes.names[found.prediction]
    whose = "the predicted class" if found.target == found.prediction else f"not the predicted \u201c{predicted}\u201d"
    return f"Concepts of the picture and of \u201c{found.class_name}\u201d, {whose}"


def facts_of(found: ImageConcepts) -> list[str]:
    """The overlap with its chance level, the numbers that it depends on, and notes: a sentence each."""
    overlap, chance = found.overlap, found.overlap.chance()
    if not found.visual:
        return list(found.notes)
    sizes = f"{overlap.visual} and {overlap.language} of a bank of {overlap.bank}"
    often = f", and {overlap.shared} or more in {chance.p_value:.1%} of cases" if overlap.shared else ""
    return [
        f"Shared words: {overlap.shared}, of {sizes}. Chance shares {overlap.expected:.2f} on average{often}.",
        f"Mutual information {overlap.information:.3f} nats; by chance {chance.mean:.3f}.",
        *found.notes,
    ]


def sides_of(found: ImageConcepts) -> list[tuple[str, tuple[str, ...]]]:
    """Shared words, and those of either side alone, each with its heading."""
    return [
        ("both sides", found.phrases(found.shared)),
        ("image side alone", found.phrases(found.visual_only)),
        ("language side alone", found.phrases(found.language_only)),
    ]


def words_of_regions(found: ImageConcepts) -> str:
    """The visual concepts in words, for whoever cannot see them."""
    if not found.concepts:
        return "A picture without visual concepts."
    each = []
    for one in found.concepts:
        count = int(one.patches.sum())
        size = f"{count} patch{'es' if count > 1 else ''}"
        each.append(f"{letter_of(one.part)} ({size}): {', '.join(found.phrases(one.words))}")
    return f"Visual concepts, outlined: {'; '.join(each)}."


def words_of(found: ImageConcepts) -> str:
    """Everything that `draw_concepts` shows, in words."""
    sides = ". ".join(f"{name}: {', '.join(words) or 'none'}" for name, words in sides_of(found))
    return " ".join([f"{headline(found)}.", words_of_regions(found), f"{sides}.", *facts_of(found)])


# ---- how it is drawn


def _shown(found: ImageConcepts) -> NDArray[np.uint8]:
    if found.shown is None:
        raise ValueError("found: its picture was not kept; wanted what Study.image or Study.images gives.")
    return found.shown


def _shape(found: ImageConcepts) -> float:
    """Height over width of the picture."""
    height, width = _shown(found).shape[:2]
    return float(height) / float(width)


def _draw_image(sheet: Sheet, found: ImageConcepts, at: tuple[float, float], side: float) -> None:
    box = (*at, at[0] + side, at[1] + side * _shape(found))
    sheet.picture(box, Image.fromarray(_shown(found)))
    draw_regions(sheet, box, {one.part: one.patches.reshape(found.grid) for one in found.concepts})


def _draw_words(sheet: Sheet, found: ImageConcepts, left: float, top: float, room: float) -> float:
    """The visual concepts' words and the two sides', from `top` down; how much room they take."""
    at, inner = top, left + 52
    for one in found.concepts:
        swatch(sheet, (left, at, left + 22, at + 22), one.part)
        badge(sheet, (left + 36, at + 11), one.part)
        at = _draw_chips(sheet, one.words, found, inner, at, room - 52) + 8
    if not found.concepts:
        sheet.text((left, at + 10), "no visual concepts", _TEXT, MUTED)
        at += 28
    for heading, words in sides_of(found):
        filled = " (filled above)" if words and words == found.phrases(found.shared) else ""
        sheet.text((left, at + 9), f"{heading}{filled}", _TEXT, MUTED)
        at += _LINE
        for line in lines_of(", ".join(words) or "none", _TEXT, room):
            sheet.text((left, at + 9), line, _TEXT, INK)
            at += _LINE
        at += 5
    return at - top


def _draw_chips(
    sheet: Sheet, words: Sequence[int], found: ImageConcepts, left: float, top: float, room: float
) -> float:
    """Words as chips, filled if the class shares them; where they end."""
    phrases = [shorten(one, _TEXT, room - 16) for one in found.phrases(tuple(words))]
    widths = [text_width(one, _TEXT) + 16 for one in phrases]
    for row, line in enumerate(wrap(widths, _GAP, room)):
        x, y = left, top + row * (_CHIP + 4)
        for k in line:
            shared = words[k] in found.shared
            sheet.box((x, y, x + widths[k], y + _CHIP), DARK if shared else CARD, None if shared else MUTED, 7)
            sheet.text((x + 8, y + _CHIP / 2), phrases[k], _TEXT, CARD if shared else INK)
            x += widths[k] + _GAP
        top_of_last = y
    return top_of_last + _CHIP


def _round_up(value: float) -> float:
    """The value in one digit that matters, rounded up; 1 for 0."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.ceil(value / unit) * unit:.1g}")
