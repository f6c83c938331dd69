"""Exact explanations of small games, by enumerating every coalition."""

from __future__ import annotations

import numpy as np

from ..explanation import Explanation
from ..masks import MAX_ENUMERATED_PLAYERS, check_p, enumerate_masks, mask_weights
from ..players import AnyGame, Players
from .basis import standardise, to_coefficients


def exact(game: AnyGame, p: float = 0.5) -> Explanation:
    """The exact weighted Banzhaf interactions of a game of at most 16 players.

    All 2^n coalitions are valued, and c_S = E_p[v chi_S] is computed as the finite sum it is (Baniecki et al., NeurIPS
    2025, Theorem 1). This is what every estimator is tested against.

    Args:
        game: anything with `n_image`, `n_text` and `game(masks) -> values`.
        p: probability with which a player is present.

    Raises:
        ValueError: if the game has more than 16 players, or p is not strictly between 0 and 1.
    """
    p = check_p(p)
    n_players = game.n_image + game.n_text
    if n_players > MAX_ENUMERATED_PLAYERS:
        raise ValueError(
            f"game: got {n_players} players, wanted at most {MAX_ENUMERATED_PLAYERS} for exact enumeration; "
            "use another estimator."
        )
    masks = enumerate_masks(n_players)
    values = np.asarray(game(masks), dtype=np.float64)
    if values.shape != (len(masks),):
        raise ValueError(f"game: returned values of shape {values.shape}, wanted {(len(masks),)}.")
    weighted, chi = mask_weights(masks, p) * values, standardise(masks, p)
    c2 = chi.T @ (weighted[:, None] * chi)
    c2 = (c2 + c2.T) / 2
    np.fill_diagonal(c2, 0.0)
    constant, attributions, interactions = to_coefficients(weighted.sum(), weighted @ chi, c2, p)
    return Explanation(
        constant, attributions, interactions, Players.of(game), p=p, estimator="exact", budget=len(masks)
    )
