"""What is saved of an `Explanation`, and under which names; `files` does the writing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from . import files
from .subject import Subject
from .triples import packed, unpacked

E = TypeVar("E")

_FACTS = (
    "constant",
    "p",
    "index",
    "unit",
    "order",
    "estimator",
    "budget",
    "counts",
    "expected_faithfulness",
    "ended",
    "empty_value",
    "full_value",
    "whole",
)
WANTED = {"attributions": ("f", 1), "interactions": ("f", 2)}
_ERRORS = {"stderr_attributions": ("f", 1), "stderr_interactions": ("f", 2)}
# What else there may be: the names in files, kinds and dimensions. Of triples each is saved once.
_OTHERS = {
    "value_errors": ("stderr_values", ("f", 1)),
    "pair_errors": ("stderr_pairs", ("f", 2)),
    "triples": ("triples", ("f", 1)),
    "triple_errors": ("stderr_triples", ("f", 1)),
}
OPTIONAL = _ERRORS | dict(_OTHERS.values())
# What says that a file holds an explanation of another kind, and who reads it.
HOLDS = "holds"
_READERS = {
    "contrast": "fixlip.contrasts.Contrast.load",
    "pair": "fixlip.pairs.PairExplanation.load",
    "set function": "fixlip.game_explanation.GameExplanation.load",
}


def contents(explanation: Any) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and facts that a file holds of an explanation, but for its subject."""
    arrays: dict[str, NDArray[Any]] = {name: getattr(explanation, name) for name in WANTED}
    if explanation.stderr is not None:
        arrays |= dict(zip(_ERRORS, explanation.stderr, strict=True))
    for name, (key, _) in _OTHERS.items():
        numbers = getattr(explanation, name)
        if numbers is not None:
            arrays[key] = packed(numbers) if numbers.ndim == 3 else numbers
    return arrays, {name: getattr(explanation, name) for name in _FACTS}


def restored(make: Callable[..., E], arrays: dict[str, NDArray[Any]], facts: dict[str, Any], subject: Subject) -> E:
    """The explanation of a subject whose `contents` these are; arrays of other names are let be."""
    own: dict[str, Any] = {name: facts[name] for name in _FACTS if name in facts and name != "constant"}
    own |= {name: arrays.get(key) for name, (key, _) in _OTHERS.items()}
    for name in ("triples", "triple_errors"):
        own[name] = None if own[name] is None else unpacked(own[name], subject.n_players)
    if "stderr_attributions" in arrays:
        own["stderr"] = tuple(arrays[name] for name in _ERRORS)
    own |= {name: arrays[name] for name in WANTED}
    return make(constant=float(facts["constant"]), subject=subject, **own)


def write(explanation: Any, path: str | os.PathLike[str]) -> Path:
    """Write an explanation, picture included, as a NumPy archive (.npz)."""
    return files.write(path, *contents(explanation), explanation.subject)


def read(path: str | os.PathLike[str], make: Callable[..., E]) -> E:
    """The explanation that `write` wrote.

    Raises:
        ValueError: one sentence, if there is no such file or it is no saved explanation.
    """
    with files.reading(path, "explanation", WANTED, OPTIONAL) as (arrays, facts, subject):
        if facts.get(HOLDS):
            raise ValueError(f"it is a {facts[HOLDS]}, which {_READERS.get(facts[HOLDS], 'another version')} reads")
        return restored(make, arrays, facts, subject)
