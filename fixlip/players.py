"""Players: who takes part in the game, and how to show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .masks import BoolArray


class AnyGame(Protocol):
    """What an estimator needs of a game: the number of players on either side, and the value of a mask."""

    @property
    def n_image(self) -> int:
        """Number of image players; they come first."""

    @property
    def n_text(self) -> int:
        """Number of text players."""

    def __call__(self, masks: BoolArray) -> NDArray[np.floating[Any]]:
        """Value of each mask: (m, n_image + n_text) booleans to (m,) numbers."""


@dataclass(frozen=True, eq=False)
class Players:
    """The players of a game: image patches row by row first, then text tokens in reading order.

    Attributes:
        n_image: number of image players.
        n_text: number of text players.
        labels: one name a player.
        grid: (rows, columns) of the image patches, or None where image players are no grid.
        image: what the model sees of the image, uint8 of shape (height, width, 3), at any resolution; or None.
        text: the caption.
        model: name of the model.
        empty_value: value of the game when nobody is present (logit).
        full_value: value of the game when everybody is present (logit).
    """

    n_image: int
    n_text: int
    labels: tuple[str, ...]
    grid: tuple[int, int] | None = None
    image: NDArray[np.uint8] | None = None
    text: str = ""
    model: str = ""
    empty_value: float = float("nan")
    full_value: float = float("nan")

    def __post_init__(self) -> None:
        if len(self.labels) != self.n_players:
            raise ValueError(f"labels: got {len(self.labels)}, wanted one for each of the {self.n_players} players.")
        if self.grid is not None and self.grid[0] * self.grid[1] != self.n_image:
            raise ValueError(f"grid: got {self.grid}, wanted rows times columns to be {self.n_image} patches.")

    @property
    def n_players(self) -> int:
        """Number of players, image and text together."""
        return self.n_image + self.n_text

    @classmethod
    def of(cls, game: AnyGame) -> Players:
        """The players of any game, with plain names for those that have none."""
        described = getattr(game, "players", None)
        if isinstance(described, cls):
            return described
        names = [f"image {i}" for i in range(game.n_image)] + [f"text {i}" for i in range(game.n_text)]
        n_players = game.n_image + game.n_text
        ends = np.asarray(game(np.stack([np.zeros(n_players, bool), np.ones(n_players, bool)])), dtype=float)
        return cls(
            n_image=game.n_image,
            n_text=game.n_text,
            labels=tuple(getattr(game, "labels", names)),
            grid=getattr(game, "grid", None),
            empty_value=float(ends[0]),
            full_value=float(ends[1]),
        )


def patch_labels(grid: tuple[int, int]) -> tuple[str, ...]:
    """Names of the patches of a grid, counted from one as a reader counts: "patch 1,1" is at the top left."""
    return tuple(f"patch {row + 1},{column + 1}" for row in range(grid[0]) for column in range(grid[1]))
