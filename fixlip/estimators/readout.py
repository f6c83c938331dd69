"""From two surrogates, one of the image and one of the caption, to an Explanation.

The value is scale * <f(image mask), g(text mask)> + bias, and the two sides' masks are independent, so that derivatives
of the value are scalar products of derivatives: D_{a u b} = scale <D_a f, D_b g>. A pair of patches meets the caption's
average, a patch and a token meet each other's first derivatives. That costs a few small matrix products at any p.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from ..answers import Answers, Side
from ..explanation import Explanation
from ..masks import FloatArray
from .indices import coefficients, quadrature
from .kernel import KernelSurrogate, Variances
from .surrogate import Surrogate, to_numpy

# Error bars of Shapley indices are averages over p of smooth functions; a few nodes do.
_ERROR_NODES = 5
# Below this many masks' worth of weight at p, leaving one out says nothing about faithfulness there.
_FEWEST_MASKS = 8


@dataclass(frozen=True, eq=False)
class Readout:
    """Two surrogates and what combines them.

    Attributes:
        image, text: the surrogates.
        answers: what they were made from.
    """

    image: Surrogate
    text: Surrogate
    answers: Answers

    @property
    def sides(self) -> tuple[Side, Side]:
        """Masks and embeddings of image and text."""
        return self.answers.image_side, self.answers.text_side

    def explain(self, p: float, index: str = "banzhaf", order: int = 2) -> Explanation:
        """The explanation at p, with standard errors and, for Banzhaf interactions, expected faithfulness."""
        found = coefficients(self.derivatives, self.answers.subject.n_players, index, p, self._ends(index))
        at = p if index == "banzhaf" else 0.5
        second = Explanation(*found, p=at, index=index, estimator="kernel", **self.answers.about())
        return replace(
            second if order == 2 else second.first_order(),
            stderr=self.standard_errors(p, index, order),
            expected_faithfulness=self.expected_faithfulness(p, order) if index == "banzhaf" else None,
        )

    def derivatives(self, p: float) -> tuple[float, FloatArray, FloatArray]:
        """E_p[v], D_i of shape (n,) and D_ij, (n, n), of the value in logits."""
        subject = self.answers.subject
        n_image = subject.n_image
        f0, f1, _ = self.image.derivatives(p)
        g0, g1, _ = self.text.derivatives(p)
        pairs = f0.new_zeros((subject.n_players,) * 2)
        pairs[:n_image, :n_image] = self.image.pairs(p, g0)
        pairs[n_image:, n_image:] = self.text.pairs(p, f0)
        pairs[:n_image, n_image:] = f1 @ g1.T
        pairs[n_image:, :n_image] = pairs[:n_image, n_image:].T
        single = torch.cat([f1 @ g0, g1 @ f0])
        scale, bias = self.answers.scale, self.answers.bias
        return float(scale * f0 @ g0 + bias), to_numpy(scale * single), to_numpy(scale * pairs)

    def _ends(self, index: str) -> tuple[float, float]:
        return (self.answers.empty_value, self.answers.full_value) if index != "banzhaf" else (0.0, 0.0)

    # ---- how far to trust it

    def expected_faithfulness(self, p: float, order: int = 2) -> float | None:
        """R squared to be expected on masks not seen, from leaving out one masked image at a time.

        Args:
            p: presence probability of explanation and masks.
            order: of the explanation.

        Returns:
            R squared, or None where the value does not vary or too few of the masks are likely at p.
        """
        image_weights, text_weights = self._weights_at(p, 0), self._weights_at(p, 1)
        average, g1, g2 = self.text.terms(p)
        if isinstance(self.image, KernelSurrogate):
            if 1 / image_weights.square().sum() < _FEWEST_MASKS:
                return None
            zeroth, first, second = self.image.terms_without(p, average)
        else:
            zeroth, first, pair = self.image.terms(p)
            second = pair @ average
        # Terms of both sides together up to the order asked for.
        captions = torch.stack([average.expand_as(g1), g1, g2]).cumsum(0)
        predicted = zeroth @ captions[order].T + first @ captions[order - 1].T
        if order == 2:
            predicted += second[:, None]
        values = self._values
        error = image_weights @ predicted.sub_(values).square_() @ text_weights
        spread = image_weights @ (values - image_weights @ values @ text_weights).square_() @ text_weights
        return float(1 - error / spread) if spread > 1e-12 else None

    def _weights_at(self, p: float, side: int) -> torch.Tensor:
        return torch.as_tensor(self.sides[side].weights_at(p), device=self.image.device)

    @cached_property
    def _values(self) -> torch.Tensor:
        """Values of all pairs of masks, without scale and bias, (m_I, m_T)."""
        left, right = (torch.as_tensor(side.embeddings, dtype=torch.float64) for side in self.sides)
        return (left @ right.T).to(self.image.device)

    def standard_errors(self, p: float, index: str, order: int) -> tuple[FloatArray, FloatArray]:
        """Standard errors of attributions (n,) and interactions (n, n), in logits.

        Those of Shapley indices are averages over p of standard errors, as if errors at different p had all the same
        sign, and so rather too large than too small.
        """
        if index == "banzhaf":
            return self._errors(p, p if order == 2 else 0.0, order)
        singles, pairs = [], []
        for node, weight, of_pair, of_sum in quadrature(self.answers.subject.n_players, index, _ERROR_NODES):
            single, pair = self._errors(node, of_sum if order == 2 else 0.0, order)
            singles.append(weight * single)
            pairs.append(weight * of_pair * pair)
        return np.sum(singles, axis=0), np.sum(pairs, axis=0)

    def _errors(self, p: float, share: float, order: int) -> tuple[FloatArray, FloatArray]:
        """Of D_i - share * sum over j of D_ij, and of D_ij: both sides' contributions, which are independent."""
        n_image, n = self.answers.subject.n_image, self.answers.subject.n_players
        single, pairs = (torch.zeros(*shape, dtype=torch.float64, device=self.image.device) for shape in ((n,), (n, n)))
        image, text = slice(0, n_image), slice(n_image, n)
        ways = ((self.image, self.text, image, text, 0), (self.text, self.image, text, image, 1))
        for own, other, a, b, k in ways:
            if not isinstance(own, KernelSurrogate):
                continue
            side = _Contribution(own, other, p, self._weights_at(p, k))
            single[a] += side.own_single(share)
            single[b] += side.other_single(share)
            if order == 2:
                pairs[a, a] += side.own_pairs()
                pairs[b, b] += side.other_pairs()
                pairs[a, b] += side.cross_pairs()
                pairs[b, a] += side.cross_pairs().T
        pairs.fill_diagonal_(0.0)
        found = [abs(self.answers.scale) * one.clamp(min=0.0).sqrt() for one in (single, (pairs + pairs.T) / 2)]
        return to_numpy(found[0]), to_numpy(found[1])


