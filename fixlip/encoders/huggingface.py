"""Encoders: one small interface over Hugging Face's dual encoders.

An encoder embeds masked images and masked captions; the two towers run separately, and only the one that is needed.
By default a removed patch is zero in the normalised picture (the mean colour of the training data) and a removed token
is hidden from attention, as in Baniecki et al. (NeurIPS 2025, Section 3); `image_masking` and `text_masking` choose
otherwise.
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

from ..masks import BoolArray, check_count
from .captions import READERS, TEXT_MASKINGS, Caption
from .images import ImageSource, read_image

EMBEDDED = ("emoji-clip", "emoji-clip-fine", "emoji-clip-plain", "emoji-siglip")
SUPPORTED = tuple(READERS)
IMAGE_MASKINGS = ("zero", "mean", "blur")
_EMBEDDED_FOLDER = Path(__file__).parent.parent / "emoji" / "models"

Float32Array = NDArray[np.float32]


class Encoder:
    """A Hugging Face CLIP, SigLIP or SigLIP-2, ready to embed masked images and masked captions.

    Attributes:
        name: what the user called it.
        grid: (rows, columns) of the image patches.
        scale, bias: the model's similarity is scale * cosine + bias (`logits_per_image`).
        max_tokens: how many tokens a caption may have, begin and end of text not counted.
        image_masking: what a removed patch becomes: "zero" in the normalised picture, the picture's own "mean" colour,
            or the same patch after a strong "blur".
        text_masking: what a removed token becomes: hidden from "attention", taken out ("remove"), or "unknown".
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
        image_masking: str = "zero",
        text_masking: str = "attention",
    ):
        config: Any = model.config
        if config.model_type not in SUPPORTED:
            raise ValueError(f"model: got a model of type {config.model_type!r}, wanted one of {', '.join(SUPPORTED)}.")
        self.name = name or str(getattr(config, "name_or_path", "") or config.model_type)
        # Read before the model is converted: bfloat16 would round a scale of 100 to 99.
        log_scale: Any = model.logit_scale
        self.scale = float(log_scale.detach().float().exp())
        self.bias = float(getattr(model, "logit_bias", torch.zeros(1)).detach().float())
        self.device, self.dtype = torch.device(device), dtype
        self.model: Any = model.to(device=self.device, dtype=dtype).eval()
        self.processor = processor
        vision = config.vision_config
        self.patch_size = int(vision.patch_size)
        side = int(vision.image_size) // self.patch_size
        self.image_size, self.grid = int(vision.image_size), (side, side)
        self.batch_size = _batch_size(batch_size, self.device)
        self._reader = READERS[config.model_type](config.text_config)
        self.max_tokens = self._reader.max_tokens
        self.image_masking = _choice(image_masking, IMAGE_MASKINGS, "image_masking")
        self.text_masking = _choice(text_masking, TEXT_MASKINGS, "text_masking")

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
        caption = self._reader.read(text, tokenizer, self.name)
        if self.text_masking == "unknown" and caption.unknown_id is None:
            raise ValueError(f'text_masking: the tokenizer of {self.name} has no unknown token; use "remove" instead.')
        return caption

    def caption(self, input_ids: torch.Tensor, *, text: str = "", labels: tuple[str, ...] | None = None) -> Caption:
        """A caption from token ids of shape (length,) that were prepared elsewhere, as the model reads them."""
        return self._reader.wrap(input_ids, text, labels)

    # ---- embedding

    def embed_images(self, pixels: torch.Tensor, masks: BoolArray) -> Iterator[Float32Array]:
        """Unit-norm embeddings of the picture under each mask (m, n_image), yielded batch by batch as (b, d)."""
        rows, columns = self.grid
        pixels = pixels.to(self.device, self.dtype)
        baseline = _baseline(pixels, self.image_masking, self.patch_size)

        def embed(batch: BoolArray) -> torch.Tensor:
            present = torch.from_numpy(batch).to(self.device).view(-1, 1, rows, columns)
            keep = present.repeat_interleave(self.patch_size, 2).repeat_interleave(self.patch_size, 3)
            # A picture may be a few pixels larger than its patches; the model never reads that margin.
            margin = (0, pixels.shape[2] - keep.shape[3], 0, pixels.shape[1] - keep.shape[2])
            keep = torch.nn.functional.pad(keep, margin, value=False)
            return pooled(self.model.get_image_features(pixel_values=torch.where(keep, pixels, baseline)))

        yield from self._batches(embed, masks)

    def embed_texts(self, caption: Caption, masks: BoolArray) -> Iterator[Float32Array]:
        """Unit-norm embeddings of the caption under each mask (m, n_text), yielded batch by batch as (b, d)."""

        def embed(batch: BoolArray) -> torch.Tensor:
            ids, attention = (part.to(self.device) for part in caption.masked(batch, self.text_masking))
            return pooled(self.model.get_text_features(input_ids=ids, attention_mask=attention))

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


