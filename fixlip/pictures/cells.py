"""Numbers in rows and columns as coloured cells, with names or over a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..masks import FloatArray
from .drawing import MUTED, Sheet, colour_of, ink_on, lines_of, signed, text_width

_TITLE_TEXT, _TITLE_LINE, _TEXT = 15.0, 20.0, 11.0
_ROOM = 20.0  # around the cells, in CSS pixels
_HEIGHT = 34.0  # of a row that lies over no picture
_COVER = 0.75  # opacity of the strongest colour over a picture


def draw_cells(
    values: FloatArray,
    *,
    title: str,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    image: Image.Image | None = None,
    scale: float | None = None,
    width: int = 420,
) -> Image.Image:
    """Draw a table of numbers as cells, red above zero and blue below, with the numbers in them.

    Args:
        values: (rows, columns).
        title: headline, broken into lines where it is long.
        rows: names of the rows, on the left; or numbers from 1 if there is an image.
        columns: names of the columns, above them.
        image: what the cells lie over, stretched to a square grid; numbers are left out then.
        scale: value of full colour; by default the largest size.
        width: in CSS pixels; the picture has twice as many.

    Returns:
        an RGBA picture, opaque but for its rounded corners.

    Raises:
        ValueError: if the names are not as many as rows and columns.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or not np.isfinite(table).all():
        raise ValueError(f"values: got shape {table.shape}, wanted rows and columns of finite numbers.")
    if image is not None:
        rows, columns = ([str(k + 1) for k in range(count)] for count in table.shape)
    if (len(rows), len(columns)) != table.shape:
        raise ValueError(f"names: got {len(rows)} rows and {len(columns)} columns, wanted {table.shape}.")
    heading = lines_of(title, _TITLE_TEXT, width - 2 * _ROOM)
    left = _ROOM + max(text_width(name, _TEXT) for name in rows) + 10
    top = 24 + _TITLE_LINE * len(heading) + 18
    across = (width - _ROOM - left) / table.shape[1]
    down = across if image is not None else _HEIGHT
    sheet = Sheet(width, top + down * len(rows) + _ROOM)
    for k, words in enumerate(heading):
        sheet.text((_ROOM, 24 + _TITLE_LINE * k), words, _TITLE_TEXT)
    for k, name in enumerate(columns):
        sheet.text((left + across * (k + 0.5), top - 10), name, _TEXT, MUTED, anchor="mm")
    for k, name in enumerate(rows):
        sheet.text((left - 8, top + down * (k + 0.5)), name, _TEXT, MUTED, anchor="rm")
    shares = table / (scale or np.abs(table).max(initial=0.0) or 1.0)
    if image is not None:
        box = (left, top, left + across * table.shape[1], top + down * table.shape[0])
        sheet.picture(box, image.convert("RGB"))
        colours = np.array([[colour_of(float(np.sign(share))) for share in row] for row in shares], np.uint8)
        sheet.tint(box, colours, _COVER * np.clip(np.abs(shares), 0, 1))
        return sheet.finish()
    for (row, column), share in np.ndenumerate(shares):
        x, y, colour = left + across * column, top + down * row, colour_of(float(share))
        sheet.box((x + 1, y + 1, x + across - 1, y + down - 1), fill=colour)
        sheet.text(
            (x + across / 2, y + down / 2), signed(float(table[row, column])), _TEXT, ink_on(colour), anchor="mm"
        )
    return sheet.finish()
