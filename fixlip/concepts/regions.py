"""Regions as an image encoder sees them: the picture with an ellipse around a region, or the region's patches alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from ..encoders.huggingface import Encoder
from ..masks import BoolArray, FloatArray
from .patches import Ellipse, ellipse_around

RED = (255, 0, 0)
# A Gaussian of 11 pixels is one of standard deviation 2 in OpenCV, on pictures of 224 pixels with lines of one pixel.
_PUBLISHED_SIDE, _SIGMA = 224, 2.0


def prompted(picture: Image.Image, ellipse: Ellipse) -> tuple[Image.Image, Image.Image, Image.Image]:
    """A picture with a red ellipse; with all outside it grey; and with all outside it blurred.

    Line and blur keep their published share of the picture's side.
    """
    width, height = picture.size
    outline = ellipse.outline(width, height)
    inside = Image.new("L", picture.size)
    ImageDraw.Draw(inside).polygon(outline, fill=255)
    grey = picture.convert("L").convert("RGB")
    blurred = picture.filter(ImageFilter.GaussianBlur(_SIGMA * max(picture.size) / _PUBLISHED_SIDE))
    line = max(1, round(max(picture.size) / _PUBLISHED_SIDE))
    first, second, third = (Image.composite(picture, around, inside) for around in (picture, grey, blurred))
    for one in (first, second, third):
        ImageDraw.Draw(one).line([*outline, outline[0]], fill=RED, width=line, joint="curve")
    return first, second, third


def embed_regions(
    encoder: Encoder,
    shown: NDArray[np.uint8],
    pixels: torch.Tensor,
    regions: Sequence[BoolArray],
    prompt: str = "ellipse",
) -> FloatArray:
    """Embeddings of regions.

    Args:
        encoder: a CLIP or SigLIP.
        shown: the picture that it reads, uint8 (height, width, 3).
        pixels: the same, prepared, (3, side, side).
        regions: masks (n_image,), True = the patch belongs to the region.
        prompt: "ellipse" (as published: the mean of the embeddings of the three `prompted` pictures, not of length one
            any more), or "patches" (the game's own way: every other patch is removed).

    Returns:
        (regions, d).
    """
    if not len(regions):
        return np.zeros((0, 0))
    if prompt == "patches":
        masks = np.asarray(regions, bool)
        return np.concatenate(list(encoder.embed_images(pixels, masks))).astype(np.float64)
    side = encoder.image_size
    picture = Image.fromarray(shown).resize((side, side), Image.Resampling.LANCZOS)
    drawn = [one for region in regions for one in prompted(picture, ellipse_around(region.reshape(encoder.grid)))]
    prepared = torch.stack([encoder.prepare_image(one)[0] for one in drawn])
    unit = np.concatenate(list(encoder.embed_pictures(prepared))).astype(np.float64)
    return np.asarray(unit.reshape(len(regions), 3, -1).mean(1))
