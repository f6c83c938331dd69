"""Vision towers by what they read: pictures of a fixed size, of any size in patches (NaFlex), or without patches.

Everything is masked in pictures (3, height, width); only here they become what a model's forward pass takes.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from PIL import Image

CELLS = 7  # rows and columns of the players where a tower has no patches, as ViT-B/32 has them


class Vision(Protocol):
    """How a vision tower reads pictures.

    Attributes:
        image_size: side of a square picture in pixels.
        grid: (rows, columns) of the players of a square picture.
        patch_size: side of a patch in pixels, None without patches.
    """

    image_size: int
    grid: tuple[int, int]
    patch_size: int | None

    def prepare(self, image: Image.Image, processor: Any) -> torch.Tensor:
        """Pixels (3, height, width) of an upright RGB picture; ValueError if the processor is not the model's."""

    def check(self, pixels: torch.Tensor, name: str = "pixel_values", what: str = "got") -> None:
        """ValueError unless these are pixels (3, height, width) as the tower reads them."""

    def grid_of(self, pixels: torch.Tensor) -> tuple[int, int]:
        """Rows and columns of the players of a prepared picture."""

    def inputs(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """What `get_image_features` takes, of pictures (m, 3, height, width)."""


class FixedVision:
    """A vision transformer that reads square pictures of one size."""

    def __init__(self, config: Any):
        self.image_size, self.patch_size = int(config.image_size), int(config.patch_size)
        side = self.image_size // self.patch_size
        self.grid = (side, side)

    @staticmethod
    def wrong_size(config: Any) -> str:
        """What is wrong with the sizes in a configuration; empty if nothing."""
        image_size, patch_size = config.image_size, config.patch_size
        whole = isinstance(image_size, int) and isinstance(patch_size, int)
        if whole and 1 <= patch_size <= image_size:
            return ""
        return (
            f"pictures of image_size {image_size} in patches of patch_size {patch_size}, wanted whole numbers with "
            "1 <= patch_size <= image_size"
        )

    def prepare(self, image: Image.Image, processor: Any) -> torch.Tensor:
        """Pixels (3, image_size, image_size) of an upright RGB picture."""
        pixels = _processed(image, processor)
        self.check(pixels, "image", "the model's processor made")
        return pixels

    def check(self, pixels: torch.Tensor, name: str = "pixel_values", what: str = "got") -> None:
        """ValueError unless these are pixels (3, image_size, image_size)."""
        wanted = (3, self.image_size, self.image_size)
        if tuple(pixels.shape) != wanted:
            ours = "wanted" if what == "got" else "the model wants"
            raise ValueError(f"{name}: {what} shape {tuple(pixels.shape)}, {ours} {wanted}.")

    def grid_of(self, pixels: torch.Tensor) -> tuple[int, int]:
        """Rows and columns of the patches: the same for every picture."""
        return self.grid

    def inputs(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """What `get_image_features` takes, of pictures (m, 3, height, width)."""
        return {"pixel_values": pictures}


class FlexibleVision:
    """SigLIP-2's NaFlex: pictures of any aspect, cut into patches by the processor, in a sequence with their shape.

    Sequences are padded where pictures of several shapes go together. Ours have one shape, and no padding.
    """

    def __init__(self, config: Any):
        self.patch_size = int(config.patch_size)
        side = math.isqrt(int(config.num_patches))
        self.grid, self.image_size = (side, side), side * self.patch_size

    @staticmethod
    def wrong_size(config: Any) -> str:
        """What is wrong with the sizes in a configuration; empty if nothing."""
        sizes = config.patch_size, config.num_patches
        if all(isinstance(one, int) and one >= 1 for one in sizes) and math.isqrt(sizes[1]) ** 2 == sizes[1]:
            return ""
        return f"patch_size {sizes[0]} and num_patches {sizes[1]}, wanted whole numbers, the second a square"

    def prepare(self, image: Image.Image, processor: Any) -> torch.Tensor:
        """Pixels (3, height, width) of an upright RGB picture, both sides whole patches."""
        if processor.patch_size != self.patch_size:
            raise ValueError(
                f"image: the model's processor makes patches of {processor.patch_size} pixels, the model wants "
                f"{self.patch_size}."
            )
        found = processor(images=image, return_tensors="pt")
        rows, columns = (int(side) for side in found["spatial_shapes"][0])
        patches = found["pixel_values"][0, : rows * columns].float()
        cut = patches.view(rows, columns, self.patch_size, self.patch_size, 3)
        pixels: torch.Tensor = cut.permute(4, 0, 2, 1, 3)
        return pixels.reshape(3, rows * self.patch_size, columns * self.patch_size)

    def check(self, pixels: torch.Tensor, name: str = "pixel_values", what: str = "got") -> None:
        """ValueError unless these are pixels (3, height, width) in whole patches."""
        shape = tuple(pixels.shape)
        if len(shape) != 3 or shape[0] != 3 or any(side < 1 or side % self.patch_size for side in shape[1:]):
            raise ValueError(
                f"{name}: {what} shape {shape}, wanted (3, height, width) in whole patches of {self.patch_size} pixels."
            )

    def grid_of(self, pixels: torch.Tensor) -> tuple[int, int]:
        """Rows and columns of the patches of a prepared picture."""
        height, width = pixels.shape[-2:]
        return int(height) // self.patch_size, int(width) // self.patch_size

    def inputs(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """What `get_image_features` takes, of pictures (m, 3, height, width)."""
        (rows, columns), size, m = self.grid_of(pictures), self.patch_size, len(pictures)
        cut = pictures.view(m, 3, rows, size, columns, size).permute(0, 2, 4, 3, 5, 1)
        shapes = torch.tensor([[rows, columns]], device=pictures.device)
        return {
            "pixel_values": cut.reshape(m, rows * columns, size * size * 3),
            "pixel_attention_mask": torch.ones(m, rows * columns, dtype=torch.int64, device=pictures.device),
            "spatial_shapes": shapes.expand(m, 2),
        }


class ConvolutionalVision:
    """A convolutional tower: it reads pictures of any size and has no patches; players are the cells of a grid."""

    patch_size = None
    grid = (CELLS, CELLS)

    def __init__(self, config: Any):
        self.image_size = int(config.image_size)

    @staticmethod
    def wrong_size(config: Any) -> str:
        """What is wrong with the sizes in a configuration; empty if nothing."""
        whole = isinstance(config.image_size, int) and config.image_size >= CELLS
        return "" if whole else f"image_size {config.image_size}, wanted a whole number of at least {CELLS}"

    def prepare(self, image: Image.Image, processor: Any) -> torch.Tensor:
        """Pixels (3, height, width) of an upright RGB picture, of the size that the processor makes."""
        pixels = _processed(image, processor)
        self.check(pixels, "image", "the model's processor made")
        return pixels

    def check(self, pixels: torch.Tensor, name: str = "pixel_values", what: str = "got") -> None:
        """ValueError unless these are pixels (3, height, width) with a pixel for each player."""
        shape = tuple(pixels.shape)
        if len(shape) != 3 or shape[0] != 3 or min(shape[1:]) < CELLS:
            raise ValueError(f"{name}: {what} shape {shape}, wanted (3, height, width), {CELLS} pixels a side or more.")

    def grid_of(self, pixels: torch.Tensor) -> tuple[int, int]:
        """Rows and columns of the players."""
        return self.grid

    def inputs(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """What `get_image_features` takes, of pictures (m, 3, height, width)."""
        return {"pixel_values": pictures}


def _processed(image: Image.Image, processor: Any) -> torch.Tensor:
    pixels: torch.Tensor = processor(images=image, return_tensors="pt")["pixel_values"][0].float()
    return pixels
