"""`fixlip.explain`: from an image and a caption to an explanation, in one call."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .answers import caption_budget
from .anytime import FEWEST_TO_JUDGE, FIRST_ROUND, Rule, Target, rounds
from .encoders.images import ImageSource
from .encoders.protocol import AnyEncoder
from .estimators.methods import PASSES, Method, Request
from .explanation import Explanation
from .game import Game
from .masks import BoolArray
from .methods import method_named
from .phrases import AnyTextPlayers
from .regions import AnyImagePlayers
from .samples import Samples, sample

# Shapley indices average over all p, so masks for them are drawn from nearly all.
SHAPLEY_MIXTURE = (0.1, 0.3, 0.5, 0.7, 0.9)
_TARGET_BUDGET = 4096

# What is done with the explanation after each round.
OnRound = Callable[[Explanation], object] | None


def explain(
    encoder: AnyEncoder,
    image: ImageSource,
    text: str,
    *,
    p: float = 0.5,
    budget: int | None = None,
    estimator: str = "kernel",
    index: str | None = None,
    order: int | None = None,
    basis: str = "full",
    target_faithfulness: Target = None,
    image_players: AnyImagePlayers = None,
    text_players: AnyTextPlayers = "tokens",
    seed: int = 0,
    progress: bool = True,
    on_round: OnRound = None,
) -> Explanation:
    """Explain why a model finds an image and a caption similar.

    Interrupting keeps what was encoded, and explains from that if it is enough.

    Args:
        encoder: from `fixlip.load`, or one of your own (`fixlip.check_encoder`).
        image: a file, a Pillow image or an array.
        text: the caption.
        p: probability with which every patch and token is present in the inputs that the explanation is fitted to:
            near 0 it speaks of nearly empty inputs, near 1 of nearly complete ones. Masks are drawn at this p;
            `fixlip.sample(game).explain(p)` draws them from several, and its numbers differ by as much as their
            standard errors say.
        budget: number of masked images to encode (with "agnostic" of coalitions to value). By default 512 with
            "kernel" and "tree", and with least squares at least twice what the fit has to determine (4,096 for 49
            patches). With "kernel", "tree" and "crossmodal", masked captions come on top, 1,024 at most for up to 10
            tokens; with large models fewer, where they would cost more than a quarter of what the images do. With a
            metagame it is forward and backward passes. Methods that take what they need, "exact" and most baselines,
            refuse a budget.
        estimator: one of `fixlip.methods.METHODS`: "kernel" (a Gaussian process over masks; standard errors
            and expected faithfulness included), "crossmodal" (least squares over all pairs of masked images and
            captions), "tree" (boosted trees), "agnostic" (least squares on coalitions of patches and tokens together),
            or "exact" (at most 16 players); or a baseline (see `fixlip.baselines`): "game", "grad-eclip",
            "exclip", "metagame-grad-eclip", ...
        index: "banzhaf" (weighted Banzhaf interactions at p), "shapley" (faithful Shapley interactions, FSII), or
            "sii" (Shapley interactions, k-SII); every estimator gives the first, which is the default. Baselines that
            no average over coalitions stands behind give "scores", and have no p.
        order: 2, or 1 for values without interactions; with "kernel" and "exact" also 3, for triples of at most 300
            players. By default 2 where there is such, else 1.
        basis: "full", with least squares also "crossmodal" for interactions between patches and tokens only, from far
            fewer masked images, and with "agnostic" also "filtered" (see `agnostic_least_squares`).
        target_faithfulness: with "kernel": encode in rounds, twice as many in each, until the expected R squared is
            reached, stops growing, or `budget` (then 4,096 by default) is spent. "auto" ends where it is enough, as the
            command line does: at an expected R squared of 0.95, or where another round is worth little (see
            `fixlip.rounds`); without a budget at 512. `Explanation.ended` says what ended it.
        image_players: patches, or a grid, superpixels, a label map or boxes: see `fixlip.Game`.
        text_players: "tokens", "words" or phrases: see `fixlip.Game`.
        seed: of the masks, a whole number.
        progress: show a bar if it takes long.
        on_round: with "kernel": encode in rounds of 32, 64, 128, ... masked images, and call this with the explanation
            after each; the last is the one that is returned. For pictures of slow models that sharpen: see
            `fixlip.rounds`.

    Returns:
        interactions of second order (Baniecki et al., NeurIPS 2025), in logits; with a baseline what that gives.

    Raises:
        ValueError: one sentence, before any model call, if an argument does not fit.
    """
    method = method_named(estimator)
    request = method.check(Request(p, index or "", order or 0, basis, budget, seed, progress))
    if target_faithfulness is not None and (estimator, request.index) != ("kernel", "banzhaf"):
        raise ValueError('target_faithfulness: wanted only with the estimator "kernel" and the index "banzhaf".')
    if on_round is not None and estimator != "kernel":
        raise ValueError('on_round: wanted only with the estimator "kernel".')
    game = Game(encoder, image, text, image_players=image_players, text_players=text_players)
    if target_faithfulness is None and on_round is None:
        return _run(method, game, method.for_game(game, request))
    rule = Rule.of(target_faithfulness)
    if budget is None and rule is not None and rule.promised:
        request = replace(request, budget=_TARGET_BUDGET)
    return _in_rounds(method, game, method.for_game(game, request), target_faithfulness, on_round)


def _run(method: Method, game: Game, request: Request) -> Explanation:
    """Run a method, on answers drawn as it needs them, or on the game itself."""
    if method.needs == "game":
        return method.run(game, request)
    assert request.budget is not None
    samples = sample(game, request.budget, _drawn_at(request), request.seed, progress=request.progress)
    return _explained(samples, method, request)


def _drawn_at(request: Request) -> float | tuple[float, ...]:
    return request.p if request.index == "banzhaf" else SHAPLEY_MIXTURE


def _explained(samples: Samples, method: Method, request: Request) -> Explanation:
    r = request
    return samples.explain(r.p, r.index, order=r.order, estimator=method.name, basis=r.basis)


def _in_rounds(method: Method, game: Game, request: Request, target: Target, on_round: OnRound) -> Explanation:
    """Explain from twice as many masked images in every round, until that is faithful enough or the budget is spent."""
    assert request.budget is not None
    drawn, first = _drawn_at(request), FIRST_ROUND if on_round else FEWEST_TO_JUDGE
    options: dict[str, Any] = {"first": first, "target_faithfulness": target, "order": request.order}
    explanation, before = None, None
    try:
        for samples in rounds(game, request.budget, drawn, request.seed, progress=request.progress, **options):
            before, explanation = explanation, _explained(samples, method, request)
            if on_round is not None:
                on_round(explanation)
    except KeyboardInterrupt:  # anywhere but in the encoding, which keeps what it has
        if explanation is None:
            raise
        warnings.warn(f"interrupted: going on with {explanation.budget:,} masked images.", stacklevel=3)
        return explanation
    assert explanation is not None
    rule = Rule.of(target)
    return explanation if rule is None else _ended(rule, explanation, before, request.budget, samples.image_side.exact)


def _ended(rule: Rule, last: Explanation, before: Explanation | None, budget: int, exact: bool) -> Explanation:
    """The explanation of the last round, with what ended the rounds; a warning where a promise was not kept."""
    images, reached = last.budget or 0, last.expected_faithfulness
    judged = before is not None and (before.budget or 0) >= rule.fewest
    earlier = before.expected_faithfulness if before is not None and judged else None
    spent = images >= budget
    if not (spent or exact or rule.ends(reached, earlier)):  # it was interrupted, and said so
        return last
    if rule.promised and reached is not None and reached < rule.target:
        why = "allow a larger budget." if spent else "more would not help, since the rest is of higher order."
        told = f"{reached:.3f} instead of {rule.target:g} with {images:,} masked images"
        warnings.warn(f"target_faithfulness: {told}; {why}", stacklevel=4)
    return replace(last, ended=rule.told(images, images if exact else budget, reached, earlier))


@dataclass(frozen=True)
class Cost:
    """What an explanation will take: masked images, masked captions, and about how many seconds of encoding.

    With methods that look into the model, `passes` counts forward and backward passes of single images and captions
    instead; -1 where their number depends on the model's inside.
    """

    images: int
    captions: int
    seconds: float
    device: str
    passes: int | None = None

    def __str__(self) -> str:
        duration = f"{self.seconds:.0f} s" if self.seconds < 90 else f"{self.seconds / 60:.0f} minutes"
        if self.passes == -1:
            return f"forward and backward passes for every position of image and caption, on {self.device}"
        if self.passes is not None:
            return f"{self.passes:,} forward and backward passes, about {duration} on {self.device}"
        return (
            f"{self.images:,} masked images and {self.captions:,} masked captions to encode, about {duration} on "
            f"{self.device}"
        )


def cost(
    encoder: AnyEncoder,
    image: ImageSource,
    text: str,
    budget: int | None = None,
    estimator: str = "kernel",
    basis: str = "full",
    image_players: AnyImagePlayers = None,
    text_players: AnyTextPlayers = "tokens",
) -> Cost:
    """What `explain` with the same arguments will cost, from the time that two small batches take.

    Raises:
        ValueError: as `explain` does, before any model call.
    """
    method = method_named(estimator)
    game = Game(encoder, image, text, image_players=image_players, text_players=text_players)
    request = method.for_game(game, method.check(Request(budget=budget, basis=basis)))
    if method.counts == PASSES:
        if request.budget is None:
            return Cost(0, 0, float("nan"), str(getattr(encoder, "device", "cpu")), -1)
        return Cost(
            0, 0, request.budget * seconds_per_pass(game), str(getattr(encoder, "device", "cpu")), request.budget
        )
    asked = request.budget or 2**game.n_players
    captions = caption_budget(game, asked) if method.needs == "answers" else asked
    images, captions = min(asked, 2**game.n_image), min(captions, 2**game.n_text)
    per_image, per_caption = seconds_each(game)
    return Cost(images, captions, images * per_image + captions * per_caption, str(getattr(encoder, "device", "cpu")))


def seconds_each(game: Game) -> tuple[float, float]:
    """Seconds that encoding one masked image and one masked caption takes, from a small batch of each."""
    batch = min(getattr(game.encoder, "batch_size", 16), 16)
    sides = ((game.embed_images, game.n_image), (game.embed_texts, game.n_text))
    images, captions = (_seconds(embed, n_players, batch) / batch for embed, n_players in sides)
    return images, captions


def seconds_per_pass(game: Game) -> float:
    """Seconds that a forward or backward pass takes, half of them being either, from single images."""
    # A backward pass takes about twice as long as a forward pass.
    return 1.5 * _seconds(game.embed_images, game.n_image, 1)


def _seconds(embed: Callable[[BoolArray], object], n_players: int, batch: int) -> float:
    """Seconds that a batch of masks takes, after the first call, which sets things up."""
    embed(np.zeros((1, n_players), bool))
    masks = np.random.default_rng(0).random((batch, n_players)) < 0.5
    start = time.perf_counter()
    embed(masks)
    return time.perf_counter() - start
