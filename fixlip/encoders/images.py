"""Reading pictures: any file, mode and orientation becomes an upright RGB picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

ImageSource = str | os.PathLike[str] | Image.Image | NDArray[Any]


def read_image(source: ImageSource) -> Image.Image:
    """Return an upright RGB picture.

    Files are read whole and turned as their EXIF orientation says; transparency is laid on white; grey, palette and
    16-bit pictures are converted.

    Args:
        source: a file, a Pillow image, or an array of shape (height, width) or (height, width, 3 or 4): uint8, or
            floats in [0, 1].

    Raises:
        ValueError: one sentence, if there is no such file, or it is no picture, or broken, or an array is no picture.
    """
    if isinstance(source, Image.Image):
        image = source
    elif isinstance(source, np.ndarray):
        image = _from_array(source)
    elif isinstance(source, str | os.PathLike):
        image = _open(Path(source))
    else:
        raise ValueError(f"image: got {type(source).__name__}, wanted a file name, a Pillow image or a NumPy array.")
    return _to_rgb(image)


def _open(path: Path) -> Image.Image:
    if not path.exists():
        raise ValueError(f"image: there is no file {str(path)!r}.")
    if path.is_dir():
        raise ValueError(f"image: {str(path)!r} is a folder, wanted a picture file.")
    try:
        with Image.open(path) as image:
            image.load()
            return image.copy()
    except UnidentifiedImageError:
        raise ValueError(
            f"image: {str(path)!r} is not a picture that Pillow can read (PNG, JPEG, WebP, ...)."
        ) from None
    except PermissionError:
        raise ValueError(f"image: {str(path)!r} may not be read (permission denied).") from None
    except Image.DecompressionBombError:
        raise ValueError(f"image: {str(path)!r} has too many pixels; please save a smaller copy.") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ValueError(f"image: {str(path)!r} is damaged or truncated ({error}).") from None


def _from_array(array: NDArray[Any]) -> Image.Image:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or 0 in array.shape:
        raise ValueError(
            f"image: got an array of shape {array.shape}, wanted (height, width) or (height, width, 3 or 4)."
        )
    if np.issubdtype(array.dtype, np.floating):
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise ValueError("image: got floats outside [0, 1], wanted floats in [0, 1] or uint8 in 0..255.")
        array = np.round(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ValueError(f"image: got an array of {array.dtype}, wanted uint8 in 0..255 or floats in [0, 1].")
    return Image.fromarray(array)


def _to_rgb(image: Image.Image) -> Image.Image:
    if 0 in image.size:
        raise ValueError(f"image: got an empty picture of size {image.size}.")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = _to_8_bit(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image.convert("RGB")


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Grey pictures of 16 bits and more: Pillow would clip them at 255, that is, turn them white."""
    values = np.asarray(image, dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I;16") or (low >= 0 and 255 < high <= 65535):
        values = values / 257
    elif low < 0 or high > 255:
        values = (values - low) * (255 / (high - low))
    return Image.fromarray(np.round(values).astype(np.uint8))
