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
        rho: (n,), the relevance of each player, between 0 and 1.
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
        """What it gives any pair, as one factor per player, (n,): the square root of mu rho_i."""
        return np.asarray(np.sqrt(self.wide * self.rho))


class Signs:
    """Masks as the kernel sees them.

    Attributes:
        z: (m, n), 1 where a player is present and -1 where it is absent.
        near: (m, P), the product z_i z_j of each pair of neighbours.
    """

    def __init__(self, masks: BoolArray, neighbours: Neighbours, device: str) -> None:
        self.z = torch.as_tensor(2.0 * masks - 1.0, device=device)
        first, second = (torch.as_tensor(ends, device=device) for ends in (neighbours.first, neighbours.second))
        self.near = self.z[:, first] * self.z[:, second]


class Strengths:
    """Relevances as the factors of the kernel's terms, on a device.

    Attributes:
        rho: (n,), relevances, of the product term.
        linear: (n,), omega rho_i, of z_i z'_i.
        near: (P,), nu c_ij rho_i rho_j, of z_i z_j z'_i z'_j for each pair of neighbours.
        wide: (n,), the square root of mu rho_i: its products for i and j are the factors of z_i z_j z'_i z'_j.
    """

    def __init__(self, relevances: Relevances, device: str) -> None:
        parts = (relevances.rho, relevances.of_neighbours(), relevances.of_pairs())
        self.rho, self.near, self.wide = (torch.as_tensor(part, device=device) for part in parts)
        self.linear = relevances.linear * self.rho


@dataclass(frozen=True, eq=False)
class Covariances:
    """The kernel for all pairs of a mask x and a mask x', as the parts that its gradient needs: each (m, m').

    Attributes:
        product: prod_i (1 + rho_i z_i z'_i) / (1 + rho_i).
        low: the terms of single players and of neighbours.
        wide: w = sum_i sqrt(mu rho_i) z_i z'_i, from which the term of all pairs is (w^2 - sum_i mu rho_i) / 2.
        squares: sum_i mu rho_i.
    """

    product: torch.Tensor
    low: torch.Tensor
    wide: torch.Tensor
    squares: torch.Tensor

    @classmethod
    def of(cls, left: Signs, right: Signs, by: Strengths) -> Covariances:
        """Those of masks `left` with masks `right`."""
        low = (left.z * by.linear) @ right.z.T
        low.addmm_(left.near * by.near, right.near.T)
        return cls(product(left.z, right.z, by.rho), low, (left.z * by.wide) @ right.z.T, by.wide.square().sum())

    def total(self) -> torch.Tensor:
        """The kernel, (m, m')."""
        return (self.wide**2).sub_(self.squares).mul_(0.5).add_(self.low).add_(self.product)


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
    """Maximum marginal likelihood (see `Likelihood`), with a weak pull towards where the search starts.

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
    likelihood, scale = Likelihood(masks, outputs, neighbours, device), outputs.size

    def objective(parameters: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = likelihood(_relevances(parameters, neighbours))
        # With few masks, a player they say nothing about keeps a small relevance.
        pull = (parameters - start) / 3.0
        return (value + pull @ pull / 2) / scale, (gradient + pull / 3.0) / scale

    bounds = [_RELEVANCE] * n_players + [_SHARE] * 3 + [_NOISE]
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": FIT_STEPS})
    return _relevances(found.x, neighbours)


class Likelihood:
    """The negative log marginal likelihood of samples, with the outputs' scale and mean profiled out.

    With A = K + noise I, its projection Q against the constant, and alpha = Q F, it is
    d/2 log|A| + m d/2 log tr(F^T Q F), and its derivative with respect to A is
    d/2 A^-1 - (m d / 2 tr) alpha alpha^T, so that one Cholesky factorisation per step is all it takes.

    Args:
        masks: (m, n), distinct rows.
        outputs: (m, d), centred.
        neighbours: of the kernel.
        device: where torch computes.
    """

    def __init__(self, masks: BoolArray, outputs: FloatArray, neighbours: Neighbours, device: str) -> None:
        self._signs, self._neighbours, self._device = Signs(masks, neighbours, device), neighbours, device
        self._outputs = torch.as_tensor(outputs, device=device)
        self._identity = torch.eye(len(masks), dtype=self._signs.z.dtype, device=device)

    def __call__(self, relevances: Relevances) -> tuple[float, FloatArray]:
        """Value and gradient, by the logits of rho, (n,), then the logarithms of omega, nu, mu and the noise."""
        n_masks, dimension = self._outputs.shape
        strengths = Strengths(relevances, self._device)
        kernel = Covariances.of(self._signs, self._signs, strengths)
        factor = torch.linalg.cholesky(kernel.total() + relevances.noise * self._identity)
        inverse = torch.cholesky_inverse(factor)
        alpha = project(inverse) @ self._outputs
        misfit = float((self._outputs * alpha).sum())
        value = dimension * (float(factor.diagonal().log().sum()) + n_masks / 2 * np.log(misfit))
        by_kernel = dimension / 2 * inverse - (n_masks * dimension / (2 * misfit)) * (alpha @ alpha.T)
        by_noise = relevances.noise * float(by_kernel.diagonal().sum())
        return value, np.append(self._gradient(by_kernel, kernel, strengths), by_noise)

    def _gradient(self, by_kernel: torch.Tensor, kernel: Covariances, strengths: Strengths) -> FloatArray:
        """By the logits of rho, (n,), and the logarithms of omega, nu and mu; from that by the kernel, (m, m)."""
        z, near, rho, ends = self._signs.z, self._signs.near, strengths.rho, self._neighbours

        def along(matrix: torch.Tensor) -> torch.Tensor:
            """Of the sum of matrix * (z_i z'_i), for each player i."""
            return (z * (matrix @ z)).sum(0)

        # For the product, d log k / d rho = z z' / (1 + rho z z') - 1 / (1 + rho): linear in z z', which is 1 or -1.
        by_product = by_kernel * kernel.product
        by_rho = (along(by_product) - by_product.sum()) / (1 - rho**2)
        by_linear = strengths.linear * along(by_kernel)
        by_near = strengths.near * (near * (by_kernel @ near)).sum(0)
        near_players = torch.zeros_like(rho)
        for end in (ends.first, ends.second):
            near_players.index_add_(0, torch.as_tensor(end, device=rho.device), by_near)
        # By the logarithm of the factor of all pairs, of which rho and mu have the square root.
        by_wide = strengths.wide * (along(by_kernel * kernel.wide) - strengths.wide * by_kernel.sum())
        by_logit = (by_rho * rho + by_linear + near_players + by_wide / 2) * (1 - rho)
        shares = [float(by_linear.sum()), float(by_near.sum()), float(by_wide.sum()) / 2]
        return np.append(to_numpy(by_logit), shares)


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
