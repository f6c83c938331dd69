"""Towers: the two halves of a dual encoder taken apart, for methods that look at attention and gradients inside.

The layers are the model's own modules, called one by one; nothing is hooked, patched or switched, so that whatever
happens here the model stays as it was. The blocks are pre-norm transformer blocks (Dosovitskiy et al., ICLR 2021):

    x' = x + W_o attention(LN1(x)),    x'' = x' + MLP(LN2(x'))

CLIP reads its embedding off one position: the class token of an image, the end of a text. SigLIP reads the last
position of a text, and has no such position in an image: a learnt query attends to all patches (attention pooling).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from .captions import Caption
from .huggingface import Encoder
from .protocol import AnyEncoder

Tensor = torch.Tensor
# Whose two towers are built as described above.
_KNOWN = ("clip", "metaclip_2", "siglip")


@dataclass(frozen=True, eq=False)
class Attention:
    """What one attention computed for a batch of b sequences of L positions, width C, H heads.

    Attributes:
        query: (b, Q, C), where Q is L, or 1 for attention pooling.
        key, value: (b, L, C).
        weights: (b, H, Q, L), each row a distribution.
        mixed: (b, Q, C), the weighted values of all heads side by side, before the output projection.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    weights: Tensor
    mixed: Tensor


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int, bias: Tensor | None = None) -> Attention:
    """Scaled dot-product attention with so many heads; `bias` is added to the scores (b or 1, 1, Q, L)."""
    split = (_split(part, heads) for part in (query, key, value))
    q, k, v = split
    scores = q @ k.transpose(-1, -2) * (query.shape[-1] // heads) ** -0.5
    weights = torch.softmax(scores if bias is None else scores + bias, dim=-1, dtype=torch.float32).to(value.dtype)
    mixed = (weights @ v).transpose(1, 2).flatten(2)
    return Attention(query, key, value, weights, mixed)


def _split(states: Tensor, heads: int) -> Tensor:
    parts: Tensor = states.unflatten(-1, (heads, -1)).transpose(1, 2)
    return parts


class Block:
    """One transformer block.

    Attributes:
        heads: how many it was trained with.
        project: the output projection of its attention, (…, C) to (…, C).
    """

    def __init__(self, layer: Any):
        self._layer, attention = layer, layer.self_attn
        self.heads = int(attention.num_heads)
        self.project: Callable[[Tensor], Tensor] = attention.out_proj

    def __call__(
        self, states: Tensor, bias: Tensor | None = None, heads: int | None = None
    ) -> tuple[Tensor, Attention]:
        """States (b, L, C) after the block, and what its attention computed.

        Args:
            states: before the block.
            bias: added to attention scores.
            heads: another number of heads than its own, as a published method wants it.
        """
        attention = attend(*self.ask(states), heads or self.heads, bias)
        return self.finish(states + self.project(attention.mixed)), attention

    def ask(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value, of the shape of the states (…, C) before the block; each position by itself."""
        attention, normed = self._layer.self_attn, self._layer.layer_norm1(states)
        return attention.q_proj(normed), attention.k_proj(normed), attention.v_proj(normed)

    def finish(self, states: Tensor) -> Tensor:
        """What the block makes of states (…, C) that its attention has been added to."""
        result: Tensor = states + self._layer.mlp(self._layer.layer_norm2(states))
        return result


class AttentionPooling:
    """SigLIP's head: one learnt query attends to all patches.

    Attributes:
        heads: how many it has.
        project: the output projection of its attention, (…, C) to (…, C).
    """

    def __init__(self, head: Any):
        self._head, attention = head, head.attention
        self.heads = int(attention.num_heads)
        self.project: Callable[[Tensor], Tensor] = attention.out_proj

    def __call__(self, states: Tensor, heads: int | None = None) -> tuple[Tensor, Attention]:
        """The embedding (b, d) of normalised states (b, L, C), and what the attention computed.

        Args:
            states: normalised.
            heads: another number of heads than its own.
        """
        attention = self._head.attention
        weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
        inputs = (self._head.probe.expand(len(states), -1, -1), states, states)
        linear = torch.nn.functional.linear
        query, key, value = (linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True))
        found = attend(query, key, value, heads or self.heads)
        return self.read(self.project(found.mixed))[:, 0], found

    def read(self, states: Tensor) -> Tensor:
        """What the head makes of pooled states (b, Q, C): (b, Q, d)."""
        result: Tensor = states + self._head.mlp(self._head.layernorm(states))
        return result


@dataclass(frozen=True, eq=False)
class Run:
    """What a tower computed for a batch.

    Attributes:
        states: input of each block that was run, (b, L, C), and last what the last block returned.
        attentions: of each block that was run.
        pooling: of the attention pooling, where the tower has it.
        embedding: (b, d), of length one.
    """

    states: tuple[Tensor, ...]
    attentions: tuple[Attention, ...]
    pooling: Attention | None
    embedding: Tensor


@dataclass(frozen=True, eq=False)
class Tower:
    """One half of a dual encoder, with one prepared input.

    Attributes:
        embedded: (1, L, C), what enters: content plus position, of the players and of begin, end, class, padding.
        absent: (1, L, C), the same with the content of every player removed: patches as the game removes them, tokens
            with a zero embedding.
        players: (n,) positions of the players.
        reader: the position that the embedding is read off, or None where `pooling` does it.
        blocks: lowest first.
        bias: (1, 1, L, L), added to attention scores; None where every position sees every other.
        enter: (b, L, C) as `embedded` to the input of the first block.
        normalise: what the last block returned, before it is read off.
        to_embedding: states (…, C) at the reader, normalised, to embeddings (…, d).
        pooling: SigLIP's attention pooling of images.
    """

    embedded: Tensor
    absent: Tensor
    players: Tensor
    reader: int | None
    blocks: tuple[Block, ...]
    bias: Tensor | None
    enter: Callable[[Tensor], Tensor]
    normalise: Callable[[Tensor], Tensor]
    to_embedding: Callable[[Tensor], Tensor]
    pooling: AttentionPooling | None = None

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    def first(self, k: int) -> int:
        """The number of a block counted from either end, as Python's indices are.

        Raises:
            ValueError: one sentence, if there is no such block.
        """
        if isinstance(k, bool) or not isinstance(k, int) or not -self.depth <= k < self.depth:
            raise ValueError(f"layer: got {k!r}, wanted a whole number from {-self.depth} to {self.depth - 1}.")
        return k % self.depth

    def states_before(self, block: int, embedded: Tensor | None = None) -> Tensor:
        """Input (b, L, C) of a block, without gradients.

        Args:
            block: its number, 0 to `depth`.
            embedded: (b, L, C) instead of the tower's own.
        """
        with torch.no_grad():
            states = self.enter(self.embedded if embedded is None else embedded)
            for one in self.blocks[:block]:
                states, _ = one(states, self.bias)
        return states

    def run(self, states: Tensor, start: int = 0, heads: int | None = None) -> Run:
        """From the input (b, L, C) of block `start` to the embedding; gradients flow where `states` wants them.

        Args:
            states: as `states_before(start)` gives them, or something else of that shape.
            start: the first block to be run.
            heads: another number of attention heads than the model's own, in all that is run.
        """
        found, attentions = [states], []
        for block in self.blocks[start:]:
            states, attention = block(states, self.bias, heads)
            found.append(states)
            attentions.append(attention)
        embedding, pooling = self.read(states, heads)
        return Run(tuple(found), tuple(attentions), pooling, embedding)

    def read(self, states: Tensor, heads: int | None = None) -> tuple[Tensor, Attention | None]:
        """The embedding (b, d), of length one, of what the last block returned (b, L, C)."""
        states, found = self.normalise(states), None
        if self.pooling is not None:
            embedding, found = self.pooling(states, heads)
        else:
            embedding = self.to_embedding(states[:, self.reader])
        return torch.nn.functional.normalize(embedding, dim=-1), found


def check_inside(encoder: object) -> Encoder:
    """The encoder, if its layers are known here.

    Raises:
        ValueError: one sentence, if they are not.
    """
    kind = type(encoder).__name__
    if isinstance(encoder, Encoder):
        kind = str(encoder.model.config.model_type)
        if kind in _KNOWN:
            return encoder
    name = getattr(encoder, "name", kind)
    raise ValueError(
        f"encoder: {name} ({kind}) cannot be looked into; this method knows the layers of CLIP, MetaCLIP-2, SigLIP and "
        "SigLIP-2 of one resolution in transformers only."
    )


def image_tower(encoder: AnyEncoder, pixels: Tensor) -> Tower:
    """The image half with a prepared picture (3, height, width).

    With "drop" a removed patch is zero in `absent`, since a sequence without it has another length.

    Raises:
        ValueError: one sentence, if the layers of this encoder are not known.
    """
    encoder = check_inside(encoder)
    vision: Any = encoder.model.vision_model
    pixels = pixels.to(encoder.device, encoder.dtype)
    removed = encoder.masker(pixels).baseline(pixels)
    with torch.no_grad():
        embedded, absent = vision.embeddings(torch.stack([pixels, removed])).split(1)
    n, has_class = encoder.grid[0] * encoder.grid[1], hasattr(vision.embeddings, "class_embedding")
    return Tower(
        embedded,
        absent,
        torch.arange(n, device=encoder.device) + int(has_class),
        0 if has_class else None,
        tuple(Block(layer) for layer in vision.encoder.layers),
        None,
        getattr(vision, "pre_layrnorm", _same),
        vision.post_layernorm,
        encoder.model.visual_projection if has_class else _same,
        None if has_class else AttentionPooling(vision.head),
    )


def text_tower(encoder: AnyEncoder, caption: Caption, input_ids: Tensor | None = None) -> Tower:
    """The text half with a caption.

    Args:
        encoder: whose it is.
        caption: where the players stand.
        input_ids: (length,) other token ids than the caption's, as a reference, or padded to another length; the
            positions of players and of the reader stay the caption's.

    Raises:
        ValueError: one sentence, if the layers of this encoder are not known.
    """
    encoder = check_inside(encoder)
    text: Any = encoder.model.text_model
    ids = (caption.input_ids if input_ids is None else input_ids).to(encoder.device)[None]
    # A tensor made in inference mode, as the caption may have been, takes part in no gradient; its clone does.
    players = caption.positions.clone().to(encoder.device)
    is_clip = hasattr(encoder.model, "text_projection")
    with torch.no_grad():
        embedded = text.embeddings(input_ids=ids)
        absent = embedded.clone()
        absent[:, players] -= text.embeddings.token_embedding(ids[:, players])
    length = ids.shape[1]
    causal = torch.full((length, length), -torch.inf, device=encoder.device, dtype=encoder.dtype).triu(1)
    return Tower(
        embedded,
        absent,
        players,
        len(caption.input_ids) - 1,  # captions end with their end of text, or with SigLIP's padding
        tuple(Block(layer) for layer in text.encoder.layers),
        causal[None, None] if is_clip else None,
        _same,
        text.final_layer_norm,
        encoder.model.text_projection if is_clip else text.head,
    )


def _same(states: Tensor) -> Tensor:
    return states
