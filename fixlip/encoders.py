"""Encoders: one small interface over Hugging Face's dual encoders.

An encoder embeds masked images and masked captions; the two towers run separately, and only the one that is needed.
What masking means is decided here, once, as in Baniecki et al. (NeurIPS 2025, Section 3): a removed patch is zero in
the normalised picture (the mean colour of the training data), a removed token is hidden from attention. Begin-of-text
and end-of-text are no players and always stay.
"""

from __future__ import annotations

import difflib
import socket
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from .images import ImageSource, read_image
from .masks import BoolArray, check_count

EMBEDDED = ("emoji-clip",)
SUPPORTED = ("clip",)
_EMBEDDED_FOLDER = Path(__file__).parent / "emoji" / "models"

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Caption:
    """A tokenised caption.

    Attributes:
        text: the caption.
        input_ids: token ids as the model reads them, int64 of shape (length,), begin and end of text included.
        positions: where the players stand in `input_ids`, int64 of shape (n_text,).
        labels: what to call each player.
    """

    text: str
    input_ids: torch.Tensor
    positions: torch.Tensor
    labels: tuple[str, ...]


class Encoder:
    """A Hugging Face CLIP, ready to embed masked images and masked captions.

    Attributes:
        name: what the user called it.
        grid: (rows, columns) of the image patches.
        scale, bias: the model's similarity is scale * cosine + bias (`logits_per_image`).
        max_tokens: how many tokens a caption may have, begin and end of text not counted.
        device, dtype, batch_size: where, how precisely, and how many masks at a time.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        processor: Any = None,
        *,
        name: str = "",
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        batch_size: int | str = "auto",
    ):
        config: Any = model.config
        if config.model_type not in SUPPORTED:
            raise ValueError(f"model: got a model of type {config.model_type!r}, wanted one of {', '.join(SUPPORTED)}.")
        self.name = name or str(getattr(config, "name_or_path", "") or config.model_type)
        # Read before the model is converted: bfloat16 would round a scale of 100 to 99.
        log_scale: Any = model.logit_scale
        self.scale = float(log_scale.detach().float().exp())
        self.device, self.dtype = torch.device(device), dtype
        self.model: Any = model.to(device=self.device, dtype=dtype).eval()
        self.processor = processor
        vision = config.vision_config
        self.patch_size = int(vision.patch_size)
        side = int(vision.image_size) // self.patch_size
        self.image_size, self.grid = int(vision.image_size), (side, side)
        self.bias = 0.0
        self.max_tokens = int(config.text_config.max_position_embeddings) - 2
        self._eos_id = int(config.text_config.eos_token_id)
        self.batch_size = _batch_size(batch_size, self.device)

    # ---- preparing an image and a caption

    def prepare_image(self, image: ImageSource) -> tuple[torch.Tensor, NDArray[np.uint8]]:
        """Bring any picture to what the model reads.

        Returns:
            pixel values, normalised, float32 of shape (3, image_size, image_size); and the same part of the picture
            for showing, uint8 of shape (height, width, 3), as sharp as the source allows.
        """
        processor = getattr(self.processor, "image_processor", None)
        if processor is None:
            raise ValueError("image: this encoder was made without a processor; use Game.from_inputs.")
        rgb = _widen(read_image(image))
        pixels = processor(images=rgb, return_tensors="pt")["pixel_values"][0].float()
        wanted = (3, self.image_size, self.image_size)
        if tuple(pixels.shape) != wanted:
            raise ValueError(
                f"image: the model's processor made shape {tuple(pixels.shape)}, the model wants {wanted}."
            )
        return pixels, _view(rgb, processor)

    def prepare_text(self, text: str) -> Caption:
        """Tokenise a caption.

        Raises:
            ValueError: if it is no string, is empty, or has more tokens than the model reads.
        """
        tokenizer = getattr(self.processor, "tokenizer", None)
        if tokenizer is None:
            raise ValueError("text: this encoder was made without a processor; use Game.from_inputs.")
        if not isinstance(text, str):
            raise ValueError(f"text: got {type(text).__name__}, wanted a caption as a string.")
        if not text.strip():
            raise ValueError("text: the caption is empty; wanted at least one word.")
        ids = tokenizer(text, truncation=False, verbose=False)["input_ids"]
        if len(ids) - 2 > self.max_tokens:
            raise ValueError(
                f"text: the caption has {len(ids) - 2} tokens, {self.name} reads at most {self.max_tokens}; shorten it."
            )
        if len(ids) < 3:
            raise ValueError(f"text: nothing of {text!r} is left after tokenisation; wanted at least one word.")
        return self.caption(torch.tensor(ids), text=text, labels=tuple(_token_label(tokenizer, i) for i in ids[1:-1]))

    def caption(self, input_ids: torch.Tensor, *, text: str = "", labels: tuple[str, ...] | None = None) -> Caption:
        """A caption from token ids of shape (length,), begin and end of text included; padding is cut off."""
        ids = input_ids.to(torch.int64)
        if ids.ndim != 1 or len(ids) < 3 or len(ids) > self.max_tokens + 2:
            raise ValueError(
                f"input_ids: got shape {tuple(ids.shape)}, wanted (length,) with 3 to {self.max_tokens + 2} tokens, "
                "begin and end of text included."
            )
        end = _end_of_text(ids, self._eos_id)
        if end < 2:
            raise ValueError("input_ids: no end-of-text token after the first caption token.")
        positions = torch.arange(1, end)
        labels = labels or tuple(f"token {i + 1}" for i in range(len(positions)))
        if len(labels) != len(positions):
            raise ValueError(f"labels: got {len(labels)}, wanted one for each of the {len(positions)} tokens.")
        return Caption(text or " ".join(labels), ids[: end + 1], positions, labels)

    # ---- embedding

    def embed_images(self, pixels: torch.Tensor, masks: BoolArray) -> Iterator[Float32Array]:
        """Unit-norm embeddings of the picture under each mask (m, n_image), yielded batch by batch as (b, d)."""
        rows, columns = self.grid
        pixels = pixels.to(self.device, self.dtype)

        def embed(batch: BoolArray) -> torch.Tensor:
            present = torch.from_numpy(batch).to(self.device).view(-1, 1, rows, columns)
            keep = present.repeat_interleave(self.patch_size, 2).repeat_interleave(self.patch_size, 3)
            # A picture may be a few pixels larger than its patches; the model never reads that margin.
            margin = (0, pixels.shape[2] - keep.shape[3], 0, pixels.shape[1] - keep.shape[2])
            keep = torch.nn.functional.pad(keep, margin, value=False)
            return pooled(self.model.get_image_features(pixel_values=pixels * keep))

        yield from self._batches(embed, masks)

    def embed_texts(self, caption: Caption, masks: BoolArray) -> Iterator[Float32Array]:
        """Unit-norm embeddings of the caption under each mask (m, n_text), yielded batch by batch as (b, d)."""
        ids, positions = caption.input_ids.to(self.device), caption.positions.to(self.device)

        def embed(batch: BoolArray) -> torch.Tensor:
            attention = torch.ones(len(batch), len(ids), dtype=torch.int64, device=self.device)
            attention[:, positions] = torch.from_numpy(batch).to(self.device, torch.int64)
            repeated = ids.expand(len(batch), -1)
            return pooled(self.model.get_text_features(input_ids=repeated, attention_mask=attention))

        yield from self._batches(embed, masks)

    def _batches(self, embed: Callable[[BoolArray], torch.Tensor], masks: BoolArray) -> Iterator[Float32Array]:
        done = 0
        while done < len(masks):
            batch = masks[done : done + self.batch_size]
            try:
                with torch.inference_mode():
                    unit = torch.nn.functional.normalize(embed(batch).float(), dim=-1)
                    result: Float32Array = unit.cpu().numpy()
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
                if self.batch_size == 1:
                    raise MemoryError(f"{self.name}: not even one masked input at a time fits in memory.") from error
                self.batch_size = max(1, self.batch_size // 2)
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
                continue
            done += len(batch)
            yield result

    def __repr__(self) -> str:
        precision = str(self.dtype).removeprefix("torch.")
        return f"Encoder({self.name!r}, grid={self.grid[0]}x{self.grid[1]}, device={self.device}, dtype={precision})"


def load(name: str, device: str = "auto", dtype: str = "auto", batch_size: int | str = "auto") -> Encoder:
    """Load an encoder.

    Args:
        name: an embedded model ("emoji-clip"), a local folder as `save_pretrained` writes it (model and processor), or
            the id of a CLIP on the Hugging Face hub.
        device: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1", "mps".
        dtype: "float32", "bfloat16", or "auto", which is float32. Measured on emoji-clip (`python -m
            tests.measure_precision`), bfloat16 moves the interactions by DTYPE_FIGURE of their standard deviation, so
            it is an opt-in for whoever can afford that.
        batch_size: masked inputs at a time, or "auto"; halved by itself when memory runs out.

    Returns:
        the encoder, in evaluation mode.

    Raises:
        ValueError: one sentence, if there is no such model or it is no CLIP, or if device or dtype are not to be had.
    """
    target_device, target_dtype = _device(device), _dtype(dtype)
    _batch_size(batch_size, target_device)
    from transformers import AutoConfig, AutoModel, AutoProcessor
    from transformers.utils import logging as hf_logging

    verbosity = hf_logging.get_verbosity()
    hf_logging.set_verbosity_error()  # else every model without torchvision and every unused weight is announced
    hf_logging.disable_progress_bar()
    try:
        source = _Source.of(name)
        config = source.load(AutoConfig)
        if config.model_type not in SUPPORTED:
            raise ValueError(f"model: {name!r} is of type {config.model_type!r}, wanted one of {', '.join(SUPPORTED)}.")
        processor = source.load(AutoProcessor)
        if not (hasattr(processor, "image_processor") and hasattr(processor, "tokenizer")):
            raise ValueError(f"model: {name!r} has no processor with both an image processor and a tokenizer.")
        model = source.load(AutoModel)
    finally:
        hf_logging.set_verbosity(verbosity)
        hf_logging.enable_progress_bar()
    return Encoder(model, processor, name=name, device=target_device, dtype=target_dtype, batch_size=batch_size)


def pooled(output: Any) -> torch.Tensor:
    """The projected embedding, whether a model returns a tensor (transformers 4) or an output object (5)."""
    tensor = output if isinstance(output, torch.Tensor) else output.pooler_output
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"the model returned {type(output).__name__} without a pooled embedding.")
    return tensor


@dataclass(frozen=True)
class _Source:
    """Where a model comes from: a folder (embedded or the user's), the hub, or the hub's local cache."""

    name: str
    place: str
    is_folder: bool
    only_local: bool

    @classmethod
    def of(cls, name: str) -> _Source:
        if not isinstance(name, str) or not name:
            raise ValueError(f"model: got {name!r}, wanted an embedded model, a folder, or the id of a hub model.")
        folder = _EMBEDDED_FOLDER / name if name in EMBEDDED else Path(name)
        is_folder = folder.is_dir()
        return cls(name, str(folder) if is_folder else name, is_folder, is_folder or not _hub_is_reachable())

    def load(self, auto: Any) -> Any:
        """What `auto` (a transformers Auto class) makes of it; any failure becomes one sentence."""
        try:
            return auto.from_pretrained(self.place, local_files_only=self.only_local)
        except Exception as error:  # damaged files make the libraries below raise anything
            reason = (str(error).strip() or type(error).__name__).split("\n")[0]
            if self.is_folder:
                raise ValueError(
                    f"model: the folder {self.name!r} holds no CLIP that can be loaded ({reason})"
                ) from error
            close = difflib.get_close_matches(self.name, EMBEDDED, n=1)
            hint = f"did you mean {close[0]!r}?" if close else "check the spelling and the connection."
            raise ValueError(
                f"model: {self.name!r} is neither an embedded model ({', '.join(EMBEDDED)}), nor a local folder, nor a "
                f"model that the Hugging Face hub or its local cache gave out; {hint}"
            ) from error


def _hub_is_reachable(patience: float = 3.0) -> bool:
    """Try once, quickly: the hub's own client would retry for half a minute before it looks into its cache."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if urllib.request.getproxies():
        return True  # a direct connection says nothing about one through a proxy
    hub = urllib.parse.urlparse(constants.ENDPOINT)
    try:
        socket.create_connection((hub.hostname or "", hub.port or 443), timeout=patience).close()
    except OSError:
        return False
    return True


def _device(device: str) -> torch.device:
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"device: {device!r} is not to be had on this machine ({reason}).") from None
    return chosen


