"""Regions: image players that are any sets of pixels, from a label map, boxes, a file or superpixels.

A label map is an array of whole numbers (height, width) that says of every pixel whose it is. `Regions` is one of a
user's picture; games and subjects hold one of the model's pixels, numbered from 0, which `inner_points` takes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .extras import need
from .masks import FloatArray, IntArray

NOBODY = -1  # in a label map: the pixel is no player's, and is always removed
REST = "rest"  # what is in no box
MOST_REGIONS = 4096
Box = tuple[float, float, float, float]
SUPERPIXELS = 50
_GRID = re.compile(r"(\d+)\s*[x\u00d7]\s*(\d+)")
_WANTED = 'a grid such as "4x4", "slic", a label map, its file, or boxes'


class Regions:
    """Regions of a picture, to be its players: `fixlip.explain(..., image_players=Regions(labels, {1: "dog"}))`.

    Args:
        labels: whole numbers of the picture's shape (height, width), as the picture stands upright: pixels of one
            number are one region, whether or not they are connected. The numbers may have gaps. Pixels of the number -1
            are nobody's: they are always removed, also from the pair that the explanation calls whole.
        names: what to call regions: by their number, or in ascending order of the numbers, one for each. Others are
            called "region 3".

    Raises:
        ValueError: one sentence, if these are no labels, a named region is empty, or there are more than 4,096.
    """

    def __init__(self, labels: Any, names: Mapping[int, str] | Sequence[str] = ()):
        self.labels = _checked(labels)
        self.numbers = np.unique(self.labels[self.labels != NOBODY])
        if not 1 <= len(self.numbers) <= MOST_REGIONS:
            raise ValueError(f"labels: got {len(self.numbers):,} regions, wanted 1 to {MOST_REGIONS:,}.")
        self.names = self._named(names)

    def _named(self, names: Mapping[int, str] | Sequence[str]) -> tuple[str, ...]:
        """One name for each region, in ascending order of the numbers."""
        if isinstance(names, str) or not isinstance(names, Mapping | Sequence):
            raise ValueError(f"names: got {names!r:.60}, wanted a dictionary from numbers to names, or a list.")
        if not isinstance(names, Mapping):
            if names and len(names) != len(self.numbers):
                raise ValueError(f"names: got {len(names)}, wanted one for each of the {len(self.numbers)} regions.")
            names = dict(zip(self.numbers.tolist(), names, strict=False))
        for number, name in names.items():
            if not isinstance(name, str) or not name.strip():
                raise ValueError(f"names: got {name!r} for region {number!r}, wanted a text.")
            if number not in self.numbers:
                raise ValueError(f"names: the region {number!r} ({name!r}) is empty: no pixel has this number.")
        return tuple(names.get(number, f"region {number}") for number in self.numbers.tolist())

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return int(self.labels.shape[0]), int(self.labels.shape[1])

    @classmethod
    def of_boxes(cls, boxes: Sequence[Box] | Mapping[str, Box], shape: tuple[int, int]) -> Regions:
        """Boxes, and one more region, "rest", of all that is in none.

        Where boxes overlap, a pixel belongs to the smallest that it is in.

        Args:
            boxes: (left, top, right, bottom) in pixels of the picture, right and bottom not included; by name, or in a
                list ("box 1", ...).
            shape: (height, width) of the picture.

        Raises:
            ValueError: one sentence, if a box is empty, not within the picture, or all of it belongs to smaller ones.
        """
        named = boxes if isinstance(boxes, Mapping) else {f"box {k + 1}": box for k, box in enumerate(boxes)}
        inside = {name: _inside(name, box, shape) for name, box in named.items()}
        labels = np.full(shape, len(inside))
        order = sorted(enumerate(inside.values()), key=lambda one: -one[1].sum())
        for number, pixels in order:
            labels[pixels] = number
        for number, name in enumerate(inside):
            if not (labels == number).any():
                raise ValueError(f"image_players: the box {name!r} is covered by smaller boxes; leave one of them out.")
        return cls(labels, dict(enumerate((*inside, *[REST] * bool((labels == len(inside)).any())))))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Regions:
        """A label map from a picture file whose values are the labels: indexed (palette) or grey, 8 or 16 bits.

        Raises:
            ValueError: one sentence, if there is no such file, or it is in colour.
        """
        try:
            with Image.open(Path(path)) as image:
                mode, values = image.mode, np.asarray(image)
        except FileNotFoundError:
            raise ValueError(f"image_players: there is no file {str(path)!r}.") from None
        except OSError:
            raise ValueError(f"image_players: {str(path)!r} is not a picture that Pillow can read.") from None
        if mode not in ("P", "L", "1", "I") and not mode.startswith("I;16"):
            raise ValueError(
                f"image_players: {str(path)!r} is in colour (mode {mode}), wanted an indexed or grey picture whose "
                "values are the labels."
            )
        return cls(values)

    def __repr__(self) -> str:
        return f"Regions({len(self.names)} of {self.shape[1]} x {self.shape[0]} pixels: {', '.join(self.names):.60})"


# What a user may give: None or "patches"; a grid, "4x4" or (4, 4); "slic", "slic:50" or ("slic", 50); the file of a
# label map, an array, `Regions`; boxes.
AnyImagePlayers = (
    str | os.PathLike[str] | tuple[Any, ...] | NDArray[Any] | Regions | Sequence[Box] | Mapping[str, Box] | None
)


def superpixels(view: NDArray[np.uint8], count: int) -> IntArray:
    """SLIC superpixels (Achanta et al., TPAMI 2012), as scikit-image makes them: about `count`, never many more.

    Args:
        view: uint8 (height, width, 3).
        count: how many to aim at.

    Returns:
        a label map (height, width), numbered from 0.

    Raises:
        ValueError: one sentence, if scikit-image is not installed.
    """
    slic = need("skimage.segmentation", 'image_players: "slic"', "scikit-image").slic
    found = slic(view, n_segments=count, start_label=0, channel_axis=-1)
    return np.unique(found, return_inverse=True)[1].reshape(view.shape[:2]).astype(np.intp)


def _checked(labels: Any) -> IntArray:
    array = np.asarray(labels)
    if array.dtype.kind not in "iub":
        raise ValueError(f"labels: got entries of type {array.dtype}, wanted whole numbers.")
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"labels: got shape {array.shape}, wanted (height, width).")
    array = array.astype(np.intp)
    if array.min() < NOBODY:
        raise ValueError(f"labels: got {array.min()}, wanted numbers from 0 on, or -1 for pixels of no region.")
    return array


def _inside(name: str, box: Any, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixels of the picture have their middle in a box."""
    edges = np.asarray(box, dtype=object).ravel().tolist()
    numbers = len(edges) == 4 and all(isinstance(edge, int | float | np.number) for edge in edges)
    height, width = shape
    if not numbers or not (0 <= edges[0] < edges[2] <= width and 0 <= edges[1] < edges[3] <= height):
        raise ValueError(
            f"image_players: the box {name!r} is {box!r:.60}, wanted (left, top, right, bottom) with left < right and "
            f"top < bottom, within the picture of {width} x {height} pixels."
        )
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    left, top, right, bottom = edges
    inside: NDArray[np.bool_] = ((y >= top) & (y < bottom))[:, None] & ((x >= left) & (x < right))
    if not inside.any():
        raise ValueError(f"image_players: the box {name!r} is {box!r:.60}, which holds the middle of no pixel.")
    return inside


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


def _whole(given: Any, *numbers: Any) -> tuple[int, ...]:
    """Whole numbers of at least 1."""
    found = tuple(int(one) if str(one).isdecimal() else 0 for one in numbers)
    if min(found) < 1:
        raise ValueError(f"image_players: got {given!r:.60}, wanted whole numbers of at least 1, as in {_WANTED}.")
    return found


# ---- of a label map that is numbered from 0


def inner_points(labels: IntArray, count: int) -> FloatArray:
    """A point well inside each region, farthest from its rim: (x, y) in shares of width and height, (count, 2)."""
    from scipy import ndimage  # here, so that `import fixlip` stays quick

    height, width = labels.shape
    points = np.zeros((count, 2))
    for number, place in enumerate(ndimage.find_objects(labels + 1, count)):
        inside = np.pad(labels[place] == number, 1)
        row, column = np.unravel_index(int(np.argmax(ndimage.distance_transform_edt(inside))), inside.shape)
        points[number] = (
            (place[1].start + column - 0.5) / width,
            (place[0].start + row - 0.5) / height,
        )
    return points
