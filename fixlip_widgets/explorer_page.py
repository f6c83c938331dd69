"""What a saved page of the Explorer holds: an explanation of every stored caption, budget and index, at any p."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

from fixlip import Explanation, Samples
from fixlip.estimators.indices import INDICES
from fixlip.masks import FloatArray
from fixlip.progress import progress_bar

from .live import ERROR_STEP, NODES, RANGE, STEP, TRIPLE_STEP, Live, Numbers, between, nodes, series, summed
from .triples import of_word_pairs
from .views import COEFFICIENTS

P_STEP = 0.01  # of the slider
WITH_TRIPLES = 120  # players, at most: with more, pages hold no triples and by default one budget
FEWEST, MOST_BUDGETS = 64, 4  # masked images of the smallest budget stored by default, and how many budgets
_PS = np.round(np.arange(RANGE[0], RANGE[1] + P_STEP / 2, P_STEP), 2)

Facts = dict[str, Any]
Told = list[tuple[int, list[str]]]


def live(explorer: Any, captions: Iterable[str], budgets: Sequence[int] | None) -> Live:
    """What makes a saved Explorer answer: see `Explorer.to_html`."""
    state, numbers, changed = explorer.state, Numbers(), {}
    names = ["order", "coefficients", "scaling", "view", "table"]
    if state.samples is None:
        if list(captions) or budgets is not None:
            raise ValueError("captions, budgets: wanted only with samples; an explanation has its own.")
        names.remove("order")
        stored = of_explanation(state.explanation, numbers)
    else:
        texts, counts = with_captions(state.samples, captions), budgets_of(state.samples, budgets)
        total = len(texts) * len(counts) * (NODES + len(INDICES) - 1)
        with progress_bar(total, "explanations stored") as advance:
            stored = of_samples(texts, counts, numbers, advance)
        names += ["p", "index", *(["budget"] if len(counts) > 1 else []), *(["caption"] if len(texts) > 1 else [])]
        at = max(one for one in counts if one <= max(state.budget, counts[0]))
        changed["budget"] = {"options": counts, "value": at}
        shown = state.samples.subject.text
        changed["caption"] = {"kind": "select", "options": [[text, text] for text in texts], "value": shown}
        if state.samples.subject.n_players > WITH_TRIPLES:
            changed["order"] = {"options": [one for one in explorer.order.options if one[1] < 3]}
    facts = {"captions": stored, "range": RANGE, "step": P_STEP, "coefficients": COEFFICIENTS}
    return Live("explorer.js", {name: getattr(explorer, name) for name in names}, facts, numbers, changed)


def with_captions(samples: Samples, captions: Iterable[str]) -> dict[str, Samples]:
    """Samples by caption, those at hand first; only masked captions are encoded.

    Raises:
        ValueError: if the game takes no other captions, or one does not fit.
    """
    found = {samples.subject.text: samples}
    for text in captions:
        if not hasattr(samples.game, "with_text"):
            raise ValueError("captions: wanted samples that have their game, which is asked about other captions.")
        if text not in found:
            game: Any = samples.game
            found[text] = samples.with_caption(game.with_text(text), progress=False)
    return found


def budgets_of(samples: Samples, asked: Sequence[int] | None) -> list[int]:
    """The budgets to be stored: those asked for, or all masked images, half of them, a quarter and an eighth."""
    if asked is not None:
        return sorted({samples.first(int(budget)).budget for budget in asked})
    count = MOST_BUDGETS if samples.subject.n_players <= WITH_TRIPLES else 1
    halves = [samples.budget >> k for k in range(count)]
    return sorted({samples.budget, *(one for one in halves if one >= FEWEST)})


def of_samples(
    captions: Mapping[str, Samples], budgets: Iterable[int], numbers: Numbers, advance: Callable[[int], object]
) -> list[Facts]:
    """What is stored of samples, caption by caption.

    Args:
        captions: samples of one image, by caption.
        budgets: masked images, as many as there are at most.
        numbers: where arrays are put.
        advance: called after every explanation.
    """
    found = []
    for text, samples in captions.items():
        subject = samples.subject
        stored = [
            {
                "budget": budget,
                "indices": {index: _of_index(samples, budget, index, numbers, advance) for index in INDICES},
            }
            for budget in budgets
        ]
        found.append({"text": text, "labels": list(subject.labels), "n_image": subject.n_image, "budgets": stored})
    return found


def of_explanation(explanation: Explanation, numbers: Numbers) -> list[Facts]:
    """What is stored of one explanation."""
    stored = _fixed({explanation.order: explanation}, numbers)
    told = [(0, _told(explanation))]
    faithful = [[explanation.expected_faithfulness]] * 3
    indices = {explanation.index: stored | {"told": told, "faithful": faithful}}
    subject, budgets = explanation.subject, [{"budget": explanation.budget, "indices": indices}]
    return [{"text": subject.text, "labels": list(subject.labels), "n_image": subject.n_image, "budgets": budgets}]


def _of_index(samples: Samples, budget: int, index: str, numbers: Numbers, advance: Callable[[int], object]) -> Facts:
    orders = (2, 3) if samples.subject.n_players <= WITH_TRIPLES else (2,)
    if index == "banzhaf":
        stored = at_any_p(samples, budget, numbers, advance, orders)
        return stored | {"faithful": [_faithful(samples, budget, order) for order in (1, *orders)]}
    found = {order: samples.explain(index=index, order=order, budget=budget) for order in orders}
    advance(1)
    return _fixed(found, numbers) | {"told": [(0, _told(found[2]))], "faithful": None}


def at_any_p(
    samples: Samples, budget: int, numbers: Numbers, advance: Callable[[int], object], orders: Sequence[int]
) -> Facts:
    """Where series are whose sums are explanations at any p, and sentences beside them.

    Args:
        samples: what to explain.
        budget: masked images to use.
        numbers: where arrays are put.
        advance: called after every explanation.
        orders: 2, and 3 for triples.
    """
    found = []
    for p in nodes():
        found.append({order: samples.explain(float(p), order=order, budget=budget) for order in orders})
        advance(1)
    return _at_any_p(found, numbers)


def _fixed(found: Mapping[int, Explanation], numbers: Numbers) -> Facts:
    """Of an index without p: series of one term."""
    stored = {name: None if one is None else one[None] for name, one in _arrays(found).items()}
    return _kept(stored, found, numbers) | {"p": found[max(found)].p}


def _at_any_p(found: Sequence[Mapping[int, Explanation]], numbers: Numbers) -> Facts:
    """Of explanations at the nodes."""
    arrays = [_arrays(one) for one in found]
    missing = {name for one in arrays for name, array in one.items() if array is None}
    stored: dict[str, Any]
    stored = {name: None if name in missing else np.array([one[name] for one in arrays]) for name in arrays[0]}
    errors = len(_PS) * [None] if stored["value_errors"] is None else list(between(stored["value_errors"], _PS))
    for name, array in stored.items():
        if array is not None and not name.endswith("_errors"):
            stored[name] = series(array)
    told = [_told(found[0][2], *at) for at in zip(summed(stored["values"], _PS), errors, strict=True)]
    return _kept(stored, found[0], numbers) | {"told": _runs(told)}


def _arrays(found: Mapping[int, Explanation]) -> dict[str, Any]:
    """The arrays of one explanation, which comes in several orders; pairs as their upper triangle.

    `third` is what the attributions of order 3 have over those of order 2.
    """
    top = found[max(found)]
    second = found[2] if 2 in found else top.second_order()
    upper = np.triu_indices(top.n_players, 1)
    third: dict[str, Any] = {"third": None, "triples": None, "triple_errors": None}
    if top.triples is not None:
        third = {
            "third": top.attributions - second.attributions,
            "triples": of_word_pairs(top, top.triples),
            "triple_errors": None if top.triple_errors is None else of_word_pairs(top, top.triple_errors),
        }
    return third | {
        "values": top.values,
        "value_errors": top.value_stderr,
        "pairs": top.pair_values[upper],
        "pair_errors": None if top.pair_stderr is None else top.pair_stderr[upper],
        "single_errors": None if second.stderr is None else second.stderr[0],
    }


def _kept(stored: Mapping[str, Any], found: Mapping[int, Explanation], numbers: Numbers) -> Facts:
    """Where the arrays are, and what stands beside them."""
    one = found[max(found)]
    scale = one.largest or 1.0  # scores may be of any size
    steps = {"triples": TRIPLE_STEP} | {name: ERROR_STEP for name in stored if name.endswith("_errors")}
    places = {
        name: None if array is None else numbers.add(array, scale * steps.get(name, STEP))
        for name, array in stored.items()
    }
    return places | {
        "order": one.order, "largest": one.largest, "unit": one.names.unit, "predicts": one.predicts
    }  # fmt: skip


def _told(one: Explanation, values: FloatArray | None = None, errors: FloatArray | None = None) -> list[str]:
    """Sentences beside the numbers; with other values and errors, those at another p."""
    claims = one.claims
    if values is not None:
        claims = replace(claims, values=values, errors=errors)
    rule = claims.names.rule
    return [claims.similarity, *([f"the numbers are {rule}"] if rule else []), *claims.remarks(one.notes)]


def _runs(told: Sequence[list[str]]) -> Told:
    """Where along p sentences change, and to which."""
    return [(k, lines) for k, lines in enumerate(told) if not k or told[k - 1] != lines]


def _faithful(samples: Samples, budget: int, order: int) -> list[float | None]:
    """Faithfulness at all p of the slider between two where it is known; between every third a spline goes through."""
    readout = samples.readout(budget)
    known = [(p, readout.expected_faithfulness(float(p), order)) for p in _PS[::3]]
    at = [(p, one) for p, one in known if one is not None]
    if len(at) < 2:
        return [None] * len(_PS)
    ps, values = np.array(at).T
    found, inside = CubicSpline(ps, values)(_PS), (_PS >= ps[0]) & (_PS <= ps[-1])
    return [round(float(one), 4) if keep else None for one, keep in zip(found, inside, strict=True)]
