"""Image masking: what removed regions become (for removed tokens see `captions.Caption.masked`).

A region is any set of pixels: the players of an image are given by a label map, which says of every pixel whose it is.
Patches are the special case that needs no label map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..masks import BoolArray, IntArray
from ..regions import NOBODY
from .devices import sent

IMAGE_MASKINGS = ("zero", "mean", "blur", "drop")


def patch_regions(shape: tuple[int, int], grid: tuple[int, int], patch_size: int) -> IntArray:
    """The label map of square patches, numbered row by row from the top left.

    A picture may be a few pixels larger than its patches; the model never reads that margin, which is nobody's.

    Args:
        shape: (height, width) of the model's pixels.
        grid: (rows, columns) of the patches.
        patch_size: their side in pixels.

    Returns:
        whole numbers of shape (height, width).
    """
    rows, columns = (np.arange(side) // patch_size for side in shape)
    inside = (rows < grid[0])[:, None] & (columns < grid[1])
    return np.where(inside, rows[:, None] * grid[1] + columns, NOBODY)


def grid_regions(shape: tuple[int, int], grid: tuple[int, int]) -> IntArray:
    """The label map of a grid over the whole picture, its cells as equal as whole pixels allow.

    Args:
        shape: (height, width) of the model's pixels.
        grid: (rows, columns).

    Returns:
        whole numbers of shape (height, width), row by row from the top left.
    """
    rows, columns = (np.arange(side) * count // side for side, count in zip(shape, grid, strict=True))
    return np.asarray(rows[:, None] * grid[1] + columns)


def masked_pictures(
    pixels: torch.Tensor, masks: BoolArray, regions: IntArray, baseline: torch.Tensor | float = 0.0
) -> torch.Tensor:
    """The picture under each mask.

    Args:
        pixels: (channels, height, width).
        masks: (m, n), True = the player is present.
        regions: (height, width), the number of the player that each pixel belongs to; `NOBODY` where it is no player's.
        baseline: what removed pixels become, a number or of the shape of the picture.

    Returns:
        (m, channels, height, width), on the device of the picture.

    Raises:
        ValueError: if the label map has another shape than the picture, or other players than the masks.
    """
    return removing(pixels, regions, baseline)(masks)


def removing(
    pixels: torch.Tensor, regions: IntArray, baseline: torch.Tensor | float
) -> Callable[[BoolArray], torch.Tensor]:
    """`masked_pictures` as a function of the masks alone: the label map goes to the device once."""
    shape, lowest, highest = tuple(pixels.shape[-2:]), regions.min(initial=0), regions.max(initial=NOBODY)
    if regions.shape != shape:
        raise ValueError(
            f"regions: got a label map of shape {regions.shape}, wanted {shape}, one for each of the model's pixels."
        )
    columns = torch.from_numpy(regions.ravel().astype(np.int64) - NOBODY).to(pixels.device)

    def masked(masks: BoolArray) -> torch.Tensor:
        n = masks.shape[1]
        if highest >= n or lowest < NOBODY:
            raise ValueError(f"regions: got labels from {regions.min()} to {highest}, wanted 0 to {n - 1} or -1.")
        # The first column stands for nobody, and is absent.
        present = sent(torch.from_numpy(np.pad(masks, ((0, 0), (1, 0)))), pixels.device)
        keep = torch.gather(present, 1, columns.expand(len(masks), -1)).view(len(masks), 1, *shape)
        return torch.where(keep, pixels, baseline)

    return masked


@dataclass(frozen=True)
class ImageMasker:
    """Fills removed regions of a picture with a baseline.

    Attributes:
        how: the baseline: "zero" in the normalised picture (the mean colour of the training data), the picture's own
            "mean" colour, or the same place after a strong "blur".
        grid: (rows, columns) of the patches, the players where there is no label map.
        patch_size: side of a patch in pixels, as wide as the blur is; or None, for a grid over the whole picture.
    """

    how: str
    grid: tuple[int, int]
    patch_size: int | None

    def baseline(self, pixels: torch.Tensor) -> torch.Tensor:
        """The picture (3, height, width) with everything removed, of the same shape."""
        if self.how == "mean":
            return pixels.mean(dim=(1, 2), keepdim=True).expand_as(pixels)
        if self.how == "blur":
            height, width = pixels.shape[-2:]
            return _blurred(pixels, self.patch_size or max(1, height // self.grid[0], width // self.grid[1]))
        return torch.zeros_like(pixels)

    def regions(self, pixels: torch.Tensor) -> IntArray:
        """The label map of the patches, (height, width)."""
        shape = (int(pixels.shape[-2]), int(pixels.shape[-1]))
        if self.patch_size is None:
            return grid_regions(shape, self.grid)
        return patch_regions(shape, self.grid, self.patch_size)

    def of(self, pixels: torch.Tensor, regions: IntArray | None = None) -> Callable[[BoolArray], torch.Tensor]:
        """A function from masks (m, n), True = present, to masked pictures (m, 3, height, width).

        The baseline is computed here, once for all masks.

        Args:
            pixels: (3, height, width).
            regions: a label map, see `masked_pictures`; by default that of the patches.
        """
        baseline, labels = self.baseline(pixels), self.regions(pixels) if regions is None else regions
        return removing(pixels, labels, baseline)


def whole_patches(masks: BoolArray, regions: IntArray, grid: tuple[int, int], patch_size: int) -> BoolArray:
    """Masks over regions as masks over patches, for models that take patches out of their sequence.

    Args:
        masks: (m, n) over regions.
        regions: (height, width), as `masked_pictures` takes it.
        grid: (rows, columns) of the patches.
        patch_size: their side in pixels.

    Returns:
        booleans of shape (m, rows * columns).

    Raises:
        ValueError: if a region cuts through a patch.
    """
    patches = patch_regions((regions.shape[0], regions.shape[1]), grid, patch_size)
    order = np.argsort(patches, axis=None, kind="stable")[np.count_nonzero(patches == NOBODY) :]
    owners = regions.ravel()[order].reshape(grid[0] * grid[1], -1)
    if (owners != owners[:, :1]).any():
        raise ValueError('image_masking: with "drop" every region must be made of whole patches; use "zero" instead.')
    return np.pad(masks, ((0, 0), (0, 1)))[:, owners[:, 0]]


def _blurred(pixels: torch.Tensor, width: int) -> torch.Tensor:
    """The picture after a Gaussian as wide as a patch, which leaves colours and no detail."""
    reach = torch.arange(-2 * width, 2 * width + 1, device=pixels.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (reach / width) ** 2)
    kernel = kernel / kernel.sum()
    blurred, half = pixels.float()[:, None], len(reach) // 2
    for shape, padding in (((1, 1, -1, 1), (0, 0, half, half)), ((1, 1, 1, -1), (half, half, 0, 0))):
        blurred = torch.nn.functional.pad(blurred, padding, mode="replicate")
        blurred = torch.nn.functional.conv2d(blurred, kernel.view(shape))
    return blurred[:, 0].to(pixels.dtype)
