"""Interchange with shapiq: its InteractionValues to an Explanation and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from .explanation import Explanation
from .players import Players

_TO_SHAPIQ = {
    ("banzhaf", 2): "FBII",
    ("banzhaf", 1): "BV",
    ("shapley", 2): "FSII",
    ("shapley", 1): "SV",
    ("sii", 2): "k-SII",
    ("sii", 1): "SV",
}
_FROM_SHAPIQ = {"FBII": "banzhaf", "BV": "banzhaf", "FSII": "shapley", "SV": "shapley", "k-SII": "sii"}


def to_shapiq(explanation: Explanation) -> Any:
    """A `shapiq.InteractionValues` with the explanation's constant, attributions and interactions.

    shapiq has no name for weighted Banzhaf interactions at p other than one half; they go by the Banzhaf name, "FBII",
    and p is given again to `from_shapiq`.

    Raises:
        ImportError: if shapiq is not installed.
    """
    try:
        from shapiq import InteractionValues
    except ImportError:
        raise ImportError("to_shapiq: shapiq is not installed; `pip install shapiq`.") from None
    n = explanation.n_players
    entries: dict[tuple[int, ...], float] = {(): explanation.constant}
    entries |= {(i,): float(explanation.attributions[i]) for i in range(n)}
    if explanation.order > 1:
        pairs = zip(*np.triu_indices(n, 1), strict=True)
        entries |= {(int(i), int(j)): float(explanation.interactions[i, j]) for i, j in pairs}
    return InteractionValues(
        values=np.array(list(entries.values())),
        index=_TO_SHAPIQ[explanation.index, explanation.order],
        max_order=explanation.order,
        min_order=0,
        n_players=n,
        interaction_lookup={key: i for i, key in enumerate(entries)},
        estimated=explanation.estimator != "exact",
        estimation_budget=explanation.budget,
        baseline_value=explanation.constant,
    )


def from_shapiq(values: Any, players: Players, p: float = 0.5) -> Explanation:
    """An Explanation from a `shapiq.InteractionValues` of order one or two.

    Args:
        values: from shapiq; entries that are missing count as zero.
        players: who they are.
        p: presence probability, for Banzhaf indices.

    Raises:
        ValueError: if the index is not one that an Explanation can hold, or the number of players differs.
    """
    if values.index not in _FROM_SHAPIQ:
        raise ValueError(f"values: got the index {values.index!r}, wanted one of {', '.join(_FROM_SHAPIQ)}.")
    if values.n_players != players.n_players or values.max_order > 2:
        raise ValueError(
            f"values: got {values.n_players} players and order {values.max_order}, wanted {players.n_players} players "
            "and order one or two."
        )
    n = players.n_players
    constant, attributions, interactions = 0.0, np.zeros(n), np.zeros((n, n))
    for key, position in values.interaction_lookup.items():
        value = float(values.values[position])
        if len(key) == 0:
            constant = value
        elif len(key) == 1:
            attributions[key[0]] = value
        else:
            interactions[key[0], key[1]] = interactions[key[1], key[0]] = value
    return Explanation(
        constant,
        attributions,
        interactions,
        players,
        p,
        index=_FROM_SHAPIQ[values.index],
        order=int(values.max_order),
        estimator="shapiq",
        budget=values.estimation_budget,
    )
