"""The metagame: second order, and third, from any first-order map, by asking it under masked captions."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import numpy as np
import torch

from ..answers import text_budget
from ..estimators.indices import SCORES
from ..estimators.methods import PASSES
from ..explanation import Explanation
from ..game import Game
from ..masks import (
    BoolArray,
    FloatArray,
    IntArray,
    binomial_sizes,
    check_budget,
    check_p,
    check_seed,
    distinct,
    draw_by_size,
    enumerate_masks,
    mask_weights,
)
from ..subject import end_values
from ..triples import check_players
from .routes import Route, check_game, directions, maps_along, maps_of

# Where the first-order routes are. Rollout is none: its map of the image is the same whatever the caption.
BASES = {
    "grad-eclip": ("eclip", "GRAD_ECLIP"),
    "game": ("chefer", "GAME"),
    "maskclip": ("dense", "MASKCLIP"),
    "gradient-input": ("plain", "GRADIENT_INPUT"),
    "occlusion": ("plain", "OCCLUSION"),
}
INDICES = ("banzhaf", "shapley")


def metagame(
    game: Game,
    base: str = "grad-eclip",
    p: float = 0.5,
    index: str = "banzhaf",
    budget: int | None = None,
    seed: int = 0,
) -> Explanation:
    """The metagame of a first-order method (Baniecki, Biecek and Fumagalli, arXiv 2605.06295, 2026), in its scores.

    phi_k(T) is what the base method gives patch k when only the tokens T are in the caption. The interaction of patch k
    and token i is the value of token i in the game T -> phi_k(T): the weighted Banzhaf value at p,

        psi_ki = E[ phi_k(T with i) - phi_k(T without i) ],   every other token present with probability p,

    or with `index="shapley"`, as published, the Shapley value. Up to 1,024 captions all are asked, which is exact. Of
    more, so many are drawn, at p or with sizes drawn evenly, and the estimate is unbiased.

    Captions are masked as the game masks them, by default by hiding tokens from attention; the published code takes
    words out of the string. Patches and tokens have no terms of their own. Nothing is predicted, not even where the
    base is in logits: maps are of the whole image only. What had to be adapted for SigLIP stands with each base.

    Args:
        game: a `fixlip.Game`.
        base: one of `BASES`.
        p: probability with which a token is present; means nothing to Shapley values.
        index: "banzhaf" or "shapley".
        budget: forward and backward passes at most: one of the text encoder for every masked caption, and what the
            base takes of the image encoder, which is one forward pass for all captions and a backward pass for each.
            By default enough for all captions, or for the 1,024 (or more) that are drawn.
        seed: of the captions, where they are drawn.

    Returns:
        order 2: interactions between patches and tokens, all other numbers zero.

    Raises:
        ValueError: one sentence, before any model call, if an argument does not fit.
    """
    check_game(game)
    route = route_of(base)
    masks, chances = captions(game, route, p, index, budget, seed, 1)
    weights = value_weights(masks, chances, p, index)
    n, interactions = game.n_image, np.zeros((game.n_players, game.n_players))
    interactions[n:, :n] = _weighted_maps(game, route, masks, weights)
    return _explanation(game, route, masks, len(weights), index, p, interactions=interactions + interactions.T)


def third_order(
    game: Game,
    base: str = "grad-eclip",
    p: float = 0.5,
    index: str = "banzhaf",
    budget: int | None = None,
    seed: int = 0,
) -> Explanation:
    """How two tokens together change a patch's score, in the same game as `metagame`'s (arXiv 2605.06295).

    psi_kij is the weighted Banzhaf interaction at p of tokens i and j in T -> phi_k(T), or with `index="shapley"` their
    Shapley interaction (Grabisch and Roubens, Int. J. Game Theory 1999): how much more, or less, token i does for the
    score of patch k where token j is present.

    Args:
        game: a `fixlip.Game`.
        base: one of `BASES`.
        p: probability with which a token is present; means nothing to Shapley interactions.
        index: "banzhaf" or "shapley".
        budget: forward and backward passes at most, as for `metagame`.
        seed: of the captions, where they are drawn.

    Returns:
        order 3: triples of two tokens with a patch, all other numbers zero; what it gives a pair or a player is a half
        or a third of the triples it takes part in.

    Raises:
        ValueError: one sentence, before any model call, if an argument does not fit.
    """
    check_game(game)
    route, n = route_of(base), game.n_text
    masks, chances = captions(game, route, p, index, budget, seed, 2)
    check_players(game.n_players)
    weights, found = pair_weights(masks, chances, p, index), np.zeros((game.n_players,) * 3)
    if n > 1:
        one, two = (game.n_image + tokens for tokens in np.triu_indices(n, 1))
        maps, patches = _weighted_maps(game, route, masks, weights), np.arange(game.n_image)
        for a, b in ((one, two), (two, one)):
            found[a[:, None], b[:, None], patches] = found[a[:, None], patches, b[:, None]] = maps
            found[patches, a[:, None], b[:, None]] = maps
    return _explanation(game, route, masks, len(weights), index, p, triples=found, order=3)


def _explanation(
    game: Game, route: Route, masks: BoolArray, n_sums: int, index: str, p: float, **numbers: Any
) -> Explanation:
    """What was found, with where it comes from; numbers that are not given are zero."""
    n, (empty, full) = game.n_players, end_values(game)
    numbers = {"interactions": np.zeros((n, n))} | numbers
    return Explanation(
        0.0,
        np.zeros(n),
        subject=game.subject,
        index=SCORES,
        unit="scores",
        estimator=f"metagame of {route.title} ({'Shapley values' if index == 'shapley' else f'p = {p:g}'})",
        budget=len(masks) + route.passes(game, "image", n_sums if route.linear else len(masks)),
        counts=PASSES,
        empty_value=empty,
        full_value=full,
        **numbers,
    )


def route_of(base: str) -> Route:
    """The first-order route of a name.

    Raises:
        ValueError: one sentence, if it is none, or does not depend on the caption.
    """
    if base == "rollout":
        raise ValueError(f"base: got 'rollout', whose map does not depend on the caption; wanted {', '.join(BASES)}.")
    if base not in BASES:
        raise ValueError(f"base: got {base!r}, wanted one of {', '.join(BASES)}.")
    module, name = BASES[base]
    found: Any = getattr(import_module(f".{module}", __package__), name)
    assert isinstance(found, Route)
    return found


# ---- which captions are asked


def captions(
    game: Game, route: Route, p: float, index: str, budget: int | None, seed: int, order: int
) -> tuple[BoolArray, FloatArray]:
    """Masks (m, n_text) of the caption, the empty and the full one among them, and the chance of each (m,).

    Chances are those of the p-measure, or for Shapley values those of a size drawn evenly and then a mask of that size.
    Masks that are drawn stand for all others, too; their chances make any weighted sum an unbiased estimate.

    Raises:
        ValueError: one sentence, if an argument does not fit.
    """
    n, rng = game.n_text, np.random.default_rng(check_seed(seed))
    check_p(p)
    if index not in INDICES:
        raise ValueError(f"index: got {index!r}, wanted one of {', '.join(INDICES)}.")
    size = text_budget(n) if budget is None else _affordable(game, route, check_budget(budget), order)
    if 2**n <= size:
        masks = enumerate_masks(n)
        evenly = np.array([1 / (math.comb(n, k) * (n + 1)) for k in range(n + 1)])
        return masks, mask_weights(masks, p) if index == "banzhaf" else evenly[masks.sum(axis=1)]
    sizes = binomial_sizes(n, p) if index == "banzhaf" else np.full(n + 1, 1 / (n + 1))
    masks, chances = draw_by_size(n, size - 2, sizes, rng)
    ends = np.stack([np.zeros(n, bool), np.ones(n, bool)])
    both, _ = distinct(np.concatenate([masks, ends]))
    return both, np.concatenate([chances, np.zeros(len(both) - len(masks))])


def _affordable(game: Game, route: Route, budget: int, order: int) -> int:
    """How many captions so many forward and backward passes allow."""
    n = game.n_text
    if route.linear:
        fixed, each = route.passes(game, "image", math.comb(n, order)), 0
    else:
        each = route.passes(game, "image", 2) - route.passes(game, "image", 1)
        fixed = route.passes(game, "image", 1) - each
    size, least = (budget - fixed) // (1 + each), min(2**n, n + 2)
    if size < least:
        raise ValueError(
            f"budget: got {budget:,}, wanted at least {fixed + least * (1 + each):,} forward and backward passes for "
            f"{least} masked captions of {n} tokens."
        )
    return size


# ---- what is made of their maps


def value_weights(masks: BoolArray, chances: FloatArray, p: float, index: str) -> FloatArray:
    """What each caption's map counts in the value of each token, (n, m).

    A value is an average over masks x, E[ phi(x) f_i(x) ], with f_i(x) = (x_i - p) / (p (1 - p)) for the weighted
    Banzhaf value, and for the Shapley value what that is on average over all p, given x.

    What is drawn is only how phi differs from a straight line in the number of tokens, from the empty caption to the
    full one: the values of that line are known. With every caption at hand this changes nothing.
    """
    n, sizes = masks.shape[1], masks.sum(axis=1)
    weights = chances * _effects(masks, p, index, 1).T
    if index == "shapley":
        weights -= weights.mean(axis=0)  # Shapley values of what vanishes at both ends sum to zero
    weights = _beside_the_line(weights, sizes, n)
    weights[:, sizes == n] += 1 / n
    weights[:, sizes == 0] -= 1 / n
    return weights


def pair_weights(masks: BoolArray, chances: FloatArray, p: float, index: str) -> FloatArray:
    """What each caption's map counts in the interaction of each pair of tokens, (n (n - 1) / 2, m); as for values."""
    n = masks.shape[1]
    return _beside_the_line(chances * _effects(masks, p, index, 2).T, masks.sum(axis=1), n)


