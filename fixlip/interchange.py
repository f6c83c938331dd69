"""Interchange with shapiq: our games as its games, and the numbers of an Explanation as its InteractionValues and back.

Its games are taken by `fixlip.explain_game`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from .expansion import Expansion
from .extras import need
from .masks import FloatArray, check_p
from .subject import AnyGame
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
    """What an InteractionValues holds: constant, attributions (n,), interactions (n, n), index, p, order, triples."""

    constant: float
    attributions: FloatArray
    interactions: FloatArray
    index: str
    p: float
    order: int
    triples: FloatArray | None = None  # (n, n, n), of order three


def game_to_shapiq(game: AnyGame, normalize: bool = True) -> Any:
    """Any game as a `shapiq.Game`, for the approximators there, its `ExactComputer` and its files.

    Args:
        game: a `fixlip.Game`, a `ContrastGame`, a `PairGame`, or anything with `n_image`, `n_text` and
            `game(masks) -> values`.
        normalize: give values less that of the empty coalition, which is `normalization_value`; this asks the game
            about the empty and the grand coalition at once.

    Returns:
        a `shapiq.Game` with as many players, image players first. Its names of players are the labels; those that
        several players share end in the player's number.

    Raises:
        ValueError: if this is no game, or shapiq is not installed.
    """
    need("shapiq", "to_shapiq")
    from .shapiq_classes import SharedGame

    return SharedGame(game, normalize)


def to_shapiq(
    expansion: Expansion, index: str, p: float = 0.5, estimated: bool = True, budget: int | None = None
) -> Any:
    """A `shapiq.InteractionValues` with an expansion's constant, attributions, interactions and triples.

    shapiq has no name for weighted Banzhaf interactions at p other than one half; they go by the Banzhaf name, "FBII",
    and what is returned has an attribute `p` beside, which `from_shapiq` reads (see `fixlip.shapiq_classes`).

    Args:
        expansion: the numbers.
        index: what they are: "banzhaf", "shapley" or "sii".
        p: presence probability, of "banzhaf".
        estimated: False if they are exact.
        budget: how many masks they come from.

    Raises:
        ValueError: if shapiq is not installed.
    """
    need("shapiq", "to_shapiq")
    from .shapiq_classes import InteractionValuesAtP

    n = expansion.n_players
    entries: dict[tuple[int, ...], float] = {(): expansion.constant}
    entries |= {(i,): float(expansion.attributions[i]) for i in range(n)}
    if expansion.order > 1:
        pairs = zip(*np.triu_indices(n, 1), strict=True)
        entries |= {(int(i), int(j)): float(expansion.interactions[i, j]) for i, j in pairs}
    if expansion.triples is not None:
        threes = zip(*(one.tolist() for one in triple_indices(n)), strict=True)
        entries |= dict(zip(threes, packed(expansion.triples).tolist(), strict=True))
    return InteractionValuesAtP(
        p=p if index == "banzhaf" else None,
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


def from_shapiq(values: Any, n_players: int, p: float | None = None) -> Numbers:
    """The numbers of a `shapiq.InteractionValues` of order one to three; entries that are missing count as zero.

    Args:
        values: from shapiq, or from `to_shapiq`; then they know their p.
        n_players: how many players there should be.
        p: presence probability of Banzhaf indices that do not know theirs; one half by default, as shapiq has it.

    Raises:
        ValueError: if the index is not one that an Explanation can hold, the number of players differs, or another p is
            given than the values are of.
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
    index, own = _FROM_SHAPIQ[values.index], getattr(values, "p", None)
    if own is not None and p is not None and check_p(p) != own:
        raise ValueError(f"p: got {p:g}, but these values are of p = {own:g}; leave it out.")
    given = next((one for one in (p, own) if one is not None), 0.5)
    return Numbers(constant, attributions, interactions, index, given, int(values.max_order), triples)
