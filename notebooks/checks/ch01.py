"""What the exercises of chapter 01 masking game want."""

from __future__ import annotations

from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


def _contexts(rng: np.random.Generator, game: Any, count: int) -> Any:
    return rng.random((count, game.n_players)) < 0.5


def _some_contexts(rng: np.random.Generator, game: Any) -> Any:
    """Everybody; either half of the picture; and any players, half of them with the token absent that matters most."""
    for columns in (np.arange(7) >= 0, np.arange(7) >= 4, np.arange(7) < 4):
        yield game, np.append(np.tile(columns, 7), np.ones(game.n_text, bool))
    for context in _contexts(rng, game, 4):
        yield game, context
        absent = context.copy()
        absent[game.n_image + int(np.argmax(_gains(game, context)))] = False
        yield game, absent


def _gains(game: Any, context: Any) -> Any:
    """Marginal contribution of every token to a context."""
    gains = []
    for player in range(game.n_image, game.n_players):
        masks = np.stack([context, context])
        masks[0, player], masks[1, player] = False, True
        without, with_it = game(masks)
        gains.append(with_it - without)
    return np.array(gains)


def _token(game: Any, scores: Any) -> str:
    return str(game.labels[game.n_image + int(np.argmax(scores))])


EXERCISES["01.1"] = Exercise(
    cases=_some_contexts,
    reference=lambda game, context: _token(game, _gains(game, context)),
    hint="the contribution is the value with the token minus the value without it, everyone else as in the context.",
    mistakes=[
        (
            lambda game, context: int(np.argmax(_gains(game, context))),
            "this is a number; wanted is the label of the token.",
        ),
        (
            lambda game, context: game.n_image + int(np.argmax(_gains(game, context))),
            "this is the player's number; wanted is its label.",
        ),
        (
            lambda game, context: _token(game, np.where(context[game.n_image :], _gains(game, context), -np.inf)),
            "a token that is absent from the context has a contribution as well: what it would add.",
        ),
        (
            lambda game, context: _token(game, np.abs(_gains(game, context))),
            "this is the contribution of largest size; wanted is the largest, and a negative one is not large.",
        ),
    ],
)


def _some_pairs(rng: np.random.Generator, game: Any) -> Any:
    """A token with a patch, two patches, two tokens, each in other contexts."""
    n, n_image = game.n_players, game.n_image
    for i, j in ((n_image + 1, 16), (n - 1, 16), (16, 17), (n_image + 1, n - 1), (n - 1, int(rng.integers(n_image)))):
        yield game, i, j, _contexts(rng, game, 12)


def _meeting(game: Any, i: int, j: int, contexts: Any, signs: Any = (1, -1, -1, 1)) -> Any:
    """What nobody, only i, only j and both are worth, with signs, per context."""
    copies = np.stack([contexts] * 4)
    copies[:, :, [i, j]] = False
    copies[1, :, i] = copies[2, :, j] = copies[3, :, i] = copies[3, :, j] = True
    return np.asarray(signs) @ game(copies.reshape(-1, game.n_players)).reshape(4, -1)


class _Counted:
    """A game that counts how often it is called."""

    def __init__(self, game: Any):
        self.game, self.calls = game, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.game, name)

    def __call__(self, masks: Any) -> Any:
        self.calls += 1
        return self.game(masks)


def _calls_once(attempt: Any, game: Any) -> str | None:
    counted = _Counted(game)
    attempt(counted, game.n_image + 1, 16, _contexts(np.random.default_rng(1), game, 5))
    if counted.calls == 1:
        return None
    return (
        f"got the right numbers by {counted.calls} calls of game for 5 contexts, wanted one call for all. "
        "Hint: make one array of all masks, of shape (4 * contexts, players), and split the values afterwards."
    )


EXERCISES["01.2"] = Exercise(
    cases=_some_pairs,
    reference=lambda game, i, j, contexts: float(_meeting(game, i, j, contexts).mean()),
    hint="stack four copies of the contexts: nobody, only i, only j, both; the signs are + - - +.",
    mistakes=[
        (
            lambda game, i, j, contexts: float(_meeting(game, i, j, contexts, (-1, 0, 0, 1)).mean()),
            "this is what both add to nobody; take off what each adds by itself.",
        ),
        (
            lambda game, i, j, contexts: float(_meeting(game, i, j, contexts, (0, -1, -1, 1)).mean()),
            "the value of the context without either is missing; its sign is plus.",
        ),
        (
            lambda game, i, j, contexts: _meeting(game, i, j, contexts),
            "this is one number for each context; wanted is their average.",
        ),
        (
            lambda game, i, j, contexts: float(_meeting(game, i, j, contexts).sum()),
            "this is the sum over the contexts; wanted is the average.",
        ),
    ],
    also=_calls_once,
    tolerance=1e-4,
)
