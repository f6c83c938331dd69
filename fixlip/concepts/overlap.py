"""How much do two sets of concepts share? The published score, a genuine mutual information, Jaccard; and chance.

Of a bank of D textual concepts, the image side names a set of L_v and the language side a set of L_t; K are in both.
All three measures are functions of these four numbers. The chance of each follows from L_v, L_t and D alone: how many a
random set of L_v concepts shares with a given set of L_t has a hypergeometric distribution. So nothing has to be drawn.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.stats import hypergeom

from ..masks import FloatArray

# The corrected measure comes first: it is the default everywhere.
MEASURES = ("information", "overlap score", "jaccard")


@dataclass(frozen=True)
class Overlap:
    """Two sets of a bank's concepts.

    Attributes:
        visual: L_v, how many concepts the image side has, or had before some were struck out.
        language: L_t, how many the language side has.
        shared: K, how many both have.
        bank: D, how many there are.
        struck: how many of the visual ones were struck out; they are in no set, and the published score alone still
            counts them in L_v, as its code does.

    Raises:
        ValueError: one sentence, if no two such sets exist.
    """

    visual: int
    language: int
    shared: int
    bank: int
    struck: int = 0

    def __post_init__(self) -> None:
        kept = self.visual - self.struck
        if not (0 <= kept <= self.bank and 0 <= self.language <= self.bank and self.struck >= 0):
            raise ValueError(
                f"overlap: got sets of {kept} and {self.language} concepts, wanted at most the {self.bank} of the bank."
            )
        if not self._least <= self.shared <= min(kept, self.language):
            most = min(kept, self.language)
            raise ValueError(f"overlap: got {self.shared} shared concepts, wanted {self._least} to {most}.")

    @classmethod
    def of(cls, visual: Collection[int], language: Collection[int], bank: int) -> Overlap:
        """The overlap of two sets of numbers, each from 0 to bank - 1."""
        one, other = set(visual), set(language)
        if stray := [k for k in one | other if not 0 <= k < bank]:
            raise ValueError(f"overlap: got concept {stray[0]}, wanted numbers from 0 to {bank - 1}.")
        return cls(len(one), len(other), len(one & other), bank)

    @property
    def expected(self) -> float:
        """How many concepts sets of these sizes share by chance, on average: L_v L_t / D."""
        return (self.visual - self.struck) * self.language / self.bank

    @property
    def information(self) -> float:
        """Mutual information, in nats, of "the image side has it" and "the language side has it".

            I = sum over a, b of n_ab / D log( n_ab D / (n_a. n_.b) )

        over the bank, with n_11 = K, n_10 = L_v - K, n_01 = L_t - K and n_00 the rest. At most log 2; 0 where as many
        are shared as chance gives. It also grows where fewer are shared: compare `shared` with `expected`.
        """
        visual = self.visual - self.struck
        rest = self.bank - visual - self.language + self.shared
        table = np.array([[self.shared, visual - self.shared], [self.language - self.shared, rest]]) / self.bank
        product = table.sum(1, keepdims=True) * table.sum(0)
        there = table > 0
        return max(0.0, float(np.sum(table[there] * np.log(table[there] / product[there]))))

    @property
    def overlap_score(self) -> float:
        """log(L_v L_t K), and 0 where nothing is shared: the number that was published as mutual information.

        Sammani and Deligiannis (NeurIPS 2024) state I = H(D_v) + H(D_y) - H(D_v, D_y), with entropies log L_v, log L_t
        and log K (eq. 1, 3). Their eq. 9 and their code add the last term. The sum is no mutual information: once K > 0
        and a set has more than one concept, it exceeds the smaller of log L_v and log L_t, which bounds it. With the
        minus, log(L_v L_t / K) would fall as more is shared: log K is the entropy of a draw from the K matches, whose
        margins have entropy log K as well, not log L_v and log L_t. So it is called what it is: a score that grows
        with overlap, and with the sizes of the sets.
        """
        return float(np.log(self.visual * self.language * self.shared)) if self.shared else 0.0

    @property
    def jaccard(self) -> float:
        """Shared concepts among all that either side has, 0 to 1."""
        union = self.visual - self.struck + self.language - self.shared
        return self.shared / union if union else 0.0

    def measured(self, measure: str = MEASURES[0]) -> float:
        """One of MEASURES; ValueError if it is none."""
        return float(getattr(self, check_measure(measure).replace(" ", "_")))

    def chance(self, measure: str = MEASURES[0]) -> Chance:
        """The measure over all sets of this size that the image side could have had instead.

        Raises:
            ValueError: if there is no such measure.
        """
        mean, std = _moments(replace(self, shared=self._least), check_measure(measure))
        drawn = hypergeom(self.bank, self.language, self.visual - self.struck)
        return Chance(mean, std, min(1.0, float(drawn.sf(self.shared - 1))))

    @property
    def _least(self) -> int:
        """As few as sets of these sizes can share."""
        return max(0, self.visual - self.struck + self.language - self.bank)


@dataclass(frozen=True)
class Chance:
    """What a measure is by chance: the permutation baseline, over all permutations.

    Attributes:
        mean, std: of the measure, in its unit.
        p_value: the probability that chance shares as many concepts, or more.
    """

    mean: float
    std: float
    p_value: float


@lru_cache(maxsize=4096)
def _moments(least: Overlap, measure: str) -> tuple[float, float]:
    """Mean and standard deviation of a measure over all sets of these sizes; few sizes occur in a data set."""
    kept = least.visual - least.struck
    counts = np.arange(least.shared, min(kept, least.language) + 1)
    weights = hypergeom(least.bank, least.language, kept).pmf(counts)
    values = np.array([replace(least, shared=int(k)).measured(measure) for k in counts])
    mean = float(weights @ values)
    return mean, float(np.sqrt(max(0.0, float(weights @ (values - mean) ** 2))))


def check_measure(measure: str) -> str:
    """Return a measure's name; ValueError if there is no such measure."""
    if measure not in MEASURES:
        raise ValueError(f"measure: got {measure!r}, wanted one of {', '.join(MEASURES)}.")
    return measure


