"""Explain any set function: players that are no patches and no words, values from anywhere.

The kernel estimator needs no image and no caption: a set function is one side whose "embedding" is a single number, and
the other side has no players. So its few masks, error bars and expected faithfulness serve any game.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from .answers import Answers, Side
from .api import SHAPLEY_MIXTURE
from .estimators.budgets import MAX_SAMPLES
from .estimators.methods import METHODS, Request
from .explanation import Explanation
from .game_explanation import GameExplanation
from .masks import (
    MAX_ENUMERATED_PLAYERS,
    BoolArray,
    FloatArray,
    check_count,
    check_masks,
    distinct,
    enumerate_masks,
    pack,
)
from .progress import Progress, advancing
from .samples import FEWEST_MASKS, image_masks
from .subject import Subject, ask

SetFunction = Callable[[BoolArray], Any]
ESTIMATORS = ("auto", "exact", "kernel", "agnostic")
EXACT_BUDGET = 4096  # coalitions that "auto" asks about by default: all of 12 players
MOST_PLAYERS = 4096  # of all pairs a number is kept
# Numbers that differ less than this share of their size are one and the same.
_ROUNDING = 1e-12


class SetGame:
    """A set function as a game for estimators and metrics; every coalition is asked about once, and remembered.

    So whoever interrupts `explain_game(game)` and calls it again goes on where it was.

    Args:
        function: takes masks, booleans of shape (m, n_players), True = the player is present; returns m numbers.
        n_players: how many players it has.
        labels: their names; "player 0", "player 1" and so on by default.
        batch_size: how many masks to give at once.

    Raises:
        ValueError: one sentence, if an argument does not fit; the function is not called.
    """

    shows_progress = True
    n_text = 0

    def __init__(
        self, function: SetFunction, n_players: int, labels: Sequence[str] | None = None, *, batch_size: int = 256
    ) -> None:
        if not callable(function):
            raise ValueError(
                f"game: got {type(function).__name__}, wanted a function that takes masks (m, n_players) and returns "
                "m numbers."
            )
        self.n_image = self.n_players = check_count(n_players, "n_players")
        if self.n_players > MOST_PLAYERS:
            raise ValueError(f"n_players: got {n_players:,}, wanted at most {MOST_PLAYERS:,}: all pairs are listed.")
        if isinstance(labels, str):
            raise ValueError(f"labels: got the text {labels!r:.60}, wanted a list with a name for each player.")
        names = [f"player {i}" for i in range(self.n_players)] if labels is None else list(labels)
        self.subject = Subject(self.n_players, 0, tuple(names), units=("player", "player"))
        self.function, self._batch = function, check_count(batch_size, "batch_size")
        self._values: dict[bytes, float] = {}

    def __call__(self, masks: BoolArray, progress: Progress = False) -> FloatArray:
        """Values of masks (m, n_players), of shape (m,); an interruption loses one batch at most.

        Raises:
            ValueError: one sentence, if the function returns something else than one finite number per mask.
        """
        masks = check_masks(masks, self.n_players)
        new = distinct(masks[~self.known(masks)])[0]
        with advancing(progress, len(new), "coalitions") as advance:
            for start in range(0, len(new), self._batch):
                batch = new[start : start + self._batch]
                values = self._ask(batch)
                self._values.update(zip((key.tobytes() for key in pack(batch)), values.tolist(), strict=True))
                advance(len(batch))
        return np.array([self._values[key.tobytes()] for key in pack(masks)])

    def known(self, masks: BoolArray) -> BoolArray:
        """Which of these masks were asked about before, shape (m,)."""
        return np.array([key.tobytes() in self._values for key in pack(masks)], dtype=bool)

    def ends(self) -> tuple[float, float]:
        """Values of nobody and of everybody: the first small call, which tells whether the function fits."""
        masks = np.zeros((3 if self.n_players == 2 else 2, self.n_players), bool)  # never as many as players
        masks[1], masks[2:, 0] = True, True
        values = self(masks)
        return float(values[0]), float(values[1])

    def _ask(self, masks: BoolArray) -> FloatArray:
        returned = self.function(masks.copy())
        return ask(_Returned(_real(returned), self.n_players), masks)

    def __repr__(self) -> str:
        return f"SetGame({self.n_players} players, {len(self._values):,} coalitions known)"


@dataclass(frozen=True)
class _Returned:
    """What was returned, as a game: `ask` says what is wrong with it."""

    values: Any
    n_image: int
    n_text: int = 0

    def __call__(self, masks: BoolArray) -> Any:
        return self.values


def _real(returned: Any) -> Any:
    """What was returned, unless it is of a type that would pass for numbers (texts), or lose something (complex)."""
    try:
        kind = np.asarray(returned).dtype
    except (TypeError, ValueError, RuntimeError):  # `ask` says it
        return returned
    if returned is None or kind.kind in "USVcMm":
        told = type(returned).__name__ + ("" if returned is None else f" of {kind}")
        raise ValueError(f"game: returned {told}, wanted an array of real numbers, one per mask.")
    return returned


def explain_game(
    game: SetFunction,
    n_players: int | None = None,
    *,
    p: float = 0.5,
    index: str = "banzhaf",
    order: int = 2,
    budget: int | None = None,
    seed: int = 0,
    labels: Sequence[str] | None = None,
    estimator: str = "auto",
    progress: bool = True,
) -> GameExplanation:
    """Explain any set function with the estimators that explain similarities.

    Three players, of whom the first two are worth something only together:

        >>> import fixlip
        >>> game = lambda masks: 4.0 * (masks[:, 0] & masks[:, 1]) + 1.0 * masks[:, 2]
        >>> found = fixlip.explain_game(game, 3, labels=["left shoe", "right shoe", "hat"])
        >>> [round(float(value), 6) for value in found.values]
        [2.0, 2.0, 1.0]
        >>> found.top(1)[0].labels, round(found.top(1)[0].value, 6)
        (('left shoe', 'right shoe'), 4.0)

    Args:
        game: takes masks, booleans of shape (m, n_players), True = the player is present, and returns m numbers; or a
            `SetGame`, which remembers them; or a `shapiq.Game`.
        n_players: how many players it has, at most 4,096; need not be said of games that know it.
        p: probability with which every player is present; has no meaning for the Shapley indices.
        index: "banzhaf" (weighted Banzhaf interactions at p; Baniecki et al., NeurIPS 2025, Section 3), "shapley"
            (faithful Shapley interactions, FSII) or "sii" (Shapley interactions, k-SII).
        order: 2, or 1 for values without interactions, or 3 with triples.
        budget: how many coalitions to ask about; by default all of up to 12 players, else 512.
        seed: of the coalitions, a whole number.
        labels: a name for each player.
        estimator: "exact" (every coalition, up to 16 players), "kernel" (a Gaussian process over masks, at most 12,288
            coalitions, with error bars and expected faithfulness), "agnostic" (least squares on coalitions, for
            "banzhaf" and "shapley" up to order 2), or "auto": exact where the budget allows, else the kernel, since it
            came closer from as many coalitions in most games tried (sums of unanimity games, small networks, weighted
            majority; not in one of two maxima), and least squares for more coalitions than the kernel takes.
        progress: show a bar if it takes long.

    Returns:
        the explanation, in the unit of the game; all players are on its first side, and it is drawn as bars. If it was
        interrupted, and the estimator is the kernel, it is made of what was answered so far, with a warning.

    Raises:
        ValueError: one sentence, before the function is called, if an argument does not fit; after the first small
            call, if it returns something else than one finite number per mask.
    """
    asked = _game_of(game, n_players, labels)
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator: got {estimator!r}, wanted one of {', '.join(ESTIMATORS)}.")
    request = Request(p, index, order, "full", budget, seed, progress)
    name = _chosen(asked.n_players, request) if estimator == "auto" else estimator
    if name == "exact" and estimator == "auto":
        request = replace(request, budget=None)  # all are no more than that
    method = METHODS[name]
    request = method.check(request)
    _check_budget(asked.n_players, name, request)
    request = method.for_game(asked, request)
    drawn = _drawn(asked, request) if name == "kernel" else None  # before any call: it may refuse p
    ends = asked.ends()
    if drawn is not None:
        found = _kernel(asked, request, *drawn)
    else:
        if name == "exact":
            asked(enumerate_masks(asked.n_players), progress)
        found = method.run(asked, request)
    own = {one.name: getattr(found, one.name) for one in fields(Explanation)}
    own |= {"counts": "coalitions", "empty_value": ends[0], "full_value": ends[1]}
    return GameExplanation(**own)


def _game_of(game: SetFunction, n_players: int | None, labels: Sequence[str] | None) -> SetGame:
    if isinstance(game, SetGame):
        if labels is not None or n_players not in (None, game.n_players):
            raise ValueError("game: a SetGame has its number of players and labels; leave both out.")
        return game
    known = getattr(game, "n_players", None) if n_players is None else n_players
    if known is None:
        raise ValueError("n_players: got None, wanted how many players the game has.")
    return SetGame(game, known, labels)


def _chosen(n_players: int, request: Request) -> str:
    """The estimator that "auto" takes."""
    budget = None if request.budget is None else check_count(request.budget, "budget", 2)
    if n_players <= MAX_ENUMERATED_PLAYERS and 2**n_players <= (budget or EXACT_BUDGET):
        return "exact"
    fits = request.order in (1, 2) and request.index in METHODS["agnostic"].indices
    return "agnostic" if (budget or 0) > MAX_SAMPLES and fits else "kernel"


def _check_budget(n_players: int, name: str, request: Request) -> None:
    """Raise ValueError where a budget is too small, or too large, for the estimator."""
    if request.budget is None:
        return
    every = 2**n_players
    if name == "kernel" and MAX_SAMPLES < min(every, request.budget):
        raise ValueError(
            f"budget: got {request.budget:,} coalitions, wanted at most {MAX_SAMPLES:,} with the kernel estimator."
        )
    pairs = n_players * (n_players - 1) // 2 if request.order > 1 else 0
    needed = max(FEWEST_MASKS, n_players + 2) if name == "kernel" else 1 + n_players + pairs
    if request.budget < min(needed, every):
        raise ValueError(
            f"budget: got {request.budget:,} coalitions, wanted at least {min(needed, every):,} for {n_players} "
            f"players with the estimator {name!r}, better twice as many."
        )


def _drawn(game: SetGame, request: Request) -> tuple[BoolArray, FloatArray, tuple[float, ...]]:
    """Masks for the kernel estimator, their weights, and the p that they were drawn at."""
    assert request.budget is not None
    ps = (request.p,) if request.index == "banzhaf" else SHAPLEY_MIXTURE
    return *image_masks(game, request.budget, ps, request.seed), ps  # type: ignore[arg-type]


def _kernel(
    game: SetGame, request: Request, masks: BoolArray, weights: FloatArray, drawn: tuple[float, ...]
) -> Explanation:
    """The kernel estimator: one side has standardised values as embeddings of one dimension, the other no players."""
    try:
        values = game(masks, request.progress)
    except KeyboardInterrupt:
        known = game.known(masks)
        if known.sum() < FEWEST_MASKS:
            raise
        told = f"{known.sum():,} of {len(masks):,} coalitions"
        warnings.warn(f"interrupted: going on with the {told} asked about so far.", stacklevel=3)
        drawn = (0.5,) if len(masks) == 2**game.n_players else drawn  # all of them, in random order
        masks, weights = masks[known], weights[known]
        values = game(masks)
    centre, spread = float(values.mean()), float(values.std())
    if spread <= _ROUNDING * np.abs(values).max():  # nothing but rounding errors
        centre, spread, values = float(values[0]), 1.0, np.full(len(values), values[0])
    weights = weights / weights.sum() if weights.any() else np.full(len(masks), 1 / len(masks))
    one = Side(masks, weights, (values - centre)[:, None] / spread, drawn)
    other = Side(np.zeros((1, 0), bool), np.ones(1), np.ones((1, 1)), drawn)
    answers = Answers(game.subject, one, other, spread, centre, request.seed)
    found: Explanation = METHODS["kernel"].run(answers, replace(request, budget=len(masks)))
    return found
