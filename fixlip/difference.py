"""Difference: one expansion minus another, of as many players and in the same unit."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .claims import Names
from .expansion import Expansion
from .jackknife import Jackknife, pair_errors, value_errors
from .masks import FloatArray
from .pictures import Picture, picture
from .pictures.words import model_name


@dataclass(frozen=True, eq=False)
class Difference(Expansion):
    """The first explanation minus the second, term by term, in the unit of both.

    It has no p of its own: the two may be of different p, index or model. Its first order is the difference of their
    first orders.

    Attributes:
        first, second: what it is the difference of.
    """

    first: Expansion = field(kw_only=True, repr=False)
    second: Expansion = field(kw_only=True, repr=False)

    @classmethod
    def of(cls, first: Expansion, second: Expansion) -> Difference:
        """The first minus the second.

        Raises:
            ValueError: if one has more players, or the two are in different units, as scores of two methods are.
        """
        if (first.n_image, first.n_text) != (second.n_image, second.n_text):
            raise ValueError(
                f"difference: got {first.n_image} + {first.n_text} and {second.n_image} + {second.n_text} players; "
                "wanted as many on either side."
            )
        if not first.subject.has_players_of(second.subject):
            raise ValueError("difference: got other regions of the image on either side, wanted the same.")
        if first.unit_name != second.unit_name:
            raise ValueError(
                f"difference: got {first.unit_name} and {second.unit_name}, wanted both in one unit: logits, or scores "
                "of one method."
            )
        return cls(
            first.constant - second.constant,
            first.attributions - second.attributions,
            first.interactions - second.interactions,
            first.subject,
            order=max(first.order, second.order),
            triples=_less(first.triples, second.triples),
            first=first,
            second=second,
        )

    @property
    def unit_name(self) -> str:
        """The unit of both."""
        return self.first.unit_name

    @property
    def names(self) -> Names:
        """What the numbers of both are called, where that is one and the same."""
        if self.first.names == self.second.names:
            return self.first.names
        return super().names._replace(players="differences", pairs="differences of pairs")

    @property
    def empty_value(self) -> float:
        """Difference of the values of the empty coalition (logit)."""
        return self.first.empty_value - self.second.empty_value

    @property
    def full_value(self) -> float:
        """Difference of the values of the grand coalition (logit)."""
        return self.first.full_value - self.second.full_value

    @property
    def values(self) -> FloatArray:
        """Difference of the players' contributions or scores, (n,)."""
        return self.first.values - self.second.values

    @cached_property
    def pair_values(self) -> FloatArray:
        """Difference of what pairs do together on average, (n, n)."""
        return self.interactions if self.triples is None else self.first.pair_values - self.second.pair_values

    @cached_property
    def value_stderr(self) -> FloatArray | None:
        """Standard errors of the values, (n,), where both have some.

        Errors go together as far as both were made from answers to the same masks: two p, or two captions of one image
        (see `fixlip.jackknife`). They are taken to be independent where the masks are others, or where this is not
        known, as of explanations that were loaded; then they may be too large or too small.

        What leaving out samples cannot tell is what the surrogate misses at one p and not at another. So between p far
        apart, or Shapley values and those at one p, the bars of few samples are too narrow.
        """
        one, other = self.first.value_stderr, self.second.value_stderr
        return None if one is None or other is None else value_errors((one, other), *self._changes)

    @cached_property
    def pair_stderr(self) -> FloatArray | None:
        """Standard errors of `pair_values`, (n, n), likewise."""
        one, other = self.first.pair_stderr, self.second.pair_stderr
        if one is None or other is None:
            return None
        return pair_errors((one, other), *self._changes, self.n_image)

    @property
    def _changes(self) -> tuple[Jackknife | None, Jackknife | None]:
        first, second = (getattr(one, "changes", None) for one in (self.first, self.second))
        return first, second

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of both."""
        return tuple(dict.fromkeys((*self.first.notes, *self.second.notes)))

    def first_order(self) -> Expansion:
        """The difference of the two first orders."""
        return self.first.first_order() - self.second.first_order()

    def second_order(self) -> Expansion:
        """The difference of the two second orders; itself, where there are no triples."""
        return self if self.triples is None else self.first.second_order() - self.second.second_order()

    @property
    def headline(self) -> str:
        """The difference of the two similarities."""
        return f"Difference {self.full_value:+.2f}"

    def facts(self) -> list[str]:
        """In what the two differ."""
        first, second = ((model_name(e.model), *e.how) for e in (self.first, self.second))
        told = [f"{a} minus {b}" for a, b in zip(first, second, strict=True) if a != b and a and b]
        rule = [self.names.rule] if self.names.rule else []
        return [*self.notes, f"{self.empty_value:+.2f} with everything removed", *rule, *told]

    def __sub__(self, other: Any) -> Difference:
        return NotImplemented

    def draw(self, **options: Any) -> Picture:
        """The picture of this difference; options as in `fixlip.pictures.draw`."""
        return picture(self, **options)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return self.draw()._repr_mimebundle_()

    def __repr__(self) -> str:
        return f"Difference({self.first!r} minus {self.second!r})"


def _less(first: FloatArray | None, second: FloatArray | None) -> FloatArray | None:
    """The first less the second, where None counts as zero, unless both are."""
    if first is None or second is None:
        return first if second is None else -second
    return first - second
