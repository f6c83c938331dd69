"""What may be claimed of numbers that no average over coalitions stands behind: a heat map's, a gradient method's.

Such numbers follow the rule of their method. They may be logits all the same (what the similarity loses when one player
is removed), or scores in a unit of their own, which rank patches and words and predict nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from .claims import Claims, Names

DOUBT = "These numbers do not tell whether the model's answers are meaningful."


@dataclass(frozen=True, eq=False)
class ScoreClaims(Claims):
    """What the numbers of a method with a rule of its own allow to be said.

    The pair is measured by the two similarities alone: there is no spread that its numbers could be compared with.

    Attributes:
        values: (n,) the largest that a method gives a player, alone or in a pair.
        method: what readers know the method by.
        unit: "logits", or "scores" in a unit of the method's own.
    """

    method: str = "this method"
    unit: str = "scores"

    @property
    def spread(self) -> float:
        """None: what a method of this kind gives is no change that a toss of coins makes."""
        return 0.0

    @property
    def _least(self) -> float:
        """Beside a logit every score would be small, and only zero is zero in a unit of one's own."""
        return super()._least if self.unit == "logits" else 0.0

    # ---- in words

    @property
    def names(self) -> Names:
        """What the numbers are called: scores, relative to the largest; or values, in logits."""
        if self.unit == "logits":
            rule = f"logits by the rule of {self.method}, no averages over what else is present"
            return Names(rule=rule, players="values", of_words="values of words (logits)")
        return Names(
            unit="relative to the largest",
            rule=f"scores of {self.method}, in a unit of its own: they rank, and predict no similarity",
            players="scores",
            pairs="scores of pairs",
            of_words="scores of words, relative to the largest",
            of_pairs="strongest scores of pairs of a word and a patch",
            together="pairs",
            more="positive",
            less="negative",
            of_triples="strongest scores of two words with a patch",
        )

    def heading(self, model: str, text: str) -> str:
        """What the numbers answer; of the pair nothing is claimed."""
        return f"What {self.method} finds relevant for the similarity of the image and {text} in {model}"

    @property
    def shown(self) -> str:
        """What a picture of the numbers shows."""
        return {
            (False, False): f"what {self.method} finds relevant",
            (True, False): f"what {self.method} finds relevant in the caption, and nothing in the image",
            (False, True): f"what {self.method} finds relevant in the image, and nothing in the caption",
            (True, True): f"{self.method} finds nothing relevant",
        }[self.idle]

    def remarks(self, notes: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Sentences that belong beside the numbers: how the pair stands, where the method abstains, and the notes."""
        told, zero = self._standing(), "zero" if self.errors is None else "zero within its error bar"
        for is_idle, (player, side) in zip(self.idle, (("patch", "image"), ("word", "caption")), strict=True):
            if is_idle and self.unit == "logits":
                told.append(f"The value of every {player} by {self.method} is {zero}.")
            elif is_idle:
                told.append(f"The score of every {player} is {zero}: {self.method} abstains on the {side}.")
        return (*told, *notes, DOUBT) if notes else tuple(told)
