"""Image masking: what removed patches become (for removed tokens see `captions.Caption.masked`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..masks import BoolArray

IMAGE_MASKINGS = ("zero", "mean", "blur")


@dataclass(frozen=True)
class ImageMasker:
    """Fills removed patches of a picture with a baseline.

    Attributes:
        how: the baseline: "zero" in the normalised picture (the mean colour of the training data), the picture's own
            "mean" colour, or the same patch after a strong "blur".
        grid: (rows, columns) of the patches.
        patch_size: side of a patch in pixels.
    """

    how: str
    grid: tuple[int, int]
    patch_size: int

    def baseline(self, pixels: torch.Tensor) -> torch.Tensor:
        """The picture (3, height, width) with every patch removed, of the same shape."""
        if self.how == "zero":
            return torch.zeros_like(pixels)
        if self.how == "mean":
            return pixels.mean(dim=(1, 2), keepdim=True).expand_as(pixels)
        return _blurred(pixels, self.patch_size)

    def of(self, pixels: torch.Tensor) -> Callable[[BoolArray], torch.Tensor]:
        """A function from masks (m, n_image), True = present, to masked pictures (m, 3, height, width).

        The baseline is computed here, once for all masks.
        """
        baseline = self.baseline(pixels)
        rows, columns = self.grid

        def masked(masks: BoolArray) -> torch.Tensor:
            present = torch.from_numpy(masks).to(pixels.device).view(-1, 1, rows, columns)
            keep = present.repeat_interleave(self.patch_size, 2).repeat_interleave(self.patch_size, 3)
            # A picture may be a few pixels larger than its patches; the model never reads that margin.
            margin = (0, pixels.shape[2] - keep.shape[3], 0, pixels.shape[1] - keep.shape[2])
            keep = torch.nn.functional.pad(keep, margin, value=False)
            return torch.where(keep, pixels, baseline)

        return masked


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
