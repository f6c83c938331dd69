"""Encoders: one small interface over Hugging Face's dual encoders.

An encoder embeds masked images and masked captions; the two towers run separately, and only the one that is needed.
By default a removed patch is zero in the normalised picture (the mean colour of the training data) and a removed token
is hidden from attention, as in Baniecki et al. (NeurIPS 2025, Section 3); `image_masking` and `text_masking` choose
otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..emoji.notes import note_of_caption, note_of_picture
from ..masks import BoolArray
from .captions import READERS, TEXT_MASKINGS, Caption
from .devices import check_process, choose_batch_size, choose_device, is_out_of_memory
from .images import ImageSource, is_from_file, read_image, view, widen
from .masking import IMAGE_MASKINGS, ImageMasker

# Dual encoders that look like the supported ones, in the words that their users know them by.
NOT_YET = {"siglip2": "SigLIP-2 of flexible resolution (NaFlex)", "metaclip_2": "MetaCLIP-2"}
_PARTS = ("get_image_features", "get_text_features", "logit_scale")
# What of a configuration, beside the weights, decides how a picture or a caption is embedded.
_ARCHITECTURE = ("hidden_act", "num_attention_heads", "layer_norm_eps", "patch_size", "image_size", "eos_token_id")

Float32Array = NDArray[np.float32]


class Encoder:
    """A Hugging Face CLIP, SigLIP or SigLIP-2, ready to embed masked images and masked captions.

    Args:
        model: a CLIPModel or SiglipModel.
        processor: with `image_processor` and `tokenizer`; without one, only prepared inputs can be explained.
        name: what to call the model.
        embedded: whether it is one of FIxLIP-Lab's own, which know emoji scenes and nothing else.
        device, dtype, batch_size, image_masking, text_masking: see `fixlip.load`.

    Attributes:
        name: what the user called it.
        grid: (rows, columns) of the image patches.
        scale, bias: the model's similarity is scale * cosine + bias (`logits_per_image`).
        max_tokens: how many tokens a caption may have, begin and end of text not counted.
        device, dtype, batch_size: where, how precisely, and how many masks at a time.

    Raises:
        ValueError: one sentence, if the model is no supported dual encoder, or an option is not available.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        processor: Any = None,
        *,
        name: str = "",
        embedded: bool = False,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        batch_size: int | str = "auto",
        image_masking: str = "zero",
        text_masking: str = "attention",
    ):
        check_model(model)
        check_maskings(image_masking, text_masking)
        check_process()
        config: Any = model.config
        self.name = name or str(getattr(config, "name_or_path", "") or config.model_type)
        self._embedded = embedded
        # Read before the model is converted: bfloat16 would round a scale of 100 to 99.
        log_scale: Any = model.logit_scale
        self.scale = float(log_scale.detach().float().exp())
        self.bias = float(getattr(model, "logit_bias", torch.zeros(1)).detach().float())
        self.device, self.dtype = choose_device(device), dtype
        self.batch_size = choose_batch_size(batch_size, self.device)
        self.model: Any = model.to(device=self.device, dtype=dtype).eval()
        self.processor = processor
        vision = config.vision_config
        self.patch_size = int(vision.patch_size)
        side = int(vision.image_size) // self.patch_size
        self.image_size, self.grid = int(vision.image_size), (side, side)
        self._reader = READERS[config.model_type](config.text_config)
        self.max_tokens = self._reader.max_tokens
        self._masker = ImageMasker(image_masking, self.grid, self.patch_size)
        self._text_masking = text_masking

    # ---- what cannot change, since games remember embeddings

    @property
    def image_masking(self) -> str:
        """What a removed patch becomes: "zero", "mean" or "blur", see `masking.ImageMasker`; read-only."""
        return self._masker.how

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

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell models apart: the same for each copy of a model, on any device.

        A digest of the architecture and of each parameter's name, shape and first 64 values, rounded to bfloat16 so
        that a float32 and a bfloat16 copy agree. Computed once, when it is first asked for.
        """
        return _digest(self.model)

    # ---- preparing an image and a caption

    def prepare_image(self, image: ImageSource) -> tuple[torch.Tensor, NDArray[np.uint8]]:
        """Bring any picture to what the model reads.

        Returns:
            pixel values, normalised, float32 of shape (3, image_size, image_size); and the same part of the picture
            for showing, uint8 of shape (height, width, 3), as sharp as the source allows.

        Raises:
            ValueError: if there is no such picture, or it is damaged.
        """
        processor = getattr(self.processor, "image_processor", None)
        if processor is None:
            raise ValueError("image: this encoder was made without a processor; use Game.from_inputs.")
        check_process()
        rgb = widen(read_image(image))
        pixels = processor(images=rgb, return_tensors="pt")["pixel_values"][0].float()
        wanted = (3, self.image_size, self.image_size)
        if tuple(pixels.shape) != wanted:
            raise ValueError(
                f"image: the model's processor made shape {tuple(pixels.shape)}, the model wants {wanted}."
            )
        return pixels, view(rgb, processor)

    def prepare_text(self, text: str) -> Caption:
        """Tokenise a caption.

        Raises:
            ValueError: if it is no string, is empty, holds special tokens, or has more tokens than the model reads.
        """
        tokenizer = getattr(self.processor, "tokenizer", None)
        if tokenizer is None:
            raise ValueError("text: this encoder was made without a processor; use Game.from_inputs.")
        if not isinstance(text, str):
            raise ValueError(f"text: got {type(text).__name__}, wanted a caption as a string.")
        if not text.strip():
            raise ValueError("text: the caption is empty; wanted at least one word.")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:  # a command line in another encoding leaves such bytes behind
            raise ValueError(f"text: {text!r} holds bytes that are no text; wanted a caption in UTF-8.") from None
        caption = self._reader.read(text, tokenizer, self.name)
        if self.text_masking == "unknown" and caption.unknown_id is None:
            raise ValueError(f'text_masking: the tokenizer of {self.name} has no unknown token; use "remove" instead.')
        return caption

    def caption(self, input_ids: torch.Tensor, *, text: str = "", labels: tuple[str, ...] | None = None) -> Caption:
        """A caption from token ids of shape (length,) that were prepared elsewhere, as the model reads them.

        Raises:
            ValueError: if the ids are not in the model's vocabulary, or no caption as the model reads them.
        """
        return self._reader.wrap(input_ids, text, labels)

    # ---- what it was not made for

    def note_of_image(self, image: ImageSource) -> str:
        """What readers should know of an explanation of this image; empty where there is nothing to say.

        An embedded model says what it is for when the picture comes from a file, and so may be anything.
        """
        return note_of_picture(self.name) if self._embedded and is_from_file(image) else ""

    def note_of_text(self, text: str) -> str:
        """The same of a caption: an embedded model names the words that it does not know."""
        return note_of_caption(self.name, text) if self._embedded else ""

    # ---- embedding

    def embed_images(self, pixels: torch.Tensor, masks: BoolArray) -> Iterator[Float32Array]:
        """Unit-norm embeddings of the picture under each mask (m, n_image), yielded batch by batch as (b, d)."""
        check_process()
        masked = self._masker.of(pixels.to(self.device, self.dtype))

        def embed(batch: BoolArray) -> torch.Tensor:
            return pooled(self.model.get_image_features(pixel_values=masked(batch)))

        yield from self._batches(embed, masks)

    def embed_texts(self, caption: Caption, masks: BoolArray) -> Iterator[Float32Array]:
        """Unit-norm embeddings of the caption under each mask (m, n_text), yielded batch by batch as (b, d)."""
        check_process()

        def embed(batch: BoolArray) -> torch.Tensor:
            ids, attention = (part.to(self.device) for part in caption.masked(batch, self.text_masking))
            return pooled(self.model.get_text_features(input_ids=ids, attention_mask=attention))

        yield from self._batches(embed, masks)

    def embed_pictures(self, pixels: torch.Tensor) -> Iterator[Float32Array]:
        """Unit-norm embeddings of whole pictures (m, 3, height, width), yielded batch by batch as (b, d)."""
        check_process()

        def embed(batch: torch.Tensor) -> torch.Tensor:
            return pooled(self.model.get_image_features(pixel_values=batch.to(self.device, self.dtype)))

        yield from self._batches(embed, pixels)

    def embed_captions(self, captions: Sequence[Caption]) -> Iterator[Float32Array]:
        """Unit-norm embeddings of whole captions, yielded batch by batch as (b, d)."""
        check_process()

        def embed(batch: Sequence[Caption]) -> torch.Tensor:
            longest = max(len(one.input_ids) for one in batch)
            # CLIP's captions differ in length; behind their end nothing is read, whatever it is.
            pad = torch.nn.functional.pad
            rows = [pad(one.input_ids, (0, longest - len(one.input_ids)), value=one.padding_id) for one in batch]
            ids = torch.stack(rows).to(self.device)
            return pooled(self.model.get_text_features(input_ids=ids, attention_mask=torch.ones_like(ids)))

        yield from self._batches(embed, captions)

    def _batches(self, embed: Callable[[Any], torch.Tensor], masks: Any) -> Iterator[Float32Array]:
        done = 0
        while done < len(masks):
            batch = masks[done : done + self.batch_size]
            try:
                with torch.inference_mode():
                    unit = torch.nn.functional.normalize(embed(batch).float(), dim=-1)
                    result: Float32Array = unit.cpu().numpy()
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.batch_size == 1:
                    raise MemoryError(f"{self.name}: not even one masked input at a time fits in memory.") from error
                self.batch_size = max(1, self.batch_size // 2)
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
                continue
            if not np.isfinite(result).all():
                raise ValueError(
                    f"model: {self.name} gives embeddings that are no numbers (NaN or infinite); its weights or the "
                    "prepared input are damaged."
                )
            done += len(batch)
            yield result

    def __repr__(self) -> str:
        precision = str(self.dtype).removeprefix("torch.")
        return f"Encoder({self.name!r}, grid={self.grid[0]}x{self.grid[1]}, device={self.device}, dtype={precision})"


def pooled(output: Any) -> torch.Tensor:
    """The projected embedding, whether a model returns a tensor (transformers 4) or an output object (5)."""
    tensor = output if isinstance(output, torch.Tensor) else output.pooler_output
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"the model returned {type(output).__name__} without a pooled embedding.")
    return tensor


def check_family(model_type: str, name: str) -> None:
    """ValueError unless models of this type, as the configuration of `name` calls it, are supported."""
    if model_type not in READERS:
        known = NOT_YET.get(model_type)
        kind = f"a {known}, which is not supported yet" if known else f"of type {model_type!r}, which is not supported"
        raise ValueError(
            f"model: {name} is {kind}; supported are CLIP, SigLIP and SigLIP-2 of fixed resolution "
            "(google/siglip2-base-patch16-224, for example)."
        )


def check_model(model: Any) -> None:
    """ValueError, in one sentence, unless `model` is a dual encoder of a supported family."""
    if isinstance(model, str):
        raise ValueError(f"model: got {model!r}, wanted a CLIPModel or SiglipModel; fixlip.load takes names.")
    kind = type(model).__name__
    model_type = getattr(getattr(model, "config", None), "model_type", None)
    if not isinstance(model, torch.nn.Module) or model_type is None:
        raise ValueError(f"model: got {kind}, wanted a CLIPModel or SiglipModel from transformers.")
    check_family(model_type, f"this {kind}")
    if missing := [part for part in _PARTS if not hasattr(model, part)]:
        raise ValueError(f"model: got {kind}, which has no {missing[0]}, wanted a CLIPModel or SiglipModel.")


def check_maskings(image_masking: str, text_masking: str) -> None:
    """ValueError unless both are known."""
    for name, value, choices in (
        ("image_masking", image_masking, IMAGE_MASKINGS),
        ("text_masking", text_masking, TEXT_MASKINGS),
    ):
        if value not in choices:
            raise ValueError(f"{name}: got {value!r}, wanted one of {', '.join(choices)}.")


def _read_only(name: str, value: object) -> str:
    return (
        f"{name}: cannot be changed, since games remember what was encoded with it; load another encoder with "
        f"{name}={value!r}."
    )


def _digest(model: Any) -> str:
    config = model.config
    fields = [
        (part, field, getattr(getattr(config, part), field, None))
        for part in ("vision_config", "text_config")
        for field in _ARCHITECTURE
    ]
    parameters = sorted(model.named_parameters(), key=lambda named: str(named[0]))
    shapes = [(name, tuple(values.shape)) for name, values in parameters]
    # Gathered where they lie, and brought over in one transfer. The scale and the bias are parameters themselves.
    heads = [values.detach().reshape(-1)[:64].to(torch.bfloat16) for _, values in parameters]
    values = torch.cat(heads).cpu().view(torch.int16).numpy()
    text = repr((config.model_type, fields, shapes))
    return hashlib.sha256(text.encode() + values.astype("<i2").tobytes()).hexdigest()[:16]
