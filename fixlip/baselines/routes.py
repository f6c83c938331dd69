"""Routes: how a first-order method gets from the other side's embedding to a map of one side's players.

Because the two encoders are independent, a first-order method looks into one tower at a time: it asks how the players
of the image matter for the similarity with a given caption's embedding, and the players of the caption for that with a
given image's. Written so, one function serves the method itself, and its metagame under masked captions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..encoders.towers import Tower, check_inside, image_tower, text_tower
from ..estimators.indices import SCORES
from ..estimators.methods import PASSES
from ..explanation import Explanation
from ..game import Game
from ..masks import BoolArray, FloatArray
from ..subject import end_values

SIDES = ("image", "text")
Tensor = torch.Tensor
# 64 MB in float32; a backward pass holds a few tensors of that size.
_MOST_NUMBERS = 2**24


@dataclass(frozen=True)
class Route:
    """A first-order method.

    Attributes:
        name: what `fixlip.explain` calls it.
        title: what readers know it by.
        maps: of a game, a side ("image" or "text") and m embeddings of the other side, of length one (m, d), gives the
            map of that side's players for each, (m, n).
        passes: of a game, a side and m, how many forward and backward passes of that side's encoder this takes.
        unit: of its maps, "logits" or "scores".
        linear: whether maps are linear in the embeddings of the other side, which then may be of any length.
        looks_inside: whether it needs the layers of the model, and not only its embeddings.
    """

    name: str
    title: str
    maps: Callable[[Game, str, Tensor], Tensor]
    passes: Callable[[Game, str, int], int]
    unit: str = "scores"
    linear: bool = False
    looks_inside: bool = True


def first_order(game: Game, route: Route) -> Explanation:
    """The explanation of first order that a route gives: its map of the image and its map of the caption, as they are.

    Nothing is rescaled between the two sides, as in the published comparison (Baniecki et al., NeurIPS 2025), although
    one may be much larger than the other.

    Raises:
        ValueError: one sentence, if this is no `fixlip.Game`, or the method gives something else than finite numbers.
    """
    check_game(game, route.looks_inside)
    maps = [maps_of(game, route, side)[0] for side in SIDES]
    attributions = np.concatenate(maps)
    empty, full = end_values(game)
    return Explanation(
        full - float(attributions.sum()) if route.unit == "logits" else 0.0,
        attributions,
        np.zeros((game.n_players, game.n_players)),
        game.subject,
        order=1,
        index=SCORES,
        unit=route.unit,
        estimator=route.title,
        budget=sum(route.passes(game, side, 1) for side in SIDES),
        counts=PASSES,
        empty_value=empty,
        full_value=full,
    )


def maps_of(game: Game, route: Route, side: str, others: BoolArray | None = None) -> FloatArray:
    """Maps of one side's players for the similarity with the other side under masks.

    Args:
        game: whose players.
        route: the method.
        side: "image" or "text", the side that is mapped.
        others: (m, n) masks of the other side; by default the whole of it.

    Returns:
        (m, n) numbers.

    Raises:
        ValueError: if there are others than finite numbers among them.
    """
    return maps_along(game, route, side, directions(game, side, others))


def maps_along(game: Game, route: Route, side: str, directions: Tensor) -> FloatArray:
    """Maps (m, n) of one side's players for embeddings (m, d) of the other side; as `maps_of` otherwise.

    Gradients can be taken whatever mode the caller is in.
    """
    with torch.inference_mode(False), torch.enable_grad():
        # A tensor made in inference mode cannot take part in a gradient; its clone can.
        found = route.maps(game, side, directions.clone()).detach().double().cpu().numpy()
    if not np.isfinite(found).all():
        raise ValueError(f"{route.name}: {np.count_nonzero(~np.isfinite(found))} scores are no finite numbers.")
    return np.asarray(found, np.float64)


def directions(game: Game, side: str, others: BoolArray | None = None) -> Tensor:
    """Embeddings (m, d), of length one, of the other side than `side` under masks; by default of the whole of it."""
    embed, n = (game.embed_texts, game.n_text) if side == "image" else (game.embed_images, game.n_image)
    masks = np.ones((1, n), bool) if others is None else others
    place, kind = getattr(game.encoder, "device", "cpu"), getattr(game.encoder, "dtype", torch.float32)
    return torch.from_numpy(embed(masks)).to(place, kind)


def tower_of(game: Game, side: str) -> Tower:
    """One half of the game's model, with the game's picture or caption."""
    pixels, caption = game.inputs
    return image_tower(game.encoder, pixels) if side == "image" else text_tower(game.encoder, caption)


def gradients(embedding: Tensor, inputs: list[Tensor], directions: Tensor) -> list[Tensor]:
    """Gradients (m, ...) of <embedding, direction> at each input (1, ...), for directions (m, d).

    One backward pass a direction, all through the graph of one forward pass: what an encoder computes does not depend
    on the other side.
    """
    along = directions[:, None].to(embedding.dtype)
    found = torch.autograd.grad(embedding, inputs, along, retain_graph=True, is_grads_batched=True)
    return [gradient[:, 0] for gradient in found]


def chunks(tower: Tower, directions: Tensor) -> tuple[Tensor, ...]:
    """The directions in chunks small enough for the backward pass of a tower, which holds all attention weights."""
    length, width = tower.embedded.shape[1:]
    numbers = length * max(4 * width, length * tower.blocks[0].heads)
    found: tuple[Tensor, ...] = directions.split(max(1, _MOST_NUMBERS // numbers))
    return found


def check_game(game: object, looks_inside: bool = True) -> None:
    """ValueError unless this is a game of a model; where that is asked for, whose layers and players are known."""
    if not isinstance(game, Game):
        raise ValueError(
            f"game: got {type(game).__name__}, wanted a fixlip.Game: this method looks into the model, and asks it "
            "nothing that another game could answer."
        )
    if looks_inside:
        check_inside(game.encoder)
        if not game.of_units:
            image, text = game.subject.plurals
            raise ValueError(
                f"game: its players are {image} and {text}, and this method looks into the model, which knows its own "
                "patches and tokens alone; leave out image_players and text_players."
            )
