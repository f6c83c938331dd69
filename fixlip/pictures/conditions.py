"""What goes with one player, or with two at once: which they are, and what pictures say of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .drawing import tell

if TYPE_CHECKING:
    from ..expansion import Expansion

Condition = int | str | Sequence[int | str] | None
# What a triple of two players with a third one says; of one that no average over coalitions stands behind it is not so.
TRIPLE = "how much the interaction of {} grows when a part joins, on average over what else is present"


def chosen_players(explanation: Expansion, condition: Condition) -> tuple[int, ...]:
    """The numbers of the players that a picture is conditioned on: none, one or two.

    Args:
        explanation: what is shown.
        condition: a player, by number or label; or two of them, for the triples of an explanation of third order.

    Raises:
        ValueError: if there is no such player, they are one and the same, or two are given and there are no triples.
    """
    if condition is None:
        return ()
    explanation.condition(condition)  # says what does not fit
    given = [condition] if isinstance(condition, str | int | np.integer) else condition
    return tuple(explanation.find_all(given))


def title_of(explanation: Expansion, chosen: Sequence[int]) -> str:
    """The headline of what goes with one player or two."""
    if len(chosen) == 1:
        what = "What goes together" if explanation.predicts else "Scores of pairs"
        return f"{what} with {quoted(explanation, chosen[0])}"
    both = both_quoted(explanation, chosen)
    return f"What makes {both} go together" if explanation.predicts else f"Scores of triples with {both}"


def meaning_of(explanation: Expansion, chosen: Sequence[int]) -> str:
    """What a number of two players with a third one says, for the legend; empty for all that needs no such words.

    A triple is the average of v(ijk) - v(ij) - v(ik) - v(jk) + v(i) + v(j) + v(k) - v(), each with what else is
    present: the interaction of i and j with k there, less their interaction without it.
    """
    if len(chosen) != 2 or explanation.names.rule:
        return ""
    return TRIPLE.format(both_quoted(explanation, chosen))


def words_of(explanation: Expansion, chosen: Sequence[int], largest: float | None) -> str:
    """What a number is of, for whoever cannot see the picture: the beginning of a sentence."""
    if len(chosen) == 1:
        return f"{'Interactions of' if largest is None else 'Scores of pairs with'} {quoted(explanation, chosen[0])}"
    return f"{'Triples' if largest is None else 'Scores of triples'} with {both_quoted(explanation, chosen)}"


def strongest_of(explanation: Expansion, chosen: Sequence[int], largest: float | None) -> str:
    """The three strongest parts that go with the chosen ones, with their numbers."""
    values = explanation.condition(tuple(chosen))
    strongest = [int(i) for i in np.argsort(-np.abs(values), kind="stable")[:3] if values[i]]
    return "; ".join(f"{explanation.labels[i]} {tell(float(values[i]), None, largest)}" for i in strongest) or "none"


def both_quoted(explanation: Expansion, chosen: Sequence[int]) -> str:
    """Two players by name."""
    return " and ".join(quoted(explanation, player) for player in chosen)


def quoted(explanation: Expansion, player: int) -> str:
    """A player's label; tokens in quotation marks."""
    label = explanation.labels[player]
    return label if player < explanation.n_image else f"\u201c{label}\u201d"
