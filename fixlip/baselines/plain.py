"""The plain methods that everybody tries first: occlusion of one player, gradient times input, and a random map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..estimators.methods import PASSES
from ..explanation import Explanation
from ..game import Game
from ..masks import check_seed
from .routes import Route, Tensor, check_game, chunks, first_order, gradients, tower_of


def occlusion(game: Game) -> Explanation:
    """What the similarity loses when one player alone is removed (Zeiler and Fergus, ECCV 2014), in logits.

    a_i = v(N) - v(N without i): a weighted Banzhaf value in the limit of p = 1. So its prediction is the first-order
    expansion around the whole pair. Nothing had to be adapted for SigLIP, since only the game is asked.

    Args:
        game: n_image + n_text + 2 encodings.

    Returns:
        order 1, in logits.
    """
    return first_order(game, OCCLUSION)


def random(game: Game, seed: int = 0) -> Explanation:
    """A map drawn by lot, from 0 to 1 for every player: what a score is worth shows beside that of this map.

    Where the similarity grows with the number of players that are present, sums of any positive numbers rank masks
    well; so a rank correlation far above zero is no merit by itself.

    Args:
        game: asked for its two end values only.
        seed: of the numbers.

    Returns:
        order 1, scores.
    """
    check_game(game, looks_inside=False)
    rng = np.random.default_rng(check_seed(seed))
    image, text = rng.random(game.n_image), rng.random(game.n_text)
    explanation = Explanation.from_heatmap(image, game, text=text, name="a random map")
    return replace(explanation, budget=0, counts=PASSES)


def _occlusion_maps(game: Game, side: str, directions: Tensor) -> Tensor:
    embed, n = (game.embed_images, game.n_image) if side == "image" else (game.embed_texts, game.n_text)
    masks = np.concatenate([np.ones((1, n), bool), ~np.eye(n, dtype=bool)])
    whole, without = torch.from_numpy(embed(masks)).to(directions.device, torch.float64).split([1, n])
    maps: Tensor = game.scale * directions.double() @ (whole - without).T
    return maps


OCCLUSION = Route(
    "occlusion",
    "occlusion",
    _occlusion_maps,
    lambda game, side, m: (game.n_image if side == "image" else game.n_text) + 1,
    unit="logits",
    linear=True,
    looks_inside=False,
)


def gradient_input(game: Game) -> Explanation:
    """Gradient times input (Shrikumar, Greenside and Kundaje, arXiv 1605.01713, 2016), in logits.

    a_i = <dv/dx_i, x_i - x'_i>, with v the similarity, x_i what player i enters the encoder with (content plus
    position), and x'_i what enters if it is removed: a patch as the game removes it, and a token with a zero embedding.
    To first order, a small share of a player's content taken away lowers the similarity by that share of a_i. As a
    prediction of the game that is the expansion at the whole pair, stretched to complete removal. For tokens even the
    direction is another than the game's, which hides them from attention: that has no gradient at an input.
    Nothing had to be adapted for SigLIP: neither attention nor pooling is looked at.

    Args:
        game: a `fixlip.Game`; one forward and one backward pass of each encoder.

    Returns:
        order 1, in logits.
    """
    return first_order(game, GRADIENT_INPUT)


def _gradient_input_maps(game: Game, side: str, directions: Tensor) -> Tensor:
    tower = tower_of(game, side)
    embedded = tower.embedded.clone().requires_grad_()
    embedding, content = tower.run(tower.enter(embedded)).embedding, tower.embedded - tower.absent
    found = []
    for some in chunks(tower, directions):
        (gradient,) = gradients(embedding, [embedded], game.scale * some)
        found.append((gradient * content).sum(dim=-1)[:, tower.players])
    return torch.cat(found)


GRADIENT_INPUT = Route(
    "gradient-input",
    "gradient × input",
    _gradient_input_maps,
    lambda game, side, m: 1 + m,
    unit="logits",
    linear=True,
)
