"""The game: players are image patches and caption tokens, the value is the model's similarity of the masked pair.

    v(x) = scale * <f(x_image), g(x_text)> + bias

with f and g the unit-norm embeddings of the masked image and the masked caption (Baniecki et al., NeurIPS 2025,
Section 3). Because f never sees the caption and g never sees the image, masked images and masked captions combine for
free: m_I images and m_T captions cost m_I + m_T encodings and give m_I * m_T values.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .encoders.images import ImageSource
from .encoders.players import ImagePlayers
from .encoders.players import image_players as image_players_of
from .encoders.players import text_players as text_players_of
from .encoders.protocol import AnyEncoder, check_is_encoder, note_of
from .extras import need
from .masks import BoolArray, FloatArray, check_masks, distinct, pack
from .phrases import AnyTextPlayers, check_text_players
from .progress import Progress, advancing
from .regions import AnyImagePlayers, check_image_players
from .subject import Origin, Subject, end_values, patch_labels

Float32Array = NDArray[np.float32]


class Game:
    """The similarity game of one image and one caption.

    Every distinct mask is encoded once: embeddings are remembered, so asking again, or going on after an interruption,
    costs nothing for what is known.

    Args:
        encoder: from `fixlip.load`, or one of your own (`fixlip.encoders.protocol`, `fixlip.check_encoder`).
        image: a file, a Pillow image or an array.
        text: the caption.
        image_players: whose presence is asked about in the image: None or "patches" (the model's own); another grid,
            (rows, columns) or "4x4"; "slic", "slic:50" or ("slic", 50), about so many superpixels of what the model
            sees (needs scikit-image); a label map (height, width) of the picture as it stands upright, as an array, the
            name of an indexed or grey picture file, or `fixlip.Regions`, which has names; or boxes (left, top, right,
            bottom) in the picture's pixels, in a list or by name, with one more player, "rest", for all else. A pixel
            in several boxes belongs to the smallest. Pixels with the label -1 are nobody's, and always removed.
        text_players: "tokens", "words" (the tokens of one word together), or a list of phrases of the caption; what is
            in none of these is a player word by word. See `fixlip.phrases`.

    Raises:
        TypeError: if this is no encoder, but a model's name, say.
        ValueError: one sentence, before any model call, if the image cannot be read, the caption is empty or too long,
            or the players do not fit: a label map of another shape, a region that is empty or vanishes where the model
            looks, a phrase that is not in the caption or overlaps with another.
    """

    shows_progress = True  # `progress` can be given to a call

    def __init__(
        self,
        encoder: AnyEncoder,
        image: ImageSource,
        text: str,
        *,
        image_players: AnyImagePlayers = None,
        text_players: AnyTextPlayers = "tokens",
    ):
        check_is_encoder(encoder)
        check_text_players(text_players)
        image_players = check_image_players(image_players)
        caption = encoder.prepare_text(text)
        pixels, view = encoder.prepare_image(image)
        self._image_players = image_players_of(encoder, image_players, image, pixels, view)
        notes = f"{note_of(encoder, 'image', image)} {self._image_players.note}", note_of(encoder, "text", text)
        self._set_text_players(encoder, caption, text_players)
        self._set_up(encoder, pixels, caption, view, (notes[0].strip(), notes[1]))

    @classmethod
    def from_inputs(cls, model: Any, pixel_values: Any, input_ids: Any, labels: tuple[str, ...] | None = None) -> Game:
        """The game of inputs that were prepared elsewhere.

        Args:
            model: a model of transformers that `fixlip.load` takes, or an Encoder.
            pixel_values: normalised picture, shape (3, height, width) or (1, 3, height, width).
            input_ids: token ids, shape (length,) or (1, length), begin and end of text included.
            labels: one name a caption token.
        """
        import torch

        from .encoders.huggingface import Encoder

        encoder = model if isinstance(model, Encoder) else Encoder(model)
        pixels = torch.as_tensor(pixel_values, dtype=torch.float32)
        pixels = pixels[0] if pixels.ndim == 4 and len(pixels) == 1 else pixels
        encoder.check_pixels(pixels)
        ids = torch.as_tensor(input_ids)
        caption = encoder.caption(ids[0] if ids.ndim == 2 and len(ids) == 1 else ids, labels=labels)
        game = cls.__new__(cls)
        grid = encoder.grid_of(pixels)
        game._image_players = ImagePlayers(grid, None, patch_labels(grid))
        game._set_text_players(encoder, caption, "tokens")
        game._set_up(encoder, pixels, caption, None)
        return game

    def with_text(self, text: str, text_players: AnyTextPlayers | None = None) -> Game:
        """The game of the same image with another caption; the masked images that are known stay known.

        Args:
            text: the caption.
            text_players: as for a new game; by default those of this one.

        Raises:
            ValueError: if the caption is empty or too long, or has not the phrases that are players.
        """
        game = Game.__new__(Game)
        caption, note = self.encoder.prepare_text(text), note_of(self.encoder, "text", text)
        game._image_players = self._image_players
        game._set_text_players(self.encoder, caption, text_players or self._asked_text_players)
        game._set_up(self.encoder, self._pixels, caption, self.image, (self._notes[0], note))
        game._image_memory = self._image_memory
        return game

    def afresh(self) -> Game:
        """The same game with no embedding remembered, to measure what a method costs."""
        game = copy.copy(self)
        game._image_memory, game._text_memory = _Memory(), _Memory()
        return game

    @property
    def encodings(self) -> int:
        """How many masked images and masked captions were encoded and are remembered."""
        return len(self._image_memory) + len(self._text_memory)

    def _set_up(
        self,
        encoder: AnyEncoder,
        pixels: Any,
        caption: Any,
        view: NDArray[np.uint8] | None,
        notes: tuple[str, str] = ("", ""),
    ) -> None:
        self.encoder = encoder
        self.grid = self._image_players.grid
        self.labels = self._image_players.labels + self._text_players.labels
        self.n_image, self.n_text = len(self._image_players.labels), len(self._text_players.labels)
        self.n_players = self.n_image + self.n_text
        self.text = str(caption.text)
        self.image = view
        self.scale, self.bias = encoder.scale, encoder.bias
        self._pixels, self._caption, self._notes = pixels, caption, notes
        self._image_memory, self._text_memory = _Memory(), _Memory()

    def _set_text_players(self, encoder: AnyEncoder, caption: Any, asked: AnyTextPlayers) -> None:
        self._asked_text_players, self._text_players = asked, text_players_of(encoder, asked, caption)

    @property
    def of_units(self) -> bool:
        """Whether its players are the model's own: patches and tokens."""
        return self._image_players.regions is None and self._text_players.owners is None

    @property
    def inputs(self) -> tuple[Any, Any]:
        """What the model reads: the prepared picture (3, height, width) and caption, as the encoder made them."""
        return self._pixels, self._caption

    @cached_property
    def caption_cost(self) -> float | None:
        """What a masked caption costs as a share of a masked image; None where the encoder does not say."""
        ask = getattr(self.encoder, "caption_cost", None)
        return None if ask is None else ask(self._pixels, self._caption)

    # ---- values

    def __call__(self, masks: BoolArray, progress: Progress = False) -> FloatArray:
        """Similarity of the pair under each mask.

        Args:
            masks: booleans of shape (m, n_players), image players first.
            progress: show a bar if it takes long.

        Returns:
            logits of shape (m,), as the model returns them (`logits_per_image`), not shifted.
        """
        masks = check_masks(masks, self.n_players)
        images = self.embed_images(masks[:, : self.n_image], progress)
        texts = self.embed_texts(masks[:, self.n_image :], progress)
        return np.asarray(self.scale * np.einsum("md,md->m", images, texts, dtype=np.float64) + self.bias)

    def crossmodal(self, image_masks: BoolArray, text_masks: BoolArray, progress: bool = False) -> FloatArray:
        """Similarity of every masked image with every masked caption.

        Args:
            image_masks: booleans of shape (m_I, n_image).
            text_masks: booleans of shape (m_T, n_text).
            progress: show a bar if it takes long.

        Returns:
            logits of shape (m_I, m_T), for m_I + m_T encodings.
        """
        image_masks = check_masks(image_masks, self.n_image, "image_masks")
        text_masks = check_masks(text_masks, self.n_text, "text_masks")
        images = self.embed_images(image_masks, progress).astype(np.float64)
        return np.asarray(self.scale * images @ self.embed_texts(text_masks, progress).T + self.bias)

    @property
    def empty_value(self) -> float:
        """Similarity when every patch and every token is removed (logit)."""
        return end_values(self)[0]

    @property
    def full_value(self) -> float:
        """Similarity of the whole image and the whole caption (logit)."""
        return end_values(self)[1]

    @cached_property
    def subject(self) -> Subject:
        """Whose players these are, how to show them, and which input of which model this is."""
        name, weights = self.encoder.name, getattr(self.encoder, "fingerprint", "")
        maskings = (getattr(self.encoder, f"{side}_masking", "") for side in ("image", "text"))
        # A caption of an encoder of one's own may hold anything; what it is called tells captions apart, too.
        inputs = (self._pixels, getattr(self._caption, "input_ids", (self.text, tuple(self._caption.labels))))
        ours = self._image_players, self._text_players
        players = ("" if one is None else _digest(one) for one in (ours[0].regions, ours[1].owners))
        image, text = (
            Origin(name, weights, masking, _digest(prepared), note, which, str(getattr(self.encoder, "precision", "")))
            for masking, prepared, note, which in zip(maskings, inputs, self._notes, players, strict=True)
        )
        regions = ours[0].regions if self.grid is None else None
        shown: dict[str, Any] = {"grid": self.grid, "image": self.image, "text": self.text, "regions": regions}
        units = ("patch" if self.grid else "region", ours[1].unit)
        return Subject(self.n_image, self.n_text, self.labels, model=name, origins=(image, text), units=units, **shown)

    def to_shapiq(self, normalize: bool = True) -> Any:
        """This game as a `shapiq.Game` that any approximator there takes; needs shapiq installed.

        Players are those of the image and then those of the caption, by their labels; shared ones end in their number.

        Args:
            normalize: give values less that of the empty coalition (`normalization_value`), which is then asked for.

        Raises:
            ValueError: if shapiq is not installed.
        """
        need("shapiq", "to_shapiq")
        from .shapiq_classes import SharedGame

        return SharedGame(self, normalize)

    # ---- embeddings

    def embed_images(self, masks: BoolArray, progress: Progress = False) -> Float32Array:
        """Unit-norm embeddings of the masked image, float32 of shape (m, d), for masks of shape (m, n_image)."""
        masks = check_masks(masks, self.n_image, "image_masks")
        new = self._image_memory.unknown(masks)
        batches = self._embed_images(new) if len(new) else ()
        return self._image_memory.fill(masks, new, batches, progress, "masked images")

    def _embed_images(self, masks: BoolArray) -> Iterable[NDArray[np.floating[Any]]]:
        regions = self._image_players.regions
        if regions is None:
            return self.encoder.embed_images(self._pixels, masks)
        return self.encoder.embed_images(self._pixels, masks, regions)

    def embed_texts(self, masks: BoolArray, progress: Progress = False) -> Float32Array:
        """Unit-norm embeddings of the masked caption, float32 of shape (m, d), for masks of shape (m, n_text)."""
        masks = check_masks(masks, self.n_text, "text_masks")
        new = self._text_memory.unknown(masks)
        owners = self._text_players.owners
        tokens = new if owners is None else new[:, owners]
        batches = self.encoder.embed_texts(self._caption, tokens) if len(new) else ()
        return self._text_memory.fill(masks, new, batches, progress, "masked captions")

    def known_images(self, masks: BoolArray) -> NDArray[np.bool_]:
        """Which of these image masks need no model call any more, shape (m,)."""
        return self._image_memory.known(check_masks(masks, self.n_image, "image_masks"))

    def __repr__(self) -> str:
        patches, tokens = self.subject.plurals
        return f"Game({self.n_image} {patches}, {self.n_text} {tokens}: {self.text!r}, {self.encoder.name})"


def _digest(prepared: Any) -> str:
    """What tells prepared inputs apart: a tensor, an array, or anything that says what it is."""
    if hasattr(prepared, "cpu"):
        prepared = prepared.cpu().numpy()
    known = isinstance(prepared, np.ndarray) and prepared.dtype != object
    content = repr(tuple(prepared.shape)).encode() + prepared.tobytes() if known else repr(prepared).encode()
    return hashlib.sha256(content).hexdigest()[:16]


class _Memory:
    """Embeddings by mask. Stored batch by batch, so that an interruption loses one batch at most."""

    def __init__(self) -> None:
        self._rows: dict[bytes, Float32Array] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def known(self, masks: BoolArray) -> NDArray[np.bool_]:
        return np.array([key.tobytes() in self._rows for key in pack(masks)], dtype=bool)

    def unknown(self, masks: BoolArray) -> BoolArray:
        """The distinct masks that have no embedding yet."""
        return distinct(masks[~self.known(masks)])[0]

    def fill(
        self,
        masks: BoolArray,
        new: BoolArray,
        batches: Iterable[NDArray[np.floating[Any]]],
        progress: Progress,
        description: str,
    ) -> Float32Array:
        """Take the embeddings of the masks in `new` from `batches`; return those of all `masks`, shape (m, d)."""
        keys, done = pack(new), 0
        with advancing(progress, len(new), description) as advance:
            for given in batches:
                batch = np.asarray(given, dtype=np.float32)
                if batch.ndim != 2 or done + len(batch) > len(new):
                    raise ValueError(_misshapen(f"a batch of shape {batch.shape}", len(new), description))
                if not np.isfinite(batch).all():
                    raise ValueError("model: it returned embeddings that are not finite (NaN or infinite).")
                for key, row in zip(keys[done : done + len(batch)], batch, strict=True):
                    self._rows[key.tobytes()] = row
                done += len(batch)
                advance(len(batch))
        if done < len(new):
            raise ValueError(_misshapen(f"{done} embeddings", len(new), description))
        if not len(masks):
            raise ValueError("masks: got none, wanted at least one.")
        return np.stack([self._rows[key.tobytes()] for key in pack(masks)])


def _misshapen(got: str, wanted: int, what: str) -> str:
    return f"encoder: it gave {got} for {wanted} {what}, wanted batches (b, d), a row a mask; see fixlip.check_encoder."
