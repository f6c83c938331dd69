"""A Gaussian process over masks: the surrogate from which explanations at every p are read off in closed form.

An embedding f of a masked input is modelled, with z = 2 x - 1 in {-1, 1}^n, by the kernel

    k(x, x') = prod_i (1 + rho_i z_i z'_i) / (1 + rho_i)
               + omega sum_i rho_i z_i z'_i + sum_ij (nu c_ij rho_i rho_j + mu sqrt(rho_i rho_j)) z_i z_j z'_i z'_j,

with a relevance 0 < rho_i < 1 per player, a share omega for effects of single players alone, a share nu for those of
pairs of neighbours (c_ij says how near i and j are: patches that touch show the same thing) and a share mu for all
pairs (i < j in both), plus a little noise, around an unknown constant mean, alike for all d entries of f up to their
covariance (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, Sections 2.7 and 5.4). The share mu
is there for honest error bars: pairs of players that matter little interact more than the product of their relevances
would have it.

Since the kernel is made of products over players, so are its averages under the p-measure: the multilinear extension
of the surrogate and its derivatives need no sampling, whatever p. Interactions of order three and more are modelled
instead of being noise, which is why a few hundred masks do what least squares needs thousands for.

With A = K + s I for the samples' kernel matrix K and the noise's variance s, and with the unknown mean projected out of
the inverse, Q = A^-1 - A^-1 1 1^T A^-1 / (1^T A^-1 1), the posterior mean is mean + k(x)^T alpha with alpha = Q F. A
linear functional L of f, such as D_ij at p, has the same form with phi = (L k(., x_m))_m, its `weights`, in place of
k(x); and its posterior variance is L L k - phi^T Q phi, the prior's less what the samples explain.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ..masks import BoolArray, FloatArray
from .relevances import Covariances, Relevances, Signs, Strengths, fit_relevances, project
from .surrogate import Surrogate, symmetric, to_numpy
from .uncertainty import Uncertainty, Variances, linear_prior, pair_prior, product_prior, triple_prior

# Directions of the embedding space in which the outputs' covariance is applied to pairs of the other side.
DIRECTIONS = 16


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
        covariance: (d, d), of the outputs: what the kernel is to be multiplied with.
    """

    def __init__(
        self, masks: BoolArray, embeddings: Any, relevances: Relevances | None = None, device: str = "cpu"
    ) -> None:
        super().__init__(masks, device)
        self.relevances = relevances or fit_relevances(masks, embeddings, device=device)
        self._strengths = Strengths(self.relevances, device)
        self._signs = Signs(masks, self.relevances.neighbours, device)
        ends = (self.relevances.neighbours.first, self.relevances.neighbours.second)
        self._first, self._second = (torch.as_tensor(end, device=device) for end in ends)
        self._condition(torch.as_tensor(np.asarray(embeddings), dtype=torch.float64, device=device))
        self._weigh_low_orders()

    def _condition(self, outputs: torch.Tensor) -> None:
        """Condition the process on the samples, (m, d)."""
        kernel = Covariances.of(self._signs, self._signs, self._strengths).total()
        kernel.diagonal().add_(self.relevances.noise)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(kernel))
        self._sums = inverse.sum(0)  # A^-1 1
        self._mean = (self._sums @ outputs) / self._sums.sum()
        self._q = project(inverse)
        self._alpha = self._q @ outputs
        # Left-out errors without a refit: Rasmussen and Williams 2006, Equation 5.12.
        self.left_out = self._alpha / self._q.diagonal()[:, None]
        self.covariance = outputs.T @ self._alpha / max(1, len(self.masks) - 1)

    def _weigh_low_orders(self) -> None:
        """What the kernel's terms of order 1 and 2 add to the samples' weights in derivatives.

        The terms of pairs add the same to D_ij at every p: for neighbours what `_near_weights` holds, and for all pairs
        the product of the players' `_wide_weights`. The sums of both over j are `_pair_sum_weights`.
        """
        z, by = self._signs.z, self._strengths
        self._linear_weights = 2 * by.linear * z  # (m, n), in D_i, from the term of single players
        self._near_weights = 4 * by.near * self._signs.near  # (m, P)
        self._wide_weights = 2 * by.wide * z  # (m, n)
        others = self._wide_weights.sum(1, keepdim=True) - self._wide_weights
        self._pair_sum_weights = self._by_player(self._near_weights) + self._wide_weights * others  # (m, n)

    def _by_player(self, of_near: torch.Tensor) -> torch.Tensor:
        """Sums over each player's neighbours: shape (..., P) to (..., n)."""
        sums = of_near.new_zeros(*of_near.shape[:-1], self.n_players)
        return sums.index_add_(-1, self._first, of_near).index_add_(-1, self._second, of_near)

    def predict(self, masks: BoolArray) -> FloatArray:
        """Posterior mean of the embeddings of `masks` (m', n): shape (m', d)."""
        signs = Signs(masks, self.relevances.neighbours, self.device)
        return to_numpy(Covariances.of(signs, self._signs, self._strengths).total() @ self._alpha + self._mean)

    def predicted_variances(self, masks: BoolArray) -> FloatArray:
        """Variances (m',) of the embeddings of `masks` (m', n) as far as they are predicted, noise included.

        In units of `covariance`. The prior's is the same for all masks, since z_i^2 = 1.
        """
        near = self.relevances.neighbours
        signs, any_one = Signs(masks, near, self.device), Signs(self.masks[:1], near, self.device)
        kernel = Covariances.of(signs, self._signs, self._strengths).total()
        prior = Covariances.of(any_one, any_one, self._strengths).total()[0, 0] + self.relevances.noise
        unknown_mean = (1 - 2 * kernel @ self._sums) / self._sums.sum()
        return to_numpy((prior - (kernel @ self._q * kernel).sum(1) + unknown_mean).clamp(min=0.0))

    # ---- derivatives: those of the products, with the terms of order 1 and 2

    def _averages(self, p: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Averages over x of prod k_i(x_i, z_mi), and for each player the factor that makes it a derivative."""
        rho, z = self._strengths.rho, self._signs.z
        average = 1 + rho * (2 * p - 1) * z
        base = (average / (1 + rho)).log().sum(1).exp()
        return base, 2 * rho * z / average

    def _weights(self, p: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        mean, single, pair_sum = super()._weights(p)
        offset = p - 0.5  # around p = 1/2, where z is zero on average, the low orders are a polynomial without constant
        low = offset * self._linear_weights.sum(1) + offset**2 / 2 * self._pair_sum_weights.sum(1)
        single = single + self._linear_weights + offset * self._pair_sum_weights
        return mean + low, single, pair_sum + self._pair_sum_weights

    def pair_weights(self, p: float) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """As for the products alone, with the terms of order 2."""
        place = torch.full((self.n_players, self.n_players), -1, device=self.device)
        place[self._first, self._second] = torch.arange(len(self._first), device=self.device)
        for i, j, columns in super().pair_weights(p):
            columns += self._wide_weights[:, i] * self._wide_weights[:, j]
            near = place[i, j] >= 0
            columns[:, near] += self._near_weights[:, place[i, j][near]]
            yield i, j, columns

    def pairs(self, p: float, direction: torch.Tensor) -> torch.Tensor:
        """As for the products alone, with the terms of order 2."""
        alpha = self._alpha @ direction
        found = super().pairs(p, direction) + (self._wide_weights * alpha[:, None]).T @ self._wide_weights
        of_near = alpha @ self._near_weights
        found[self._first, self._second] += of_near
        found[self._second, self._first] += of_near
        return symmetric(found)

    def _second_order(self, p: float) -> torch.Tensor:
        found, offset, wide = super()._second_order(p), self._x - p, self._wide_weights
        found.addmm_(offset[:, self._first] * offset[:, self._second], self._near_weights.T)
        return found.add_((offset @ wide.T).square_().sub_(offset**2 @ (wide**2).T), alpha=0.5)

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
        return self._q @ mean + self._sums / self._sums.sum(), self._q @ single, self._q @ pair_sum

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
        """A term with the weights `of_masks` (m, m') of alpha; they are used up."""
        found: torch.Tensor = torch.linalg.multi_dot([of_masks, self._alpha, directions.T])
        own = of_masks.mul_(self._q).sum(1)
        return found.sub_(own[:, None] * (self.left_out @ directions.T))

    # ---- how uncertain the derivatives are

    def uncertainty(self, p: float, directions: torch.Tensor, weights: torch.Tensor) -> Uncertainty:
        """The posterior's, widened where left-out samples in `directions` are missed by more than it expects."""
        # Samples can agree by chance, and some directions are easier than others; bars are only ever widened.
        factor = max(1.0, self.calibration(directions, weights))
        values, vectors = self._main_directions
        covariance = self.covariance * factor
        return Uncertainty(self.variances(p), covariance, values * factor, vectors, *self.influence(p), self.left_out)

    @cached_property  # two threads may both compute it; they find the same
    def _main_directions(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Variances (k,) and unit vectors (k, d) of the directions in which the outputs vary most."""
        values, vectors = torch.linalg.eigh(self.covariance)
        return values[-DIRECTIONS:], vectors.T[-DIRECTIONS:]

    def calibration(self, directions: torch.Tensor, weights: torch.Tensor) -> float:
        """How much larger the errors of left-out samples are than the process expects, as a ratio of variances.

        Without sample m, the process expects the variance 1 / Q_mm times the outputs' covariance at its mask.

        Args:
            directions: (k, d), those of the embedding space that matter.
            weights: (m,), sum one, of the samples.
        """
        errors = float((weights * self._q.diagonal()) @ ((self.left_out @ directions.T) ** 2).sum(1))
        expected = float(((directions @ self.covariance) * directions).sum())
        return errors / expected if expected > 0 else 1.0

    def variances(self, p: float) -> Variances:
        """Posterior (co)variances of the derivatives at p, in units of `covariance`; the unknown mean's included.

        The last are kept: values and attributions want them one after the other.
        """
        return self._kept("variances", p, self._variances)

    def _variances(self, p: float) -> Variances:
        by = self._strengths
        of_pairs = torch.outer(by.wide, by.wide).fill_diagonal_(0.0)
        of_pairs[self._first, self._second] += by.near
        of_pairs[self._second, self._first] += by.near
        prior = product_prior(by.rho, p) + linear_prior(by.linear, p) + pair_prior(of_pairs, p)
        return prior - self._explained(p)

    def triple_bounds(self, p: float) -> torch.Tensor:
        """Upper bounds of the posterior variances of D_ijk, (n, n, n): the prior's, in units of `covariance`.

        What the samples take off is a quadratic form in all of them for each of the triples, and would take minutes.
        """
        return triple_prior(self._strengths.rho, p)

    def _explained(self, p: float) -> Variances:
        """What the samples take off the prior: phi^T Q phi for the weights phi of each functional.

        E_p[f] alone contains the unknown mean, which adds (1 - 1^T A^-1 phi)^2 / 1^T A^-1 1 to the variance.
        """
        phi_mean, phi_single, phi_pair_sum = self.weights(p)
        of_mean, of_single, of_pair_sum = self.influence(p)
        phi_single_sum = phi_single.sum(1)
        unseen = (1 - self._sums @ phi_mean) / self._sums.sum()
        return Variances(
            mean=phi_mean @ of_mean - unseen,
            single=(phi_single * of_single).sum(0),
            pair=self._explained_pairs(p),
            pair_sum=(phi_pair_sum * of_pair_sum).sum(0),
            single_with_pair_sum=(phi_pair_sum * of_single).sum(0),
            single_sum=phi_single_sum @ of_single.sum(1),
            mean_with_single_sum=of_mean @ phi_single_sum,
        )

    def _explained_pairs(self, p: float) -> torch.Tensor:
        found = self._q.new_zeros(self.n_players, self.n_players)
        for i, j, phi in self.pair_weights(p):
            found[i, j] = (phi * (self._q @ phi)).sum(0)
        return found + found.T