class _Contribution:
    """What one side's uncertainty adds to the variance of every term, in units of scale squared.

    An estimate is <D f, u> with D f from this side and u from the other; its variance is var(D) u^T C u, where C is the
    covariance of this side's outputs, calibrated by its left-out samples. An attribution sums over many pairs, and
    small errors of the kernel that all its pairs share add up; so its jackknife variance, the squares of what leaving
    out each sample changes, is added.
    """

    def __init__(self, own: KernelSurrogate, other: Surrogate, p: float, weights: torch.Tensor) -> None:
        self._other, self._p = other, p
        self._variances: Variances = own.variances(p)
        self._g0, self._g1, self._rest = other.derivatives(p)
        # Samples can agree by chance, and some directions are easier than others; bars are only ever widened.
        self._factor = max(1.0, own.calibration(torch.cat([self._g0[None], self._g1]), weights))
        self._covariance = own.covariance * self._factor
        self._directions = own.main_directions
        self._influence, self._left_out = own.influence(p), own.left_out

    def _form(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """left^T C right for rows: shapes (k, d) or (d,) to (k,) or ()."""
        return ((left @ self._covariance) * right).sum(-1)

    def own_single(self, share: float) -> torch.Tensor:
        """(n,): D_i - share * (sum over own j of D_ij + sum over other t of D_it)."""
        v, g0 = self._variances, self._g0
        u = g0 - share * self._g1.sum(0)
        posterior = (
            v.single * self._form(u, u)
            - 2 * share * v.single_psi * self._form(u, g0)
            + share**2 * v.psi * self._form(g0, g0)
        )
        _, of_single, of_psi = self._influence
        changes = of_single * (self._left_out @ u)[:, None] - share * of_psi * (self._left_out @ g0)[:, None]
        return posterior + changes.square_().sum(0)

    def other_single(self, share: float) -> torch.Tensor:
        """(n',): the other side's players, whose terms need this side's average and the sum of its derivatives."""
        v, g1 = self._variances, self._g1
        u = g1 - share * self._rest
        posterior = (
            v.mean * self._form(u, u)
            - 2 * share * v.mean_zeta * self._form(u, g1)
            + share**2 * v.zeta * self._form(g1, g1)
        )
        of_mean, of_single, _ = self._influence
        of_zeta = of_single.sum(1, keepdim=True)
        changes = of_mean[:, None] * (self._left_out @ u.T) - share * of_zeta * (self._left_out @ g1.T)
        return posterior + changes.square_().sum(0)

    def own_pairs(self) -> torch.Tensor:
        """(n, n)."""
        return self._variances.pair * self._form(self._g0, self._g0)

    def cross_pairs(self) -> torch.Tensor:
        """(n, n')."""
        return torch.outer(self._variances.single, self._form(self._g1, self._g1))

    def other_pairs(self) -> torch.Tensor:
        """(n', n'): the other side's pairs, in the main directions of C."""
        return self._variances.mean * self._factor * self._other.pair_spread(self._p, *self._directions)
