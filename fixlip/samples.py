"""Samples: ask the model once, then explain the answers in any way, extend them, save them, cross them."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from . import files
from .answers import Answers, Side, caption_budget, text_budget
from .estimators.methods import OF_ANSWERS, Request, method_named
from .masks import BoolArray, FloatArray, check_budget, check_count, check_masks, check_p, check_seed, draw_sequence
from .progress import Progress
from .subject import AnyGame, Origin, Subject

if TYPE_CHECKING:
    from .estimators.readout import Readout
    from .explanation import Explanation

# One set of samples for every p: the kernel estimator carries over to what lies between and a little beyond.
# Small p vary most, and one mask at 0.2 helps at 0.3 more than another there.
MIXTURE = (0.2, 0.35, 0.5, 0.6, 0.7)
# Fewer different masks than this say nothing about a game; so few come up where p is extreme.
FEWEST_MASKS = 8
ON_INTERRUPT = ("keep", "raise")


class BilinearGame(AnyGame, Protocol):
    """A game whose value is scale * <image embedding, text embedding> + bias."""

    scale: float
    bias: float

    def embed_images(self, masks: BoolArray, progress: Progress = False) -> NDArray[np.floating[Any]]:
        """Embeddings (m, d) of the image under masks (m, n_image)."""

    def embed_texts(self, masks: BoolArray, progress: Progress = False) -> NDArray[np.floating[Any]]:
        """Embeddings (m, d) of the caption under masks (m, n_text)."""


# ---- asking the model


def sample(
    game: BilinearGame,
    budget: int = 512,
    p: float | tuple[float, ...] = MIXTURE,
    seed: int = 0,
    *,
    progress: Progress = True,
    on_interrupt: str = "keep",
) -> Samples:
    """Ask the model about masked images and masked captions.

    The design is the paper's cross-modal one (Baniecki et al., NeurIPS 2025, Definition 7): independent image masks and
    text masks, used in all combinations. Where a caption has no more than 1,024 masks, all of them are used with
    their exact weights, and nothing on the text side is left to chance.

    Args:
        game: a `Game`, or anything with `n_image`, `n_text`, `scale`, `bias`, `embed_images` and `embed_texts`.
        budget: number of masked images to encode. Captions come on top, 1,024 at most for up to 10 tokens; with large
            models fewer, where they would cost more than a quarter of what the images do.
        p: probability with which a player is present. Several are drawn from in turn, and by default they are spread
            from 0.2 to 0.7, so that one set of samples serves every p between. One p serves that p best, which is why
            `fixlip.explain(..., p=0.5)` gives slightly other numbers than `sample(...).explain(0.5)`.
        seed: of the masks, a whole number; the same seed gives the same masks, and the first of them whatever the
            budget.
        progress: show a bar if it takes long.
        on_interrupt: what Ctrl-C or a notebook's stop button does while images are encoded: "keep" goes on with those
            that are done, with a warning; "raise" ends with KeyboardInterrupt.

    Returns:
        the samples.

    Raises:
        ValueError: one sentence, before any model call, if an argument does not fit.
    """
    budget, ps, seed = check_budget(budget), check_ps(p), check_seed(seed)
    if on_interrupt not in ON_INTERRUPT:
        raise ValueError(f"on_interrupt: got {on_interrupt!r}, wanted one of {', '.join(ON_INTERRUPT)}.")
    subject = Subject.of(game)
    if not (hasattr(game, "embed_images") and hasattr(game, "embed_texts")):
        raise ValueError(
            "game: it has no embed_images and embed_texts, so masked images and captions cannot be combined; use "
            "agnostic_least_squares of fixlip.estimators.agnostic, which asks any game."
        )
    text = sample_text(game, ps, seed, budget, progress=progress)
    image = sample_image(game, budget, ps, seed, progress=progress, on_interrupt=on_interrupt)
    return Samples(subject, image, text, game.scale, game.bias, seed, game)


def sample_image(
    game: BilinearGame,
    budget: int,
    ps: tuple[float, ...],
    seed: int,
    *,
    progress: Progress = False,
    on_interrupt: str = "raise",
    known: Side | None = None,
) -> Side:
    """The image's half of `sample`; what is `known` of some of its masks is not asked again."""
    masks, weights = image_masks(game, budget, ps, seed)
    start = Side(masks[:0], weights[:0], np.zeros((0, 0)), ps, *_described(game, 0))
    if known is not None:
        start = replace(start, masks=known.masks, weights=known.weights, embeddings=known.embeddings)
    return _embed_images(game, start, masks, weights, progress, on_interrupt)


