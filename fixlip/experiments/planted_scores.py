"""Does an explanation say what is known to be so? Scores against a planted truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from ..explanation import Explanation
from ..masks import BoolArray, FloatArray

NONE = float("nan")


def auroc(values: FloatArray, is_planted: BoolArray) -> float:
    """Area under the ROC curve: how often a planted term has the higher number of two, ties counted half.

    Args:
        values: of all terms, any shape.
        is_planted: which are planted, the same shape; some are, and some are not.
    """
    chosen = is_planted.ravel()
    n, others = int(chosen.sum()), int((~chosen).sum())
    ranks = rankdata(values.ravel())[chosen]
    return float((ranks.sum() - n * (n + 1) / 2) / (n * others))


def found_first(values: FloatArray, is_planted: BoolArray) -> float:
    """1 if the strongest positive term is planted, 0 if not; of tied ones, the share that is planted.

    0 if no term is positive, for then none is named as evidence; but if all are zero nothing is said, which is a tie.
    """
    largest = values.max()
    if largest <= 0 and values.any():
        return 0.0
    return float(is_planted[values == largest].mean())


@dataclass(frozen=True, eq=False)
class Evidence:
    """A question about some patches: are they what speaks for these words?

    Attributes:
        patches: which are planted, (n_image,).
        tokens: players of the planted words.
    """

    patches: BoolArray
    tokens: tuple[int, ...]

    @property
    def chance(self) -> float:
        """Share of planted patches."""
        return float(self.patches.mean())

    @classmethod
    def of(cls, terms: Sequence[tuple[int, ...]], n_image: int) -> Evidence:
        """From pairs (patch, token), as `PlantedScene.terms` gives them."""
        patches = np.zeros(n_image, bool)
        patches[[patch for patch, _ in terms]] = True
        return cls(patches, tuple(sorted({token for _, token in terms})))

    def scores(self, explanation: Explanation) -> dict[str, float]:
        """How well an explanation answers. At third order its interactions count, which are those of second order."""
        n = explanation.n_image
        if explanation.order == 1:
            values = explanation.values[:n]
            return {"patches": auroc(values, self.patches), "first": found_first(values, self.patches), "pairs": NONE}
        pairs = explanation.crossmodal()
        tokens = np.array(self.tokens) - n
        is_planted = np.zeros(pairs.shape, bool)
        is_planted[np.ix_(self.patches, tokens)] = True
        values = pairs[:, tokens].sum(axis=1)
        return {
            "patches": auroc(values, self.patches),
            "first": found_first(values, self.patches),
            "pairs": auroc(pairs, is_planted),
        }

    def silence(self, order: int) -> dict[str, float]:
        """What counts where a method of this order says nothing."""
        return {"patches": 0.5, "first": self.chance, "pairs": NONE if order == 1 else 0.5}


@dataclass(frozen=True, eq=False)
class Binding:
    """A question about two objects of two colours: which colour word belongs with which object word, and where?

    Attributes:
        colours, nouns: players, two each: the first colour word is the first object's.
        patches: each object's own, (2, n_image).
    """

    colours: tuple[int, ...]
    nouns: tuple[int, ...]
    patches: BoolArray

    @classmethod
    def of(cls, terms: Sequence[tuple[int, ...]], n_image: int, nouns: Sequence[int]) -> Binding:
        """From triples (patch, token, token), as `PlantedScene.terms` gives them.

        Args:
            terms: of both objects.
            n_image: patches.
            nouns: players of the two objects' words, the first object's first.

        Raises:
            ValueError: if an object has no patch of its own.
        """
        patches, colours = np.zeros((2, n_image), bool), [-1, -1]
        for patch, *tokens in terms:
            (k,) = (k for k, noun in enumerate(nouns) if noun in tokens)
            patches[k, patch] = True
            colours[k] = next(token for token in tokens if token != nouns[k])
        if min(colours) < 0:
            raise ValueError("scene: one of its two objects has no patch of its own.")
        return cls(tuple(colours), tuple(nouns), patches)

    @property
    def is_planted(self) -> BoolArray:
        """Among the triples (colour word, object word, patch), shape (2, 2, n_image)."""
        return np.asarray(np.eye(2, dtype=bool)[:, :, None] & self.patches)

    @property
    def is_crossed(self) -> BoolArray:
        """The planted triples with the other object's colour word in place of its own."""
        return np.asarray(~np.eye(2, dtype=bool)[:, :, None] & self.patches)

    @property
    def chance(self) -> float:
        """Share of planted triples."""
        return float(self.is_planted.mean())

    def triples(self, explanation: Explanation) -> FloatArray:
        """What a method says of each triple, (2, 2, n_image), or its best guess.

        Third order has triples. Second order has interactions of two: those of the two words with the patch are added.
        First order has the patch's value, whatever the words.
        """
        n = explanation.n_image
        if explanation.triples is not None:
            return explanation.triples[np.ix_(self.colours, self.nouns, range(n))]
        if explanation.order == 1:
            return np.broadcast_to(explanation.values[:n], (2, 2, n))
        pairs = explanation.pair_values[:, :n]
        return np.asarray(pairs[list(self.colours), None] + pairs[None, list(self.nouns)])

    def scores(self, explanation: Explanation) -> dict[str, float]:
        """How well an explanation answers.

        `bound` and `crossed` set a planted triple against the one that differs in the colour word alone. Over both
        objects each word, each patch, and each pair of object word and patch is on both sides as often; what is left
        is which colour word goes with an object and its patches. But that may be because the colour is seen there, as
        a bag of words knows, too. What a colour word does beside the other object's word, on the same patches, has that
        part as well: `together` is the difference, the part that needs both words.
        """
        values, planted, crossed = self.triples(explanation), self.is_planted, self.is_crossed
        either = planted | crossed
        # One by one, so that first order's difference is exactly 0.
        differences = (values[[0, 1], [0, 1]] - values[[1, 0], [0, 1]])[self.patches]
        return {
            "triples": auroc(values, planted),
            "first": found_first(values, planted),
            "bound": float(differences.mean()),
            "crossed": auroc(values[either], planted[either]),
            "together": 0.0 if explanation.triples is None else self._together(values),
            "words": self._words(explanation),
        }

    def control(self, explanation: Explanation, swapped: Binding, foil: Explanation) -> float:
        """What a method says of the planted triples, less what it says of the same words and patches in the foil.

        Args:
            explanation: of the caption.
            swapped: where the same words stand in the foil, the caption with the colours swapped.
            foil: its explanation.
        """
        return float((self.triples(explanation) - swapped.triples(foil))[self.is_planted].mean())

    def silence(self, order: int) -> dict[str, float]:
        """What counts where a method of this order says nothing."""
        return {
            "triples": 0.5,
            "first": self.chance,
            "bound": 0.0,
            "crossed": 0.5,
            "together": 0.0,
            "control": 0.0,
            "words": NONE,
        }

    def _together(self, values: FloatArray) -> float:
        """Right pairs of words minus wrong ones, on the patches of either object."""
        seen = values[:, :, self.patches.any(axis=0)].mean(axis=2)
        return float(np.trace(seen) - np.trace(seen[::-1])) / 2

    def _words(self, explanation: Explanation) -> float:
        """Interactions of colour words with their own objects' words minus those with the other's."""
        if explanation.order == 1 or not explanation.predicts:
            return NONE
        pairs = explanation.pair_values[np.ix_(self.colours, self.nouns)]
        return float(np.trace(pairs) - np.trace(pairs[::-1])) / 2
