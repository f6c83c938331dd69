"""What shapiq is given: a game that its approximators take, and interaction values that know their p.

The only file that imports shapiq, an optional package, when it is imported; so it is imported late, and after
`fixlip.extras.need` has said in a sentence whether shapiq is there.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import shapiq

from .masks import FloatArray
from .subject import AnyGame, Subject, ask, end_values


class SharedGame(shapiq.Game):  # type: ignore[misc]
    """A game as shapiq's approximators take it; coalitions are asked of the game itself.

    Args:
        game: any game of this library.
        normalize: give values less that of the empty coalition, as shapiq's approximators want it.
    """

    def __init__(self, game: AnyGame, normalize: bool = True) -> None:
        subject = Subject.of(game)
        self.game = game
        super().__init__(
            n_players=subject.n_players,
            normalize=normalize,
            normalization_value=end_values(game)[0] if normalize else None,
            player_names=unique_names(subject.labels),
        )

    def value_function(self, coalitions: Any) -> FloatArray:
        """Values of coalitions, zeros and ones or booleans of shape (m, n), not normalised: shape (m,)."""
        return ask(self.game, np.asarray(coalitions).astype(bool))

    # shapiq makes a number of an array of one, which NumPy no longer does.

    @property
    def empty_coalition_value(self) -> float:
        """Value of the empty coalition; zero where values are normalised."""
        return float(self(self.empty_coalition)[0])

    @property
    def grand_coalition_value(self) -> float:
        """Value of the grand coalition, less that of the empty one where values are normalised."""
        return float(self(self.grand_coalition)[0])


def unique_names(labels: tuple[str, ...]) -> list[str]:
    """The labels; those that several players share get the player's number, since shapiq looks players up by name."""
    shared = Counter(labels)
    names = [label if shared[label] == 1 else f"{label} (player {i})" for i, label in enumerate(labels)]
    return names if len(set(names)) == len(names) else [f"{label} (player {i})" for i, label in enumerate(labels)]


class InteractionValuesAtP(shapiq.InteractionValues):  # type: ignore[misc]
    """Interaction values with the presence probability that they are of, which shapiq has no field for.

    Copies and its JSON files (under "parameters") keep it; what shapiq computes from it (sums, a selection) is a plain
    `InteractionValues` again.

    Attributes:
        p: of weighted Banzhaf interactions; None for Shapley indices, which have none.
    """

    def __init__(self, *args: Any, p: float | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.p = p

    def to_json_file(self, path: Path, **kwargs: Any) -> None:
        """Write shapiq's JSON file, with p among its parameters."""
        super().to_json_file(path, **({} if self.p is None else {"p": self.p}) | kwargs)

    @classmethod
    def from_json_file(cls, path: Path) -> InteractionValuesAtP:
        """Read what `to_json_file` wrote, or any file of shapiq's interaction values."""
        found: InteractionValuesAtP = super().from_json_file(Path(path))
        found.p = json.loads(Path(path).read_text(encoding="utf-8")).get("parameters", {}).get("p")
        return found

    def __copy__(self) -> InteractionValuesAtP:
        return copy.deepcopy(self)

    def __repr__(self) -> str:
        text: str = super().__repr__()
        return text if self.p is None else f"{text[:-2]}, p={self.p:g}\n)"
