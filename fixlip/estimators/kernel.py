"""A Gaussian process over masks: the surrogate from which explanations at every p are read off in closed form.

An embedding f of a masked input is modelled, with z = 2 x - 1 in {-1, 1}^n, by one product over players,

    k(x, x') = prod_i (1 + rho_i z_i z'_i) / (1 + rho_i),

with a relevance 0 < rho_i < 1 per player, plus a little noise, around an unknown constant mean, alike for all d entries
of f up to their covariance (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, Sections 2.7 and
5.4).

Since the kernel is a product over players, so are its averages under the p-measure: the multilinear extension of the
surrogate and its derivatives need no sampling, whatever p. Interactions of order three and more are modelled instead of
being noise, which is why a few hundred masks do what least squares needs thousands for.

With A = K + s I for the samples' kernel matrix K and the noise's variance s, and with the unknown mean projected out of
the inverse, Q = A^-1 - A^-1 1 1^T A^-1 / (1^T A^-1 1), the posterior mean is mean + k(x)^T alpha with alpha = Q F. A
linear functional L of f, such as D_ij at p, has the same form with phi = (L k(., x_m))_m, its `weights`, in place of
k(x); and its posterior variance is L L k - phi^T Q phi, the prior's less what the samples explain.

Inverting A takes the cube of the number of samples. From 1,024 on the first so many are the `centres`: the process is
taken to be a weighted sum of their kernel functions, fitted to all samples, and what these cannot hold of a sample's
variance to be noise of its own (FITC: Snelson and Ghahramani, NeurIPS 2005; Rasmussen and Williams 2006, Section 8.3).
Its time grows as the number of further samples does. It keeps 8 kB for each of them; work space included, 12,288
samples take half a gigabyte.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ..masks import BoolArray, FloatArray
from .relevances import Relevances, fit_relevances, product, project, signs
from .surrogate import Surrogate, to_numpy
from .uncertainty import Variances, pair_prior, product_prior, triple_prior

CENTRES = 1024
# Directions of the embedding space in which the outputs' covariance is applied to pairs of the other side.
DIRECTIONS = 16
# What keeps the centres' own kernel matrix invertible where it is not the noise, as a share of the noise.
_JITTER = 1e-3


@dataclass(frozen=True, eq=False)
class Fit:
    """The process given m samples, as a function of u centres.

    Attributes:
        gain: (u, m), from samples to weights: alpha = gain F.
        explains: (u, u), what the samples take off the variance of a functional with weights phi: phi^T explains phi.
        unit: (m,), sum one: the estimate of the constant mean is unit^T F.
        seen: (u,), what of the mean a functional's weights contain: seen^T phi.
        precision: of the mean's estimate, 1^T A^-1 1.
        kept: (m,), what is left of each sample in its own residual: one minus its leverage.
        noise: (m,), variances of the samples' noise.
    """

    gain: torch.Tensor
    explains: torch.Tensor
    unit: torch.Tensor
    seen: torch.Tensor
    precision: torch.Tensor
    kept: torch.Tensor
    noise: torch.Tensor


class KernelSurrogate(Surrogate):
    """The Gaussian process given samples.

    Args:
        masks: (m, n), distinct rows.
        embeddings: (m, d).
        relevances: fitted to these samples if not given.
        device: where torch computes.

    Attributes:
        relevances: those used.
        left_out: (m, d), each sample minus its prediction from all others.
        expected: (m,), the variance of that which the process expects, in units of `covariance`.
        covariance: (d, d), of the outputs: what the kernel is to be multiplied with.
    """

    def __init__(
        self, masks: BoolArray, embeddings: Any, relevances: Relevances | None = None, device: str = "cpu"
    ) -> None:
        super().__init__(masks, device)
        self.relevances = relevances or fit_relevances(masks, embeddings, device=device)
        self._rho = torch.as_tensor(self.relevances.rho, device=device)
        self._centres = signs(masks[:CENTRES], device)
        outputs = torch.as_tensor(np.asarray(embeddings), dtype=torch.float64, device=device)
        fit = self._given = self._fit()
        self._mean, self._alpha = fit.unit @ outputs, fit.gain @ outputs
        exact = len(masks) <= CENTRES
        weighed = self._alpha if exact else (outputs - self._at(signs(masks, device))) / fit.noise[:, None]  # A^-1 f
        # Left-out errors without a refit: Rasmussen and Williams 2006, Equation 5.12.
        self.expected = fit.noise / fit.kept
        self.left_out = weighed * self.expected[:, None]
        self.covariance = (outputs - self._mean).T @ weighed / max(1, len(masks) - 1)

    def _fit(self) -> Fit:
        """Condition the process on the samples."""
        noise, kernel = self.relevances.noise, product(self._centres, self._centres, self._rho)
        if len(self.masks) > CENTRES:
            return self._projected(kernel)
        kernel.diagonal().add_(noise)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(kernel))
        sums, q = inverse.sum(0), project(inverse)
        kept = noise * q.diagonal()
        return Fit(q, q, sums / sums.sum(), sums, sums.sum(), kept, torch.full_like(kept, noise))

    def _projected(self, kernel: torch.Tensor) -> Fit:
        """The same for more samples than centres, whose kernel matrix is given."""
        kernel.diagonal().add_(_JITTER * self.relevances.noise)
        factor = torch.linalg.cholesky(kernel)
        across = product(self._centres, signs(self.masks, self.device), self._rho)  # (u, m)
        held = torch.linalg.solve_triangular(factor, across, upper=False).square_().sum(0)
        # What the centres cannot hold of a sample is noise of its own; the kernel of a mask with itself is one.
        noise = self.relevances.noise + (1 - held).clamp_(min=0.0)
        inner = torch.cholesky_inverse(torch.linalg.cholesky(kernel + (across / noise) @ across.T))
        gain = (inner @ across).div_(noise)
        seen = gain.sum(1)
        sums = (1 - seen @ across) / noise
        precision = sums.sum()
        unit = sums / precision
        gain -= torch.outer(seen, unit)
        kept = 1 - unit - across.mul_(gain).sum(0)
        explains = torch.cholesky_inverse(factor) - inner - torch.outer(seen, seen) / precision
        return Fit(gain, explains, unit, seen, precision, kept, noise)

    def _at(self, z: torch.Tensor) -> torch.Tensor:
        """Posterior mean at masks as signs (m', n): (m', d)."""
        return product(z, self._centres, self._rho) @ self._alpha + self._mean

    def predict(self, masks: BoolArray) -> FloatArray:
        """Posterior mean of the embeddings of `masks` (m', n): shape (m', d)."""
        return to_numpy(self._at(signs(masks, self.device)))

    def predicted_variances(self, masks: BoolArray) -> FloatArray:
        """Variances (m',) of the embeddings of `masks` (m', n) as far as they are predicted, noise included.

        In units of `covariance`. The prior's is one for all masks, since z_i^2 = 1.
        """
        given, phi = self._given, product(signs(masks, self.device), self._centres, self._rho)
        explained = (phi @ given.explains * phi).sum(1) - (1 - 2 * phi @ given.seen) / given.precision
        return to_numpy((1 + self.relevances.noise - explained).clamp(min=0.0))

    def _averages(self, p: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Averages over x of prod k_i(x_i, z_mi), and for each player the factor that makes it a derivative."""
        rho, z = self._rho, self._centres
        average = 1 + rho * (2 * p - 1) * z
        base = (average / (1 + rho)).log().sum(1).exp()
        return base, 2 * rho * z / average

    # ---- leaving out

    def influence(self, p: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The weight of each sample in E_p[f], (m,); in D_i, (m, n); in the sums over j of D_ij, (m, n).

        An estimate is a sum of the samples, weighted by these. Without sample m it is what comes out when f_m is
        replaced by its prediction from all others (Rasmussen and Williams 2006, Section 5.4.2), and so less by the
        influence times `left_out`. That is why nothing needs to be fitted anew.
        """
        mean, single, pair_sum = self._kept("influence", p, self._influence)
        return mean, single, pair_sum

    def _influence(self, p: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        mean, single, pair_sum = self.weights(p)
        gain = self._given.gain.T
        return gain @ mean + self._given.unit, gain @ single, gain @ pair_sum

    def pair_influence(self, p: float, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        """The same in D_ij of the pairs i, j (k,) alone: (m, k)."""
        return self._given.gain.T @ self.weights_of(p, i, j)

    def terms_without(self, p: float) -> tuple[torch.Tensor, torch.Tensor]:
        """The terms of order 0 and 1, both (m, d), each mask's own sample left out of what it is compared with."""
        of_mean, of_single, _ = self.influence(p)
        mean, single, _ = self.derivatives(p)
        offset = self._x - p
        own = (offset * of_single).sum(1)  # influence of each sample on the term of order 1 at its own mask
        return mean - of_mean[:, None] * self.left_out, offset @ single - own[:, None] * self.left_out

    def second_term_without(self, p: float, directions: torch.Tensor) -> torch.Tensor:
        """The term of order 2 in directions (k, d), (m, k), likewise."""
        return self._term_without(self._second_order(p), directions)

    def third_term_without(self, p: float, directions: torch.Tensor) -> torch.Tensor:
        """The term of order 3 in directions (k, d), (m, k), likewise."""
        return self._term_without(self._third_order(p), directions)

    def _term_without(self, of_masks: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
        """A term with the weights `of_masks` (m, u) of alpha; they are used up."""
        found: torch.Tensor = torch.linalg.multi_dot([of_masks, self._alpha, directions.T])
        own = of_masks.mul_(self._given.gain.T).sum(1)
        return found.sub_(own[:, None] * (self.left_out @ directions.T))

    # ---- how uncertain the derivatives are

    @cached_property  # two threads may both compute it; they find the same
    def main_directions(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Variances (k,) and unit vectors (k, d) of the directions in which the outputs vary most."""
        values, vectors = torch.linalg.eigh(self.covariance)
        return values[-DIRECTIONS:], vectors.T[-DIRECTIONS:]

    def variances(self, p: float) -> Variances:
        """Posterior (co)variances of the derivatives at p, in units of `covariance`; the unknown mean's included.

        The last are kept: values and attributions want them one after the other.
        """
        return self._kept("variances", p, lambda p: product_prior(self._rho, p) - self._explained(p))

    def pair_variances(self, p: float) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Players i < j of some pairs, (k,); the posterior variances of D_ij, (k,); samples' weights in it, (m, k)."""
        given, prior = self._given, pair_prior(self._rho, p)
        for i, j, phi in self.pair_weights(p):
            of_pairs = given.explains @ phi
            influence = of_pairs if given.gain is given.explains else given.gain.T @ phi
            yield i, j, prior[i, j] - (phi * of_pairs).sum(0), influence

    def triple_bounds(self, p: float) -> torch.Tensor:
        """Upper bounds of the posterior variances of D_ijk, (n, n, n): the prior's, in units of `covariance`.

        What the samples take off is a quadratic form in all of them for each of the triples, and would take minutes.
        """
        return triple_prior(self._rho, p)

    def _explained(self, p: float) -> Variances:
        """What the samples take off the prior: phi^T Q phi for the weights phi of each functional.

        E_p[f] alone contains the unknown mean, which adds (1 - 1^T A^-1 phi)^2 / 1^T A^-1 1 to the variance.
        """
        given, (phi_mean, phi_single, phi_pair_sum) = self._given, self.weights(p)
        of_mean, of_single, of_pair_sum = (given.explains @ phi for phi in (phi_mean, phi_single, phi_pair_sum))
        of_single_sum = of_single.sum(1)
        unseen = (1 - 2 * given.seen @ phi_mean) / given.precision
        return Variances(
            mean=phi_mean @ of_mean - unseen,
            single=(phi_single * of_single).sum(0),
            pair_sum=(phi_pair_sum * of_pair_sum).sum(0),
            single_with_pair_sum=(phi_pair_sum * of_single).sum(0),
            single_sum=phi_single.sum(1) @ of_single_sum,
            mean_with_single_sum=phi_mean @ of_single_sum + given.seen @ phi_single.sum(1) / given.precision,
        )
