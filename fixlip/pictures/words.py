"""What pictures say in words: titles, the facts below them, and texts for who cannot see them.

Everything that depends on how an explanation came about (its p, budget, model, the game's two values) is said here.
"""

from __future__ import annotations

from pathlib import PureWindowsPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .drawing import signed

if TYPE_CHECKING:
    from ..explanation import Explanation


def model_name(name: str) -> str:
    """The name of a model as readers are told it: of a folder only the last part, a hub's "owner/model" as it is."""
    path = PureWindowsPath(name)  # knows either kind of slash
    is_folder = path.anchor or name.startswith((".", "~")) or "\\" in name or len(path.parts) > 2
    return path.name or name if is_folder else name


def facts(explanation: Explanation) -> list[str]:
    """How the explanation came about, for the lines below the title; the most important first."""
    told = [f"{explanation.empty_value:.2f} with everything removed", f"p = {explanation.p:g}"]
    if explanation.budget:
        told.append(f"{explanation.budget:,} masked images")
    if explanation.expected_faithfulness is not None:
        told.append(f"faithfulness {explanation.expected_faithfulness:.2f}")
    if explanation.model:
        told.append(model_name(explanation.model))
    return told


def default_title(explanation: Explanation, condition: int | None, inside: NDArray[np.bool_]) -> str:
    """What is shown: one player's interactions, the subset `inside` (n,), or everything."""
    if condition is not None:
        return f"What goes together with {quoted(explanation, condition)}"
    if not inside.all():
        value = float(explanation.predict(inside)[0])
        return f"{inside.sum()} of {explanation.n_players} players: predicted similarity {value:.2f}"
    together = "" if explanation.order == 1 else ", and what goes together"
    return f"{_similarity(explanation)}: what each part contributes{together}"


def alt_text(explanation: Explanation, condition: int | str | None = None) -> str:
    """One or two sentences for whoever cannot see the picture, of the whole or of one player's interactions."""
    size = f"({explanation.n_image} patches, {explanation.n_text} tokens)"
    if condition is not None:
        player = explanation.find(condition)
        values = explanation.condition(player)
        strongest = [int(i) for i in np.argsort(-np.abs(values), kind="stable")[:3] if values[i]]
        named = "; ".join(f"{explanation.labels[i]} {signed(float(values[i]))}" for i in strongest)
        head = f'Interactions of {quoted(explanation, player)} in "{explanation.text}" {size}.'
        return f"{head} Strongest: {named or 'none'}."
    head = f'{_similarity(explanation)} of an image and "{explanation.text}" {size}.'
    terms = explanation.top(3, kind="players" if explanation.order == 1 else "crossmodal")
    if not terms:
        return head
    return f"{head} Strongest: " + "; ".join(f"{' with '.join(t.labels[::-1])} {signed(t.value)}" for t in terms) + "."


def quoted(explanation: Explanation, player: int) -> str:
    """A player's label; tokens in quotation marks."""
    label = explanation.labels[player]
    return label if player < explanation.n_image else f"\u201c{label}\u201d"


def _similarity(explanation: Explanation) -> str:
    return f"Similarity {explanation.full_value:.2f}"
