"""Encoders: one adapter for the dual encoders of Hugging Face's transformers, by the `model_type` of a configuration.

An encoder embeds masked images and masked captions; the two towers run separately, and only the one that is needed.
What it offers is the protocol of `protocol.AnyEncoder`, and more; what tells architectures apart is in `families`.
By default a removed patch is zero in the normalised picture (the mean colour of the training data) and a removed token
is hidden from attention, as in Baniecki et al. (NeurIPS 2025, Section 3); `image_masking` and `text_masking` choose
otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ..emoji.notes import note_of_caption, note_of_picture
from ..masks import BoolArray, IntArray
from .adapter import Adapter, Float32Array, check_maskings, check_text, digest
from .captions import Caption, stacked
from .devices import check_process, choose_batch_size, choose_device
from .dropping import dropped
from .families import FAMILIES, check_family
from .images import ImageSource, is_from_file, read_image, seen_labels, view, widen
from .masking import ImageMasker, whole_patches
from .vision import FlexibleVision


class Encoder(Adapter):
    """A dual encoder of transformers, ready to embed masked images and masked captions.

    CLIP, MetaCLIP-2, SigLIP, SigLIP-2 (of one resolution, and NaFlex of any), AltCLIP, Chinese-CLIP and ALIGN, whose
    vision tower is convolutional: its image players are the cells of a 7 x 7 grid.

    Args:
        model: a CLIPModel, SiglipModel, Siglip2Model, ...
        processor: with `image_processor` and `tokenizer`; without one, only prepared inputs can be explained.
        name: what to call the model.
        embedded: whether it is one of FIxLIP-Lab's own, which know emoji scenes and nothing else.
        device, dtype, batch_size, image_masking, text_masking: see `fixlip.load`.

    Attributes:
        name: what the user called it.
        grid: (rows, columns) of the image patches; of a square picture where pictures have grids of their own, see
            `grid_of`.
        image_size, patch_size: sides of a square picture and of its patches in pixels.
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
        self.embedded = embedded
        # Read before the model is converted: bfloat16 would round a scale of 100 to 99.
        self.scale = _scale(model)
        self.bias = float(getattr(model, "logit_bias", torch.zeros(1)).detach().float())
        self.device, self.dtype = choose_device(device), dtype
        self.batch_size = choose_batch_size(batch_size, self.device)
        self.model: Any = model.to(device=self.device, dtype=dtype).eval()
        self.processor = processor
        family = FAMILIES[config.model_type]
        self._vision = family.vision(config.vision_config)
        self.image_size, self.grid = self._vision.image_size, self._vision.grid
        self.patch_size = self._vision.patch_size or self.image_size // self.grid[0]
        self._reader = family.reader(config.text_config)
        self.max_tokens = self._reader.max_tokens
        self._image_masking, self._text_masking = image_masking, text_masking
        if image_masking == "drop" and self._vision.patch_size is None:
            raise ValueError(
                f"image_masking: {self.name} has a convolutional vision tower, whose patches cannot be taken out as "
                '"drop" does; use "zero", "mean" or "blur".'
            )

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
            pixel values, normalised, float32 of shape (3, height, width), for most models image_size a side; and the
            same part of the picture for showing, uint8 of shape (height, width, 3), as sharp as the source allows.

        Raises:
            ValueError: if there is no such picture, or it is damaged.
        """
        processor = self._image_processor()
        check_process()
        rgb = self._read_image(image)
        pixels = self._vision.prepare(rgb, processor)
        return pixels, view(rgb, processor, (int(pixels.shape[1]), int(pixels.shape[2])))

    def grid_of(self, pixels: torch.Tensor) -> tuple[int, int]:
        """Rows and columns of a prepared picture's patches."""
        return self._vision.grid_of(pixels)

    def check_pixels(self, pixels: torch.Tensor) -> None:
        """ValueError unless these are pixels (3, height, width) as the model reads them."""
        self._vision.check(pixels)

    def labels_on_pixels(self, labels: IntArray, pixels: torch.Tensor) -> IntArray:
        """A label map (height, width) of a picture, as its file shows it, as one of its pixels once it is prepared."""
        return seen_labels(labels, self._image_processor(), (int(pixels.shape[-2]), int(pixels.shape[-1])))

    def masker(self, pixels: torch.Tensor) -> ImageMasker:
        """What fills removed patches of a prepared picture; with "drop", which fills nothing, as with "zero"."""
        how = "zero" if self.image_masking == "drop" else self.image_masking
        return ImageMasker(how, self.grid_of(pixels), self._vision.patch_size)

    def _read_image(self, image: ImageSource) -> Image.Image:
        # What is squeezed or cropped into a square need not be prepared at a length that takes minutes.
        rgb = read_image(image)
        return rgb if isinstance(self._vision, FlexibleVision) else widen(rgb)

    def _image_processor(self) -> Any:
        processor = getattr(self.processor, "image_processor", None)
        if processor is None:
            raise ValueError("image: this encoder was made without a processor; use Game.from_inputs.")
        return processor

    def prepare_text(self, text: str) -> Caption:
        """Tokenise a caption.

        Raises:
            ValueError: if it is no string, is empty, holds special tokens, or has more tokens than the model reads.
        """
        tokenizer = getattr(self.processor, "tokenizer", None)
        if tokenizer is None:
            raise ValueError("text: this encoder was made without a processor; use Game.from_inputs.")
        check_text(text)
        return self._checked(self._reader.read(text, tokenizer, self.name))

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
        if self.embedded:
            return note_of_picture(self.name) if is_from_file(image) else ""
        return super().note_of_image(image)

    def note_of_text(self, text: str) -> str:
        """The same of a caption: an embedded model names the words that it does not know."""
        return note_of_caption(self.name, text) if self.embedded else ""

    # ---- embedding

    def embed_images(
        self, pixels: torch.Tensor, masks: BoolArray, regions: IntArray | None = None
    ) -> Iterator[Float32Array]:
        """Unit-norm embeddings of the picture under each mask (m, n), yielded batch by batch as (b, d).

        Args:
            pixels: (3, height, width), prepared.
            masks: (m, n), True = the player is present.
            regions: (height, width), the player that each pixel belongs to, see `protocol.AnyEncoder`; by default the
                players are patches.

        Raises:
            ValueError: if the label map does not fit the picture.
        """
        check_process()
        pixels = pixels.to(self.device, self.dtype)
        if self.image_masking == "drop":
            grid = self.grid_of(pixels)
            patches = masks if regions is None else whole_patches(masks, regions, grid, self.patch_size)
            take = dropped(self.model, self._vision.inputs(pixels[None]), grid[0] * grid[1])
            yield from self._dropping(take, patches)
            return
        masked = self.masker(pixels).of(pixels, regions)

        def embed(batch: BoolArray) -> torch.Tensor:
            return self._image_features(masked(batch))

        yield from self._batches(embed, masks)

    def _vision_positions(self, pixels: torch.Tensor) -> tuple[str, int | None]:
        rows, columns = self.grid_of(pixels)
        return "vision_model.", None if self._vision.patch_size is None else rows * columns + 1

    def _image_features(self, pictures: torch.Tensor) -> torch.Tensor:
        return pooled(self.model.get_image_features(**self._vision.inputs(pictures)))

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
            return self._image_features(batch.to(self.device, self.dtype))

        yield from self._batches(embed, pixels)

    def embed_captions(self, captions: Sequence[Caption]) -> Iterator[Float32Array]:
        """Unit-norm embeddings of whole captions, yielded batch by batch as (b, d)."""
        check_process()

        def embed(batch: Sequence[Caption]) -> torch.Tensor:
            ids, attention = (part.to(self.device) for part in stacked(batch))
            return pooled(self.model.get_text_features(input_ids=ids, attention_mask=attention))

        yield from self._batches(embed, captions)

    def similarity(self, image: ImageSource, text: str) -> float:
        """The model's own `logits_per_image` of a whole pair, by its processor and its forward pass alone."""
        found = dict(self._image_processor()(images=self._read_image(image), return_tensors="pt"))
        found |= self._reader.whole(text, self.processor.tokenizer)
        given = {name: part.to(self.device) for name, part in found.items()}
        given["pixel_values"] = given["pixel_values"].to(self.dtype)
        with torch.inference_mode():
            return float(self.model(**given).logits_per_image)


