"""Pairs of one kind: why a model finds two images similar, or two texts.

    from fixlip import pairs

    pairs.explain_images(encoder, "left.jpg", "right.jpg")
    pairs.explain_texts(encoder, "a cat next to a banana", "a kitten and some fruit")

Games of two images, or of two texts, are bilinear as those of an image and a caption are, so that samples, estimators
and metrics are the same:

    v(x, y) = scale <f_A(x), f_B(y)>

that is the cosine of the two masked inputs' embeddings times the model's scale, without its bias. The model was never
trained on such pairs: their similarities are on no scale that those of images with captions are on. Two inputs with
everything removed are one and the same, with a cosine of 1, so that insertion and deletion have raw curves alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from . import files, saving
from .answers import Side
from .api import SHAPLEY_MIXTURE
from .claims import Claims, Level, Names
from .encoders.huggingface import Encoder
from .encoders.images import ImageSource
from .estimators.budgets import check_kernel
from .estimators.indices import check_index
from .explanation import Explanation
from .game import Game
from .masks import BoolArray, FloatArray, check_budget, check_masks, check_p, check_seed
from .pictures.conditions import Condition
from .pictures.drawing import Sheet
from .pictures.layout import Scale, check_options, check_words, content_of
from .pictures.twins import Half, half_content, twin_sheet
from .pictures.words import model_name
from .progress import Progress
from .samples import Samples, check_ps, sample_image, sample_text
from .subject import Subject, patch_labels

IMAGES, TEXTS = "images", "texts"
_PART = {IMAGES: "patch", TEXTS: "token"}


@dataclass(frozen=True, eq=False)
class PairSubject(Subject):
    """Two images, or two texts: `n_image` players of the first, A, and then `n_text` of the second, B.

    Attributes:
        kind: "images" or "texts".
        second_image, second_grid: of B, where it is an image.
        texts: A and B, where they are texts.
    """

    kind: str = IMAGES
    second_image: NDArray[np.uint8] | None = None
    second_grid: tuple[int, int] | None = None
    texts: tuple[str, str] = ("", "")


class PairGame:
    """The game of two images or two texts, for `PairGame.sample`, estimators and metrics.

    Args:
        encoder: from `fixlip.load`.
        first, second: two images (files, Pillow images or arrays), or two texts.
        kind: "images" or "texts".

    Raises:
        ValueError: one sentence, before any model call, if an input cannot be used.
    """

    bias = 0.0

    def __init__(self, encoder: Encoder, first: Any, second: Any, kind: str = IMAGES):
        if kind not in _PART:
            raise ValueError(f"kind: got {kind!r}, wanted {IMAGES!r} or {TEXTS!r}.")
        self.encoder, self.kind = encoder, kind
        # Each is one side of a game of an image and a caption, whose other side is never asked.
        blank = Image.new("RGB", (32, 32))
        given = [(one, "a") if kind == IMAGES else (blank, one) for one in (first, second)]
        self.games = Game(encoder, *given[0]), Game(encoder, *given[1])
        self.n_image, self.n_text = (game.n_image if kind == IMAGES else game.n_text for game in self.games)
        self.scale = self.games[0].scale

    @cached_property
    def subject(self) -> PairSubject:
        """Whose players these are, how to show them, and which inputs of which model this is."""
        one, other = (game.subject for game in self.games)
        sizes: dict[str, Any] = {"n_image": self.n_image, "n_text": self.n_text, "model": one.model, "kind": self.kind}
        if self.kind == IMAGES:
            return PairSubject(
                **sizes,
                labels=(*(f"A {label}" for label in _own(one, 0)), *(f"B {label}" for label in _own(other, 0))),
                grid=one.grid,
                image=one.image,
                text="two images",
                origins=(one.origins[0], other.origins[0]),
                second_image=other.image,
                second_grid=other.grid,
            )
        return PairSubject(
            **sizes,
            labels=(*_own(one, 1), *_own(other, 1)),
            text=f"\u201c{one.text}\u201d and \u201c{other.text}\u201d",
            origins=(one.origins[1], other.origins[1]),
            texts=(one.text, other.text),
        )

    def embed_images(self, masks: BoolArray, progress: Progress = False) -> NDArray[np.float32]:
        """Embeddings (m, d) of A under masks (m, n_image)."""
        return self._embed(0, masks, progress)

    def embed_texts(self, masks: BoolArray, progress: Progress = False) -> NDArray[np.float32]:
        """Embeddings (m, d) of B under masks (m, n_text)."""
        return self._embed(1, masks, progress)

    def _embed(self, side: int, masks: BoolArray, progress: Progress) -> NDArray[np.float32]:
        game = self.games[side]
        return game.embed_images(masks, progress) if self.kind == IMAGES else game.embed_texts(masks, progress)

    def __call__(self, masks: BoolArray, progress: Progress = False) -> FloatArray:
        """Cosine times the model's scale of masks (m, n), A's players first; logits of shape (m,)."""
        masks = check_masks(masks, self.n_image + self.n_text)
        first = self.embed_images(masks[:, : self.n_image], progress)
        second = self.embed_texts(masks[:, self.n_image :], progress)
        return np.asarray(self.scale * np.einsum("md,md->m", first, second, dtype=np.float64))

    def sample(
        self, budget: int = 512, p: float | tuple[float, ...] = 0.5, seed: int = 0, *, progress: bool = True
    ) -> Samples:
        """Ask the model about masked images, `budget` of each, or about masked texts (all, up to 10 tokens)."""
        budget, ps, seed = check_budget(budget), check_ps(p), check_seed(seed)
        sides: list[Side] = []
        # Masks of their own for each: of an image and itself the errors would be the same.
        for game, own in zip(self.games, (seed, seed + 1), strict=True):
            if self.kind == IMAGES:
                sides.append(sample_image(game, budget, ps, own, progress=progress))
            else:
                sides.append(sample_text(game, ps, own, progress=progress))
        return Samples(self.subject, sides[0], sides[1], self.scale, self.bias, seed)


@dataclass(frozen=True, eq=False)
class PairClaims(Claims):
    """What the numbers of a pair of one kind allow to be said."""

    what: str = ""
    kind: str = IMAGES

    @property
    def names(self) -> Names:
        """What the numbers are called."""
        part = "patches" if self.kind == IMAGES else "words"
        return Names(
            rule=f"average changes of the cosine of the two {self.kind} times the model's scale (logits)",
            sides=("A", "B"),
            of_words=f"strongest {part} of B",
            of_patches=f"strongest {part} of A",
            of_pairs=f"strongest interactions between {part} of A and of B",
        )

    @cached_property
    def level(self) -> Level:
        """Unknown: two inputs with everything removed are one and the same, so that nothing is as similar as they."""
        return Level.UNKNOWN

    def heading(self, model: str, text: str) -> str:
        """What the explanation answers."""
        return f"How the similarity of {self.what} comes about in {model}"

    @property
    def shown(self) -> str:
        """What a picture of the values shows, where a side contributes nothing; else empty."""
        return {
            (False, False): "",
            (True, False): "what B contributes, and nothing in A",
            (False, True): "what A contributes, and nothing in B",
            (True, True): "nothing contributes",
        }[self.idle]

    def remarks(self, notes: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Sentences that belong beside the numbers."""
        told = f"Two {self.kind} with everything removed are the same, and their cosine is 1: no pair is more similar."
        return (*([] if np.isnan(self.empty_value) else [told]), *notes)


