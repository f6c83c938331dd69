"""What the exercises of chapter 13 what both sides know want."""

from __future__ import annotations

from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


def _sizes(rng: Any) -> Any:
    yield 2, 3, 4, 56
    yield 0, 5, 4, 40
    yield 6, 6, 6, 56
    for _ in range(4):
        bank = int(rng.integers(30, 90))
        visual, language = (int(size) for size in rng.integers(3, 9, 2))
        yield int(rng.integers(0, min(visual, language) + 1)), visual, language, bank


def _cells(shared: int, visual: int, language: int, bank: int) -> Any:
    """The table's cells and what independence expects of each, both as shares; the shared cell comes first."""
    rest = bank - visual - language + shared
    table = np.array([[shared, visual - shared], [language - shared, rest]]) / bank
    return table.ravel(), (table.sum(1, keepdims=True) * table.sum(0)).ravel()


def _terms(*sizes: int) -> Any:
    cells, expected = _cells(*sizes)
    return np.array([c * np.log(c / e) if c > 0 else 0.0 for c, e in zip(cells, expected, strict=True)])


def _entropy(shares: Any) -> float:
    return float(-sum(share * np.log(share) for share in shares if share > 0))


def _sum_of_entropies(shared: int, visual: int, language: int, bank: int) -> float:
    both = _entropy(_cells(shared, visual, language, bank)[0])
    return _entropy((visual / bank, 1 - visual / bank)) + _entropy((language / bank, 1 - language / bank)) + both


EXERCISES["13.1"] = Exercise(
    cases=_sizes,
    reference=lambda *sizes: float(_terms(*sizes).sum()),
    hint="fill the four cells; each adds its share of the bank times the log of (cell times bank over row total times "
    "column total). An empty cell adds nothing, since x log x goes to 0: leave it out, its log is no number.",
    mistakes=[
        (
            lambda *sizes: float(_terms(*sizes).sum() / np.log(2)),
            "this is in bits; nats come of the natural logarithm.",
        ),
        (lambda *sizes: float(-_terms(*sizes).sum()), "the sign: the cell stands above what is expected, not below."),
        (lambda *sizes: float(_terms(*sizes)[0]), "this is the cell of shared words alone; add the other three."),
        (
            lambda *sizes: float(_terms(*sizes)[:3].sum()),
            "the words that neither side has are missing: of most banks that is the largest cell.",
        ),
        (_sum_of_entropies, "the joint entropy is subtracted, H + H - H; this is the error of sign again."),
        (
            lambda shared, visual, language, bank: float(np.log(visual * language * shared)) if shared else 0.0,
            "this is the published score; the mutual information asks all of the bank.",
        ),
        (lambda *sizes: float(_terms(*sizes).sum() * sizes[-1]), "cells are shares of the bank: divide by its size."),
    ],
    tolerance=1e-9,
)


def _sets(rng: Any) -> Any:
    for bank, visual, language, shared in ((30, 6, 5, 2), (40, 8, 10, 3), (24, 5, 6, 1), (56, 4, 4, 2)):
        ours, theirs = np.zeros(bank, bool), np.zeros(bank, bool)
        ours[:visual] = True
        theirs[visual - shared : visual - shared + language] = True
        order = rng.permutation(bank)
        yield ours[order], theirs[order], np.array([rng.permutation(bank) for _ in range(400)])


def _shuffled(visual: Any, language: Any, permutations: Any) -> Any:
    return (visual[permutations] & language).sum(1)


EXERCISES["13.2"] = Exercise(
    cases=_sets,
    reference=lambda *sets: float(np.mean(_shuffled(*sets) >= (sets[0] & sets[1]).sum())),
    hint="visual[order] is a random set of the same size; count the words that it shares with language in each of the "
    "orders, and in how many of them that is as many as really are shared, or more.",
    mistakes=[
        (
            lambda *sets: float(np.mean(_shuffled(*sets) > (sets[0] & sets[1]).sum())),
            "an order that shares exactly as many speaks for chance, too: as many, or more.",
        ),
        (
            lambda *sets: float(np.mean(_shuffled(*sets) <= (sets[0] & sets[1]).sum())),
            "this is how often chance shares as few; wanted is how often it shares as many.",
        ),
        (
            lambda visual, language, permutations: 1.0,
            "it is always 1: were both sides shuffled alike? Then they share what they shared before.",
        ),
        (lambda *sets: float(np.mean(_shuffled(*sets))), "this is the mean number shared by chance, not how often."),
    ],
)
