"""A pair with patches and words that are present or absent, as whoever plays the masking game sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .areas import draw_areas, write_on_areas
from .drawing import CARD, DARK, FAINT, INK, MUTED, NEUTRAL, Box, Colour, Sheet, mix, shorten, text_width
from .layout import CHIP_TEXT, Plan, lay_out, lay_out_head
from .pair import draw_grid, draw_head, draw_rulers

if TYPE_CHECKING:
    from ..subject import Subject

_ABSENT: Colour = (128, 128, 128)
_NOTE = 12.0


def draw_masked(
    subject: Subject,
    present: NDArray[np.bool_],
    *,
    title: str,
    facts: Sequence[str] = (),
    notes: Mapping[int, str] | None = None,
    rulers: bool = True,
    width: int = 400,
) -> Image.Image:
    """Draw image and caption of a subject; absent patches are grey, absent words struck through.

    Args:
        subject: whose players they are; the image players on a grid or regions, and the image at hand.
        present: (n,) players that are present.
        title: headline, broken into lines where it is long.
        facts: what stands below it.
        notes: what is written on single players.
        rulers: number rows and columns.
        width: width in CSS pixels; the picture has twice as many.

    Returns:
        an RGBA picture, opaque but for its rounded corners.

    Raises:
        ValueError: if it is not known where the image players are, or there is no image to show.
    """
    if not subject.has_places or subject.image is None:
        raise ValueError("subject: wanted image patches on a grid and the image itself, or regions; there is none.")
    head = lay_out_head(title, facts, width)
    plan = lay_out(subject, head.height, width, rows=0)
    sheet = Sheet(plan.width, plan.height)
    draw_head(sheet, head)
    sheet.picture(plan.picture, Image.fromarray(subject.image))
    absent = ~np.asarray(present, bool)
    _draw_absent(sheet, subject, absent[: subject.n_image], plan, rulers)
    told = {player: note for player, note in (notes or {}).items() if player < subject.n_image}
    if plan.regions is not None:
        write_on_areas(sheet, plan, subject.labels, told)
    else:
        for player, note in told.items():
            left, top, _, _ = plan.box_of(player)
            sheet.box((left + 3, top + 3, left + 11 + text_width(note, _NOTE), top + 21), fill=CARD, radius=3)
            sheet.text((left + 7, top + 12), note, _NOTE, INK)
    for player, box in plan.chips.items():
        _draw_word(sheet, subject.labels[player], (notes or {}).get(player, ""), bool(absent[player]), box)
    return sheet.finish()


def _draw_absent(sheet: Sheet, subject: Subject, absent: NDArray[np.bool_], plan: Plan, rulers: bool) -> None:
    grey = np.broadcast_to(np.array(_ABSENT, np.uint8), (len(absent), 3))
    if subject.grid is None:
        assert plan.regions is not None
        draw_areas(sheet, plan.picture, plan.regions, grey, absent.astype(np.float64))
        return
    rows, columns = subject.grid
    sheet.tint(plan.picture, grey.reshape(rows, columns, 3), absent.reshape(rows, columns).astype(np.float64))
    draw_grid(sheet, plan.picture, rows, columns)
    if rulers:
        draw_rulers(sheet, plan)


def _draw_word(sheet: Sheet, label: str, note: str, absent: bool, box: Box) -> None:
    x, y = (box[0] + box[2]) / 2, box[1] + (16 if note else 22)
    label = shorten(label, CHIP_TEXT, box[2] - box[0] - 12)
    sheet.box(box, fill=CARD if absent else NEUTRAL, outline=FAINT if absent else mix(NEUTRAL, INK, 0.25), radius=7)
    sheet.text((x, y), label, CHIP_TEXT, MUTED if absent else DARK, anchor="mm")
    if absent:
        half = text_width(label, CHIP_TEXT) / 2
        sheet.path([(x - half - 2, y + 1), (x + half + 2, y + 1)], MUTED, 1)
    if note:
        sheet.text((x, box[1] + 33), note, 11.0, MUTED if absent else DARK, anchor="mm")
