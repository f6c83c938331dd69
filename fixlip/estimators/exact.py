"""Exact explanations of small games, by enumerating every coalition."""

from __future__ import annotations

import numpy as np

from ..explanation import Explanation
from ..masks import MAX_ENUMERATED_PLAYERS, BoolArray, FloatArray, check_p, enumerate_masks, mask_weights
from ..subject import AnyGame, Subject, ask
from ..triples import place
from .indices import check_index, coefficients
from .thirds import averaged, refine


def exact(game: AnyGame, p: float = 0.5, index: str = "banzhaf", order: int = 2) -> Explanation:
    """The exact interactions of a game of at most 16 players.

    All 2^n coalitions are valued, and c_S = E_p[v chi_S] is computed as the finite sum it is (Baniecki et al., NeurIPS
    2025, Theorem 1). This is what every estimator is tested against.

    Args:
        game: anything with `n_image`, `n_text` and `game(masks) -> values`.
        p: probability with which a player is present.
        index: "banzhaf" (weighted Banzhaf interactions at p), "shapley" (faithful Shapley interactions) or "sii"
            (Shapley interactions).
        order: 2, or 1 for values without interactions, or 3 with triples.

    Raises:
        ValueError: if the game has more than 16 players, or p is not strictly between 0 and 1, or there is no such
            order.
    """
    if order not in (1, 2, 3) or isinstance(order, bool):
        raise ValueError(f"order: got {order!r}, wanted 1, 2 or 3.")
    p, index = check_p(p), check_index(index)
    n_players = check_size(game)
    masks = enumerate_masks(n_players)
    values = ask(game, masks)

    def derivatives(at: float) -> tuple[float, FloatArray, FloatArray]:
        weighted, ratio = mask_weights(masks, at) * values, (masks - at) / (at * (1 - at))
        pairs = ratio.T @ (weighted[:, None] * ratio)
        np.fill_diagonal(pairs, 0.0)
        return float(weighted.sum()), weighted @ ratio, (pairs + pairs.T) / 2

    ends = (float(values[0]), float(values[-1]))
    found = coefficients(derivatives, n_players, index, p, ends)
    second = Explanation(
        *found,
        Subject.of(game),
        p=p if index == "banzhaf" else 0.5,
        index=index,
        estimator="exact",
        budget=len(masks),
        counts="coalitions",
        empty_value=ends[0],
        full_value=ends[1],
    )
    if order < 3:
        return second if order == 2 else second.first_order()
    return refine(second, averaged(lambda at: _triples(masks, values, at), n_players, index, p))


def _triples(masks: BoolArray, values: FloatArray, p: float) -> FloatArray:
    """D_ijk at p of values (2^n,) of all masks, (n, n, n)."""
    weighted, ratio = mask_weights(masks, p) * values, (masks - p) / (p * (1 - p))
    found = np.zeros((masks.shape[1],) * 3)
    for i in range(masks.shape[1] - 2):
        later = ratio[:, i + 1 :]
        block = later.T @ ((weighted * ratio[:, i])[:, None] * later)
        np.fill_diagonal(block, 0.0)
        place(found, i, (block + block.T) / 2)
    return found


def check_size(game: AnyGame) -> int:
    """The number of players of a game; ValueError if they are too many to enumerate."""
    n_players = Subject.of(game).n_players
    if n_players > MAX_ENUMERATED_PLAYERS:
        raise ValueError(
            f"game: got {n_players} players, wanted at most {MAX_ENUMERATED_PLAYERS} for exact enumeration; "
            "use another estimator."
        )
    return n_players
