"""Answers: what the model said about masked images and masked captions. Nothing in here knows an estimator."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .masks import MAX_ENUMERATED_PLAYERS, BoolArray, FloatArray, check_p, density, mask_weights
from .subject import Origin, Subject

# Captions are cheap next to images: with up to this many masks of a caption (10 tokens), all of them are encoded, and
# the text side of the estimate is exact. Longer captions get at least as many, and twice what a fit has to determine.
MIN_TEXT_MASKS = 1024
# With a large model captions cost at most so much of what the images do.
CAPTION_SHARE = 0.25
# So much of what is fitted to a side is kept: a slider over budgets goes to and fro between a few.
KEPT_FITS = 4

T = TypeVar("T")


def text_budget(n_text: int) -> int:
    """How many masked captions to encode."""
    return max(MIN_TEXT_MASKS, 2 * (1 + n_text + n_text * (n_text - 1) // 2))


def caption_budget(game: Any, images: int) -> int:
    """How many masked captions to encode beside so many masked images: `text_budget`, or less with a large model.

    Then captions cost a quarter of what the images do, by `Game.caption_cost`, which is the same on every machine; but
    there are twice as many as a fit has to determine, whatever they cost.
    """
    return captions_beside(int(game.n_text), min(images, 2**game.n_image), getattr(game, "caption_cost", None))


def captions_beside(n_text: int, images: int, cost: float | None) -> int:
    """As `caption_budget`, for a caption of `n_text` players that costs so much of an image (None: no matter)."""
    if not cost:
        return text_budget(n_text)
    least = 2 * (1 + n_text + n_text * (n_text - 1) // 2)
    return min(text_budget(n_text), max(least, int(CAPTION_SHARE * images / cost)))


class Memo:
    """The last few results of costly work; made once, whatever the number of threads that ask."""

    def __init__(self, size: int = KEPT_FITS) -> None:
        self._size, self._lock = size, threading.RLock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made under `key`, or what `make` makes now."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
                while len(self._kept) > self._size:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            found: T = self._kept[key]
            return found

    def __len__(self) -> int:
        return len(self._kept)

    def __reduce__(self) -> tuple[Any, ...]:
        return Memo, (self._size,)  # what was kept is made again where it is needed


@dataclass(frozen=True, eq=False)
class Side:
    """Masks of one side of the pair, with their weights and embeddings.

    Attributes:
        masks: (m, n) booleans, no row twice.
        weights: (m,), sum one: how often each was drawn.
        embeddings: (m, d), finite.
        p: presence probabilities from which the masks were drawn in turn; often only one.
        origin: which input of which model was asked, where that is known.
        device: where torch is to fit something to it.
    """

    masks: BoolArray
    weights: FloatArray
    embeddings: NDArray[np.floating[Any]]
    p: tuple[float, ...]
    origin: Origin | None = None
    device: str = "cpu"
    fits: Memo = field(default_factory=Memo, init=False, repr=False)

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

    def weights_at(self, p: float) -> FloatArray:
        """The weight of each mask in an average under the p-measure, (m,), sum one.

        Masks drawn at another p, or at several, count by the ratio of the two densities.
        """
        if self.exact:
            return mask_weights(self.masks, p)
        weights = (
            self.weights if self.p == (p,) else self.weights * density(self.masks, (p,)) / density(self.masks, self.p)
        )
        return np.asarray(weights / weights.sum())

    def first(self, count: int) -> Side:
        """The first `count` masks."""
        if count == len(self.masks):
            return self
        part = self.masks[:count], self.weights[:count], self.embeddings[:count]
        return self.of(*part).as_part_of_all() if self.exact else self.of(*part)

    def of(self, masks: BoolArray, weights: FloatArray, embeddings: NDArray[np.floating[Any]]) -> Side:
        """Other masks of the same input, drawn alike; weights need not sum to one."""
        total = weights.sum()
        weights = weights / total if total > 0 else np.full(len(weights), 1 / len(weights))
        return Side(masks, weights, embeddings, self.p, self.origin, self.device)

    def as_part_of_all(self) -> Side:
        """These masks as some of all there are, in random order: a uniform sample, whatever p was asked for.

        The empty and the full mask, which come first, are no part of the lot: each has the weight that it has of all.
        """
        sizes, n_players = self.masks.sum(axis=1), self.masks.shape[1]
        inner = (0 < sizes) & (sizes < n_players)
        weights = np.full(len(sizes), 0.5**n_players)
        weights[inner] = (1 - weights[~inner].sum()) / max(1, inner.sum())
        return replace(self, p=(0.5,), weights=weights / weights.sum())

    def end(self, present: bool) -> FloatArray:
        """Embedding of the mask with all players, or with none, (d,); NaN where that mask is not among them."""
        found = np.flatnonzero((self.masks == present).all(axis=1))
        at_hand = self.embeddings[found[0]] if len(found) else np.full(self.embeddings.shape[1], np.nan)
        return np.asarray(at_hand, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Answers:
    """The model's answers to all pairs of some masked images and some masked captions.

    Attributes:
        subject: what was asked about.
        image_side, text_side: masks, weights and embeddings of either side; all pairs of them are in the sample.
        scale, bias: a pair's value is scale * <image embedding, text embedding> + bias.
        seed: what the masks were drawn with.
    """

    subject: Subject
    image_side: Side
    text_side: Side
    scale: float
    bias: float
    seed: int = 0
    fits: Memo = field(default_factory=Memo, init=False, repr=False)

    @property
    def budget(self) -> int:
        """Number of masked images that were encoded."""
        return len(self.image_side.masks)

    @property
    def empty_value(self) -> float:
        """Value of the empty coalition (logit)."""
        return self._end(False)

    @property
    def full_value(self) -> float:
        """Value of the grand coalition (logit)."""
        return self._end(True)

    def _end(self, present: bool) -> float:
        return self.scale * float(self.image_side.end(present) @ self.text_side.end(present)) + self.bias

    def about(self) -> dict[str, Any]:
        """What an Explanation says of where it comes from."""
        ends = {"empty_value": self.empty_value, "full_value": self.full_value}
        return {"subject": self.subject, "budget": self.budget} | ends

    def values(self) -> FloatArray:
        """Value of every pair of masks, logits of shape (m_I, m_T)."""
        return self.scale * self.image_side.embeddings.astype(np.float64) @ self.text_side.embeddings.T + self.bias

    def check_drawn_at(self, p: float | None, what: str) -> float:
        """Return p, by default the one these answers were drawn at; ValueError unless all of them were."""
        sides = [side for side in (self.image_side, self.text_side) if not side.exact]
        drawn = sorted({one for side in sides for one in side.p})
        p = check_p(p) if p is not None else (drawn or self.image_side.p)[0]
        if drawn not in ([], [p]):
            told = ", ".join(f"{one:g}" for one in drawn)
            raise ValueError(
                f"p: {what} needs masks drawn at p = {p:g} alone; these were drawn at {told}. Use "
                f"sample(game, budget, p={p:g}), or the kernel estimator."
            )
        return p
