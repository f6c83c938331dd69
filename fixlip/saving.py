"""What is saved of an `Explanation`, and under which names; `files` does the writing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from . import files
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
    "empty_value",
    "full_value",
    "whole",
)
_WANTED = {"attributions": ("f", 1), "interactions": ("f", 2)}
_ERRORS = {"stderr_attributions": ("f", 1), "stderr_interactions": ("f", 2)}
# What else there may be: the names in files, kinds and dimensions. Of triples each is saved once.
_OPTIONAL = {
    "value_errors": ("stderr_values", ("f", 1)),
    "pair_errors": ("stderr_pairs", ("f", 2)),
    "triples": ("triples", ("f", 1)),
    "triple_errors": ("stderr_triples", ("f", 1)),
}


def write(explanation: Any, path: str | os.PathLike[str]) -> Path:
    """Write an explanation, picture included, as a NumPy archive (.npz)."""
    arrays = {name: getattr(explanation, name) for name in _WANTED}
    if explanation.stderr is not None:
        arrays |= dict(zip(_ERRORS, explanation.stderr, strict=True))
    for name, (key, _) in _OPTIONAL.items():
        numbers = getattr(explanation, name)
        if numbers is not None:
            arrays[key] = packed(numbers) if numbers.ndim == 3 else numbers
    return files.write(path, arrays, {name: getattr(explanation, name) for name in _FACTS}, explanation.subject)


def read(path: str | os.PathLike[str], make: Callable[..., E]) -> E:
    """The explanation that `write` wrote.

    Raises:
        ValueError: one sentence, if there is no such file or it is no saved explanation.
    """
    with files.reading(path, "explanation", _WANTED, _ERRORS | dict(_OPTIONAL.values())) as (arrays, facts, subject):
        own: dict[str, Any] = {name: facts[name] for name in _FACTS if name in facts and name != "constant"}
        own |= {name: arrays.get(key) for name, (key, _) in _OPTIONAL.items()}
        for name in ("triples", "triple_errors"):
            own[name] = None if own[name] is None else unpacked(own[name], subject.n_players)
        if "stderr_attributions" in arrays:
            own["stderr"] = tuple(arrays[name] for name in _ERRORS)
        own |= {name: arrays[name] for name in _WANTED}
        return make(constant=float(facts["constant"]), subject=subject, **own)
