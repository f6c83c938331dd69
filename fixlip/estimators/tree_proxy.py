"""The tree proxy: gradient-boosted trees, their interactions read off exactly, their errors corrected without bias.

The idea is ProxySHAP's (arXiv 2605.22738), here for weighted Banzhaf interactions and all pairs of masked images and
captions. A leaf is its value times a product of literals x_i or (1 - x_i), so that its average under the p-measure and
its derivatives are products too, for any p. What the trees leave unexplained is averaged in by p-biased sampling, on
samples that the trees have not seen: half of the masked images correct the trees of the other half, and vice versa.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..answers import Answers
from ..explanation import Explanation
from ..extras import need
from ..masks import BoolArray, FloatArray
from .indices import taylor

# Rows the trees are fitted to: more pairs of the same images teach them little, and cost time.
_MAX_ROWS = 2**16
SKLEARN = ("sklearn.ensemble", 'estimator "tree"', "scikit-learn")
_TREES = {"max_iter": 300, "learning_rate": 0.05, "max_leaf_nodes": 15, "l2_regularization": 5.0}


def tree_proxy(samples: Answers, p: float | None = None, correct: bool = True) -> Explanation:
    """Explain from samples drawn at p with boosted trees; wants scikit-learn installed.

    Args:
        samples: from `fixlip.sample(game, budget, p=p)`.
        p: presence probability of the result, the one at which the samples were drawn.
        correct: add the average of what the trees leave unexplained to attributions and cross-modal interactions
            (pairs on one side would gain more noise than they lose bias).

    Raises:
        ValueError: if scikit-learn is not installed, the samples were drawn at another p, or there are fewer than eight
            masked images.
    """
    p = samples.check_drawn_at(p, "the tree proxy")
    if samples.budget < 8:
        raise ValueError(f"budget: got {samples.budget} masked images, wanted at least 8 for the tree proxy.")
    image_weights, text_weights = samples.image_side.weights_at(p), samples.text_side.weights_at(p)
    values = samples.values()
    rng = np.random.default_rng(samples.seed)
    half = rng.permutation(samples.budget) < samples.budget // 2
    parts = []
    for train in (half, ~half) if correct else (np.ones_like(half),):
        rows = _draw_pairs(image_weights * train, text_weights, rng)
        masks = np.hstack([samples.image_side.masks[rows[0]], samples.text_side.masks[rows[1]]])
        trees = _Trees(masks, values[rows])
        derivatives = trees.derivatives(p)
        if correct:
            weights = image_weights * ~train
            _add_residual(derivatives, trees, samples, values, (weights / weights.sum(), text_weights), p)
        parts.append(derivatives)
    d0, d1, d2 = (np.mean([part[k] for part in parts], axis=0) for k in range(3))
    estimator = "tree proxy" + ("" if correct else " (not corrected)")
    found = taylor(float(d0), d1, d2, p)
    return Explanation(
        *found,
        p=p,
        estimator=estimator,
        **samples.about(),
    )


class _Trees:
    """Boosted trees fitted to masks, as one list of leaves."""

    def __init__(self, masks: BoolArray, values: FloatArray) -> None:
        ensemble = need(*SKLEARN)
        self._model = ensemble.HistGradientBoostingRegressor(**_TREES, early_stopping=False, random_state=0)
        self._model.fit(masks.astype(np.float32), values)
        self._baseline = float(np.ravel(self._model._baseline_prediction)[0])
        leaves = [_leaves(tree.nodes, masks.shape[1]) for (tree,) in self._model._predictors]
        self._values = np.concatenate([values for values, _ in leaves])
        self._literals = np.concatenate([literals for _, literals in leaves])

    def predict(self, masks: BoolArray) -> FloatArray:
        return np.asarray(self._model.predict(masks.astype(np.float32)))

    def derivatives(self, p: float) -> list[Any]:
        """E_p, D_i and D_ij of the sum of all leaves."""
        literals = self._literals
        chance = np.where(literals > 0, p, np.where(literals < 0, 1 - p, 1.0)).prod(axis=1)
        ratio = np.where(literals > 0, 1 / p, np.where(literals < 0, -1 / (1 - p), 0.0))
        weights = self._values * chance
        pairs = ratio.T @ (weights[:, None] * ratio)
        np.fill_diagonal(pairs, 0.0)
        return [weights.sum() + self._baseline, weights @ ratio, (pairs + pairs.T) / 2]


def _leaves(nodes: Any, n_players: int) -> tuple[FloatArray, FloatArray]:
    """Values of a tree's leaves (leaves,), and which players must be present (1) or absent (-1) there, (leaves, n)."""
    values, literals = [], []
    stack = [(0, np.zeros(n_players))]
    while stack:
        at, path = stack.pop()
        node = nodes[at]
        if node["is_leaf"]:
            values.append(float(node["value"]))
            literals.append(path)
            continue
        player = int(node["feature_idx"])
        for child, literal in ((node["left"], -1.0), (node["right"], 1.0)):
            if path[player] in (0.0, literal):  # a path that wants a player both present and absent leads nowhere
                follow = path.copy()
                follow[player] = literal
                stack.append((int(child), follow))
    return np.array(values), np.array(literals)


def _draw_pairs(image_weights: FloatArray, text_weights: FloatArray, rng: np.random.Generator) -> Any:
    """Row and column numbers of the pairs to fit: all of them, or as many as are allowed, drawn by their weights."""
    weights = np.outer(image_weights / image_weights.sum(), text_weights).ravel()
    # A mask counts as often as it was drawn; drawing anew from the weights gives every row the same say.
    count = min(_MAX_ROWS, 4 * int(np.count_nonzero(weights)))
    chosen = rng.choice(len(weights), size=count, p=weights)
    return np.unravel_index(chosen, (len(image_weights), len(text_weights)))


def _add_residual(
    derivatives: list[Any],
    trees: _Trees,
    samples: Answers,
    values: FloatArray,
    weights: tuple[FloatArray, FloatArray],
    p: float,
) -> None:
    """Add unbiased estimates of the derivatives of what the trees leave unexplained, in place."""
    image, text = samples.image_side.masks, samples.text_side.masks
    residual = np.empty_like(values)
    for row, mask in enumerate(image):  # a row at a time: all pairs at once could fill memory
        pairs = np.hstack([np.broadcast_to(mask, (len(text), len(mask))), text])
        residual[row] = values[row] - trees.predict(pairs) if weights[0][row] > 0 else 0.0
    weighted = residual * np.outer(*weights)
    x, y = ((masks - p) / (p * (1 - p)) for masks in (image, text))
    n_image = image.shape[1]
    derivatives[0] += weighted.sum()
    derivatives[1] += np.concatenate([weighted.sum(axis=1) @ x, weighted.sum(axis=0) @ y])
    crossed = x.T @ weighted @ y
    derivatives[2][:n_image, n_image:] += crossed
    derivatives[2][n_image:, :n_image] += crossed.T