def image_masks(
    game: BilinearGame | Subject, budget: int, ps: tuple[float, ...], seed: int
) -> tuple[BoolArray, FloatArray]:
    """The masks (m, n_image) that `sample_image` asks about, and their weights (m,)."""
    return _draw(game.n_image, budget, ps, _seeds(seed)[0])


def sample_text(
    game: BilinearGame, ps: tuple[float, ...], seed: int, images: int | None = None, *, progress: Progress = False
) -> Side:
    """The caption's half of `sample`, beside so many masked images where these are what it may cost."""
    size = text_budget(game.n_text) if images is None else caption_budget(game, images)
    masks, weights = _draw(game.n_text, size, ps, _seeds(seed)[1])
    return Side(masks, weights, game.embed_texts(masks, progress), ps, *_described(game, 1))


def check_ps(p: float | tuple[float, ...]) -> tuple[float, ...]:
    """Return one presence probability or several as a tuple; ValueError unless all lie between 0 and 1."""
    several = tuple(p) if isinstance(p, tuple | list | np.ndarray) else (p,)
    if not several:
        raise ValueError("p: got none, wanted at least one probability.")
    return tuple(check_p(one) for one in several)


def _seeds(seed: int) -> list[np.random.SeedSequence]:
    """One for images, one for captions."""
    return np.random.SeedSequence(seed).spawn(2)


def _draw(
    n_players: int, size: int, ps: tuple[float, ...], seed: np.random.SeedSequence
) -> tuple[BoolArray, FloatArray]:
    """Masks and weights; ValueError where p is so extreme that hardly two of them differ."""
    masks, weights = draw_sequence(n_players, size, ps, seed)
    if len(masks) < min(FEWEST_MASKS, size, 2**n_players):
        told = ", ".join(f"{p:g}" for p in ps)
        raise ValueError(
            f"p: got {told}, where almost all masks of {n_players} players are alike (only {len(masks)} different ones "
            "came up); wanted a probability further from 0 and 1."
        )
    return masks, weights


def _described(game: BilinearGame, side: int) -> tuple[Origin | None, str]:
    """Origin and device of a side."""
    device = str(getattr(getattr(game, "encoder", None), "device", "cpu"))
    return Subject.of(game).origins[side], "cpu" if device.startswith("mps") else device  # MPS has no doubles


def _embed_images(
    game: BilinearGame, known: Side, masks: BoolArray, weights: FloatArray, progress: Progress, on_interrupt: str
) -> Side:
    """A side of these masks, of which only those that are not `known` are encoded."""
    rows = {row.tobytes(): k for k, row in enumerate(known.masks)}
    at = np.array([rows.get(row.tobytes(), -1) for row in masks])
    new = np.flatnonzero(at < 0)
    done = np.ones(len(masks), bool)
    try:
        added = game.embed_images(masks[new], progress) if len(new) else known.embeddings[:0]
    except KeyboardInterrupt:
        got = game.known_images(masks[new]) if hasattr(game, "known_images") else np.zeros(len(new), bool)
        if on_interrupt == "raise" or got.sum() + len(rows) < 2:
            raise
        warnings.warn(
            f"interrupted: going on with the {got.sum():,} of {len(new):,} masked images encoded so far.", stacklevel=4
        )
        done[new[~got]], new = False, new[got]
        added = game.embed_images(masks[new]) if len(new) else known.embeddings[:0]
    embeddings = np.empty((len(masks), added.shape[1]), added.dtype)
    embeddings[new] = added
    if len(rows):
        embeddings[at >= 0] = known.embeddings[at[at >= 0]]
    side = known.of(masks[done], weights[done], embeddings[done])
    return side if done.all() or len(masks) < 2 ** masks.shape[1] else side.as_part_of_all()


