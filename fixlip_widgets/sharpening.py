"""Samples that grow in the background of a widget until their user says "enough"."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable

import ipywidgets

from fixlip.anytime import Target, rounds, sharpen
from fixlip.estimators.budgets import KERNEL_BUDGET, check_kernel
from fixlip.masks import check_budget
from fixlip.samples import BilinearGame, Samples

Faithful = Callable[[], float | None]


class _Ended(Exception):
    """The user has seen enough, or another job waits. What the game was asked meanwhile, it remembers."""


class Sharpening(ipywidgets.HBox):
    """A line that says how many masked images there are and how faithful that is, and a button to end it.

    Args:
        budget: masked images in the last round; None for the usual.
        target_faithfulness: end there, as in `fixlip.rounds`.
    """

    def __init__(self, budget: int | None, target_faithfulness: Target) -> None:
        self.budget = check_budget(KERNEL_BUDGET if budget is None else budget)
        check_kernel(self.budget)
        self._target = target_faithfulness
        self._ended = threading.Event()
        self.text = ipywidgets.HTML()
        self.enough = ipywidgets.Button(description="enough", tooltip="ask the model about no more masked images")
        self.enough.on_click(lambda _: self._ended.set())
        super().__init__([self.text, self.enough])

    def first(self, game: BilinearGame, seed: int) -> Samples:
        """The samples to begin with."""
        return next(rounds(game, self.budget, seed=seed, target_faithfulness=self._target))

    @property
    def ended(self) -> bool:
        """Whether the user has seen enough."""
        return self._ended.is_set()

    def run(self, samples: Samples, gives_way: Callable[[], bool], show: Callable[[Samples], Faithful]) -> None:
        """Show samples with more and more masked images, as a job in the background.

        Args:
            samples: what there is.
            gives_way: whether another job waits.
            show: shows samples, and gives a function that tells the faithfulness of whatever is shown then.
        """
        done, faithful = samples.budget, show(samples)

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self._check(gives_way)
            so_far = min(done, 2 * samples.budget, self.budget)  # captions may be asked about, too, and count as well
            told = f"sharpening: {so_far:,} of {self.budget:,} masked images"
            reached = faithful()
            self._say(told if reached is None else f"{told}, expected faithfulness {reached:.2f}")

        self.enough.layout.display = ""
        try:
            advance(0)
            for grown in sharpen(samples, self.budget, self._target, progress=advance):
                if grown is not samples:
                    samples, done, faithful = grown, grown.budget, show(grown)
                advance(0)
        except _Ended:
            pass
        finally:
            self.enough.layout.display = "none"
            self._say(f"{samples.budget:,} masked images")

    def _check(self, gives_way: Callable[[], bool]) -> None:
        if self.ended or gives_way():
            raise _Ended

    def _say(self, text: str) -> None:
        self.text.value = f'<div role="status">{html.escape(text)}</div>'
