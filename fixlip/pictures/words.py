"""What pictures say in words: titles, names, and texts for whoever cannot see them."""

from __future__ import annotations

from pathlib import PureWindowsPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .drawing import signed

if TYPE_CHECKING:
    from ..expansion import Expansion


def model_name(name: str) -> str:
    """The name of a model as readers are told it: of a folder only the last part, a hub's "owner/model" as it is."""
    path = PureWindowsPath(name)  # knows either kind of slash
    is_folder = path.anchor or name.startswith((".", "~")) or "\\" in name or len(path.parts) > 2
    return path.name or name if is_folder else name


def default_title(
    explanation: Expansion, condition: int | None, inside: NDArray[np.bool_], coefficients: bool = False
) -> str:
    """What is shown: one player's interactions, the subset `inside` (n,), or everything."""
    if condition is not None:
        return f"What goes together with {quoted(explanation, condition)}"
    if not inside.all():
        value = float(explanation.predict(inside)[0])
        return f"{inside.sum()} of {explanation.n_players} players: predicted similarity {value:.2f}"
    head = explanation.headline + explanation.verdict
    if coefficients:
        together = "" if explanation.order == 1 else ", and what goes together"
        return f"{head}: coefficients at the empty input{together}"
    return f"{head}: {explanation.shown}"


def alt_text(explanation: Expansion, condition: int | str | None = None) -> str:
    """A few sentences for whoever cannot see the picture, of the whole or of one player's interactions."""
    grid = f" in {explanation.grid[0]} rows and {explanation.grid[1]} columns" if explanation.grid else ""
    named = ', "patch 2,1" is in row 2 and column 1' if "patch 2,1" in explanation.labels else ""
    size = f"({explanation.n_image} patches{grid}{named}; {explanation.n_text} tokens)"
    if condition is not None:
        player = explanation.find(condition)
        values = explanation.condition(player)
        strongest = [int(i) for i in np.argsort(-np.abs(values), kind="stable")[:3] if values[i]]
        named = "; ".join(f"{explanation.labels[i]} {signed(float(values[i]))}" for i in strongest)
        head = f'Interactions of {quoted(explanation, player)} in "{explanation.text}" {size}.'
        return " ".join([f"{head} Strongest: {named or 'none'}.", *explanation.notes])
    head = f'{explanation.headline} of an image and "{explanation.text}" {size}.'
    for kind, name in (("players", "contributions"), ("crossmodal", "interactions")):
        terms = [f"{' with '.join(term.labels[::-1])} {signed(term.value)}" for term in explanation.top(3, kind=kind)]
        if terms:
            head += f" Strongest {name}: {'; '.join(terms)}."
    return " ".join([head, *explanation.remarks()])


def quoted(explanation: Expansion, player: int) -> str:
    """A player's label; tokens in quotation marks."""
    label = explanation.labels[player]
    return label if player < explanation.n_image else f"\u201c{label}\u201d"
