"""Relevances: the one number per player that the kernel is made of, and how samples tell it (see `kernel`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize

from ..masks import BoolArray, FloatArray
from .surrogate import to_numpy

# Relevances are fitted to so many samples at most, in so many dimensions of the embedding: fitting takes the cube of
# the first for each of the steps, and must never dominate the encoders' time.
FIT_SAMPLES, FIT_DIMENSIONS, FIT_STEPS = 384, 64, 25
# Where the search starts: rho, at most and of all players together, and the noise. Few samples leave what they say
# nothing about near it, in units of `_PULL` of the logarithms; the more players, the fewer of them can matter.
_START, _START_SUM, _START_NOISE = 0.05, 2.5, 1e-2
_PULL, _PULL_NOISE = 1.5, 3.0
_RELEVANCE = (-9.0, 4.0)  # bounds of logit(rho)
_NOISE = (-12.0, 1.0)  # bounds of log(noise)


@dataclass(frozen=True, eq=False)
class Relevances:
    """What the kernel is made of.

    Attributes:
        rho: (n,), the relevance of each player, between 0 and 1.
        noise: its variance, in the kernel's units.
        samples: how many they were fitted to.
    """

    rho: FloatArray
    noise: float
    samples: int = FIT_SAMPLES


def signs(masks: BoolArray, device: str) -> torch.Tensor:
    """Masks as the kernel sees them, (m, n): 1 where a player is present and -1 where it is absent."""
    return torch.as_tensor(2.0 * masks - 1.0, device=device)


def product(z: torch.Tensor, other: torch.Tensor, rho: torch.Tensor) -> torch.Tensor:
    """The kernel for all pairs of masks: prod (1 + rho z z') / (1 + rho) = exp(sum atanh(rho) (z z' - 1))."""
    strength = torch.atanh(rho)
    return ((z * strength) @ other.T).sub_(strength.sum()).exp_()


def project(inverse: torch.Tensor) -> torch.Tensor:
    """A^-1 - A^-1 1 1^T A^-1 / (1^T A^-1 1): what is left of it when an unknown constant is taken out."""
    sums = inverse.sum(0)
    return inverse - torch.outer(sums, sums) / sums.sum()


def fit_relevances(masks: BoolArray, embeddings: Any, device: str = "cpu") -> Relevances:
    """Maximum marginal likelihood (see `Likelihood`), with a weak pull towards where the search starts.

    Args:
        masks: (m, n), distinct rows.
        embeddings: (m, d).
        device: where torch computes.
    """
    masks, outputs = masks[:FIT_SAMPLES], _principal(np.asarray(embeddings[:FIT_SAMPLES], np.float64))
    n_masks, n_players = masks.shape
    rho = min(_START, _START_SUM / n_players)
    start = np.append(np.full(n_players, np.log(rho / (1 - rho))), np.log(_START_NOISE))
    width = np.append(np.full(n_players, _PULL), _PULL_NOISE)
    if not np.square(outputs).sum() > 1e-12 * n_masks:
        return replace(_relevances(start), samples=n_masks)
    likelihood, scale = Likelihood(masks, outputs, device), outputs.size

    def objective(parameters: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = likelihood(_relevances(parameters))
        # With few masks, a player they say nothing about keeps a small relevance.
        pull = (parameters - start) / width
        return (value + pull @ pull / 2) / scale, (gradient + pull / width) / scale

    bounds = [_RELEVANCE] * n_players + [_NOISE]
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": FIT_STEPS})
    return replace(_relevances(found.x), samples=n_masks)


class Likelihood:
    """The negative log marginal likelihood of samples, with the outputs' scale and mean profiled out.

    With A = K + noise I, its projection Q against the constant, and alpha = Q F, it is
    d/2 log|A| + m d/2 log tr(F^T Q F), and its derivative with respect to A is
    d/2 A^-1 - (m d / 2 tr) alpha alpha^T, so that one Cholesky factorisation per step is all it takes.

    Args:
        masks: (m, n), distinct rows.
        outputs: (m, d), centred.
        device: where torch computes.
    """

    def __init__(self, masks: BoolArray, outputs: FloatArray, device: str) -> None:
        self._z = signs(masks, device)
        self._outputs = torch.as_tensor(outputs, device=device)

    def __call__(self, relevances: Relevances) -> tuple[float, FloatArray]:
        """Value and gradient, by the logits of rho, (n,), then the logarithm of the noise."""
        n_masks, dimension = self._outputs.shape
        z, rho = self._z, torch.as_tensor(relevances.rho, device=self._z.device)
        kernel = product(z, z, rho)
        noisy = kernel.clone()
        noisy.diagonal().add_(relevances.noise)
        factor = torch.linalg.cholesky(noisy)
        inverse = torch.cholesky_inverse(factor)
        alpha = project(inverse) @ self._outputs
        misfit = float((self._outputs * alpha).sum())
        value = dimension * (float(factor.diagonal().log().sum()) + n_masks / 2 * np.log(misfit))
        by_kernel = dimension / 2 * inverse - (n_masks * dimension / (2 * misfit)) * (alpha @ alpha.T)
        by_noise = relevances.noise * float(by_kernel.diagonal().sum())
        # d log k / d rho = z z' / (1 + rho z z') - 1 / (1 + rho): linear in z z', which is 1 or -1.
        by_product = by_kernel * kernel
        by_rho = ((z * (by_product @ z)).sum(0) - by_product.sum()) / (1 - rho**2)
        return value, np.append(to_numpy(by_rho * rho * (1 - rho)), by_noise)


def _relevances(parameters: FloatArray) -> Relevances:
    """From what the optimiser sees: logits of rho, then the logarithm of the noise."""
    return Relevances(1 / (1 + np.exp(-parameters[:-1])), float(np.exp(parameters[-1])))


def _principal(outputs: FloatArray) -> FloatArray:
    """Centred outputs in the directions in which they vary most."""
    centred: FloatArray = outputs - outputs.mean(axis=0)
    if centred.shape[1] <= FIT_DIMENSIONS:
        return centred
    _, directions = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ directions[:, -FIT_DIMENSIONS:])
