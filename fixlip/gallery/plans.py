"""What the gallery asks of each method: FIxLIP of both orders, Shapley values, and whatever else is in the table."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..api import SHAPLEY_MIXTURE
from ..baselines.methods import METHODS as BASELINES
from ..estimators.indices import SCORES
from ..estimators.methods import PASSES, Method, Request
from ..explanation import Explanation
from ..methods import METHODS
from ..samples import Samples, sample
from ..subject import AnyGame


@dataclass(frozen=True)
class Plan:
    """How a method is run.

    Attributes:
        name: what `compare_methods` calls it.
        title: what readers know it by; empty if the explanation says it.
        estimator: one of `fixlip.methods.METHODS`.
        index: empty for the first that the estimator gives.
        order: 0 for the highest that it gives.
    """

    name: str
    title: str
    estimator: str
    index: str = ""
    order: int = 0

    @property
    def method(self) -> Method:
        """The entry of the table."""
        return METHODS[self.estimator]

    def request(self, p: float, budget: int | None, seed: int, progress: bool) -> Request:
        """The checked request: p goes to methods that have one, a budget to those that ask the model about masks.

        Raises:
            ValueError: one sentence, if an argument does not fit.
        """
        request = Request(index=self.index, order=self.order, seed=seed, progress=progress)
        if self.method.takes_budget and self.method.counts != PASSES:
            request = replace(request, budget=budget)
        if SCORES not in self.method.indices:
            request = replace(request, p=p)
        return self.method.check(request)


_OWN = (
    Plan("kernel", "FIxLIP", "kernel", "banzhaf", 2),
    Plan("banzhaf", "weighted Banzhaf values", "kernel", "banzhaf", 1),
    Plan("shapley", "Shapley values", "kernel", "shapley", 1),
)
PLANS = {plan.name: plan for plan in _OWN}
PLANS |= {name: Plan(name, "", name) for name in METHODS if name not in PLANS}


def default_methods() -> tuple[str, ...]:
    """FIxLIP, its values of first order, Shapley values, and all baselines; `PLANS` has the other estimators too."""
    return (*(plan.name for plan in _OWN), *BASELINES)


def plans_of(methods: Sequence[str] | None) -> list[Plan]:
    """The plans of the methods named, by default of `default_methods`.

    Raises:
        ValueError: one sentence, if one is named that there is not, or one is named twice.
    """
    if isinstance(methods, str):
        raise ValueError(f"methods: got {methods!r}, wanted a list of names, for example [{methods!r}].")
    names = default_methods() if methods is None else tuple(methods)
    unknown = [name for name in names if name not in PLANS]
    if unknown:
        raise ValueError(f"methods: got {unknown[0]!r}, wanted some of {', '.join(PLANS)}.")
    if not names or len(set(names)) < len(names):
        raise ValueError(f"methods: got {', '.join(names) or 'none'}, wanted at least one, each once.")
    return [PLANS[name] for name in names]


@dataclass
class Runner:
    """Runs plans on one game, each as if it were the first that the model is asked by.

    FIxLIP's second and first order are read from one fit to one set of answers: the cost of either is all of that.

    Attributes:
        game: what is explained.
        drawn: answers at hand with what they cost, by estimator, presence probabilities and number of masks.
    """

    game: AnyGame
    drawn: dict[Any, tuple[Samples, int | None, float]] = field(default_factory=dict)

    def run(self, plan: Plan, request: Request) -> tuple[Explanation, int | None, float]:
        """The explanation, the passes that it took, and the seconds.

        Raises:
            ValueError: one sentence, if the method cannot explain this game.
        """
        request = plan.method.for_game(self.game, request)
        if plan.method.needs == "game":
            game, start = _afresh(self.game), time.perf_counter()
            explanation = plan.method.run(game, request)
            seconds = time.perf_counter() - start
            return explanation, explanation.budget if plan.method.counts == PASSES else _encodings(game), seconds
        samples, passes, asking = self._samples(plan.estimator, request)
        start = time.perf_counter()
        explanation = samples.explain(
            request.p, request.index, order=request.order, estimator=plan.estimator, basis=request.basis
        )
        return explanation, passes, asking + time.perf_counter() - start

    def _samples(self, estimator: str, request: Request) -> tuple[Samples, int | None, float]:
        p = request.p if request.index == "banzhaf" else SHAPLEY_MIXTURE
        key = estimator, p, request.budget
        if key not in self.drawn:
            assert request.budget is not None
            game, start = _afresh(self.game), time.perf_counter()
            # Fewer answers than asked for could not be compared: whoever interrupts loses the method in work.
            samples = sample(
                game,  # type: ignore[arg-type]  # `sample` says so if it is none
                request.budget,
                p,
                request.seed,
                progress=request.progress,
                on_interrupt="raise",
            )
            if estimator == "kernel":
                samples.readout()  # fitted once for both orders, and part of what either costs
            self.drawn[key] = samples, _encodings(game), time.perf_counter() - start
        return self.drawn[key]


def _afresh(game: AnyGame) -> AnyGame:
    """A game that remembers nothing, where it can say so."""
    again = getattr(game, "afresh", None)
    return again() if callable(again) else game


def _encodings(game: AnyGame) -> int | None:
    return getattr(game, "encodings", None)
