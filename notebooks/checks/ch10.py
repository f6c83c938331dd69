"""What the exercises of chapter 10 build your own want."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


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
