"""Two explanations side by side and, where they are in one unit, on one colour scale, with their difference."""

from __future__ import annotations

import html
import os
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from fixlip import Explanation
from fixlip.expansion import Expansion
from fixlip.pictures import Picture, compare
from fixlip.pictures.comparison import differing, largest_of
from fixlip.pictures.layout import scales_of

from .controls import labelled, side_by_side
from .live import Live
from .panel import Panel, State, callback
from .readouts import readout
from .views import PairView


class CompareState(State):
    """Two explanations and what is selected in both.

    Traits: `selected` (a player of the first, or -1), `shared` (one colour scale for all).

    Attributes:
        one_unit: whether both are in logits, or in the scores of one method; else no number of one compares with any of
            the other, there is no difference, and each has a colour scale of its own.
        largest: the score that is told as 1.00 in all that is shown; None for logits, and where each has its own.
    """

    selected = traitlets.Int(-1)
    shared = traitlets.Bool(True)

    def __init__(self, first: Explanation, second: Explanation) -> None:
        self.first, self.second = first, second
        alike = first.subject.has_players_of(second.subject)
        self.one_unit = first.unit_name == second.unit_name
        self.difference = first - second if alike and self.one_unit else None
        self.shown: list[Expansion] = [first, second, *([] if self.difference is None else [self.difference])]
        self.largest = largest_of(self.shown) if self.one_unit else None
        super().__init__(shared=self.one_unit)

    def values(self, explanation: Expansion) -> Any:
        """What is shown of one: values, or interactions with the player selected if it has any, (n,)."""
        if 0 <= self.selected < explanation.n_players and explanation.order > 1:
            return explanation.condition(self.selected)
        return explanation.values

    @property
    def scales(self) -> list[float]:
        """Values of full colour for patches and for words in all pictures; empty if each has its own."""
        if not (self.shared and self.one_unit):
            return []
        found = scales_of(((one, self.values(one)) for one in self.shown), "auto")
        return [scale / (self.largest or 1.0) for scale in found]

    @property
    def words(self) -> str:
        """Why there is no common scale; empty where there is one."""
        if self.one_unit:
            return ""
        units = [one.unit_name for one in (self.first, self.second)]
        own = "each picture has a colour scale of its own, and there is no difference"
        return f"{units[0][:1].upper()}{units[0][1:]} and {units[1]} do not compare: {own}."


class Compare(Panel):
    """The same pair under two models, methods, p's or captions.

    Args:
        first: an explanation.
        second: another; where it has as many players and is in the same unit, the difference is shown too.
        names: what to call them; by default what they differ in: model, caption, p, index, order, estimator.
    """

    def __init__(self, first: Explanation, second: Explanation, names: tuple[str, str] | None = None) -> None:
        names = differing(first, second) if names is None else names
        self.state, self.names = CompareState(first, second), names
        titles = [*names, f"{names[0]} minus {names[1]}"]
        self.views = []
        for explanation in self.state.shown:
            view = PairView.of_subject(explanation.subject)
            view.show(explanation, largest=self.state.largest)
            self.views.append(view)
        one_unit = self.state.one_unit
        self.shared = labelled(ipywidgets.Checkbox(one_unit, disabled=not one_unit), "one colour scale")
        self.words = ipywidgets.HTML(readout(html.escape(self.state.words)) if self.state.words else "")
        columns = [
            ipywidgets.VBox([ipywidgets.HTML(readout(f"<b>{html.escape(title)}</b>")), view], layout={"width": "290px"})
            for title, view in zip(titles, self.views, strict=False)
        ]
        super().__init__(self.state, [self.shared, self.words, side_by_side(*columns)])
        traitlets.link((self.state, "shared"), (self.shared, "value"))
        for view in self.views:
            traitlets.link((self.state, "selected"), (view, "selected"))
        self.state.observe(self._rescale, ["selected", "shared"])
        self._rescale(None)

    @callback
    def _rescale(self, _: Any) -> None:
        for view in self.views:
            view.scales = self.state.scales

    def picture(self) -> Picture:
        """The two, and their difference, in a row."""
        condition = self.state.selected if self.state.selected >= 0 else None
        return compare(self.state.first, self.state.second, names=self.names, condition=condition, width=260)

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write a page that opens offline, in which selecting and the colour scale work as in the widget.

        Raises:
            ValueError: if it cannot be written; an earlier page is still there then.
        """
        views = {f"picture{k}": view for k, view in enumerate(self.views)}
        parts = {**views, "shared": self.shared} if self.state.one_unit else views
        return self._write(path, Live("compare.js", parts, {"views": list(views)}))
