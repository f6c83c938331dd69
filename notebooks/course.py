"""What the chapters share: how an exercise is checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def check(attempt: Callable[..., Any], *cases: tuple[tuple[Any, ...], Any], hint: str, tolerance: float = 1e-6) -> None:
    """Try an exercise's function on cases and say how it went.

    Args:
        attempt: the student's function. One that raises NotImplementedError counts as not attempted.
        cases: pairs of arguments and expected result (a number, an array, or anything that can be compared).
        hint: what to think of if a result is wrong.
        tolerance: how far numbers may be off.

    Raises:
        AssertionError: naming what came and what was wanted, if a result is wrong.
    """
    for arguments, expected in cases:
        try:
            got = attempt(*arguments)
        except NotImplementedError:
            print(f"{attempt.__name__}: not attempted yet")
            return
        if not _same(got, expected, tolerance):
            raise AssertionError(f"{attempt.__name__}: got {got!r}, wanted {expected!r}. Hint: {hint}")
    print(f"{attempt.__name__}: well done")


def _same(got: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, float | np.ndarray):
        try:
            return np.shape(got) == np.shape(expected) and bool(np.allclose(got, expected, atol=tolerance))
        except TypeError:
            return False
    return bool(got == expected)
