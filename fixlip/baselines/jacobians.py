"""exCLIP: second-order attributions of a dual encoder's similarity (Moeller et al., TMLR 2025).

Each encoder is cut before a block, F(X) with X (L, C) the hidden states there, and compared with reference states R.
With its Jacobian integrated along the line from R to X, position s contributes to the embedding (d,)

    U_s = 1/N sum_{k=1..N} dF/dX_s (R + k/N (X - R)) (X - R)_s

and a caption's position s with an image's position i contribute A[s, i] = <U_s, W_i> / (|e_T| |e_I|) to the cosine. The
published code multiplies both Jacobians first, a matrix of (L_T C_T) x (L_I C_I) numbers, and sums over hidden units
last. Summed first, as here, the largest thing kept is U itself, (L, d). Measured with 77 tokens, the default steps and
random weights: 0.1 GB above the model for CLIP ViT-B/32, 0.3 GB for ViT-B/16 and ViT-L/14 with 24 x 24 patches, 0.2 GB
for ViT-B/16 with 32 x 32. One such matrix, of which the published code holds several, would take 6, 70, 140 and 124 GB.

U is taken forward, one direction for each position: L directions instead of d passes backward. Query, key and value of
a position depend on that position alone, so that the first block's attention along all directions has a closed form;
from there on each direction is carried through what follows. And where an embedding is read off one position, the last
block is computed at that position only. None of this changes U.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..encoders.captions import Caption
from ..encoders.huggingface import Encoder
from ..encoders.towers import Tower, check_inside, image_tower, text_tower
from ..estimators.indices import SCORES
from ..estimators.methods import PASSES
from ..explanation import Explanation
from ..game import Game
from ..masks import FloatArray, check_count
from ..progress import Progress, advancing
from ..subject import end_values
from .routes import Tensor, check_game

# OpenAI's and OpenCLIP's training filled captions up with id 0 ("!" in their vocabulary). Tokenizers of transformers
# fill up with end of text, which would end a reference at once.
_CLIP_PADDING = 0
# Numbers that the directions of one chunk may take: 128 MiB in float32.
_CHUNK = 2**25
# Shorter than this, relative to the embedding itself, what is left after the shift is float32's rounding.
_ROUNDING = 1e-5


def exclip(
    game: Game,
    *,
    steps: int = 20,
    layer: int = -1,
    text_reference: int = 3,
    shift: bool = True,
    progress: Progress = True,
) -> Explanation:
    """Second-order attributions by integrated Jacobians of both encoders: exCLIP (Moeller et al., TMLR 2025).

    An interaction of patch and token is their entry in `exclip_matrix`. Attributions and interactions within the
    image or within the caption are zero, because the method has none. So are begin and end of text and the class
    token, which are no players, and with them a large part of the whole: what is left does not add up to the
    similarity. `first_order()` sums interactions over the other side, as the authors do, but for a factor on each side
    (p, where they divide by the number of players summed over): the order of patches is theirs, and that of tokens,
    but not that of patches among tokens.

    The defaults are those of FIxLIP's comparison (Baniecki et al., NeurIPS 2025; its text_ref_len=3). Those of exCLIP's
    own code are `steps=10, text_reference=2, shift=False`; its text_ref_len=1 counts paddings, and means the same as 2
    here.

    Computed in float32; for an encoder of less precision in a float32 copy of it, since the authors found half
    precision too inaccurate for the integral.

    For SigLIP, which was not part of the paper: its text has no begin and end, so that the reference is nothing but
    padding, and both are read at the last position; its image has no class token, and the head that pools it is part of
    F. Then the whole matrix is complete as steps grow (see `exclip_matrix`). As all positions are
    pooled, all of the last block is computed for each: some three minutes for 16 x 16 patches of a
    SigLIP-2 base on two cores, where CLIP takes seconds.

    Args:
        game: whose model, image and caption.
        steps: N, of the integral.
        layer: the block before which both encoders are cut, counted from either end.
        text_reference: where the reference caption ends: begin of text at position 0, padding, end of text at this
            position. It may be longer than the caption. SigLIP's is all padding, whatever this says.
        shift: whether embeddings are taken relative to their references' before their length is measured.
        progress: show a bar if it takes long, or a function to call with the number of steps just done.

    Returns:
        order 2, index and unit "scores" (parts of a cosine). Its budget counts, for each encoder, two forward passes
        for the hidden states, and steps x (1 + L) forward passes that begin at `layer`, L the number of positions.
        With the last block and CLIP's reading at one position, such a pass is a very small part of a whole one.

    Raises:
        ValueError: one sentence, if this is no `fixlip.Game`, or an option is out of range.
    """
    matrix, passes, positions = _attribute(game, steps, layer, text_reference, shift, progress)
    n, rows, columns = game.n_image, *positions
    interactions = np.zeros((game.n_players, game.n_players))
    interactions[:n, n:] = matrix[np.ix_(rows, columns)].T
    interactions[n:, :n] = interactions[:n, n:].T
    empty, full = end_values(game)
    return Explanation(
        0.0,
        np.zeros(game.n_players),
        interactions,
        game.subject,
        index=SCORES,
        unit="scores",
        estimator="exCLIP",
        budget=passes,
        counts=PASSES,
        empty_value=empty,
        full_value=full,
    )


def exclip_matrix(
    game: Game,
    *,
    steps: int = 20,
    layer: int = -1,
    text_reference: int = 3,
    shift: bool = True,
    progress: Progress = True,
) -> FloatArray:
    """Attributions of all positions, players or not, to the cosine of image and caption (Moeller et al., TMLR 2025).

    As steps grow, their sum becomes exact: <F_T(X) - F_T(R), F_I(X) - F_I(R)> / (|e_T| |e_I|), where the reference
    caption is read at the *caption's* end of text. The published code reads it at its own for the terms that it
    compares with, which only fits if both ends stand at the same place. The embeddings e are F(X), or with `shift`
    F(X) - F(R) with the reference caption read at its own end.

    The reference image is what remains when the game removes every patch: by default the mean colour, as published.

    Args:
        game: whose model, image and caption.
        steps: N, of the integral.
        layer: the block before which both encoders are cut.
        text_reference: where the reference caption ends, see `exclip`.
        shift: whether embeddings are taken relative to their references'.
        progress: as for `exclip`.

    Returns:
        (L_text, L_image), parts of a cosine. Rows are the caption's `input_ids`, begin and end of text included
        (SigLIP: padding); columns the class token, where the model has one, and the patches. All zero if image or
        caption is its own reference, where a shifted embedding has no direction.

    Raises:
        ValueError: as for `exclip`.
    """
    return _attribute(game, steps, layer, text_reference, shift, progress)[0]


def _attribute(
    game: Game, steps: int, layer: int, text_reference: int, shift: bool, progress: Progress
) -> tuple[FloatArray, int, tuple[FloatArray, FloatArray]]:
    """The matrix, how many passes it took, and where the players stand in its rows and columns."""
    check_game(game)
    steps, text_reference = check_count(steps, "steps"), check_count(text_reference, "text_reference")
    encoder = check_inside(game.encoder)
    last = encoder.max_tokens + 1
    if text_reference > last:
        raise ValueError(f"text_reference: got {text_reference}, wanted at most {last} with {encoder.name}.")
    encoder = _in_float32(encoder)
    pixels, caption = game.inputs
    with torch.no_grad(), advancing(progress, 2 * steps, "steps of integration") as advance:
        sides = (_text(encoder, caption, layer, text_reference), _image(encoder, pixels, layer))
        both = [side.integrate(steps, advance) / side.length(shift) for side in sides]
        matrix = (both[0] @ both[1].T).double().cpu().numpy()
    if not np.isfinite(matrix).all():
        raise ValueError(f"exclip: {np.count_nonzero(~np.isfinite(matrix))} attributions are no finite numbers.")
    text, image = (side.tower.players.cpu().numpy() for side in sides)
    return matrix, sum(2 + steps * (1 + side.states.shape[1]) for side in sides), (text, image)


def _in_float32(encoder: Encoder) -> Encoder:
    """The encoder, or if it is less precise a copy, so that its own parameters are not touched."""
    if torch.finfo(encoder.dtype).bits >= 32:
        return encoder
    precise = copy.copy(encoder)
    precise.model, precise.dtype = copy.deepcopy(encoder.model).float(), torch.float32
    return precise


@dataclass(frozen=True, eq=False)
class _Side:
    """One encoder with its input and its reference.

    Attributes:
        tower: of the input.
        start: the block before which it is cut.
        states, reference: (1, L, C) before that block.
        embedding, of_reference: (d,), the latter read where the reference itself ends.
    """

    tower: Tower
    start: int
    states: Tensor
    reference: Tensor
    embedding: Tensor
    of_reference: Tensor

    def length(self, shift: bool) -> float:
        """Of the embedding; infinite where it has none, so that whatever is divided by it becomes zero."""
        whole = float(self.embedding.norm())
        length = float((self.embedding - self.of_reference).norm()) if shift else whole
        return length if length > _ROUNDING * whole else float("inf")

    def integrate(self, steps: int, advance: Callable[[int], object]) -> Tensor:
        """Contribution of each position to the embedding, (L, d)."""
        found = self.states.new_zeros(self.states.shape[1], len(self.embedding))
        shares = torch.arange(1, steps + 1, dtype=found.dtype, device=found.device) / steps
        for some in shares.split(max(1, _CHUNK // (self._size * len(found)))):
            found += self._contributions(some)
            advance(len(some))
        return found / steps

    def _contributions(self, shares: Tensor) -> Tensor:
        """Slopes (L, d) along each position's way, summed over these shares (b,) of it."""
        change = (self.states - self.reference).expand(len(shares), -1, -1)
        first = _FirstBlock(self.tower, self.start, self.reference + shares[:, None, None] * change, change)
        at = (first.states[:, first.rows], first.mixed)

        def slope(of_states: Tensor, of_mixed: Tensor) -> Tensor:
            found: Tensor = torch.func.jvp(first.embed, at, (of_states, of_mixed))[1].sum(0)
            return found

        positions = torch.arange(change.shape[1], device=change.device)
        chunks = positions.split(max(1, _CHUNK // (self._size * len(shares))))
        return torch.cat([torch.func.vmap(slope)(*first.slopes(some)) for some in chunks])

    @property
    def _size(self) -> int:
        """About how many numbers one direction takes."""
        length, width = self.states.shape[1:]
        later = 6 * self.tower.blocks[self.start].heads * length if self.start + 1 < self.tower.depth else 0
        return int(len(_read_after(self.tower, self.start, length)) * (24 * width + later))


class _FirstBlock:
    """The attention of block `start` on states (b, L, C), and how it changes with t (L,) in states + t change.

    Attributes:
        states, change: as given.
        rows: (Q,) the positions that are read after the block.
        mixed: (b, Q, C), what the attention gives them.
    """

    def __init__(self, tower: Tower, start: int, states: Tensor, change: Tensor):
        self._tower, self._start, self.states, self.change = tower, start, states, change
        block, self.rows = tower.blocks[start], _read_after(tower, start, states.shape[1]).to(states.device)
        asked, slopes = torch.func.jvp(block.ask, (states,), (change,))[:2]
        q, k, v, dq, dk, dv = (one.unflatten(-1, (block.heads, -1)).transpose(1, 2) for one in (*asked, *slopes))
        q, dq = q[:, :, self.rows], dq[:, :, self.rows]
        scores, self._by_key, by_query = (a @ b.mT * q.shape[-1] ** -0.5 for a, b in ((q, k), (q, dk), (dq, k)))
        self._weights = torch.softmax(scores if tower.bias is None else scores + tower.bias[:, :, self.rows], dim=-1)
        self._mixed, self._value, self._slope_of_value = self._weights @ v, v, dv
        turned = self._weights * by_query
        self._by_query = turned @ v - turned.sum(-1, keepdim=True) * self._mixed
        self.mixed = self._mixed.transpose(1, 2).flatten(2)

    def slopes(self, some: Tensor) -> tuple[Tensor, Tensor]:
        """Slopes (c, b, Q, C) of the states and of `mixed` in the rows, along the t of some positions (c,).

        With the weights w of a row, d mixed / dt_s = w_s (dscore_s (v_s - mixed) + dv_s): a softmax's derivative. The
        row of position s itself asks something else, too, which changes all its scores.
        """
        own = (some[:, None] == self.rows)[:, None, :, None].to(self.states.dtype)
        value, slope_of_value = (x[:, :, None, some] for x in (self._value, self._slope_of_value))
        by_key, weights = self._by_key[..., some, None], self._weights[..., some, None]
        mixed = weights * (by_key * (value - self._mixed[..., None, :]) + slope_of_value)
        mixed = mixed.permute(3, 0, 2, 1, 4) + own[..., None] * self._by_query.transpose(1, 2)
        return own * self.change[:, self.rows], mixed.flatten(3)

    def embed(self, states: Tensor, mixed: Tensor) -> Tensor:
        """Embeddings (b, d), of their own length, of states and `mixed` (b, Q, C) in the rows."""
        tower, block = self._tower, self._tower.blocks[self._start]
        states = block.finish(states + block.project(mixed))
        for later in tower.blocks[self._start + 1 :]:
            states, _ = later(states, tower.bias)
        states = tower.normalise(states)
        if tower.pooling is not None:
            return tower.pooling(states)[0]
        return tower.to_embedding(states[:, 0 if len(self.rows) == 1 else tower.reader])


def _read_after(tower: Tower, start: int, length: int) -> Tensor:
    """Which of so many positions are read after block `start`: all, or after the last one the reader alone."""
    one = tower.reader is not None and start == tower.depth - 1
    return torch.tensor([tower.reader]) if one else torch.arange(length)


def _text(encoder: Encoder, caption: Caption, layer: int, end: int) -> _Side:
    tower, ids = text_tower(encoder, caption), caption.input_ids
    if tower.bias is None:  # SigLIP reads every text at its last position
        return _side(tower, layer, text_tower(encoder, caption, torch.full_like(ids, caption.padding_id)))
    reference = ids.new_full((max(len(ids), end + 1),), _CLIP_PADDING)
    reference[0], reference[end] = ids[0], ids[-1]
    other = text_tower(encoder, caption, reference)
    # Attention is causal: what the reference has behind the caption's end changes nothing before it.
    return _side(tower, layer, replace(other, reader=end))


def _image(encoder: Encoder, pixels: Tensor, layer: int) -> _Side:
    tower = image_tower(encoder, pixels)
    return _side(tower, layer, replace(tower, embedded=tower.absent))


def _side(tower: Tower, layer: int, other: Tower) -> _Side:
    start = tower.first(layer)
    states, reference = (one.states_before(start) for one in (tower, other))
    ends = (_end(one, start, x) for one, x in ((tower, states), (other, reference)))
    return _Side(tower, start, states, reference[:, : states.shape[1]], *ends)


def _end(tower: Tower, start: int, states: Tensor) -> Tensor:
    """The embedding (d,), of its own length, of states (1, L, C) before block `start`."""
    first = _FirstBlock(tower, start, states, torch.zeros_like(states))
    return first.embed(states[:, first.rows], first.mixed)[0]
