"""An entry of the gallery: a method, what it explained, its scores, or why there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..explanation import Explanation
from ..progress import duration
from ..subject import Subject

# What each method is scored by, and what readers know it as.
SCORES = {
    "aid": "AID",
    "aid_image": "AID, image alone",
    "spearman": "rank correlation",
    "r2": "R\u00b2",
}


@dataclass(frozen=True, eq=False)
class Entry:
    """A method on one pair.

    Attributes:
        name: what `compare_methods` calls it.
        title: what readers know it by.
        explanation: what it gave; None if it failed.
        scores: by the names of `SCORES`; those that could not be computed are not in it.
        missing: why not, a sentence each, by the same names.
        passes: forward and backward passes of one tower that it took; None if not known.
        seconds: that it took on this machine, without its scores; None without an explanation.
        error: why there is no explanation, a sentence, or empty.
        is_done: False if it was interrupted before its turn, or while it was in work.
    """

    name: str
    title: str
    explanation: Explanation | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    passes: int | None = None
    seconds: float | None = None
    error: str = ""
    is_done: bool = True

    @property
    def order(self) -> int:
        """Order of its explanation; 0 without one."""
        return 0 if self.explanation is None else self.explanation.order

    @property
    def unit(self) -> str:
        """Unit of its numbers: "logits" or "scores"; empty without an explanation."""
        return "" if self.explanation is None else self.explanation.unit

    @property
    def abstains(self) -> str:
        """On what it says nothing, in words; empty if it says something of both sides."""
        found = self.explanation
        if found is None:
            return ""
        numbers = np.abs(found.attributions) + np.abs(found.pair_values).sum(axis=1)
        idle = [not side.any() for side in np.split(numbers, [found.n_image])]
        if all(idle):
            return "it abstains: all its numbers are zero."
        sides = ("it abstains on the image: every patch is zero.", "it abstains on the caption: every word is zero.")
        return next((told for told, is_idle in zip(sides, idle, strict=True) if is_idle), "")

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must be said of it: that it failed or abstains, and why a score is missing; a sentence each."""
        if self.error:
            return (self.error,)
        told = [self.abstains] if self.abstains else []
        reasons: dict[str, list[str]] = {}  # one reason may stand for several scores
        for name, why in self.missing.items():
            reasons.setdefault(why, []).append(SCORES[name])
        return (*told, *(f"no {' and no '.join(names)}: {why}" for why, names in reasons.items()))


def remarks_of(entries: Sequence[Entry]) -> dict[str, str]:
    """What must be said beside a table, each once: whose it is, by what it says."""
    whose: dict[str, list[str]] = {}
    for entry in entries:
        for remark in entry.remarks:
            whose.setdefault(remark, []).append(entry.title)
    return {remark: ", ".join(titles) for remark, titles in whose.items()}


@dataclass(frozen=True, eq=False)
class Pair:
    """What was explained, and how the explanations were scored.

    Attributes:
        subject: image, caption and model.
        p: presence probability.
        empty_value, full_value: what the model says of the empty and of the grand coalition (logits).
        n_masks: how many masks, drawn at p, rank correlation and R squared are measured on.
    """

    subject: Subject
    p: float
    empty_value: float
    full_value: float
    n_masks: int


def chosen_word(subject: Subject, entries: Sequence[Entry], word: int | str | None = None) -> int:
    """The token whose interactions are shown: by default that of the largest value in the first second-order method.

    Where there is none of second order, the first explanation says it.

    Args:
        subject: whose players.
        entries: the methods.
        word: a token's number among the players, or its label.

    Raises:
        ValueError: if it is no token of the caption.
    """
    n_image = subject.n_image
    found = sorted((entry.explanation for entry in entries if entry.explanation is not None), key=lambda e: -e.order)
    if word is None:
        return n_image + (int(found[0].values[n_image:].argmax()) if found else 0)
    if isinstance(word, str):
        named = [k for k, label in enumerate(subject.labels) if label == word and k >= n_image]
        if len(named) == 1:
            return named[0]
        why = f"stands for players {named}; give the number instead" if named else "is no token of the caption"
        raise ValueError(f"word: {word!r} {why}; the tokens are: {', '.join(subject.labels[n_image:])}.")
    if isinstance(word, bool) or not isinstance(word, int | np.integer) or not n_image <= word < subject.n_players:
        raise ValueError(f"word: got {word!r}, wanted a token: {n_image} to {subject.n_players - 1}.")
    return int(word)


def brief(seconds: float) -> str:
    """A time that a method took: "0.04 s", "1.3 s", "40 s", "3 min"."""
    return f"{seconds:.2g} s" if seconds < 9.5 else duration(seconds)
