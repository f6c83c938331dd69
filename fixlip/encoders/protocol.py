"""The protocol: what a game needs of a dual encoder. Whatever offers it can be explained, from any library or by hand.

The built-in adapter is `huggingface.Encoder`. One's own takes about ten lines; here is one with two towers of its own,
`see` for pictures (m, 3, 224, 224) and `read` for lists of strings:

    class Mine:
        name, scale, bias = "mine", 100.0, 0.0

        def prepare_image(self, image):
            shown = np.array(read_image(image).resize((224, 224)))
            return torch.from_numpy(shown).permute(2, 0, 1) / 127.5 - 1, shown

        def prepare_text(self, text):
            return SimpleNamespace(text=text, labels=tuple(text.split()))

        def grid_of(self, pixels):
            return (7, 7)

        def embed_images(self, pixels, masks, regions=None):
            regions = grid_regions((224, 224), (7, 7)) if regions is None else regions
            yield unit(see(masked_pictures(pixels, masks, regions)))

        def embed_texts(self, caption, masks):
            yield unit(read([" ".join(np.array(caption.labels)[mask]) for mask in masks]))

    fixlip.explain(Mine(), "photo.jpg", "a cat next to a banana")

`read_image` is in `fixlip.encoders.images`, `grid_regions` and `masked_pictures` are in `fixlip.encoders.masking`, and
`unit` brings rows of a tensor to length one, as a NumPy array. `fixlip.check_encoder(Mine())` says what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..masks import BoolArray, IntArray
from .images import ImageSource

Float32Array = NDArray[np.float32]


class AnyCaption(Protocol):
    """A prepared caption. What else it holds is between `prepare_text` and `embed_texts`."""

    @property
    def text(self) -> str:
        """The caption as it was given."""

    @property
    def labels(self) -> tuple[str, ...]:
        """One name for each text player, in reading order."""


class AnyEncoder(Protocol):
    """A dual encoder: its similarity is scale * <image embedding, text embedding> + bias, both of length one.

    Beside these, an encoder may offer, and else has the value in brackets: `fingerprint` (""), which tells weights
    apart; `image_masking` and `text_masking` (""), what removed players become; `note_of_image(image)` and
    `note_of_text(text)` (""), what readers should know of an input, in a sentence; `device` ("cpu") and `batch_size`
    (64); `precision` (""), such as "float32", so that answers of two are not mixed; `labels_on_pixels(labels, pixels)`
    (none: then image players are a grid or "slic"), which brings a label map of the upright picture (height, width) to
    the model's pixels as `prepare_image` brought the picture, -1 where the map says so or the model sees beyond the
    picture; `caption_cost(pixels, caption)` (None), what a masked caption costs as a share of a masked image, where
    that is to limit how many captions are asked; and `similarity(image, text)`, the model's own number for a whole
    pair, which `fixlip.check_encoder` compares.
    """

    @property
    def name(self) -> str:
        """What to call the model."""

    @property
    def scale(self) -> float:
        """What cosines are multiplied by, as the model's logits are."""

    @property
    def bias(self) -> float:
        """What is added then; 0 for most."""

    def prepare_image(self, image: ImageSource) -> tuple[Any, NDArray[np.uint8]]:
        """Bring a picture to what the model reads, once for all masks.

        Returns:
            pixels, a tensor or array of shape (channels, height, width); and the same part of the picture for showing,
            uint8 of shape (height, width, 3) at any resolution.

        Raises:
            ValueError: one sentence, if it is no picture.
        """

    def prepare_text(self, text: str) -> AnyCaption:
        """Tokenise a caption, once for all masks.

        Raises:
            ValueError: one sentence, if it is empty or too long.
        """

    def grid_of(self, pixels: Any) -> tuple[int, int]:
        """Rows and columns of a prepared picture's patches: its players, numbered row by row from the top left."""

    def embed_images(
        self, pixels: Any, masks: BoolArray, regions: IntArray | None = None
    ) -> Iterable[NDArray[np.floating[Any]]]:
        """Embeddings of the picture under each mask.

        Args:
            pixels: from `prepare_image`.
            masks: (m, n), True = the player is present.
            regions: (height, width), a label map of the model's pixels: the number, from 0 to n - 1, of the player that
                each belongs to, or -1, nobody's, for those that are always removed. Pixels that the model never reads,
                a margin beside its patches, say, may have any of these. By default the players are the patches of
                `grid_of`, whose label map must give the same.

        Yields:
            rows of length one (b, d), batch by batch in the order of the masks; any number of batches.
        """

    def embed_texts(self, caption: Any, masks: BoolArray) -> Iterable[NDArray[np.floating[Any]]]:
        """Embeddings of the caption under each mask (m, n_text), in rows and batches as of `embed_images`."""


_NEEDED = ("name", "scale", "bias", "prepare_image", "prepare_text", "grid_of", "embed_images", "embed_texts")


def missing_parts(encoder: object) -> tuple[str, ...]:
    """What an encoder must offer and this object does not."""
    return tuple(part for part in _NEEDED if not hasattr(encoder, part))


def is_encoder(thing: object) -> TypeGuard[AnyEncoder]:
    """Whether this offers what a game needs of an encoder."""
    return not missing_parts(thing)


def check_is_encoder(encoder: Any) -> None:
    """TypeError, in one sentence, unless this offers what a game needs."""
    missing = () if isinstance(encoder, str) else missing_parts(encoder)
    if isinstance(encoder, str):
        raise TypeError(f"encoder: got {encoder!r}, wanted fixlip.load({encoder!r}).")
    if missing:
        rest = f"; it has no {', '.join(missing)}" if len(missing) < len(_NEEDED) else ""
        raise TypeError(
            f"encoder: got {type(encoder).__name__}, wanted what fixlip.load returns, or an encoder of your own "
            f"(fixlip.encoders.protocol){rest}."
        )


def note_of(encoder: Any, side: str, source: Any) -> str:
    """What an encoder says of an image or a text ("image" or "text"); empty where it says nothing."""
    notes = getattr(encoder, f"note_of_{side}", None)
    return str(notes(source)) if notes else ""
