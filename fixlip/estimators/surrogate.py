"""Surrogates: one side of the pair, known at every p.

An embedding f of a masked input has a multilinear extension, E_p[f], and derivatives

    D_S(p) = E_p[sum over T of (-1)^(|S|-|T|) f(x with T of S present)],

the expected effect of adding the players in S. All indices are made of them (see `indices`). Both surrogates here are
weighted sums over masks m in which the weight is a product over players, so that with an average `base` and a `ratio`
per player, D_S = sum_m alpha_m base_m prod_{i in S} ratio_mi, and no sum over subsets is ever written out.

All numbers stay tensors until an Explanation is made: on a GPU they need not travel, and on a processor the threads of
two libraries, taking turns, would slow each other down threefold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch

from ..masks import BoolArray, FloatArray
from ..triples import place

# So many pairs of players at once, and so many numbers in what is worked out for them.
_PAIRS_AT_ONCE, _NUMBERS_AT_ONCE = 2048, 2**22
T = TypeVar("T")


class Surrogate:
    """What `Table` and `KernelSurrogate` share: the weighted sums.

    All of it may be asked from several threads at once: nothing that is kept is ever changed, only replaced.

    Attributes:
        masks: (m, n), what the surrogate was made from.
        device: where torch computes.
        n_players: n.
        exact: True if it is the embedding itself, not an estimate; then nothing about it is uncertain.
    """

    exact = False
    _alpha: torch.Tensor  # (u, d), of the masks or of as many of them as the sums run over
    _mean: torch.Tensor  # (d,), added to E_p[f]

    def __init__(self, masks: BoolArray, device: str = "cpu") -> None:
        self.masks, self.device = masks, device
        self.n_players = masks.shape[1]
        self._x = torch.as_tensor(masks, dtype=torch.float64, device=device)
        self._last: dict[str, tuple[float, Any]] = {}

    def _averages(self, p: float) -> tuple[torch.Tensor, torch.Tensor]:
        """`base` (m,) and `ratio` (m, n) at p."""
        raise NotImplementedError

    def averages(self, p: float) -> tuple[torch.Tensor, torch.Tensor]:
        """`base` and `ratio` at p; the last are kept, since an explanation asks for them again and again."""
        base, ratio = self._kept("averages", p, self._averages)
        return base, ratio

    def _kept(self, name: str, p: float, make: Callable[[float], T]) -> T:
        # One read, and what was read or made is returned: another thread may fill the slot with another p meanwhile.
        kept = self._last.get(name)
        if kept is None or kept[0] != p:
            kept = self._last[name] = (p, make(p))
        found: T = kept[1]
        return found

    def weights(self, p: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Factors of alpha of each mask in E_p[f], (m,); in D_i, (m, n); and in the sums over j of D_ij, (m, n)."""
        mean, single, pair_sum = self._kept("weights", p, self._weights)
        return mean, single, pair_sum

    def _weights(self, p: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        base, ratio = self.averages(p)
        single = base[:, None] * ratio
        pair_sum = single * (ratio.sum(1, keepdim=True) - ratio)
        return base, single, pair_sum

    def pair_weights(self, p: float) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Players i < j of some pairs, (k,), and factors of alpha in D_ij, (m, k); all might fill the memory."""
        base, ratio = self.averages(p)
        first, second = torch.triu_indices(self.n_players, self.n_players, 1, device=self.device)
        step = max(64, min(_PAIRS_AT_ONCE, _NUMBERS_AT_ONCE // len(self.masks)))
        for start in range(0, len(first), step):
            i, j = first[start : start + step], second[start : start + step]
            yield i, j, base[:, None] * ratio[:, i] * ratio[:, j]

    def weights_of(self, p: float, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        """Factors of alpha in D_ij of the pairs i, j (k,) alone: (m, k)."""
        base, ratio = self.averages(p)
        return base[:, None] * ratio[:, i] * ratio[:, j]

    def some_pairs(self, p: float, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        """D_ij of the pairs i, j (k,) alone: (k, d)."""
        return self.weights_of(p, i, j).T @ self._alpha

    def derivatives(self, p: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """E_p[f] of shape (d,); D_i, (n, d); and the sums over j of D_ij, (n, d)."""
        mean, single, pair_sum = self._kept("derivatives", p, self._derivatives)
        return mean, single, pair_sum

    def _derivatives(self, p: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        mean, single, pair_sum = self.weights(p)
        return mean @ self._alpha + self._mean, single.T @ self._alpha, pair_sum.T @ self._alpha

    def pairs(self, p: float, direction: torch.Tensor) -> torch.Tensor:
        """D_ij in a direction (d,): (n, n), symmetric, zero on the diagonal."""
        base, ratio = self.averages(p)
        found = (ratio * (base * (self._alpha @ direction))[:, None]).T @ ratio
        return symmetric(found)

    def triples(self, p: float, direction: torch.Tensor) -> torch.Tensor:
        """D_ijk in a direction (d,): (n, n, n), symmetric, zero where two players coincide."""
        base, ratio = self.averages(p)
        weighted = ratio * (base * (self._alpha @ direction))[:, None]
        found = weighted.new_zeros((self.n_players,) * 3)
        for i in range(self.n_players - 2):
            later = ratio[:, i + 1 :]
            place(found, i, symmetric((weighted[:, i, None] * later).T @ later))
        return found

    def triple_spread(self, p: float, variances: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
        """Sum over k of variances[k] times (D_ijl in directions[k]) squared: (n, n, n), for (k,) and (k, d)."""
        found = directions.new_zeros((self.n_players,) * 3)
        for variance, direction in zip(variances, directions, strict=True):
            found += variance * self.triples(p, direction).square_()
        return found

    def pair_spread(self, p: float, variances: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
        """Sum over k of variances[k] times (D_ij in directions[k]) squared: (n, n), for (k,) and (k, d)."""
        along = self._alpha @ directions.T
        spread = along.new_zeros(self.n_players, self.n_players)
        for i, j, columns in self.pair_weights(p):
            spread[i, j] = (columns.T @ along).square_() @ variances
        return spread + spread.T

    def _second_order(self, p: float) -> torch.Tensor:
        """What alpha of each mask m' contributes to the term of order 2 at mask m, (m, m').

        That is the second elementary symmetric polynomial of (x_i - p) ratio_i, by Newton's identity.
        """
        base, ratio = self.averages(p)
        offset = self._x - p
        return (offset @ ratio.T).square_().sub_(offset**2 @ (ratio**2).T).mul_(base / 2)

    def _third_order(self, p: float) -> torch.Tensor:
        """The same for the term of order 3, (m, m'): the third elementary symmetric polynomial."""
        base, ratio = self.averages(p)
        offset = self._x - p
        first, second, third = (offset**k @ (ratio**k).T for k in (1, 2, 3))
        return base / 6 * (first**3 - 3 * first * second + 2 * third)

    # ---- what readouts need besides; `Table` and `KernelSurrogate` each have their own

    def terms_without(self, p: float) -> tuple[torch.Tensor, torch.Tensor]:
        """The terms of order 0 and 1 of the expansion around p, at each own mask, whose sample is left out.

        Returns:
            order 0, (m, d), or (1, d) if it is the same for all; and order 1, (m, d).
        """
        raise NotImplementedError

    def second_term_without(self, p: float, directions: torch.Tensor) -> torch.Tensor:
        """The term of order 2 in directions (k, d), at each own mask, whose sample is left out: (m, k)."""
        raise NotImplementedError

    def third_term_without(self, p: float, directions: torch.Tensor) -> torch.Tensor:
        """The same of the term of order 3: (m, k)."""
        raise NotImplementedError


class Table(Surrogate):
    """A side all of whose masks were encoded: averages over them are sums, and nothing is uncertain.

    Args:
        masks: (2^n, n), all there are.
        embeddings: (2^n, d).
        device: where torch computes.
    """

    exact = True

    def __init__(self, masks: BoolArray, embeddings: Any, device: str = "cpu") -> None:
        super().__init__(masks, device)
        self._alpha = torch.as_tensor(embeddings, dtype=torch.float64, device=device)
        self._mean = torch.zeros(self._alpha.shape[1], dtype=torch.float64, device=device)

    def _averages(self, p: float) -> tuple[torch.Tensor, torch.Tensor]:
        weights = (self._x * p + (1 - self._x) * (1 - p)).prod(1)
        return weights, (self._x - p) / (p * (1 - p))

    def terms_without(self, p: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Those of the embedding itself, which no sample is needed to predict."""
        mean, single, _ = self.derivatives(p)
        return mean[None], (self._x - p) @ single

    def second_term_without(self, p: float, directions: torch.Tensor) -> torch.Tensor:
        """That of the embedding itself, in directions (k, d): (m, k)."""
        return self._term(self._second_order(p), directions)

    def third_term_without(self, p: float, directions: torch.Tensor) -> torch.Tensor:
        """The same of the term of order 3: (m, k)."""
        return self._term(self._third_order(p), directions)

    def _term(self, of_masks: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = torch.linalg.multi_dot([of_masks, self._alpha, directions.T])
        return found


def symmetric(found: torch.Tensor) -> torch.Tensor:
    """Without what rounding has left of asymmetry, and with nothing on the diagonal."""
    found.fill_diagonal_(0.0)
    return (found + found.T) / 2


def to_numpy(tensor: torch.Tensor) -> FloatArray:
    """A tensor on any device as an array of doubles."""
    return np.asarray(tensor.cpu().numpy(), dtype=np.float64)
