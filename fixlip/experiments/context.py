"""What second order is for: three questions that one map for each word should not be able to answer.

Mosaics have four objects, and captions name the first one to four of them. Everything is measured on the whole pair,
by taking away the cell of an object, or a word, or both; so the truth is the model's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import emoji
from ..explanation import Explanation
from ..game import Game
from ..masks import BoolArray, FloatArray
from ..metrics import agreement
from ..metrics.pointing_game import CELLS, quadrant, tokens_of
from ..subject import ask
from .bench import Bench, Made

NONE = float("nan")


@dataclass(frozen=True, eq=False)
class Removals:
    """One caption, and what the model's similarity loses.

    Attributes:
        bench: of the caption.
        cells: (objects, n_image), the patches of each object that the caption names.
        masks: of the whole pair; then without each cell; without each word; without each cell and each word.
        values: of the masks, logits.
    """

    bench: Bench
    cells: BoolArray
    tokens: list[list[int]]
    masks: BoolArray
    values: FloatArray

    @property
    def changes(self) -> FloatArray:
        """What the similarity changes by, for every mask but the first, logits."""
        return np.asarray(self.values[1:] - self.values[0])

    @property
    def interplay(self) -> FloatArray:
        """How much more each object's patches and its own word change the similarity together than one by one.

        Shape (objects,): v(whole) - v(without the patches) - v(without the word) + v(without both), logits.
        """
        m = len(self.cells)
        both = self.values[1 + 2 * m :].reshape(m, m).diagonal()
        return np.asarray(self.values[0] - self.values[1 : 1 + m] - self.values[1 + m : 1 + 2 * m] + both)


@dataclass(frozen=True, eq=False)
class Questions:
    """Everything that is asked about one mosaic.

    Attributes:
        captions: with one, two, three and four objects named.
        bound: the bench of a caption of the first object and of another one that is not there.
        bound_tokens: of the two.
    """

    captions: tuple[Removals, ...]
    bound: Bench
    bound_tokens: list[list[int]]

    @property
    def benches(self) -> tuple[Bench, ...]:
        """Of all captions."""
        return (*(one.bench for one in self.captions), self.bound)


def questions(bench: Bench, labels: Sequence[str], seed: int) -> Questions:
    """The questions about a mosaic, with the model's answers.

    Args:
        bench: of the mosaic, with any caption.
        labels: what its four cells show.
        seed: chooses the word of the object that is not there, one of the emoji scenes' vocabulary.
    """
    captions = []
    for objects in range(1, len(CELLS) + 1):
        named = labels[:objects]
        one = bench.of(" ".join(named), named)
        captions.append(_removals(one, _cells(one.game, objects), _tokens(one.game, named)))
    others = [word for word in emoji.vocabulary() if word not in {label.lower() for label in labels}]
    pair = (labels[0], others[seed % len(others)])
    bound = bench.of(" ".join(pair), pair)
    return Questions(tuple(captions), bound, _tokens(bound.game, pair))


def answers(asked: Questions, made: Sequence[Made]) -> dict[str, float]:
    """How well a method answers.

    Args:
        asked: about one mosaic.
        made: what the method says of each caption, in the order of `Questions.benches`.
    """
    explanations = [one.explanation for one in made]
    changes = [_of_changes(one, e) for one, e in zip(asked.captions[1:], explanations[1:-1], strict=True)]
    model = [one.interplay for one in asked.captions]
    method = [_own_cells(one, e) for one, e in zip(asked.captions, explanations[:-1], strict=True)]
    in_model, in_method = (np.concatenate(found) for found in (model, method))
    by_context = [
        np.concatenate([found[k + 1][: k + 1] - found[k] for k in range(len(found) - 1)]) for found in (model, method)
    ]
    return {
        "change_spearman": float(np.mean([one[0] for one in changes])),
        "change_r2": float(np.mean([one[1] for one in changes])),
        "context_spearman": agreement(in_model, in_method).spearman,
        "context_change": agreement(*by_context).spearman,
    } | _binding(asked, explanations[-1])


def _removals(bench: Bench, cells: BoolArray, tokens: list[list[int]]) -> Removals:
    """All masks of a caption, and what the model says of them."""
    game, m = bench.game, len(cells)
    without_cells, without_words = (np.ones((m, game.n_players), bool) for _ in range(2))
    without_cells[:, : game.n_image] = ~cells
    for k, group in enumerate(tokens):
        without_words[k, group] = False
    both = (without_cells[:, None] & without_words[None, :]).reshape(m * m, -1)
    masks = np.concatenate([np.ones((1, game.n_players), bool), without_cells, without_words, both])
    return Removals(bench, cells, tokens, masks, ask(game, masks))


def _cells(game: Game, objects: int) -> BoolArray:
    assert game.grid is not None  # of patches
    return np.stack([quadrant(game.grid, k) for k in range(objects)])


def _tokens(game: Game, words: Sequence[str]) -> list[list[int]]:
    nothing = Explanation(
        0.0, np.zeros(game.n_players), np.zeros((game.n_players,) * 2), game.subject
    )  # for its labels
    return tokens_of(words, nothing)


def _of_changes(asked: Removals, explanation: Explanation) -> tuple[float, float]:
    """Rank correlation of the changes that an explanation tells with the model's, and R squared where it predicts."""
    totals = explanation.totals(asked.masks)
    found = agreement(asked.changes, totals[1:] - totals[0])
    return found.spearman, found.r2 if explanation.predicts else NONE


def word_map(explanation: Explanation, tokens: Sequence[int]) -> FloatArray:
    """A word's map of the patches, (n_image,): its interactions, or with first order the one map that there is."""
    n_image = explanation.n_image
    if explanation.order == 1:
        return explanation.attributions[:n_image]
    return np.asarray(explanation.pair_values[:n_image, list(tokens)].sum(axis=1))


def _own_cells(asked: Removals, explanation: Explanation) -> FloatArray:
    """What each word's map puts on its own object, (objects,)."""
    maps = [word_map(explanation, tokens) for tokens in asked.tokens]
    return np.array([values[cell].sum() for values, cell in zip(maps, asked.cells, strict=True)])


def _binding(asked: Questions, explanation: Explanation) -> dict[str, float]:
    """Which of two words, one of them of nothing that is there, points at the object."""
    cell = asked.captions[0].cells[0]
    present, absent = (np.maximum(word_map(explanation, tokens), 0.0) for tokens in asked.bound_tokens)
    right, leaked, everywhere = present[cell].sum(), absent[cell].sum(), absent.sum()
    return {
        "binding": float(right / (right + leaked)) if right + leaked > 0 else NONE,
        "absent_share": float(leaked / everywhere) if everywhere > 0 else 0.0,
    }
