"""Expansion: a constant, numbers of players, of pairs and of triples; and their algebra."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .claims import AVERAGES, Names, rounding
from .masks import BoolArray, FloatArray, check_count, check_masks, quadratic
from .pictures.drawing import tell
from .subject import Subject
from .terms import Term, columns_of, strongest
from .triples import cubic, frozen_triples

E = TypeVar("E", bound="Expansion")


@dataclass(frozen=True, eq=False)
class Expansion(ABC):
    """A game of second order over the players of a subject, or of third.

        prediction(x) = constant + sum_i attributions[i] x_i + sum_{i<j} interactions[i, j] x_i x_j
                        + sum_{i<j<k} triples[i, j, k] x_i x_j x_k

    All its numbers are in one unit: in logits, or in a method's own (see `unit_name`), where they predict nothing.

    Attributes:
        constant: prediction for the empty coalition.
        attributions: (n,), one per player.
        interactions: (n, n), symmetric, zero on the diagonal.
        subject: whose players they are.
        order: 2, or 1 where interactions are no part of it, or 3 with triples.
        stderr: standard errors of attributions (n,) and interactions (n, n), where they are known.
        triples: (n, n, n), symmetric, zero where two players coincide; None below order 3.
        pair_errors, triple_errors: standard errors of `pair_values` (n, n) and triples (n, n, n), where they are known;
            below order 3 the former are those of the interactions (see `pair_stderr`).
    """

    constant: float
    attributions: FloatArray
    interactions: FloatArray
    subject: Subject
    order: int = field(default=2, kw_only=True)
    stderr: tuple[FloatArray, FloatArray] | None = field(default=None, kw_only=True, repr=False)
    triples: FloatArray | None = field(default=None, kw_only=True, repr=False)
    pair_errors: FloatArray | None = field(default=None, kw_only=True, repr=False)
    triple_errors: FloatArray | None = field(default=None, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        n = self.subject.n_players
        for name, wanted in (("attributions", (n,)), ("interactions", (n, n))):
            object.__setattr__(self, name, frozen(name, getattr(self, name), wanted))
        if not np.isfinite(self.constant):
            raise ValueError(f"constant: got {self.constant!r}, wanted a finite number.")
        if np.diagonal(self.interactions).any() or not np.array_equal(self.interactions, self.interactions.T):
            raise ValueError("interactions: wanted a symmetric array with a zero diagonal.")
        if self.order not in (1, 2, 3) or isinstance(self.order, bool):
            raise ValueError(f"order: got {self.order!r}, wanted 1, 2 or 3.")
        if (self.order == 3) != (self.triples is not None):
            raise ValueError(f"order: got {self.order}; wanted 3 with triples, and 1 or 2 without.")
        if self.order == 1 and self.interactions.any():
            raise ValueError("order: got 1 with interactions; wanted 2, or interactions that are all zero.")
        if self.stderr is not None:
            single, pairs = self.stderr
            errors = (frozen("stderr", single, (n,), 0.0), frozen("stderr", pairs, (n, n), 0.0))
            object.__setattr__(self, "stderr", errors)
        if self.pair_errors is not None:
            object.__setattr__(self, "pair_errors", frozen("pair_errors", self.pair_errors, (n, n), 0.0))
        for name, least in (("triples", -np.inf), ("triple_errors", 0.0)):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, frozen_triples(name, getattr(self, name), n, least))

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
        """The largest absolute value of all, told as 1.00; None for logits, which are told as they are."""
        if self.predicts:
            return None
        numbers = (self.values, self.pair_values, *([] if self.triples is None else [self.triples]))
        found = max(float(np.abs(one).max(initial=0.0)) for one in numbers)
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

    @property
    @abstractmethod
    def pair_values(self) -> FloatArray:
        """What each pair does together on average, (n, n): the interactions, where there are no triples."""

    @property
    def pair_stderr(self) -> FloatArray | None:
        """Standard errors of `pair_values`, (n, n), where they are known."""
        return self.pair_errors if self.stderr is None or self.order == 3 else self.stderr[1]

    @abstractmethod
    def first_order(self) -> Expansion:
        """The best one without interactions."""

    @abstractmethod
    def second_order(self) -> Expansion:
        """The best one without triples; itself, where it has none."""

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
        masks = check_masks(masks, self.n_players)
        found = quadratic(masks, self.constant, self.attributions, self.interactions)
        return found if self.triples is None else found + cubic(masks, self.triples)

    def condition(self, player: int | str | Sequence[int | str], other: int | str | None = None) -> FloatArray:
        """Interactions of one player with every other, (n,); or triples of two players with every other, (n,).

        They are averages over what else is present: `pair_values`, or `triples`.

        Args:
            player: its number, or its label where no two players share it; or two of them.
            other: the other one, for triples.

        Raises:
            ValueError: if there is no such player, or triples are asked for and there are none.
        """
        given = player if isinstance(player, tuple | list) else (player,)
        chosen = [self.find(one) for one in (*given, *(() if other is None else (other,)))]
        if len(chosen) == 1:
            return np.array(self.pair_values[chosen[0]])
        if len(chosen) != 2 or chosen[0] == chosen[1]:
            raise ValueError(f"condition: got players {chosen}, wanted one or two different ones.")
        if self.triples is None:
            raise ValueError(
                f"condition: got two players, which takes an explanation of order 3; this one is of order {self.order}."
            )
        return np.array(self.triples[chosen[0], chosen[1]])

    def crossmodal(self) -> FloatArray:
        """Interactions of every patch with every token, (n_image, n_text), as `pair_values` has them."""
        return self.pair_values[: self.n_image, self.n_image :].copy()

    def restrict(self: E, players: Iterable[int | str]) -> E:
        """The same with everything left out that involves a player outside `players`.

        Args:
            players: numbers or labels; one number or label alone will do.
        """
        inside = np.zeros(self.n_players, bool)
        inside[self.find_all(players)] = True
        pairs = np.outer(inside, inside)
        triples = None if self.triples is None else np.where(pairs[:, :, None] & inside, self.triples, 0.0)
        return replace(
            self,
            attributions=np.where(inside, self.attributions, 0.0),
            interactions=np.where(pairs, self.interactions, 0.0),
            triples=triples,
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
            kind: "crossmodal" (patch with token), "pairs" (any two players), "players" (their values), "triples" (any
                three players), "word-pairs" (two tokens with a patch), "all" (values, pairs, and triples where there
                are), or "coefficients" (attributions, which are no contributions: see `fixlip.Explanation`).
        """
        k = check_count(k, "k")
        found = strongest(self, k, kind)
        triples = [] if self.triples is None else [self.triples]
        least = rounding(self.constant, self.attributions, self.interactions, *triples) if self.predicts else 0.0
        return [term for term in found if abs(term.value) > least]

    def table(self, kind: str = "all") -> dict[str, list[Any]]:
        """All terms but zeros as columns, strongest first: pandas.DataFrame(explanation.table()) makes a data frame.

        Columns: what the term is ("patch", "token", "patch with token", ...); then for its first and, in pairs, its
        second player (and in explanations of third order the third) the number, the label, row and column of a patch,
        and the place of a token in the caption (all counted from one but the number, which counts from zero); value,
        standard error and the unit of both, "logits" or "scores of" a method, which are told as they are, not relative
        to the largest. What does not apply is None.

        Args:
            kind: as in `top`. All 1.4 million triples of 14 x 14 patches and 10 tokens take a minute and 1 GB;
                "word-pairs" are few.
        """
        return columns_of(self, kind)


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
