"""p-faithfulness: how well an explanation predicts the game on masks drawn at p."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from ..explanation import Explanation
from ..masks import (
    BoolArray,
    FloatArray,
    binomial_sizes,
    check_count,
    check_p,
    check_seed,
    log_counts,
    random_of_sizes,
    shapley_sizes,
)
from ..subject import AnyGame, ask


@dataclass(frozen=True)
class Faithfulness:
    """Agreement of predictions with the game on the same masks.

    Attributes:
        spearman: rank correlation, the paper's "p-faithfulness correlation" (Baniecki et al., NeurIPS 2025, Figure 4).
        pearson, kendall: other correlations. All three are NaN where predictions or values do not vary: an explanation
            that is zero everywhere says nothing.
        r2: share of the variance explained; negative if the mean would predict better.
        weighted_r2: the same with every mask counted by the probability of its size over the number of such masks.
        mse, mae: mean squared and mean absolute error, logits squared and logits.

    The last four compare logits with logits. They are NaN for an explanation in a unit of its own (`unit="scores"`): it
    predicts no similarity, and its totals can only be ranked against the game's values, and compared up to a scale.
    """

    spearman: float
    pearson: float
    kendall: float
    r2: float
    weighted_r2: float
    mse: float
    mae: float


def faithfulness(
    explanation: Explanation,
    game: AnyGame,
    p: float | str | None = None,
    *,
    n_masks: int = 1000,
    seed: int = 0,
) -> Faithfulness:
    """Compare an explanation's predictions with the game on fresh masks.

    Scores in a method's own unit predict nothing. Of these the correlations take `Explanation.totals`: what lies within
    each mask, added up, as insertion and deletion do; all other measures are NaN.

    Args:
        explanation: of this game.
        game: what it explains.
        p: presence probability of the masks; "shapley" draws them as Shapley values weigh them; by default as the
            explanation was fitted.
        n_masks: how many.
        seed: of the masks. Take another than the explanation was made with.

    Raises:
        ValueError: before the game is asked, if it is no game or has other players than the explanation; afterwards, if
            it returned anything but one finite number per mask.
    """
    explanation.subject.check_same(game)
    masks, density = draw_fresh(explanation, p, check_count(n_masks, "n_masks", 2), check_seed(seed))
    found = agreement(ask(game, masks), explanation.totals(masks), density)
    none = float("nan")
    return found if explanation.predicts else replace(found, r2=none, weighted_r2=none, mse=none, mae=none)


def draw_fresh(
    explanation: Explanation, p: float | str | None, n_masks: int, seed: int
) -> tuple[BoolArray, FloatArray]:
    """Masks (m, n) drawn at p or with Shapley weights, and the density of each up to a common factor, (m,)."""
    n, rng = explanation.n_players, np.random.default_rng(seed)
    if p is None:
        p = explanation.p if explanation.index == "banzhaf" else "shapley"
    if not isinstance(p, str):
        chances = binomial_sizes(n, check_p(p))
    elif p == "shapley" and n >= 2:
        chances = shapley_sizes(n)
    else:
        raise ValueError(f'p: got {p!r}, wanted a probability or "shapley" (with two players or more).')
    sizes = rng.choice(n + 1, n_masks, p=chances)
    # In logarithms: a thousand players have more coalitions of one size than a float can count.
    density = np.log(chances[sizes]) - log_counts(n)[sizes]
    return random_of_sizes(n, sizes, rng), np.exp(density - density.max())


def agreement(truth: FloatArray, predicted: FloatArray, weights: FloatArray | None = None) -> Faithfulness:
    """All scores of predictions (m,) against values (m,); `weights` (m,) are those of the weighted R squared."""
    from scipy import stats

    truth, predicted = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    if truth.shape != predicted.shape or truth.ndim != 1 or len(truth) < 2:
        raise ValueError(
            f"predicted: got shape {predicted.shape} for values of shape {truth.shape}, wanted (m,) twice."
        )
    weights = np.ones_like(truth) if weights is None else np.asarray(weights, np.float64)
    error = truth - predicted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        spearman, pearson, kendall = (
            float(measure(truth, predicted).statistic)
            for measure in (stats.spearmanr, stats.pearsonr, stats.kendalltau)
        )
    return Faithfulness(
        spearman,
        pearson,
        kendall,
        r2=_r_squared(truth, error, np.ones_like(truth)),
        weighted_r2=_r_squared(truth, error, weights),
        mse=float(np.mean(error**2)),
        mae=float(np.mean(np.abs(error))),
    )


def _r_squared(truth: FloatArray, error: FloatArray, weights: FloatArray) -> float:
    spread = (weights * (truth - np.average(truth, weights=weights)) ** 2).sum()
    return float(1 - (weights * error**2).sum() / spread) if spread > 0 else float("nan")
