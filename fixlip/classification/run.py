"""Zero-shot classification of a picture, with its explanations."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..atomic import replace_whole
from ..concepts.bank import Bank, Classes
from ..concepts.embeddings import Cache
from ..concepts.settings import Settings
from ..concepts.study import Study
from ..contrasts import Contrast
from ..encoders.huggingface import of_transformers
from ..encoders.images import ImageSource
from ..encoders.protocol import AnyEncoder
from ..game import Game
from ..masks import check_budget, check_p, check_seed
from ..samples import sample
from .findings import Findings
from .inputs import inputs_of, number_of
from .page import html


@dataclass(frozen=True, eq=False, repr=False)
class Classification(Findings):
    """Findings, and the page of them."""

    def html(self) -> str:
        """A self-contained page; it loads nothing from anywhere."""
        return html(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page (.html); a failed save harms no earlier file."""
        target = Path(path)
        if target.suffix.lower() != ".html":
            raise ValueError(f"path: got {str(target)!r}, wanted a name that ends in .html.")
        replace_whole(target, self.html().encode("utf-8", "replace"))
        return target


def classify(
    encoder: AnyEncoder,
    image: ImageSource,
    classes: Classes | None = None,
    bank: Bank | None = None,
    *,
    against: int | str | None = None,
    p: float = 0.5,
    budget: int = 512,
    seed: int = 0,
    settings: Settings | None = None,
    cache: Cache = True,
    progress: bool = True,
) -> Classification:
    """Classify a picture zero-shot, and explain it by concepts, by interactions and by contrast.

    Args:
        encoder: from `fixlip.load`.
        image: a file, a Pillow image or an array.
        classes: two at least; by default, for embedded models, the twelve kinds of emoji scenes.
        bank: textual concepts; by default, for embedded models, those of the emoji world.
        against: another class, by name or number, that the predicted one is contrasted with; by default the runner-up.
        p: probability with which every patch and word is present, of interactions and contrast.
        budget: number of masked images; captions come on top.
        seed: of the masks.
        settings: of the concepts, the published ones by default.
        cache: where embeddings of bank and classes are kept, see `fixlip.concepts.Study`.
        progress: show a bar if it takes long.

    Raises:
        ValueError: one sentence; before any model call, but where `against` names the class that is then predicted, or
            the picture cannot be read.
    """
    encoder = of_transformers(encoder)
    classes, bank = inputs_of(encoder.name, classes, bank)
    p, budget, seed = check_p(p), check_budget(budget), check_seed(seed)
    foil = None if against is None else number_of(classes, against)
    study = Study(encoder, classes, bank, settings, cache=cache)
    found = study.image(image)
    if foil == found.target:
        raise ValueError(f"against: {found.class_name!r} is the predicted class; wanted another one.")
    if foil is None:
        foil = next(int(k) for k in np.argsort(-found.logits, kind="stable") if k != found.target)
    game = Game(encoder, image, classes.prompts[found.target][0])
    other = game.with_text(classes.prompts[foil][0])
    samples = sample(game, budget, p=p, seed=seed, progress=progress, on_interrupt="raise")
    told = Contrast.of(samples, samples.with_caption(other, progress=False), p)
    return Classification(found, told.first, told, foil)
