"""Asking a game for values, so that what is no game, or answers nonsense, is told in one sentence."""

from __future__ import annotations

import numpy as np

from ..masks import BoolArray, FloatArray
from ..players import AnyGame


def check_game(game: object) -> None:
    """Raise ValueError unless `game` can be asked: callable, with the numbers of players on either side."""
    if not callable(game) or not hasattr(game, "n_image") or not hasattr(game, "n_text"):
        raise ValueError(
            f"game: got {type(game).__name__}, wanted a game: something with n_image and n_text that gives the values "
            "of masks when called."
        )


def ask(game: AnyGame, masks: BoolArray) -> FloatArray:
    """The game's values of masks (m, n), (m,) finite numbers.

    Raises:
        ValueError: if the game returns something else.
    """
    returned = game(masks)
    try:
        values = np.asarray(returned, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):  # no numbers, ragged lists, a tensor that does not convert
        raise ValueError(
            f"game: returned {type(returned).__name__} that is no array of numbers, wanted one number per mask."
        ) from None
    if values.shape != (len(masks),):
        raise ValueError(
            f"game: returned shape {values.shape} for {len(masks)} masks, wanted ({len(masks)},), one number per mask."
        )
    wrong = np.count_nonzero(~np.isfinite(values))
    if wrong:
        raise ValueError(f"game: {wrong} of {len(masks)} values returned are not finite numbers.")
    return values
