"""One picture on the bench: every method explains it, and what they can share is made once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import baselines
from ..answers import caption_budget
from ..api import SHAPLEY_MIXTURE
from ..estimators.budgets import MAX_SAMPLES
from ..estimators.methods import Request
from ..explanation import Explanation
from ..game import Game
from ..methods import method_named
from ..metrics.pointing_game import tokens_of
from ..samples import FEWEST_MASKS, Samples, sample
from .settings import ALL, FEWER, METAGAME, NO_P, NONE, VALUES, WORD_BY_WORD, WORDS, Candidate, candidate

# One set of masked images for all p and for Shapley indices, drawn from nearly all p.
DRAWN_AT = SHAPLEY_MIXTURE


@dataclass(frozen=True)
class Made:
    """An explanation, and what it took.

    Attributes:
        explanation: of one method at one p.
        images: masked images, which other captions of the same picture need not encode again.
        passes: masked captions, or forward and backward passes, which were for this caption alone.
    """

    explanation: Explanation
    images: int
    passes: int

    @property
    def says_nothing(self) -> bool:
        """Whether all its numbers are zero."""
        one = self.explanation
        numbers = (one.attributions, one.interactions, one.triples)
        return not any(values.any() for values in numbers if values is not None)


class Bench:
    """A game and what was made of it.

    Args:
        game: of a picture and a caption.
        budget: masked images for the estimators that sample.
        seed: of the masks.
        phrases: what the caption is taken apart into where every word has a map of its own; by default its words.
        other: a bench of the same picture.

    Attributes:
        game: what is explained.
    """

    def __init__(
        self, game: Game, budget: int, seed: int, phrases: Sequence[str] = (), other: Bench | None = None
    ) -> None:
        self.game, self._budget, self._seed = game, budget, seed
        self._phrases = tuple(phrases) or tuple(game.text.split())
        self._captions: dict[str, Bench] = other._captions if other else {}
        self._images: dict[int, Samples] = other._images if other else {}
        self._samples: dict[int, Samples] = {}
        self._made: dict[tuple[str, float], Made] = {}

    def of(self, caption: str, phrases: Sequence[str] = ()) -> Bench:
        """The bench of the same picture with another caption, the same whenever it is asked for."""
        if caption not in self._captions:
            game = self.game.with_text(caption)
            self._captions[caption] = Bench(game, self._budget, self._seed, phrases, self)
        return self._captions[caption]

    def explain(self, name: str, p: float) -> Made:
        """The explanation of a method at p.

        Raises:
            ValueError: if the method cannot explain this.
            KeyboardInterrupt: if it was interrupted: scores from fewer masks could not be compared.
        """
        if (name, p) not in self._made:
            self._made[name, p] = self._make(candidate(name), p)
        return self._made[name, p]

    def _make(self, one: Candidate, p: float) -> Made:
        if one.images == WORDS:
            return self._word_by_word(p)
        if one.images == NONE:
            return run_baseline(self.game, one, p, self._seed)
        samples = self.samples(self._budget if one.images == ALL else self._few(one.images))
        # Nothing here looks at standard errors, which take most of the time.
        explanation = samples.readout().explain(p, one.index, one.order, errors=False)
        return Made(explanation, samples.budget, len(samples.text_side.masks))

    def samples(self, budget: int) -> Samples:
        """So many masked images, whose embeddings and fits serve all captions, with this caption's masks."""
        if budget not in self._samples:
            if budget in self._images:
                self._samples[budget] = self._images[budget].with_caption(self.game, progress=False)
            else:
                asked = {"progress": False, "on_interrupt": "raise"}
                self._samples[budget] = sample(self.game, budget, DRAWN_AT, self._seed, **asked)  # type: ignore[arg-type]
                self._images[budget] = self._samples[budget]
        return self._samples[budget]

    def _few(self, which: str) -> int:
        """As many masked images as the metagame of Grad-ECLIP took passes, or so many that the passes are the same.

        But never fewer than `FEWEST_MASKS`, below which masks say nothing.
        """
        passes = self.explain(METAGAME, NO_P).passes
        images = images_within(self.game, passes) if which == FEWER else passes
        return int(min(max(images, FEWEST_MASKS), MAX_SAMPLES))

    def _word_by_word(self, p: float) -> Made:
        """First order, each word explained as a caption of its own, side by side as if they were interactions.

        A word of several tokens is shared out evenly among them, so that sums are those of its one map.
        """
        of_caption = self.explain(VALUES, p).explanation
        n_image, subject = of_caption.n_image, of_caption.subject
        interactions = np.zeros((subject.n_players,) * 2)
        found = {phrase: self.of(phrase).explain(VALUES, p) for phrase in self._phrases}
        for phrase, tokens in zip(self._phrases, tokens_of(self._phrases, of_caption), strict=True):
            values = found[phrase].explanation.values[:n_image] / len(tokens)
            interactions[:n_image, tokens] = values[:, None]
            interactions[tokens, :n_image] = values
        about: dict[str, Any] = {"empty_value": of_caption.empty_value, "full_value": of_caption.full_value}
        explanation = Explanation(
            0.0,
            np.zeros(subject.n_players),
            interactions,
            subject,
            p=p,
            unit="scores",
            estimator=WORD_BY_WORD,
            **about,
        )
        return Made(explanation, self.samples(self._budget).budget, sum(made.passes for made in found.values()))


def images_within(game: Game, total: int) -> int:
    """The most masked images that are no more than this with the masked captions that `sample` encodes beside them."""

    def both(images: int) -> int:
        return images + int(min(caption_budget(game, images), 2**game.n_text))

    return bisect_right(range(total + 1), total, key=both) - 1


def run_baseline(game: Game, one: Candidate, p: float, seed: int = 0) -> Made:
    """What a method gives that looks into the model instead of asking it about masked images."""
    if one.options:
        explain = getattr(baselines, one.method.replace("-", "_"))
        explanation: Explanation = explain(game, **dict(one.options))
    elif one.order == 3:
        base = one.method.removeprefix("metagame-")
        explanation = baselines.third_order(game, base, p, one.index, seed=seed)
    else:
        method = method_named(one.method)
        request = method.check(Request(p=p, index=one.index, order=one.order, seed=seed))
        explanation = method.run(game, method.for_game(game, request))
    return Made(explanation, 0, explanation.budget or 0)
