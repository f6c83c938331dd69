"""Rivals of FIxLIP, each an `Explanation` of one and the same game.

So metrics, pictures, widgets and experiments take them as they are. What had to be adapted for SigLIP, and why, stands
in each docstring. Weighted Banzhaf values and Shapley values, the first order of FIxLIP's own estimators, are
`fixlip.explain(..., order=1)`.

Names are imported when they are first used: the command line lists these methods without loading torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .chefer import game as game
    from .chefer import rollout as rollout
    from .dense import maskclip as maskclip
    from .eclip import grad_eclip as grad_eclip
    from .jacobians import exclip as exclip
    from .jacobians import exclip_matrix as exclip_matrix
    from .meta import metagame as metagame
    from .meta import third_order as third_order
    from .plain import gradient_input as gradient_input
    from .plain import occlusion as occlusion
    from .plain import random as random

_HOME = {
    "exclip": "jacobians",
    "exclip_matrix": "jacobians",
    "game": "chefer",
    "grad_eclip": "eclip",
    "gradient_input": "plain",
    "maskclip": "dense",
    "metagame": "meta",
    "occlusion": "plain",
    "random": "plain",
    "rollout": "chefer",
    "third_order": "meta",
}
__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module 'fixlip.baselines' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
