"""From two surrogates, one of the image and one of the caption, to an Explanation.

The value is scale * <f(image mask), g(text mask)> + bias, and the two sides' masks are independent, so that derivatives
of the value are scalar products of derivatives: D_{a u b} = scale <D_a f, D_b g>. A pair of patches meets the caption's
average, a patch and a token meet each other's first derivatives. That costs a few small matrix products at any p.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from ..answers import Answers, Side
from ..explanation import Explanation
from ..jackknife import Jackknife
from ..masks import FloatArray
from ..triples import check_players
from .bars import Contribution
from .changes import changes_of
from .crossfit import cross_fitted
from .indices import ERROR_NODES, check_index, coefficients, quadrature
from .kernel import KernelSurrogate
from .surrogate import Surrogate, to_numpy
from .thirds import averaged, derivatives, refine, variances

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

    def explain(self, p: float, index: str = "banzhaf", order: int = 2, errors: bool = True) -> Explanation:
        """The explanation at p, with standard errors and, for Banzhaf interactions, expected faithfulness.

        Args:
            p: presence probability.
            index: one of `INDICES`.
            order: 2 or 1, or 3 with triples.
            errors: False leaves out standard errors and expected faithfulness, which take most of the time.
        """
        index = check_index(index)
        if order == 3:
            return self._third_order(p, index, errors)
        found = coefficients(self.derivatives, self.answers.subject.n_players, index, p, self._ends(index))
        at = p if index == "banzhaf" else 0.5
        second = Explanation(*found, p=at, index=index, estimator="kernel", **self.answers.about())
        found_at = second if order == 2 else second.first_order()
        if not errors:
            return found_at
        return replace(
            found_at,
            stderr=self.standard_errors(p, index, order),
            value_errors=self.standard_errors(p, index, 1)[0] if order == 2 else None,
            expected_faithfulness=self.judge.expected_faithfulness(p, order) if index == "banzhaf" else None,
            changes=self.changes(p, index),
        )

    def _third_order(self, p: float, index: str, errors: bool) -> Explanation:
        """The same with triples: what order 2 says stays what it is, but for its coordinates (see `refine`).

        On one core, 206 players (14 x 14 patches) take a third of a second and 68 MB for triples, as much again for
        their standard errors, and 300 MB in between; 59 players (7 x 7) a few hundredths and 4 MB. Shapley indices take
        up to 32 times as long.
        """
        n = check_players(self.answers.subject.n_players)
        second = self.explain(p, index, 2, errors=False)
        triples = averaged(lambda at: self._logits(derivatives(self.image, self.text, at)), n, index, p)
        if not errors:
            return refine(second, triples)

        def deviations(at: float) -> FloatArray:
            added = ((one.triples(), own, other) for one, own, other in self._contributions(at))
            return self._deviations(variances(added, n, self.image.device))

        return refine(
            replace(
                second,
                value_errors=self.standard_errors(p, index, 1)[0],
                pair_errors=self.standard_errors(p, index, 2)[1],
                changes=self.changes(p, index),
            ),
            triples,
            triple_errors=averaged(deviations, n, index, p, ERROR_NODES),
            expected_faithfulness=self.judge.expected_faithfulness(p, 3) if index == "banzhaf" else None,
        )

    def _logits(self, tensor: torch.Tensor) -> FloatArray:
        return to_numpy(tensor.mul_(self.answers.scale))

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

    @cached_property
    def judge(self) -> Readout:
        """What to ask for `expected_faithfulness`: the same, but of a few samples with cross-fitted relevances."""
        image, text = (
            cross_fitted(surrogate, side.embeddings)
            for surrogate, side in zip((self.image, self.text), self.sides, strict=True)
        )
        return replace(self, image=image, text=text)

    def expected_faithfulness(self, p: float, order: int = 2) -> float | None:
        """R squared to be expected on masks not seen.

        The value of each pair of an image mask and a text mask is predicted from the samples without either of the two;
        a side that was enumerated is known, and nothing is left out of it.

        Args:
            p: presence probability of explanation and masks.
            order: of the explanation.

        Returns:
            R squared, or None where the value does not vary or too few of a side's masks are likely at p.
        """
        weights = [self.weights_at(p, side) for side in (0, 1)]
        if not self.has_masks_at(weights):
            return None
        values, (of_images, of_texts) = self.values, weights
        error = of_images @ self.missed(p, order).square_() @ of_texts
        spread = of_images @ (values - of_images @ values @ of_texts).square_() @ of_texts
        return float(1 - error / spread) if spread > 1e-12 else None

    def has_masks_at(self, weights: Sequence[torch.Tensor]) -> bool:
        """Whether enough masks of each sampled side are likely at p, for weights (m,) of image and text masks there."""
        surrogates = (self.image, self.text)
        return all(s.exact or 1 / w.square().sum() >= _FEWEST_MASKS for s, w in zip(surrogates, weights, strict=True))

    def missed(self, p: float, order: int) -> torch.Tensor:
        """(m_I, m_T), predictions of all pairs' `values` without the samples of either, less these values."""
        (f0, f1), (g0, g1) = (surrogate.terms_without(p) for surrogate in (self.image, self.text))
        # Terms of both sides together up to the order asked for, (m_I, m_T).
        if order == 1:
            predicted = f0 @ (g0 + g1).T + f1 @ g0.T
        else:
            predicted = (f0 + f1) @ (g0 + g1).T
            predicted += self.image.second_term_without(p, g0)
            predicted += self.text.second_term_without(p, f0).T
        if order == 3:
            predicted += self.image.second_term_without(p, g1) + self.text.second_term_without(p, f1).T
            predicted += self.image.third_term_without(p, g0)
            predicted += self.text.third_term_without(p, f0).T
        return predicted.sub_(self.values)

    def weights_at(self, p: float, side: int) -> torch.Tensor:
        """(m,), sum one: those of the image's masks (side 0) or of the caption's (1) in an average at p."""
        return torch.as_tensor(self.sides[side].weights_at(p), device=self.image.device)

    @cached_property
    def values(self) -> torch.Tensor:
        """Values of all pairs of masks, without scale and bias, (m_I, m_T)."""
        device = self.image.device
        left, right = (torch.as_tensor(side.embeddings, dtype=torch.float64, device=device) for side in self.sides)
        return left @ right.T

    def standard_errors(self, p: float, index: str, order: int) -> tuple[FloatArray, FloatArray]:
        """Standard errors of attributions (n,) and interactions (n, n), in logits.

        Those of Shapley indices are averages over p of standard errors, as if errors at different p had all the same
        sign, and so rather too large than too small.
        """
        if index == "banzhaf":
            return self._errors(p, p if order == 2 else 0.0, order)
        singles, pairs = [], []
        for node in quadrature(self.answers.subject.n_players, index, ERROR_NODES):
            single, pair = self._errors(node.p, node.of_pair / 2 if order == 2 else 0.0, order)
            singles.append(node.weight * single)
            pairs.append(node.weight * node.of_pair * pair)
        return np.sum(singles, axis=0), np.sum(pairs, axis=0)

    def changes(self, p: float, index: str) -> Jackknife | None:
        """What leaving out each sample changes in values and in some pairs, for the errors of differences."""
        both = ((self.image, self.text), (self.text, self.image))
        image, text = (changes_of(*two, p, index, first) for two, first in zip(both, (True, False), strict=True))
        return image, text

    def _errors(self, p: float, share: float, order: int) -> tuple[FloatArray, FloatArray]:
        """Of D_i - share * sum over j of D_ij, and of D_ij: both sides' contributions, which are independent."""
        n = self.answers.subject.n_players
        single = torch.zeros(n, dtype=torch.float64, device=self.image.device)
        pairs = single.new_zeros(n, n)
        for added, own, other in self._contributions(p):
            single[own] += added.own_single(share)
            single[other] += added.other_single(share)
            if order == 2:
                pairs[own, own] += added.own_pairs()
                pairs[other, other] += added.other_pairs()
                pairs[own, other] += added.cross_pairs()
                pairs[other, own] += added.cross_pairs().T
        pairs.fill_diagonal_(0.0)
        return self._deviations(single), self._deviations((pairs + pairs.T) / 2)

    def _contributions(self, p: float) -> Iterator[tuple[Contribution, slice, slice]]:
        """What each side that was sampled adds; its players and those that it meets."""
        n_image, n = self.answers.subject.n_image, self.answers.subject.n_players
        surrogates, players = (self.image, self.text), (slice(0, n_image), slice(n_image, n))
        for side, opposite in ((0, 1), (1, 0)):
            if not surrogates[side].exact:
                added = self._contribution(surrogates[side], surrogates[opposite], p, side)
                yield added, players[side], players[opposite]

    def _contribution(self, own: Surrogate, other: Surrogate, p: float, side: int) -> Contribution:
        """What one side that was sampled adds beside another."""
        assert isinstance(own, KernelSurrogate)
        drawn = self.sides[side].p
        near = min(max(p, min(drawn)), max(drawn))
        return Contribution(own, other, p, near, self.weights_at(near, side))

    def _deviations(self, variances: torch.Tensor) -> FloatArray:
        """Standard deviations in logits; rounding may have left variances a little below zero."""
        return to_numpy(abs(self.answers.scale) * variances.clamp(min=0.0).sqrt())