@dataclass(frozen=True, eq=False)
class PairExplanation(Explanation):
    """An explanation of two images or two texts; its subject is a `PairSubject`."""

    @property
    def pair(self) -> PairSubject:
        """The subject."""
        assert isinstance(self.subject, PairSubject)
        return self.subject

    @cached_property
    def claims(self) -> Claims:
        """What its numbers allow to be said of the pair."""
        what = "the two images" if self.pair.kind == IMAGES else self.text
        ends, sides = (self.full_value, self.empty_value), (self.n_image, self.whole)
        return PairClaims(*ends, self.values, self.value_stderr, *sides, what, self.pair.kind)

    def summary(self, k: int = 5) -> str:
        """The explanation in words, as of any other."""
        part = "patches" if self.pair.kind == IMAGES else "tokens"
        head = self.claims.heading(model_name(self.model) or "the model", "")
        lines = [f"{head} ({self.n_image} + {self.n_text} {part})", self._how()]
        if self.expected_faithfulness is not None:
            lines.append(f"expected faithfulness (R squared on unseen masks): {self.expected_faithfulness:.3f}")
        lines += [f"numbers: {self.names.rule}", *self.remarks()]
        players = self.top(self.n_players, kind="players")
        for name, of_first in ((self.names.of_patches, True), (self.names.of_words, False)):
            chosen = [one for one in players if (one.players[0] < self.n_image) == of_first][:k]
            lines += [f"{name}:", *(f"  {self.told(one.value, one.stderr)}  {one.labels[0]}" for one in chosen)]
        if self.order > 1:
            pairs = [f"  {self.told(one.value, one.stderr)}  {' with '.join(one.labels)}" for one in self.top(k)]
            lines += [f"{self.names.of_pairs}:", *pairs]
        return "\n".join(lines)

    def table(self, kind: str = "all") -> dict[str, list[Any]]:
        """All terms as columns, as `Explanation.table`; what a term is says of A and of B whose player it is."""
        columns, part = super().table(kind), _PART[self.pair.kind]
        columns["kind"] = [
            one.replace("patch", "first").replace("token", f"{part} of B").replace("first", f"{part} of A")
            for one in columns["kind"]
        ]
        for side in ("first", "second"):
            for k, player in enumerate(columns[f"{side}_player"]):
                grid = self.pair.second_grid
                if player is not None and player >= self.n_image and grid:
                    row, column = divmod(player - self.n_image, grid[1])
                    columns[f"{side}_row"][k], columns[f"{side}_column"][k] = row + 1, column + 1
                    columns[f"{side}_token"][k] = None
                elif player is not None and player < self.n_image and not self.grid:
                    columns[f"{side}_token"][k] = player + 1
        return columns

    def sheet(
        self,
        condition: Condition = None,
        players: Any = None,
        edges: int = 8,
        scaling: str = "auto",
        scale: Scale = None,
        width: int = 720,
        title: str | None = None,
        subtitle: str | None = None,
        legend: bool = True,
        coefficients: bool = False,
    ) -> Sheet:
        """The canvas of its picture; options as in `fixlip.pictures.draw`."""
        check_options(edges, scaling, scale, width)
        check_words(title, subtitle, legend)
        content = content_of(self, condition, players, 0, scaling, scale, coefficients)
        if edges and self.order > 1 and condition is None:
            shown = self if content.inside.all() else self.restrict(np.flatnonzero(content.inside).tolist())
            content = replace(content, edges=shown.top(int(edges)))
        halves = self._half(0, content), self._half(1, content)
        return twin_sheet(self, halves, content, width, title, subtitle, legend, coefficients)

    def _half(self, side: int, content: Any) -> Half:
        """The players of A or of B alone, as image players."""
        first, count = ((0, self.n_image), (self.n_image, self.n_text))[side]
        grid, image = ((self.grid, self.image), (self.pair.second_grid, self.pair.second_image))[side]
        subject = Subject(count, 0, self.labels[first : first + count], grid, image)
        alone = Explanation(0.0, np.zeros(count), np.zeros((count, count)), subject, order=1)
        scale = content.image_scale if side == 0 else content.text_scale
        return Half(alone, half_content(content, first, count, scale))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the explanation with both pictures, as `Explanation.save` does."""
        arrays, facts = saving.contents(self)
        if self.pair.second_image is not None:
            arrays["second_image"] = self.pair.second_image
        told = {name: getattr(self.pair, name) for name in ("kind", "second_grid", "texts")}
        return files.write(path, arrays, facts | told | {saving.HOLDS: "pair"}, self.subject)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PairExplanation:
        """Read what `save` wrote.

        Raises:
            ValueError: one sentence, if there is no such file or it is no saved pair.
        """
        optional = saving.OPTIONAL | {"second_image": ("u", 3)}
        with files.reading(path, "pair", saving.WANTED, optional) as (arrays, facts, subject):
            if facts.get(saving.HOLDS) != "pair":
                raise ValueError("it is something else")
            grid = (
                None if facts["second_grid"] is None else (int(facts["second_grid"][0]), int(facts["second_grid"][1]))
            )
            known = {one.name: getattr(subject, one.name) for one in fields(Subject)}
            own: dict[str, Any] = {"kind": str(facts["kind"]), "second_grid": grid, "texts": tuple(facts["texts"])}
            whole = PairSubject(**known, **own, second_image=arrays.get("second_image"))
            return _pair_of(saving.restored(Explanation, arrays, facts, whole))


def explain_images(encoder: Encoder, first: ImageSource, second: ImageSource, **options: Any) -> PairExplanation:
    """Explain why a model finds two images similar.

    Args:
        encoder: from `fixlip.load`.
        first: A, a file, a Pillow image or an array.
        second: B.
        options: `p`, `budget` (masked images of each, 512 by default; both images are sampled, so that as faithful an
            explanation takes more of them than that of an image and a caption), `index`, `order`, `seed` and
            `progress`, as in `fixlip.explain` with the kernel estimator.

    Returns:
        the explanation, in cosines times the model's scale; players are the patches of A and then those of B.

    Raises:
        ValueError: one sentence, before any model call, if an argument does not fit.
    """
    return _explained(PairGame(encoder, first, second, IMAGES), **options)


def explain_texts(encoder: Encoder, first: str, second: str, **options: Any) -> PairExplanation:
    """Explain why a model finds two texts similar; players are the tokens of the first, A, then those of B.

    Args:
        encoder: from `fixlip.load`.
        first: A.
        second: B.
        options: as in `explain_images`; all masks of a text are used up to 10 tokens, so that `budget` has no meaning.

    Returns:
        the explanation, in cosines times the model's scale.

    Raises:
        ValueError: one sentence, before any model call, if an argument does not fit.
    """
    return _explained(PairGame(encoder, first, second, TEXTS), **options)


def _explained(
    game: PairGame,
    *,
    p: float = 0.5,
    budget: int = 512,
    index: str = "banzhaf",
    order: int = 2,
    seed: int = 0,
    progress: bool = True,
) -> PairExplanation:
    index, budget = check_index(index), check_budget(budget)
    check_kernel(budget)
    if order not in (1, 2) or isinstance(order, bool):
        raise ValueError(f"order: got {order!r}, wanted 1 or 2.")
    p = check_p(p) if index == "banzhaf" else 0.5
    samples = game.sample(budget, p if index == "banzhaf" else SHAPLEY_MIXTURE, seed, progress=progress)
    found = samples.explain(p, index, order=order)
    return _pair_of(found if game.kind == IMAGES else replace(found, counts="masked texts of A"))


def _pair_of(found: Explanation) -> PairExplanation:
    return PairExplanation(**{one.name: getattr(found, one.name) for one in fields(Explanation)})


def _own(subject: Subject, side: int) -> tuple[str, ...]:
    """Names of the players of one side."""
    if side == 0:
        return patch_labels(subject.grid) if subject.grid else subject.labels[: subject.n_image]
    return subject.labels[subject.n_image :]