# ---- what was answered


@dataclass(frozen=True, eq=False)
class Samples(Answers):
    """The model's answers, from which explanations are made without calling the model again.

    Attributes:
        subject: what was asked about.
        image_side, text_side: masks, weights and embeddings of either side; all pairs of them are in the sample.
        scale, bias: a pair's value is scale * <image embedding, text embedding> + bias.
        seed: what the masks were drawn with.
        game: what to ask for more; not saved.
    """

    game: BilinearGame | None = field(default=None, repr=False)

    def explain(
        self,
        p: float = 0.5,
        index: str = "banzhaf",
        *,
        order: int = 2,
        budget: int | None = None,
        estimator: str = "kernel",
        basis: str = "full",
    ) -> Explanation:
        """An explanation from these samples; the model is not called.

        With the kernel estimator the first call fits one relevance per player; any later p, index, order or budget
        takes milliseconds.

        Args:
            p: probability with which every player is present; has no meaning for the Shapley indices.
            index: "banzhaf" (weighted Banzhaf interactions at p), "shapley" (faithful Shapley interactions, FSII) or
                "sii" (Shapley interactions, k-SII). Shapley indices average over all p, also where few masks were
                drawn.
            order: 2, or 1 for values without interactions, or 3 with triples of players ("kernel" only): interactions
                of two words with a patch, say, which tell whether the two are bound to each other there.
            budget: use only the first so many masked images. With the kernel estimator the relevances stay those of all
                samples; `first(budget).explain()` fits them anew.
            estimator: "kernel", or "crossmodal" (least squares) or "tree" (boosted trees), which need samples drawn
                at p.
            basis: "full", with "crossmodal" also "crossmodal" (interactions of patches with tokens only).

        Raises:
            ValueError: one sentence, if an argument does not fit.
        """
        method = method_named(estimator, OF_ANSWERS)
        request = Request(p=p, index=index, order=order, basis=basis, budget=self._check_budget(budget))
        return method.run(self, method.check(request))

    def readout(self, budget: int | None = None) -> Readout:
        """The two fitted surrogates, for whoever wants more than explanations of them."""
        from .estimators.fits import readout_of

        return readout_of(self, self._check_budget(budget))

    @overload
    def predict(self, masks: BoolArray, *, with_errors: Literal[False] = False) -> FloatArray: ...

    @overload
    def predict(self, masks: BoolArray, *, with_errors: Literal[True]) -> tuple[FloatArray, FloatArray]: ...

    def predict(self, masks: BoolArray, *, with_errors: bool = False) -> FloatArray | tuple[FloatArray, FloatArray]:
        """What the model would say of masks (m, n_players), image players first; it is not called.

        These are the surrogates themselves, of which an explanation is the second-order part: whoever wants to know a
        value and not why it is so is told better here. Masks that were asked about are known.

        Args:
            masks: booleans.
            with_errors: give standard errors, too: of a value that is predicted, calibrated by samples left out.

        Returns:
            values, logits of shape (m,); with errors also their standard errors, (m,).

        Raises:
            ValueError, TypeError: if the masks are not of these players.
        """
        from .estimators.prediction import predict

        values, errors = predict(self.readout(), check_masks(masks, self.subject.n_players))
        return (values, errors) if with_errors else values

    def _check_budget(self, budget: int | None) -> int:
        if budget is None:
            return self.budget
        if check_count(budget, "budget", 2) > self.budget:
            raise ValueError(
                f"budget: got {budget:,}, but there are {self.budget:,} masked images; `extend` encodes more."
            )
        return int(budget)

    # ---- fewer, more, another caption

    def first(self, budget: int) -> Samples:
        """These samples as if only the first `budget` masked images had been asked for."""
        return replace(self, image_side=self.image_side.first(self._check_budget(budget)))

    def extend(
        self, more: int, game: BilinearGame | None = None, *, progress: Progress = True, on_interrupt: str = "keep"
    ) -> Samples:
        """Samples with `more` masked images, those at hand first; only the new ones are encoded.

        Args:
            more: how many.
            game: needed after `load`, since a model is not saved with its answers.
            progress: show a bar if it takes long.
            on_interrupt: as in `sample`.

        Raises:
            ValueError: if there is no game to ask, or it is of another model, precision, masking, image or caption.
        """
        asked = game if game is not None else self.game
        if asked is None:
            raise ValueError("game: these samples were loaded; pass the game to ask, as in samples.extend(256, game).")
        self.subject.check_same(asked, "set of samples", in_one_precision=True)
        budget = check_budget(self.budget + check_count(more, "more"))
        masks, weights = _draw(self.subject.n_image, budget, self.image_side.p, _seeds(self.seed)[0])
        image = _embed_images(asked, self.image_side, masks, weights, progress, on_interrupt)
        text = self.text_side  # with a large model more images can afford more captions
        if len(text.masks) < min(caption_budget(asked, budget), 2**asked.n_text):
            text = sample_text(asked, text.p, self.seed, budget, progress=progress)
        return replace(self, image_side=image, text_side=text, game=asked)

    def with_caption(self, game: BilinearGame, *, progress: Progress = True) -> Samples:
        """The same masked images with another caption, that of `game`; only captions are encoded.

        Raises:
            ValueError: if the game is of another image or model.
        """
        subject = self.subject.with_text_of(Subject.of(game), same_image=True)
        text = sample_text(game, self.text_side.p, self.seed, self.budget, progress=progress)
        return replace(self, subject=subject, text_side=text, game=game)

    def cross(self, other: Samples, game: BilinearGame | None = None) -> Samples:
        """The image of these samples with the caption of others, both of one model; the model is not called.

        What was fitted to either side goes with it, since a fit serves every partner.

        Args:
            other: whose caption.
            game: of this image and that caption, for whoever wants to `extend` the result.

        Raises:
            ValueError: if the two are of different models.
        """
        if not isinstance(other, Samples):
            raise ValueError(f"other: got {type(other).__name__}, wanted the Samples whose caption to take.")
        subject = self.subject.with_text_of(other.subject)
        if (self.scale, self.bias) != (other.scale, other.bias):
            raise ValueError("samples: got answers with two scales or biases; wanted one model for both sides.")
        return replace(self, subject=subject, text_side=other.text_side, game=game)

    # ---- files

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the samples as a NumPy archive (.npz); a failed save harms no earlier file."""
        arrays: dict[str, NDArray[Any]] = {}
        for name, side in (("image", self.image_side), ("text", self.text_side)):
            arrays |= {f"{name}_{part}": getattr(side, part) for part in _PARTS}
        drawn = {"p": list(self.image_side.p), "p_text": list(self.text_side.p)}
        facts = {"scale": self.scale, "bias": self.bias, "seed": self.seed} | drawn
        return files.write(path, arrays, facts, self.subject)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Samples:
        """Read what `save` wrote.

        Raises:
            ValueError: one sentence, if there is no such file or it holds no samples.
        """
        wanted = {f"{name}_{part}": kind for name in ("image", "text") for part, kind in _PARTS.items()}
        with files.reading(path, "set of samples", wanted) as (arrays, facts, subject):
            drawn = tuple(check_p(p) for p in facts["p"])
            ps = drawn, tuple(check_p(p) for p in facts.get("p_text", drawn))
            image, text = (
                _loaded(name, arrays, count, p, origin)
                for name, count, p, origin in zip(
                    ("image", "text"), (subject.n_image, subject.n_text), ps, subject.origins, strict=True
                )
            )
            return cls(subject, image, text, float(facts["scale"]), float(facts["bias"]), check_seed(facts["seed"]))


# What is saved of a side, and of which kind and number of dimensions it is.
_PARTS = {"masks": ("b", 2), "weights": ("f", 1), "embeddings": ("f", 2)}


def _loaded(
    name: str,
    arrays: dict[str, NDArray[Any]],
    n_players: int,
    p: tuple[float, ...],
    origin: Origin | None,
) -> Side:
    masks, weights, embeddings = (arrays[f"{name}_{part}"] for part in _PARTS)
    if masks.shape[1] != n_players:
        raise ValueError(f"masks of {masks.shape[1]} players instead of {n_players}")
    return Side(masks, weights, embeddings, p, origin)
