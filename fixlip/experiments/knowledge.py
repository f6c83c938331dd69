"""The experiment on mutual knowledge: what both encoders share, picture by picture, and how often they are right.

It differs from the others in what it is run on, pictures of known classes, and in that no methods are compared.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from ..concepts import MEASURES as NAMES
from ..concepts import Bank, Classes, Study
from ..concepts import Settings as Choices
from ..concepts.overlap import area
from ..encoders.huggingface import Encoder
from . import knowledge_columns as columns
from .labelled import Labelled
from .tables import Layout, Row, cell, one_line


@dataclass(frozen=True)
class KnowledgeSettings:
    """What is the same for all pictures of a run.

    Attributes:
        model, device, dtype, batch_size: as `fixlip.load` takes them.
        bank: textual concepts.
        classes: that pictures are sorted into.
        choices: of the pipeline. Every picture has its parts found on its own, so that it does not matter which others
            there are, nor who works on them.

    Raises:
        ValueError: one sentence, if there is one class alone, of which nothing can be told.
    """

    model: str = "emoji-clip"
    bank: Bank = field(default_factory=Bank.emoji)
    classes: Classes = field(default_factory=Classes.emoji)
    choices: Choices = Choices()
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int | str = "auto"

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise ValueError(f"classes: got {self.classes.names[0]!r} alone, wanted two at least, to tell them apart.")

    @property
    def experiment(self) -> str:
        """Its name."""
        return columns.NAME

    @property
    def most_words(self) -> int:
        """How many words the image side can have of a picture."""
        return min(len(self.bank), self.choices.n_parts * self.choices.words)

    def describe(self, dataset: str, encoder: Encoder) -> dict[str, str]:
        """All that a table depends on, by name."""
        prompts = hashlib.sha256(repr((self.classes.names, self.classes.prompts)).encode()).hexdigest()[:16]
        facts: dict[str, Any] = {"experiment": self.experiment, "model": self.model, "dataset": dataset}
        facts |= {"device": encoder.device.type, "dtype": encoder.precision, "image_masking": encoder.image_masking}
        facts |= {"bank": f"{one_line(self.bank.name)} of {len(self.bank)} phrases, {self.bank.digest}"}
        facts |= {"classes": f"{len(self.classes)} classes, {prompts}"}
        facts |= {**asdict(self.choices), "batch_size": self.batch_size, "weights": encoder.fingerprint}
        return {name: repr(value) for name, value in facts.items()}


@lru_cache(maxsize=1)
def study_of(settings: KnowledgeSettings, encoder: Encoder) -> Study:
    """Bank and classes, embedded once in every process.

    Raises:
        ValueError: one sentence, if the model cannot read them.
    """
    return Study(encoder, settings.classes, settings.bank, settings.choices)


def layouts_of(settings: KnowledgeSettings) -> list[Layout]:
    """A row for each picture; in another table its deletion dynamics, a row for each word that may be struck out."""
    steps = tuple((cell(k),) for k in range(settings.most_words + 1))
    return [
        Layout(columns.TABLE, (), columns.SCORES, ((),), described="class"),
        Layout(columns.CURVE_TABLE, (columns.STRUCK,), columns.CURVES, steps),
    ]


def rows_of(settings: KnowledgeSettings, encoder: Encoder, item: Labelled) -> tuple[Row, list[Row]]:
    """A picture's row, and the points of its curves."""
    study = study_of(settings, encoder)
    found = study.image(item.read())
    facts: dict[str, Any] = found.facts()
    others = [study.towards(found, k) for k in range(len(study.classes)) if k != found.target]
    row: Row = {"class": item.label, "prediction": facts["prediction"], "right": int(facts["prediction"] == item.label)}
    row |= {name: facts[name] for name in ("visual", "language", "shared", "expected", "p_value", "shared_words")}
    points: dict[str, np.ndarray[Any, Any]] = {}
    for measure, name in zip(NAMES, columns.MEASURES, strict=True):
        curve, by_chance = found.curve(measure), found.chance_curve(measure)
        row |= {name: float(curve[0]), f"{name}_chance": float(by_chance[0])}
        row |= {f"{name}_area": area(curve), f"{name}_area_chance": area(by_chance)}
        row |= {f"{name}_others": float(np.mean([one.overlap.measured(measure) for one in others]))}
        row |= {f"{name}_area_others": float(np.mean([one.area(measure) for one in others]))}
        points |= {name: curve, f"{name}_chance": by_chance}
    return row, _points(points, settings.most_words)


def _points(curves: dict[str, np.ndarray[Any, Any]], most: int) -> list[Row]:
    """Values at every number of words struck out, 0 where none is left, as the published mean over pictures wants."""
    padded = {name: np.pad(curve, (0, most + 1 - len(curve))) for name, curve in curves.items()}
    return [{columns.STRUCK: k, **{name: float(values[k]) for name, values in padded.items()}} for k in range(most + 1)]
