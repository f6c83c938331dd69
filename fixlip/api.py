"""`fixlip.explain`: from an image and a caption to an explanation, in one call."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass

import numpy as np

from .encoders.huggingface import Encoder
from .encoders.images import ImageSource
from .estimators.agnostic import FILTERED_PLAYERS, agnostic_least_squares
from .estimators.basis import n_columns
from .estimators.exact import exact
from .estimators.indices import INDICES
from .estimators.least_squares import check_budget, crossmodal_least_squares
from .explanation import Explanation
from .game import Game
from .masks import MAX_ENUMERATED_PLAYERS, check_count, check_p
from .samples import text_budget
from .sampling import sample

ESTIMATORS = ("kernel", "crossmodal", "agnostic", "exact")
# Indices by estimator; those of the kernel are averages over p of one fit.
_INDICES = {"kernel": INDICES, "crossmodal": ("banzhaf",), "agnostic": ("banzhaf", "shapley"), "exact": INDICES}
_BASES = {"crossmodal": ("full", "crossmodal"), "agnostic": ("full", "crossmodal", "filtered")}
KERNEL_BUDGET = 512
# Shapley indices average over all p, so masks for them are drawn from nearly all.
SHAPLEY_MIXTURE = (0.1, 0.3, 0.5, 0.7, 0.9)
_FIRST_ROUND = 64


def explain(
    encoder: Encoder,
    image: ImageSource,
    text: str,
    *,
    p: float = 0.5,
    budget: int | None = None,
    estimator: str = "kernel",
    index: str = "banzhaf",
    basis: str = "full",
    target_faithfulness: float | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Explanation:
    """Explain why a model finds an image and a caption similar.

    Interrupting keeps what was encoded, and explains from that if it is enough.

    Args:
        encoder: from `fixlip.load`.
        image: a file, a Pillow image or an array.
        text: the caption.
        p: probability with which every patch and token is present in the inputs that the explanation is fitted to:
            near 0 it speaks of nearly empty inputs, near 1 of nearly complete ones.
        budget: number of masked images to encode. By default 512 with "kernel", and with least squares at least twice
            what the fit has to determine (4,096 for 49 patches). With "kernel" and "crossmodal", masked captions come
            on top, 1,024 at most for up to 10 tokens.
        estimator: "kernel" (a Gaussian process over masks; standard errors and expected faithfulness included),
            "crossmodal" (least squares over all pairs of masked images and captions), "agnostic" (least squares on
            coalitions of patches and tokens together), or "exact" (at most 16 players).
        index: "banzhaf" (weighted Banzhaf interactions at p), "shapley" (faithful Shapley interactions; not with
            "crossmodal"), or with "kernel" and "exact" also "sii" (Shapley interactions).
        basis: "full", with least squares also "crossmodal" for interactions between patches and tokens only, from far
            fewer masked images, and with "agnostic" also "filtered" (see `agnostic_least_squares`).
        target_faithfulness: with "kernel": encode in rounds, twice as many in each, until the expected R squared is
            reached, stops growing, or `budget` (then 4,096 by default) is spent.
        seed: of the masks.
        progress: show a bar if it takes long.

    Returns:
        interactions of second order (Baniecki et al., NeurIPS 2025), in logits.

    Raises:
        ValueError: one sentence, before any model call, if an argument does not fit.
    """
    p = check_p(p)
    _check_choices(estimator, index, basis)
    if budget is not None:
        budget = check_count(budget, "budget", 2)
    if target_faithfulness is not None and (estimator, index) != ("kernel", "banzhaf"):
        raise ValueError('target_faithfulness: wanted only with the estimator "kernel" and the index "banzhaf".')
    game = Game(encoder, image, text)
    if estimator == "exact":
        return exact(game, p, index)
    if estimator == "agnostic":
        budget = budget or default_budget(game.n_players, basis)
        pairs = "all" if basis == "full" else basis
        return agnostic_least_squares(game, budget, p, index, pairs, seed=seed, progress=progress)
    if estimator == "crossmodal":
        budget = _image_budget(game, budget, basis)
        return crossmodal_least_squares(sample(game, budget, p, seed, progress=progress), basis=basis)
    if target_faithfulness is not None:
        return _until_faithful(game, p, check_p(target_faithfulness, "target_faithfulness"), budget, seed, progress)
    drawn = p if index == "banzhaf" else SHAPLEY_MIXTURE
    return sample(game, budget or KERNEL_BUDGET, drawn, seed, progress=progress).explain(p, index)


def _until_faithful(game: Game, p: float, target: float, budget: int | None, seed: int, progress: bool) -> Explanation:
    most = budget or 4096
    samples = sample(game, min(_FIRST_ROUND, most), p, seed, progress=progress)
    explanation, before = samples.explain(p), -np.inf
    while True:
        reached = explanation.expected_faithfulness
        if reached is None or reached >= target:
            return explanation
        if samples.image.exact or reached - before < 0.005 or samples.budget >= most:
            spent = samples.budget >= most
            warnings.warn(
                f"target_faithfulness: {reached:.3f} instead of {target:g} with {samples.budget:,} masked images; "
                + ("allow a larger budget." if spent else "more would not help, since the rest is of higher order."),
                stacklevel=3,
            )
            return explanation
        before = reached
        samples = samples.extend(min(samples.budget, most - samples.budget), progress=progress)
        explanation = samples.explain(p)


def default_budget(n_players: int, basis: str = "full") -> int:
    """Masks for least squares: the next power of two from twice the coefficients to determine; 256 at least."""
    players = min(n_players, FILTERED_PLAYERS) if basis == "filtered" else n_players
    coefficients = n_columns(players, 1 if basis == "crossmodal" else 2)
    return int(max(256, 2 ** (2 * coefficients - 1).bit_length()))


@dataclass(frozen=True)
class Cost:
    """What an explanation will take: masked images, masked captions, and about how many seconds of encoding."""

    images: int
    captions: int
    seconds: float
    device: str

    def __str__(self) -> str:
        duration = f"{self.seconds:.0f} s" if self.seconds < 90 else f"{self.seconds / 60:.0f} minutes"
        return (
            f"{self.images:,} masked images and {self.captions:,} masked captions to encode, about {duration} on "
            f"{self.device}"
        )


def cost(encoder: Encoder, image: ImageSource, text: str, budget: int | None = None) -> Cost:
    """What `explain` with the kernel estimator will cost, from the time that two small batches take."""
    game = Game(encoder, image, text)
    images = KERNEL_BUDGET if budget is None else check_count(budget, "budget", 2)
    most = text_budget(game.n_text)
    captions = most if game.n_text > MAX_ENUMERATED_PLAYERS else min(2**game.n_text, most)
    rng, batch = np.random.default_rng(0), min(encoder.batch_size, 16)
    seconds = 0.0
    sides = ((images, game.n_image, game.embed_images), (captions, game.n_text, game.embed_texts))
    for count, n_players, embed in sides:
        embed(np.zeros((1, n_players), bool))  # the first call of a model sets things up
        masks = rng.random((batch, n_players)) < 0.5
        start = time.perf_counter()
        embed(masks)
        seconds += (time.perf_counter() - start) * count / batch
    return Cost(images, captions, seconds, str(encoder.device))


def _image_budget(game: Game, budget: int | None, basis: str) -> int:
    """The budget, or its default; ValueError if it is too small."""
    chosen = default_budget(game.n_image, basis) if budget is None else check_count(budget, "budget")
    check_budget(chosen, text_budget(game.n_text), game.n_image, game.n_text, basis)
    return chosen


def _check_choices(estimator: str, index: str, basis: str) -> None:
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator: got {estimator!r}, wanted one of {', '.join(ESTIMATORS)}.")
    chosen = (("index", index, _INDICES[estimator]), ("basis", basis, _BASES.get(estimator, ("full",))))
    for name, value, choices in chosen:
        if value not in choices:
            raise ValueError(
                f"{name}: got {value!r}, wanted one of {', '.join(choices)} with the estimator {estimator!r}."
            )
