"""The plain methods that everybody tries first: occlusion of one player."""

from __future__ import annotations

import numpy as np
import torch

from ..explanation import Explanation
from ..game import Game
from .routes import Route, Tensor, first_order


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
)
