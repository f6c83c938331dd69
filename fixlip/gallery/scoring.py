"""Scores of every method on one and the same game, and why one is missing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..explanation import Explanation
from ..masks import BoolArray, FloatArray
from ..metrics import agreement, area_between_curves, insertion_deletion
from ..subject import AnyGame, ask
from .entries import Entry
from .plans import Plan

# Masks for scores are drawn from other seeds than those for explanations.
OTHER_SEEDS = 10**6
Run = Callable[[], tuple[Explanation, int | None, float]]


@dataclass
class Judge:
    """Scores explanations of one game, all on the same masks.

    Attributes:
        game: what is explained.
        p: presence probability of the masks.
        n_masks: how many.
        seed: of the masks.
    """

    game: AnyGame
    p: float
    n_masks: int
    seed: int

    def entry(self, plan: Plan, run: Run) -> Entry:
        """The entry of a method that is run here; a ValueError becomes its sentence."""
        title = plan.title or plan.name
        try:
            explanation, passes, seconds = run()
        except ValueError as error:
            return Entry(plan.name, title, error=str(error))
        title = plan.title or explanation.estimator or plan.name
        scores, missing = self.scores(explanation)
        return Entry(plan.name, title, explanation, scores, missing, passes, seconds)

    def scores(self, explanation: Explanation) -> tuple[dict[str, float], dict[str, str]]:
        """Scores by name, and reasons why others are missing."""
        scores: dict[str, float] = {}
        missing: dict[str, str] = {}
        for name, side in (("aid", "both"), ("aid_image", "image")):
            try:
                scores[name] = area_between_curves(
                    insertion_deletion(explanation, self.game, side=side, progress=False)
                )
            except ValueError as error:
                missing[name] = str(error)
        found = agreement(self._truth, explanation.totals(self._masks))
        measured = {"spearman": found.spearman, "r2": found.r2}
        if not explanation.predicts:
            del measured["r2"]
            missing["r2"] = "its numbers are scores, no logits, and predict no similarity."
        for name, value in measured.items():
            if math.isfinite(value):
                scores[name] = value
            else:
                missing[name] = "its sums, or the game's values, do not vary."
        return scores, missing

    @cached_property
    def _masks(self) -> BoolArray:
        """Every player present with probability p, independently: the same masks for all methods."""
        n_players = self.game.n_image + self.game.n_text
        rng = np.random.default_rng(OTHER_SEEDS + self.seed)
        return np.asarray(rng.random((self.n_masks, n_players)) < self.p)

    @cached_property
    def _truth(self) -> FloatArray:
        return ask(self.game, self._masks)
