"""Asking the model: draw masks, encode what they leave, keep what is known when interrupted."""

from __future__ import annotations

import warnings

import numpy as np

from .masks import BoolArray, FloatArray, check_count, check_p, draw_sequence
from .players import Players
from .samples import MIXTURE, BilinearGame, Samples, Side, text_budget


def sample(
    game: BilinearGame,
    budget: int = 512,
    p: float | tuple[float, ...] = MIXTURE,
    seed: int = 0,
    *,
    progress: bool = True,
) -> Samples:
    """Ask the model about masked images and masked captions.

    The design is the paper's cross-modal one (Baniecki et al., NeurIPS 2025, Definition 7): independent image masks and
    text masks, used in all combinations. Where a caption has no more than 1,024 masks, all of them are used with
    their exact weights, and nothing on the text side is left to chance.

    Interrupting (Ctrl-C, a notebook's stop button) keeps the images that were encoded so far.

    Args:
        game: a `Game`, or anything with `n_image`, `n_text`, `scale`, `bias`, `embed_images` and `embed_texts`.
        budget: number of masked images to encode. Captions come on top, 1,024 at most for up to 10 tokens.
        p: probability with which a player is present. Several are drawn from in turn, and by default they are spread
            from 0.2 to 0.7, so that one set of samples serves every p between; one p serves that p best.
        seed: of the masks; the same seed gives the same masks, and the first of them whatever the budget.
        progress: show a bar if it takes long.

    Returns:
        the samples.

    Raises:
        ValueError: if `budget` is no whole number above one, or `p` not strictly between 0 and 1.
    """
    budget, ps = check_count(budget, "budget", 2), check_ps(p)
    players = Players.of(game)
    text = sample_text(game, ps, seed, progress=progress)
    image = sample_image(game, budget, ps, seed, progress=progress)
    return Samples(players, image, text, game.scale, game.bias, ps, seed, game)


def sample_image(game: BilinearGame, budget: int, ps: tuple[float, ...], seed: int, *, progress: bool = False) -> Side:
    """The image's half of `sample`."""
    masks, weights = draw_sequence(game.n_image, budget, ps, seeds(seed)[0])
    return embed_images(game, masks, weights, progress)


def sample_text(game: BilinearGame, ps: tuple[float, ...], seed: int, *, progress: bool = False) -> Side:
    """The caption's half of `sample`."""
    masks, weights = draw_sequence(game.n_text, text_budget(game.n_text), ps, seeds(seed)[1])
    return Side(masks, weights, game.embed_texts(masks, progress))


def check_ps(p: float | tuple[float, ...]) -> tuple[float, ...]:
    """Return one presence probability or several as a tuple; ValueError unless all lie between 0 and 1."""
    several = tuple(p) if isinstance(p, tuple | list | np.ndarray) else (p,)
    if not several:
        raise ValueError("p: got none, wanted at least one probability.")
    return tuple(check_p(one) for one in several)


def seeds(seed: int) -> list[np.random.SeedSequence]:
    """One for images, one for captions."""
    return np.random.SeedSequence(seed).spawn(2)


def embed_images(game: BilinearGame, masks: BoolArray, weights: FloatArray, progress: bool) -> Side:
    """Encode masked images; an interruption leaves those that were done, with a warning."""
    try:
        return Side(masks, weights, game.embed_images(masks, progress))
    except KeyboardInterrupt:
        known = game.known_images(masks) if hasattr(game, "known_images") else np.zeros(len(masks), bool)
        if known.sum() < 2:
            raise
        warnings.warn(
            f"interrupted: going on with the {known.sum():,} of {len(masks):,} masked images encoded so far.",
            stacklevel=4,
        )
        masks, weights = masks[known], weights[known]
        weights = weights / weights.sum() if weights.any() else np.full(len(masks), 1 / len(masks))
        return Side(masks, weights, game.embed_images(masks))
