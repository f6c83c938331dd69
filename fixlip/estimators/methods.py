"""The table of estimators: from a game, or from answers at hand, to an explanation; what each needs and gives.

`Samples.explain` reads it; `fixlip.methods` adds the baselines, for `fixlip.explain` and the command line. A new method
is one more entry. Nothing heavy is imported until a method is run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..answers import caption_budget
from ..extras import need
from ..masks import MAX_ENUMERATED_PLAYERS, check_budget, check_p, check_seed
from ..subject import AnyGame
from ..triples import check_players
from .budgets import KERNEL_BUDGET, check_determined, check_kernel, least_squares_budget
from .indices import INDICES, SCORES, check_index

if TYPE_CHECKING:
    from ..answers import Answers
    from ..explanation import Explanation

# What the budget of methods counts that look into the model instead of asking it about masks.
PASSES = "forward and backward passes"


@dataclass(frozen=True)
class Request:
    """What is asked of a method.

    Attributes:
        p: presence probability at which the fit is best; means nothing to the Shapley indices.
        index: one of `fixlip.estimators.indices.INDICES`, or "scores"; empty for the first that the method gives.
        order: 2, or 1 for values without interactions, or 3 with triples; 0 for what the method gives if not asked.
        basis: which interactions are fitted: "full", "crossmodal" or "filtered".
        budget: how many masks; None for all that are at hand, or the method's default.
        seed: of the masks, where the method draws some.
        progress: show a bar if it takes long.
    """

    p: float = 0.5
    index: str = ""
    order: int = 0
    basis: str = "full"
    budget: int | None = None
    seed: int = 0
    progress: bool = False


@dataclass(frozen=True)
class Method:
    """One way to an explanation.

    Attributes:
        name: what it is called.
        what: a sentence on how it works, for help texts.
        needs: "answers" (masked images and masked captions in all combinations, which can serve many explanations), or
            "game" (it asks the game itself).
        indices, bases, orders: what it can give; what it gives if nothing is asked stands first.
        counts: what its budget counts.
        gives: what it gives besides the numbers: "standard errors", "expected faithfulness".
        at_p: it needs masks drawn at the p of the result.
        takes_budget: a budget means something to it; if not, it takes what it needs.
        run: of answers or a game, and a checked request.
        budget_of: default budget for (n_image, n_text, basis), or None where a budget has no meaning.
        check_game: refuses, before any model call, a request that a game is too large or a budget too small for.
    """

    name: str
    what: str
    needs: str
    indices: tuple[str, ...]
    run: Callable[[Any, Request], Explanation]
    budget_of: Callable[[int, int, str], int | None]
    check_game: Callable[[AnyGame, Request], None]
    bases: tuple[str, ...] = ("full",)
    orders: tuple[int, ...] = (2, 1)
    counts: str = "masked images"
    gives: tuple[str, ...] = ()
    at_p: bool = False
    takes_budget: bool = True

    def check(self, request: Request) -> Request:
        """The request in canonical form.

        Raises:
            ValueError: one sentence, if this method cannot do it.
        """
        p, index, seed = check_p(request.p), request.index or self.indices[0], check_seed(request.seed)
        index = index if index in self.indices else check_index(index)
        for name, value, choices in (("index", index, self.indices), ("basis", request.basis, self.bases)):
            if value not in choices:
                raise ValueError(
                    f"{name}: got {value!r}, wanted one of {', '.join(choices)} with the estimator {self.name!r}."
                )
        order = request.order or self.orders[0]
        if order not in self.orders or isinstance(order, bool):
            wanted = " or ".join(", ".join(str(one) for one in sorted(self.orders)).rsplit(", ", 1))
            raise ValueError(f"order: got {order!r}, wanted {wanted} with the estimator {self.name!r}.")
        budget = None if request.budget is None else check_budget(request.budget)
        if budget is not None and not self.takes_budget:
            raise ValueError(
                f"budget: got {budget:,}, but the estimator {self.name!r} takes as many {self.counts} as it needs; "
                "leave it out."
            )
        if index == SCORES and p != Request.p:
            raise ValueError(
                f"p: got {p:g}, but the estimator {self.name!r} averages over no coalitions, and so has no p; leave it "
                "out."
            )
        return replace(request, p=p, index=index, order=order, seed=seed, budget=budget)

    def for_game(self, game: AnyGame, request: Request) -> Request:
        """The checked request with a budget for this game.

        Raises:
            ValueError: one sentence, before any model call, if this method cannot do it for this game.
        """
        budget = self.budget_of(game.n_image, game.n_text, request.basis)
        request = request if request.budget is not None else replace(request, budget=budget)
        self.check_game(game, request)
        return request


def method_named(name: str, among: Mapping[str, Method]) -> Method:
    """The method of a name.

    Args:
        name: what it is called.
        among: the methods to choose from.

    Raises:
        ValueError: one sentence, if there is none.
    """
    if name not in among:
        raise ValueError(f"estimator: got {name!r}, wanted one of {', '.join(among)}.")
    return among[name]


# ---- how each is run


def _kernel(answers: Answers, request: Request) -> Explanation:
    from .fits import readout_of

    _check_triples(answers.subject.n_players, request)
    return readout_of(answers, request.budget).explain(request.p, request.index, request.order)


def _crossmodal(answers: Answers, request: Request) -> Explanation:
    from .least_squares import crossmodal_least_squares

    return _of_order(crossmodal_least_squares(_first(answers, request), request.p, request.basis), request.order)


def _tree(answers: Answers, request: Request) -> Explanation:
    from .tree_proxy import tree_proxy

    return _of_order(tree_proxy(_first(answers, request), request.p), request.order)


def _agnostic(game: AnyGame, request: Request) -> Explanation:
    from .agnostic import agnostic_least_squares

    assert request.budget is not None
    r = request
    return agnostic_least_squares(game, request.budget, r.p, r.index, r.basis, r.order, r.seed, r.progress)


def _exact(game: AnyGame, request: Request) -> Explanation:
    from .exact import exact

    return exact(game, request.p, request.index, request.order)


def _of_order(explanation: Explanation, order: int) -> Explanation:
    return explanation if order == 2 else explanation.first_order()


def _first(answers: Answers, request: Request) -> Answers:
    count = answers.budget if request.budget is None else request.budget
    return replace(answers, image_side=answers.image_side.first(count))


# ---- what is refused before any model call


def _check_kernel(game: AnyGame, request: Request) -> None:
    _check_triples(game.n_image + game.n_text, request)
    budget = request.budget or 0
    if game.n_image > MAX_ENUMERATED_PLAYERS or 2**game.n_image > budget:
        check_kernel(budget)


def _check_triples(n_players: int, request: Request) -> None:
    if request.order == 3:
        check_players(n_players)


def _check_crossmodal(game: AnyGame, request: Request) -> None:
    images = request.budget or 0
    check_determined(images, caption_budget(game, images), game.n_image, game.n_text, request.basis)


def _check_tree(game: AnyGame, request: Request) -> None:
    from .tree_proxy import SKLEARN

    need(*SKLEARN)


def _check_agnostic(game: AnyGame, request: Request) -> None:
    from .agnostic import pairs_to_fit

    pairs_to_fit(game, request.budget or 0, request.index, request.basis, request.order)


def _check_exact(game: AnyGame, request: Request) -> None:
    from .exact import check_size

    check_size(game)


METHODS = {
    method.name: method
    for method in (
        Method(
            "kernel",
            "a Gaussian process over masks: few masked images, any p and index from one set of them",
            "answers",
            INDICES,
            _kernel,
            lambda n_image, n_text, basis: KERNEL_BUDGET,
            _check_kernel,
            orders=(2, 1, 3),
            gives=("standard errors", "expected faithfulness"),
        ),
        Method(
            "crossmodal",
            "least squares over all pairs of masked images and captions, the paper's estimator",
            "answers",
            ("banzhaf",),
            _crossmodal,
            lambda n_image, n_text, basis: least_squares_budget(n_image, basis),
            _check_crossmodal,
            bases=("full", "crossmodal"),
            at_p=True,
        ),
        Method(
            "tree",
            "gradient-boosted trees, read off exactly and corrected by sampling",
            "answers",
            ("banzhaf",),
            _tree,
            lambda n_image, n_text, basis: KERNEL_BUDGET,
            _check_tree,
            at_p=True,
        ),
        Method(
            "agnostic",
            "least squares over coalitions of patches and tokens together, for any game",
            "game",
            ("banzhaf", "shapley"),
            _agnostic,
            lambda n_image, n_text, basis: least_squares_budget(n_image + n_text, basis),
            _check_agnostic,
            bases=("full", "crossmodal", "filtered"),
            counts="coalitions",
        ),
        Method(
            "exact",
            f"every coalition of at most {MAX_ENUMERATED_PLAYERS} players",
            "game",
            INDICES,
            _exact,
            lambda n_image, n_text, basis: None,
            _check_exact,
            orders=(2, 1, 3),
            counts="coalitions",
            takes_budget=False,
        ),
    )
}
# Those that need no more than answers at hand.
OF_ANSWERS = {name: method for name, method in METHODS.items() if method.needs == "answers"}
