"""A Gaussian process over masks: the surrogate from which explanations at every p are read off in closed form.

An embedding f of a masked input is modelled, with z = 2 x - 1 in {-1, 1}^n, by the kernel

    k(x, x') = prod_i (1 + rho_i z_i z'_i) / (1 + rho_i)
               + omega sum_i rho_i z_i z'_i + sum_ij (nu c_ij rho_i rho_j + mu sqrt(rho_i rho_j)) z_i z_j z'_i z'_j,

one relevance 0 < rho_i < 1 a player, a share omega for effects of single players alone, a share nu for those of pairs
of neighbours (c_ij says how near i and j are: patches that touch show the same thing) and a share mu for all pairs
(i < j in both), plus a little noise, around an unknown constant mean, alike for all d entries of f up to their
covariance (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, Sections 2.7 and 5.4). The share mu
is there for honest error bars: pairs of players that matter little interact more than the product of their relevances
would have it.

Since the kernel is made of products over players, so are its averages under the p-measure: the multilinear extension
of the surrogate and its derivatives need no sampling, whatever p. Interactions of order three and more are modelled
instead of being noise, which is why a few hundred masks do what least squares needs thousands for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ..masks import BoolArray, FloatArray
from .relevances import Relevances, fit_relevances, product, project
from .surrogate import Surrogate, symmetric, to_numpy

# Directions of the embedding space in which the outputs' covariance is applied to pairs of the other side.
DIRECTIONS = 16


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
        super().__init__(masks, device)
        r = self.relevances
        parts = (r.rho, r.of_neighbours(), r.of_pairs(), r.neighbours.first, r.neighbours.second)
        self._rho, self._of_near, self._of_pairs, self._first, self._second = (
            torch.as_tensor(part, device=device) for part in parts
        )
        self._z = 2 * self._x - 1
        self._both = self._z[:, self._first] * self._z[:, self._second]
        self._f = torch.as_tensor(np.asarray(embeddings), dtype=torch.float64, device=device)
        kernel = self._covariances(self._z)
        kernel.diagonal().add_(self.relevances.noise)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(kernel))
        self._sums = inverse.sum(0)  # A^-1 1
        self._mean = (self._sums @ self._f) / self._sums.sum()
        self._q = project(inverse)
        self._alpha = self._q @ self._f
        # What the terms of order 1 and 2 add to each mask's weights: in D_i at p = 1/2, (m, n); in D_ij for pairs of
        # neighbours, (m, P), and for all pairs as a factor a player, (m, n), whatever p; and all the latter by player.
        self._slopes = 2 * r.linear * self._rho * self._z
        self._bends, self._tails = 4 * self._of_near * self._both, 2 * self._of_pairs * self._z
        self._bent = self._by_player(self._bends) + self._tails * (self._tails.sum(1, keepdim=True) - self._tails)

    def _covariances(self, z: torch.Tensor) -> torch.Tensor:
        """k(x, x') of inputs with the samples."""
        near = (z[:, self._first] * z[:, self._second] * self._of_near) @ self._both.T
        linear = self.relevances.linear * (z * self._rho) @ self._z.T
        wide = ((z * self._of_pairs) @ self._z.T).square_().sub_(self._of_pairs.square().sum()).mul_(0.5)
        return product(z, self._z, self._rho) + linear + near + wide

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

    def _by_player(self, of_near: torch.Tensor) -> torch.Tensor:
        """Sums over each player's neighbours: shape (..., P) to (..., n)."""
        sums = of_near.new_zeros(*of_near.shape[:-1], self.n_players)
        return sums.index_add_(-1, self._first, of_near).index_add_(-1, self._second, of_near)

    def _weights(self, p: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        mean, single, rest = super()._weights(p)
        offset = p - 0.5
        low = offset * self._slopes.sum(1) + offset**2 / 2 * self._bent.sum(1)
        return mean + low, single + self._slopes + offset * self._bent, rest + self._bent

    def pair_weights(self, p: float) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """As for the products alone, with the terms of order 2."""
        place = torch.full((self.n_players, self.n_players), -1, device=self.device)
        place[self._first, self._second] = torch.arange(len(self._first), device=self.device)
        for i, j, columns in super().pair_weights(p):
            columns += self._tails[:, i] * self._tails[:, j]
            near = place[i, j] >= 0
            columns[:, near] += self._bends[:, place[i, j][near]]
            yield i, j, columns

    def pairs(self, p: float, direction: torch.Tensor) -> torch.Tensor:
        """As for the products alone, with the terms of order 2."""
        alpha = self._alpha @ direction
        found = super().pairs(p, direction) + (self._tails * alpha[:, None]).T @ self._tails
        of_near = alpha @ self._bends
        found[self._first, self._second] += of_near
        found[self._second, self._first] += of_near
        return symmetric(found)

    def _second_order(self, p: float) -> torch.Tensor:
        found, offset = super()._second_order(p), self._x - p
        found.addmm_(offset[:, self._first] * offset[:, self._second], self._bends.T)
        return found.add_((offset @ self._tails.T).square_().sub_(offset**2 @ (self._tails**2).T), alpha=0.5)

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
        second = torch.outer(self._of_pairs, self._of_pairs).fill_diagonal_(0.0)
        second[self._first, self._second] += self._of_near
        second[self._second, self._first] += self._of_near
        near, of_all = second.sum(1), second.sum() / 2
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
        pair = (base_prior * torch.outer(own, own) + 16 * second).triu(1)
        for i, j, columns in self.pair_weights(p):
            pair[i, j] -= (columns * (self._q @ columns)).sum(0)
        pair = pair + pair.T
        return Variances(mean, single, pair, psi, single_psi, zeta, mean_zeta)
