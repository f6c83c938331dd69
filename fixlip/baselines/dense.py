"""MaskCLIP (Zhou, Loy and Dai, ECCV 2022): every patch embedded as if attention had chosen it alone."""

from __future__ import annotations

from functools import partial

import torch

from ..explanation import Explanation
from ..game import Game
from .routes import Route, Tensor, first_order, tower_of


def maskclip(game: Game, *, residual: bool = False) -> Explanation:
    """MaskCLIP (Zhou, Loy and Dai, "Extract Free Dense Labels from CLIP", ECCV 2022): dense embeddings of patches.

        a_i = cos( P LN(W_o v_i + b_o), t ),

    where v_i is the value of patch i in the last block, W_o, b_o its output projection, LN the normalisation behind it,
    P the projection into the joint space, and t the caption's embedding: what the model would see if its last attention
    looked at this patch alone, and nothing else reached the embedding. No gradient, no attention weight is involved;
    and a patch has the same score whatever else the embedding of the image holds.

    Captions, our extension: the same of the last text block's values, against the image's embedding. A causal encoder
    has seen only the words up to there.

    SigLIP's images have no class token; a learnt query attends to the patches in the pooling head. v_i and W_o are
    that head's, and what follows is all that the head does then, its MLP included, since this is how anything gets
    from its attention to the embedding (so does the metagame, arXiv 2605.06295).

    Args:
        game: a `fixlip.Game`; one forward pass of each encoder.
        residual: send x_i + W_o v_i + b_o through the block's MLP, too, x_i being what entered the block, as the
            authors' code does for vision transformers, unlike their formula. Means nothing to SigLIP's images.

    Returns:
        order 1, in cosines: scores, neither logits nor shares of a logit.

    Raises:
        ValueError: one sentence, if this is no `fixlip.Game`.
    """
    return first_order(game, _route(residual))


def _maps(residual: bool, game: Game, side: str, directions: Tensor) -> Tensor:
    """Maps (m, n), linear in the directions (m, d)."""
    embedded: Tensor = _dense(residual, game, side)
    return directions @ embedded.to(directions.dtype).T


@torch.no_grad()
def _dense(residual: bool, game: Game, side: str) -> Tensor:
    """Embeddings (n, d), of length one, of one side's players."""
    tower = tower_of(game, side)
    last = tower.depth - 1
    states = tower.states_before(last)
    run = tower.run(states, last)
    if tower.pooling is not None and run.pooling is not None:
        embedded = tower.pooling.read(tower.pooling.project(run.pooling.value))
    else:
        block = tower.blocks[last]
        alone = block.project(run.attentions[0].value)
        embedded = tower.to_embedding(tower.normalise(block.finish(states + alone) if residual else alone))
    return torch.nn.functional.normalize(embedded[0, tower.players], dim=-1)


def _route(residual: bool) -> Route:
    title = "MaskCLIP (residual=True)" if residual else "MaskCLIP"
    return Route("maskclip", title, partial(_maps, residual), lambda game, side, m: 1, linear=True)


MASKCLIP = _route(residual=False)
