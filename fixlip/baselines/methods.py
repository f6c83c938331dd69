"""The table of baselines: what `fixlip.explain` offers beside the estimators of `fixlip.estimators.methods`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..answers import text_budget
from ..estimators.indices import SCORES
from ..estimators.methods import PASSES, Method, Request
from ..subject import AnyGame

if TYPE_CHECKING:
    from ..explanation import Explanation

Passes = Callable[[int, int, str], int | None]  # of n_image, n_text and the basis


def _method(
    name: str, what: str, order: int, passes: Passes, is_long: bool = False, looks_inside: bool = True
) -> Method:
    """A baseline that takes a game, and `progress` if it is long, named as its function here; imported when it runs."""

    def run(game: AnyGame, request: Request) -> Explanation:
        explain: Any = getattr(import_module(__package__), name.replace("-", "_"))
        result: Explanation = explain(game, progress=request.progress) if is_long else explain(game)
        return result

    check = _check if looks_inside else _check_outside
    return Method(name, what, "game", (SCORES,), run, passes, check, counts=PASSES, orders=(order,), takes_budget=False)


def _random(game: Any, request: Request) -> Explanation:
    from .plain import random

    return random(game, request.seed)


def _metagame(base: str, title: str, backward: bool = True) -> Method:
    """The metagame of a base that takes one forward pass for all captions, and maybe a backward pass for each."""

    def run(game: Any, request: Request) -> Explanation:
        from .meta import metagame

        return metagame(game, base, request.p, request.index, request.budget, request.seed)

    def passes(n_image: int, n_text: int, basis: str) -> int:
        captions = min(1 << n_text, text_budget(n_text))
        return captions + 1 + captions * int(backward)

    what = f"{title} under masked captions, so that every word has a map of its own (2026)"
    indices = ("banzhaf", "shapley")
    return Method(f"metagame-{base}", what, "game", indices, run, passes, _check, counts=PASSES, orders=(2,))


def _check(game: AnyGame, request: Request) -> None:
    from .routes import check_game

    check_game(game)


def _check_outside(game: AnyGame, request: Request) -> None:
    from .routes import check_game

    check_game(game, looks_inside=False)


METHODS = {
    method.name: method
    for method in (
        _method(
            "occlusion",
            "what the similarity loses when one player alone is removed",
            1,
            lambda n_image, n_text, basis: n_image + n_text + 2,
            looks_inside=False,
        ),
        _method(
            "gradient-input",
            "gradient times input: the similarity's first-order expansion at the whole pair",
            1,
            lambda n_image, n_text, basis: 4,
        ),
        _method(
            "rollout",
            "attention rollout: where each encoder looks, whatever the other side is",
            1,
            lambda n_image, n_text, basis: 2,
        ),
        _method(
            "game",
            "attention times its positive gradients, in the last layer (Chefer et al. 2021)",
            1,
            lambda n_image, n_text, basis: 4,
        ),
        _method(
            "grad-eclip",
            "gradients at the last attention's output, times values, times similarity of query and keys",
            1,
            lambda n_image, n_text, basis: 4,
        ),
        _method(
            "maskclip",
            "cosine of every patch's, or token's, own embedding with the other side's",
            1,
            lambda n_image, n_text, basis: 2,
        ),
        _method(
            "exclip",
            "products of both encoders' integrated Jacobians: patches with tokens, and nothing else",
            2,
            lambda n_image, n_text, basis: None,  # grows with begin, end, class and padding, too
            is_long=True,
        ),
        Method(
            "random",
            "a map drawn by lot, beside which other maps show their worth",
            "game",
            (SCORES,),
            _random,
            lambda n_image, n_text, basis: 0,
            _check_outside,
            counts=PASSES,
            orders=(1,),
            takes_budget=False,
        ),
        _metagame("grad-eclip", "Grad-ECLIP"),
        _metagame("game", "GAME"),
        _metagame("maskclip", "MaskCLIP", backward=False),
    )
}
