"""Grad-ECLIP (Zhao et al., ICML 2024): gradients at an attention's output, times values, times query-key similarity."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch

from ..encoders.towers import Attention, AttentionPooling, Block, Tower, check_inside, image_tower, text_tower
from ..explanation import Explanation
from ..game import Game
from .routes import Route, Tensor, check_game, chunks, first_order, gradients

Module = Block | AttentionPooling
Place = tuple[Attention, Module, int]  # an attention, whose it is, and the row of its output that is read


def grad_eclip(
    game: Game,
    *,
    heads: int | None = None,
    image_blocks: int = 1,
    text_blocks: int = 8,
    similarity: bool = True,
    raw_keys: bool = False,
    signed: bool = False,
    reference_padding: bool = False,
) -> Explanation:
    """Grad-ECLIP (Zhao et al., "Gradient-based Visual Explanation for Transformer-based CLIP", ICML 2024).

    Of an attention whose output o at the position a is read (an image's class token, a caption's end):

        a_i = ReLU( w_i * sum_c  dc/do_a,c * v_i,c ),

    where c is the cosine of the two embeddings (not the logit), v_i the value of position i, and w_i from 0 to 1 how
    similar its key is to the query at a: cos(W_o q_a + b_o, W_o k_i + b_o), rescaled by minimum and maximum over the
    patches, or over the caption from its begin to its end. Images: the last block. Captions: the last eight, summed.

    The published code computes the attention of these blocks with one head. That is another network than the model,
    with another cosine, and its maps are maps of that network; so here the true number of heads is the default. All
    that was published can be had: `heads=1, reference_padding=True` is `generate_emap.py`, `raw_keys=True` besides, and
    for images any `image_blocks`, are the notebooks. (There the scores of a caption are divided by their sum, 0/0
    where all are cut off. Here they are left as they are.)

    For a single block, sum_c dc/do_a,c v_i,c is dc/dA_a,i, the gradient at the attention weight, summed over heads,
    whatever their number: so this is a method of attention gradients, as Cui and Fan (arXiv 2605.12952) say. How well
    that holds, and how far one head is from the model, is measured in tests/benchmarks/grad_eclip_criticism.py.

    SigLIP, for which nothing was published with the method: captions are read at the last position, which is padding,
    and everything said above holds for it. Images have no class token; a learnt query attends to all patches in the
    pooling head. That attention is taken for the last block's: o its output, v, k and q its values, keys and query,
    W_o its projection. (The metagame of arXiv 2605.06295 instead averages the gradient at the patches that enter the
    head.) So image_blocks must be 1.

    Args:
        game: a `fixlip.Game`; one forward and one backward pass of each encoder, whatever the number of blocks.
        heads: of the attentions concerned; None for the model's own.
        image_blocks: how many of the last blocks, or all if there are fewer; negative scores are cut off in each.
        text_blocks: how many of the last blocks, or all if there are fewer; negative scores are cut off in the sum.
        similarity: False leaves w_i out.
        raw_keys: similarity of q_a and k_i as they are, without the output projection.
        signed: keep negative scores.
        reference_padding: pad captions to the model's full length, with token 0, before minimum and maximum are taken,
            as CLIP's published code does.

    Returns:
        order 1, in scores without a unit: neither logits nor shares of a logit.

    Raises:
        ValueError: one sentence, before any model call, if an option is none or the model cannot do it.
    """
    options = GradEclip(heads, image_blocks, text_blocks, similarity, raw_keys, signed, reference_padding)
    check_game(game)
    options.check(game)
    return first_order(game, options.route)


@dataclass(frozen=True)
class GradEclip:
    """What Grad-ECLIP can be asked for; see `grad_eclip`.

    Raises:
        ValueError: one sentence, if an option is none.
    """

    heads: int | None = None
    image_blocks: int = 1
    text_blocks: int = 8
    similarity: bool = True
    raw_keys: bool = False
    signed: bool = False
    reference_padding: bool = False

    def __post_init__(self) -> None:
        for name in ("heads", "image_blocks", "text_blocks"):
            value = getattr(self, name)
            number = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            if not (number or (name == "heads" and value is None)):
                raise ValueError(f"{name}: got {value!r}, wanted a whole number of at least 1.")

    @property
    def route(self) -> Route:
        """Grad-ECLIP so asked, as a route; its title tells what is not as by default."""
        asked = {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name) != one.default}
        told = ", ".join(f"{name}={value}" for name, value in asked.items())
        title = f"Grad-ECLIP ({told})" if told else "Grad-ECLIP"
        return Route("grad-eclip", title, self.maps, lambda game, side, m: m + 1)

    def check(self, game: Game) -> None:
        """ValueError, before any model call, if this cannot be had of a game's model."""
        model = check_inside(game.encoder).model
        config = model.config
        widths = (config.vision_config.hidden_size, config.text_config.hidden_size)
        if self.heads is not None and any(width % self.heads for width in widths):
            raise ValueError(f"heads: got {self.heads}, wanted a divisor of the widths {widths[0]} and {widths[1]}.")
        if self.image_blocks > 1 and not hasattr(model, "visual_projection"):
            raise ValueError(
                f"image_blocks: got {self.image_blocks}, wanted 1 with {game.encoder.name}: its images have no class "
                "token, so that only the attention pooling has an output that the embedding is read off."
            )

    def maps(self, game: Game, side: str, directions: Tensor) -> Tensor:
        """Maps (m, n) of one side's players for embeddings (m, d) of the other side; one forward pass for all."""
        self.check(game)
        tower = self._tower(game, side)
        with torch.enable_grad():
            embedding, places = self._forward(tower, side)
            outputs = [place.mixed for place, _, _ in places]
            found = [
                self._score(tower, side, places, gradients(embedding, outputs, some))
                for some in chunks(tower, directions)
            ]
        return torch.cat(found)

    def _tower(self, game: Game, side: str) -> Tower:
        pixels, caption = game.inputs
        if side == "image":
            return image_tower(game.encoder, pixels)
        ids, text_config = caption.input_ids, check_inside(game.encoder).model.config.text_config
        length = text_config.max_position_embeddings
        if self.reference_padding:
            ids = torch.nn.functional.pad(ids, (0, length - len(ids)))  # with token 0, as OpenAI's tokenizer pads
        return text_tower(game.encoder, caption, ids)

    def _forward(self, tower: Tower, side: str) -> tuple[Tensor, list[Place]]:
        """The embedding (1, d), and where gradients are taken on the way to it."""
        blocks = min(self.image_blocks if side == "image" else self.text_blocks, tower.depth)
        start = tower.depth if tower.reader is None else tower.depth - blocks
        run = tower.run(tower.states_before(start).requires_grad_(), start, self.heads)
        if tower.pooling is not None and run.pooling is not None:
            return run.embedding, [(run.pooling, tower.pooling, 0)]
        row = int(tower.reader or 0)
        return run.embedding, [(a, block, row) for a, block in zip(run.attentions, tower.blocks[start:], strict=True)]

    def _score(self, tower: Tower, side: str, places: list[Place], slopes: list[Tensor]) -> Tensor:
        cut = not self.signed
        parts = []
        for (attention, module, row), slope in zip(places, slopes, strict=True):
            part = slope[:, row] @ attention.value[0].T
            part = (part * self._weights(tower, side, attention, module, row))[:, tower.players]
            parts.append(part.relu() if cut and side == "image" else part)
        total = torch.stack(parts).sum(0).detach()
        return total.relu() if cut else total

    def _weights(self, tower: Tower, side: str, attention: Attention, module: Module, row: int) -> Tensor:
        """How much each position (L,) counts: similarity of its key with the reader's query, from 0 to 1."""
        query, keys = attention.query[0, row].detach(), attention.key[0].detach()
        if not self.similarity:
            return torch.ones_like(keys[:, 0])
        if not self.raw_keys:
            query, keys = module.project(query), module.project(keys)
        similar = torch.cosine_similarity(query[None], keys, dim=-1)
        among = similar[tower.players]
        if side == "text":
            among = similar if self.reference_padding else similar[: row + 1]
        low, high = among.min(), among.max()
        # Where all keys are equally similar none of them counts less than another.
        return (similar - low) / (high - low) if high > low else torch.ones_like(similar)


GRAD_ECLIP = GradEclip().route
