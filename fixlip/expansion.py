"""Expansion: a constant, an attribution per player, an interaction per pair; the numbers and their algebra."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .claims import AVERAGES, Names, rounding
from .masks import BoolArray, FloatArray, check_count, check_masks, quadratic
from .pictures.drawing import tell
from .subject import Subject

KINDS = ("crossmodal", "pairs", "players", "all", "coefficients")
E = TypeVar("E", bound="Expansion")


class Term(NamedTuple):
    """One entry of an expansion: one or two players, their names, value and standard error, in the expansion's unit."""

    players: tuple[int, ...]
    labels: tuple[str, ...]
    value: float
    stderr: float | None = None


@dataclass(frozen=True, eq=False)
class Expansion(ABC):
    """A game of second order over the players of a subject.

        prediction(x) = constant + sum_i attributions[i] x_i + sum_{i<j} interactions[i, j] x_i x_j

    All its numbers are in one unit: in logits, or in a method's own (see `unit_name`), where they predict nothing.

    Attributes:
        constant: prediction for the empty coalition.
        attributions: (n,), one per player.
        interactions: (n, n), symmetric, zero on the diagonal.
        subject: whose players they are.
        order: 2, or 1 where interactions are no part of it.
        stderr: standard errors of attributions (n,) and interactions (n, n), where they are known.
    """

    constant: float
    attributions: FloatArray
    interactions: FloatArray
    subject: Subject
    order: int = field(default=2, kw_only=True)
    stderr: tuple[FloatArray, FloatArray] | None = field(default=None, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        n = self.subject.n_players
        for name, wanted in (("attributions", (n,)), ("interactions", (n, n))):
            object.__setattr__(self, name, frozen(name, getattr(self, name), wanted))
        if not np.isfinite(self.constant):
            raise ValueError(f"constant: got {self.constant!r}, wanted a finite number.")
        if np.diagonal(self.interactions).any() or not np.array_equal(self.interactions, self.interactions.T):
            raise ValueError("interactions: wanted a symmetric array with a zero diagonal.")
        if self.order not in (1, 2) or isinstance(self.order, bool):
            raise ValueError(f"order: got {self.order!r}, wanted 1 or 2.")
        if self.order == 1 and self.interactions.any():
            raise ValueError("order: got 1 with interactions; wanted 2, or interactions that are all zero.")
        if self.stderr is not None:
            single, pairs = self.stderr
            errors = (frozen("stderr", single, (n,), 0.0), frozen("stderr", pairs, (n, n), 0.0))
            object.__setattr__(self, "stderr", errors)

    # ---- whose they are

    @property
    def n_image(self) -> int:
        """Number of image players; they come first."""
        return self.subject.n_image

    @property
    def n_text(self) -> int:
        """Number of text players."""
        return self.subject.n_text

    @property
    def n_players(self) -> int:
        """Number of players."""
        return self.subject.n_players

    @property
    def labels(self) -> tuple[str, ...]:
        """One name per player."""
        return self.subject.labels

    @property
    def grid(self) -> tuple[int, int] | None:
        """(rows, columns) of the patches."""
        return self.subject.grid

    @property
    def image(self) -> NDArray[np.uint8] | None:
        """What the model sees of the image, uint8 (height, width, 3)."""
        return self.subject.image

    @property
    def text(self) -> str:
        """The caption."""
        return self.subject.text

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.subject.model

    @property
    def notes(self) -> tuple[str, ...]:
        """What readers should know of the image and of the caption: words that the model does not know, say."""
        return self.subject.notes

    # ---- what it is of, which depends on how it came about

    @property
    @abstractmethod
    def empty_value(self) -> float:
        """What the model says of the empty coalition (logit); NaN if that is not known."""

    @property
    @abstractmethod
    def full_value(self) -> float:
        """What the model says of the grand coalition (logit); NaN if that is not known."""

    @property
    def how(self) -> tuple[str, ...]:
        """How it came about, as many words as all of its kind have; empty words for what it has not."""
        return ()

    @property
    def unit_name(self) -> str:
        """The unit of its numbers: "logits", or "scores of" a method; numbers of different units do not compare."""
        return "logits"

    @property
    def names(self) -> Names:
        """What its numbers are called."""
        return AVERAGES

    @property
    def predicts(self) -> bool:
        """Whether its numbers are logits that add up to a prediction of the similarity."""
        return self.unit_name == "logits"

    @cached_property
    def largest(self) -> float | None:
        """The largest absolute value of a player or pair, told as 1.00; None for logits, which are told as they are."""
        if self.predicts:
            return None
        found = max(float(np.abs(one).max(initial=0.0)) for one in (self.values, self.interactions))
        return found or 1.0

    def told(self, value: float, stderr: float | None = None) -> str:
        """A value as texts and pictures tell it: in logits, or where it predicts nothing relative to `largest`."""
        return tell(value, stderr, self.largest)

    @property
    @abstractmethod
    def headline(self) -> str:
        """What it is of, in a word and a number."""

    @property
    def verdict(self) -> str:
        """What belongs behind the headline; nothing where that is as expected."""
        return ""

    @property
    def shown(self) -> str:
        """What a picture of its values shows, in a few words."""
        return "what each part contributes" + ("" if self.order == 1 else ", and what goes together")

    def remarks(self) -> tuple[str, ...]:
        """Sentences that belong beside the numbers."""
        return self.notes

    @abstractmethod
    def facts(self) -> list[str]:
        """How it came about, the most important first; the lines below a picture's title."""

    @property
    @abstractmethod
    def values(self) -> FloatArray:
        """Contribution of each player, (n,): how much adding it changes the value on average; or a score of each."""

    @property
    @abstractmethod
    def value_stderr(self) -> FloatArray | None:
        """Standard errors of the values, (n,), where they are known."""

    @abstractmethod
    def first_order(self) -> Expansion:
        """The best one without interactions."""

    @abstractmethod
    def __sub__(self, other: Any) -> Expansion: ...

    # ---- views

    def predict(self, masks: BoolArray) -> FloatArray:
        """Its predictions of masks (m, n_players), logits of shape (m,).

        Raises:
            ValueError: if its numbers are no logits, and so predict nothing; `totals` ranks masks.
        """
        self._check_predicts("predict")
        return self.totals(masks)

    def _check_predicts(self, what: str) -> None:
        if not self.predicts:
            raise ValueError(
                f"{what}: {self.unit_name} are no logits and predict no similarity; totals(masks) adds them up."
            )

    def totals(self, masks: BoolArray) -> FloatArray:
        """Constant and sum of all that lies within each mask (m, n_players), of shape (m,); what ranks masks."""
        return quadratic(check_masks(masks, self.n_players), self.constant, self.attributions, self.interactions)

    def condition(self, player: int | str) -> FloatArray:
        """Interactions of one player with every other, (n,).

        Args:
            player: its number, or its label where no two players share it.
        """
        return np.array(self.interactions[self.find(player)])

    def crossmodal(self) -> FloatArray:
        """Interactions of every patch with every token, (n_image, n_text)."""
        return self.interactions[: self.n_image, self.n_image :].copy()

    def restrict(self: E, players: Iterable[int | str]) -> E:
        """The same with everything left out that involves a player outside `players`.

        Args:
            players: numbers or labels; one number or label alone will do.
        """
        inside = np.zeros(self.n_players, bool)
        inside[self.find_all(players)] = True
        return replace(
            self,
            attributions=np.where(inside, self.attributions, 0.0),
            interactions=np.where(np.outer(inside, inside), self.interactions, 0.0),
        )

    def find(self, player: int | str) -> int:
        """The number of a player, given its number or its label; a token's label is looked up among tokens first."""
        if isinstance(player, str):
            found = [i for i, label in enumerate(self.labels) if label == player]
            if len(found) == 1:
                return found[0]
            if not found:
                tokens = ", ".join(self.labels[self.n_image :])
                raise ValueError(f"player: {player!r} is no player; the tokens are: {tokens}.")
            raise ValueError(f"player: {player!r} stands for players {found}; give the number instead.")
        if isinstance(player, bool) or not isinstance(player, int | np.integer):
            raise ValueError(f"player: got {player!r}, wanted a player's number or label.")
        if not 0 <= player < self.n_players:
            raise ValueError(f"player: got {player}, wanted a number from 0 to {self.n_players - 1}.")
        return int(player)

    def find_all(self, players: Iterable[int | str]) -> list[int]:
        """The numbers of several players."""
        if isinstance(players, str | int | np.integer):
            players = [players]
        if not isinstance(players, Iterable):
            raise ValueError(f"players: got {type(players).__name__}, wanted a list of numbers or labels.")
        return [self.find(player) for player in players]

    # ---- terms

    def top(self, k: int = 10, *, kind: str = "crossmodal") -> list[Term]:
        """The `k` strongest terms, largest absolute value first; without those that are nothing but rounding errors.

        Args:
            k: how many, at most.
            kind: "crossmodal" (patch with token), "pairs" (any two players), "players" (their values), "all" (values
                and pairs), or "coefficients" (attributions, which are no contributions: see `fixlip.Explanation`).
        """
        k = check_count(k, "k")
        least = rounding(self.constant, self.attributions, self.interactions) if self.predicts else 0.0
        return [term for term in self._strongest(k, kind) if abs(term.value) > least]

    def _strongest(self, k: int, kind: str) -> list[Term]:
        """The `k` strongest terms that are not zero."""
        if kind not in KINDS:
            raise ValueError(f"kind: got {kind!r}, wanted one of {', '.join(KINDS)}.")
        terms: list[tuple[float, tuple[int, ...]]] = []
        if kind in ("players", "all", "coefficients"):
            single = self.attributions if kind == "coefficients" else self.values
            terms += [(float(value), (i,)) for i, value in enumerate(single)]
        if kind not in ("players", "coefficients"):
            first, second = np.triu_indices(self.n_players, 1)
            if kind == "crossmodal":
                crosses = (first < self.n_image) & (second >= self.n_image)
                first, second = first[crosses], second[crosses]
            values = self.interactions[first, second]
            strongest = np.argsort(-np.abs(values), kind="stable")[:k]
            terms += [(float(values[s]), (int(first[s]), int(second[s]))) for s in strongest]
        terms.sort(key=lambda term: -abs(term[0]))
        coefficients, pairs = self.stderr or (None, None)
        errors = (coefficients if kind == "coefficients" else self.value_stderr, pairs)
        return [self._term(players, value, errors[len(players) - 1]) for value, players in terms[:k] if value]

    def _term(self, players: tuple[int, ...], value: float, errors: FloatArray | None) -> Term:
        error = None if errors is None else float(errors[players])
        return Term(players, tuple(self.labels[i] for i in players), value, error)

    def table(self, kind: str = "all") -> dict[str, list[Any]]:
        """All terms but zeros as columns, strongest first: pandas.DataFrame(explanation.table()) makes a data frame.

        Columns: what the term is ("patch", "token", "patch with token", ...); then for its first and, in pairs, its
        second player the number, the label, row and column of a patch, and the place of a token in the caption (all
        counted from one but the number, which counts from zero); value, standard error and the unit of both, "logits"
        or "scores of" a method, which are told as they are, not relative to the largest. What does not apply is None.

        Args:
            kind: "all", "players", "pairs", "crossmodal" or "coefficients", as in `top`.
        """
        terms = self._strongest(self.n_players * (self.n_players + 1) // 2 + 1, kind)
        columns: dict[str, list[Any]] = {"kind": []}
        for term in terms:
            columns["kind"].append(" with ".join(self.subject.units[i >= self.n_image] for i in term.players))
        for place, suffix in enumerate(("first", "second")):
            at = [term.players[place] if place < len(term.players) else None for term in terms]
            columns |= {f"{suffix}_{name}": values for name, values in self._describe(at).items()}
        columns["value"] = [term.value for term in terms]
        columns["stderr"] = [term.stderr for term in terms]
        columns["unit"] = [self.unit_name for _ in terms]
        return columns

    def _describe(self, players: list[int | None]) -> dict[str, list[Any]]:
        """Columns that tell players apart, also where two have one label."""
        rows: list[tuple[Any, ...]] = []
        for i in players:
            is_patch = i is not None and i < self.n_image
            row, column = divmod(i, self.grid[1]) if is_patch and self.grid and i is not None else (None, None)
            counted = [None if one is None else one + 1 for one in (row, column)]
            token = None if i is None or is_patch else i - self.n_image + 1
            rows.append((i, None if i is None else self.labels[i], *counted, token))
        names = ("player", "label", "row", "column", "token")
        return {name: [row[k] for row in rows] for k, name in enumerate(names)}


def frozen(name: str, values: Any, shape: tuple[int, ...], least: float = -np.inf) -> FloatArray:
    """A copy that nobody can change; ValueError unless it has this shape and finite real numbers."""
    given = np.asarray(values)
    if given.dtype.kind not in "fiub":
        raise ValueError(f"{name}: got entries of type {given.dtype}, wanted real numbers.")
    if given.shape != shape:
        raise ValueError(f"{name}: got shape {given.shape}, wanted {shape} for {shape[0]} players.")
    array = given.astype(np.float64)
    if not np.isfinite(array).all() or (array < least).any():
        wanted = "" if least == -np.inf else f", or below {least:g}"
        raise ValueError(f"{name}: got values that are not finite{wanted}.")
    array.flags.writeable = False
    return array
