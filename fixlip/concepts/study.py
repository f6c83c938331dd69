"""Mutual knowledge of an image and a text encoder (Sammani and Deligiannis, NeurIPS 2024, arXiv 2410.13016)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from ..encoders.huggingface import Encoder, of_transformers
from ..encoders.images import ImageSource
from ..encoders.towers import check_inside
from ..masks import BoolArray, FloatArray, check_count
from .bank import Bank, Classes
from .embeddings import Cache, class_embeddings, embed_phrases, note_of_phrases, read_phrases
from .found import ImageConcepts, VisualConcept
from .patches import ellipse_around, parts_of, patch_features, prominent_patches
from .regions import embed_regions
from .settings import Settings
from .words import by_importance, of_class, words_of_regions

GROUP = 50  # pictures whose parts are found together, as published
BLANK = "All patches of this picture are alike, so that no part of it stands out: it has no visual concepts."


@dataclass(frozen=True, eq=False)
class _Seen:
    """One picture on its way through the pipeline."""

    pixels: torch.Tensor
    shown: NDArray[np.uint8]
    features: FloatArray
    embedding: FloatArray
    blank: bool
    note: str


class Study:
    """An encoder, classes and a bank of textual concepts: all that is embedded once.

    In short: patches of a picture that stand out are parted into visual concepts; each is shown to the image encoder,
    and gets the words of the bank that are closest (D_v, of all of them); the class gets the words closest to its
    prompts (D_y); what both sets share is called mutual knowledge.

    What differs from the published pipeline: pictures are cropped as the model's own processor does, so that patches
    are the game's (published: squeezed to a square); regions keep the outline of their patches (published: refined to
    pixels by a random field, with an effect below 0.15 points of accuracy); ellipses have a region's second moments
    (published: fitted to its contour). SigLIP has no class token and pools patches by attention; its patch features are
    those of the same places, the last block's output and the keys of its attention.

    Args:
        encoder: from `fixlip.load`.
        classes: `Classes`, or names for the template "a photo of a {}".
        bank: `Bank`, or phrases.
        settings: choices, the published ones by default.
        cache: where embeddings of bank and classes are kept, see `embeddings.embed_phrases`; False for nowhere.

    Attributes:
        phrases: (D, d) embeddings of the bank, of length one.
        classifier: (classes, d), of length one.
        similarities: (classes, D), cosines.
        notes: what readers should know, a sentence each.

    Raises:
        ValueError: one sentence, before any model call, if something does not fit, or the encoder cannot read a phrase.
    """

    def __init__(
        self,
        encoder: Encoder,
        classes: Classes | Sequence[str],
        bank: Bank | Sequence[str],
        settings: Settings | None = None,
        *,
        cache: Cache = True,
    ):
        self.encoder = check_inside(of_transformers(encoder))
        self.classes = classes if isinstance(classes, Classes) else Classes.of(classes)
        self.bank = bank if isinstance(bank, Bank) else Bank(bank)
        self.settings = settings or Settings()
        prompts = [prompt for one in self.classes.prompts for prompt in one]
        read_phrases(encoder, prompts, "classes")
        notes = (note_of_phrases(encoder, self.bank.phrases), note_of_phrases(encoder, prompts, "classes"))
        self.notes = tuple(note for note in notes if note)
        self.phrases = embed_phrases(encoder, self.bank.phrases, "bank", cache)
        self.classifier = class_embeddings(encoder, self.classes, cache)
        self.similarities = self.classifier @ self.phrases.T

    def image(self, image: ImageSource) -> ImageConcepts:
        """What both encoders know of one picture. Parts of a single picture are noisier than those of a group.

        Raises:
            ValueError: one sentence, if there is no such picture, or it is damaged.
        """
        return self.images([image])[0]

    def images(self, images: Sequence[ImageSource]) -> list[ImageConcepts]:
        """The same of pictures whose parts are found together, as published for a class: part 0 is part 0 in all.

        All are in memory at a time: see `stream` for a data set.

        Raises:
            ValueError: one sentence, if there is no such picture, or it is damaged.
        """
        seen = [self._see(image) for image in images]
        parts = self._parts(seen)
        return [self._find(one, part) for one, part in zip(seen, parts, strict=True)]

    def stream(self, images: Iterable[ImageSource], group: int = GROUP) -> Iterator[ImageConcepts]:
        """The same of a data set, picture by picture in its order, without `shown`.

        No more than `group` pictures are in memory at a time. For class-wise parts give the pictures of each class one
        after the other, and call this once for each class.

        Args:
            images: gone through once.
            group: how many in a row have their parts found together; 1 for each on its own.
        """
        waiting, size = iter(images), check_count(group, "group")
        while some := list(islice(waiting, size)):
            yield from (replace(found, shown=None) for found in self.images(some))

    def language(self, target: int | str) -> tuple[int, ...]:
        """D_y of a class, its number or its name: the bank's words that are most similar to its prompts, best first."""
        return of_class(self.similarities[self.number(target)], self.settings.class_words_of(len(self.bank)))

    def towards(self, found: ImageConcepts, target: int | str) -> ImageConcepts:
        """The same picture's concepts against another class than the predicted one; nothing is encoded."""
        number = self.number(target)
        return replace(found, target=number, language=self.language(number))

    def number(self, target: int | str) -> int:
        """The number of a class; ValueError if there is no such class."""
        if isinstance(target, str) and target in self.classes.names:
            return self.classes.names.index(target)
        whole = isinstance(target, int | np.integer) and not isinstance(target, bool)
        if whole and 0 <= int(target) < len(self.classes):
            return int(target)
        raise ValueError(
            f"class: got {target!r}, wanted a name or number of the {len(self.classes)} classes "
            f"({', '.join(self.classes.names[:5])}{', …' if len(self.classes) > 5 else ''})."
        )

    def _see(self, image: ImageSource) -> _Seen:
        pixels, shown = self.encoder.prepare_image(image)
        features, embedding = patch_features(self.encoder, pixels, self.settings.features)
        return _Seen(pixels, shown, features, embedding, self._is_blank(pixels), self.encoder.note_of_image(image))

    def _is_blank(self, pixels: torch.Tensor) -> bool:
        """Whether all patches have the same pixels; their features still differ, by position."""
        size, (rows, columns) = self.encoder.patch_size, self.encoder.grid
        patches = pixels[:, : rows * size, : columns * size].unfold(1, size, size).unfold(2, size, size)
        return bool((patches == patches[:, :1, :1]).all())

    def _parts(self, seen: Sequence[_Seen]) -> NDArray[np.intp]:
        """(pictures, n_image): part of each patch, -1 for none; blank pictures take no part."""
        n, settings = self.encoder.grid[0] * self.encoder.grid[1], self.settings
        parts = np.full((len(seen), n), -1)
        rest = [k for k, one in enumerate(seen) if not one.blank]
        if rest:
            features = np.stack([seen[k].features for k in rest])
            prominent = prominent_patches(
                features, self.encoder.grid, settings.prominent, settings.threshold, settings.together
            )
            parts[rest] = parts_of(features, prominent, settings.n_parts, settings.parts, settings.seed)
        return parts

    def _find(self, one: _Seen, parts: NDArray[np.intp]) -> ImageConcepts:
        encoder, settings = self.encoder, self.settings
        numbers = [int(k) for k in np.unique(parts[parts >= 0])]
        regions: list[BoolArray] = [parts == k for k in numbers]
        relevance = self.phrases @ one.embedding
        chosen: tuple[tuple[int, ...], ...] = ()
        if regions:
            embedded = embed_regions(encoder, one.shown, one.pixels, regions, settings.prompt)
            similarities = embedded @ self.phrases.T
            chosen = words_of_regions(
                similarities,
                settings.words,
                transport=settings.transport,
                most=settings.candidates_of(len(self.bank)),
                regularisation=settings.regularisation,
                relevance=relevance if settings.relevance else None,
            )
        concepts = tuple(
            VisualConcept(
                number,
                region,
                ellipse_around(region.reshape(encoder.grid)),
                words,
                tuple(float(similarities[row, word]) for word in words),
            )
            for row, (number, region, words) in enumerate(zip(numbers, regions, chosen, strict=True))
        )
        visual = by_importance(chosen, relevance)
        logits = encoder.scale * (self.classifier @ one.embedding) + encoder.bias
        target = int(np.argmax(logits))
        notes = (*self.notes, *(note for note in (BLANK if one.blank else "", one.note) if note))
        return ImageConcepts(
            concepts,
            visual,
            tuple(float(relevance[k]) for k in visual),
            self.language(target),
            logits,
            target,
            self.bank,
            self.classes,
            encoder.grid,
            one.shown,
            notes,
        )
