"""Relevance that flows through attention: GAME (Chefer, Gur and Wolf), and attention rollout (Abnar and Zuidema).

Both follow the attention from the position that the embedding is read off down to the players. Of the products of
matrices in the papers only that position's row is asked for, so a row is carried downwards, (L,) instead of (L, L).
"""

from __future__ import annotations

from functools import partial

import torch

from ..encoders.towers import Attention, Run, Tower, check_inside
from ..explanation import Explanation
from ..game import Game
from .routes import SIDES, Route, Tensor, check_game, chunks, first_order, gradients, tower_of

Starts = tuple[int, int]  # of the image and of the caption


def game(game: Game, start: int | Starts = -1) -> Explanation:
    """GAME, generic attention-model explainability (Chefer, Gur and Wolf, ICCV 2021), in scores.

    With A_l the attention weights of a layer and G_l = ds/dA_l the gradients of the similarity (logit) at them,

        M_l = mean over heads of max(0, G_l * A_l),    R = I,    R <- R + M_l R for l = start, ..., last.

    The map is the row of R of the position that the embedding is read off (an image's class token, a caption's end) at
    the players (their equations 5 and 6; negative entries are cut off before heads are averaged). So no score is
    negative, and evidence against the pair does not show.

    SigLIP, our extension: captions are read off the last position, which is padding, and everything said above holds
    for it. Images have no class token; a learnt query attends to all patches, above the last block. That attention
    counts as the last layer, M_pool being its one row: the map is M_pool R, with R over the blocks from `start` on. So
    `start=-1` is for either architecture the one attention that the embedding is read off. No numbers were published
    for this.

    Args:
        game: a `fixlip.Game`; one forward and one backward pass of each encoder.
        start: the first layer that takes part, counted as Python's indices are; -1, the last one alone, is the default
            of the authors' code, 0 is the rollout over all layers. Two numbers are for the image and for the caption.

    Returns:
        order 1, in scores without a unit: neither logits nor shares of a logit.

    Raises:
        ValueError: one sentence, before any model call, if there is no such layer.
    """
    check_game(game)
    given = start if isinstance(start, tuple) else (start, start)
    if len(given) != 2:
        raise ValueError(f"start: got {start!r}, wanted one number, or two for the image and for the caption.")
    for side, one in zip(SIDES, given, strict=True):
        count = _n_layers(game, side)
        if isinstance(one, bool) or not isinstance(one, int) or not -count <= one < count:
            wanted = f"a whole number from {-count} to {count - 1}"
            raise ValueError(f"start: got {one!r}, wanted {wanted} for the {count} layers of the {side} encoder.")
    return first_order(game, _game_route(given))


def rollout(game: Game) -> Explanation:
    """Attention rollout (Abnar and Zuidema, ACL 2020), in scores.

    R is the product over all blocks of (A_l + I) / 2, with attention weights A_l averaged over heads; the map is its
    row of the position that the embedding is read off. Whatever the caption, the map of the image is the same, and
    whatever the image that of the caption: nothing of the similarity enters. It shows where a model looks, not why two
    inputs are similar.

    SigLIP: captions are read off the last position, which is padding. Images have no class token; a learnt query
    attends to all patches, above the last block. Its weights, averaged over heads, are the row that the product over
    the blocks starts with; it stands at no position, so no identity is added to it.

    Args:
        game: a `fixlip.Game`; one forward pass of each encoder.

    Returns:
        order 1, in scores: shares of attention, with what goes to other positions than players left out.
    """
    return first_order(game, ROLLOUT)


def _game_maps(starts: Starts, game: Game, side: str, directions: Tensor) -> Tensor:
    tower, start = tower_of(game, side), starts[SIDES.index(side)] % _n_layers(game, side)
    run = tower.run(tower.states_before(start).requires_grad_(), start)
    layers = _layers(run)
    found = []
    for some in chunks(tower, directions):
        # A weight matters only through what it mixes: the gradient at that is far smaller, and gives the other.
        at_mixed = gradients(run.embedding, [layer.mixed for layer in layers], game.scale * some)
        found.append(_relevance(tower, layers, at_mixed))
    return torch.cat(found)


@torch.no_grad()
def _relevance(tower: Tower, layers: list[Attention], at_mixed: list[Tensor]) -> Tensor:
    """The map (m, n) from the gradients (m, Q, C) at what each layer mixed."""
    reader, (top, *below) = _reader(tower), reversed(list(zip(layers, at_mixed, strict=True)))
    row = _positive(*top, reader)
    if tower.reader is not None:
        row[..., reader] += 1.0
    for layer, gradient in below:
        row = row + row @ _positive(layer, gradient, slice(None))
    return row[:, 0, tower.players]


def _positive(layer: Attention, at_mixed: Tensor, queries: slice) -> Tensor:
    """Mean over heads of max(0, G * A), (m, Q, L), for some of the queries."""
    weights = layer.weights[:, :, queries]
    heads = weights.shape[1]
    gradient, value = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (at_mixed[:, queries], layer.value))
    found: Tensor = (gradient @ value.transpose(-1, -2) * weights).clamp(min=0).mean(dim=1)
    return found


@torch.no_grad()
def _rollout_maps(game: Game, side: str, directions: Tensor) -> Tensor:
    tower = tower_of(game, side)
    reader, layers = _reader(tower), _layers(tower.run(tower.states_before(0)))
    *below, top = (layer.weights.mean(dim=1) for layer in layers)
    row = top[:, reader]
    if tower.reader is not None:
        row = row / 2
        row[..., reader] += 0.5
    for weights in reversed(below):
        row = (row + row @ weights) / 2
    return row[:, 0, tower.players].expand(len(directions), -1)


def _layers(run: Run) -> list[Attention]:
    """All attentions of a run, lowest first; attention pooling is the last."""
    return [*run.attentions, *([] if run.pooling is None else [run.pooling])]


def _reader(tower: Tower) -> slice:
    """Which of the last attention's queries the embedding is read off."""
    return slice(None) if tower.reader is None else slice(tower.reader, tower.reader + 1)


def _n_layers(game: Game, side: str) -> int:
    """How many attentions an encoder has, attention pooling included."""
    model = check_inside(game.encoder).model
    part = model.vision_model if side == "image" else model.text_model
    pools = side == "image" and not hasattr(part.embeddings, "class_embedding")
    return len(part.encoder.layers) + int(pools)


def _game_route(starts: Starts) -> Route:
    return Route("game", "GAME", partial(_game_maps, starts), lambda game, side, m: 1 + m)


GAME = _game_route((-1, -1))
ROLLOUT = Route("rollout", "attention rollout", _rollout_maps, lambda game, side, m: 1)
