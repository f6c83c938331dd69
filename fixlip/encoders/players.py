"""Players that a user names, as an encoder needs them: regions of its pixels, groups of its tokens."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..masks import IntArray
from ..phrases import Span, TextPlayers, check_text_players, grouped, spans_of_labels
from ..regions import NOBODY, Box, Regions, superpixels
from ..subject import patch_labels
from .images import ImageSource, read_image

# What a user may give: None or "patches"; a grid, "4x4" or (4, 4); "slic", "slic:50" or ("slic", 50); the file of a
# label map, an array, `Regions`; boxes.
AnyImagePlayers = (
    str | os.PathLike[str] | tuple[Any, ...] | NDArray[Any] | Regions | Sequence[Box] | Mapping[str, Box] | None
)
AnyTextPlayers = str | Sequence[str]

SUPERPIXELS = 50
_GRID = re.compile(r"(\d+)\s*[x\u00d7]\s*(\d+)")
_WANTED = 'a grid such as "4x4", "slic", a label map, its file, or boxes'


@dataclass(frozen=True, eq=False)
class ImagePlayers:
    """The image players of a prepared picture.

    Attributes:
        grid: (rows, columns) where they stand in one.
        regions: the label map of the model's pixels, numbered from 0; None where they are the model's own patches.
        labels: one name a player.
        note: what readers should know; or empty.
    """

    grid: tuple[int, int] | None
    regions: IntArray | None
    labels: tuple[str, ...]
    note: str = ""


def check_image_players(players: AnyImagePlayers) -> Any:
    """What was given, in one form: None (patches), (rows, columns), ("slic", n), `Regions`, or boxes.

    Raises:
        ValueError: one sentence, if it is none of these; no model and no picture is looked at.
    """
    if players is None or (isinstance(players, str) and players == "patches") or isinstance(players, Regions):
        return None if isinstance(players, str) else players
    if isinstance(players, np.ndarray):
        return Regions(players)
    if isinstance(players, str):
        if found := _GRID.fullmatch(players):
            return _whole(players, found[1], found[2])
        name, _, count = players.partition(":")
        if name == "slic":
            return ("slic", *_whole(players, count or str(SUPERPIXELS)))
    if isinstance(players, str | os.PathLike):
        if isinstance(players, str) and not os.path.splitext(players)[1]:
            raise ValueError(f"image_players: got {players!r:.60}, wanted {_WANTED}.")
        return Regions.read(players)
    if isinstance(players, tuple) and len(players) == 2 and players[0] == "slic":
        return ("slic", *_whole(players, players[1]))
    if isinstance(players, tuple) and len(players) == 2 and not any(isinstance(one, Sequence) for one in players):
        return _whole(players, *players)
    if isinstance(players, Mapping | Sequence) and len(players):
        return players
    raise ValueError(f"image_players: got {players!r:.60}, wanted {_WANTED}.")


def image_players(
    encoder: Any, players: AnyImagePlayers, image: ImageSource, pixels: Any, view: NDArray[np.uint8]
) -> ImagePlayers:
    """The players of a prepared picture; the model is not called.

    Args:
        encoder: an encoder.
        players: what the user gave.
        image: the picture as it was given.
        pixels, view: what `encoder.prepare_image` made of it.

    Raises:
        ValueError: one sentence, if they do not fit the picture, or a region has none of the model's pixels.
    """
    asked, patches = check_image_players(players), encoder.grid_of(pixels)
    if asked is None or asked == patches:
        return ImagePlayers(patches, None, patch_labels(patches))
    shape = int(pixels.shape[-2]), int(pixels.shape[-1])
    if isinstance(asked, tuple) and asked[0] == "slic":
        seen = np.asarray(Image.fromarray(view).resize(shape[::-1], Image.Resampling.BILINEAR))
        found = superpixels(seen, asked[1])
        return ImagePlayers(None, found, tuple(f"region {k + 1}" for k in range(int(found.max()) + 1)))
    if isinstance(asked, tuple) and isinstance(asked[0], int):
        return _on_grid(asked, shape, patches, getattr(encoder, "patch_size", None))
    return _of_regions(encoder, asked, image, shape)


def text_players(encoder: Any, players: AnyTextPlayers, caption: Any) -> TextPlayers:
    """The players of a prepared caption; the model is not called.

    Raises:
        ValueError: one sentence, if a phrase is not in it, or the tokenizer's tokens are not its words.
    """
    asked = check_text_players(players)
    if asked == "tokens":
        return TextPlayers(None, tuple(caption.labels), "token")
    spans = _offsets(encoder, caption) or spans_of_labels(caption.text, caption.labels)
    return grouped(caption.text, spans, asked)


def _whole(given: Any, *numbers: Any) -> tuple[int, ...]:
    """Whole numbers of at least 1."""
    found = tuple(int(one) if str(one).isdecimal() else 0 for one in numbers)
    if min(found) < 1:
        raise ValueError(f"image_players: got {given!r:.60}, wanted whole numbers of at least 1, as in {_WANTED}.")
    return found


def _on_grid(
    grid: tuple[int, int], shape: tuple[int, int], patches: tuple[int, int], patch_size: int | None
) -> ImagePlayers:
    """A grid over what the model reads: whole patches, where there are patches."""
    seen = shape if patch_size is None else (patches[0] * patch_size, patches[1] * patch_size)
    if any(count > side for count, side in zip(grid, seen, strict=True)):
        raise ValueError(
            f"image_players: got {grid[0]} x {grid[1]}, wanted at most a cell for each of the model's {seen[0]} x "
            f"{seen[1]} pixels."
        )
    rows, columns = (np.arange(side) * count // side for side, count in zip(seen, grid, strict=True))
    regions = np.full(shape, NOBODY)
    regions[: seen[0], : seen[1]] = rows[:, None] * grid[1] + columns
    return ImagePlayers(grid, regions, patch_labels(grid))


def _of_regions(encoder: Any, asked: Any, image: ImageSource, shape: tuple[int, int]) -> ImagePlayers:
    """Regions of the user's picture, where the model sees them."""
    size = upright_shape(image)
    regions = asked if isinstance(asked, Regions) else Regions.of_boxes(asked, size)
    if regions.shape != size:
        raise ValueError(
            f"image_players: got a label map of shape {regions.shape}, wanted {size}, a label for each pixel of the "
            "upright picture."
        )
    if not hasattr(encoder, "labels_on_pixels"):
        raise ValueError(
            f"image_players: {encoder.name} has no labels_on_pixels, which says where a picture's pixels go; wanted a "
            'grid or "slic".'
        )
    numbered = np.where(regions.labels == NOBODY, NOBODY, np.searchsorted(regions.numbers, regions.labels))
    found = np.asarray(encoder.labels_on_pixels(numbered, image), np.intp)
    for number, name in enumerate(regions.names):
        if not (found == number).any():
            raise ValueError(
                f"image_players: the region {name!r} is empty where the model looks, since it cuts or shrinks pictures "
                f"to {shape[1]} x {shape[0]} pixels; wanted larger regions within that part."
            )
    missing = float((found == NOBODY).mean())
    note = f"{missing:.0%} of the picture are in no region, and are always removed." if missing else ""
    return ImagePlayers(None, found, regions.names, note)


