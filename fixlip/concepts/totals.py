"""Sums over a data set, or a class: as large after a million pictures as after one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from ..masks import FloatArray
from .found import ImageConcepts
from .overlap import MEASURES, area, check_measure


class Totals:
    """Running sums of mutual knowledge.

    The curve of a data set is the published one: curves of its pictures, each padded with zeros to the longest, on
    average; and the area under it the mean of its values. Each has its permutation baseline, padded likewise.

    Attributes:
        count: pictures so far.
        labelled, correct: how many had a true class, and in how many of these it was predicted.
        shared, visual, language: how often each phrase was on both sides, and on each.

    Example:
        totals = Totals.of(study.stream(pictures))
        totals.curve(), totals.chance_curve(), totals.area("jaccard")
    """

    def __init__(self) -> None:
        self.count = self.labelled = self.correct = 0
        self.shared: Counter[str] = Counter()
        self.visual: Counter[str] = Counter()
        self.language: Counter[str] = Counter()
        self._variances = dict.fromkeys(MEASURES, 0.0)
        self._curves: dict[str, FloatArray] = {measure: np.zeros(0) for measure in MEASURES}
        self._chances: dict[str, FloatArray] = {measure: np.zeros(0) for measure in MEASURES}

    @classmethod
    def of(cls, stream: Iterable[ImageConcepts], label: str | None = None) -> Totals:
        """What a stream adds up to; `label` is the true class of all of it, ValueError if there is no such class."""
        totals = cls()
        for found in stream:
            totals.add(found, label)
        return totals

    def add(self, found: ImageConcepts, label: str | None = None) -> None:
        """Count a picture in.

        Args:
            found: what was found.
            label: its true class, if that is known.

        Raises:
            ValueError: if there is no such class.
        """
        if label is not None and label not in found.classes.names:
            raise ValueError(f"label: got {label!r}, which is none of the {len(found.classes)} classes.")
        self.count += 1
        if label is not None:
            self.labelled += 1
            self.correct += found.classes.names[found.prediction] == label
        for counter, numbers in ((self.shared, found.shared), (self.visual, found.visual)):
            counter.update(found.phrases(numbers))
        self.language.update(found.phrases(found.language))
        for measure in MEASURES:
            self._variances[measure] += found.overlap.chance(measure).std ** 2
            self._curves[measure] = _sum(self._curves[measure], found.curve(measure))
            self._chances[measure] = _sum(self._chances[measure], found.chance_curve(measure))

    def __add__(self, other: Totals) -> Totals:
        """Both together: what two workers counted."""
        both = Totals()
        for name in ("count", "labelled", "correct", "shared", "visual", "language"):
            setattr(both, name, getattr(self, name) + getattr(other, name))
        for measure in MEASURES:
            both._variances[measure] = self._variances[measure] + other._variances[measure]
            both._curves[measure] = _sum(self._curves[measure], other._curves[measure])
            both._chances[measure] = _sum(self._chances[measure], other._chances[measure])
        return both

    @property
    def accuracy(self) -> float | None:
        """Share of the labelled pictures whose class was predicted; None where none was labelled."""
        return self.correct / self.labelled if self.labelled else None

    def curve(self, measure: str = MEASURES[0]) -> FloatArray:
        """The mean deletion curve (longest L_v + 1,); its first value is the mean overlap of whole sets."""
        return self._curves[check_measure(measure)] / max(1, self.count)

    def chance_curve(self, measure: str = MEASURES[0]) -> FloatArray:
        """Its permutation baseline."""
        return self._chances[check_measure(measure)] / max(1, self.count)

    def chance_std(self, measure: str = MEASURES[0]) -> float:
        """How far from `chance_curve(measure)[0]` the mean overlap of whole sets is by chance: a standard deviation.

        Under permutations that are drawn for each picture independently of the others'.
        """
        return float(np.sqrt(self._variances[check_measure(measure)])) / max(1, self.count)

    def area(self, measure: str = MEASURES[0]) -> float:
        """Area under the mean curve: the mean of its values, zero for no picture."""
        return area(self.curve(measure))

    def chance_area(self, measure: str = MEASURES[0]) -> float:
        """Area under its permutation baseline."""
        return area(self.chance_curve(measure))


def _sum(one: FloatArray, other: FloatArray) -> FloatArray:
    """Entry by entry, the shorter one padded with zeros."""
    longest = max(len(one), len(other))
    return np.asarray(np.pad(one, (0, longest - len(one))) + np.pad(other, (0, longest - len(other))))
