"""The legend of a picture: the colour scale, and the key to the lines."""

from __future__ import annotations

import numpy as np

from .drawing import CARD, MUTED, NEGATIVE, POSITIVE, Sheet, colour_of, lines_of, text_width
from .layout import LEGEND_TEXT, LINES_KEY, MARGIN, NARROW, SCALE_LINE, Content

_END_TEXT = 9.5


def is_joint(content: Content) -> bool:
    """Whether patches and words are on one colour scale."""
    return bool(np.isclose(content.image_scale, content.text_scale))


def meaning_lines(content: Content, width: float) -> list[str]:
    """Lines that say what a number means, where its unit does not say enough."""
    return lines_of(content.meaning, LEGEND_TEXT, width - 2 * MARGIN) if content.meaning else []


def draw_legend(sheet: Sheet, content: Content, top: float) -> None:
    """The colour scale, with a line of numbers for whatever it belongs to."""
    steps, w, h = 120, min(150.0, sheet.width - 2 * MARGIN - 110), 10.0
    left = MARGIN
    for k in range(steps):
        x = left + w * k / steps
        sheet.box((x, top, x + w / steps + 0.5, top + h), fill=colour_of(2 * (k + 0.5) / steps - 1))
    for name, x, anchor in zip(content.names.ends, (left + 4, left + w - 4), ("lm", "rm"), strict=True):
        if name:
            sheet.text((x, top + h / 2), name, _END_TEXT, CARD, anchor)
    sheet.text((left + w + 12, top + 5), content.names.unit, LEGEND_TEXT, MUTED)
    sides = content.places if content.names.sides[0] == "patches" else content.names.sides[0], content.names.sides[1]
    rows = {" and ".join(sides): content.image_scale}
    if not is_joint(content):
        rows = dict(zip(sides, (content.image_scale, content.text_scale), strict=True))
    y = top + 15
    for name, scale in rows.items():
        for share, anchor in ((0.0, "la"), (0.5, "ma"), (1.0, "ra")):
            sheet.text((left + w * share, y), content.told((2 * share - 1) * scale), LEGEND_TEXT, MUTED, anchor)
        sheet.text((left + w + 12, y), name, LEGEND_TEXT, MUTED, "la")
        y += SCALE_LINE
    for line in meaning_lines(content, sheet.width):
        sheet.text((left, y + 2), line, LEGEND_TEXT, MUTED, "la")
        y += SCALE_LINE
    if content.edges:
        _draw_edge_key(sheet, content, y + LINES_KEY - 22 if sheet.width < NARROW else top)


def _draw_edge_key(sheet: Sheet, content: Content, top: float) -> None:
    x = sheet.width - MARGIN
    text = f"{content.names.together}: up to {content.told(content.edges[0].value)}"
    sheet.text((x, top + 5), text, 11.5, MUTED, anchor="rm")
    x -= text_width(text, 11.5) + 44
    sheet.path([(x, top), (x + 34, top)], POSITIVE, 3)
    sheet.path([(x, top + 10), (x + 34, top + 10)], NEGATIVE, 3, dashed=True)
    sheet.text((x - 8, top), content.names.more, 10.5, MUTED, anchor="rm")
    sheet.text((x - 8, top + 11), content.names.less, 10.5, MUTED, anchor="rm")
