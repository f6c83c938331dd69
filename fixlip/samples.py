"""Samples: what the model said about a set of masked images and a set of masked captions."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .masks import MAX_ENUMERATED_PLAYERS, BoolArray, FloatArray, check_count, check_p, draw_masks
from .players import AnyGame, Players

# Captions are cheap next to images: with up to this many masks of a caption (10 tokens), all of them are encoded, and
# the text side of the estimate is exact. Longer captions get at least as many, and twice what a fit has to determine.
MIN_TEXT_MASKS = 1024


def text_budget(n_text: int) -> int:
    """How many masked captions to encode."""
    return max(MIN_TEXT_MASKS, 2 * (1 + n_text + n_text * (n_text - 1) // 2))


class BilinearGame(AnyGame, Protocol):
    """A game whose value is scale * <image embedding, text embedding> + bias."""

    scale: float
    bias: float

    def embed_images(self, masks: BoolArray, progress: bool = False) -> NDArray[np.floating[Any]]:
        """Embeddings (m, d) of the image under masks (m, n_image)."""

    def embed_texts(self, masks: BoolArray, progress: bool = False) -> NDArray[np.floating[Any]]:
        """Embeddings (m, d) of the caption under masks (m, n_text)."""


@dataclass(frozen=True, eq=False)
class Side:
    """Masks of one side of the pair, with their weights and embeddings.

    Attributes:
        masks: (m, n) booleans, no row twice.
        weights: (m,), sum one: what each mask counts in an average under the p-measure.
        embeddings: (m, d), finite.
    """

    masks: BoolArray
    weights: FloatArray
    embeddings: NDArray[np.floating[Any]]

    def __post_init__(self) -> None:
        m = len(self.masks)
        if len(self.weights) != m or self.embeddings.ndim != 2 or len(self.embeddings) != m:
            raise ValueError(
                f"samples: got {len(self.weights)} weights and embeddings of shape {self.embeddings.shape} for "
                f"{m} masks; wanted ({m},) and ({m}, dimension)."
            )
        if not np.isfinite(self.embeddings).all():
            raise ValueError("samples: the model returned embeddings that are not finite.")

    @property
    def exact(self) -> bool:
        """True if every mask there is was encoded, so that the average is no estimate."""
        n_players = self.masks.shape[1]
        return bool(n_players <= MAX_ENUMERATED_PLAYERS and len(self.masks) == 2**n_players)


@dataclass(frozen=True, eq=False)
class Samples:
    """The model's answers from which explanations are made, without calling the model again.

    Attributes:
        players: who plays.
        image, text: masks, weights and embeddings of either side; all pairs of them are in the sample.
        scale, bias: a pair's value is scale * <image embedding, text embedding> + bias.
        p: the probability of presence at which the masks were drawn.
        seed: what they were drawn with.
    """

    players: Players
    image: Side
    text: Side
    scale: float
    bias: float
    p: float
    seed: int

    @property
    def budget(self) -> int:
        """Number of masked images that were encoded."""
        return len(self.image.masks)

    def values(self) -> FloatArray:
        """Value of every pair of masks, logits of shape (m_I, m_T)."""
        return self.scale * self.image.embeddings.astype(np.float64) @ self.text.embeddings.T + self.bias


def sample(game: BilinearGame, budget: int, p: float = 0.5, seed: int = 0, *, progress: bool = True) -> Samples:
    """Ask the model about masked images and masked captions, each drawn from the p-measure.

    The design is the paper's cross-modal one (Baniecki et al., NeurIPS 2025, Definition 7): independent image masks and
    text masks, used in all combinations. Where a caption has no more than 1,024 masks, all of them are used with
    their exact weights, and nothing on the text side is left to chance.

    Interrupting (Ctrl-C, a notebook's stop button) keeps the images that were encoded so far.

    Args:
        game: a `Game`, or anything with `n_image`, `n_text`, `scale`, `bias`, `embed_images` and `embed_texts`.
        budget: number of masked images to encode. Captions come on top, 1,024 at most for up to 10 tokens.
        p: probability with which a player is present.
        seed: of the masks; the same seed gives the same masks.
        progress: show a bar if it takes long.

    Returns:
        the samples.

    Raises:
        ValueError: if `budget` is no whole number above zero, or `p` not strictly between 0 and 1.
    """
    budget, p = check_count(budget, "budget"), check_p(p)
    image_rng, text_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    text_masks, text_weights = draw_masks(game.n_text, text_budget(game.n_text), p, text_rng)
    image_masks, image_weights = draw_masks(game.n_image, budget, p, image_rng)
    players = Players.of(game)
    text = Side(text_masks, text_weights, game.embed_texts(text_masks, progress))
    image = _embed_images(game, image_masks, image_weights, progress)
    return Samples(players, image, text, game.scale, game.bias, p, seed)


def _embed_images(game: BilinearGame, masks: BoolArray, weights: FloatArray, progress: bool) -> Side:
    try:
        return Side(masks, weights, game.embed_images(masks, progress))
    except KeyboardInterrupt:
        known = game.known_images(masks) if hasattr(game, "known_images") else np.zeros(len(masks), bool)
        if not known.any():
            raise
        warnings.warn(
            f"interrupted: going on with the {known.sum():,} of {len(masks):,} masked images encoded so far.",
            stacklevel=3,
        )
        masks, weights = masks[known], weights[known] / weights[known].sum()
        return Side(masks, weights, game.embed_images(masks))
