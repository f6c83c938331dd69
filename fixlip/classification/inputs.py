"""Classes, bank and the class to contrast with: checked before any model is loaded."""

from __future__ import annotations

import numpy as np

from ..concepts.bank import Bank, Classes
from ..encoders.sources import EMBEDDED


def inputs_of(model: str, classes: Classes | None, bank: Bank | None) -> tuple[Classes, Bank]:
    """Classes and bank, those of the embedded world where none are given and the model is of it; no model is needed.

    Raises:
        ValueError: one sentence, if some are missing, or there is one class only, or two classes have one first prompt.
    """
    for name, given, kind in (("classes", classes, Classes), ("bank", bank, Bank)):
        if given is not None and not isinstance(given, kind):
            raise ValueError(f"{name}: got {type(given).__name__}, wanted fixlip.concepts.{kind.__name__}.")
        if given is None and model not in EMBEDDED:
            raise ValueError(f"{name}: none given; only the embedded models have some of their own.")
    classes, bank = classes or Classes.emoji(), bank or Bank.emoji()
    if len(classes) < 2:
        raise ValueError(f"classes: got {classes.names[0]!r} alone, wanted two at least, to tell them apart.")
    prompts = [one[0] for one in classes.prompts]
    if twice := [one for k, one in enumerate(prompts) if one in prompts[:k]]:
        raise ValueError(f"classes: two have the same first prompt, {twice[0]!r}; wanted different ones.")
    return classes, bank


def number_of(classes: Classes, against: int | str) -> int:
    """The number of a class, by its number or its name; ValueError if there is no such class."""
    if isinstance(against, str) and against in classes.names:
        return list(classes.names).index(against)
    whole = isinstance(against, int | np.integer) and not isinstance(against, bool)
    if whole and 0 <= int(against) < len(classes):
        return int(against)
    some = f"{', '.join(classes.names[:8])}{', ...' if len(classes) > 8 else ''}"
    raise ValueError(f"against: got {against!r}, wanted one of the {len(classes)} classes ({some}).")
