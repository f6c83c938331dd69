"""Insertion and deletion curves, and the area between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..explanation import Explanation
from ..masks import BoolArray, FloatArray, IntArray, check_count
from ..progress import Progress
from ..subject import AnyGame, ask
from ..subsets import subsets

GRID_POINTS = 51
# With more players than these, curves have `GRID_POINTS` points, not one for each player: the model is asked less often
# and the search has fewer subsets to find, while no curve has more detail than this to show.
MOST_PLAYERS_ONE_BY_ONE = 100
SIDES = ("both", "image", "text")


@dataclass(frozen=True, eq=False)
class Curves:
    """The model's value as players are removed, keeping the most similar or the least similar of them.

    Of the m points the first keeps everybody and the last nobody. Where one side alone is judged, players are those of
    this side, and the other side is always complete.

    Attributes:
        insert_masks: (m, n), the subsets of highest value, from the grand coalition to the empty one.
        delete_masks: (m, n), the subsets of lowest value.
        insert: (m,) the model's values of the former, logits ("insert important": stays high).
        delete: (m,) of the latter ("delete important": falls quickly).
        order: of the explanation that ranked them.
        removed: (m,) share of the players removed at each point, 0 to 1. Players that a first-order explanation gives
            equal values stay, as published, until the last of them has to go; so a mask may keep more than its share.
        side: whose players are removed, "both", "image" or "text".
    """

    insert_masks: BoolArray
    delete_masks: BoolArray
    insert: FloatArray
    delete: FloatArray
    order: int
    removed: FloatArray
    side: str = "both"

    def normalised(self) -> tuple[FloatArray, FloatArray]:
        """Both curves as shares of the way from the empty to the full value, each (m,).

        Empty means that all players of the judged side are removed: of the image alone, an empty image with the whole
        caption.

        Raises:
            ValueError: if the full value is not above the empty one; normalising would turn the curves upside down.
        """
        full, empty = float(self.insert[0]), float(self.insert[-1])
        if full <= empty:
            gone = {"both": "everything", "image": "the whole image", "text": "the whole caption"}[self.side]
            raise ValueError(
                f"curves: the whole pair's value ({full:.2f}) is not above that with {gone} removed ({empty:.2f}), "
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
        """Plain mean of the normalised difference over the m points: what the published tables store."""
        insert, delete = self.normalised()
        return float(np.mean(insert - delete))


def insertion_deletion(
    explanation: Explanation,
    game: AnyGame,
    *,
    points: int | None = None,
    side: str = "both",
    progress: Progress = True,
) -> Curves:
    """Curves of insertion and deletion (Baniecki et al., NeurIPS 2025, Section 4 and Figure 3).

    A second-order explanation names, for every size, the subset of highest and of lowest value; the subsets need not be
    nested. A first-order one ranks players, and players with equal values go together. Only the order counts, so that
    scores in a method's own unit do as well as logits. The game is asked about all subsets at once.

    With `side="image"` only patches are removed, and the caption stays whole: so maps that say nothing of tokens are
    judged fairly. A second-order explanation then is that of the patches given all tokens: the attribution of a patch
    and its interactions with all tokens add up. Likewise "text".

    Args:
        explanation: of this game, of any order. Where it is of third order, so are the subsets' values.
        game: what it explains.
        points: how many points the curves have, both ends included; fewer where there are fewer players. By default
            every number of players up to 100, and 51 equidistant ones (to the next whole player) for more.
        side: whose players are removed, "both", "image" or "text".
        progress: show a bar if it takes long, where the game can; or a function to call with the number of masked
            inputs just encoded, which may raise to end it. What the game has encoded it keeps.

    Raises:
        ValueError: before the game is asked, if it is no game or has other players than the explanation, or `points` or
            `side` do not fit; afterwards, if it returned anything but one finite number per mask.
    """
    explanation.subject.check_same(game)
    players = _players(explanation, side)
    sizes = _sizes(len(players), points)
    tick = progress if callable(progress) else lambda done: None
    tick(0)  # the search takes seconds with a thousand players: a last chance to end before it, and one after
    removable = _ranked(explanation, players, sizes) if explanation.order == 1 else _best(explanation, players, sizes)
    tick(0)
    insert, delete = (_within(masks, players, explanation.n_players) for masks in removable)
    values = ask(game, np.concatenate([insert, delete]), progress)
    removed = 1 - sizes / len(players)
    return Curves(insert, delete, values[: len(insert)], values[len(insert) :], explanation.order, removed, side)


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


def _players(explanation: Explanation, side: str) -> IntArray:
    """The numbers of the players that are removed."""
    if side not in SIDES:
        raise ValueError(f"side: got {side!r}, wanted one of {', '.join(SIDES)}.")
    first = explanation.n_image if side == "text" else 0
    players = np.arange(first, explanation.n_image if side == "image" else explanation.n_players)
    if not len(players):
        raise ValueError(f"side: got {side!r}, of which there are no players; wanted another side.")
    return players


def _sizes(n: int, points: int | None) -> IntArray:
    """How many players are kept at each point, from n down to 0."""
    if points is None:
        points = n + 1 if n <= MOST_PLAYERS_ONE_BY_ONE else GRID_POINTS
    wanted = min(check_count(points, "points", 2), n + 1)
    return np.round(np.linspace(n, 0, wanted)).astype(np.intp)


def _best(explanation: Explanation, players: IntArray, sizes: IntArray) -> tuple[BoolArray, BoolArray]:
    """Of each size the subset of highest and that of lowest value, each (points, players)."""
    n, empty = len(players), np.zeros((1, len(players)), bool)
    if n == explanation.n_players and len(sizes) == n + 1:
        found, rows = explanation.subsets, sizes[:-1] - 1  # which it remembers
    else:
        constant, first, pairs, triples = _given_others(explanation, players)
        ranking = first + explanation.p * pairs.sum(axis=1)
        found = subsets(constant, first, pairs, first_order=ranking, sizes=sizes[:-1], triples=triples)
        rows = np.arange(len(sizes) - 1)
    return np.concatenate([found.highest[rows], empty]), np.concatenate([found.lowest[rows], empty])


def _given_others(
    explanation: Explanation, players: IntArray
) -> tuple[float, FloatArray, FloatArray, FloatArray | None]:
    """Constant, attributions, interactions and triples of some players with all others present."""
    others = np.ones(explanation.n_players, bool)
    others[players] = False
    pairs = explanation.interactions[players]
    constant = float(explanation.totals(others)[0])
    first, pairs = explanation.attributions[players] + pairs[:, others].sum(axis=1), pairs[:, players]
    if explanation.triples is None:
        return constant, first, pairs, None
    triples = explanation.triples[players]
    first = first + triples[:, others][:, :, others].sum(axis=(1, 2)) / 2
    triples = triples[:, players]
    return constant, first, pairs + triples[:, :, others].sum(axis=2), triples[:, :, players]


def _ranked(explanation: Explanation, players: IntArray, sizes: IntArray) -> tuple[BoolArray, BoolArray]:
    """Of each size the players of highest and those of lowest value, and all that are equal to the last of them."""
    values = explanation.attributions[players]
    ascending, empty = np.sort(values), np.zeros((1, len(values)), bool)
    kept = sizes[:-1]
    insert = values[None, :] >= ascending[len(values) - kept, None]
    delete = values[None, :] <= ascending[kept - 1, None]
    return np.concatenate([insert, empty]), np.concatenate([delete, empty])


def _within(masks: BoolArray, players: IntArray, n: int) -> BoolArray:
    """Masks of some players as masks of all n, with all others present."""
    whole = np.ones((len(masks), n), bool)
    whole[:, players] = masks
    return whole
