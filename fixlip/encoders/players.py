"""Players that a user names, as an encoder needs them: regions of its pixels, groups of its tokens."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..masks import IntArray
from ..phrases import AnyTextPlayers, Span, TextPlayers, check_text_players, grouped, spans_of_labels
from ..regions import NOBODY, AnyImagePlayers, Regions, check_image_players, superpixels
from ..subject import patch_labels
from .images import ImageSource
from .masking import grid_regions, whole_patches


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


def image_players(
    encoder: Any, players: AnyImagePlayers, image: ImageSource, pixels: Any, view: NDArray[np.uint8]
) -> ImagePlayers:
    """The players of a prepared picture; the model is not called.

    Args:
        encoder: an encoder.
        players: what the user gave.
        image: the picture as it was given.
        pixels: what `encoder.prepare_image` made of it for the model,
        view: and for showing.

    Raises:
        ValueError: one sentence, if they do not fit the picture, or a region has none of the model's pixels.
    """
    found = _players(encoder, players, image, pixels, view)
    if found.regions is not None and getattr(encoder, "image_masking", "") == "drop":
        everyone = np.ones((1, len(found.labels)), bool)
        whole_patches(everyone, found.regions, encoder.grid_of(pixels), encoder.patch_size)
    return found


def _players(
    encoder: Any, players: AnyImagePlayers, image: ImageSource, pixels: Any, view: NDArray[np.uint8]
) -> ImagePlayers:
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
    return _of_regions(encoder, asked, image, pixels)


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
    regions = np.full(shape, NOBODY)
    regions[: seen[0], : seen[1]] = grid_regions(seen, grid)
    return ImagePlayers(grid, regions, patch_labels(grid))


def _of_regions(encoder: Any, asked: Any, image: ImageSource, pixels: Any) -> ImagePlayers:
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
    found = np.asarray(encoder.labels_on_pixels(numbered, pixels), np.intp)
    for number, name in enumerate(regions.names):
        if not (found == number).any():
            raise ValueError(
                f"image_players: the region {name!r} is empty where the model looks, since it cuts or shrinks pictures "
                f"to {found.shape[1]} x {found.shape[0]} pixels; wanted larger regions within that part."
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
    return _upright(source)


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
