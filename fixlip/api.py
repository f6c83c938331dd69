"""`fixlip.explain`: from an image and a caption to an explanation, in one call."""

from __future__ import annotations

from .encoders import Encoder
from .estimators.basis import n_columns
from .estimators.exact import exact
from .estimators.least_squares import BASES, check_budget, crossmodal_least_squares
from .explanation import Explanation
from .game import Game
from .images import ImageSource
from .masks import check_count, check_p
from .samples import sample, text_budget

ESTIMATORS = ("crossmodal", "exact")


def explain(
    encoder: Encoder,
    image: ImageSource,
    text: str,
    *,
    p: float = 0.5,
    budget: int | None = None,
    estimator: str = "crossmodal",
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
            49 patches). Masked captions come on top, 1,024 at most for up to 10 tokens.
        estimator: "crossmodal" (least squares over all pairs of masked images and captions), or "exact" (at most 16
            players).
        basis: "full", or "crossmodal" for interactions between patches and tokens only, from far fewer masked images.
        seed: of the masks.
        progress: show a bar if it takes long.

    Returns:
        weighted Banzhaf interactions of second order (Baniecki et al., NeurIPS 2025), in logits.

    Raises:
        ValueError: one sentence, before any model call, if an argument does not fit.
    """
    p = check_p(p)
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator: got {estimator!r}, wanted one of {', '.join(ESTIMATORS)}.")
    if basis not in BASES:
        raise ValueError(f"basis: got {basis!r}, wanted one of {', '.join(BASES)}.")
    if budget is not None:
        budget = check_count(budget, "budget")
    game = Game(encoder, image, text)
    if estimator == "exact":
        return exact(game, p)
    if budget is None:
        budget = default_budget(game.n_image, basis)
    check_budget(budget, text_budget(game.n_text), game.n_image, game.n_text, basis)
    samples = sample(game, budget, p, seed, progress=progress)
    return crossmodal_least_squares(samples, basis=basis)


def default_budget(n_image: int, basis: str = "full") -> int:
    """Masked images for least squares: the next power of two from twice the coefficients to determine; 256 at least."""
    coefficients = n_columns(n_image, 2 if basis == "full" else 1)
    return int(max(256, 2 ** (2 * coefficients - 1).bit_length()))
