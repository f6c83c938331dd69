"""open_clip's models: the adapter of the game's encoder interface to `open_clip_torch`.

open_clip's text towers take no attention mask, and its vision towers no choice of patches. Both are reached through
hooks on the transformers inside: what a call is to leave out is said by `_asked`, of that call and thread alone.
Without it the hooks do nothing, so that the model itself stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..masks import BoolArray, IntArray
from ..regions import NOBODY
from .adapter import Adapter, Float32Array, check_maskings, check_text, digest
from .captions import Caption, stacked
from .devices import check_process, choose_batch_size, choose_device, sent
from .images import ImageSource, read_image, seen_labels, view, widen
from .masking import ImageMasker, whole_patches
from .openclip_captions import OpenClipReader
from .vision import CELLS


class OpenClipEncoder(Adapter):
    """A model of open_clip, ready to embed masked images and masked captions.

    Vision towers may be vision transformers, of open_clip or timm, whose image players are patches; or anything else
    that reads pictures (ModifiedResNet, ConvNeXt, Swin): then the players are the cells of a 7 x 7 grid.

    Args:
        model: from `open_clip.create_model_from_pretrained`.
        preprocess: the transform of pictures that comes with it.
        tokenizer: from `open_clip.get_tokenizer`.
        name: what to call the model.
        device, dtype, batch_size, image_masking, text_masking: see `fixlip.load`.

    Attributes:
        name: what the user called it.
        grid: (rows, columns) of the image players.
        patch_size: side of a patch in pixels; None where players are no patches.
        scale, bias: the model's similarity is scale * cosine + bias (`get_logits`).
        max_tokens: how many tokens a caption may have, begin and end of text not counted.
        device, dtype, batch_size: where, how precisely, and how many masks at a time.

    Raises:
        ValueError: one sentence, if an option is not available for this model.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        preprocess: Any,
        tokenizer: Any,
        *,
        name: str = "open_clip",
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        batch_size: int | str = "auto",
        image_masking: str = "zero",
        text_masking: str = "attention",
    ):
        check_maskings(image_masking, text_masking)
        check_process()
        found: Any = model
        self.name = name
        # Read before the model is converted: bfloat16 would round a scale of 100 to 99.
        self.scale = float(found.logit_scale.detach().float().exp())
        self.bias = 0.0 if found.logit_bias is None else float(found.logit_bias.detach().float())
        self.device, self.dtype = choose_device(device), dtype
        self.batch_size = choose_batch_size(batch_size, self.device)
        self.model = found.to(device=self.device, dtype=dtype).eval()
        self.preprocess, self.tokenizer = preprocess, tokenizer
        self.grid, self.patch_size = players_of(found.visual)
        self._reader = OpenClipReader(tokenizer, found)
        self.max_tokens = self._reader.max_tokens
        self._image_masking, self._text_masking = image_masking, text_masking
        if self._reader.ends_with_class and text_masking == "remove":
            raise ValueError(f'text_masking: {name} reads its last position, which "remove" moves; use "attention".')
        if not _hook_text(found) and text_masking == "attention":
            raise ValueError(
                f'text_masking: {name} has a text tower of its own kind; use "remove" instead of "attention".'
            )
        if image_masking == "drop" and not _hook_vision(found.visual):
            raise ValueError(
                f"image_masking: the vision tower of {name} is none of open_clip's own transformers, and its patches "
                'cannot be taken out as "drop" does; use "zero", "mean" or "blur".'
            )

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell models apart: the same for each copy of a model, on any device."""
        weights = ((key, value) for key, value in self.model.state_dict().items() if value.is_floating_point())
        return digest(("open_clip", str(self.model)), weights)

    # ---- preparing an image and a caption

    def prepare_image(self, image: ImageSource) -> tuple[torch.Tensor, NDArray[np.uint8]]:
        """Bring any picture to what the model reads.

        Returns:
            pixel values, normalised, float32 of shape (3, height, width); and the same part of the picture for showing,
            uint8 of shape (height, width, 3), as sharp as the source allows.

        Raises:
            ValueError: if there is no such picture, or it is damaged.
        """
        check_process()
        rgb = widen(read_image(image))
        pixels = self.preprocess(rgb).float()
        return pixels, view(rgb.crop(_box(rgb.size, pixels, self._settings)), None, _shape(pixels))

    @property
    def _settings(self) -> dict[str, Any]:
        return dict(getattr(self.model.visual, "preprocess_cfg", None) or {})

    def grid_of(self, pixels: torch.Tensor) -> tuple[int, int]:
        """Rows and columns of the players of a prepared picture: the same for every picture."""
        return self.grid

    def labels_on_pixels(self, labels: IntArray, pixels: torch.Tensor) -> IntArray:
        """A label map (height, width) of a picture, as its file shows it, as one of its pixels once it is prepared."""
        box = _box((labels.shape[1], labels.shape[0]), pixels, self._settings)
        rows, columns = (np.arange(start, stop) for start, stop in (box[1::2], box[0::2]))
        inside = ((rows >= 0) & (rows < labels.shape[0]))[:, None] & ((columns >= 0) & (columns < labels.shape[1]))
        nearest = labels[rows.clip(0, labels.shape[0] - 1)[:, None], columns.clip(0, labels.shape[1] - 1)]
        return seen_labels(np.where(inside, nearest, NOBODY), None, _shape(pixels))

    def masker(self, pixels: torch.Tensor) -> ImageMasker:
        """What fills removed players of a prepared picture; with "drop", which fills nothing, as with "zero"."""
        return ImageMasker("zero" if self.image_masking == "drop" else self.image_masking, self.grid, self.patch_size)

    def prepare_text(self, text: str) -> Caption:
        """Tokenise a caption.

        Raises:
            ValueError: if it is no string, is empty, holds special tokens, or has more tokens than the model reads.
        """
        check_text(text)
        return self._checked(self._reader.read(text, self.name))

    # ---- embedding

    def embed_images(
        self, pixels: torch.Tensor, masks: BoolArray, regions: IntArray | None = None
    ) -> Iterator[Float32Array]:
        """Unit-norm embeddings of the picture under each mask (m, n), yielded batch by batch as (b, d).

        Args:
            pixels: (3, height, width), prepared.
            masks: (m, n), True = the player is present.
            regions: (height, width), the player that each pixel belongs to, see `protocol.AnyEncoder`.

        Raises:
            ValueError: if the label map does not fit the picture.
        """
        check_process()
        pixels = pixels.to(self.device, self.dtype)
        if self.image_masking == "drop":
            assert self.patch_size is not None
            patches = masks if regions is None else whole_patches(masks, regions, self.grid, self.patch_size)

            def take(batch: BoolArray) -> torch.Tensor:
                kept = np.nonzero(batch)[1].reshape(len(batch), -1)
                with asking(kept=sent(torch.from_numpy(kept), self.device)):
                    return self._encode_image(pixels.expand(len(batch), -1, -1, -1))

            yield from self._dropping(take, patches)
            return
        masked = self.masker(pixels).of(pixels, regions)
        yield from self._batches(lambda batch: self._encode_image(masked(batch)), masks)

    def embed_texts(self, caption: Caption, masks: BoolArray) -> Iterator[Float32Array]:
        """Unit-norm embeddings of the caption under each mask (m, n_text), yielded batch by batch as (b, d)."""
        check_process()

        def embed(batch: BoolArray) -> torch.Tensor:
            return self._encode_text(*caption.masked(batch, self.text_masking))

        yield from self._batches(embed, masks)

    def embed_pictures(self, pixels: torch.Tensor) -> Iterator[Float32Array]:
        """Unit-norm embeddings of whole pictures (m, 3, height, width), yielded batch by batch as (b, d)."""
        check_process()
        yield from self._batches(lambda batch: self._encode_image(batch.to(self.device, self.dtype)), pixels)

    def embed_captions(self, captions: Sequence[Caption]) -> Iterator[Float32Array]:
        """Unit-norm embeddings of whole captions, yielded batch by batch as (b, d)."""
        check_process()
        yield from self._batches(lambda batch: self._encode_text(*stacked(batch)), captions)

    def _vision_positions(self, pixels: torch.Tensor) -> tuple[str, int | None]:
        return "visual.", None if self.patch_size is None else self.grid[0] * self.grid[1] + 1

    def _text_positions(self, caption: Caption) -> int:
        return self._reader.read_length(caption.input_ids[None]) or len(caption.input_ids)

    def similarity(self, image: ImageSource, text: str) -> float:
        """The model's own logit of a whole pair, by its transform, its tokenizer and its forward passes alone."""
        picture = self.preprocess(widen(read_image(image)))[None].to(self.device, self.dtype)
        with torch.inference_mode():
            shown = self.model.encode_image(picture, normalize=True)
            read = self.model.encode_text(self.tokenizer([text]).to(self.device), normalize=True)
            return self.scale * float((shown.float() * read.float()).sum()) + self.bias

    def _encode_image(self, pictures: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.model.encode_image(pictures)
        return found

    def _encode_text(self, ids: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        hidden = attention == 0  # looked at before it goes to the device, so that nobody waits for that
        asked = hidden.to(self.device) if bool(hidden.any()) else None
        with asking(hidden=asked, length=self._reader.read_length(ids)):
            found: torch.Tensor = self.model.encode_text(ids.to(self.device))
        return found


# Vision transformers: open_clip's own; and timm's, inside open_clip's `TimmModel`.
_OWN = "VisionTransformer"
_OF_TIMM = ("VisionTransformer", "VisionTransformerRelPos", "Eva")


def players_of(visual: Any) -> tuple[tuple[int, int], int | None]:
    """Rows and columns of a vision tower's patches, and their side; a 7 x 7 grid and None where it has none."""
    trunk: Any = getattr(visual, "trunk", None)
    if type(visual).__name__ == _OWN:
        grid, patch = visual.grid_size, visual.patch_size
    elif type(trunk).__name__ in _OF_TIMM:
        grid, patch = trunk.patch_embed.grid_size, trunk.patch_embed.patch_size
    else:
        return (CELLS, CELLS), None
    # Patches that are no squares are the cells of a grid that the picture divides into.
    return (int(grid[0]), int(grid[1])), int(patch[0]) if patch[0] == patch[1] else None


# ---- the part of a picture that the transform keeps


def _box(size: tuple[int, int], pixels: torch.Tensor, settings: dict[str, Any]) -> tuple[int, int, int, int]:
    """The part (left, top, right, bottom) of a picture of size (width, height); beyond its edges it is padded."""
    mode, (width, height) = settings.get("resize_mode") or "shortest", size
    if mode == "squash":
        return 0, 0, width, height
    rows, columns = pixels.shape[1:]
    scale = (max if mode == "longest" else min)(width / columns, height / rows)
    left, top = (width - columns * scale) / 2, (height - rows * scale) / 2
    return round(left), round(top), round(left + columns * scale), round(top + rows * scale)


def _shape(pixels: torch.Tensor) -> tuple[int, int]:
    return int(pixels.shape[1]), int(pixels.shape[2])


# ---- hooks


@dataclass(frozen=True)
class _Asked:
    """What a call is to leave out.

    Attributes:
        hidden: (m, length), True where a token is hidden from attention.
        length: positions that are read at all; those behind them do not matter to what is pooled.
        kept: (m, k), the patches that stay in the sequence.
    """

    hidden: torch.Tensor | None = None
    length: int | None = None
    kept: torch.Tensor | None = None


_asked: ContextVar[_Asked | None] = ContextVar("_asked", default=None)


@contextmanager
def asking(**what: Any) -> Iterator[None]:
    """Within it, calls of this thread leave out what `_Asked` says."""
    token = _asked.set(_Asked(**what))
    try:
        yield
    finally:
        _asked.reset(token)


def _hook_text(model: Any) -> bool:
    """Let the text tower hide tokens; False if it is of no known kind."""
    tower = getattr(model, "text", model)
    inside = getattr(tower, "transformer", None)
    if inside is None:
        return False
    if hasattr(inside, "resblocks"):
        _hook_once(inside, _hide_from_blocks)
        return True
    if not hasattr(tower, "pooler"):
        return False
    _hook_once(inside, _hide_from_transformers)
    _hook_once(tower.pooler, _hide_from_pooler)
    return True


def _hook_vision(visual: Any) -> bool:
    """Let the vision tower take patches out; False if it cannot, or could pool nothing when none is left."""
    if type(visual).__name__ != _OWN or visual.patch_size[0] != visual.patch_size[1]:
        return False
    if visual.pool_type != "tok" and visual.attn_pool is None:
        return False
    _hook_once(visual.transformer, _take_out)
    return True


def _hook_once(module: Any, hook: Any) -> None:
    """A model may get several encoders."""
    if not getattr(module, "_fixlip_hooked", False):
        module.register_forward_pre_hook(hook, with_kwargs=True)
        module._fixlip_hooked = True


def _hide_from_blocks(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Before open_clip's own text transformer: states (m, length, width), and an additive mask or None."""
    asked = _asked.get()
    if asked is None:
        return None
    states, mask = args[0], kwargs.get("attn_mask")
    n = min(asked.length or states.shape[1], states.shape[1])
    states, mask = states[:, :n], mask if mask is None else mask[..., :n, :n]
    if asked.hidden is not None:
        # Behind the tokens may stand one of the model's own, which is not hidden.
        hidden = torch.nn.functional.pad(asked.hidden[:, :n], (0, n - min(n, asked.hidden.shape[1])))
        # A hidden token still sees itself: nobody reads what becomes of it, and a row of nothing would be no number.
        itself = torch.eye(n, dtype=torch.bool, device=hidden.device)
        closed = torch.zeros(len(hidden), n, n, device=states.device, dtype=states.dtype)
        closed.masked_fill_(hidden[:, None] & ~itself, float("-inf"))
        closed = closed.repeat_interleave(module.resblocks[0].attn.num_heads, 0)
        mask = closed if mask is None else closed + mask.to(closed.dtype)
    return (states, *args[1:]), {**kwargs, "attn_mask": mask}


def _hide_from_transformers(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Before a text transformer of transformers, which takes a mask of ones and zeros."""
    asked = _asked.get()
    if asked is None or asked.hidden is None:
        return None
    return args, {**kwargs, "attention_mask": kwargs["attention_mask"] * ~asked.hidden}


def _hide_from_pooler(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Before what pools its states, which takes the same mask."""
    asked = _asked.get()
    if asked is None or asked.hidden is None:
        return None
    return (args[0], args[1] * ~asked.hidden), kwargs


def _take_out(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Before open_clip's own vision transformer: states (m, 1 + n, width), the class token first."""
    asked = _asked.get()
    if asked is None or asked.kept is None:
        return None
    states = args[0]
    kept = torch.nn.functional.pad(asked.kept + 1, (1, 0))
    return (states.gather(1, kept[..., None].expand(-1, -1, states.shape[2])), *args[1:]), kwargs