def _effects(masks: BoolArray, p: float, index: str, order: int) -> FloatArray:
    """f(x) of every token or pair of tokens, (m, n) or (m, n (n - 1) / 2).

    With a of those asked for present in x and b absent, f is (-1)^b / (p^a (1 - p)^b). If all p are equally likely, p
    given x with k of n players follows a Beta(k + 1, n - k + 1) distribution. So the average of f over p has the
    denominator k / (n + 1), say, for a = 1 and b = 0, or k (n - k) / ((n + 1) n) for a = b = 1.
    """
    n, sizes = masks.shape[1], masks.sum(axis=1)[:, None].astype(np.float64)
    one, two = np.triu_indices(n, 1)
    present = masks.astype(np.intp) if order == 1 else masks[:, one].astype(np.intp) + masks[:, two]
    absent = order - present
    sign = np.where(absent % 2, -1.0, 1.0)
    if index == "banzhaf":
        return np.asarray(sign / (p**present * (1 - p) ** absent))
    ways = _falling(sizes, present) * _falling(n - sizes, absent)
    return np.asarray(sign * (n + 1) * (n if order == 2 else 1) / ways)


def _falling(count: FloatArray, factors: IntArray) -> FloatArray:
    """Product of so many factors, 0 to 2: count (count - 1)."""
    return np.where(factors > 0, count, 1.0) * np.where(factors > 1, count - 1, 1.0)


def _beside_the_line(weights: FloatArray, sizes: IntArray, n: int) -> FloatArray:
    """Weights (q, m) that give for phi what these give for phi minus the line from the empty to the full caption."""
    weights, to_full = weights.copy(), weights @ (sizes / n)
    to_empty = weights.sum(axis=1) - to_full
    weights[:, sizes == n] -= to_full[:, None]
    weights[:, sizes == 0] -= to_empty[:, None]
    return weights


def _weighted_maps(game: Game, route: Route, masks: BoolArray, weights: FloatArray) -> FloatArray:
    """Weighted sums (q, n_image) of the maps of the image under masked captions, for weights (q, m)."""
    if not route.linear:
        return np.asarray(weights @ maps_of(game, route, "image", masks))
    # The map of a weighted sum of embeddings is the weighted sum of their maps, and there are fewer of them.
    embeddings = directions(game, "image", masks)
    along = torch.from_numpy(weights) @ embeddings.cpu().double()
    return maps_along(game, route, "image", along.to(embeddings))
