"""Explanation: the expansion that fits a model's similarity best, how it came about, its pictures and files."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from . import saving
from .claims import Claims, Names
from .difference import Difference
from .estimators.indices import SCORES, check_index
from .expansion import Expansion, frozen
from .heatmap import patch_scores, word_scores
from .interchange import from_shapiq, to_shapiq
from .jackknife import Jackknife
from .masks import BoolArray, FloatArray, check_count, check_p
from .pictures import Picture, picture
from .pictures.words import model_name
from .scores import ScoreClaims
from .subject import AnyGame, Subject, end_values
from .subsets import Subsets, subsets
from .terms import Term

UNITS = ("logits", "scores")


@dataclass(frozen=True, eq=False)
class Explanation(Expansion):
    """The second-order game that fits the model's similarity best when every player is present with probability p.

        prediction(x) = constant + sum_i attributions[i] x_i + sum_{i<j} interactions[i, j] x_i x_j

    These are weighted Banzhaf interactions (Baniecki et al., NeurIPS 2025, Section 3): an interaction is how much more,
    or less, two players change the similarity together than they do one by one, on average over what else is present.
    `predict(masks)` approximates `game(masks)`.

    Attributes:
        constant: prediction for the empty coalition (logit).
        attributions: (n,) logits, one per player.
        interactions: (n, n) logits, symmetric, zero on the diagonal.
        subject: whose players they are.
        order: 2, or 1 where interactions are no part of it, or 3 with triples.
        triples: (n, n, n) logits, symmetric, zero where two players coincide; None below order 3 (see below).
        stderr: standard errors of attributions (n,) and interactions (n, n), where the estimator gives them; none at
            order 3. How often they are right is measured by tests/benchmarks/coverage.py.
        pair_errors, triple_errors: at order 3, standard errors of `pair_values` (n, n) and `triples` (n, n, n), logits.
        p: presence probability of the fit; one half for Shapley indices, where only the first-order conversion uses it.
        index: "banzhaf" (weighted Banzhaf interactions at p), "shapley" (faithful Shapley interactions, FSII) or "sii"
            (Shapley interactions, with attributions such that all adds up to the full value, k-SII). Numbers that no
            average over coalitions stands behind have the index "scores".
        unit: "logits", or "scores" where the numbers are in a unit of the method's own: then they rank players and
            pairs, predict no similarity, and are no contributions, whatever is said of logits here.
        estimator: how it was computed.
        budget: how many masks the model was asked about.
        counts: what the budget counts, "masked images" or "coalitions".
        expected_faithfulness: R squared expected on masks not seen, where the estimator gives it.
        ended: what ended the rounds in which masks were drawn, a sentence; empty where all were drawn at once.
        empty_value, full_value: what the model says of the empty and of the grand coalition (logits).
        value_errors: standard errors of `values`, (n,) logits, where the estimator gives them.
        changes: what leaving out each sample changes in its numbers, where the estimator gives it; for the errors of
            differences (see `fixlip.jackknife`). Files do not hold it.
        whole: False if players were left out, as `restrict` does; then nothing is claimed of the pair.

    The same game written around p says what its numbers mean:

        prediction(x) = average + sum_i values[i] (x_i - p) + sum_{i<j} interactions[i, j] (x_i - p) (x_j - p)

    That is the second-order Taylor expansion, at (p, ..., p), of the multilinear extension of the value function (Owen,
    Management Science 1972): the constant is the average value, the first derivatives are the weighted Banzhaf values,
    and the second derivatives are the weighted Banzhaf interactions. So a player's *contribution* is its value: how
    much the similarity changes on average when it joins others that are each present with probability p. Attributions
    are coefficients: what is left of the value when everybody else is taken away along the fitted parabola, which is
    an extrapolation and may even have the other sign.

    At order 3 the expansion goes on with sum_{i<j<k} triples[i, j, k] x_i x_j x_k, and around p the same triples stand
    with (x_i - p)(x_j - p)(x_k - p), weighted Banzhaf interactions of three players. Values and average interactions
    stay what they are, and `values` and `pair_values` hold them; attributions and interactions become coefficients of
    the cubic. Everything that shows or ranks pairs shows `pair_values`. `second_order()` leaves the triples out.
    """

    p: float = field(default=0.5, kw_only=True)
    index: str = field(default="banzhaf", kw_only=True)
    unit: str = field(default="logits", kw_only=True)
    estimator: str = field(default="", kw_only=True)
    budget: int | None = field(default=None, kw_only=True)
    counts: str = field(default="masked images", kw_only=True)
    expected_faithfulness: float | None = field(default=None, kw_only=True)
    ended: str = field(default="", kw_only=True)
    empty_value: float = field(default=float("nan"), kw_only=True)
    full_value: float = field(default=float("nan"), kw_only=True)
    value_errors: FloatArray | None = field(default=None, kw_only=True, repr=False)
    changes: Jackknife | None = field(default=None, kw_only=True, repr=False)
    whole: bool = field(default=True, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_p(self.p)
        object.__setattr__(self, "index", self.index if self.index == SCORES else check_index(self.index))
        if self.unit not in UNITS:
            raise ValueError(f"unit: got {self.unit!r}, wanted one of {', '.join(UNITS)}.")
        if self.index != "banzhaf" and self.p != 0.5:
            why = "has no p" if self.index == SCORES else "averages over all p"
            raise ValueError(f"p: got {self.p:g} with the index {self.index!r}, which {why}; wanted 0.5.")
        if self.value_errors is not None:
            errors = frozen("value_errors", self.value_errors, (self.n_players,), 0.0)
            object.__setattr__(self, "value_errors", errors)

    # ---- views

    @property
    def unit_name(self) -> str:
        """The unit of its numbers: "logits", or "scores of" the method."""
        return "logits" if self.unit == "logits" else f"scores of {self._method}"

    @property
    def _method(self) -> str:
        return self.estimator or "this method"

    @cached_property
    def values(self) -> FloatArray:
        """Contribution of each player, (n,) logits: how much the similarity changes on average when it joins.

        a_i = e_i + p sum_j e_ij: weighted Banzhaf values at p, exactly (Baniecki et al., NeurIPS 2025, Theorem 1), and
        with p = 1/2 Shapley values for Shapley interactions of either kind. With the index "scores" it is what the
        method gives a player, and half of what it gives its pairs, so that nothing is lost or counted twice.

        With triples p^2 sum_{j<k} e_ijk is added; with an index that is no average at p, a third of them.
        """
        found = self.attributions + self.p * self.interactions.sum(axis=1)
        if self.triples is not None:
            third = self.p**2 if self.index == "banzhaf" else 1 / 3
            found = found + third * self.triples.sum(axis=(1, 2)) / 2
        return frozen("values", found, (self.n_players,))

    @cached_property
    def pair_values(self) -> FloatArray:
        """What each pair does together on average, (n, n) logits; the interactions, where there are no triples.

        D_ij = e_ij + p sum_k e_ijk: weighted Banzhaf interactions at p, and with p = 1/2 Shapley interactions of order
        two, of either kind. With the index "scores" it is what the method gives a pair, and half of what it gives the
        triples with both.
        """
        if self.triples is None:
            return self.interactions
        found = self.interactions + self.p * self.triples.sum(axis=2)
        return frozen("pair_values", found, found.shape)

    @property
    def value_stderr(self) -> FloatArray | None:
        """Standard errors of the values, (n,) logits, where the estimator gives them."""
        if self.order == 1 and self.stderr is not None:
            return self.stderr[0]
        return self.value_errors

    @property
    def average(self) -> float:
        """Average prediction over masks in which every player is present with probability p (logit)."""
        self._check_predicts("average")
        found = float(self.constant + self.p * self.attributions.sum() + self.p**2 * self.interactions.sum() / 2)
        return found if self.triples is None else found + float(self.p**3 * self.triples.sum() / 6)

    def second_order(self) -> Explanation:
        """The best explanation without triples, in the same coordinates; itself, where it has none.

        Its interactions are `pair_values`, and its attributions what belongs to them and to the same `values`: exactly
        what an explanation of order 2 would have been (see `fixlip.triples`).
        """
        if self.triples is None:
            return self
        return replace(
            self,
            constant=self.constant + (self.p**3 * self.triples.sum() / 6 if self.index == "banzhaf" else 0.0),
            attributions=self.values - self.p * self.pair_values.sum(axis=1),
            interactions=self.pair_values,
            triples=None,
            order=2,
            stderr=None,
            triple_errors=None,
            expected_faithfulness=None,
            ended="",
        )

    def first_order(self) -> Explanation:
        """The best explanation without interactions: weighted Banzhaf values, in the same coordinates.

        a_i = e_i + p sum_j e_ij, exactly (Baniecki et al., NeurIPS 2025, Theorem 1), and the constant that goes with it
        under the p-measure, e_0 - p^2 sum_{i<j} e_ij. For Shapley interactions of either kind a_i = e_i + 1/2 sum_j
        e_ij are Shapley values, and the constant stays the value of the empty coalition. With the index "scores" it is
        what `values` says, and the constant stays.
        """
        if self.triples is not None:
            return self.second_order().first_order()
        constant = self.constant - (0.0 if self.index != "banzhaf" else self.p**2 * self.interactions.sum() / 2)
        none = np.zeros_like(self.interactions)
        return replace(
            self,
            constant=constant,
            attributions=self.values,
            interactions=none,
            order=1,
            stderr=None if self.value_stderr is None else (self.value_stderr, none),
            value_errors=None,
            pair_errors=None,
            expected_faithfulness=None,
            ended="",
        )

    def restrict(self, players: Any) -> Explanation:
        """The explanation with everything left out that involves a player outside `players` (numbers or labels)."""
        inside = self.find_all(players)
        whole = self.whole and len(set(inside)) == self.n_players
        errors = None if self.order == 3 else self.pair_errors  # of averages over what is left out now
        left = super().restrict(inside)
        return replace(left, expected_faithfulness=None, ended="", value_errors=None, pair_errors=errors, whole=whole)

    def highest(self, size: int) -> BoolArray:
        """The subset of `size` players with the highest predicted value that was found, a mask (n,); see `subsets`."""
        return self._subset(size, "highest")

    def lowest(self, size: int) -> BoolArray:
        """The subset of `size` players with the lowest predicted value that was found, a mask (n,); see `subsets`."""
        return self._subset(size, "lowest")

    def _subset(self, size: int, side: str) -> BoolArray:
        if not 1 <= check_count(size, "size") <= self.n_players:
            raise ValueError(f"size: got {size}, wanted a whole number from 1 to {self.n_players}.")
        if size not in self._of_size:
            self._of_size[size] = self._search([size])
        return np.array(getattr(self._of_size[size], side)[0])

    @cached_property
    def subsets(self) -> Subsets:
        """Subsets of highest and lowest value for every size; exact for at most 16 players (see `fixlip.subsets`)."""
        return self._search()

    @cached_property
    def _of_size(self) -> dict[int, Subsets]:
        """Subsets of single sizes that were asked for: with many players one is much quicker than all."""
        return {}

    def _search(self, sizes: list[int] | None = None) -> Subsets:
        numbers = (self.constant, self.attributions, self.interactions)
        return subsets(*numbers, first_order=self.values, sizes=sizes, triples=self.triples)

    def __sub__(self, other: Any) -> Difference:
        """The difference of two explanations with as many players; names and picture are the first one's.

        Raises:
            ValueError: if one has more players, or the two are in different units, as scores of two methods are.
        """
        return Difference.of(self, other) if isinstance(other, Explanation) else NotImplemented

    # ---- words and pictures

    def summary(self, k: int = 5) -> str:
        """The explanation in words: the similarity, contributions of words, and the strongest interactions.

        Args:
            k: how many of each, at most.
        """

        def told(term: Term) -> str:
            return self.told(term.value, term.stderr)

        patches, tokens = self.subject.plurals
        head = self.claims.heading(model_name(self.model) or "the model", f'"{self.text}"')
        lines = [f"{head} ({self.n_image} {patches}, {self.n_text} {tokens})", self._how()]
        if self.expected_faithfulness is not None:
            lines.append(f"expected faithfulness (R squared on unseen masks): {self.expected_faithfulness:.3f}")
        lines += [self.ended] if self.ended else []
        if self.names.rule:
            stands = f"; 1.00 stands for {self.largest:.3g}" if self.largest and self.values.any() else ""
            lines.append(f"numbers: {self.names.rule}{stands}")
        lines += self.remarks()
        players = self.top(self.n_players, kind="players")
        words = [term for term in players if term.players[0] >= self.n_image][:k]
        if words:
            lines.append(f"{self.names.of_words}:")
            lines += [f'  {told(term)}  "{term.labels[0]}"' for term in words]
        if self.order == 1:
            image = [f"  {told(term)}  {term.labels[0]}" for term in players if term.players[0] < self.n_image]
            return "\n".join([*lines, f"{self.names.of_patches}:", *(image[:k] or ["  none"])])
        lines.append(f"{self.names.of_pairs}:")
        pairs = [f'  {told(term)}  "{term.labels[1]}" with {term.labels[0]}' for term in self.top(k)]
        lines += pairs or ["  none"]
        if self.triples is not None:
            lines.append(f"{self.names.of_triples}:")
            triples = [(told(term), term.labels) for term in self.top(k, kind="word-pairs")]
            lines += [f'  {value}  "{of[1]}" and "{of[2]}" with {of[0]}' for value, of in triples] or ["  none"]
        return "\n".join(lines)

    def _how(self) -> str:
        budget = f", {self.budget:,} {self.counts}" if self.budget else ""
        told = ", ".join(one for one in (self.at, self.estimator) if one or self.index != SCORES)
        return f"{self.claims.similarity}{' (logits)' if self.predicts else ''}; {told}{budget}"

    @property
    def at(self) -> str:
        """The presence probability in words; empty where there is none."""
        return "" if self.index == SCORES else f"p = {self.p:g}"

    @property
    def how(self) -> tuple[str, ...]:
        """p, index and estimator."""
        return self.at, self.index, self.estimator

    @cached_property
    def claims(self) -> Claims:
        """What its numbers allow to be said of the pair."""
        ends, sides = (self.full_value, self.empty_value), (self.n_image, self.whole)
        if self.predicts and self.index != SCORES:
            return Claims(*ends, self.values, self.value_stderr, *sides)
        strongest = np.maximum(np.abs(self.values), np.abs(self.pair_values).max(axis=1, initial=0.0))
        if self.triples is not None:
            strongest = np.maximum(strongest, np.abs(self.triples).max(axis=(1, 2), initial=0.0))
        return ScoreClaims(*ends, strongest, self.value_stderr, *sides, self._method, self.unit)

    @property
    def names(self) -> Names:
        """What its numbers are called."""
        return self.claims.names

    @property
    def verdict(self) -> str:
        """What belongs behind the headline: how the pair stands to what remains with everything removed."""
        return self.claims.verdict

    @property
    def shown(self) -> str:
        """What a picture of its values shows, in a few words."""
        return self.claims.shown or super().shown

    def remarks(self) -> tuple[str, ...]:
        """What must be said beside the numbers: that the pair is less similar than nothing, say; and the notes."""
        return self.claims.remarks(self.notes)

    @property
    def headline(self) -> str:
        """The similarity of the pair."""
        return "Similarity not known" if np.isnan(self.full_value) else f"Similarity {self.full_value:.2f}"

    def facts(self) -> list[str]:
        """How it came about, the most important first; the lines below a picture's title."""
        empty = [] if np.isnan(self.empty_value) else [f"{self.empty_value:.2f} with everything removed"]
        told = [one for one in (*self.notes, *empty, self.names.rule, self.at) if one]
        if self.budget:
            told.append(f"{self.budget:,} {self.counts}")
        if self.expected_faithfulness is not None:
            told.append(f"faithfulness {self.expected_faithfulness:.2f}")
        return told + ([model_name(self.model)] if self.model else [])

    def draw(self, **options: Any) -> Picture:
        """The picture of this explanation, for a notebook or to `save`; options as in `fixlip.pictures.draw`."""
        return picture(self, **options)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return self.draw().saying(self.summary())._repr_mimebundle_()

    def __repr__(self) -> str:
        players, of = f"{self.n_image} + {self.n_text} players", "" if self.predicts else f" of {self._method}"
        at = "" if self.index == SCORES else f", p={self.p:g}"
        what = f"{self._method}, in logits" if self.predicts and self.index == SCORES else self.index + of
        return f"Explanation({self.text!r}: {players}, {what}, order {self.order}{at})"

    # ---- interchange and files

    def to_shapiq(self) -> Any:
        """A `shapiq.InteractionValues` with the same numbers and their p; needs shapiq (see `fixlip.interchange`).

        Raises:
            ValueError: if they are scores, or of an index that shapiq does not have.
        """
        if not self.predicts or self.index == SCORES:
            raise ValueError(
                f"to_shapiq: the numbers of {self._method} are no Banzhaf or Shapley interactions of the similarity, "
                "and shapiq has no name for them."
            )
        return to_shapiq(self, self.index, self.p, estimated=self.estimator != "exact", budget=self.budget)

    @classmethod
    def from_shapiq(cls, values: Any, subject: Subject, p: float | None = None) -> Explanation:
        """An explanation from a `shapiq.InteractionValues` of order one, two or three.

        Args:
            values: from shapiq; entries that are missing count as zero.
            subject: whose players they are.
            p: presence probability, for Banzhaf indices; by default that of values that know it, as those of
                `to_shapiq` do, and else one half. Shapley indices have none.

        Raises:
            ValueError: if the index is not one that an Explanation can hold, the number of players differs, or a p is
                given where none has a meaning, or another than the values are of.
        """
        found = from_shapiq(values, subject.n_players, p)
        numbers = (found.constant, found.attributions, found.interactions)
        how: dict[str, Any] = {"index": found.index, "order": found.order, "budget": values.estimation_budget}
        how["triples"] = found.triples
        return cls(*numbers, subject, p=found.p, estimator="shapiq", **how)

    @classmethod
    def from_heatmap(
        cls, array: Any, game: AnyGame | Subject | Explanation, *, text: Any = None, name: str = "a heat map"
    ) -> Explanation:
        """An explanation of first order from a map of one's own, in a unit of its own: it ranks, and predicts nothing.

        So pictures, insertion and deletion, and the pointing game take any map, of whatever method.

        Args:
            array: a number for each patch, (rows, columns) or (n_image,); or a finer map of any height >= rows and
                width >= columns that covers the whole image, of which every patch gets its mean by area. An array, a
                list or a tensor.
            game: whose players they are: a game, which is then asked for the values of the empty and of the grand
                coalition; or a subject or another explanation of the same pair, and nothing is asked.
            text: a number for each token, (n_text,); by default zeros.
            name: what readers are told it is.

        Returns:
            order 1, index and unit "scores".

        Raises:
            ValueError: one sentence, before the game is asked, if the numbers do not fit the players.
        """
        subject = game if isinstance(game, Subject) else Subject.of(game)  # type: ignore[arg-type]
        scores = np.concatenate([patch_scores(array, subject), word_scores(text, subject)])
        if not isinstance(name, str) or not name:
            raise ValueError(f"name: got {name!r}, wanted what readers are told the map is.")
        if callable(game):
            empty, full = end_values(game)
        else:
            empty, full = (float(getattr(game, f"{which}_value", "nan")) for which in ("empty", "full"))
        pairs = np.zeros((len(scores), len(scores)))
        own: dict[str, Any] = {"order": 1, "index": SCORES, "unit": "scores", "estimator": name}
        return cls(0.0, scores, pairs, subject, empty_value=empty, full_value=full, **own)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the explanation, picture included, as a NumPy archive (.npz) without pickle.

        The file is written beside its place and then moved there, so that a failed save harms no earlier file.
        """
        return saving.write(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Explanation:
        """Read what `save` wrote.

        Raises:
            ValueError: one sentence, if there is no such file or it is no saved explanation.
        """
        return saving.read(path, cls)
