"""What the exercises of the chapters want, by their numbers; do not read it before you have tried them."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


# ---- 00 quick start


def _value(game: Any, mask: Any) -> float:
    return float(game(np.asarray(mask, bool))[0])


EXERCISES["00.1"] = Exercise(
    cases=lambda rng, game: [(game, word) for word in game.labels[game.n_image :]],
    reference=lambda game, word: _value(game, [label != word for label in game.labels]),
    hint="a mask has one entry per player; everyone but the word is present, and game(mask) returns an array.",
    mistakes=[
        (
            lambda game, word: _value(game, [label == word for label in game.labels]),
            "this is the word all alone; it is the word that has to be absent, and everybody else present.",
        ),
        (
            lambda game, word: game.full_value - _value(game, [label != word for label in game.labels]),
            "this is how much removing the word costs; wanted is the value that remains.",
        ),
        (
            lambda game, word: game(np.array([label != word for label in game.labels])),
            "game(mask) returns an array with one value; return that value, float(game(mask)[0]).",
        ),
    ],
    tolerance=1e-4,
)


# ---- 08 faithfulness


def _r2(truth: Any, predicted: Any, weights: Any, mean: float | None = None) -> float:
    mean = np.average(truth, weights=weights) if mean is None else mean
    return float(1 - np.sum(weights * (truth - predicted) ** 2) / np.sum(weights * (truth - mean) ** 2))


def _ratio(masks: Any, drawn: float, at: float, absent: bool = True) -> Any:
    """How much more often each mask is drawn at the second p than at the first."""
    present = masks.sum(axis=1)
    return (at / drawn) ** present * ((1 - at) / (1 - drawn)) ** ((masks.shape[1] - present) * absent)


def _predicted_masks(rng: Any) -> Any:
    for drawn, at in ((0.5, 0.3), (0.4, 0.7), (0.6, 0.6)):
        masks = rng.random((80, 6)) < drawn
        truth = masks @ rng.normal(1.0, 1.0, 6) + rng.normal(0.0, 0.5, 80)
        yield truth, truth + rng.normal(0.3, 0.2 + masks.mean(axis=1), 80), masks, drawn, at


EXERCISES["08.1"] = Exercise(
    cases=_predicted_masks,
    reference=lambda truth, predicted, masks, drawn, at: _r2(truth, predicted, _ratio(masks, drawn, at)),
    hint="R² is one minus the weighted sum of squared errors over the weighted sum of squares about the weighted mean; "
    "a weight is a ratio of two probabilities of the mask.",
    mistakes=[
        (
            lambda truth, predicted, masks, drawn, at: _r2(truth, predicted, np.ones(len(truth))),
            "this is R² where the masks were drawn; every mask has to count by its probability elsewhere.",
        ),
        (
            lambda truth, predicted, masks, drawn, at: _r2(truth, predicted, _ratio(masks, drawn, at, absent=False)),
            "the players that are absent count too: (1 - at) / (1 - drawn) for each of them.",
        ),
        (
            lambda truth, predicted, masks, drawn, at: _r2(truth, predicted, _ratio(masks, drawn, at), truth.mean()),
            "the variance is about the weighted mean; np.average(truth, weights=weights).",
        ),
        (
            lambda truth, predicted, masks, drawn, at: _r2(truth, predicted, _ratio(masks, at, drawn)),
            "the weights are upside down: probability at the new p over that at the old one.",
        ),
        (
            lambda truth, predicted, masks, drawn, at: float(np.corrcoef(truth, predicted)[0, 1] ** 2),
            "the square of a correlation forgives offset and scale, and R² does not.",
        ),
    ],
)


def _tested_masks(rng: Any, samples: Any, game: Any) -> Any:
    for at, ps in ((0.3, (0.2, 0.3, 0.5)), (0.7, (0.7, 0.5, 0.3)), (0.5, (0.3, 0.7, 0.5))):
        masks = rng.random((300, game.n_players)) < at
        yield samples, ps, masks, game(masks)


def _squared_errors(samples: Any, ps: Any, masks: Any, values: Any) -> list[float]:
    return [float(np.mean((values - samples.explain(p).predict(masks)) ** 2)) for p in ps]


EXERCISES["08.2"] = Exercise(
    cases=_tested_masks,
    reference=lambda samples, ps, masks, values: ps[int(np.argmin(_squared_errors(samples, ps, masks, values)))],
    hint="samples.explain(p).predict(masks) costs no model call; compare the mean squares of values minus predictions.",
    mistakes=[
        (
            lambda samples, ps, masks, values: int(np.argmin(_squared_errors(samples, ps, masks, values))),
            "this is the place in the list; return the p that stands there.",
        ),
        (
            lambda samples, ps, masks, values: ps[int(np.argmax(_squared_errors(samples, ps, masks, values)))],
            "the smallest error wins, not the largest.",
        ),
        (
            lambda samples, ps, masks, values: max(ps, key=lambda p: samples.explain(p).expected_faithfulness),
            "expected faithfulness is of masks at each explanation's own p; these masks are given.",
        ),
    ],
)


# ---- 09 reading explanations


def _switched(game: Any, first: int, second: int, masks: Any, signs: Any) -> float:
    """Mean of the game with the two players on/on, on/off, off/on and off/off, with these signs."""
    total = 0.0
    for sign, (one, other) in zip(signs, ((True, True), (True, False), (False, True), (False, False)), strict=True):
        asked = masks.copy()
        asked[:, first], asked[:, second] = one, other
        total = total + sign * np.asarray(game(asked))
    return float(np.mean(total))


def _pairs_of_players(rng: Any, game: Any) -> Any:
    for _ in range(3):
        first, second = (int(player) for player in rng.choice(game.n_players, 2, replace=False))
        yield game, first, second, rng.random((12, game.n_players)) < 0.5


EXERCISES["09.1"] = Exercise(
    cases=_pairs_of_players,
    reference=lambda game, first, second, masks: _switched(game, first, second, masks, (1, -1, -1, 1)),
    hint="four copies of the masks, with both columns set; both together minus either alone plus none, then the mean.",
    mistakes=[
        (
            lambda game, first, second, masks: _switched(game, first, second, masks, (1, 0, 0, -1)),
            "this is what the two bring together; what each brings alone has to be taken away.",
        ),
        (
            lambda game, first, second, masks: _switched(game, first, second, masks, (1, -1, -1, 0)),
            "the value without both is missing: it was subtracted twice, so it comes back once.",
        ),
        (
            lambda game, first, second, masks: _switched(game, first, second, masks, (1, -1, 0, 0)),
            "this is what the second player adds beside the first; subtract what it adds without the first.",
        ),
    ],
    tolerance=1e-4,
)


def _words_and_patches(rng: Any, explanation: Any) -> Any:
    words = [label for label in explanation.labels[explanation.n_image :] if explanation.labels.count(label) == 1]
    for _ in range(4):
        first, second = (int(patch) for patch in rng.choice(explanation.n_image, 2, replace=False))
        yield explanation, str(rng.choice(words)), first, second


def _apart(explanation: Any, word: str, first: int, second: int, error: Any) -> float:
    player = explanation.find(word)
    values, errors = explanation.interactions[player], explanation.stderr[1][player]
    return float(abs(values[first] - values[second]) / error(errors[first], errors[second]))


EXERCISES["09.2"] = Exercise(
    cases=_words_and_patches,
    reference=lambda *given: _apart(*given, np.hypot),
    hint="explanation.condition(word) has the interactions and explanation.stderr[1] their standard errors, (n, n); "
    "the error of a difference is the root of the sum of squares.",
    mistakes=[
        (lambda *given: _apart(*given, np.add), "errors of two numbers do not add up; their squares do."),
        (lambda *given: _apart(*given, np.maximum), "the larger error alone is too small; add the squares of both."),
        (
            lambda *given: _apart(*given, lambda a, b: a * a + b * b),
            "this divides by the variance; its root is the standard error.",
        ),
    ],
)


# ---- 10 build your own


def _pretended_play(labels: Any, p: float = 0.5, *, scene: int = 0, **_: Any) -> float:
    """A score for every game, made up but always the same."""
    return float(np.random.default_rng(zlib.crc32(repr((tuple(labels), scene)).encode())).random())


def _partners(rng: Any) -> Any:
    words = ["ball", "owl", "balloon", "guitar", "apple", "penguin", "key", "cake", "drum", "hat"]
    for _ in range(6):
        word, *candidates = (str(one) for one in rng.permutation(words)[:5])
        yield _pretended_play, word, candidates, [int(scene) for scene in rng.permutation(9)[:3]]


def _partner(play: Any, word: str, candidates: Any, scenes: Any, pick: Any, over: Any, first: bool = False) -> str:
    def score(other: str) -> float:
        labels = (other, word) if first else (word, other)
        return float(over([play((*labels, "pizza", "rocket"), scene=scene) for scene in scenes]))

    return str(pick(candidates, key=score))


EXERCISES["10.1"] = Exercise(
    cases=_partners,
    reference=lambda *given: _partner(*given, pick=min, over=np.mean),
    hint='play((word, candidate, "pizza", "rocket"), scene=scene) is the score of a scene; take the mean over scenes.',
    mistakes=[
        (lambda *given: _partner(*given, pick=max, over=np.mean), "the hardest partner makes the smallest score."),
        (
            lambda play, word, candidates, scenes: _partner(play, word, candidates, [0], min, np.mean),
            "this looks at scene 0 only; say scene=... for each of the scenes that were given.",
        ),
        (
            lambda *given: _partner(*given, pick=min, over=np.min),
            "this is the worst single scene; one bad scene is no bad partner, so take the mean.",
        ),
        (
            lambda *given: _partner(*given, pick=min, over=np.mean, first=True),
            "the word lies in the first cell and the candidate in the second.",
        ),
    ],
)


class _Number:
    """What any one number equals: there may be several good answers, and another test tells."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int | float | np.number) and not isinstance(other, bool) and bool(np.isfinite(other))

    def __repr__(self) -> str:
        return "one finite number"


def _told_apart(attempt: Any, trials: Any) -> str | None:
    there, missing = (np.array([attempt(e, w) for e, w, shown in trials if shown is want]) for want in (True, False))
    right, pairs = int((there[:, None] > missing).sum()), len(there) * len(missing)
    if right == pairs:
        return None
    if right == 0:
        said = "the sign is the wrong way round."
    elif right < 0.9 * pairs:
        said = "single strong patches, or positive ones alone, miss that much speaks against a word that is not there."
    else:
        said = "close; the patches are not all: what does the word contribute in the end?"
    return f"got {right} of {pairs} pairs (a word that is there, one that is not) in order, wanted all. Hint: {said}"


EXERCISES["10.2"] = Exercise(
    cases=lambda rng, trials: [(explanation, word) for explanation, word, _ in trials[:4]],
    reference=lambda explanation, word: _Number(),
    hint="return one number for one word: of its interactions, explanation.condition(word), or its own.",
    also=_told_apart,
)
