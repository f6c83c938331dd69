"""Exact explanations of small games, by enumerating every coalition."""

from __future__ import annotations

import numpy as np

from ..explanation import Explanation
from ..masks import MAX_ENUMERATED_PLAYERS, FloatArray, check_p, enumerate_masks, mask_weights
from ..subject import AnyGame, Subject, ask
from .indices import check_index, coefficients


def exact(game: AnyGame, p: float = 0.5, index: str = "banzhaf") -> Explanation:
    """The exact interactions of a game of at most 16 players.

    All 2^n coalitions are valued, and c_S = E_p[v chi_S] is computed as the finite sum it is (Baniecki et al., NeurIPS
    2025, Theorem 1). This is what every estimator is tested against.

    Args:
        game: anything with `n_image`, `n_text` and `game(masks) -> values`.
        p: probability with which a player is present.
        index: "banzhaf" (weighted Banzhaf interactions at p), "shapley" (faithful Shapley interactions) or "sii"
            (Shapley interactions).

    Raises:
        ValueError: if the game has more than 16 players, or p is not strictly between 0 and 1.
    """
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
    return Explanation(
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


def check_size(game: AnyGame) -> int:
    """The number of players of a game; ValueError if they are too many to enumerate."""
    n_players = Subject.of(game).n_players
    if n_players > MAX_ENUMERATED_PLAYERS:
        raise ValueError(
            f"game: got {n_players} players, wanted at most {MAX_ENUMERATED_PLAYERS} for exact enumeration; "
            "use another estimator."
        )
    return n_players
