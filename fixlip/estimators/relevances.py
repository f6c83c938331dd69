"""What the kernel of the Gaussian process is made of, and how samples tell it (see `kernel`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize

from ..masks import BoolArray, FloatArray, IntArray
from .surrogate import to_numpy

# Relevances are fitted to so many samples at most, in so many dimensions of the embedding: fitting takes the cube of
# the first for each of the steps, and must never dominate the encoders' time.
FIT_SAMPLES, FIT_DIMENSIONS, FIT_STEPS = 384, 64, 25
# Where the search starts: rho; omega, nu and mu; noise. Few samples leave what they say nothing about near it.
_START, _START_SHARES, _START_NOISE = 0.05, (0.1, 0.1, 0.003), 1e-2
_RELEVANCE = (-9.0, 4.0)  # bounds of logit(rho)
_SHARE = (-9.0, 3.0)  # bounds of log(omega), log(nu) and log(mu)
_NOISE = (-12.0, 1.0)  # bounds of log(noise)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Pairs of players that are near each other.

    Attributes:
        first, second: (P,), the players of each pair.
        nearness: (P,), above 0 up to 1.
    """

    first: IntArray
    second: IntArray
    nearness: FloatArray

    @classmethod
    def on_grid(cls, rows: int, columns: int) -> Neighbours:
        """Those of a grid's cells that touch, numbered row by row: by an edge 1, by a corner 1/2."""
        row, column = np.divmod(np.arange(rows * columns), columns)
        first, second = np.triu_indices(rows * columns, 1)
        apart = np.abs(row[first] - row[second]), np.abs(column[first] - column[second])
        near = np.maximum(*apart) == 1
        return cls(first[near], second[near], np.where(np.add(*apart)[near] == 1, 1.0, 0.5))

    @classmethod
    def none(cls) -> Neighbours:
        """Where nothing is known of who is near whom."""
        return cls(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0))


@dataclass(frozen=True, eq=False)
class Relevances:
    """What the kernel is made of.

    Attributes:
        rho: (n,), one relevance a player.
        linear, near, wide: omega, the share of single players, nu, that of neighbours, and mu, that of all pairs.
        noise: its variance, in the kernel's units.
        neighbours: who they are.
    """

    rho: FloatArray
    linear: float
    near: float
    wide: float
    noise: float
    neighbours: Neighbours

    def of_neighbours(self) -> FloatArray:
        """What the kernel gives each pair of neighbours, (P,): nu c_ij rho_i rho_j."""
        pairs = self.neighbours
        return np.asarray(self.near * pairs.nearness * self.rho[pairs.first] * self.rho[pairs.second])

    def of_pairs(self) -> FloatArray:
        """What it gives any pair, as one factor a player, (n,): the square root of mu rho_i."""
        return np.asarray(np.sqrt(self.wide * self.rho))


def product(z: torch.Tensor, other: torch.Tensor, rho: torch.Tensor) -> torch.Tensor:
    """The kernel's product for all pairs of masks: prod (1 + rho z z') / (1 + rho) = exp(sum atanh(rho) (z z' - 1))."""
    strength = torch.atanh(rho)
    return torch.exp((z * strength) @ other.T - strength.sum())


def project(inverse: torch.Tensor) -> torch.Tensor:
    """A^-1 - A^-1 1 1^T A^-1 / (1^T A^-1 1): what is left of it when an unknown constant is taken out."""
    sums = inverse.sum(0)
    return inverse - torch.outer(sums, sums) / sums.sum()


