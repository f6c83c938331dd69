"""What pictures say in words: titles, names, and texts for whoever cannot see them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .conditions import Condition, chosen_players, meaning_of, strongest_of, title_of, words_of
from .drawing import tell

if TYPE_CHECKING:
    from ..expansion import Expansion


def model_name(name: str) -> str:
    """The name of a model as readers are told it: of a folder only the last part, a hub's "owner/model" as it is."""
    path = PureWindowsPath(name)  # knows either kind of slash
    is_folder = path.anchor or name.startswith((".", "~")) or "\\" in name or len(path.parts) > 2
    return path.name or name if is_folder else name


def default_title(
    explanation: Expansion, chosen: Sequence[int], inside: NDArray[np.bool_], coefficients: bool = False
) -> str:
    """What is shown: what goes with the players chosen, the subset `inside` (n,), or everything."""
    if chosen:
        return title_of(explanation, chosen)
    if not inside.all():
        some = f"{inside.sum()} of {explanation.n_players} players"
        return f"{some}: predicted similarity {explanation.predict(inside)[0]:.2f}" if explanation.predicts else some
    head = explanation.headline + explanation.verdict
    if coefficients:
        together = "" if explanation.order == 1 else ", and what goes together"
        return f"{head}: coefficients at the empty input{together}"
    return f"{head}: {explanation.shown}"


def alt_text(explanation: Expansion, condition: Condition = None, largest: float | None = None) -> str:
    """A few sentences for whoever cannot see the picture, of the whole or of what goes with one player or two.

    Args:
        explanation: what is shown.
        condition: a player, by number or label; or two of them.
        largest: the score that is told as 1.00, where several explanations are shown together; by default the largest
            of this one. None for logits.
    """
    names, of_all = explanation.names, "" if largest is None else " of all"
    largest = explanation.largest if largest is None else largest
    unit = "" if largest is None else f", {names.unit}{of_all}"
    grid = f" in {explanation.grid[0]} rows and {explanation.grid[1]} columns" if explanation.grid else ""
    named = ', "patch 2,1" is in row 2 and column 1' if "patch 2,1" in explanation.labels else ""
    patches, tokens = explanation.subject.plurals
    size = f"({explanation.n_image} {patches}{grid}{named}; {explanation.n_text} {tokens})"
    if condition is not None:
        chosen = chosen_players(explanation, condition)
        head = f'{words_of(explanation, chosen, largest)} in "{explanation.text}" {size}.{_rule(explanation)}'
        meaning = meaning_of(explanation, chosen)
        head += f" The numbers say {meaning}." if meaning else ""
        return " ".join([f"{head} Strongest{unit}: {strongest_of(explanation, chosen, largest)}.", *explanation.notes])
    head = f'{explanation.headline} of an image and "{explanation.text}" {size}.{_rule(explanation)}'
    for kind, name in (("players", names.players), ("crossmodal", names.pairs)):
        top = explanation.top(3, kind=kind)
        terms = [f"{' with '.join(term.labels[::-1])} {tell(term.value, None, largest)}" for term in top]
        if terms:
            head += f" Strongest {name}{unit}: {'; '.join(terms)}."
    return " ".join([head, *explanation.remarks()])


def _rule(explanation: Expansion) -> str:
    """A sentence on what the numbers are, where they are no average changes of the similarity."""
    return f" The numbers are {explanation.names.rule}." if explanation.names.rule else ""
