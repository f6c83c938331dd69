"""Interchange with shapiq: its InteractionValues to the numbers of an Explanation and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .expansion import Expansion
from .extras import need
from .masks import FloatArray

_TO_SHAPIQ = {
    ("banzhaf", 2): "FBII",
    ("banzhaf", 1): "BV",
    ("shapley", 2): "FSII",
    ("shapley", 1): "SV",
    ("sii", 2): "k-SII",
    ("sii", 1): "SV",
}
_FROM_SHAPIQ = {"FBII": "banzhaf", "BV": "banzhaf", "FSII": "shapley", "SV": "shapley", "k-SII": "sii"}


@dataclass(frozen=True, eq=False)
class Numbers:
    """What an InteractionValues holds: constant, attributions (n,), interactions (n, n), index and order."""

    constant: float
    attributions: FloatArray
    interactions: FloatArray
    index: str
    order: int


def to_shapiq(expansion: Expansion, index: str, estimated: bool = True, budget: int | None = None) -> Any:
    """A `shapiq.InteractionValues` with an expansion's constant, attributions and interactions.

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
    """The numbers of a `shapiq.InteractionValues` of order one or two; entries that are missing count as zero.

    Raises:
        ValueError: if the index is not one that an Explanation can hold, or the number of players differs.
    """
    if values.index not in _FROM_SHAPIQ:
        raise ValueError(f"values: got the index {values.index!r}, wanted one of {', '.join(_FROM_SHAPIQ)}.")
    if values.n_players != n_players or values.max_order > 2:
        raise ValueError(
            f"values: got {values.n_players} players and order {values.max_order}, wanted {n_players} players "
            "and order one or two."
        )
    n = n_players
    constant, attributions, interactions = 0.0, np.zeros(n), np.zeros((n, n))
    for key, position in values.interaction_lookup.items():
        value = float(values.values[position])
        if len(key) == 0:
            constant = value
        elif len(key) == 1:
            attributions[key[0]] = value
        else:
            interactions[key[0], key[1]] = interactions[key[1], key[0]] = value
    return Numbers(constant, attributions, interactions, _FROM_SHAPIQ[values.index], int(values.max_order))