def of_transformers(encoder: object) -> Encoder:
    """The encoder, for what looks into models or compares whole ones; ValueError if it is none of transformers."""
    if isinstance(encoder, Encoder):
        return encoder
    given = getattr(encoder, "name", None) or type(encoder).__name__
    raise ValueError(f"encoder: got {given}, wanted what fixlip.load gives for a model of transformers.")


def pooled(output: Any) -> torch.Tensor:
    """The projected embedding, whether a model returns a tensor (transformers 4) or an output object (5)."""
    tensor = output if isinstance(output, torch.Tensor) else output.pooler_output
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"the model returned {type(output).__name__} without a pooled embedding.")
    return tensor


def check_model(model: Any) -> None:
    """ValueError, in one sentence, unless `model` is a dual encoder of a supported family."""
    if isinstance(model, str):
        raise ValueError(f"model: got {model!r}, wanted a CLIPModel or SiglipModel; fixlip.load takes names.")
    kind = type(model).__name__
    model_type = getattr(getattr(model, "config", None), "model_type", None)
    if not isinstance(model, torch.nn.Module) or model_type is None:
        raise ValueError(f"model: got {kind}, wanted a CLIPModel or SiglipModel from transformers.")
    check_family(model_type, f"this {kind}")
    for part in ("get_image_features", "get_text_features"):
        if not hasattr(model, part):
            raise ValueError(f"model: got {kind}, which has no {part}, wanted a CLIPModel or SiglipModel.")


def _scale(model: Any) -> float:
    """What the model multiplies cosines by: ALIGN divides them by its temperature."""
    if hasattr(model, "temperature"):
        return 1 / float(model.temperature.detach().float())
    return float(model.logit_scale.detach().float().exp())


def _digest(model: Any) -> str:
    config = model.config
    fields = [
        (part, field, getattr(getattr(config, part), field, None))
        for part in ("vision_config", "text_config")
        for field in FAMILIES[config.model_type].architecture
    ]
    return digest((config.model_type, fields), model.named_parameters())
