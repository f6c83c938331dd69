"""A Gaussian process over masks: the surrogate from which explanations at every p are read off in closed form.

An embedding f of a masked input is modelled, with z = 2 x - 1 in {-1, 1}^n, by the kernel

    k(x, x') = prod_i (1 + rho_i z_i z'_i) / (1 + rho_i)
               + omega sum_i rho_i z_i z'_i + nu sum_ij c_ij rho_i rho_j z_i z_j z'_i z'_j,     0 < rho_i < 1,

one relevance rho_i a player, a share omega for effects of single players alone and a share nu for those of pairs of
neighbours (c_ij says how near i and j are: patches that touch show the same thing), plus a little noise, around an
unknown constant mean, alike for all d entries of f up to their covariance (Rasmussen and Williams, Gaussian Processes
for Machine Learning, 2006, Sections 2.7 and 5.4). Since the kernel is made of products over players, so are its
averages under the p-measure: the multilinear extension of the surrogate and its derivatives need no sampling, whatever
p. Interactions of order three and more are modelled instead of being noise, which is why a few hundred masks do what
least squares needs thousands for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize

from ..masks import BoolArray, FloatArray
from .surrogate import Neighbours, Surrogate, to_numpy

# Relevances are fitted to so many samples at most, in so many dimensions of the embedding: fitting takes the cube of
# the first for each of the steps, and must never dominate the encoders' time.
FIT_SAMPLES, FIT_DIMENSIONS, FIT_STEPS = 384, 64, 25
# The kernel matrix and its inverse take 16 bytes each a pair of samples; 12,288 are 2.4 GB each.
MAX_SAMPLES = 12_288
# Directions of the embedding space in which the outputs' covariance is applied to pairs of the other side.
DIRECTIONS = 16
_RELEVANCE = (-9.0, 4.0)  # bounds of logit(rho)
_SHARE = (-9.0, 3.0)  # bounds of log(omega) and log(nu)
_NOISE = (-12.0, 1.0)  # bounds of log(noise)


@dataclass(frozen=True, eq=False)
class Relevances:
    """What the kernel is made of.

    Attributes:
        rho: (n,), one relevance a player.
        linear, near: omega, the share of single players, and nu, that of neighbours.
        noise: its variance, in the kernel's units.
        neighbours: who they are.
    """

    rho: FloatArray
    linear: float
    near: float
    noise: float
    neighbours: Neighbours

    def of_neighbours(self) -> FloatArray:
        """What the kernel gives each pair of neighbours, (P,): nu c_ij rho_i rho_j."""
        pairs = self.neighbours
        return np.asarray(self.near * pairs.nearness * self.rho[pairs.first] * self.rho[pairs.second])


@dataclass(frozen=True, eq=False)
class Variances:
    """Posterior variances and covariances at one p, in units of the outputs' covariance.

    psi_i is the sum over j of D_ij, and zeta the sum over i of D_i: what attributions are made of besides D_i.
    """

    mean: torch.Tensor  # (), of E_p[f]
    single: torch.Tensor  # (n,), of D_i
    pair: torch.Tensor  # (n, n), of D_ij
    psi: torch.Tensor  # (n,)
    single_psi: torch.Tensor  # (n,), of D_i with psi_i
    zeta: torch.Tensor  # ()
    mean_zeta: torch.Tensor  # (), of E_p[f] with zeta


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
    start = np.append(np.full(n_players, np.log(0.05 / 0.95)), np.log([0.1, 0.1, 1e-2]))
    if not np.square(outputs).sum() > 1e-12 * n_masks:
        return _relevances(start, neighbours)
    z = torch.as_tensor(2.0 * masks - 1.0, device=device)
    f = torch.as_tensor(outputs, device=device)
    dimension, identity = f.shape[1], torch.eye(n_masks, dtype=z.dtype, device=device)
    first, second = (torch.as_tensor(ends, device=device) for ends in (neighbours.first, neighbours.second))
    both = z[:, first] * z[:, second]

    def objective(parameters: FloatArray) -> tuple[float, FloatArray]:
        now = _relevances(parameters, neighbours)
        rho, of_pairs = (torch.as_tensor(part, device=device) for part in (now.rho, now.of_neighbours()))
        product, linear = _kernel(z, z, rho), (z * rho) @ z.T
        factor = torch.linalg.cholesky(
            product + now.linear * linear + (both * of_pairs) @ both.T + now.noise * identity
        )
        inverse = torch.cholesky_inverse(factor)
        alpha = _project(inverse) @ f
        misfit = float((f * alpha).sum())
        value = dimension * (float(factor.diagonal().log().sum()) + n_masks / 2 * np.log(misfit))
        slope = dimension / 2 * inverse - (n_masks * dimension / (2 * misfit)) * (alpha @ alpha.T)
        inner = slope * product
        # For the product, d log k / d rho = z z' / (1 + rho z z') - 1 / (1 + rho): linear in z z', which is 1 or -1.
        along, plain = ((z * (matrix @ z)).sum(0) for matrix in (inner, slope))
        by_rho = (along - inner.sum()) / (1 - rho**2) + now.linear * plain
        by_pairs = of_pairs * (both * (slope @ both)).sum(0)
        by_player = torch.zeros_like(rho).index_add_(0, first, by_pairs).index_add_(0, second, by_pairs)
        by_shares = [now.linear * float(plain @ rho), float(by_pairs.sum())]
        by_logit = (by_rho * rho + by_player) * (1 - rho)
        gradient = np.append(to_numpy(by_logit), [*by_shares, now.noise * float(slope.diagonal().sum())])
        # A weak pull to the start: with few masks, a player they say nothing about keeps a small relevance.
        pull = (parameters - start) / 3.0
        scale = dimension * n_masks
        return (value + pull @ pull / 2) / scale, (gradient + pull / 3.0) / scale

    bounds = [_RELEVANCE] * n_players + [_SHARE, _SHARE, _NOISE]
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": FIT_STEPS})
    return _relevances(found.x, neighbours)


def _relevances(parameters: FloatArray, neighbours: Neighbours) -> Relevances:
    """From what the optimiser sees: logits of rho, then logarithms of omega, nu and the noise."""
    linear, near, noise = np.exp(parameters[-3:])
    return Relevances(1 / (1 + np.exp(-parameters[:-3])), float(linear), float(near), float(noise), neighbours)


def _principal(outputs: FloatArray) -> FloatArray:
    """Centred outputs in the directions in which they vary most."""
    centred: FloatArray = outputs - outputs.mean(axis=0)
    if centred.shape[1] <= FIT_DIMENSIONS:
        return centred
    _, directions = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ directions[:, -FIT_DIMENSIONS:])


def _kernel(z: torch.Tensor, other: torch.Tensor, rho: torch.Tensor) -> torch.Tensor:
    """The product for all pairs: prod (1 + rho z z') / (1 + rho) = exp(sum atanh(rho) (z z' - 1))."""
    strength = torch.atanh(rho)
    return torch.exp((z * strength) @ other.T - strength.sum())


def _project(inverse: torch.Tensor) -> torch.Tensor:
    """A^-1 - A^-1 1 1^T A^-1 / (1^T A^-1 1): what is left of it when an unknown constant is taken out."""
    sums = inverse.sum(0)
    return inverse - torch.outer(sums, sums) / sums.sum()


class KernelSurrogate(Surrogate):
    """The Gaussian process given samples.

    Args:
        masks: (m, n), distinct rows.
        embeddings: (m, d).
        relevances: fitted to these samples if not given.
        device: where torch computes.
    """

    def __init__(
        self, masks: BoolArray, embeddings: Any, relevances: Relevances | None = None, device: str = "cpu"
    ) -> None:
        self.relevances = relevances or fit_relevances(masks, embeddings, device=device)
        super().__init__(masks, self.relevances.neighbours, device)
        self._rho = torch.as_tensor(self.relevances.rho, device=device)
        self._of_pairs = torch.as_tensor(self.relevances.of_neighbours(), device=device)
        self._z = 2 * self._x - 1
        self._both = self._z[:, self._first] * self._z[:, self._second]
        self._f = torch.as_tensor(np.asarray(embeddings), dtype=torch.float64, device=device)
        kernel = self._covariances(self._z)
        kernel.diagonal().add_(self.relevances.noise)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(kernel))
        self._sums = inverse.sum(0)  # A^-1 1
        self._mean = (self._sums @ self._f) / self._sums.sum()
        self._q = _project(inverse)
        self._alpha = self._q @ self._f
        self._slopes = 2 * self.relevances.linear * self._rho * self._z
        self._bends = 4 * self._of_pairs * self._both

    def _covariances(self, z: torch.Tensor) -> torch.Tensor:
        """k(x, x') of inputs with the samples."""
        both = z[:, self._first] * z[:, self._second] * self._of_pairs
        linear = self.relevances.linear * (z * self._rho) @ self._z.T
        return _kernel(z, self._z, self._rho) + linear + both @ self._both.T

    def predict(self, masks: BoolArray) -> FloatArray:
        """Posterior mean of the embeddings of `masks` (m', n): shape (m', d)."""
        z = torch.as_tensor(2.0 * masks - 1.0, device=self.device)
        return to_numpy(self._covariances(z) @ self._alpha + self._mean)

    def _averages(self, p: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Averages over x of prod k_i(x_i, z_mi), and for each player the factor that makes it a derivative."""
        rho, z = self._rho, self._z
        average = 1 + rho * (2 * p - 1) * z
        base = (average / (1 + rho)).log().sum(1).exp()
        return base, 2 * rho * z / average

    def terms_without(self, p: float, direction: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """As `terms`, each mask's own sample left out of what it is compared with.

        An estimate is a weighted sum of the samples; without sample m it is what comes out when f_m is replaced by its
        prediction from all others (Rasmussen and Williams 2006, Section 5.4.2). So no refit is needed.

        Returns:
            the terms of order 0 and 1, both (m, d), and that of order 2 in a direction (d,), which is (m,).
        """
        of_mean, of_single, _ = self.influence(p)
        second = self._second_order(p)
        pair = second @ (self._alpha @ direction)
        own = second.mul_(self._q).sum(1)
        mean, single, _ = self.derivatives(p)
        offset, errors = self._x - p, self.left_out
        return (
            mean - of_mean[:, None] * errors,
            offset @ single - (offset * of_single).sum(1, keepdim=True) * errors,
            pair - own * (errors @ direction),
        )

    # ---- how uncertain they are

    @cached_property
    def covariance(self) -> torch.Tensor:
        """Covariance of the d outputs, (d, d): what the kernel is to be multiplied with."""
        return self._f.T @ self._alpha / max(1, len(self.masks) - 1)

    @cached_property
    def main_directions(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Variances (k,) and unit vectors (k, d) of the directions in which the outputs vary most."""
        values, vectors = torch.linalg.eigh(self.covariance)
        return values[-DIRECTIONS:], vectors.T[-DIRECTIONS:]

    @cached_property
    def left_out(self) -> torch.Tensor:
        """Each sample minus its prediction from all others, (m, d)."""
        return self._alpha / self._q.diagonal()[:, None]

    def calibration(self, directions: torch.Tensor, weights: torch.Tensor) -> float:
        """How much larger the errors of left-out samples are than the process expects, as a ratio of variances.

        Args:
            directions: (k, d), those of the embedding space that matter.
            weights: (m,), sum one, of the samples.
        """
        errors = float((weights * self._q.diagonal()) @ ((self.left_out @ directions.T) ** 2).sum(1))
        expected = float(((directions @ self.covariance) * directions).sum())
        return errors / expected if expected > 0 else 1.0

    def influence(self, p: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What weight each sample has in E_p[f], (m,); in D_i, (m, n); in the sums over j of D_ij, (m, n)."""
        mean, single, rest = self._kept("influence", p, self._influence)
        return mean, single, rest

    def _influence(self, p: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        mean, single, rest = self.weights(p)
        return self._q @ mean + self._sums / self._sums.sum(), self._q @ single, self._q @ rest

    def variances(self, p: float) -> Variances:
        """Posterior variances of the derivatives at p, in units of `covariance`; the unknown mean's included."""
        of_mean, of_single, of_rest = self.weights(p)
        rho, tilt = self._rho, 2 * p - 1
        linear = self.relevances.linear * rho
        near, of_all = self._by_player(self._of_pairs), self._of_pairs.sum()
        # Prior: averages of k over both arguments; `own` for a player differentiated in both, `half` in one of them.
        average = (1 + rho * tilt**2) / (1 + rho)
        base_prior, own = average.log().sum().exp(), 4 * rho / (1 + rho * tilt**2)
        half = 2 * rho * tilt / (1 + rho * tilt**2)
        # psi_i = sum over j != i of the pairs (i, j); zeta = sum over i of the singles.
        of_zeta = of_single.sum(1)
        # The samples' weights: Q phi, and the weight of the unknown mean for the average.
        by_mean, by_single, by_rest = self.influence(p)
        unseen = (1 - self._sums @ of_mean) / self._sums.sum()
        mean = base_prior + tilt**2 * linear.sum() + tilt**4 * of_all - of_mean @ by_mean + unseen
        single = base_prior * own + 4 * linear + 4 * tilt**2 * near - (of_single * by_single).sum(0)
        others = half.sum() - half  # sum over j != i of half_j
        psi_prior = base_prior * own * (others**2 - (half**2).sum() + half**2 + own.sum() - own)
        psi = psi_prior + 16 * near - (of_rest * by_rest).sum(0)
        single_psi = base_prior * own * others + 8 * tilt * near - (of_rest * by_single).sum(0)
        zeta_prior = base_prior * (half.sum() ** 2 - (half**2).sum() + own.sum()) + 4 * linear.sum()
        zeta = zeta_prior + 16 * tilt**2 * of_all - of_zeta @ by_single.sum(1)
        mean_zeta = base_prior * half.sum() + 2 * tilt * linear.sum() + 4 * tilt**3 * of_all - by_mean @ of_zeta
        pair = base_prior * torch.outer(own, own)
        pair[self._first, self._second] += 16 * self._of_pairs
        pair = pair.triu(1)
        for i, j, columns in self.pair_weights(p):
            pair[i, j] -= (columns * (self._q @ columns)).sum(0)
        pair = pair + pair.T
        return Variances(mean, single, pair, psi, single_psi, zeta, mean_zeta)
