"""Surrogates fitted to the sides of answers, and kept with them: a fit serves every p, index and partner."""

from __future__ import annotations

from dataclasses import replace

from ..answers import Answers, Side
from .budgets import check_kernel
from .kernel import KernelSurrogate
from .readout import Readout
from .relevances import Relevances, fit_relevances
from .surrogate import Surrogate, Table


def surrogate_of(side: Side, count: int | None = None) -> Surrogate:
    """The surrogate of a side from its first `count` masks, its relevances from all of them.

    Raises:
        ValueError: if there are more masks than the kernel estimator takes.
    """
    used = side.first(len(side.masks) if count is None else count)
    return side.fits.get(len(used.masks), lambda: _fit(side, used))


def _fit(side: Side, used: Side) -> Surrogate:
    if used.exact:
        return Table(used.masks, used.embeddings, side.device)
    check_kernel(len(used.masks))
    return KernelSurrogate(used.masks, used.embeddings, relevances_of(side), side.device)


def relevances_of(side: Side) -> Relevances:
    """The relevances of a side's players, from all its masks."""
    return side.fits.get("relevances", lambda: fit_relevances(side.masks, side.embeddings, side.device))


def readout_of(answers: Answers, count: int | None = None) -> Readout:
    """Both surrogates of answers, that of the image from its first `count` masks."""
    count = answers.budget if count is None else count

    def fit() -> Readout:
        image, text = surrogate_of(answers.image_side, count), surrogate_of(answers.text_side)
        return Readout(image, text, replace(answers, image_side=answers.image_side.first(count)))

    return answers.fits.get(count, fit)
