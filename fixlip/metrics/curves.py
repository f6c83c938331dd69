"""Insertion and deletion curves, and the area between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..explanation import Explanation
from ..masks import BoolArray, FloatArray
from ..subject import AnyGame, ask

GRID_POINTS = 51


@dataclass(frozen=True, eq=False)
class Curves:
    """The model's value as players are removed, keeping the most similar or the least similar of them.

    Row k keeps a subset of n - k players (first-order explanations with ties remove a group at a time).

    Attributes:
        insert_masks: (n + 1, n), the subsets of highest value, from the grand coalition to the empty one.
        delete_masks: (n + 1, n), the subsets of lowest value.
        insert: (n + 1,) the model's values of the former, logits ("insert important": stays high).
        delete: (n + 1,) of the latter ("delete important": falls quickly).
        order: of the explanation that ranked them.
    """

    insert_masks: BoolArray
    delete_masks: BoolArray
    insert: FloatArray
    delete: FloatArray
    order: int

    @property
    def removed(self) -> FloatArray:
        """Share of the input removed at each point, 0 to 1, shape (n + 1,)."""
        return np.linspace(0.0, 1.0, len(self.insert))

    def normalised(self) -> tuple[FloatArray, FloatArray]:
        """Both curves as shares of the way from the empty to the full value, each (n + 1,).

        Raises:
            ValueError: if the full value is not above the empty one; normalising would turn the curves upside down.
        """
        full, empty = float(self.insert[0]), float(self.insert[-1])
        if full <= empty:
            raise ValueError(
                f"curves: the whole pair's value ({full:.2f}) is not above that with everything removed ({empty:.2f}), "
                "so the curves cannot be normalised; look at the raw ones."
            )
        return (self.insert - empty) / (full - empty), (self.delete - empty) / (full - empty)

    def on_grid(self) -> tuple[FloatArray, FloatArray]:
        """Both normalised curves, interpolated at 51 equidistant points of the share removed."""
        grid = np.linspace(0.0, 1.0, GRID_POINTS)
        insert, delete = (np.interp(grid, self.removed, curve) for curve in self.normalised())
        return insert, delete

    @property
    def mean_difference(self) -> float:
        """Plain mean of the normalised difference over the n + 1 points: what the published tables store."""
        insert, delete = self.normalised()
        return float(np.mean(insert - delete))


def insertion_deletion(explanation: Explanation, game: AnyGame) -> Curves:
    """Curves of insertion and deletion (Baniecki et al., NeurIPS 2025, Section 4 and Figure 3).

    A second-order explanation names, for every size, the subset of highest and of lowest predicted value; the subsets
    need not be nested. A first-order one ranks players, and players with equal values go together. The game is asked
    about all subsets at once.

    Args:
        explanation: of this game; order 1 or 2.
        game: what it explains.

    Raises:
        ValueError: before the game is asked, if it is no game or has other players than the explanation; afterwards, if
            it returned anything but one finite number per mask.
    """
    explanation.subject.check_same(game)
    insert, delete = _ranked(explanation) if explanation.order == 1 else _subsets(explanation)
    values = ask(game, np.concatenate([insert, delete]))
    return Curves(insert, delete, values[: len(insert)], values[len(insert) :], explanation.order)


def area_between_curves(curves: Curves) -> float:
    """AID: area between the normalised insertion and deletion curves, by trapezoids on 51 points, at best about 1 to 2.

    Higher is better: what the explanation calls important keeps the similarity up, and what it calls unimportant does
    not.

    Raises:
        ValueError: if the curves cannot be normalised (see `Curves.normalised`).
    """
    from scipy.integrate import trapezoid  # NumPy has it under this name from 2.0 on only

    insert, delete = curves.on_grid()
    return float(trapezoid(insert - delete, dx=1 / (GRID_POINTS - 1)))


def _subsets(explanation: Explanation) -> tuple[BoolArray, BoolArray]:
    empty = np.zeros((1, explanation.n_players), bool)
    found = explanation.subsets
    return np.concatenate([found.highest[::-1], empty]), np.concatenate([found.lowest[::-1], empty])


def _ranked(explanation: Explanation) -> tuple[BoolArray, BoolArray]:
    values = explanation.attributions
    thresholds = np.sort(values)
    empty = np.zeros((1, len(values)), bool)
    insert = values[None, :] >= thresholds[:, None]
    delete = values[None, :] <= thresholds[::-1, None]
    return np.concatenate([insert, empty]), np.concatenate([delete, empty])
