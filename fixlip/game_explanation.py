"""Explanations of set functions that are of no image and no caption: their words, numbers, pictures and files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from . import claims, files, saving
from .claims import Claims, Level, Names, rounding
from .difference import Difference
from .explanation import Explanation
from .masks import FloatArray, check_count
from .pictures import Picture, picture
from .pictures.bars import Bar, Group, bar_sheet
from .pictures.conditions import Condition
from .pictures.drawing import Sheet
from .pictures.layout import Content, Scale, check_options, check_words, content_of, lay_out_head
from .pictures.pair import draw_head
from .terms import Term, strongest

MOST_BARS = 16  # of players; the strongest
_KIND = "set function"
_NAMES = Names(
    unit="units of the game",
    rule="average changes of the game's value",
    of_words="contributions of players (change of the value when the player joins, on average)",
    of_patches="contributions of players (change of the value when the player joins, on average)",
    of_pairs="strongest interactions of two players",
    of_triples="strongest interactions of three players",
    whole="value of all players",
    sides=("players", "players"),
)
_INDICES = {"shapley": "faithful Shapley interactions", "sii": "Shapley interactions"}
_KEY = "A bar says how much the value changes on average when the player joins: red raises it, blue lowers it."
_PAIR_KEY = " That of a pair: how much more, or less, the two do together than one by one."
_TRIPLE_KEY = " That of three: how much the interaction of two of them grows when the third joins."
_KEYS_OF_CHOSEN = (
    "",
    "A bar says how much more, or less, the two do together than one by one.",
    "A bar says how much the interaction of the two grows when the player joins, on average.",
)
# Values are double precision, unlike those of a model: smaller shares of the largest number are rounding errors.
ROUNDING = 1e-10
_ERROR_KEY = " Thin lines are 90 % intervals."


def told(value: float, stderr: float | None = None) -> str:
    """A number of any unit, in three digits that matter, with its standard error in two."""
    text = f"{value:+.3g}" if value else "0"
    return text if stderr is None else f"{text} \u00b1 {stderr:.2g}"


@dataclass(frozen=True, eq=False)
class GameClaims(Claims):
    """What the numbers of a set function's explanation allow to be said."""

    @property
    def names(self) -> Names:
        """What the numbers are called."""
        return _NAMES

    @cached_property
    def level(self) -> Level:
        """Unknown: more is not better, and nothing is similar to anything."""
        return Level.UNKNOWN

    def heading(self, model: str, text: str) -> str:
        """What the explanation answers."""
        return "How the value of the game comes about"

    @property
    def similarity(self) -> str:
        """The value of all players and that of none, in a line."""
        if np.isnan(self.full_value):
            return "value of all players not known"
        without = "" if np.isnan(self.empty_value) else f", and {self.empty_value:.4g} without any"
        return f"value of all players {self.full_value:.4g}{without}"

    @property
    def shown(self) -> str:
        """What a picture of the values shows, where nothing contributes."""
        return "no player contributes" if all(self.idle[:1]) else ""

    @property
    def _least(self) -> float:
        """How large a value may be that is nothing but a rounding error."""
        return ROUNDING / claims.ROUNDING * super()._least

    def remarks(self, notes: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Sentences that belong beside the numbers."""
        bars = "zero" if self.errors is None else "zero within its error bar"
        return (*([f"No player contributes: the value of every player is {bars}."] if self.idle[0] else []), *notes)


@dataclass(frozen=True, eq=False)
class GameExplanation(Explanation):
    """The explanation of a set function: as any other, but in the unit of the game, of players without a picture.

    All players are on the first side (`n_image`); words like "logit" in `Explanation` stand for the game's own unit.
    """

    @property
    def unit_name(self) -> str:
        """The unit of its numbers: the game's own."""
        return _NAMES.unit

    @property
    def predicts(self) -> bool:
        """Its numbers add up to a prediction of the game's value."""
        return True

    @cached_property
    def claims(self) -> Claims:
        """What its numbers allow to be said."""
        return GameClaims(self.full_value, self.empty_value, self.values, self.value_stderr, self.n_image, self.whole)

    @property
    def at(self) -> str:
        """The presence probability in words, or which Shapley index it is."""
        if self.index == "banzhaf":
            return f"p = {self.p:g}"
        return "Shapley values" if self.order == 1 else _INDICES[self.index]

    def find(self, player: int | str) -> int:
        """The number of a player, given its number or its label."""
        if isinstance(player, str) and player not in self.labels:
            raise ValueError(f"player: {player!r} is no player; the players are: {', '.join(self.labels[:50])}.")
        return super().find(player)

    def told(self, value: float, stderr: float | None = None) -> str:
        """A value as texts and pictures tell it: in digits that matter, whatever the unit."""
        return told(value, stderr)

    def top(self, k: int = 10, *, kind: str = "pairs") -> list[Term]:
        """The `k` strongest terms, as `Explanation.top`; there are no sides, so pairs are of any two players."""
        found = strongest(self, check_count(k, "k"), "pairs" if kind == "crossmodal" else kind)
        return [term for term in found if abs(term.value) > self.least]

    @property
    def least(self) -> float:
        """How large a number may be that is nothing but a rounding error."""
        triples = [] if self.triples is None else [self.triples]
        return ROUNDING / claims.ROUNDING * rounding(self.constant, self.attributions, self.interactions, *triples)

    def table(self, kind: str = "all") -> dict[str, list[Any]]:
        """All terms as columns, as `Explanation.table`; a term is a "player", or "player with player"."""
        columns = super().table("pairs" if kind == "crossmodal" else kind)
        columns["kind"] = [one.replace("patch", "player") for one in columns["kind"]]
        return columns

    def __sub__(self, other: Any) -> GameExplanation:  # type: ignore[override]
        """The explanation of the difference of the two games, with error bars where both have some (see `Difference`).

        Raises:
            ValueError: if the two have other players, or another p, index or order.
        """
        if not isinstance(other, GameExplanation):
            return NotImplemented
        mine, theirs = ((one.labels, one.at, one.order) for one in (self, other))
        if mine != theirs:
            raise ValueError("difference: wanted two explanations of the same players, p, index and order.")
        numbers = {
            name: getattr(self, name) - getattr(other, name)
            for name in ("constant", "attributions", "interactions", "empty_value", "full_value")
        }
        triples = None if self.triples is None or other.triples is None else self.triples - other.triples
        own: dict[str, Any] = dict.fromkeys(("stderr", "triple_errors", "budget", "changes"))
        own |= {"triples": triples, "expected_faithfulness": None, "estimator": "difference of two"}
        less = Difference.of(self, other)
        own |= {"value_errors": less.value_stderr, "pair_errors": less.pair_stderr}
        return replace(self, **numbers, **own)

    # ---- words and pictures

    def summary(self, k: int = 5) -> str:
        """The explanation in words, as of any other."""
        lines = [f"{self.claims.heading('', '')} ({_players(self.n_players)})", self._how()]
        if self.expected_faithfulness is not None:
            lines.append(f"expected faithfulness (R squared on unseen masks): {self.expected_faithfulness:.3f}")
        lines += self.remarks()
        for kind, name in (("players", "of_words"), ("pairs", "of_pairs"), ("triples", "of_triples"))[: self.order]:
            terms = [f"  {told(one.value, one.stderr)}  {' with '.join(one.labels)}" for one in self.top(k, kind=kind)]
            lines += [f"{getattr(_NAMES, name)}:", *(terms or ["  none"])]
        return "\n".join(lines)

    def _how(self) -> str:
        budget = f", {self.budget:,} {self.counts}" if self.budget else ""
        return f"{self.claims.similarity}; {self.at}, {self.estimator}{budget}"

    @property
    def headline(self) -> str:
        """The value of all players."""
        return "Value not known" if np.isnan(self.full_value) else f"Value of all players {self.full_value:.4g}"

    def facts(self) -> list[str]:
        """How it came about, the most important first."""
        found = [*self.notes] + ([] if np.isnan(self.empty_value) else [f"{self.empty_value:.4g} without any"])
        found += [_NAMES.rule, self.at, self.estimator, f"{self.budget:,} {self.counts}" if self.budget else ""]
        if self.expected_faithfulness is not None:
            found.append(f"faithfulness {self.expected_faithfulness:.2f}")
        return [one for one in found if one]

    def draw(self, **options: Any) -> Picture:
        """Bars of the strongest players and pairs; options as in `fixlip.pictures.draw`.

        `edges` is how many pairs, `scale` the value at which bars end, for players and for pairs.
        """
        return picture(self, self.summary() if options.get("condition") is None else self._alone(options), **options)

    def _alone(self, options: dict[str, Any]) -> str:
        chosen = content_of(self, options["condition"], None, 0, "auto", None).condition
        bars = [bar for bar in self._bars(self.condition(chosen), chosen)[:3] if bar.value]
        rows = "; ".join(f"{bar.label} {bar.told}" for bar in bars)
        return f"{self._title(chosen)} (average changes of the game's value). Strongest: {rows or 'none'}."

    def sheet(
        self,
        condition: Condition = None,
        players: Any = None,
        edges: int = 8,
        scaling: str = "auto",
        scale: Scale = None,
        width: int = 720,
        title: str | None = None,
        subtitle: str | None = None,
        legend: bool = True,
        coefficients: bool = False,
    ) -> Sheet:
        """The canvas of its picture; options as in `fixlip.pictures.draw`."""
        check_options(edges, scaling, scale, width)
        check_words(title, subtitle, legend)
        content = content_of(self, condition, players, 0, scaling, scale, coefficients)
        groups = self._groups(content, edges, scaling == "separate", scale, coefficients)
        if title is None:
            title = self._title(content.condition, content.inside, coefficients)
        head = lay_out_head(title, self.facts() if subtitle is None else [subtitle], width)
        errors = any(bar.stderr for group in groups for bar in group.bars)
        keys = [_KEY, _PAIR_KEY, _TRIPLE_KEY][: len(groups)]
        if coefficients or content.condition:
            keys = [_KEYS_OF_CHOSEN[len(content.condition)]]
        key = "".join([*keys, _ERROR_KEY if errors else ""]).strip()
        return bar_sheet(head, draw_head, groups, key if legend else "", width)

    def _title(self, chosen: Sequence[int], inside: Any = None, coefficients: bool = False) -> str:
        if chosen:
            both = " and ".join(self.labels[i] for i in chosen)
            return f"What goes together with {both}" if len(chosen) == 1 else f"What makes {both} go together"
        if inside is not None and not inside.all():
            return f"{inside.sum()} of {self.n_players} players: predicted value {self.predict(inside)[0]:.4g}"
        if coefficients:
            return f"{self.headline}: coefficients of the expansion, which are no contributions"
        return f"{self.headline}: {self.claims.shown or 'what each contributes'}"

    def _groups(self, content: Content, edges: int, separate: bool, scale: Scale, coefficients: bool) -> list[Group]:
        """Bars of players, of pairs and of triples, where they are shown."""
        errors = None if content.condition else self.value_stderr
        if coefficients and self.order > 1:
            errors = None if self.stderr is None else self.stderr[0]
        players = self._bars(content.values, (*content.condition, *np.flatnonzero(~content.inside)), errors)
        heading = "players" if len(players) <= MOST_BARS else f"players: the {MOST_BARS} strongest of {len(players)}"
        bars, headings = [players[:MOST_BARS]], [heading]
        if edges and not content.condition and not (coefficients and self.order == 3):
            inside = None if content.inside.all() else np.flatnonzero(content.inside).tolist()
            for kind, whole in (("pairs", self.second_order()), ("triples", self))[: self.order - 1]:
                terms = (whole if inside is None else whole.restrict(inside)).top(int(edges), kind=kind)
                bars.append([self._bar(one) for one in terms])
                headings.append(f"{kind}, strongest first")
        shown = [k for k in range(len(bars)) if bars[k] or not k]
        scales = _scales(bars, separate)
        if scale is not None:
            scales = [content.image_scale, content.text_scale, content.text_scale]
        return [Group(headings[k], bars[k], scales[k]) for k in shown]

    def _bar(self, term: Term) -> Bar:
        return Bar(" with ".join(term.labels), term.value, told(term.value, term.stderr), term.stderr)

    def _bars(self, values: FloatArray, left_out: Sequence[int], errors: FloatArray | None = None) -> list[Bar]:
        """Players by strength, but for some."""
        values = np.where(np.abs(values) > self.least, values, 0.0)
        order = [int(i) for i in np.argsort(-np.abs(values), kind="stable") if i not in left_out]
        known = [None if errors is None else float(errors[i]) for i in order]
        return [
            self._bar(Term((i,), (self.labels[i],), float(values[i]), error))
            for i, error in zip(order, known, strict=True)
        ]

    def __repr__(self) -> str:
        return f"GameExplanation({_players(self.n_players)}, {self.index}, order {self.order}, {self.at})"

    # ---- files

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the explanation, as `Explanation.save` does."""
        arrays, facts = saving.contents(self)
        return files.write(path, arrays, facts | {saving.HOLDS: _KIND}, self.subject)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> GameExplanation:
        """Read what `save` wrote.

        Raises:
            ValueError: one sentence, if there is no such file or it is no saved explanation of a set function.
        """
        with files.reading(path, "explanation of a set function", saving.WANTED, saving.OPTIONAL) as read:
            arrays, facts, subject = read
            if facts.get(saving.HOLDS) != _KIND:
                raise ValueError("it is something else")
            return saving.restored(cls, arrays, facts, subject)


def _players(count: int) -> str:
    return "1 player" if count == 1 else f"{count:,} players"


def _scales(groups: Sequence[Sequence[Bar]], separate: bool) -> list[float]:
    """Where the bars of each group end: all at the largest of all, error bars included, or each group at its own."""
    scales = [max((abs(end) for bar in bars for end in bar.reach), default=0.0) for bars in groups]
    return [(one if separate else max(scales)) or 1.0 for one in scales]
