"""What a saved page of PlantAFault holds: faults planted at a choice of places, and what the models say of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from fixlip import Explanation
from fixlip.emoji.props import BADGE, LABEL
from fixlip.emoji.scenes import UNITS
from fixlip.progress import progress_bar

from .live import Live, Numbers
from .planting import THINGS, PlantState, picture_of
from .planting_words import HINTS, decisions, token_places, where
from .views import PairView, data_uri

ARRAYS = ("values", "errors", "interactions", "pair_errors", "triples", "triple_errors")
STEP = 1e-4  # of their numbers, logits
_TRAITS = {"shortcut": "badge", "reads": "label", "binding": "tints"}  # what says where a thing is

Facts = dict[str, Any]


def live(panel: Any, faults: Sequence[str], places: int) -> Live:
    """What makes a saved PlantAFault answer: see `PlantAFault.to_html`."""
    unknown = [one for one in faults if one not in THINGS]
    if unknown or not faults:
        raise ValueError(f"faults: got {', '.join(map(repr, unknown)) or 'none'}, wanted some of {', '.join(THINGS)}.")
    shown, numbers = panel.state, Numbers()
    order = [shown.fault, *(one for one in faults if one != shown.fault)]
    states = {fault: _as_set_up(shown, fault) for fault in order if fault in faults}
    spots = {fault: _spots(state, places, shown) for fault, state in states.items()}
    with progress_bar(sum(map(len, spots.values())), "scenes stored") as advance:
        stored = {fault: _fault(states[fault], spots[fault], numbers, advance) for fault in states}
    views = {f"map{m}{k}": view for m, pair in enumerate(panel.maps) for k, view in enumerate(pair)}
    titles = [list(views)[2 * m : 2 * m + 2] for m in range(len(panel.maps))]
    parts = {"scene": panel.scene, "readout": panel.readout, "clear": panel.clear, "fault": panel.fault, **views}
    options = [[name, fault] for name, fault in panel.fault.options if fault in states]
    first = next(iter(states))
    changed = {"fault": {"options": options, "value": first}}
    if len(states) == 1:
        del parts["fault"]
    facts = {"faults": stored, "maps": titles, "first": first}
    return Live("plant_a_fault.js", parts, facts, numbers, changed, clicks=True)


def _as_set_up(shown: PlantState, fault: str) -> PlantState:
    """A state of its own with the scene that is shown, and nothing planted; captions are kept where the fault is."""
    state = PlantState(shown.encoders, fault, shown.seed, planted=False)
    state.objects = [*shown.objects]
    if fault == shown.fault:
        state.word, state.caption, state.foil = shown.word, shown.caption, shown.foil
    else:
        state.propose()
    state.clear()
    return state


def _spots(state: PlantState, places: int, shown: PlantState) -> list[list[Any]]:
    """Where the thing is planted: where it does most or is shown, over a grid of places, and nowhere, the last.

    Of painted objects these are their tints, in all combinations of the given ones.
    """
    trait = _TRAITS[state.fault]
    most = PlantState(state.encoders, state.fault, state.seed, planted=False)
    most.objects = [*state.objects]
    most.start()
    first = [getattr(most, trait)]
    if state.fault == shown.fault and shown.setting.planted:
        first = [getattr(shown, trait), *first]
    if state.fault == "binding":
        rest = [list(one) for one in product(dict.fromkeys(state.given), repeat=len(state.objects))]
        tried = [one for one in (*first, *rest) if set(one) <= set(state.given) and one != state.given]
        return _distinct([*tried, state.given])
    width, height = (BADGE, BADGE) if state.fault == "shortcut" else LABEL
    along = (np.arange(places) + 0.5) / places * UNITS
    across, down = (np.clip(along, one / 2, UNITS - one / 2).tolist() for one in (width, height))
    return _distinct([*first, *([x, y] for y in down for x in across), []])


def _distinct(spots: list[list[Any]]) -> list[list[Any]]:
    return [one for k, one in enumerate(spots) if one not in spots[:k]]


def _fault(state: PlantState, spots: list[list[Any]], numbers: Numbers, advance: Callable[[int], object]) -> Facts:
    """What is stored of one fault: its scene view, and all that changes from spot to spot."""
    frames = []
    for spot in spots:
        setattr(state, _TRAITS[state.fault], spot)
        state.ask(sharp=True)
        frames.append({"spot": spot, **_frame(state, numbers)})
        advance(1)
    scene = picture_of(state.setting.before)
    painted, side = state.fault == "binding", scene.image.width
    shown = state.shown
    assert shown is not None  # asked for above
    first = shown.explanations[0][0]
    view = {
        "thing": [] if painted else [BADGE, BADGE] if state.fault == "shortcut" else [*LABEL],
        "round": state.fault == "shortcut",
        "named": THINGS[state.fault],
        "palette": list(dict.fromkeys(state.given)),
        "boxes": [[UNITS * one / side for one in box] for box in scene.boxes] if painted else [],
        "objects": list(state.objects),
        "hint": HINTS[state.fault],
    }
    return {"scene": view, "frames": frames, "kept": token_places(first, state.asked_words)}


def _frame(state: PlantState, numbers: Numbers) -> Facts:
    shown = state.shown
    assert shown is not None
    names = [encoder.name for encoder in state.encoders]
    maps = [[_map(one, numbers) for one in pair] for pair in shown.explanations]
    image = data_uri(picture_of(state.setting.after).image)
    return {"image": image, "words": where(state), "told": decisions(shown, names), "maps": maps}


def _map(explanation: Explanation, numbers: Numbers) -> Facts:
    """Where the arrays are that a view of an explanation is drawn from, with its labels and picture."""
    view = PairView.of_subject(explanation.subject)
    view.show(explanation, triples=True)
    arrays = {name: np.frombuffer(getattr(view, name), np.float32) for name in ARRAYS}
    return {"labels": view.labels, "arrays": {name: numbers.add(array, STEP) for name, array in arrays.items()}}
