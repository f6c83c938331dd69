"""What the leaderboard's estimators are judged against: limits that none of them had a part in.

A surrogate fitted to masks of its own is corrected by plain averages, over more masks, of what it leaves unexplained.
A correction by averages takes away whatever the surrogate got wrong, however it was fitted, and how far chance has
moved it is known: by so much squared errors are diminished, or no estimator could come closer to the limit than the
limit is to the truth.

Captions are enumerated (ten tokens at most), so that only masked images are left to chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import fixlip
from fixlip.answers import Side
from fixlip.estimators.indices import Node, quadrature, taylor
from fixlip.masks import density, mask_weights
from fixlip.subject import Subject

# Shapley indices average over all p; masks for them are drawn from nearly all, and weighted.
SHAPLEY_MIXTURE = (0.03, 0.15, 0.35, 0.5, 0.65, 0.85, 0.97)


@dataclass(frozen=True)
class Limit:
    """Values (n,) and interactions (n, n) in the limit, logits, and the variance of what is left to chance in them.

    Attributes:
        values, pairs: the limits.
        value_variance, pair_variance: of the same shapes.
        predictors: explanations whose R squared may stand for the limit's: with the correction, and without.
    """

    values: np.ndarray
    pairs: np.ndarray
    value_variance: np.ndarray
    pair_variance: np.ndarray
    predictors: tuple[fixlip.Explanation, ...] = ()

    def errors(self, explanation: fixlip.Explanation) -> tuple[float, float]:
        """Root mean square errors of values and of interactions, less what chance has done to the limit."""
        upper = np.triu_indices(len(self.values), 1)
        of_values = (explanation.values - self.values) ** 2 - self.value_variance
        of_pairs = ((explanation.interactions - self.pairs) ** 2 - self.pair_variance)[upper]
        return tuple(float(np.sqrt(max(0.0, one.mean()))) for one in (of_values, of_pairs))

    @property
    def sizes(self) -> tuple[float, float]:
        """Root mean squares of values and interactions: what an explanation of zeros would err by."""
        anyone = Subject(len(self.values), 0, ("",) * len(self.values))
        none = fixlip.Explanation(0.0, 0 * self.values, 0 * self.pairs, anyone)
        return self.errors(none)


def limit_of(game: fixlip.Game, p: float | None, sizes: tuple[int, int], seed: int) -> Limit:
    """The limit at p, or of faithful Shapley interactions where p is None: so many masked images to fit, and more."""
    ps = SHAPLEY_MIXTURE if p is None else (p,)
    nodes = quadrature(game.n_image + game.n_text, "shapley") if p is None else [Node(p, 1.0, 1.0)]
    samples = fixlip.sample(game, sizes[0], p=ps, seed=seed, progress=False)
    if not samples.text_side.exact:
        raise ValueError(f"caption: got {game.n_text} tokens, wanted at most 10, whose masks can be enumerated.")
    fit, rng = samples.readout(), np.random.default_rng([seed, 1])
    raw = _read(fit, nodes)
    masks = rng.random((sizes[1], game.n_image)) < np.resize(ps, sizes[1])[:, None]
    corrections = _corrections(game, fit, masks, samples.text_side, ps, nodes)
    found = [one + correction for one, (correction, _) in zip(raw, corrections, strict=True)]
    predictors: tuple[fixlip.Explanation, ...] = ()
    if p is not None:
        both = [taylor(float(one[0]), one[1], one[2], p) for one in (found, raw)]
        predictors = tuple(fixlip.Explanation(*one, samples.subject, p=p) for one in both)
    return Limit(found[1], found[2], corrections[1][1], corrections[2][1], predictors)


def _read(fit, nodes: Sequence[Node]) -> list[np.ndarray]:
    """E[v], values and interactions of a fit, averaged over the nodes."""
    found = [[np.array(one, np.float64) for one in fit.derivatives(node.p)] for node in nodes]
    factors = [(node.weight, node.weight, node.weight * node.of_pair) for node in nodes]
    return [sum(f[k] * one[k] for f, one in zip(factors, found, strict=True)) for k in range(3)]


def _corrections(game, fit, masks: np.ndarray, text: Side, ps: tuple[float, ...], nodes: Sequence[Node]):
    """For E[v], values and interactions: averages of what the fit leaves unexplained, and their variances.

    Given an image mask x, its part in D_i is B1 if player i is present in x and B0 if not; in D_ij it is A2, A1 or A0
    by how many of the two are present: averages over all p and all masked captions, so that one number a mask remains.
    """
    x = masks.astype(np.float64)
    left = np.asarray(game.embed_images(masks), np.float64) - np.asarray(fit.image.predict(masks))
    left = game.scale * left @ text.embeddings.T.astype(np.float64)
    n_text, m = text.masks.shape[1], len(x)
    mean, (b1, b0), (a2, a1, a0) = np.zeros(m), np.zeros((2, m)), np.zeros((3, m))
    words, (x1, x0), word_pairs = np.zeros((m, n_text)), np.zeros((2, m, n_text)), np.zeros((m, n_text**2))
    for p, weight, of_pair in nodes:
        ratio = density(masks, (p,)) / density(masks, ps)
        h, w = (text.masks - p) / (p * (1 - p)), mask_weights(text.masks, p)[:, None]
        part = weight * ratio[:, None] * left
        v0, v1 = (part @ w)[:, 0], part @ (w * h)
        mean, words, b1, b0 = mean + v0, words + v1, b1 + v0 / p, b0 - v0 / (1 - p)
        a2, a1, a0 = (a + of_pair * v0 / f for a, f in ((a2, p * p), (a1, -p * (1 - p)), (a0, (1 - p) ** 2)))
        x1, x0 = x1 + of_pair * v1 / p, x0 - of_pair * v1 / (1 - p)
        word_pairs += of_pair * (part @ (w * (h[:, :, None] * h[:, None, :]).reshape(len(h), -1)))

    def moments(k: int):
        """The averages of k-th powers."""
        singles = (b0**k).mean() + x.T @ (b1**k - b0**k) / m
        one = x.T @ (a1**k - a0**k) / m
        both = (x * (a2**k - 2 * a1**k + a0**k)[:, None]).T @ x / m
        cross = (x0**k).mean(0) + x.T @ (x1**k - x0**k) / m
        within = (word_pairs**k).mean(0).reshape(n_text, n_text)
        pairs = np.block([[(a0**k).mean() + one[:, None] + one + both, cross], [cross.T, within]])
        np.fill_diagonal(pairs, 0.0)
        return (mean**k).mean(), np.concatenate([singles, (words**k).mean(0)]), (pairs + pairs.T) / 2

    return [(first, (second - first**2) / m) for first, second in zip(moments(1), moments(2), strict=True)]