def fit_relevances(
    masks: BoolArray, embeddings: Any, neighbours: Neighbours | None = None, device: str = "cpu"
) -> Relevances:
    """Maximum marginal likelihood, with the outputs' scale and mean profiled out.

    With A = K + noise I, its projection Q against the constant, and alpha = Q F, the negative log likelihood is
    d/2 log|A| + m d/2 log tr(F^T Q F), and its derivative with respect to A is
    d/2 A^-1 - (m d / 2 tr) alpha alpha^T, so that one Cholesky factorisation a step is all it takes.

    Args:
        masks: (m, n), distinct rows.
        embeddings: (m, d).
        neighbours: players that are near each other, if any are known to be.
        device: where torch computes.
    """
    neighbours = neighbours or Neighbours.none()
    masks, outputs = masks[:FIT_SAMPLES], _principal(np.asarray(embeddings[:FIT_SAMPLES], np.float64))
    n_masks, n_players = masks.shape
    start = np.append(np.full(n_players, np.log(_START / (1 - _START))), np.log([*_START_SHARES, _START_NOISE]))
    if not np.square(outputs).sum() > 1e-12 * n_masks:
        return _relevances(start, neighbours)
    z = torch.as_tensor(2.0 * masks - 1.0, device=device)
    f = torch.as_tensor(outputs, device=device)
    dimension, identity = f.shape[1], torch.eye(n_masks, dtype=z.dtype, device=device)
    first, second = (torch.as_tensor(ends, device=device) for ends in (neighbours.first, neighbours.second))
    both = z[:, first] * z[:, second]

    def objective(parameters: FloatArray) -> tuple[float, FloatArray]:
        now = _relevances(parameters, neighbours)
        parts = (now.rho, now.of_neighbours(), now.of_pairs())
        rho, of_near, of_pairs = (torch.as_tensor(part, device=device) for part in parts)
        exponential, linear, wide = product(z, z, rho), (z * rho) @ z.T, (z * of_pairs) @ z.T
        kernel = exponential + now.linear * linear + (both * of_near) @ both.T + (wide**2 - of_pairs.square().sum()) / 2
        factor = torch.linalg.cholesky(kernel + now.noise * identity)
        inverse = torch.cholesky_inverse(factor)
        alpha = project(inverse) @ f
        misfit = float((f * alpha).sum())
        value = dimension * (float(factor.diagonal().log().sum()) + n_masks / 2 * np.log(misfit))
        slope = dimension / 2 * inverse - (n_masks * dimension / (2 * misfit)) * (alpha @ alpha.T)

        def along(matrix: torch.Tensor) -> torch.Tensor:
            return (z * (matrix @ z)).sum(0)

        # For the product, d log k / d rho = z z' / (1 + rho z z') - 1 / (1 + rho): linear in z z', which is 1 or -1.
        inner, plain = slope * exponential, along(slope)
        by_rho = (along(inner) - inner.sum()) / (1 - rho**2) + now.linear * plain
        by_near = of_near * (both * (slope @ both)).sum(0)
        near_players = torch.zeros_like(rho).index_add_(0, first, by_near).index_add_(0, second, by_near)
        by_factor = of_pairs * (along(slope * wide) - of_pairs * slope.sum())  # of which rho has the square root
        by_logit = (by_rho * rho + near_players + by_factor / 2) * (1 - rho)
        shares = [now.linear * float(plain @ rho), float(by_near.sum()), float(by_factor.sum()) / 2]
        gradient = np.append(to_numpy(by_logit), [*shares, now.noise * float(slope.diagonal().sum())])
        # A weak pull to the start: with few masks, a player they say nothing about keeps a small relevance.
        pull = (parameters - start) / 3.0
        scale = dimension * n_masks
        return (value + pull @ pull / 2) / scale, (gradient + pull / 3.0) / scale

    bounds = [_RELEVANCE] * n_players + [_SHARE] * 3 + [_NOISE]
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": FIT_STEPS})
    return _relevances(found.x, neighbours)


def _relevances(parameters: FloatArray, neighbours: Neighbours) -> Relevances:
    """From what the optimiser sees: logits of rho, then logarithms of omega, nu, mu and the noise."""
    linear, near, wide, noise = (float(one) for one in np.exp(parameters[-4:]))
    return Relevances(1 / (1 + np.exp(-parameters[:-4])), linear, near, wide, noise, neighbours)


def _principal(outputs: FloatArray) -> FloatArray:
    """Centred outputs in the directions in which they vary most."""
    centred: FloatArray = outputs - outputs.mean(axis=0)
    if centred.shape[1] <= FIT_DIMENSIONS:
        return centred
    _, directions = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ directions[:, -FIT_DIMENSIONS:])
