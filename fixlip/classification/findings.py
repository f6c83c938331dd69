"""What was found out about a picture's class: concepts, interactions, the contrast, and whether they agree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import spearmanr

from ..concepts.found import ImageConcepts
from ..concepts.overlap import MEASURES
from ..contrasts import Contrast
from ..explanation import Explanation
from ..masks import BoolArray, FloatArray


@dataclass(frozen=True)
class Agreement:
    """How much of what a map gives to all patches lies on some of them?

    Attributes:
        share: of the sum of the map's positive numbers, what lies on these patches.
        area: the share of all patches that these are; what `share` would be if the map knew nothing of them.
        rank_correlation: Spearman's, of being one of these patches with the map's numbers; 0 where either is constant.
    """

    share: float
    area: float
    rank_correlation: float

    @classmethod
    def of(cls, patches: BoolArray, scores: FloatArray) -> Agreement | None:
        """That of patches (n_image,) and a map (n_image,); None where there are no such patches, or nothing positive.

        Neighbouring patches are alike in both, so that far fewer than n_image numbers are independent.
        """
        positive = np.clip(scores, 0.0, None)
        if not patches.any() or not positive.any():
            return None
        varies = not patches.all() and np.ptp(scores) > 0
        rank = float(spearmanr(patches, scores).statistic) if varies else 0.0
        return cls(float(positive[patches].sum() / positive.sum()), float(patches.mean()), rank)

    @property
    def lift(self) -> float:
        """How many times as much lies on these patches as by area."""
        return self.share / self.area


@dataclass(frozen=True, eq=False)
class Findings:
    """A picture's class, and why.

    Attributes:
        concepts: visual and textual concepts, class similarities, and the overlap (see `fixlip.concepts`).
        explanation: FIxLIP of the picture and the first prompt of the predicted class.
        contrast: the predicted class's prompt rather than that of another class.
        against: number of that other class; the runner-up where none was named.
    """

    concepts: ImageConcepts
    explanation: Explanation
    contrast: Contrast
    against: int

    @property
    def class_name(self) -> str:
        """The predicted class."""
        return self.concepts.class_name

    @property
    def foil_name(self) -> str:
        """The class that it is contrasted with."""
        return self.concepts.classes.names[self.against]

    @property
    def ranking(self) -> tuple[int, ...]:
        """Numbers of the classes, the most similar first."""
        return tuple(int(k) for k in np.argsort(-self.concepts.logits, kind="stable"))

    @property
    def margin(self) -> float:
        """By how much the predicted class is more similar than the other, over all their prompts (logits)."""
        return float(self.concepts.logits[self.concepts.target] - self.concepts.logits[self.against])

    @cached_property
    def interactions(self) -> FloatArray:
        """(n_image,) logits, interactions of each patch with the prompt: the sum over its words."""
        return np.asarray(self.explanation.crossmodal().sum(axis=1))

    @property
    def concept_patches(self) -> BoolArray:
        """(n_image,), True = in some visual concept."""
        return (self.concepts.parts >= 0).ravel()

    @property
    def shared_patches(self) -> BoolArray:
        """(n_image,), True = in a visual concept with a word that the class has, too."""
        found = np.zeros_like(self.concept_patches)
        for concept in self.concepts.concepts:
            if set(concept.words) & set(self.concepts.language):
                found |= concept.patches
        return found

    @cached_property
    def agreement(self) -> dict[str, Agreement | None]:
        """Do concepts and FIxLIP point to the same patches? Of several sets of patches and maps, by name."""
        shared, every = self.shared_patches, self.concept_patches
        return {
            "interactions with the prompt on all concepts": Agreement.of(every, self.interactions),
            "interactions with the prompt on concepts with a shared word": Agreement.of(shared, self.interactions),
            "contributions on all concepts": Agreement.of(every, self.explanation.values[: len(every)]),
            "what speaks against the other class, on all concepts": Agreement.of(every, self.contrast.patches),
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What readers should know, a sentence each."""
        classes, told = self.concepts.classes, []
        for number in (self.concepts.target, self.against):
            if len(classes.prompts[number]) > 1:
                told.append(
                    f"\u201c{classes.names[number]}\u201d is classified by the mean of {len(classes.prompts[number])} "
                    f"prompts, and explained by the first, \u201c{classes.prompts[number][0]}\u201d."
                )
        return tuple(dict.fromkeys((*self.concepts.notes, *told, *self.contrast.notes)))

    def summary(self, k: int = 5) -> str:
        """All of it in words.

        Args:
            k: how many classes and patches, at most.
        """
        found, bar = self.concepts, self.contrast.patch_stderr
        lines = [f"class: {self.class_name} ({found.logits[found.target]:.2f})"]
        others = [f"{found.classes.names[c]} {found.logits[c]:.2f}" for c in self.ranking[1 : k + 1]]
        lines += [f"then: {', '.join(others)} (logits)", *self.notes]
        for name, words in self.words().items():
            lines.append(f"{name}: {', '.join(words) or 'none'}")
        for measure in MEASURES:
            chance = found.overlap.chance(measure)
            lines.append(f"{measure}: {found.overlap.measured(measure):.3f}, by chance {chance.mean:.3f}")
        lines.append(f"probability of as many shared words by chance: {found.overlap.chance().p_value:.2g}")
        for name, agreed in self.agreement.items():
            told = "not measured" if agreed is None else self.told(agreed)
            lines.append(f"{name}: {told}")
        lines.append(f"why {self.class_name} rather than {self.foil_name}, by {self.margin:+.2f}:")
        strongest = np.argsort(-np.abs(self.contrast.patches), kind="stable")[:k]
        for patch in strongest:
            told = self.contrast.told(float(self.contrast.patches[patch]), None if bar is None else float(bar[patch]))
            lines.append(f"  {told}  {self.contrast.labels[patch]}")
        return "\n".join(lines)

    def words(self) -> dict[str, tuple[str, ...]]:
        """The bank's words of the picture alone, of both, and of the class alone."""
        found = self.concepts
        return {
            "words of the image alone": found.phrases(found.visual_only),
            "both": found.phrases(found.shared),
            "words of the class alone": found.phrases(found.language_only),
        }

    @staticmethod
    def told(agreed: Agreement) -> str:
        """An agreement in words."""
        return (
            f"{agreed.share:.0%} of what is positive lies on {agreed.area:.0%} of the patches "
            f"(rank correlation {agreed.rank_correlation:+.2f})"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.class_name!r} rather than {self.foil_name!r}, by {self.margin:+.2f})"