def load(
    name: str,
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int | str = "auto",
    image_masking: str = "zero",
    text_masking: str = "attention",
) -> Encoder:
    """Load an encoder.

    Args:
        name: an embedded model ("emoji-clip", "emoji-siglip"), a local folder as `save_pretrained` writes it (model and
            processor), or the id of a CLIP, SigLIP or SigLIP-2 (fixed resolution) on the Hugging Face hub.
        device: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1", "mps".
        dtype: "float32", "bfloat16", or "auto", which is float32 everywhere. Measured on emoji-clip on a processor with
            native bfloat16 (`python tests/benchmarks/precision.py`, median of 10 scenes): bfloat16 moves the
            interactions by 0.5 % of their standard deviation, leaves the faithfulness as it is (0.8851 against 0.8852)
            and takes 0.66 of the time; but it moves single similarities by 0.03 logits, so that numbers would depend
            on the machine. Choose it where speed matters more.
        batch_size: masked inputs at a time, or "auto"; halved by itself when memory runs out.
        image_masking: what a removed patch becomes: "zero", "mean" or "blur" (see Encoder).
        text_masking: what a removed token becomes: "attention", "remove" or "unknown" (see Encoder).

    Returns:
        the encoder, in evaluation mode.

    Raises:
        ValueError: one sentence, if there is no such model, it is no dual encoder, or an option is not to be had.
    """
    target_device, target_dtype = _device(device), _dtype(dtype)
    _batch_size(batch_size, target_device)
    _choice(image_masking, IMAGE_MASKINGS, "image_masking")
    _choice(text_masking, TEXT_MASKINGS, "text_masking")
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
    return Encoder(
        model,
        processor,
        name=name,
        device=target_device,
        dtype=target_dtype,
        batch_size=batch_size,
        image_masking=image_masking,
        text_masking=text_masking,
    )


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
                    f"model: the folder {self.name!r} holds no CLIP or SigLIP that can be loaded ({reason})"
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


def _choice(value: str, choices: tuple[str, ...], name: str) -> str:
    if value not in choices:
        raise ValueError(f"{name}: got {value!r}, wanted one of {', '.join(choices)}.")
    return value


def _baseline(pixels: torch.Tensor, how: str, patch_size: int) -> torch.Tensor:
    """What removed patches become, shape (3, height, width)."""
    if how == "zero":
        return torch.zeros_like(pixels)
    if how == "mean":
        return pixels.mean(dim=(1, 2), keepdim=True).expand_as(pixels)
    # A Gaussian as wide as a patch leaves colours and no detail.
    reach = torch.arange(-2 * patch_size, 2 * patch_size + 1, device=pixels.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (reach / patch_size) ** 2)
    kernel = kernel / kernel.sum()
    blurred, half = pixels.float()[:, None], len(reach) // 2
    for shape, padding in (((1, 1, -1, 1), (0, 0, half, half)), ((1, 1, 1, -1), (half, half, 0, 0))):
        blurred = torch.nn.functional.pad(blurred, padding, mode="replicate")
        blurred = torch.nn.functional.conv2d(blurred, kernel.view(shape))
    return blurred[:, 0].to(pixels.dtype)


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
