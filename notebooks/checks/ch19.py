"""What the exercises of chapter 19 capstone want."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


def _studies(rng: np.random.Generator) -> Iterator[tuple[Any, Any, Any, float]]:
    """Scenes differ much and the two things little, so that only pairs can tell; effects of three sizes."""
    for effect in (0.08, 0.4, 2.5, -1.0, 0.9, 2.5):
        count = int(rng.integers(9, 15))
        scenes, noise = rng.normal(1.5, 2.0, count), rng.normal(scale=0.25, size=count)
        noise -= noise.mean()
        yield scenes + effect + noise, scenes, np.abs(rng.normal(5.0, 0.5, count)), 0.2


def _verdict(difference: Any, error: float, own: Any, least: float) -> str:
    if not np.mean(difference) > 2 * error:
        return "none"
    return "large" if np.mean(difference) >= least * np.mean(own) else "small"


def _error(values: Any) -> float:
    return float(np.std(values, ddof=1) / math.sqrt(len(values)))


EXERCISES["19.1"] = Exercise(
    cases=_studies,
    reference=lambda suspect, control, own, least: _verdict(suspect - control, _error(suspect - control), own, least),
    hint="take differences scene by scene; compare their mean with two standard errors first, then with least.",
    mistakes=[
        (
            lambda suspect, control, own, least: _verdict(
                suspect - control, math.hypot(_error(suspect), _error(control)), own, least
            ),
            "this is the error of two independent groups; the same scenes are in both, so use the differences' own.",
        ),
        (
            lambda suspect, control, own, least: _verdict(suspect - control, np.std(suspect - control), own, least),
            "this is the standard deviation of one scene; the mean's error is smaller, by the root of their number.",
        ),
        (
            lambda suspect, control, own, least: _verdict(suspect - control, 0.0, own, least),
            "is the mean larger than chance makes it? Compare it with two standard errors first.",
        ),
        (
            lambda suspect, control, own, least: _verdict(
                suspect - control, _error(suspect - control), np.zeros(1), least
            ),
            "this is larger than chance, but is it large? Compare it with the share of the own cell's sum, too.",
        ),
        (
            lambda suspect, control, own, least: _verdict(suspect, _error(suspect), own, least),
            "the control is missing: what matters is how much more the suspect has than the control.",
        ),
    ],
)


def _plans(rng: np.random.Generator) -> Iterator[tuple[Any, float]]:
    for count, effect in ((12, 0.11), (6, 0.23), (9, 0.8), (15, 0.05)):
        yield rng.normal(0.2, 0.6, count), effect


EXERCISES["19.2"] = Exercise(
    cases=_plans,
    reference=lambda differences, effect: math.ceil((2 * np.std(differences, ddof=1) / effect) ** 2),
    hint="two standard errors, 2 * s / sqrt(n), are to be at most the effect; solve for n and round up.",
    mistakes=[
        (
            lambda differences, effect: math.ceil((2 * np.std(differences) / effect) ** 2),
            "the standard deviation of a sample divides by n - 1: ddof=1.",
        ),
        (
            lambda differences, effect: math.ceil((np.std(differences, ddof=1) / effect) ** 2),
            "this makes one standard error as small as the effect; two were asked for.",
        ),
        (
            lambda differences, effect: math.ceil(2 * np.std(differences, ddof=1) / effect),
            "errors shrink with the root of the number; so the number is a square.",
        ),
        (
            lambda differences, effect: int((2 * np.std(differences, ddof=1) / effect) ** 2),
            "this is rounded down, and a little too few; round up.",
        ),
        (
            lambda differences, effect: (2 * np.std(differences, ddof=1) / effect) ** 2,
            "scenes come whole: round up.",
        ),
        (
            lambda differences, effect: math.ceil((2 * np.std(differences, ddof=1) / differences.mean()) ** 2),
            "the effect is given; it is the smallest that would matter, not the mean that was found.",
        ),
    ],
)