def deletion(visual: Sequence[int], language: Collection[int], bank: int) -> tuple[Overlap, ...]:
    """The overlap, and again after each of the visual concepts is struck out, in the order given: L_v + 1 overlaps.

    Args:
        visual: numbers of the visual concepts, each once, the most important first.
        language: numbers of the language side's.
        bank: how many concepts there are.

    Raises:
        ValueError: one sentence, if a number is outside the bank or appears twice.
    """
    if len(set(visual)) != len(visual):
        raise ValueError("visual: wanted each concept once.")
    whole, kept = Overlap.of(visual, language, bank), set(language)
    struck = np.cumsum([0, *(one in kept for one in visual)])
    return tuple(replace(whole, shared=whole.shared - int(gone), struck=k) for k, gone in enumerate(struck))


def curve(steps: Sequence[Overlap], measure: str = MEASURES[0]) -> FloatArray:
    """The deletion dynamics (L_v + 1,): a measure at each step; it falls fast where the shared concepts come first.

    Of the published score it is the published curve: struck concepts are still counted in L_v. The other measures are
    those of the set that is left, so that they can rise where a concept is struck out that was not shared.
    """
    return np.array([step.measured(measure) for step in steps])


def chance_curve(steps: Sequence[Overlap], measure: str = MEASURES[0]) -> FloatArray:
    """The same (L_v + 1,), on average over all sets of this size in all orders: a curve's permutation baseline."""
    return np.array([step.chance(measure).mean for step in steps])


def area(values: Sequence[float] | FloatArray) -> float:
    """The area under a deletion curve as published: the mean of its values; 0 of none."""
    return float(np.mean(values)) if len(values) else 0.0
