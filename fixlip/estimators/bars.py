"""Error bars: what one side's uncertainty adds to every number of an explanation, and how far the process errs in it.

The process's posterior says how uncertain each number is, if the process is right. Whether it is right the samples can
tell, each of which is left out once. An estimate is a sum over samples, weighted by their `influence` a, and r is what
the others miss of a sample:

- chance: the jackknife's variance, the sum of (a r)^2, beside what the process expects of it;
- prejudice: whatever the surrogate f^, E_p[f phi_S] = E_p[f^ phi_S] + E_p[(f - f^) phi_S] with
  phi_S = prod_{i in S} (x_i - p) / (p (1 - p)). The last term, averaged over left-out samples, is what the surrogate
  does not see of the truth, plus chance. Where the squares of many such averages exceed what chance makes of them, the
  rest is the surrogate's fault.

Both are averages over all numbers of a kind (values, pairs within a side, pairs with a given word): single ones would
be too noisy. So each kind's posterior variances are multiplied by one factor. (The correction is that of Regression
MSR, arXiv:2506.11849. Here it sets the bars' width and leaves the estimates alone, to which it would add its own
chance: for pairs of patches that triples the error.)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from math import sqrt

import torch

from .kernel import KernelSurrogate
from .surrogate import Surrogate

# Relevances are estimates themselves, and one that seems to be zero need not be. So this share of the mean variance of
# all numbers of a kind goes to each of them.
LEVEL = 0.01


class Check:
    """How much larger the errors of numbers of a kind are than the process says, as a factor of their variances.

    The sums stay where they are made until the factor is asked for: on a GPU reading each would wait for all before it.

    Args:
        weights: (m,), sum one, of the samples in an average at p.
    """

    def __init__(self, weights: torch.Tensor) -> None:
        self._weights = weights[:, None]
        self._count = 0
        # What leaving out changes; what is expected of that; posterior variances; corrections; the chance in these.
        self._sums = weights.new_zeros(5)

    def add(
        self,
        by_sample: torch.Tensor,
        expected: torch.Tensor | float,
        correction: torch.Tensor,
        posterior: torch.Tensor | float,
    ) -> None:
        """Add k numbers of the kind.

        Args:
            by_sample: (m, k), what leaving out each sample changes in each number.
            expected: what the process expects of the sum of their squares.
            correction: (m, k), what each left-out sample adds to the average of (f - f^) phi_S.
            posterior: sum of the numbers' posterior variances.
        """
        self._count += by_sample.shape[1]
        self._sums[0] += by_sample.square().sum()
        self._sums[1] += expected
        self._sums[2] += posterior
        # Without sample m the first term of the identity is less by `by_sample`, too; averaged over m.
        self._sums[3] += (correction - self._weights * by_sample).sum(0).square().sum()
        self._sums[4] += (correction - by_sample).square().sum()

    def factor(self) -> float:
        """Chance and prejudice together; one where there is nothing to compare."""
        return float(combined(self._sums, self._count))


def combined(sums: torch.Tensor, count: int) -> torch.Tensor:
    """The factor of a kind of so many numbers from its sums (5,), in the order of `Check.add`; of k kinds from (5, k).

    One where there is nothing to compare.
    """
    jackknife, expected, posterior, found, chance = sums
    # Even without prejudice the squares of a few corrections scatter around what is expected of them.
    prejudice = (found - (1 + sqrt(2 / max(1, count))) * chance).clamp(min=0.0)
    nothing = (expected <= 0) | (posterior <= 0)
    return torch.where(nothing, 1.0, jackknife / expected + prejudice / posterior)


class Contribution:
    """What one side's uncertainty adds to the variance of every number, in units of scale squared.

    A number is a sum of scalar products <D f, u> with D f, a derivative of this side, and u, what it meets of the
    other. The posterior covariance of <D f, u> and <D' f, u'> is cov(D, D') u^T C u', where C is the covariance of this
    side's outputs. It is multiplied by the factor of `Check`.

    Args:
        own: the side that is uncertain, f.
        other: the other, g, taken as it is estimated.
        p: presence probability.
        near: the nearest to p that the samples were drawn for: there they can check the process.
        weights: (m,), of own samples at `near`.
    """

    def __init__(self, own: KernelSurrogate, other: Surrogate, p: float, near: float, weights: torch.Tensor) -> None:
        self._own, self._other, self._p, self._weights = own, other, p, weights
        self._g0, self._g1, self._g1_pair_sum = other.derivatives(p)
        self._of_mean, self._of_single, self._of_pair_sum = own.influence(p)
        self._v = own.variances(p)
        # The averages that the correction is made of: phi_S of order 0, 1 and of the sums over j of order 2, weighted.
        h = (torch.as_tensor(own.masks, dtype=torch.float64, device=own.device) - p) / (p * (1 - p))
        self._h, self._h_sum = h, h.sum(1, keepdim=True)
        self._near = self if near == p else Contribution(own, other, near, near, weights)

    def _form(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """left^T C right for rows: shapes (k, d) or (d,) to (k,) or ()."""
        return ((left @ self._own.covariance) * right).sum(-1)

    def _factor(
        self, by_sample: torch.Tensor, expected: torch.Tensor, phi: torch.Tensor, posterior: torch.Tensor
    ) -> float:
        check = Check(self._weights)
        check.add(by_sample, expected, self._weights[:, None] * phi, posterior)
        return check.factor()

    # ---- values and attributions

    def own_single(self, share: float) -> torch.Tensor:
        """(n,): of D_i - share * (sum over own j of D_ij + sum over other t of D_it).

        That is <D_i f, u> - share <S_i f, g0> with u = g0 - share * (sum over t of D_t g) and the pair sums S_i.
        """
        return level(self._own_single(share)) * self._near._own_single_factor(share)

    def _own_single(self, share: float) -> torch.Tensor:
        u, g0, v = self._g0 - share * self._g1.sum(0), self._g0, self._v
        return (
            v.single * self._form(u, u)
            - 2 * share * v.single_with_pair_sum * self._form(u, g0)
            + share**2 * v.pair_sum * self._form(g0, g0)
        )

    def _own_single_factor(self, share: float) -> float:
        u, g0, h, single, pair_sum = (
            self._g0 - share * self._g1.sum(0),
            self._g0,
            self._h,
            self._of_single,
            self._of_pair_sum,
        )
        by_u, by_g0 = (self._own.left_out @ one[:, None] for one in (u, g0))
        expected = self._own.expected @ (
            single.square() * self._form(u, u)
            - 2 * share * single * pair_sum * self._form(u, g0)
            + share**2 * pair_sum.square() * self._form(g0, g0)
        )
        by_sample = single * by_u - share * pair_sum * by_g0
        phi = h * by_u - share * h * (self._h_sum - h) * by_g0
        return self._factor(by_sample, expected.sum(), phi, self._own_single(share).sum())

    def other_single(self, share: float) -> torch.Tensor:
        """(n',): the same of the other side's players t, which meet this side's average and the sum of its D_i.

        That is <E f, u_t> - share <T f, D_t g> with u_t = D_t g - share * (sum over t' of D_tt' g) and T = sum of D_i.
        """
        return level(self._other_single(share)) * self._near._other_single_factor(share)

    def _other_single(self, share: float) -> torch.Tensor:
        u, g1, v = self._g1 - share * self._g1_pair_sum, self._g1, self._v
        return (
            v.mean * self._form(u, u)
            - 2 * share * v.mean_with_single_sum * self._form(u, g1)
            + share**2 * v.single_sum * self._form(g1, g1)
        )

    def _other_single_factor(self, share: float) -> float:
        u, g1, mean, total = self._g1 - share * self._g1_pair_sum, self._g1, self._of_mean, self._of_single.sum(1)
        by_u, by_g1 = (self._own.left_out @ one.T for one in (u, g1))
        expected = (
            self._own.expected @ mean.square() * self._form(u, u)
            - 2 * share * (self._own.expected @ (mean * total)) * self._form(u, g1)
            + share**2 * (self._own.expected @ total.square()) * self._form(g1, g1)
        )
        by_sample = mean[:, None] * by_u - share * total[:, None] * by_g1
        phi = by_u - share * self._h_sum * by_g1
        return self._factor(by_sample, expected.sum(), phi, self._other_single(share).sum())

    # ---- pairs

    def own_pairs(self) -> torch.Tensor:
        """(n, n), of D_ij."""
        return self._pairs[0] * self._form(self._g0, self._g0) * self._near._pairs[1]

    @cached_property
    def _pairs(self) -> tuple[torch.Tensor, float]:
        """Posterior variances of D_ij, (n, n), in units of the outputs' covariance, and the factor of pairs."""
        n, form, of_g0 = self._own.n_players, self._form(self._g0, self._g0), (self._own.left_out @ self._g0)[:, None]
        found, check, weighted = form.new_zeros(n, n), Check(self._weights), self._weights[:, None] * of_g0
        for i, j, variances, influence in self._own.pair_variances(self._p):
            found[i, j] = variances
            if self._near is not self:
                continue  # the samples check the process at `near`, and this factor is not asked for
            expected = (self._own.expected @ influence.square()).sum() * form
            phi = weighted * self._h[:, i] * self._h[:, j]
            check.add(influence * of_g0, expected, phi, variances.sum() * form)
        return level_pairs(found + found.T), check.factor()

    def cross_pairs(self) -> torch.Tensor:
        """(n, n'), of D_it."""
        return torch.outer(level(self._v.single), level(self._form(self._g1, self._g1)) * self._near._cross_factors())

    def _cross_factors(self) -> torch.Tensor:
        """(n',), of the pairs with each of the other side's players."""
        form, by_t = self._form(self._g1, self._g1), self._own.left_out @ self._g1.T
        single, weights, squared = self._of_single, self._weights[:, None], by_t.square().T
        # `Check` of what is a product, `single` or the correction's h with `by_t`, for all t at once.
        sums = (
            squared @ single.square().sum(1),
            (self._own.expected @ single.square()).sum() * form,
            self._v.single.sum() * form,
            (by_t.T @ (weights * (self._h - single))).square().sum(1),
            squared @ (weights * self._h - single).square().sum(1),
        )
        return combined(torch.stack(sums), single.shape[1])

    def other_pairs(self) -> torch.Tensor:
        """(n', n'), of D_tt' of the other side, in the main directions of C."""
        spread = self._other.pair_spread(self._p, *self._own.main_directions)
        return self._v.mean * spread * self._near._other_single_factor(0.0)

    # ---- triples

    def triples(self) -> Iterator[torch.Tensor]:
        """Of D_ijk: (n, n, n), (n, n, n'), (n, n', n') and (n', n', n'), from three own players to none.

        Those of three own players are upper bounds (see `KernelSurrogate.triple_bounds`). The factors are those of what
        has as many own players.
        """
        (pairs, _), (_, factor) = self._pairs, self._near._pairs
        single = self._near._own_single_factor(0.0)
        main = (self._p, *self._own.main_directions)
        yield self._own.triple_bounds(self._p) * self._form(self._g0, self._g0) * factor
        yield pairs[:, :, None] * level(self._form(self._g1, self._g1)) * factor
        yield level(self._v.single)[:, None, None] * self._other.pair_spread(*main) * single
        yield self._v.mean * self._other.triple_spread(*main) * self._near._other_single_factor(0.0)


def level(variances: torch.Tensor) -> torch.Tensor:
    """Variances (k,) of numbers of a kind, with a small share of their mean for each."""
    return (1 - LEVEL) * variances + LEVEL * variances.mean() if len(variances) else variances


def level_pairs(variances: torch.Tensor) -> torch.Tensor:
    """The same of pairs, (n, n), symmetric and zero on the diagonal."""
    n = len(variances)
    mean = variances.sum() / max(1, n * (n - 1))
    return ((1 - LEVEL) * variances + LEVEL * mean).fill_diagonal_(0.0)
