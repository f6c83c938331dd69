"""What the built-in adapters share: options that cannot change, batches that fit into memory, and fingerprints."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..masks import BoolArray
from .captions import TEXT_MASKINGS, Caption
from .devices import is_out_of_memory
from .dropping import by_count
from .masking import IMAGE_MASKINGS
from .speed import caption_cost, is_large

Float32Array = NDArray[np.float32]


class Adapter:
    """The common part of the adapters, which set these attributes.

    Attributes:
        name: what the user called the model.
        model: the model, a torch module.
        grid: (rows, columns) of the image players.
        scale, bias: the model's similarity is scale * cosine + bias.
        max_tokens: how many tokens a caption may have, begin and end of text not counted.
        device, dtype, batch_size: where, how precisely, and how many masks at a time.
        embedded: whether it is one of FIxLIP-Lab's own models.
        multiplies_in: the precision of matrix products where it is less than that of all else, `dtype`; or None.
        recipe: what `load` was given, all but the precision, which is settled; None where it was not loaded by name.
        why_precision: what `load(..., dtype="auto")` chose, and why, in half a sentence; empty where it was not asked.
    """

    name: str
    model: Any
    grid: tuple[int, int]
    scale: float
    bias: float
    max_tokens: int
    device: torch.device
    dtype: torch.dtype
    batch_size: int
    embedded: bool = False
    multiplies_in: torch.dtype | None = None
    why_precision: str = ""
    recipe: dict[str, Any] | None = None
    _image_masking: str
    _text_masking: str

    # ---- what cannot change, since games remember embeddings

    @property
    def image_masking(self) -> str:
        """What a removed patch becomes: "zero", "mean", "blur" or, taken out, "drop", see `load`; read-only."""
        return self._image_masking

    @image_masking.setter
    def image_masking(self, value: str) -> None:
        raise AttributeError(_read_only("image_masking", value))

    @property
    def text_masking(self) -> str:
        """What a removed token becomes: hidden from "attention", taken out ("remove"), or "unknown"; read-only."""
        return self._text_masking

    @text_masking.setter
    def text_masking(self, value: str) -> None:
        raise AttributeError(_read_only("text_masking", value))

    @property
    def precision(self) -> str:
        """In which precision masked inputs are embedded: "float32", "bfloat16", or "mixed bfloat16" (see `load`)."""
        mixed = self.multiplies_in is not None
        return ("mixed " if mixed else "") + str(self.multiplies_in or self.dtype).removeprefix("torch.")

    def caption_cost(self, pixels: torch.Tensor, caption: Caption) -> float | None:
        """What embedding a masked caption costs as a share of a masked picture; None where it does not matter."""
        if self.embedded or not self._is_large:
            return None
        vision, positions = self._vision_positions(pixels)
        share = 0.5 if self.image_masking == "drop" else 1.0  # of the positions, which are there on average
        asked = None if positions is None else share * positions
        return caption_cost(self.model, vision, asked, self._text_positions(caption))

    @cached_property
    def _is_large(self) -> bool:
        return is_large(self.model)

    def note_of_image(self, image: Any) -> str:
        """What readers should know of an explanation of this image; empty where there is nothing to say."""
        return "" if self.multiplies_in is None else f"The model ran in {self.precision}."

    # ---- for the adapters

    def _vision_positions(self, pixels: torch.Tensor) -> tuple[str, int | None]:
        """How names of the vision tower's weights begin, and how many positions it has; None if it is convolutional."""
        raise NotImplementedError

    def _text_positions(self, caption: Caption) -> int:
        return len(caption.input_ids)

    def _checked(self, caption: Caption) -> Caption:
        if self.text_masking == "unknown" and caption.unknown_id is None:
            raise ValueError(f'text_masking: the tokenizer of {self.name} has no unknown token; use "remove" instead.')
        return caption

    def _dropping(self, take: Callable[[BoolArray], torch.Tensor], masks: BoolArray) -> Iterator[Float32Array]:
        """Unit rows (b, d) of masks over patches, from a function that takes masks of one count."""
        # As many at a time as make groups of one count worth while, and an interruption cheap.
        several = 4 * self.batch_size  # which may become smaller on the way
        for start in range(0, len(masks), several):
            some = masks[start : start + several]
            # Entered around all groups, autocast converts the weights once.
            with torch.inference_mode(), self._multiplying():
                rows = by_count(some, lambda group: self._rows(take, group))
            yield self._fetched(rows)

    def _batches(self, embed: Callable[[Any], torch.Tensor], masks: Any) -> Iterator[Float32Array]:
        """Unit rows (b, d) of what `embed` makes of as many masks as fit into memory."""
        for rows in self._rows(embed, masks):
            yield self._fetched(rows)

    def _rows(self, embed: Callable[[Any], torch.Tensor], masks: Any) -> Iterator[torch.Tensor]:
        """The same, still on the device."""
        done = 0
        while done < len(masks):
            batch = masks[done : done + self.batch_size]
            try:
                with torch.inference_mode(), self._multiplying():
                    unit = torch.nn.functional.normalize(embed(batch).float(), dim=-1)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.batch_size == 1:
                    raise MemoryError(f"{self.name}: not even one masked input at a time fits in memory.") from error
                self.batch_size = max(1, self.batch_size // 2)
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
                continue
            done += len(batch)
            yield unit

    def _fetched(self, rows: torch.Tensor) -> Float32Array:
        """Embeddings (b, d) from the device, in the one copy of a batch that the processor waits for."""
        result: Float32Array = rows.cpu().numpy()
        if not np.isfinite(result).all():
            raise ValueError(
                f"model: {self.name} gives embeddings that are no numbers (NaN or infinite); its weights or the "
                "prepared input are damaged."
            )
        return result

    def _multiplying(self) -> AbstractContextManager[Any]:
        return nullcontext() if self.multiplies_in is None else torch.autocast(self.device.type, self.multiplies_in)

    def __repr__(self) -> str:
        kind, precision = type(self).__name__, self.precision
        return f"{kind}({self.name!r}, grid={self.grid[0]}x{self.grid[1]}, device={self.device}, dtype={precision})"


def check_text(text: Any) -> None:
    """ValueError, in one sentence, unless this can be a caption."""
    if not isinstance(text, str):
        raise ValueError(f"text: got {type(text).__name__}, wanted a caption as a string.")
    if not text.strip():
        raise ValueError("text: the caption is empty; wanted at least one word.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a command line in another encoding leaves such bytes behind
        raise ValueError(f"text: {text!r} holds bytes that are no text; wanted a caption in UTF-8.") from None


def check_maskings(image_masking: str, text_masking: str) -> None:
    """ValueError unless both are known."""
    for name, value, choices in (
        ("image_masking", image_masking, IMAGE_MASKINGS),
        ("text_masking", text_masking, TEXT_MASKINGS),
    ):
        if value not in choices:
            raise ValueError(f"{name}: got {value!r}, wanted one of {', '.join(choices)}.")


def digest(about: tuple[Any, ...], weights: Iterable[tuple[str, torch.Tensor]]) -> str:
    """16 hexadecimal digits of an architecture and of each weight's name, shape and first 64 values in bfloat16."""
    ordered = sorted(weights, key=lambda named: str(named[0]))
    shapes = [(name, tuple(values.shape)) for name, values in ordered]
    # Gathered where they lie, and brought over in one transfer. The scale and the bias are weights themselves.
    heads = [values.detach().reshape(-1)[:64].to(torch.bfloat16) for _, values in ordered]
    values = torch.cat(heads).cpu().view(torch.int16).numpy()
    text = repr((*about, shapes))
    return hashlib.sha256(text.encode() + values.astype("<i2").tobytes()).hexdigest()[:16]


def _read_only(name: str, value: object) -> str:
    return (
        f"{name}: cannot be changed, since games remember what was encoded with it; load another encoder with "
        f"{name}={value!r}."
    )