def _dtype(dtype: str) -> torch.dtype:
    choices = {"auto": torch.float32, "float32": torch.float32, "bfloat16": torch.bfloat16}
    if dtype not in choices:
        raise ValueError(f"dtype: got {dtype!r}, wanted one of {', '.join(choices)}.")
    return choices[dtype]


def _batch_size(batch_size: int | str, device: torch.device) -> int:
    if batch_size == "auto":
        return 64 if device.type == "cpu" else 512
    if isinstance(batch_size, str):
        raise ValueError(f'batch_size: got {batch_size!r}, wanted a whole number or "auto".')
    return check_count(batch_size, "batch_size")


def _is_out_of_memory(error: Exception) -> bool:
    text = str(error).lower()
    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError) or "out of memory" in text or "can't allocate" in text
    )


def _end_of_text(ids: torch.Tensor, eos_id: int) -> int:
    # Older CLIP configurations say 2 where the vocabulary says otherwise; transformers then takes the largest id.
    return int(ids.argmax()) if eos_id == 2 else int((ids == eos_id).int().argmax())


def _token_label(tokenizer: Any, token_id: int) -> str:
    raw = str(tokenizer.convert_ids_to_tokens(token_id)).removesuffix("</w>")
    text = str(tokenizer.decode([token_id])).strip()
    return text if text and "\ufffd" not in text else raw


def _widen(image: Image.Image, most: int = 20) -> Image.Image:
    """Cut extreme panoramas to `most` times their short side, of which the model sees the middle square anyway."""
    short = min(image.size)
    width, height = (min(side, most * short) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image if (width, height) == image.size else image.crop((left, top, left + width, top + height))


def _view(image: Image.Image, processor: Any, longest: int = 672) -> NDArray[np.uint8]:
    """The part of the picture that the processor keeps, for showing, at up to `longest` pixels a side."""
    size, crop = dict(processor.size or {}), dict(getattr(processor, "crop_size", None) or {})
    if getattr(processor, "do_center_crop", False) and crop and "shortest_edge" in size:
        scale = min(image.size) / size["shortest_edge"]
        width, height = crop["width"] * scale, crop["height"] * scale
        left, top = (image.width - width) / 2, (image.height - height) / 2
        image = image.crop((round(left), round(top), round(left + width), round(top + height)))
    target = min(longest, max(image.size))
    return np.asarray(image.resize((target, target), Image.Resampling.LANCZOS))
