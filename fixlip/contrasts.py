"""Contrast: why this caption and not that one, from the same masked images, with error bars that hold.

    found = fixlip.contrast(encoder, image, "a cat next to a banana", "a dog next to a banana")
    found.draw()

Whoever has samples makes it of them, at any p, without calling the model:

    samples = fixlip.sample(game)
    other = samples.with_caption(game.with_text("a dog next to a banana"))
    Contrast.of(samples, other, p=0.3)

Only the foil's captions are encoded on top, and the error bars are those of the difference: the two explanations share
their masked images, so that their errors are correlated, and what is the same for both captions cancels. That makes the
bars smaller than those of two explanations from masked images of their own; but not where the captions have nothing in
common: then errors can be of opposite sign and add up.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from . import files, saving
from .api import SHAPLEY_MIXTURE
from .claims import Claims, Names
from .encoders.huggingface import Encoder
from .encoders.images import ImageSource
from .estimators.budgets import check_kernel
from .estimators.contrasts import ContrastReadout, Opposed, OpposedAnswers
from .estimators.indices import check_index
from .explanation import Explanation
from .game import Game
from .masks import BoolArray, FloatArray, check_budget, check_p, check_seed
from .phrases import AnyTextPlayers
from .progress import Progress
from .regions import AnyImagePlayers
from .samples import Samples, sample
from .subject import AnyGame, Subject, ask
from .triples import check_players

FOIL = " (foil)"  # behind every word of the foil
_NAMES = Names(
    rule="average changes of the similarity with the caption less that with the foil (logits)",
    of_words="contributions of words (change of the difference when the word is added, on average)",
    of_pairs="strongest interactions of words of either caption and the image",
    more="speaks for A",
    less="speaks for B",
    whole="difference of the two similarities",
    ends=("for B", "for A"),
)
_PARTS = ("first", "second")


@dataclass(frozen=True, eq=False)
class ContrastClaims(Claims):
    """What the numbers of a contrast allow to be said; ends and values are differences."""

    text: str = ""
    foil: str = ""

    @property
    def names(self) -> Names:
        """What the numbers are called."""
        return _NAMES

    def heading(self, model: str, text: str) -> str:
        """Which of the two captions is more similar to the image."""
        one = f"\u201c{self.text}\u201d" if self.text else "the caption"
        other = f"\u201c{self.foil}\u201d" if self.foil else "the foil"
        if not self.whole or np.isnan(self.full_value):
            return f"How {model} comes to tell {one} from {other}"
        if abs(self.full_value) <= self._least:
            return f"{model} finds the image as similar to {one} as to {other}"
        return (
            f"Why {model} finds the image {'more' if self.full_value > 0 else 'less'} similar to {one} than to {other}"
        )

    @property
    def verdict(self) -> str:
        """Nothing: the sign of the difference says it."""
        return ""

    @property
    def similarity(self) -> str:
        """The difference and what remains with everything removed, in a line."""
        return f"difference {self.full_value:+.2f}, and {self.empty_value:+.2f} with everything removed"

    @property
    def shown(self) -> str:
        """What a picture of the values shows."""
        return super().shown or "what speaks for A, and what for B"

    def _standing(self) -> list[str]:
        """That the foil is more similar, if so."""
        if self.whole and self.full_value < -self._least:
            return [f"The foil is more similar to the image than the caption, by {-self.full_value:.2f}."]
        return []


@dataclass(frozen=True, eq=False)
class Contrast(Explanation):
    """Why a caption and not its foil: the explanation of the difference of two captions' games of one image.

        v(x, y, z) = v_A(x, y) - v_B(x, z)

    Its players are the patches x, the caption's words y, and the foil's, z, whose labels end in "(foil)"; the captions
    may have different numbers of words. It is an explanation like any other, of which every number is a difference: of
    a patch, how much adding it raises the similarity with the caption more than that with the foil. Values of patches
    and of pairs of patches are those of the caption less those of the foil; a word of the foil has minus what it has in
    the foil's own explanation; words of different captions do not interact.

    Attributes:
        first, second: the explanations of the caption and of the foil, from the same masked images.
    """

    first: Explanation = field(kw_only=True, repr=False)
    second: Explanation = field(kw_only=True, repr=False)

    @property
    def patches(self) -> FloatArray:
        """(n_image,) logits, values of the patches: caption less foil."""
        return self.values[: self.n_image]

    @property
    def patch_stderr(self) -> FloatArray | None:
        """(n_image,) logits, their standard errors.

        Where the captions are alike they are smaller than those of two independent explanations together.
        """
        return None if self.value_stderr is None else self.value_stderr[: self.n_image]

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of both."""
        return tuple(dict.fromkeys((*self.first.notes, *self.second.notes)))

    @cached_property
    def claims(self) -> Claims:
        """What its numbers allow to be said of the two captions."""
        ends, sides = (self.full_value, self.empty_value), (self.n_image, self.whole)
        captions = self.first.text, self.second.text
        return ContrastClaims(*ends, self.values, self.value_stderr, *sides, *captions)

    @property
    def rows(self) -> tuple[tuple[str, range], ...]:
        """The words of either caption, as a picture shows them: A above B."""
        middle = self.n_image + self.first.n_text
        return ("A", range(self.n_image, middle)), ("B", range(middle, self.n_players))

    @property
    def chip_labels(self) -> tuple[str, ...]:
        """Names of players where their row tells whose they are."""
        return tuple(label.removesuffix(FOIL) for label in self.labels)

    @property
    def headline(self) -> str:
        """The difference of the two similarities."""
        return "Difference not known" if np.isnan(self.full_value) else f"A rather than B: {self.full_value:+.2f}"

    def facts(self) -> list[str]:
        """Which captions, and how it came about."""
        told = [one for one in super().facts() if one not in (self.names.rule, *self.notes)]
        return [*self.notes, _caption("A", self.first), _caption("B, the foil", self.second), *told]

    @classmethod
    def of(
        cls,
        caption: Samples,
        foil: Samples,
        p: float = 0.5,
        index: str = "banzhaf",
        *,
        order: int = 2,
        errors: bool = True,
    ) -> Contrast:
        """The contrast of two captions, from samples of both; the model is not called.

        The caption's masked images serve both; of the foil's samples only the text side is used. So the cheapest foil
        is `samples.with_caption(game.with_text(...))`, which encodes no image.

        Args:
            caption: samples of the image and the caption.
            foil: samples of the same image and the foil, with as many or fewer or more words.
            p: probability with which every player is present; has no meaning for the Shapley indices.
            index: "banzhaf", "shapley" or "sii", as in `Samples.explain`.
            order: 2, or 1 for values without interactions, or 3 with triples.
            errors: False leaves out standard errors and expected faithfulness, which take most of the time.

        Returns:
            the contrast, in logits, with standard errors of the difference.

        Raises:
            ValueError: one sentence, if they are of different images or models, or of one and the same caption.
        """
        for name, given in (("caption", caption), ("foil", foil)):
            if not isinstance(given, Samples):
                raise ValueError(f"{name}: got {type(given).__name__}, wanted Samples, as fixlip.sample gives them.")
        _check_same_image(caption, foil)
        subject = subject_of(caption.subject, foil.subject)
        p = check_p(p) if index == "banzhaf" else 0.5
        readout = _readout(caption, caption.cross(foil), subject)
        found = readout.explain(p, index, order, errors)
        each = [one.explain(p, index, order, errors) for one in (readout.caption, readout.foil)]
        return cls(**_numbers(found), first=each[0], second=each[1])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the contrast with both explanations, picture included, as `Explanation.save` does.

        The picture is stored once.
        """
        arrays, facts = saving.contents(self)
        for name in _PARTS:
            part: Explanation = getattr(self, name)
            own, told = saving.contents(part)
            arrays |= {f"{name}_{one}": array for one, array in own.items()}
            facts[name] = told | {"subject": part.subject.facts()}
        return files.write(path, arrays, facts | {saving.HOLDS: "contrast"}, self.subject)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Contrast:
        """Read what `save` wrote.

        Raises:
            ValueError: one sentence, if there is no such file or it is no saved contrast.
        """
        of_parts = [
            {f"{name}_{one}": kind for name in ("", *_PARTS) for one, kind in kinds.items()}
            for kinds in (saving.WANTED, saving.OPTIONAL)
        ]
        wanted, optional = ({name.removeprefix("_"): kind for name, kind in kinds.items()} for kinds in of_parts)
        with files.reading(path, "contrast", wanted, optional) as (arrays, facts, subject):
            found = saving.restored(Explanation, arrays, facts, subject)
            each = []
            for name in _PARTS:
                own = {one.removeprefix(f"{name}_"): array for one, array in arrays.items() if one.startswith(name)}
                whose = Subject.from_facts(facts[name]["subject"], subject.image)
                each.append(saving.restored(Explanation, own, facts[name], whose))
            return cls(**_numbers(found), first=each[0], second=each[1])

    def __repr__(self) -> str:
        return f"Contrast({self.first.text!r} rather than {self.second.text!r}: {self.n_players} players, p={self.p:g})"


class ContrastGame:
    """The game of the difference, for metrics and for estimators that ask any game.

    Args:
        caption, foil: games of one image; the masks' words are the caption's and then the foil's.

    Raises:
        ValueError: if they have different numbers of patches, or are known to be of different images or models.
    """

    def __init__(self, caption: AnyGame, foil: AnyGame):
        self.caption, self.foil = caption, foil
        self.subject = subject_of(Subject.of(caption), Subject.of(foil))
        self.n_image, self.n_text = self.subject.n_image, self.subject.n_text

    def __call__(self, masks: BoolArray, progress: Progress = False) -> FloatArray:
        """The caption's value less the foil's of masks (m, n), logits of shape (m,)."""
        n_caption = self.n_image + self.caption.n_text
        of_foil = np.concatenate([masks[:, : self.n_image], masks[:, n_caption:]], axis=1)
        return ask(self.caption, masks[:, :n_caption], progress) - ask(self.foil, of_foil, progress)


def contrast(
    encoder: Encoder,
    image: ImageSource,
    caption: str,
    foil: str,
    *,
    p: float = 0.5,
    budget: int = 512,
    index: str = "banzhaf",
    order: int = 2,
    image_players: AnyImagePlayers = None,
    text_players: AnyTextPlayers = "tokens",
    seed: int = 0,
    progress: bool = True,
) -> Contrast:
    """Explain why a model finds a caption more, or less, similar to an image than a foil.

    Both are explained from the same masked images, so that this costs no more images than one explanation. Interrupting
    keeps the masked images that were encoded.

    Args:
        encoder: from `fixlip.load`.
        image: a file, a Pillow image or an array.
        caption: A, what red speaks for.
        foil: B, what blue speaks for; it may have fewer or more words.
        p: probability with which every patch and word is present; has no meaning for the Shapley indices.
        budget: number of masked images to encode. Masked captions come on top, 1,024 of each at most for up to 10
            tokens.
        index: "banzhaf", "shapley" or "sii", as in `Samples.explain`.
        order: 2, or 1 for values without interactions, or 3 with triples.
        image_players: patches, or a grid, superpixels, a label map or boxes: see `fixlip.Game`.
        text_players: "tokens", "words", or phrases that both have: see `fixlip.Game`.
        seed: of the masks, a whole number.
        progress: show a bar if it takes long.

    Returns:
        the contrast, in logits, with standard errors of the difference.

    Raises:
        ValueError: one sentence, before any model call, if an argument does not fit.
    """
    index, budget, seed = check_index(index), check_budget(budget), check_seed(seed)
    check_kernel(budget)
    if order not in (1, 2, 3) or isinstance(order, bool):
        raise ValueError(f"order: got {order!r}, wanted 1, 2 or 3.")
    p = check_p(p) if index == "banzhaf" else 0.5
    game = Game(encoder, image, caption, image_players=image_players, text_players=text_players)
    other = game.with_text(foil)
    both = subject_of(game.subject, other.subject)
    if order == 3:
        check_players(both.n_players)
    drawn = p if index == "banzhaf" else SHAPLEY_MIXTURE
    samples = sample(game, budget, drawn, seed, progress=progress)
    return Contrast.of(samples, samples.with_caption(other, progress=progress), p, index, order=order)


def _readout(caption: Samples, foil: Samples, subject: Subject) -> ContrastReadout:
    """The readout of the difference of two captions with one image side."""
    readouts = caption.readout(), foil.readout()
    sides = caption.image_side, caption.text_side
    answers = OpposedAnswers(subject, *sides, caption.scale, 0.0, caption.seed, foil=foil)
    text = Opposed(readouts[0].text, readouts[1].text)
    return ContrastReadout(readouts[0].image, text, answers, caption=readouts[0], foil=readouts[1])


def _numbers(explanation: Explanation) -> dict[str, Any]:
    """Everything that an explanation holds, by name."""
    return {one.name: getattr(explanation, one.name) for one in fields(Explanation)}


def _caption(name: str, explanation: Explanation) -> str:
    known = not np.isnan(explanation.full_value)
    return f"{name}: \u201c{explanation.text}\u201d" + (f" ({explanation.full_value:.2f})" if known else "")


def subject_of(caption: Subject, foil: Subject) -> Subject:
    """One image with the words of both captions.

    Raises:
        ValueError: one sentence, if they do not go together.
    """
    caption.with_text_of(foil)  # of one model?
    first, second = caption.origins[0], foil.origins[0]
    told = first.difference(second, "image") if first and second else ""
    if told or caption.n_image != foil.n_image:
        raise ValueError(
            f"foil: it has {told or 'another number of patches'} than the caption; wanted one image for both."
        )
    texts = caption.origins[1], foil.origins[1]
    if texts[0] is not None and texts[0] == texts[1]:
        raise ValueError(f"foil: got the caption itself, {foil.text!r}; wanted another one.")
    labels = (*caption.labels, *(f"{label}{FOIL}" for label in foil.labels[foil.n_image :]))
    text = f"{caption.text or 'the caption'} rather than {foil.text or 'the foil'}"
    return replace(
        caption, n_text=caption.n_text + foil.n_text, labels=labels, text=text, origins=(caption.origins[0], None)
    )


def _check_same_image(caption: Samples, foil: Samples) -> None:
    """ValueError if the answers to masks that both have differ, where nothing else tells one image from another."""
    one, other = caption.image_side, foil.image_side
    if one is other or (one.origin and other.origin) or one.masks.shape[1] != other.masks.shape[1]:
        return
    rows = {mask.tobytes(): k for k, mask in enumerate(one.masks)}
    both = [(rows[mask.tobytes()], k) for k, mask in enumerate(other.masks) if mask.tobytes() in rows]
    at, same = [k for k, _ in both], [k for _, k in both]
    if not np.allclose(one.embeddings[at], other.embeddings[same], atol=1e-4):
        raise ValueError(
            "foil: its masked images were answered otherwise than the caption's; wanted one image for both."
        )
