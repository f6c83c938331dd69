"""Pictures: any file, mode and orientation becomes an upright RGB picture, and the part of it that a model sees."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..masks import IntArray

ImageSource = str | os.PathLike[str] | Image.Image | NDArray[Any]

# No model reads more than a few hundred pixels a side. Above so many pixels in all, a picture is first reduced by a
# whole factor, which leaves its shorter side this long at least: twice what is ever shown.
LARGE = 16_000_000
SHORT_SIDE = 1344
_FROM_FILE = "from file"  # kept in a picture's `info`
# Modes whose values may be averaged as they are.
_AVERAGED = ("L", "LA", "RGB", "RGBA", "CMYK", "YCbCr")


def read_image(source: ImageSource) -> Image.Image:
    """Return an upright RGB picture.

    Files are read whole and turned as their EXIF orientation says; transparency is laid on white; grey, palette and
    16-bit pictures are converted. Pictures of more than 16 million pixels come back smaller, since reducing them takes
    longer the later it is done; the shorter side keeps at least 1344 pixels.

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
    picture = _to_rgb(image)
    if is_from_file(source):
        picture.info[_FROM_FILE] = True
    return picture


def is_from_file(source: ImageSource) -> bool:
    """Whether a picture comes from a file: its name, or what Pillow or `read_image` made of it."""
    if isinstance(source, Image.Image):
        return bool(getattr(source, "filename", "")) or _FROM_FILE in source.info
    return isinstance(source, str | os.PathLike)


def _open(path: Path) -> Image.Image:
    try:
        if not path.exists():
            raise ValueError(f"image: there is no file {str(path)!r}.")
        if path.is_dir():
            raise ValueError(f"image: {str(path)!r} is a folder, wanted a picture file.")
    except OSError as error:  # a name that is too long, say
        raise ValueError(f"image: no file can have the name {_short(path)!r} ({error.strerror}).") from None
    try:
        with warnings.catch_warnings():
            # Pillow warns of pictures that it reads; those that it refuses are an error, see below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
        with image:
            if image.width * image.height > LARGE:
                image.draft(image.mode, (SHORT_SIDE, SHORT_SIDE))  # JPEG files can be decoded at half the size
            image.load()
            return _shrunk(image).copy() if image.mode in _AVERAGED else image.copy()
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
    return _shrunk(image.convert("RGB"))


def _shrunk(image: Image.Image) -> Image.Image:
    """A large picture reduced by averaging; any other as it is."""
    factor = min(image.size) // SHORT_SIDE
    return image.reduce(factor) if factor > 1 and image.width * image.height > LARGE else image


def _short(path: Path, most: int = 100) -> str:
    return str(path) if len(str(path)) <= most else f"{str(path)[:most]}…"


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Grey pictures of 16 bits and more: Pillow would clip them at 255, that is, turn them white."""
    values = np.asarray(image, dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I;16") or (low >= 0 and 255 < high <= 65535):
        values = values / 257
    elif low < 0 or high > 255:
        values = (values - low) * (255 / (high - low))
    return Image.fromarray(np.round(values).astype(np.uint8))


def widen(image: Image.Image, most: int = 20) -> Image.Image:
    """Cut extreme panoramas to `most` times their short side, of which the model sees the middle square anyway."""
    short = min(image.size)
    width, height = (min(side, most * short) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image if (width, height) == image.size else image.crop((left, top, left + width, top + height))


def view(image: Image.Image, processor: Any, shape: tuple[int, int], longest: int = 672) -> NDArray[np.uint8]:
    """The part of the picture that the processor keeps, for showing.

    Args:
        image: upright, RGB.
        processor: the model's image processor.
        shape: (height, width) of what it makes of the picture, whose aspect the view has.
        longest: pixels of the longer side, or fewer where the picture has fewer.
    """
    left, top, right, bottom = (round(edge) for edge in _seen_box(image.size, processor))
    seen = image.crop((left, top, right, bottom))
    target = min(longest, max(seen.size))
    height, width = (max(1, round(target * side / max(shape))) for side in shape)
    return np.asarray(seen.resize((width, height), Image.Resampling.LANCZOS))


def seen_labels(labels: IntArray, processor: Any, shape: tuple[int, int]) -> IntArray:
    """A label map of a picture as a label map of what the processor makes of that picture.

    Args:
        labels: whole numbers of shape (height, width), of the upright picture at any resolution.
        processor: the model's image processor.
        shape: (height, width) of the model's pixels.

    Returns:
        the label in the middle of each of the model's pixels, of that shape.
    """
    rows, columns = labels.shape
    left, top, right, bottom = _seen_box((columns, rows), processor)
    y = top + (np.arange(shape[0]) + 0.5) * (bottom - top) / shape[0]
    x = left + (np.arange(shape[1]) + 0.5) * (right - left) / shape[1]
    y, x = (np.clip(at.astype(int), 0, most - 1) for at, most in ((y, rows), (x, columns)))
    return np.asarray(labels[y[:, None], x])


def _seen_box(size: tuple[int, int], processor: Any) -> tuple[float, float, float, float]:
    """The part (left, top, right, bottom) of a picture of size (width, height) that the processor keeps."""
    whole = dict(getattr(processor, "size", None) or {})
    crop = dict(getattr(processor, "crop_size", None) or {})
    width, height = float(size[0]), float(size[1])
    if not (getattr(processor, "do_center_crop", False) and crop):
        return 0.0, 0.0, width, height
    if "shortest_edge" in whole:
        scale = min(size) / whole["shortest_edge"]
        kept = crop["width"] * scale, crop["height"] * scale
    elif "height" in whole:
        kept = width * min(1.0, crop["width"] / whole["width"]), height * min(1.0, crop["height"] / whole["height"])
    else:
        return 0.0, 0.0, width, height
    left, top = (width - kept[0]) / 2, (height - kept[1]) / 2
    return left, top, left + kept[0], top + kept[1]
