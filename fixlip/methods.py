"""All methods by name: estimators of the game's interactions, and the baselines that stand beside them."""

from __future__ import annotations

from .baselines import methods as baselines
from .estimators import methods as estimators
from .estimators.methods import Method

METHODS = {**estimators.METHODS, **baselines.METHODS}


def method_named(name: str) -> Method:
    """The method of a name.

    Raises:
        ValueError: one sentence, if there is none.
    """
    return estimators.method_named(name, METHODS)
