"""What a saved page of InsertionDeletion holds: curves at every p of the slider, and the masked pair at every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fixlip import Explanation
from fixlip.baselines.methods import METHODS as BASELINES
from fixlip.metrics import Curves, area_between_curves, insertion_deletion
from fixlip.progress import progress_bar

from .live import Live, Numbers
from .panel import in_words

STEP = 1e-4  # of curves, shares of the similarity
_PARTS = ("against", "also", "removed", "step", "play", "side", "plot", "key", "areas", "view")

Facts = dict[str, Any]


def live(panel: Any, removed: dict[str, str], colours: dict[str, str], others: tuple[str, ...]) -> Live:
    """What makes a saved InsertionDeletion answer.

    Args:
        panel: the widget.
        removed: whose players are removed, in words, by name.
        colours: of what is explained, by name.
        others: colours of what is compared with it, in turn.
    """
    state, numbers = panel.state, Numbers()
    ps = _places(panel.p) if not panel.p.disabled else [state.p]
    names = [name for name in state.others if name not in BASELINES or name in (state.against, state.also)]
    sides: dict[str, Facts] = {}
    with progress_bar(len(removed) * (len(ps) + len(names)), "curves stored") as advance:
        for side in removed:
            found = _Side(state.game, side, numbers)
            own = [_own(found, state.asked(p), advance) for p in ps]
            sides[side] = {"own": own, "others": {name: _other(found, state, name, ps, advance) for name in names}}
    first = list(colours)[-1]
    fixed = [colours[first]] if any(first not in one for side in sides.values() for one in side["own"]) else []
    facts: Facts = {"sides": sides, "removed": removed, "colours": colours, "others": [*fixed, *others]}
    if not panel.p.disabled:
        facts |= {"low": panel.p.min, "step": panel.p.step}
    menu = {"options": [[name, name] for name in panel.against.options if name in names or name not in state.others]}
    parts = {name: getattr(panel, name) for name in (*_PARTS, *([] if panel.p.disabled else ["p"]))}
    return Live("insertion_deletion.js", parts, facts, numbers, {"against": menu, "also": menu})


def _places(slider: Any) -> list[float]:
    """The p that a slider stops at."""
    return [float(p) for p in np.round(np.arange(slider.min, slider.max + slider.step / 2, slider.step), 6)]


def _own(side: _Side, asked: dict[str, Explanation], advance: Callable[[int], object]) -> Facts:
    """Curves of explanations by name; those of the first come with its masks."""
    advance(1)
    return {name: side.kept(lambda one=one: one, not k) for k, (name, one) in enumerate(asked.items())}  # type: ignore[misc]


def _other(side: _Side, state: Any, name: str, ps: list[float], advance: Callable[[int], object]) -> list[Facts]:
    """Curves of what is compared with: one for every p where a baseline may depend on it, else one."""
    found = [
        side.kept(lambda p=p: state.others[name](p))  # type: ignore[misc]
        for p in (ps if name in BASELINES else ps[:1])
    ]
    advance(1)
    return found


class _Side:
    """Curves of the players of one side."""

    def __init__(self, game: Any, side: str, numbers: Numbers) -> None:
        self._game, self._side, self._numbers = game, side, numbers

    def kept(self, make: Callable[[], Explanation], masks: bool = False) -> Facts:
        """Where the curves of an explanation are, with area and, where asked for, masks; or why there are none."""
        try:
            curves = insertion_deletion(make(), self._game, side=self._side, progress=False)
            insert, delete = curves.normalised()
        except ValueError as error:
            return {"error": in_words(error)}
        add = self._numbers.add
        found: Facts = {"insert": add(insert, STEP), "delete": add(delete, STEP), "area": area_between_curves(curves)}
        if masks:
            found["masks"] = {"insert": add(curves.insert_masks, 1.0), "delete": add(curves.delete_masks, 1.0)}
            found["steps"] = steps_in_words(curves)
        return found


def steps_in_words(curves: Curves) -> str:
    """What a step along the curves is: a player each, or where there are many about two percent of them."""
    last = len(curves.insert) - 1
    removable = int((curves.insert_masks[0] & ~curves.insert_masks[-1]).sum())
    return "players removed" if last == removable else f"steps of {100 / last:.2g} % removed"
