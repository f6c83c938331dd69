"""Pictures for a paper: files of a size in inches, as vectors (SVG, PDF) or as pixels of a resolution."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from ..atomic import replacing
from .drawing import DEVICE, Sheet
from .inches import Page, lay_out

DPI, MOST_INCHES, MOST_PIXELS = 300.0, 100.0, 20_000
VECTORS = (".svg", ".pdf")


def save(
    image: Image.Image,
    words: str,
    drawn: Callable[[int], Sheet] | None,
    path: Path,
    size: tuple[float | None, float | None],
    dpi: float | None,
) -> Path:
    """What `Picture.save` does, whose parts these are; the size is width and height."""
    width, height = size
    kind = path.suffix.lower()
    for name, inches in (("width", width), ("height", height)):
        if inches is not None and not 0.1 <= _number(name, inches) <= MOST_INCHES:
            raise ValueError(f"{name}: got {inches!r}, wanted inches from 0.1 to {MOST_INCHES:g}.")
    if dpi is not None and not 10 <= _number("dpi", dpi) <= 2400:
        raise ValueError(f"dpi: got {dpi!r}, wanted pixels per inch from 10 to 2,400.")
    if kind in VECTORS and dpi is not None:
        raise ValueError(f"dpi: {kind} holds no pixels of the drawing; leave it out.")
    if kind not in VECTORS and (width, height, dpi) == (None, None, None):
        return _write(path, lambda partial: image.save(partial))
    if drawn is None:
        raise ValueError(
            f"path: this picture is made of pixels alone, so that it has no {kind} of a size; wanted a name that ends "
            "in .png, without width, height and dpi."
        )
    page = lay_out(drawn, image.width / DEVICE, width, height)
    if kind == ".svg":
        from .svg import svg

        return _write(path, lambda partial: partial.write_text(svg(page, words), encoding="utf-8"))
    if kind == ".pdf":
        from .pdf import pdf

        data = pdf(page, words)
        return _write(path, lambda partial: partial.write_bytes(data))
    dpi = float(dpi or DPI)
    found = pixels(page, dpi)
    return _write(path, lambda partial: found.save(partial, dpi=(dpi, dpi)))


def pixels(page: Page, dpi: float) -> Image.Image:
    """The page as pixels, RGBA; clear where nothing is drawn."""
    size = round(page.width * dpi), round(page.height * dpi)
    if max(size) > MOST_PIXELS:
        raise ValueError(f"dpi: got {dpi:g}, which makes {size[0]:,} x {size[1]:,} pixels; wanted fewer.")
    per_pixel = page.scale * dpi
    again = Sheet(page.sheet.width, page.sheet.height, fine=max(2, math.ceil(2 * per_pixel)))
    for name, arguments in page.sheet.marks:
        getattr(again, name)(*arguments)
    drawn = (
        min(size[0], max(1, round(page.sheet.width * per_pixel))),
        min(size[1], max(1, round(page.sheet.height * per_pixel))),
    )
    image = Image.new("RGBA", size)
    image.paste(again.finish(drawn), ((size[0] - drawn[0]) // 2, (size[1] - drawn[1]) // 2))
    return image


def _number(name: str, given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise ValueError(f"{name}: got {given!r:.60}, wanted a number.")
    return float(given)


def _write(path: Path, write: Callable[[Path], object]) -> Path:
    try:
        with replacing(path) as partial:
            write(partial)
    except (OSError, ValueError, KeyError) as error:
        told = (error.strerror if isinstance(error, OSError) else None) or error
        raise ValueError(f"path: cannot write {os.fspath(path)!r} ({told}).") from None
    return path
