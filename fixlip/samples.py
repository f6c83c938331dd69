"""Samples: what the model said about a set of masked images and a set of masked captions."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from . import files
from .masks import (
    MAX_ENUMERATED_PLAYERS,
    BoolArray,
    FloatArray,
    check_count,
    check_p,
    density,
    draw_sequence,
    mask_weights,
)
from .players import AnyGame, Players

if TYPE_CHECKING:
    from .estimators.readout import Readout
    from .explanation import Explanation

# Captions are cheap next to images: with up to this many masks of a caption (10 tokens), all of them are encoded, and
# the text side of the estimate is exact. Longer captions get at least as many, and twice what a fit has to determine.
MIN_TEXT_MASKS = 1024
# One set of samples for every p: the kernel estimator carries over to what lies between and a little beyond.
# Small p vary most, and one mask at 0.2 helps at 0.3 more than another there.
MIXTURE = (0.2, 0.35, 0.5, 0.6, 0.7)
ESTIMATORS = ("kernel", "crossmodal", "tree")


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
        weights: (m,), sum one: how often each was drawn.
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

    def weights_at(self, p: float, drawn: tuple[float, ...]) -> FloatArray:
        """What each mask counts in an average under the p-measure, (m,), sum one.

        Args:
            p: presence probability of the measure.
            drawn: those from which the masks were drawn in turn; they count by the ratio of the two densities.
        """
        if self.exact:
            return mask_weights(self.masks, p)
        weights = (
            self.weights if drawn == (p,) else self.weights * density(self.masks, (p,)) / density(self.masks, drawn)
        )
        return np.asarray(weights / weights.sum())

    def first(self, count: int) -> Side:
        """The first `count` masks."""
        weights = self.weights[:count]
        total = weights.sum()
        weights = weights / total if total > 0 else np.full(len(weights), 1 / len(weights))
        return Side(self.masks[:count], weights, self.embeddings[:count])


@dataclass(frozen=True, eq=False)
class Samples:
    """The model's answers, from which explanations are made without calling the model again.

    Attributes:
        players: who plays.
        image, text: masks, weights and embeddings of either side; all pairs of them are in the sample.
        scale, bias: a pair's value is scale * <image embedding, text embedding> + bias.
        p: the probabilities of presence from which the masks were drawn in turn; often only one.
        seed: what they were drawn with.
        game: what to ask for more; not saved.
    """

    players: Players
    image: Side
    text: Side
    scale: float
    bias: float
    p: tuple[float, ...] = MIXTURE
    seed: int = 0
    game: BilinearGame | None = field(default=None, repr=False)
    # Fits by side and number of masks: they serve every p, index and caption.
    _fits: dict[tuple[str, int], Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def budget(self) -> int:
        """Number of masked images that were encoded."""
        return len(self.image.masks)

    def values(self) -> FloatArray:
        """Value of every pair of masks, logits of shape (m_I, m_T)."""
        return self.scale * self.image.embeddings.astype(np.float64) @ self.text.embeddings.T + self.bias

    # ---- explanations

    def explain(
        self,
        p: float = 0.5,
        index: str = "banzhaf",
        *,
        order: int = 2,
        budget: int | None = None,
        estimator: str = "kernel",
    ) -> Explanation:
        """An explanation from these samples; the model is not called.

        With the kernel estimator the first call fits one relevance a player; any later p, index, order or budget takes
        milliseconds.

        Args:
            p: probability with which every player is present; has no meaning for the Shapley indices.
            index: "banzhaf" (weighted Banzhaf interactions at p), "shapley" (faithful Shapley interactions) or "sii"
                (Shapley interactions). Shapley indices average over all p, also where few masks were drawn.
            order: 2, or 1 for values without interactions.
            budget: use only the first so many masked images. The relevances stay those of all samples;
                `first(budget).explain()` fits them anew.
            estimator: "kernel"; "crossmodal" (least squares) or "tree" (boosted trees), which want samples drawn at p.

        Raises:
            ValueError: one sentence, if an argument does not fit.
        """
        from .estimators.indices import check_index

        p = check_p(p)
        if order not in (1, 2):
            raise ValueError(f"order: got {order!r}, wanted 1 or 2.")
        if estimator not in ESTIMATORS:
            raise ValueError(f"estimator: got {estimator!r}, wanted one of {', '.join(ESTIMATORS)}.")
        if estimator == "kernel":
            check_index(index)
            return self.readout(budget).explain(p, index, order)
        if index != "banzhaf":
            raise ValueError(f'index: got {index!r}, but the estimator {estimator!r} gives "banzhaf" alone.')
        samples = self if budget is None else self.first(budget)
        if estimator == "crossmodal":
            from .estimators.least_squares import crossmodal_least_squares

            found = crossmodal_least_squares(samples, p)
        else:
            from .estimators.tree_proxy import tree_proxy

            found = tree_proxy(samples, p)
        return found if order == 2 else found.first_order()

    def readout(self, budget: int | None = None) -> Readout:
        """The two fitted surrogates, for whoever wants more than explanations of them."""
        from .estimators.readout import Readout

        count = self._check_budget(budget)
        if ("readout", count) not in self._fits:
            image, text = self.fit("image", count), self.fit("text")
            sides = (self.image.first(count), self.text)
            self._fits["readout", count] = Readout(image, text, sides, self.p, self.players, self.scale, self.bias)
        found: Readout = self._fits["readout", count]
        return found

    def fit(self, name: str, count: int | None = None) -> Any:
        """The surrogate of a side ("image" or "text") from its first `count` masks, relevances from all of them."""
        from .estimators.kernel import MAX_SAMPLES, KernelSurrogate
        from .estimators.relevances import Neighbours, fit_relevances
        from .estimators.surrogate import Table

        side: Side = getattr(self, name)
        count = len(side.masks) if count is None else count
        if (name, count) in self._fits:
            return self._fits[name, count]
        device = str(getattr(getattr(self.game, "encoder", None), "device", "cpu"))
        device = "cpu" if device.startswith("mps") else device  # which knows no doubles
        used = side.first(count)
        if used.exact:
            found: Any = Table(used.masks, used.embeddings, device)
        elif count > MAX_SAMPLES:
            raise ValueError(
                f"budget: got {count:,} masks, but the kernel estimator takes {MAX_SAMPLES:,} at most; use "
                f'budget={MAX_SAMPLES} or estimator="crossmodal".'
            )
        else:
            if (name, 0) not in self._fits:
                # Words are near those that stand beside them.
                grid = self.players.grid if name == "image" else (1, self.players.n_text)
                neighbours = Neighbours.on_grid(*grid) if grid else None
                self._fits[name, 0] = fit_relevances(side.masks, side.embeddings, neighbours, device)
            found = KernelSurrogate(used.masks, used.embeddings, self._fits[name, 0], device)
        self._fits[name, count] = found
        return found

    def _check_budget(self, budget: int | None) -> int:
        if budget is None:
            return self.budget
        if check_count(budget, "budget", 2) > self.budget:
            raise ValueError(
                f"budget: got {budget:,}, but there are {self.budget:,} masked images; `extend` encodes more."
            )
        return int(budget)

    def check_drawn_at(self, p: float | None, what: str) -> float:
        """Return p, by default the one these samples were drawn at; ValueError unless all of them were."""
        p = self.p[0] if p is None else check_p(p)
        if self.p != (p,) and not (self.image.exact and self.text.exact):
            drawn = ", ".join(f"{one:g}" for one in self.p)
            raise ValueError(
                f"p: {what} needs masks drawn at p = {p:g} alone; these were drawn at {drawn}. Use "
                f"sample(game, budget, p={p:g}), or the kernel estimator."
            )
        return p

    # ---- fewer, more, another caption

    def first(self, budget: int) -> Samples:
        """These samples as if only the first `budget` masked images had been asked for."""
        return replace(self, image=self.image.first(self._check_budget(budget)))

    def extend(self, more: int, game: BilinearGame | None = None, *, progress: bool = True) -> Samples:
        """Samples with `more` masked images, those at hand first; only the new ones are encoded.

        Args:
            more: how many.
            game: needed after `load`, since a model is not saved with its answers.
            progress: show a bar if it takes long.

        Raises:
            ValueError: if there is no game to ask, or it has other players.
        """
        asked = game if game is not None else self.game
        if asked is None:
            raise ValueError("game: these samples were loaded; pass the game to ask, as in samples.extend(256, game).")
        if (asked.n_image, asked.n_text) != (self.players.n_image, self.players.n_text):
            raise ValueError(
                f"game: got {asked.n_image} + {asked.n_text} players, wanted the {self.players.n_image} + "
                f"{self.players.n_text} of these samples."
            )
        from .sampling import embed_images, seeds

        budget = self.budget + check_count(more, "more")
        masks, weights = draw_sequence(self.players.n_image, budget, self.p, seeds(self.seed)[0])
        known = {row.tobytes(): k for k, row in enumerate(self.image.masks)}
        new = np.array([row.tobytes() not in known for row in masks])
        embeddings = np.empty((len(masks), self.image.embeddings.shape[1]), self.image.embeddings.dtype)
        embeddings[~new] = self.image.embeddings[[known[row.tobytes()] for row in masks[~new]]]
        if new.any():
            added = embed_images(asked, masks[new], weights[new], progress)
            # An interruption leaves some of the new ones out.
            got = {row.tobytes() for row in added.masks}
            kept = np.array([not fresh or row.tobytes() in got for fresh, row in zip(new, masks, strict=True)])
            embeddings[new & kept] = added.embeddings
            masks, weights, embeddings = masks[kept], weights[kept] / weights[kept].sum(), embeddings[kept]
        return replace(self, image=Side(masks, weights, embeddings), game=asked)

    def with_caption(self, game: BilinearGame, *, progress: bool = True) -> Samples:
        """The same masked images with another caption, that of `game`; only captions are encoded."""
        from .sampling import sample_text

        text = sample_text(game, self.p, self.seed, progress=progress)
        players = getattr(game, "unvalued_players", None) or Players.of(game)
        other = Samples(players, self.image, text, game.scale, game.bias, self.p, self.seed)
        return self.cross(other, game)

    def cross(self, other: Samples, game: BilinearGame | None = None) -> Samples:
        """The image of these samples with the caption of others, both of one model; the model is not called.

        Fits that either has made are taken over, since a fit serves every partner.

        Args:
            other: whose caption.
            game: of this image and that caption, for whoever wants to `extend` the result.
        """
        if (self.players.model, self.scale, self.bias) != (other.players.model, other.scale, other.bias):
            raise ValueError(
                f"samples: got an image under {self.players.model!r} and a caption under {other.players.model!r}, "
                "wanted one model for both."
            )
        image, text, n_image = self.image, other.text, self.players.n_image
        ends = [self.scale * float(a @ b) + self.bias for a, b in zip(_ends(image), _ends(text), strict=True)]
        players = replace(
            self.players,
            n_text=other.players.n_text,
            labels=self.players.labels[:n_image] + other.players.labels[other.players.n_image :],
            text=other.players.text,
            empty_value=ends[0],
            full_value=ends[1],
        )
        crossed = replace(self, players=players, text=text, game=game)
        crossed._fits.update({key: fit for key, fit in self._fits.items() if key[0] == "image"})
        crossed._fits.update({key: fit for key, fit in other._fits.items() if key[0] == "text"})
        return crossed

    # ---- files

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the samples as a NumPy archive (.npz); a failed save harms no earlier file."""
        arrays: dict[str, NDArray[Any]] = {}
        for name in ("image", "text"):
            side: Side = getattr(self, name)
            arrays |= {f"{name}_{part}": getattr(side, part) for part in ("masks", "weights", "embeddings")}
        facts = {"scale": self.scale, "bias": self.bias, "p": list(self.p), "seed": self.seed}
        return files.write(path, arrays, facts, self.players)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Samples:
        """Read what `save` wrote.

        Raises:
            ValueError: one sentence, if there is no such file or it holds no samples.
        """
        parts = [f"{name}_{part}" for name in ("image", "text") for part in ("masks", "weights", "embeddings")]
        arrays, facts, players = files.read(path, "set of samples", tuple(parts))
        image, text = (Side(*(arrays[part] for part in parts[k : k + 3])) for k in (0, 3))
        return cls(players, image, text, facts["scale"], facts["bias"], tuple(facts["p"]), facts["seed"])


def _ends(side: Side) -> list[FloatArray]:
    """Embeddings of nothing and of everything."""
    found = []
    for row in (np.zeros(side.masks.shape[1], bool), np.ones(side.masks.shape[1], bool)):
        (at,) = np.flatnonzero((side.masks == row).all(axis=1))
        found.append(side.embeddings[at].astype(np.float64))
    return found
