"""What the exercises of chapter 08 faithfulness want."""

from __future__ import annotations

from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


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
