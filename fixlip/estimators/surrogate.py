"""Surrogates: one side of the pair, known at every p.

An embedding f of a masked input has a multilinear extension, E_p[f], and derivatives

    D_S(p) = E_p[sum over T of (-1)^(|S|-|T|) f(x with T of S present)],

the expected effect of adding the players in S. All indices are made of them (see `indices`). Both surrogates here are
weighted sums over masks m in which the weight is a product over players, so that with an average `base` and a `ratio`
a player, D_S = sum_m alpha_m base_m prod_{i in S} ratio_mi, and no sum over subsets is ever written out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..masks import BoolArray, FloatArray


class Surrogate:
    """What `Table` and `KernelSurrogate` share: the weighted sums.

    Attributes:
        masks: (m, n), what the surrogate was made from.
        exact: True if it is the embedding itself, not a guess.
    """

    exact = False
    _alpha: torch.Tensor  # (m, d)
    _mean: torch.Tensor  # (d,), added to E_p[f]

    def __init__(self, masks: BoolArray, device: str = "cpu") -> None:
        self.masks, self.device = masks, device
        self.n_players = masks.shape[1]
        self._last_derivatives: tuple[float, tuple[FloatArray, ...]] | None = None
        self._last: tuple[float, tuple[torch.Tensor, torch.Tensor]] | None = None

    def _averages(self, p: float) -> tuple[torch.Tensor, torch.Tensor]:
        """`base` (m,) and `ratio` (m, n) at p."""
        raise NotImplementedError

    def averages(self, p: float) -> tuple[torch.Tensor, torch.Tensor]:
        """`base` and `ratio` at p; the last are kept, since an explanation asks for them again and again."""
        if self._last is None or self._last[0] != p:
            self._last = (p, self._averages(p))
        return self._last[1]

    def derivatives(self, p: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """E_p[f] of shape (d,); D_i, (n, d); and the sums over j of D_ij, (n, d)."""
        if self._last_derivatives is None or self._last_derivatives[0] != p:
            base, ratio = self.averages(p)
            weighted = base[:, None] * self._alpha
            rest = ratio * (ratio.sum(1, keepdim=True) - ratio)
            found = (weighted.sum(0) + self._mean, ratio.T @ weighted, rest.T @ weighted)
            self._last_derivatives = p, tuple(to_numpy(one) for one in found)
        mean, single, summed = self._last_derivatives[1]
        return mean, single, summed

    def pairs(self, p: float, direction: FloatArray) -> FloatArray:
        """D_ij in a direction (d,): (n, n), symmetric, zero on the diagonal."""
        base, ratio = self.averages(p)
        weights = base * (self._alpha @ torch.as_tensor(direction, device=self.device))
        found = (ratio * weights[:, None]).T @ ratio
        found.fill_diagonal_(0.0)
        return to_numpy((found + found.T) / 2)

    def pair_spread(self, p: float, variances: FloatArray, directions: FloatArray) -> FloatArray:
        """Sum over k of variances[k] times (D_ij in directions[k]) squared: (n, n), for (k,) and (k, d)."""
        base, ratio = self.averages(p)
        first, second = torch.triu_indices(self.n_players, self.n_players, 1, device=self.device)
        along = base[:, None] * (self._alpha @ torch.as_tensor(directions, device=self.device).T)
        found = (ratio[:, first] * ratio[:, second]).T @ along
        spread = torch.zeros(self.n_players, self.n_players, dtype=found.dtype, device=self.device)
        spread[first, second] = found**2 @ torch.as_tensor(variances, device=self.device)
        return to_numpy(spread + spread.T)

    def terms(self, p: float) -> list[FloatArray]:
        """The terms of order 0, 1 and 2 of the expansion around p, at the own masks: three (m, d) arrays."""
        return [to_numpy(weights @ self._alpha + (k == 0) * self._mean) for k, weights in enumerate(self._weights(p))]

    def _weights(self, p: float) -> list[torch.Tensor]:
        """What alpha of each mask m' contributes to the term of order 0, 1, 2 at mask m: three (m, m') arrays.

        The term of order k is the k-th elementary symmetric polynomial of (x_i - p) ratio_i, by Newton's identities.
        """
        base, ratio = self.averages(p)
        offset = torch.as_tensor(self.masks - p, device=self.device)
        first = offset @ ratio.T
        second = (first**2 - offset**2 @ (ratio**2).T) / 2
        return [base.expand_as(first), first * base, second * base]


class Table(Surrogate):
    """A side all of whose masks were encoded: averages over them are sums, and nothing is uncertain."""

    exact = True

    def __init__(self, masks: BoolArray, embeddings: Any, device: str = "cpu") -> None:
        super().__init__(masks, device)
        self._x = torch.as_tensor(masks, dtype=torch.float64, device=device)
        self._alpha = torch.as_tensor(embeddings, dtype=torch.float64, device=device)
        self._mean = torch.zeros(self._alpha.shape[1], dtype=torch.float64, device=device)

    def _averages(self, p: float) -> tuple[torch.Tensor, torch.Tensor]:
        weights = (self._x * p + (1 - self._x) * (1 - p)).prod(1)
        return weights, (self._x - p) / (p * (1 - p))


def to_numpy(tensor: torch.Tensor) -> FloatArray:
    """A tensor on any device as an array of doubles."""
    return np.asarray(tensor.cpu().numpy(), dtype=np.float64)
