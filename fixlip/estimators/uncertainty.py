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
        pair_sum: (n,), of S_i.
        single_with_pair_sum: (n,), covariance of D_i and S_i.
        single_sum: (), of T.
        mean_with_single_sum: (), covariance of E_p[f] and T.
    """

    mean: torch.Tensor
    single: torch.Tensor
    pair_sum: torch.Tensor
    single_with_pair_sum: torch.Tensor
    single_sum: torch.Tensor
    mean_with_single_sum: torch.Tensor

    def __sub__(self, other: Variances) -> Variances:
        return Variances(*(getattr(self, one.name) - getattr(other, one.name) for one in fields(self)))


def product_prior(rho: torch.Tensor, p: float) -> Variances:
    """Prior (co)variances under the kernel, prod_i (1 + rho_i z_i z'_i) / (1 + rho_i).

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
        pair_sum=mean * twice * others_with_others,
        single_with_pair_sum=mean * twice * others,
        single_sum=mean * (once.sum() ** 2 - (once**2).sum() + twice.sum()),
        mean_with_single_sum=mean * once.sum(),
    )


def pair_prior(rho: torch.Tensor, p: float) -> torch.Tensor:
    """Prior variances of D_ij, (n, n), zero on the diagonal."""
    average = 1 + rho * (2 * p - 1) ** 2
    mean, twice = (average / (1 + rho)).log().sum().exp(), 4 * rho / average
    return (mean * torch.outer(twice, twice)).fill_diagonal_(0.0)


def triple_prior(rho: torch.Tensor, p: float) -> torch.Tensor:
    """Prior variances of D_ijk, (n, n, n), zero where two players coincide."""
    pairs, twice = pair_prior(rho, p), 4 * rho / (1 + rho * (2 * p - 1) ** 2)
    found = rho.new_zeros((len(rho),) * 3)
    for i in range(len(rho) - 2):
        place(found, i, twice[i] * pairs[i + 1 :, i + 1 :])
    return found
