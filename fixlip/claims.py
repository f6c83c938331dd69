"""What may be claimed of a pair: decided here for every heading, summary, picture and report, from numbers alone.

An explanation is faithful to whatever the model answers, also where the pair is less similar than nothing at all, or
where nothing of one side matters. Then no heading may ask why the two are similar.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .masks import FloatArray

# Half the width of a 90 % interval, in standard errors; the same as `pictures.drawing.INTERVAL`, which a test compares.
INTERVAL = 1.645
# Numbers smaller than this share of the largest are rounding errors: embeddings are single precision.
ROUNDING = 1e-5
CAUTION = "These numbers are faithful to the model's answers, which does not make the answers meaningful."


class Level(Enum):
    """How the similarity of the whole pair compares with what remains with everything removed."""

    ABOVE = "above"
    BELOW = "below"
    ALIKE = "alike"
    UNKNOWN = "unknown"


class Names(NamedTuple):
    """What numbers are called, wherever they are shown.

    Attributes:
        unit: beside a colour scale and above a column.
        rule: what they are, to stand behind "The numbers are"; empty for average changes of the similarity.
        players, pairs: the numbers of single players and those of pairs.
        of_words, of_patches, of_pairs, of_triples: headings of lists.
        together, more, less: the key to the lines between patches and words: what a line, a solid one and a dashed one
            stands for.
        whole: the value of the grand coalition, in a report.
        sides: the players of the first and of the second side, beside their colour scales.
        ends: what the lower and the upper end of the colour scale speak for, where that is to be said.
    """

    unit: str = "logits"
    rule: str = ""
    players: str = "contributions"
    pairs: str = "interactions"
    of_words: str = "contributions of words (change of the similarity when the word is added, on average)"
    of_patches: str = "strongest patches"
    of_pairs: str = "strongest interactions between caption and image"
    together: str = "together"
    more: str = "raises more"
    less: str = "raises less"
    of_triples: str = "strongest interactions of two words with a patch"
    whole: str = "similarity of the pair"
    sides: tuple[str, str] = ("patches", "words")
    ends: tuple[str, str] = ("", "")


AVERAGES = Names()


@dataclass(frozen=True, eq=False)
class Claims:
    """What the numbers of an explanation allow to be said.

    Attributes:
        full_value, empty_value: similarity of the whole pair, and with everything removed (logits); NaN if not known.
        values: (n,) contributions of all players, image players first (logits).
        errors: (n,) their standard errors, where they are known.
        n_image: number of image players.
        whole: False if players were left out of the explanation; then nothing is claimed of the pair.
    """

    full_value: float
    empty_value: float
    values: FloatArray
    errors: FloatArray | None
    n_image: int
    whole: bool = True

    @property
    def spread(self) -> float:
        """By how much the similarity changes if every player is kept or removed by the toss of a coin (logits).

        The standard deviation of the sum of those values that are kept: half the root of their sum of squares. It is
        the yardstick for the whole pair, and needs no model call.
        """
        return float(np.sqrt(np.square(self.values).sum()) / 2)

    @cached_property
    def level(self) -> Level:
        """Where the whole pair stands: apart from nothing at all by more than one `spread`, or alike.

        Over the embedded models matching pairs stand three to ten spreads above, captions of other objects one and a
        half to seven below, and captions of which one half is right within two of either side.
        """
        if not (self.whole and np.isfinite([self.full_value, self.empty_value]).all()):
            return Level.UNKNOWN
        difference = self.full_value - self.empty_value
        if abs(difference) <= self.spread or f"{self.full_value:.2f}" == f"{self.empty_value:.2f}":
            return Level.ALIKE
        return Level.ABOVE if difference > 0 else Level.BELOW

    @cached_property
    def idle(self) -> tuple[bool, bool]:
        """Whether nothing in the image contributes, and no word: every value lies within its error bar of zero."""
        bars = np.full(len(self.values), self._least)
        if self.errors is not None:
            bars = np.maximum(bars, INTERVAL * self.errors)
        sides = np.split(np.abs(self.values) <= bars, [self.n_image])
        image, text = (bool(self.whole and len(side) and side.all()) for side in sides)
        return image, text

    @property
    def _least(self) -> float:
        """How large a value may be that is nothing but a rounding error."""
        return rounding(self.full_value, self.empty_value, self.values)

    # ---- in words

    @property
    def names(self) -> Names:
        """What the numbers are called."""
        return AVERAGES

    def heading(self, model: str, text: str) -> str:
        """What the explanation answers: `Why MODEL finds the image and "TEXT" similar`, if it does."""
        return {
            Level.ABOVE: f"Why {model} finds the image and {text} similar",
            Level.BELOW: f"Why {model} finds the image and {text} less similar than with everything removed",
            Level.ALIKE: f"{model} finds the image and {text} hardly more or less similar than with everything removed",
            Level.UNKNOWN: f"How the similarity of the image and {text} comes about in {model}",
        }[self.level]

    @property
    def verdict(self) -> str:
        """What to add to the similarity in a title; nothing where the pair is similar."""
        return {
            Level.BELOW: ", less than with everything removed",
            Level.ALIKE: ", hardly different from everything removed",
        }.get(self.level, "")

    @property
    def similarity(self) -> str:
        """The similarity and what remains with everything removed, in a line."""
        if np.isnan(self.full_value):
            return "similarity not known"
        shown = f"similarity {self.full_value:.2f}"
        if np.isnan(self.empty_value):
            return shown
        if self.level is Level.ABOVE and self.empty_value >= 0:  # of a negative number nothing remains
            return f"{shown}, of which {self.empty_value:.2f} remain with everything removed"
        return f"{shown}, and {self.empty_value:.2f} with everything removed"

    @property
    def shown(self) -> str:
        """What a picture of the values shows, where a side contributes nothing; else empty."""
        return {
            (False, False): "",
            (True, False): "what each word contributes, and nothing in the image",
            (False, True): "what each patch contributes, and no word",
            (True, True): "no patch and no word contributes",
        }[self.idle]

    def remarks(self, notes: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Sentences that belong beside the numbers; none for a similar pair without notes.

        Args:
            notes: what is known of the inputs, see `fixlip.Explanation.notes`.
        """
        told = self._standing()
        bars = "zero" if self.errors is None else "zero within its error bar"
        names = (("Nothing in the image", "patch"), ("No word", "word"))
        told += [
            f"{name} contributes: the value of every {player} is {bars}."
            for is_idle, (name, player) in zip(self.idle, names, strict=True)
            if is_idle
        ]
        told += notes
        return (*told, CAUTION) if notes or any(self.idle) else tuple(told)

    def _standing(self) -> list[str]:
        """That the pair is less similar than nothing, or hardly different, if so."""
        full, empty = f"{self.full_value:.2f}", f"{self.empty_value:.2f} with everything removed"
        return {
            Level.BELOW: [f"The similarity of the pair is below that of nothing: {full}, against {empty}."],
            Level.ALIKE: [f"The similarity of the pair is hardly different from that of nothing: {full}, and {empty}."],
        }.get(self.level, [])


def rounding(*numbers: float | FloatArray) -> float:
    """How large rounding errors of numbers like these may be; NaN among them counts as nothing."""
    return ROUNDING * max(float(np.nan_to_num(np.abs(one)).max(initial=0.0)) for one in numbers)
