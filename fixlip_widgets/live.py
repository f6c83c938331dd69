"""Widgets that live without a kernel: what a saved page holds, and which script answers in it.

In a notebook a control changes a trait of a Python state, Python computes, and views (anywidgets, drawn by `pair.js`
and its like) and tables (HTML) follow. In a saved page everything in front of that line is the same: the same scripts
draw the same views from the same traits. Behind it stands a script in place of Python, the widget's *kernel*
(`explorer.js`, ...), which gets the models of controls and views by their names in Python, and answers from what the
page holds. Native controls (`controls.js`) stand for those of ipywidgets, and `readouts.js` writes what `readouts`
writes; a test compares the two letter by letter.

What a page holds of an explanation: the derivatives D_i(p) and D_ij(p) of the multilinear extension, those of order
three for two words with a player, and their standard errors are smooth in p. They are computed at `NODES` Chebyshev
nodes of p in `RANGE` and kept as series in Chebyshev polynomials, for every stored caption and budget; the page sums
the series at any p and changes coordinates where coefficients at the empty input are asked for. Indices without a p are
series of one term. Numbers are rounded to a step, which stands beside them, and packed (`Numbers`): high terms of a
series are small, and take next to no room.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np

from fixlip.masks import FloatArray

FOLDER = Path(__file__).parent
RANGE = (0.05, 0.95)
NODES = 12  # coefficients at the empty input are then right to 1e-5 before rounding, with the embedded models
STEP = 1e-5  # of values and interactions, logits: sums over a hundred pairs stay right to 1e-3
TRIPLE_STEP = ERROR_STEP = 1e-4  # of triples, which no sum is taken of, and of standard errors


class Numbers:
    """Arrays, rounded and packed into one text.

    Each number is a multiple of its array's step, as a whole number whose lowest bit is the sign. The bytes of all
    numbers are sorted by their weight, so that gzip finds the empty ones side by side.
    """

    def __init__(self) -> None:
        self._parts: list[Any] = []
        self._count = 0

    def add(self, array: Any, step: float = STEP) -> dict[str, Any]:
        """Keep an array; the result is where it is found, and of which shape and step it is.

        Raises:
            ValueError: if a number is not finite, or too large for its step.
        """
        wholes = np.rint(np.asarray(array, np.float64) / step)
        if not (np.abs(wholes) < 2**31).all():
            raise ValueError("numbers: got one that is not finite or too large to be stored.")
        signed = wholes.astype(np.int64).ravel()
        where = {"at": self._count, "shape": list(wholes.shape), "step": step}
        self._parts.append(((signed << 1) ^ (signed >> 63)).astype("<u4"))
        self._count += signed.size
        return where

    def text(self) -> str:
        """All numbers in base64."""
        numbers = np.concatenate([np.zeros(0, "<u4"), *self._parts])
        planes = numbers.view(np.uint8).reshape(-1, 4).T
        return base64.b64encode(gzip.compress(planes.tobytes(), 9, mtime=0)).decode("ascii")


@dataclass(frozen=True)
class Live:
    """What makes a saved widget answer.

    Attributes:
        script: name of the file that answers in place of a kernel.
        parts: controls and views that it knows, by name.
        facts: what it has to know, as JSON can write it.
        numbers: arrays that the facts tell the places of.
        changed: traits that controls have in the page and not in the notebook, by name: stored choices for free ones.
        shared: what other widgets may need, too, by a name that tells it apart: models.
        clicks: whether it answers clicks that take players away.
    """

    script: str
    parts: Mapping[str, ipywidgets.Widget]
    facts: Mapping[str, Any]
    numbers: Numbers = field(default_factory=Numbers)
    changed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    shared: Mapping[str, Any] = field(default_factory=dict)
    clicks: bool = False


def nodes() -> FloatArray:
    """The p at which explanations are computed, (NODES,)."""
    low, high = RANGE
    found: FloatArray = (low + high) / 2 + (high - low) / 2 * np.polynomial.chebyshev.chebpts1(NODES)
    return found


def series(values: FloatArray) -> FloatArray:
    """Terms of the Chebyshev series through values at the nodes, both (NODES, ...)."""
    vandermonde = np.polynomial.chebyshev.chebvander(np.polynomial.chebyshev.chebpts1(NODES), NODES - 1)
    return np.asarray(np.tensordot(np.linalg.inv(vandermonde), values, 1))


def between(values: FloatArray, ps: FloatArray) -> FloatArray:
    """At probabilities (k,), between values at the nodes (NODES, ...) on a straight line: shape (k, ...)."""
    weights = np.stack([np.interp(ps, nodes(), one) for one in np.eye(NODES)], axis=1)
    return np.asarray(np.tensordot(weights, values, 1))


def summed(terms: FloatArray, ps: FloatArray) -> FloatArray:
    """A series (NODES, ...) at probabilities (k,): shape (k, ...)."""
    low, high = RANGE
    places = (ps - (low + high) / 2) / ((high - low) / 2)
    return np.asarray(np.tensordot(np.polynomial.chebyshev.chebvander(places, len(terms) - 1), terms, 1))
