"""A Gaussian process over masks: the surrogate from which explanations at every p are read off in closed form.

An embedding f of a masked input is modelled, with z = 2 x - 1 in {-1, 1}^n, by the kernel

    k(x, x') = prod_i (1 + rho_i z_i z'_i) / (1 + rho_i) + omega sum_i rho_i z_i z'_i,     0 < rho_i < 1,

one relevance rho_i a player, with a share omega for effects of single players alone, plus a little noise, around an
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
from .surrogate import Surrogate, to_numpy

# Relevances are fitted to so many samples at most, in so many dimensions of the embedding: fitting takes the cube of
# the first for each of the steps, and must never dominate the encoders' time.
FIT_SAMPLES, FIT_DIMENSIONS, FIT_STEPS = 512, 64, 40
# The kernel matrix and its inverse take 16 bytes each a pair of samples; 12,288 are 2.4 GB each.
MAX_SAMPLES = 12_288
# Directions of the embedding space in which the outputs' covariance is applied to pairs of the other side.
DIRECTIONS = 16
_PAIRS_AT_ONCE = 2048
_RELEVANCE = (-9.0, 4.0)  # bounds of logit(rho)
_LINEAR = (-9.0, 3.0)  # bounds of log(omega)
_NOISE = (-12.0, 1.0)  # bounds of log(noise)


@dataclass(frozen=True, eq=False)
class Relevances:
    """What the kernel is made of: rho (n,), one relevance a player, omega, and the noise variance in its units."""

    rho: FloatArray
    linear: float
    noise: float


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


def fit_relevances(masks: BoolArray, embeddings: Any, device: str = "cpu") -> Relevances:
    """Maximum marginal likelihood, with the outputs' scale and mean profiled out.

    With A = K + noise I, its projection Q against the constant, and alpha = Q F, the negative log likelihood is
    d/2 log|A| + m d/2 log tr(F^T Q F), and its derivative with respect to A is
    d/2 A^-1 - (m d / 2 tr) alpha alpha^T, so that one Cholesky factorisation a step is all it takes.

    Args:
        masks: (m, n), distinct rows.
        embeddings: (m, d).
        device: where torch computes.
    """
    masks, outputs = masks[:FIT_SAMPLES], _principal(np.asarray(embeddings[:FIT_SAMPLES], np.float64))
    n_masks, n_players = masks.shape
    start = np.append(np.full(n_players, np.log(0.05 / 0.95)), np.log([0.1, 1e-2]))
    if not np.square(outputs).sum() > 1e-12 * n_masks:
        return _relevances(start)
    z = torch.as_tensor(2.0 * masks - 1.0, device=device)
    f = torch.as_tensor(outputs, device=device)
    dimension, identity = f.shape[1], torch.eye(n_masks, dtype=z.dtype, device=device)

    def objective(parameters: FloatArray) -> tuple[float, FloatArray]:
        now = _relevances(parameters)
        rho = torch.as_tensor(now.rho, device=device)
        product, linear = _kernel(z, z, rho), (z * rho) @ z.T
        factor = torch.linalg.cholesky(product + now.linear * linear + now.noise * identity)
        inverse = torch.cholesky_inverse(factor)
        alpha = _project(inverse) @ f
        misfit = float((f * alpha).sum())
        value = dimension * (float(factor.diagonal().log().sum()) + n_masks / 2 * np.log(misfit))
        slope = dimension / 2 * inverse - (n_masks * dimension / (2 * misfit)) * (alpha @ alpha.T)
        inner = slope * product
        # For the product, d log k / d rho = z z' / (1 + rho z z') - 1 / (1 + rho): linear in z z', which is 1 or -1.
        along, plain = ((z * (matrix @ z)).sum(0) for matrix in (inner, slope))
        by_rho = (along - inner.sum()) / (1 - rho**2) + now.linear * plain
        by_others = [now.linear * float(plain @ rho), now.noise * float(slope.diagonal().sum())]
        gradient = np.append(to_numpy(by_rho * rho * (1 - rho)), by_others)
        # A weak pull to the start: with few masks, a player they say nothing about keeps a small relevance.
        pull = (parameters - start) / 3.0
        scale = dimension * n_masks
        return (value + pull @ pull / 2) / scale, (gradient + pull / 3.0) / scale

    bounds = [_RELEVANCE] * n_players + [_LINEAR, _NOISE]
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": FIT_STEPS})
    return _relevances(found.x)


def _relevances(parameters: FloatArray) -> Relevances:
    """From what the optimiser sees: logits of rho, then logarithms of omega and the noise."""
    linear, noise = np.exp(parameters[-2:])
    return Relevances(1 / (1 + np.exp(-parameters[:-2])), float(linear), float(noise))


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
        super().__init__(masks, device)
        self.relevances = relevances or fit_relevances(masks, embeddings, device)
        self._rho = torch.as_tensor(self.relevances.rho, device=device)
        self._z = 2 * self._x - 1
        self._f = torch.as_tensor(np.asarray(embeddings), dtype=torch.float64, device=device)
        kernel = self._covariances(self._z)
        kernel.diagonal().add_(self.relevances.noise)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(kernel))
        self._sums = inverse.sum(0)  # A^-1 1
        self._mean = (self._sums @ self._f) / self._sums.sum()
        self._q = _project(inverse)
        self._alpha = self._q @ self._f
        self._slopes = 2 * self.relevances.linear * self._rho * self._z

    def _covariances(self, z: torch.Tensor) -> torch.Tensor:
        """k(x, x') of inputs with the samples."""
        return _kernel(z, self._z, self._rho) + self.relevances.linear * (z * self._rho) @ self._z.T

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
        base, ratio = self.averages(p)
        of_mean, of_single, of_rest = self.weights(p)
        rho, tilt = self._rho, 2 * p - 1
        linear = self.relevances.linear * rho
        # Prior: averages of k over both arguments; `own` for a player differentiated in both, `half` in one of them.
        average = (1 + rho * tilt**2) / (1 + rho)
        base_prior, own = average.log().sum().exp(), 4 * rho / (1 + rho * tilt**2)
        half = 2 * rho * tilt / (1 + rho * tilt**2)
        # psi_i = sum over j != i of the pairs (i, j); zeta = sum over i of the singles.
        of_zeta = of_single.sum(1)
        # The samples' weights: Q phi, and the weight of the unknown mean for the average.
        by_mean, by_single, by_rest = self.influence(p)
        unseen = (1 - self._sums @ of_mean) / self._sums.sum()
        mean = base_prior + tilt**2 * linear.sum() - of_mean @ by_mean + unseen
        single = base_prior * own + 4 * linear - (of_single * by_single).sum(0)
        others = half.sum() - half  # sum over j != i of half_j
        psi_prior = base_prior * own * (others**2 - (half**2).sum() + half**2 + own.sum() - own)
        psi = psi_prior - (of_rest * by_rest).sum(0)
        single_psi = base_prior * own * others - (of_rest * by_single).sum(0)
        zeta_prior = base_prior * (half.sum() ** 2 - (half**2).sum() + own.sum()) + 4 * linear.sum()
        zeta = zeta_prior - of_zeta @ by_single.sum(1)
        mean_zeta = base_prior * half.sum() + 2 * tilt * linear.sum() - by_mean @ of_zeta
        data = self._q * torch.outer(base, base)  # with the factor that all pairs have moved in
        pair = base_prior * torch.outer(own, own) - self._pair_reduction(data, ratio)
        pair.fill_diagonal_(0.0)
        return Variances(mean, single, pair, psi, single_psi, zeta, mean_zeta)

    def _pair_reduction(self, data: torch.Tensor, ratio: torch.Tensor) -> torch.Tensor:
        """phi_ij^T Q phi_ij for every pair, (n, n): some pairs at a time, since all of them could fill memory."""
        found = torch.zeros(self.n_players, self.n_players, dtype=data.dtype, device=data.device)
        first, second = torch.triu_indices(self.n_players, self.n_players, 1, device=data.device)
        for start in range(0, len(first), _PAIRS_AT_ONCE):
            i, j = first[start : start + _PAIRS_AT_ONCE], second[start : start + _PAIRS_AT_ONCE]
            columns = ratio[:, i] * ratio[:, j]
            found[i, j] = (columns * (data @ columns)).sum(0)
        return found + found.T
