"""What was found in a picture: its visual concepts, their words, the class's words, and what both share."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..masks import BoolArray, FloatArray
from .bank import Bank, Classes
from .overlap import MEASURES, Overlap, area, chance_curve, curve, deletion
from .patches import BACKGROUND, Ellipse


@dataclass(frozen=True, eq=False)
class VisualConcept:
    """A part of a picture and its words.

    Attributes:
        part: its number, the same in all pictures of a group.
        patches: (n_image,), True = the patch belongs to it.
        ellipse: around its largest connected component.
        words: numbers of its textual concepts in the bank, best first.
        similarities: (words,) their cosines with the region.
    """

    part: int
    patches: BoolArray
    ellipse: Ellipse
    words: tuple[int, ...]
    similarities: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class ImageConcepts:
    """The mutual knowledge of both encoders about one picture: words of its parts, of a class, and of both.

    Attributes:
        concepts: visual concepts, by the number of their part.
        visual: D_v, numbers of their textual concepts, those most similar to the whole picture first.
        importance: their cosines with the whole picture.
        language: D_y, numbers of the textual concepts most similar to the class, best first.
        logits: (classes,) similarity of picture and class, scale * cosine + bias.
        target: number of the class whose words these are; by default the predicted one.
        bank, classes: what the numbers mean.
        grid: (rows, columns) of the patches.
        shown: what the model sees of the picture, uint8 (height, width, 3); None where it was not kept.
        notes: what readers should know, a sentence each.
    """

    concepts: tuple[VisualConcept, ...]
    visual: tuple[int, ...]
    importance: tuple[float, ...]
    language: tuple[int, ...]
    logits: FloatArray
    target: int
    bank: Bank
    classes: Classes
    grid: tuple[int, int]
    shown: NDArray[np.uint8] | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def prediction(self) -> int:
        """Number of the class with the highest logit."""
        return int(np.argmax(self.logits))

    @property
    def class_name(self) -> str:
        """Name of the class that the picture is compared with: `target`."""
        return self.classes.names[self.target]

    @property
    def parts(self) -> NDArray[np.intp]:
        """(rows, columns), the part that each patch belongs to, -1 for none."""
        found = np.full(self.grid[0] * self.grid[1], BACKGROUND)
        for concept in self.concepts:
            found[concept.patches] = concept.part
        return found.reshape(self.grid)

    def phrases(self, numbers: tuple[int, ...]) -> tuple[str, ...]:
        """The phrases of concepts in the bank."""
        return tuple(self.bank.phrases[k] for k in numbers)

    @property
    def shared(self) -> tuple[int, ...]:
        """Concepts that both sides have, those most similar to the picture first."""
        return tuple(k for k in self.visual if k in self.language)

    @property
    def visual_only(self) -> tuple[int, ...]:
        """Concepts of the image side alone."""
        return tuple(k for k in self.visual if k not in self.language)

    @property
    def language_only(self) -> tuple[int, ...]:
        """Concepts of the language side alone."""
        return tuple(k for k in self.language if k not in self.visual)

    @property
    def overlap(self) -> Overlap:
        """How much both sides share; measures and chance are its."""
        return self.steps[0]

    @cached_property
    def steps(self) -> tuple[Overlap, ...]:
        """The overlap as the image side's concepts are struck out, those most similar to the picture first."""
        return deletion(self.visual, self.language, len(self.bank))

    def curve(self, measure: str = MEASURES[0]) -> FloatArray:
        """The deletion dynamics (L_v + 1,), see `overlap.curve`."""
        return curve(self.steps, measure)

    def chance_curve(self, measure: str = MEASURES[0]) -> FloatArray:
        """Its permutation baseline (L_v + 1,), see `overlap.chance_curve`."""
        return chance_curve(self.steps, measure)

    def area(self, measure: str = MEASURES[0]) -> float:
        """Area under the deletion curve: the mean of its values."""
        return area(self.curve(measure))

    def facts(self) -> dict[str, Any]:
        """Numbers and words as a row of a table, or as JSON, can hold them."""
        overlap = self.overlap
        row: dict[str, Any] = {
            "class": self.class_name,
            "prediction": self.classes.names[self.prediction],
            "regions": len(self.concepts),
            "visual": overlap.visual,
            "language": overlap.language,
            "shared": overlap.shared,
            "bank": overlap.bank,
            "expected": overlap.expected,
            "p_value": overlap.chance().p_value,
            "shared_words": "; ".join(self.phrases(self.shared)),
        }
        for measure in MEASURES:
            name = measure.replace(" ", "_")
            row |= {name: overlap.measured(measure), f"{name}_chance": overlap.chance(measure).mean}
            row |= {f"{name}_area": self.area(measure), f"{name}_area_chance": area(self.chance_curve(measure))}
        return row