def upright_shape(source: ImageSource) -> tuple[int, int]:
    """(height, width) of a picture as it stands upright, at its own resolution."""
    if isinstance(source, np.ndarray):
        return int(source.shape[0]), int(source.shape[1])
    if isinstance(source, str | os.PathLike):
        with Image.open(source) as opened:  # its header alone
            return _upright(opened)
    return _upright(source) if isinstance(source, Image.Image) else read_image(source).size[::-1]


def _upright(image: Image.Image) -> tuple[int, int]:
    turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)  # on its side
    return (image.width, image.height) if turned else (image.height, image.width)


def _offsets(encoder: Any, caption: Any) -> list[Span] | None:
    """Where every token begins and ends in the caption, where the tokenizer says so."""
    tokenizer = getattr(getattr(encoder, "processor", None), "tokenizer", None)
    if not getattr(tokenizer, "is_fast", False) or not hasattr(caption, "positions"):
        return None
    found: Any = tokenizer
    told = found(caption.text, truncation=False, return_offsets_mapping=True)
    positions = [int(k) for k in caption.positions]
    if positions[-1] >= len(told["input_ids"]):
        return None
    same = all(told["input_ids"][k] == int(caption.input_ids[k]) for k in positions)
    return [(int(a), int(b)) for a, b in (told["offset_mapping"][k] for k in positions)] if same else None
