"""`fixlip.explain`: from an image and a caption to an explanation, in one call."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from .encoders import Encoder
from .estimators.agnostic import FILTERED_PLAYERS, INDICES, agnostic_least_squares
from .estimators.basis import n_columns
from .estimators.exact import exact
from .estimators.least_squares import BASES, check_budget, crossmodal_least_squares
from .explanation import Explanation
from .game import Game
from .images import ImageSource
from .masks import MAX_ENUMERATED_PLAYERS, check_count, check_p
from .samples import sample, text_budget

ESTIMATORS = ("crossmodal", "agnostic", "exact")


def explain(
    encoder: Encoder,
    image: ImageSource,
    text: str,
    *,
    p: float = 0.5,
    budget: int | None = None,
    estimator: str = "crossmodal",
    index: str = "banzhaf",
    basis: str = "full",
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
        budget: number of masked images to encode; by default at least twice what the fit has to determine (4,096 for
            49 patches). With "crossmodal", masked captions come on top, 1,024 at most for up to 10 tokens.
        estimator: "crossmodal" (least squares over all pairs of masked images and captions), "agnostic" (coalitions of
            patches and tokens together), or "exact" (at most 16 players).
        index: "banzhaf" (weighted Banzhaf interactions at p), or with "agnostic" also "shapley" (faithful Shapley
            interactions).
        basis: "full", "crossmodal" for interactions between patches and tokens only, from far fewer masked images, or
            with "agnostic" also "filtered" (see `agnostic_least_squares`).
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
        budget = check_count(budget, "budget")
    game = Game(encoder, image, text)
    if estimator == "exact":
        return exact(game, p)
    if estimator == "agnostic":
        budget = budget or default_budget(game.n_players, basis)
        pairs = "all" if basis == "full" else basis
        return agnostic_least_squares(game, budget, p, index, pairs, seed=seed, progress=progress)
    budget = _image_budget(game, budget, basis)
    samples = sample(game, budget, p, seed, progress=progress)
    return crossmodal_least_squares(samples, basis=basis)


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


def cost(encoder: Encoder, image: ImageSource, text: str, budget: int | None = None, basis: str = "full") -> Cost:
    """What `explain` with the cross-modal estimator will cost, from the time that two small batches take."""
    game = Game(encoder, image, text)
    images = _image_budget(game, budget, basis)
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
    bases = (*BASES, "filtered") if estimator == "agnostic" else BASES
    indices = INDICES if estimator == "agnostic" else INDICES[:1]
    chosen = (("estimator", estimator, ESTIMATORS), ("index", index, indices), ("basis", basis, bases))
    for name, value, choices in chosen:
        if value not in choices:
            with_estimator = "" if name == "estimator" else f" with the estimator {estimator!r}"
            raise ValueError(f"{name}: got {value!r}, wanted one of {', '.join(choices)}{with_estimator}.")
