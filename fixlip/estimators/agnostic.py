"""The model-agnostic least-squares estimator: any game, Banzhaf or Shapley weights.

Coalitions are drawn over all players together, and the second-order game is fitted to their values (Baniecki et al.,
NeurIPS 2025, Definition 6). With the p-measure the result are weighted Banzhaf interactions; with Shapley weights, and
the empty and the full coalition met exactly, faithful Shapley interactions (Tsai, Yeh and Ravikumar, JMLR 2023).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, solve

from ..explanation import Explanation
from ..masks import (
    MAX_ENUMERATED_PLAYERS,
    BoolArray,
    FloatArray,
    check_budget,
    check_p,
    check_seed,
    draw_by_size,
    draw_masks,
    enumerate_masks,
    shapley_sizes,
)
from ..subject import AnyGame, Subject, ask, end_values
from .basis import pairs as all_pairs
from .basis import standardise, to_coefficients
from .budgets import FILTERED_PLAYERS
from .indices import check_index

INDICES = ("banzhaf", "shapley")
_CHUNK_BYTES = 2**28


def agnostic_least_squares(
    game: AnyGame,
    budget: int,
    p: float = 0.5,
    index: str = "banzhaf",
    basis: str | Iterable[int] = "full",
    order: int = 2,
    seed: int = 0,
    progress: bool = False,
) -> Explanation:
    """Explain any game from the values of `budget` coalitions.

    Args:
        game: anything with `n_image`, `n_text` and `game(masks) -> values`.
        budget: number of coalitions to value; all of them, with their exact weights, where there are no more.
        p: presence probability for "banzhaf"; "shapley" has its own weights.
        index: "banzhaf" (weighted Banzhaf interactions at p) or "shapley" (faithful Shapley interactions).
        basis: which interactions to fit: "full", "crossmodal", "filtered" (among the 72 players with the largest
            first-order values, a share of them text; the paper's second step for large grids), or the players among
            which to fit them.
        order: 2, or 1 for (weighted) Banzhaf or Shapley values alone.
        seed: of the coalitions.
        progress: show a bar if it takes long, where the game can.

    Raises:
        ValueError: if an argument does not fit, or the budget is too small for the coefficients.
    """
    p, budget, index, seed = check_p(p), check_budget(budget, 1), check_index(index), check_seed(seed)
    if index not in INDICES:
        raise ValueError(f"index: got {index!r}, wanted one of {', '.join(INDICES)}.")
    if order not in (1, 2):
        raise ValueError(f"order: got {order!r}, wanted 1 or 2.")
    chosen = pairs_to_fit(game, budget, index, basis, order)
    n, rng = game.n_image + game.n_text, np.random.default_rng(seed)
    masks, weights = draw_masks(n, budget, p, rng) if index == "banzhaf" else draw_shapley(n, budget, rng)
    values = ask(game, masks, progress)
    subject, ends = Subject.of(game), end_values(game)
    explanation = fit(masks, weights, values, subject, ends, p, index, chosen)
    if basis == "filtered" and order == 2:
        chosen = _pairs_among(strongest_players(explanation))
        _check_budget(budget, n, len(chosen[0]), index)
        explanation = fit(masks, weights, values, subject, ends, p, index, chosen)
    return explanation


def pairs_to_fit(game: AnyGame, budget: int, index: str, basis: str | Iterable[int], order: int) -> Pairs:
    """The pairs that are fitted first; ValueError if the budget is too small for them."""
    n_players = Subject.of(game).n_players
    first_order = order == 1 or (isinstance(basis, str) and basis == "filtered")
    chosen = _no_pairs() if first_order else choose_pairs(game, basis)
    _check_budget(budget, n_players, len(chosen[0]), index)
    return chosen


Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]


def fit(
    masks: BoolArray,
    weights: FloatArray,
    values: FloatArray,
    subject: Subject,
    ends: tuple[float, float],
    p: float,
    index: str,
    chosen: Pairs,
) -> Explanation:
    """Weighted least squares on given coalitions.

    Args:
        masks: (m, n). For "shapley", the empty and the full coalition are the first two rows, and their weights are not
            used: both are met exactly.
        weights: (m,).
        values: (m,) logits.
        subject: what was asked about.
        ends: values of the empty and of the grand coalition, logits.
        p: presence probability: of the index "banzhaf"; "shapley" takes one half to condition the system.
        index: "banzhaf" or "shapley".
        chosen: first and second player of every pair that has an interaction.
    """
    at = p if index == "banzhaf" else 0.5
    used = slice(None) if index == "banzhaf" else slice(2, None)
    gram, right = _normal_equations(masks[used], weights[used], values[used], at, chosen)
    try:
        if index == "banzhaf":
            found = solve(gram, right, assume_a="pos")
        else:
            found = _solve_with_constraints(gram, right, _design(masks[:2], at, chosen), values[:2])
    except LinAlgError:
        raise ValueError(f"budget: {len(masks):,} coalitions leave some coefficients undetermined; use more.") from None
    n = subject.n_players
    c2 = np.zeros((n, n))
    c2[chosen] = found[1 + n :]
    constant, attributions, interactions = to_coefficients(float(found[0]), found[1 : 1 + n], c2 + c2.T, at)
    return Explanation(
        constant,
        attributions,
        interactions,
        subject,
        p=at,
        index=index,
        order=2 if len(chosen[0]) else 1,
        estimator=f"model-agnostic least squares, {index} weights",
        budget=len(masks),
        counts="coalitions",
        empty_value=ends[0],
        full_value=ends[1],
    )


def draw_shapley(n_players: int, budget: int, rng: np.random.Generator) -> tuple[BoolArray, FloatArray]:
    """Coalitions for Shapley weights: the empty and the grand one (weight 0), then sizes as `shapley_sizes` says."""
    ends = np.stack([np.zeros(n_players, bool), np.ones(n_players, bool)])
    if n_players < 2:
        return ends, np.zeros(2)
    probabilities = shapley_sizes(n_players)
    if n_players <= MAX_ENUMERATED_PLAYERS and 2**n_players <= budget:
        masks = enumerate_masks(n_players)[1:-1]
        present = masks.sum(axis=1)
        weights = (probabilities / np.maximum(np.bincount(present, minlength=n_players + 1), 1))[present]
    else:
        masks, weights = draw_by_size(n_players, max(1, budget - 2), probabilities, rng)
    return np.concatenate([ends, masks]), np.concatenate([np.zeros(2), weights])


def choose_pairs(game: AnyGame, basis: str | Iterable[int]) -> Pairs:
    """First and second player of the pairs that `basis` names: "full", "crossmodal", or those among some players."""
    n_image, n = game.n_image, game.n_image + game.n_text
    if not isinstance(basis, str):
        inside = sorted({int(player) for player in basis})
        if not inside or inside[0] < 0 or inside[-1] >= n:
            raise ValueError(f"basis: got players {inside}, wanted numbers from 0 to {n - 1}.")
        return _pairs_among(np.array(inside))
    if basis not in ("full", "crossmodal"):
        raise ValueError(f'basis: got {basis!r}, wanted "full", "crossmodal", "filtered" or a list of players.')
    first, second = all_pairs(n)
    if basis == "crossmodal":
        crosses = (first < n_image) & (second >= n_image)
        first, second = first[crosses], second[crosses]
    return first, second


def strongest_players(explanation: Explanation, count: int = FILTERED_PLAYERS) -> NDArray[np.intp]:
    """The players with the largest absolute values, text among them in proportion and at least five where there are.

    The quota of text is min(n_text, max(5, ceil(n_text * count / n))), as in the published code.
    """
    n, n_text = explanation.n_players, explanation.n_text
    count = min(count, n)
    texts = min(n_text, max(5, -(-n_text * count // n)), count)
    order = np.argsort(-np.abs(explanation.attributions), kind="stable")
    is_text = order >= explanation.n_image
    return np.sort(np.concatenate([order[is_text][:texts], order[~is_text][: count - texts]]))


def _no_pairs() -> Pairs:
    none = np.zeros(0, dtype=np.intp)
    return none, none


def _pairs_among(inside: NDArray[np.intp]) -> Pairs:
    first, second = all_pairs(len(inside))
    return inside[first], inside[second]


def _check_budget(budget: int, n_players: int, n_pairs: int, index: str) -> None:
    needed = 1 + n_players + n_pairs
    if budget < min(needed, 2**n_players):
        raise ValueError(
            f"budget: {budget:,} coalitions cannot determine {needed:,} coefficients ({n_players} players and "
            f'{n_pairs:,} pairs); use at least {needed:,}, better {2 * needed:,}, or fewer pairs ("crossmodal").'
        )


def _design(masks: BoolArray, p: float, chosen: Pairs) -> FloatArray:
    chi = standardise(masks, p)
    return np.concatenate([np.ones((len(masks), 1)), chi, chi[:, chosen[0]] * chi[:, chosen[1]]], axis=1)


def _normal_equations(
    masks: BoolArray, weights: FloatArray, values: FloatArray, p: float, chosen: Pairs
) -> tuple[FloatArray, FloatArray]:
    columns = 1 + masks.shape[1] + len(chosen[0])
    gram, right = np.zeros((columns, columns)), np.zeros(columns)
    rows = max(1, _CHUNK_BYTES // (8 * columns))
    for start in range(0, len(masks), rows):
        part = slice(start, start + rows)
        phi = _design(masks[part], p, chosen)
        weighted = phi * weights[part, None]
        gram += phi.T @ weighted
        right += weighted.T @ values[part]
    return gram, right


def _solve_with_constraints(gram: FloatArray, right: FloatArray, design: FloatArray, values: FloatArray) -> FloatArray:
    """Least squares under design @ x = values, by Lagrange multipliers."""
    count = len(values)
    system = np.block([[gram, design.T], [design, np.zeros((count, count))]])
    return np.asarray(solve(system, np.concatenate([right, values]), assume_a="sym")[:-count])
