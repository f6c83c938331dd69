"""What the exercises of chapter 16 does it bind want."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


def _games(rng: Any) -> Any:
    for n, p in ((3, 0.5), (4, 0.5), (4, 0.2), (5, 0.8), (6, 0.35)):
        masks = np.array(list(product([False, True], repeat=n)))[rng.permutation(2**n)]
        chosen = (int(player) for player in rng.permutation(n)[:3])
        yield masks, rng.normal(size=2**n), *chosen, p


def _averaged(masks: Any, values: Any, chosen: Any, weight: Callable[[Any], float]) -> float:
    """Signed sum over all masks of the values, each weighed by what is present of the players not chosen."""
    rest = [player for player in range(masks.shape[1]) if player not in chosen]
    total = 0.0
    for mask, value in zip(masks, values, strict=True):
        absent = len(chosen) - int(mask[list(chosen)].sum())
        total += (-1) ** absent * weight(mask[rest]) * float(value)
    return total


def _of_p(p: float) -> Callable[[Any], float]:
    return lambda rest: float(np.prod(np.where(rest, p, 1 - p)))


def _least(masks: Any) -> float:
    return 0.5 ** (masks.shape[1] - 3)


EXERCISES["16.1"] = Exercise(
    cases=_games,
    reference=lambda masks, values, i, j, k, p: _averaged(masks, values, (i, j, k), _of_p(p)),
    hint="a mask counts with the sign +1 where three of the players or one is present, else -1, and with a weight: p "
    "for each other player that is present times 1 - p for each that is absent.",
    mistakes=[
        (
            lambda masks, values, i, j, k, p: -_averaged(masks, values, (i, j, k), _of_p(p)),
            "the sign: with all three present it is +1, and it changes with each that is absent.",
        ),
        (
            lambda masks, values, i, j, k, p: _averaged(masks, values, (i, j, k), lambda rest: _least(masks)),
            "the other players are present with probability p; this counts all masks of theirs alike.",
        ),
        (
            lambda masks, values, i, j, k, p: _averaged(masks, values, (i, j, k), lambda rest: 1.0),
            "this is the sum over all masks of the other players; weigh them, so that it is a mean.",
        ),
        (
            lambda masks, values, i, j, k, p: _averaged(masks, values, (i, j, k), lambda rest: float(not rest.any())),
            "this is the triple with all others absent; average over what else is present.",
        ),
        (
            lambda masks, values, i, j, k, p: _averaged(masks, values, (i, j, k), lambda rest: float(rest.all())),
            "this is the triple with all others present; average over what else is present.",
        ),
        (
            lambda masks, values, i, j, k, p: _averaged(masks, values, (i, j), _of_p(p)),
            "this is the pair of i and j; a triple asks how it changes when k joins.",
        ),
        (
            lambda masks, values, i, j, k, p: float(
                np.sum(
                    [
                        (-1) ** (3 - int(mask[[i, j, k]].sum())) * np.prod(np.where(mask, p, 1 - p)) * value
                        for mask, value in zip(masks, values, strict=True)
                    ]
                )
            ),
            "the weight is that of the other players alone; i, j and k are set, not drawn.",
        ),
    ],
    tolerance=1e-9,
)


def _asked(rng: Any, found: Any) -> Any:
    """Both models' explanations of both captions, every colour word with every object word, on some of the patches."""
    for caption, foil in found.values():
        for colour, noun in product(("red", "blue"), ("goldfish", "key")):
            yield caption, foil, colour, noun, [int(patch) for patch in rng.permutation(caption.n_image)[:7]]


def _told(explanation: Any, colour: str, noun: str, patches: Any) -> float:
    triples, one, other = explanation.triples, explanation.find(colour), explanation.find(noun)
    return float(sum(triples[one, other, patch] for patch in patches))


def _at_place(caption: Any, foil: Any, colour: str, noun: str, patches: Any) -> float:
    one, other = caption.find(colour), caption.find(noun)
    return float(sum(caption.triples[one, other, k] - foil.triples[one, other, k] for k in patches))


EXERCISES["16.2"] = Exercise(
    cases=_asked,
    reference=lambda caption, foil, *asked: _told(caption, *asked) - _told(foil, *asked),
    hint="explanation.condition(colour, noun) holds the triples of both words with every player; add those with the "
    "patches up, for either caption, and subtract the foil's.",
    mistakes=[
        (_at_place, "in the foil the colour word stands elsewhere: find words by name in each, not by one's number."),
        (
            lambda caption, foil, *asked: _told(foil, *asked) - _told(caption, *asked),
            "the sign: the caption's triples minus the foil's.",
        ),
        (lambda caption, foil, *asked: _told(caption, *asked), "this is without the control: subtract the foil's."),
        (
            lambda caption, foil, *asked: (_told(caption, *asked) - _told(foil, *asked)) / len(asked[-1]),
            "this is the mean over the patches; add them up.",
        ),
        (
            lambda caption, foil, colour, noun, patches: float(
                sum(caption.condition(colour)[patches]) - sum(foil.condition(colour)[patches])
            ),
            "these are pairs of the colour word with the patches; condition takes both words.",
        ),
        (
            lambda caption, foil, colour, noun, patches: float(
                caption.condition(colour, noun).sum() - foil.condition(colour, noun).sum()
            ),
            "this adds up all players; only the patches asked about count.",
        ),
    ],
)
