"""Interchange with shapiq: its InteractionValues to the numbers of an Explanation and back."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from .expansion import Expansion
from .extras import need
from .masks import FloatArray
from .triples import check_players, packed, triple_indices

_TO_SHAPIQ = {
    ("banzhaf", 3): "FBII",
    ("banzhaf", 2): "FBII",
    ("banzhaf", 1): "BV",
    ("shapley", 3): "FSII",
    ("shapley", 2): "FSII",
    ("shapley", 1): "SV",
    ("sii", 3): "k-SII",
    ("sii", 2): "k-SII",
    ("sii", 1): "SV",
}
_FROM_SHAPIQ = {"FBII": "banzhaf", "BV": "banzhaf", "FSII": "shapley", "SV": "shapley", "k-SII": "sii"}


@dataclass(frozen=True, eq=False)
class Numbers:
    """What an InteractionValues holds: constant, attributions (n,), interactions (n, n), triples, index and order."""

    constant: float
    attributions: FloatArray
    interactions: FloatArray
    index: str
    order: int
    triples: FloatArray | None = None  # (n, n, n), of order three


def to_shapiq(expansion: Expansion, index: str, estimated: bool = True, budget: int | None = None) -> Any:
    """A `shapiq.InteractionValues` with an expansion's constant, attributions, interactions and triples.

    shapiq has no name for weighted Banzhaf interactions at p other than one half; they go by the Banzhaf name, "FBII",
    and p is given again to `Explanation.from_shapiq`.

    Args:
        expansion: the numbers.
        index: what they are: "banzhaf", "shapley" or "sii".
        estimated: False if they are exact.
        budget: how many masks they come from.

    Raises:
        ValueError: if shapiq is not installed.
    """
    values_of = need("shapiq", "to_shapiq").InteractionValues
    n = expansion.n_players
    entries: dict[tuple[int, ...], float] = {(): expansion.constant}
    entries |= {(i,): float(expansion.attributions[i]) for i in range(n)}
    if expansion.order > 1:
        pairs = zip(*np.triu_indices(n, 1), strict=True)
        entries |= {(int(i), int(j)): float(expansion.interactions[i, j]) for i, j in pairs}
    if expansion.triples is not None:
        threes = zip(*(one.tolist() for one in triple_indices(n)), strict=True)
        entries |= dict(zip(threes, packed(expansion.triples).tolist(), strict=True))
    return values_of(
        values=np.array(list(entries.values())),
        index=_TO_SHAPIQ[index, expansion.order],
        max_order=expansion.order,
        min_order=0,
        n_players=n,
        interaction_lookup={key: i for i, key in enumerate(entries)},
        estimated=estimated,
        estimation_budget=budget,
        baseline_value=expansion.constant,
    )


def from_shapiq(values: Any, n_players: int) -> Numbers:
    """The numbers of a `shapiq.InteractionValues` of order one to three; entries that are missing count as zero.

    Raises:
        ValueError: if the index is not one that an Explanation can hold, or the number of players differs.
    """
    if values.index not in _FROM_SHAPIQ:
        raise ValueError(f"values: got the index {values.index!r}, wanted one of {', '.join(_FROM_SHAPIQ)}.")
    if values.n_players != n_players or values.max_order > 3:
        raise ValueError(
            f"values: got {values.n_players} players and order {values.max_order}, wanted {n_players} players "
            "and order one, two or three."
        )
    n = n_players if values.max_order < 3 else check_players(n_players)
    constant, attributions, interactions = 0.0, np.zeros(n), np.zeros((n, n))
    triples = np.zeros((n, n, n)) if values.max_order == 3 else None
    for key, position in values.interaction_lookup.items():
        value = float(values.values[position])
        if len(key) == 0:
            constant = value
        elif len(key) == 1:
            attributions[key[0]] = value
        elif triples is not None and len(key) == 3:
            for places in permutations(key):
                triples[places] = value
        else:
            interactions[key[0], key[1]] = interactions[key[1], key[0]] = value
    index = _FROM_SHAPIQ[values.index]
    return Numbers(constant, attributions, interactions, index, int(values.max_order), triples)
