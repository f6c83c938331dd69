"""Explanation: a constant, an attribution per player, an interaction per pair; and every view of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import files
from .masks import BoolArray, FloatArray, check_count, check_masks, check_p
from .players import Players

if TYPE_CHECKING:
    from .pictures import Picture
    from .subsets import Subsets


class Term(NamedTuple):
    """One entry of an explanation: one or two players, their names, value and standard error in logits."""

    players: tuple[int, ...]
    labels: tuple[str, ...]
    value: float
    stderr: float | None = None


@dataclass(frozen=True, eq=False)
class Explanation:
    """The second-order game that fits the model's similarity best when every player is present with probability p.

        prediction(x) = constant + sum_i attributions[i] x_i + sum_{i<j} interactions[i, j] x_i x_j

    These are weighted Banzhaf interactions (Baniecki et al., NeurIPS 2025, Section 3): an interaction is how much more,
    or less, two players change the similarity together than they do one by one, on average over what else is present.

    Attributes:
        constant: prediction when nobody is present (logit).
        attributions: (n,) logits, one a player.
        interactions: (n, n) logits, symmetric, zero on the diagonal.
        players: who they are.
        p: presence probability of the fit; one half for Shapley indices, where only the first-order conversion uses it.
        index: "banzhaf" (weighted Banzhaf interactions at p), "shapley" (faithful Shapley interactions) or "sii"
            (Shapley interactions, with attributions such that all adds up to the full value).
        order: 2, or 1 where interactions are no part of it.
        estimator: how it was computed.
        budget: how many masked images (or masks) were encoded.
        stderr: standard errors of attributions (n,) and interactions (n, n), where the estimator gives them. How often
            they are right is measured by tests/benchmarks/coverage.py.
        expected_faithfulness: R squared expected on masks not seen, where the estimator gives it.
    """

    constant: float
    attributions: FloatArray
    interactions: FloatArray
    players: Players
    p: float = 0.5
    index: str = "banzhaf"
    order: int = 2
    estimator: str = ""
    budget: int | None = None
    stderr: tuple[FloatArray, FloatArray] | None = field(default=None, repr=False)
    expected_faithfulness: float | None = None

    def __post_init__(self) -> None:
        check_p(self.p)
        n = self.players.n_players
        shapes = {"attributions": (n,), "interactions": (n, n)}
        for name, wanted in shapes.items():
            array = np.asarray(getattr(self, name), dtype=np.float64)
            if array.shape != wanted:
                raise ValueError(f"{name}: got shape {array.shape}, wanted {wanted} for {n} players.")
            if not np.isfinite(array).all():
                raise ValueError(f"{name}: got values that are not finite.")
            object.__setattr__(self, name, array)
        if not np.isfinite(self.constant):
            raise ValueError(f"constant: got {self.constant!r}, wanted a finite number.")
        if np.diagonal(self.interactions).any() or not np.array_equal(self.interactions, self.interactions.T):
            raise ValueError("interactions: wanted a symmetric array with a zero diagonal.")

    # ---- who plays

    @property
    def n_image(self) -> int:
        """Number of image players; they come first."""
        return self.players.n_image

    @property
    def n_text(self) -> int:
        """Number of text players."""
        return self.players.n_text

    @property
    def n_players(self) -> int:
        """Number of players."""
        return self.players.n_players

    @property
    def labels(self) -> tuple[str, ...]:
        """One name a player."""
        return self.players.labels

    @property
    def grid(self) -> tuple[int, int] | None:
        """(rows, columns) of the patches."""
        return self.players.grid

    @property
    def image(self) -> NDArray[np.uint8] | None:
        """What the model sees of the image, uint8 (height, width, 3)."""
        return self.players.image

    @property
    def text(self) -> str:
        """The caption."""
        return self.players.text

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.players.model

    @property
    def empty_value(self) -> float:
        """What the model says when nobody is present (logit)."""
        return self.players.empty_value

    @property
    def full_value(self) -> float:
        """What the model says when everybody is present (logit)."""
        return self.players.full_value

    # ---- views

    def predict(self, masks: BoolArray) -> FloatArray:
        """What the explanation says of masks (m, n_players): approximates `game(masks)`, logits of shape (m,)."""
        present = check_masks(masks, self.n_players).astype(np.float64)
        pairs = 0.5 * np.einsum("mi,mi->m", present @ self.interactions, present)
        return np.asarray(self.constant + present @ self.attributions + pairs)

    def first_order(self) -> Explanation:
        """The best explanation without interactions: weighted Banzhaf values, in the same coordinates.

        a_i = e_i + p sum_j e_ij, exactly (Baniecki et al., NeurIPS 2025, Theorem 1), and the constant that goes with it
        under the p-measure, e_0 - p^2 sum_{i<j} e_ij. For Shapley interactions of either kind a_i = e_i + 1/2 sum_j
        e_ij are Shapley values, and the constant stays the value of the empty coalition.
        """
        values = self.attributions + self.p * self.interactions.sum(axis=1)
        shapley = self.index != "banzhaf"
        constant = self.constant - (0.0 if shapley else self.p**2 * self.interactions.sum() / 2)
        none = np.zeros_like(self.interactions)
        return replace(
            self,
            constant=constant,
            attributions=values,
            interactions=none,
            order=1,
            stderr=None,
            expected_faithfulness=None,
        )

    def condition(self, player: int | str) -> FloatArray:
        """Interactions of one player with every other, (n,) logits.

        Args:
            player: its number, or its label where no two players share it.
        """
        return np.array(self.interactions[self.find(player)])

    def crossmodal(self) -> FloatArray:
        """Interactions of every patch with every token, (n_image, n_text) logits."""
        return self.interactions[: self.n_image, self.n_image :].copy()

    def top(self, k: int = 10, *, kind: str = "crossmodal") -> list[Term]:
        """The `k` strongest terms, largest absolute value first.

        Args:
            k: how many, at most.
            kind: "crossmodal" (patch with token), "pairs" (any two players), "players" (attributions), or "all".
        """
        k = check_count(k, "k")
        kinds = ("crossmodal", "pairs", "players", "all")
        if kind not in kinds:
            raise ValueError(f"kind: got {kind!r}, wanted one of {', '.join(kinds)}.")
        terms: list[tuple[float, tuple[int, ...]]] = []
        if kind in ("players", "all"):
            terms += [(float(value), (i,)) for i, value in enumerate(self.attributions)]
        if kind != "players":
            first, second = np.triu_indices(self.n_players, 1)
            if kind == "crossmodal":
                crosses = (first < self.n_image) & (second >= self.n_image)
                first, second = first[crosses], second[crosses]
            values = self.interactions[first, second]
            strongest = np.argsort(-np.abs(values), kind="stable")[:k]
            terms += [(float(values[s]), (int(first[s]), int(second[s]))) for s in strongest]
        terms.sort(key=lambda term: -abs(term[0]))
        return [self._term(players, value) for value, players in terms[:k] if value]

    def restrict(self, players: Iterable[int | str]) -> Explanation:
        """The explanation with everything left out that involves a player outside `players`."""
        inside = np.zeros(self.n_players, bool)
        inside[[self.find(player) for player in players]] = True
        return replace(
            self,
            attributions=np.where(inside, self.attributions, 0.0),
            interactions=np.where(np.outer(inside, inside), self.interactions, 0.0),
            expected_faithfulness=None,
        )

    def highest(self, size: int) -> BoolArray:
        """The subset of `size` players with the highest predicted value that was found, a mask (n,); see `subsets`."""
        return self._subset(size, "highest")

    def lowest(self, size: int) -> BoolArray:
        """The subset of `size` players with the lowest predicted value that was found, a mask (n,); see `subsets`."""
        return self._subset(size, "lowest")

    def _subset(self, size: int, side: str) -> BoolArray:
        if not 1 <= check_count(size, "size") <= self.n_players:
            raise ValueError(f"size: got {size}, wanted a whole number from 1 to {self.n_players}.")
        return np.array(getattr(self.subsets, side)[size - 1])

    @cached_property
    def subsets(self) -> Subsets:
        """Subsets of highest and lowest value for every size; exact for at most 16 players (see `fixlip.subsets`)."""
        from .subsets import subsets

        first_order = self.first_order().attributions
        return subsets(self.constant, self.attributions, self.interactions, first_order=first_order)

    def __sub__(self, other: Explanation) -> Explanation:
        """The difference of two explanations with as many players; names and picture are the first one's."""
        if not isinstance(other, Explanation):
            return NotImplemented
        if (self.n_image, self.n_text) != (other.n_image, other.n_text):
            raise ValueError(
                f"difference: got {self.n_image} + {self.n_text} and {other.n_image} + {other.n_text} players; "
                "wanted as many on either side."
            )
        return replace(
            self,
            constant=self.constant - other.constant,
            attributions=self.attributions - other.attributions,
            interactions=self.interactions - other.interactions,
            order=max(self.order, other.order),
            estimator=f"difference of {self.estimator} and {other.estimator}",
            players=replace(
                self.players,
                empty_value=self.empty_value - other.empty_value,
                full_value=self.full_value - other.full_value,
            ),
            stderr=None,
            expected_faithfulness=None,
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

    def _term(self, players: tuple[int, ...], value: float) -> Term:
        error = None
        if self.stderr is not None:
            error = float(self.stderr[len(players) - 1][players])
        return Term(players, tuple(self.labels[i] for i in players), value, error)

    def table(self, kind: str = "all") -> dict[str, list[Any]]:
        """All terms but zeros as columns, strongest first: pandas.DataFrame(explanation.table()) makes a data frame.

        Args:
            kind: "all", "players", "pairs" or "crossmodal", as in `top`.
        """
        terms = self.top(self.n_players * (self.n_players + 1) // 2 + 1, kind=kind)
        return {
            "players": [term.players for term in terms],
            "labels": [" with ".join(term.labels) for term in terms],
            "value": [term.value for term in terms],
            "stderr": [term.stderr for term in terms],
        }

    def to_shapiq(self) -> Any:
        """A `shapiq.InteractionValues` with the same numbers; wants shapiq installed."""
        from .interchange import to_shapiq

        return to_shapiq(self)

    # ---- words and pictures

    def summary(self, k: int = 5) -> str:
        """The explanation in words: the similarity and its strongest interactions."""
        lines = [
            f'Why {self.model or "the model"} finds the image and "{self.text}" similar '
            f"({self.n_image} patches, {self.n_text} tokens)",
            f"similarity {self.full_value:.2f}, of which {self.empty_value:.2f} remain with everything removed "
            f"(logits); p = {self.p:g}, {self.estimator}" + (f", {self.budget:,} masked images" if self.budget else ""),
        ]
        if self.expected_faithfulness is not None:
            lines.append(f"expected faithfulness (R squared on unseen masks): {self.expected_faithfulness:.3f}")
        if self.order == 1:
            lines.append("strongest players:")
            return "\n".join(lines + [f"  {_signed(term)}  {term.labels[0]}" for term in self.top(k, kind="players")])
        lines.append("strongest interactions between caption and image:")
        lines += [f'  {_signed(term)}  "{term.labels[1]}" with {term.labels[0]}' for term in self.top(k)]
        return "\n".join(lines)

    def draw(self, **options: Any) -> Picture:
        """The picture of this explanation, for a notebook or to `save`; options as in `fixlip.pictures.draw`."""
        from .pictures import Picture, alt_text, draw

        return Picture(draw(self, **options), alt_text(self, options.get("condition")))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from .pictures import Picture, draw

        return Picture(draw(self), self.summary())._repr_mimebundle_()

    def __repr__(self) -> str:
        return (
            f"Explanation({self.text!r}: {self.n_image} + {self.n_text} players, {self.index}, order {self.order}, "
            f"p={self.p:g})"
        )

    # ---- files

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the explanation, picture included, as a NumPy archive (.npz) without pickle.

        The file is written beside its place and then moved there, so that a failed save harms no earlier file.
        """
        arrays: dict[str, NDArray[Any]] = {"attributions": self.attributions, "interactions": self.interactions}
        if self.stderr is not None:
            arrays["stderr_attributions"], arrays["stderr_interactions"] = self.stderr
        return files.write(path, arrays, {name: getattr(self, name) for name in _OWN_FACTS}, self.players)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Explanation:
        """Read what `save` wrote.

        Raises:
            ValueError: one sentence, if there is no such file or it is no saved explanation.
        """
        arrays, facts, players = files.read(path, "explanation", ("attributions", "interactions"))
        stderr = None
        if "stderr_attributions" in arrays:
            stderr = (arrays["stderr_attributions"], arrays["stderr_interactions"])
        try:
            return cls(
                attributions=arrays["attributions"],
                interactions=arrays["interactions"],
                players=players,
                stderr=stderr,
                **{name: facts[name] for name in _OWN_FACTS},
            )
        except (KeyError, ValueError) as error:
            raise ValueError(f"path: {str(path)!r} is no saved explanation ({error}).") from None


_OWN_FACTS = ("constant", "p", "index", "order", "estimator", "budget", "expected_faithfulness")


def _signed(term: Term) -> str:
    error = "" if term.stderr is None else f" ± {term.stderr:.2f}"
    return f"{term.value:+.2f}{error}"
