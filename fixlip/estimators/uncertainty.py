"""How uncertain the derivatives of a surrogate are: what a posterior consists of, and the prior's closed forms.

Notation: D_i and D_ij are derivatives of the multilinear extension at p (see `surrogate`), S_i = sum over j of D_ij is
the pair sum of player i, and T = sum over i of D_i the sum of all singles. Attributions are made of these: a player's
own side contributes D_i - p S_i, and the other side's players meet this side's average and T.

All (co)variances are in units of the outputs' covariance: the process has one kernel for all d outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch

from ..triples import place


@dataclass(frozen=True, eq=False)
class Variances:
    """Variances and covariances of derivatives at one p, for n players of one side.

    Attributes:
        mean: (), of E_p[f].
        single: (n,), of D_i.
        pair: (n, n), of D_ij; zero on the diagonal.
        pair_sum: (n,), of S_i.
        single_with_pair_sum: (n,), covariance of D_i and S_i.
        single_sum: (), of T.
        mean_with_single_sum: (), covariance of E_p[f] and T.
    """

    mean: torch.Tensor
    single: torch.Tensor
    pair: torch.Tensor
    pair_sum: torch.Tensor
    single_with_pair_sum: torch.Tensor
    single_sum: torch.Tensor
    mean_with_single_sum: torch.Tensor

    @classmethod
    def zero(cls, n_players: int, like: torch.Tensor) -> Variances:
        """Of what is known; `like` gives type and device."""
        none, each, pairs = like.new_zeros(()), like.new_zeros(n_players), like.new_zeros(n_players, n_players)
        return cls(none, each, pairs, each, each, none, none)

    def __add__(self, other: Variances) -> Variances:
        return Variances(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def __sub__(self, other: Variances) -> Variances:
        return Variances(*(getattr(self, one.name) - getattr(other, one.name) for one in fields(self)))


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """All that error bars at one p need of one side.

    Attributes:
        variances: of the derivatives, in units of the outputs' covariance.
        covariance: (d, d), of the outputs, calibrated.
        main_variances, main_directions: (k,) and (k, d), largest eigenvalues of `covariance` and their unit vectors.
        of_mean, of_single, of_pair_sum: (m,), (m, n) and (m, n), the weight of each sample in E_p[f], D_i and S_i.
        left_out: (m, d), each sample minus its prediction from all others.
    """

    variances: Variances
    covariance: torch.Tensor
    main_variances: torch.Tensor
    main_directions: torch.Tensor
    of_mean: torch.Tensor
    of_single: torch.Tensor
    of_pair_sum: torch.Tensor
    left_out: torch.Tensor


def product_prior(rho: torch.Tensor, p: float) -> Variances:
    """Prior (co)variances under the kernel's product term, prod_i (1 + rho_i z_i z'_i) / (1 + rho_i).

    A covariance of two functionals is the kernel averaged over independent x and x', each player's factor
    differentiated where a functional differentiates it. With t = 2 p - 1 the mean of z, the average of factor i is
    (1 + rho_i t^2) / (1 + rho_i). Relative to that, `twice` is the factor differentiated in x and in x', and `once` in
    only one of them.
    """
    tilt = 2 * p - 1
    average = 1 + rho * tilt**2
    mean = (average / (1 + rho)).log().sum().exp()
    twice, once = 4 * rho / average, 2 * rho * tilt / average
    # Sums over j != i of the players' factors, and over j, k != i of those of D_ij with D_ik, where j = k is `twice`.
    others = once.sum() - once
    others_with_others = others**2 - ((once**2).sum() - once**2) + (twice.sum() - twice)
    return Variances(
        mean=mean,
        single=mean * twice,
        pair=(mean * torch.outer(twice, twice)).fill_diagonal_(0.0),
        pair_sum=mean * twice * others_with_others,
        single_with_pair_sum=mean * twice * others,
        single_sum=mean * (once.sum() ** 2 - (once**2).sum() + twice.sum()),
        mean_with_single_sum=mean * once.sum(),
    )


def triple_prior(rho: torch.Tensor, p: float) -> torch.Tensor:
    """Prior variances of D_ijk, (n, n, n), zero where two players coincide; they are the product term's alone."""
    average = 1 + rho * (2 * p - 1) ** 2
    mean, twice = (average / (1 + rho)).log().sum().exp(), 4 * rho / average
    found = rho.new_zeros((len(rho),) * 3)
    for i in range(len(rho) - 2):
        later = twice[i + 1 :]
        place(found, i, (mean * twice[i] * torch.outer(later, later)).fill_diagonal_(0.0))
    return found


def linear_prior(strength: torch.Tensor, p: float) -> Variances:
    """Those under the term of single players, sum_i strength_i z_i z'_i, for strengths (n,)."""
    tilt, total, zero = 2 * p - 1, strength.sum(), Variances.zero(len(strength), strength)
    return Variances(
        mean=tilt**2 * total,
        single=4 * strength,
        pair=zero.pair,
        pair_sum=zero.pair_sum,
        single_with_pair_sum=zero.single_with_pair_sum,
        single_sum=4 * total,
        mean_with_single_sum=2 * tilt * total,
    )


def pair_prior(strength: torch.Tensor, p: float) -> Variances:
    """Those under the terms of pairs, sum over i < j of strength_ij z_i z_j z'_i z'_j; (n, n), zero on the diagonal."""
    tilt, by_player, total = 2 * p - 1, strength.sum(1), strength.sum() / 2
    return Variances(
        mean=tilt**4 * total,
        single=4 * tilt**2 * by_player,
        pair=16 * strength,
        pair_sum=16 * by_player,
        single_with_pair_sum=8 * tilt * by_player,
        single_sum=16 * tilt**2 * total,
        mean_with_single_sum=4 * tilt**3 * total,
    )
