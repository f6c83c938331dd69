"""Two captions' games of one image as one game: v(x, y, z) = v_A(x, y) - v_B(x, z), of patches x and words y and z.

Since both values are scalar products with the same image embedding, the difference is one, too:

    v(x, y, z) = scale <f(x), g_A(y) - g_B(z)>

So the caption and its foil are one text side, whose embedding is g_A - g_B, and one set of masked images serves it. The
image's errors enter in the direction of the difference alone: what both captions see alike cancels, errors included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch

from ..answers import Answers
from .bars import Contribution
from .readout import Readout
from .surrogate import Surrogate


class Opposed(Surrogate):
    """The text side of a contrast, g_A(y) - g_B(z): the caption's words y first, then the foil's, z.

    Only its derivatives are asked for: where a side of it was sampled, `ContrastReadout` asks that side itself.

    Args:
        caption, foil: surrogates of the two.
    """

    def __init__(self, caption: Surrogate, foil: Surrogate) -> None:
        self.caption, self.foil, self.device = caption, foil, caption.device
        self.n_players = caption.n_players + foil.n_players
        self.exact = caption.exact and foil.exact

    def derivatives(self, p: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """E_p[g_A] - E_p[g_B] of shape (d,); D_t, (n, d); and the sums over own t' of D_tt', (n, d)."""
        (a0, a1, a2), (b0, b1, b2) = self.caption.derivatives(p), self.foil.derivatives(p)
        return a0 - b0, torch.cat([a1, -b1]), torch.cat([a2, -b2])

    def pairs(self, p: float, direction: torch.Tensor) -> torch.Tensor:
        """D_tt' in a direction (d,): (n, n); zero for a word of the caption with one of the foil."""
        found: torch.Tensor = torch.block_diag(self.caption.pairs(p, direction), -self.foil.pairs(p, direction))
        return found

    def triples(self, p: float, direction: torch.Tensor) -> torch.Tensor:
        """D_tt't'' in a direction (d,): (n, n, n); zero for words of both captions."""
        return self._block(self.caption.triples(p, direction), -self.foil.triples(p, direction))

    def triple_spread(self, p: float, variances: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
        """Sum over k of variances[k] times (D_tt't'' in directions[k]) squared: (n, n, n), for (k,) and (k, d)."""
        first, second = (side.triple_spread(p, variances, directions) for side in (self.caption, self.foil))
        return self._block(first, second)

    def _block(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        found, n = first.new_zeros((self.n_players,) * 3), len(first)
        found[:n, :n, :n], found[n:, n:, n:] = first, second
        return found

    def pair_spread(self, p: float, variances: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
        """Sum over k of variances[k] times (D_tt' in directions[k]) squared: (n, n), for (k,) and (k, d)."""
        both = (side.pair_spread(p, variances, directions) for side in (self.caption, self.foil))
        found: torch.Tensor = torch.block_diag(*both)
        return found


@dataclass(frozen=True, eq=False)
class OpposedAnswers(Answers):
    """Answers whose values at both ends are the caption's less the foil's; their bias is zero, since it cancels.

    Attributes:
        foil: the foil's answers, about the same masked images.
    """

    foil: Answers = field(kw_only=True)

    def _end(self, present: bool) -> float:
        return super()._end(present) - (self.foil._end(present) - self.foil.bias)


@dataclass(frozen=True, eq=False)
class ContrastReadout(Readout):
    """A readout of the game of the difference; its text side is `Opposed`.

    Attributes:
        caption, foil: readouts of the two captions, with one image side.
    """

    caption: Readout = field(kw_only=True)
    foil: Readout = field(kw_only=True)

    @cached_property
    def judge(self) -> ContrastReadout:
        """The same, of which both captions' readouts are judges."""
        return replace(self, caption=self.caption.judge, foil=self.foil.judge)

    def expected_faithfulness(self, p: float, order: int = 2) -> float | None:
        """R squared to be expected on masks not seen, or None, as in `Readout`.

        The foil's words are kept and removed independently of the caption's, so that averages over both need no table
        of all their pairs: E (e_A - e_B)^2 = E e_A^2 + E e_B^2 - 2 E e_A E e_B over words, image mask by image mask.
        """
        sides = [(one, [one.weights_at(p, side) for side in (0, 1)]) for one in (self.caption, self.foil)]
        if not all(one.has_masks_at(weights) for one, weights in sides):
            return None
        of_images = sides[0][1][0]
        missed = [(one.missed(p, order), weights[1]) for one, weights in sides]
        spread = [(one.values - of_images @ one.values @ weights[1], weights[1]) for one, weights in sides]
        error, variance = (float(of_images @ _mean_square(*two)) for two in (missed, spread))
        return 1 - error / variance if variance > 1e-12 else None

    def changes(self, p: float, index: str) -> None:
        """None: a contrast is itself a difference from the same samples, with error bars of its own."""

    def _contributions(self, p: float) -> Iterator[tuple[Contribution, slice, slice]]:
        """What each of three sides adds that was sampled: the image, the caption, the foil; independent of each other.

        The image meets both captions' difference; either caption meets the image as it does alone.
        """
        n_image = self.image.n_players
        n_caption, n = n_image + self.caption.text.n_players, n_image + self.text.n_players
        patches = slice(0, n_image)
        if not self.image.exact:
            yield self._contribution(self.image, self.text, p, 0), patches, slice(n_image, n)
        for one, words in ((self.caption, slice(n_image, n_caption)), (self.foil, slice(n_caption, n))):
            if not one.text.exact:
                yield one._contribution(one.text, self.image, p, 1), words, patches


def _mean_square(first: tuple[torch.Tensor, torch.Tensor], second: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """(m,), of a - b for independent a and b: values (m, m_T) with weights (m_T,)."""
    (a, by_a), (b, by_b) = first, second
    return a.square() @ by_a + b.square() @ by_b - 2 * (a @ by_a) * (b @ by_b)
