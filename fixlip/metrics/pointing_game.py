"""The pointing game: do a word's interactions point at its object in a mosaic of four?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..encoders.images import ImageSource, read_image
from ..explanation import Explanation
from ..masks import BoolArray, FloatArray, IntArray
from ..subject import Subject

CELLS = ("top left", "top right", "bottom left", "bottom right")  # of a 2x2 mosaic, in reading order
TILE = 224  # pixels; the published mosaics are 448 x 448

# The ten games of the paper, each a mosaic of four ImageNet classes (Baniecki et al., NeurIPS 2025, pointing game).
IMAGENET_CLASSES = {
    "goldfish": 1,
    "cat": 282,
    "husky": 248,
    "banana": 954,
    "pizza": 963,
    "plane": 404,
    "tractor": 866,
    "ball": 805,
    "church": 497,
    "ipod": 605,
}
PUBLISHED_GAMES = (
    ("goldfish", "husky", "pizza", "tractor"),
    ("cat", "goldfish", "plane", "pizza"),
    ("banana", "cat", "tractor", "ball"),
    ("husky", "banana", "plane", "church"),
    ("pizza", "ipod", "goldfish", "banana"),
    ("ipod", "cat", "husky", "plane"),
    ("tractor", "ball", "banana", "ipod"),
    ("plane", "church", "ball", "goldfish"),
    ("church", "pizza", "ipod", "cat"),
    ("ball", "husky", "banana", "tractor"),
)


@dataclass(frozen=True, eq=False)
class PointingGame:
    """A mosaic with a caption that names some of what it shows.

    Attributes:
        image: 2x2 tiles.
        labels: what the four tiles show, in reading order.
        objects: how many of them, from the first, the caption names.
    """

    image: Image.Image
    labels: tuple[str, ...]
    objects: int

    def __post_init__(self) -> None:
        if len(self.labels) != len(CELLS):
            raise ValueError(f"labels: got {len(self.labels)}, wanted one for each of the {len(CELLS)} cells.")
        if isinstance(self.objects, bool) or self.objects not in range(1, len(CELLS) + 1):
            raise ValueError(f"objects: got {self.objects!r}, wanted 1 to {len(CELLS)}, the number of cells.")

    @property
    def caption(self) -> str:
        """The labels that are asked about, with blanks between them."""
        return " ".join(self.labels[: self.objects])

    def score(self, explanation: Explanation) -> PointingScore:
        """How well an explanation of this image and caption points.

        Raises:
            ValueError: if a label has no tokens of its own in the explanation's caption.
        """
        return pointing_game(explanation, tokens_of(self.labels[: self.objects], explanation))


@dataclass(frozen=True, eq=False)
class PointingScore:
    """Scores of one pointing game.

    Attributes:
        pgr: pointing game recognition, correct / (correct + wrong), 0 to 1. NaN if both are zero: an explanation that
            is zero in all cells points nowhere, which is neither right nor wrong.
        correct: sum of positive values in the right cell and of negative ones in wrong cells, in the explanation's unit
            (logits, or a method's own).
        wrong: sum of the others.
        sign_ratio: mean over tokens of the share of values with the right sign; zero has neither sign.
        by_cell: (objects, 4) net sum of each label's values in each of the `CELLS`, in the same unit.
    """

    pgr: float
    correct: float
    wrong: float
    sign_ratio: float
    by_cell: FloatArray


def mosaic(tiles: Sequence[ImageSource], tile: int = TILE) -> Image.Image:
    """Four pictures as a 2x2 mosaic in reading order, each resized to `tile` x `tile` pixels."""
    if len(tiles) != len(CELLS):
        raise ValueError(f"tiles: got {len(tiles)}, wanted {len(CELLS)}.")
    canvas = Image.new("RGB", (2 * tile, 2 * tile))
    for k, source in enumerate(tiles):
        canvas.paste(read_image(source).resize((tile, tile), Image.Resampling.BICUBIC), (k % 2 * tile, k // 2 * tile))
    return canvas


def quadrant(grid: tuple[int, int], k: int) -> BoolArray:
    """The patches of cell k (reading order) of a grid, a flat mask; a middle row or column belongs to none.

    So 7x7 patches have four corners of 3x3, as published, and even grids exact quarters.
    """
    mask = np.zeros(grid, bool)
    rows, columns = grid[0] // 2, grid[1] // 2
    top, left = (k // 2) * (grid[0] - rows), (k % 2) * (grid[1] - columns)
    mask[top : top + rows, left : left + columns] = True
    return mask.ravel()


def region_quadrant(regions: IntArray, count: int, k: int) -> BoolArray:
    """The regions of cell k (reading order): those of whose pixels more than half lie in this quarter of the picture.

    A region that no quarter has more than half of belongs to none, as a middle row of patches does. So a label map of
    equal patches gives the cells of `quadrant`. A middle row or column of pixels is half in either quarter.

    Args:
        regions: (height, width), the region of every pixel, from 0 to `count` - 1, or -1.
        count: number of regions.
        k: 0 to 3.

    Returns:
        a flat mask, (count,).
    """
    # Half pixels, so that the numbers are whole.
    in_half = [np.clip(side - 2 * np.arange(side), 0, 2) for side in regions.shape]
    rows, columns = (half if first else 2 - half for half, first in zip(in_half, (k < 2, k % 2 == 0), strict=True))
    inside, known = np.outer(rows, columns), regions >= 0
    within, whole = np.zeros(count, np.intp), np.zeros(count, np.intp)
    np.add.at(within, regions[known], inside[known])
    np.add.at(whole, regions[known], 4)
    return np.asarray(2 * within > whole)


def tokens_of(labels: Sequence[str], explanation: Explanation) -> list[list[int]]:
    """Which text players spell each label, in order; a label of several tokens gets all of them.

    Args:
        labels: words of the caption, in its order; case and blanks do not count.
        explanation: of that caption.

    Raises:
        ValueError: if the caption does not contain a label where it should.
    """
    names = explanation.labels[explanation.n_image :]
    pieces = [_plain(name) for name in names]
    found: list[list[int]] = []
    start = 0
    for label in labels:
        tokens = _spelling(_plain(label), pieces, start)
        if not tokens:
            raise ValueError(f"labels: {label!r} has no token in the caption; its tokens are {', '.join(names)}.")
        found.append([explanation.n_image + k for k in tokens])
        start = tokens[-1] + 1
    return found


def _spelling(word: str, pieces: Sequence[str], start: int) -> range:
    """The first neighbouring pieces from `start` on that make up a word; empty if there are none."""
    for first in range(start, len(pieces)):
        spelt = ""
        for last in range(first, len(pieces)):
            spelt += pieces[last]
            if word and spelt == word:
                return range(first, last + 1)
            if not word.startswith(spelt):
                break
    return range(0)


def _plain(text: str) -> str:
    return "".join(text.lower().split())


def pointing_game(explanation: Explanation, tokens: Sequence[Sequence[int]]) -> PointingScore:
    """Pointing game recognition of an explanation (Baniecki et al., NeurIPS 2025, Tables 1, 2 and 4).

    For each token the values in its own cell should be positive, those in the other three cells negative. A
    second-order explanation is judged by the token's interactions with patches. A first-order one has no such thing: it
    is judged by the patches' values and the token's own, which is counted on both sides as published. So one map has to
    serve all tokens: with four objects of one token each and no negative values it gets (M + W) / (4 M + 2 W), between
    1/4 and 1/2, where M is the sum of the patches' values in the four cells and W that of the tokens' own.
    Negative values turn this round: a map that is negative everywhere gets up to 3/4, since every value is right for
    three objects and wrong for one. So look at a random map beside it, and at the map itself.

    Regions of any shape are scored as patches are: each counts in the quarter that has more than half of its pixels,
    or in none (see `region_quadrant`).

    Args:
        explanation: of a mosaic, its image players a grid or regions.
        tokens: text players of the first, second, ... object; object k lies in cell k.

    Raises:
        ValueError: if there are neither a grid nor regions, or too few for four cells, none in an object's own cell,
            more objects than cells, or a player that is no token.
    """
    if not explanation.subject.has_places:
        raise ValueError("explanation: its image players form no grid, so there are no cells to point at.")
    if not 1 <= len(tokens) <= len(CELLS):
        raise ValueError(f"tokens: got {len(tokens)} objects, wanted 1 to {len(CELLS)}, the number of cells.")
    if not all(len(group) for group in tokens):
        raise ValueError("tokens: got an object without tokens, wanted at least one for each.")
    for player in (player for group in tokens for player in group):
        if not explanation.n_image <= player < explanation.n_players:
            raise ValueError(f"tokens: got player {player}, which is no token.")
    judged = [(k, *_pointing_values(explanation, player)) for k, group in enumerate(tokens) for player in group]
    return _judge(judged, len(tokens), _cells(explanation.subject, len(tokens)))


def score_maps(maps: FloatArray, grid: tuple[int, int]) -> PointingScore:
    """Pointing game recognition of one map per object, such as the patches' values of a caption that is just its name.

    Args:
        maps: (objects, n_image) logits or scores; object k lies in cell k.
        grid: rows and columns of the patches.

    Raises:
        ValueError: if there are more maps than cells, or they do not fit the grid, or it is too small for four cells.
    """
    maps = np.asarray(maps, np.float64)
    if maps.ndim != 2 or not 1 <= len(maps) <= len(CELLS) or maps.shape[1] != grid[0] * grid[1]:
        raise ValueError(
            f"maps: got shape {maps.shape}, wanted 1 to {len(CELLS)} maps of {grid[0] * grid[1]} patches, one each."
        )
    return _judge([(k, values, np.zeros(0)) for k, values in enumerate(maps)], len(maps), _cells_of_grid(grid))


def _cells(subject: Subject, objects: int) -> BoolArray:
    """The image players of the four cells, (4, n_image)."""
    if subject.regions is None:
        assert subject.grid is not None
        return _cells_of_grid(subject.grid)
    cells = np.stack([region_quadrant(subject.regions, subject.n_image, k) for k in range(len(CELLS))])
    for k in range(objects):
        if not cells[k].any():
            raise ValueError(
                f"explanation: no region has more than half of its pixels in the {CELLS[k]} quarter; wanted smaller "
                "regions."
            )
    return cells


def _cells_of_grid(grid: tuple[int, int]) -> BoolArray:
    if min(grid) < 2:
        raise ValueError(f"grid: got {grid[0]} x {grid[1]} patches, which have no four cells; wanted 2 x 2 or more.")
    return np.stack([quadrant(grid, k) for k in range(len(CELLS))])


def _judge(judged: Sequence[tuple[int, FloatArray, FloatArray]], objects: int, cells: BoolArray) -> PointingScore:
    """Score maps, each with the cell it should point at, the patches' values, and values that count in every cell."""
    correct = wrong = 0.0
    right_signs, by_cell = [], np.zeros((objects, len(CELLS)))
    for k, values, own in judged:
        others = np.delete(cells, k, axis=0).any(axis=0)
        by_cell[k] += cells @ values
        score = _score(np.append(values[cells[k]], own), np.append(values[others], own))
        correct, wrong = correct + score[0], wrong + score[1]
        right_signs.append(score[2])
    total = correct + wrong
    pgr = float(correct / total) if total > 0 else float("nan")
    return PointingScore(pgr, float(correct), float(wrong), float(np.mean(right_signs)), by_cell)


def _pointing_values(explanation: Explanation, token: int) -> tuple[FloatArray, FloatArray]:
    """The patches' values (n_image,) that a token is judged by, and values that count in every cell: (0,) or (1,)."""
    if explanation.order > 1:
        return explanation.pair_values[: explanation.n_image, token], np.zeros(0)
    return explanation.attributions[: explanation.n_image], explanation.attributions[[token]]


def _score(inside: FloatArray, outside: FloatArray) -> tuple[float, float, float]:
    """Sizes of the values with the right sign and with the wrong one, and the share of values with the right sign.

    Args:
        inside: values in the object's own cell, which should be positive.
        outside: values in the other cells, which should be negative.
    """
    correct = inside[inside > 0].sum() - outside[outside < 0].sum()
    wrong = outside[outside > 0].sum() - inside[inside < 0].sum()
    right_signs = (inside > 0).sum() + (outside < 0).sum()
    return correct, wrong, right_signs / (len(inside) + len(outside))
