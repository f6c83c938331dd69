"""Two explanations side by side, on one colour scale, and their difference."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets
import traitlets

from fixlip import Explanation
from fixlip.expansion import Expansion
from fixlip.pictures import Picture, compare
from fixlip.pictures.comparison import differing
from fixlip.pictures.layout import scales_of

from .controls import labelled, side_by_side
from .panel import Panel, State, callback
from .readouts import readout
from .views import PairView


class CompareState(State):
    """Two explanations and what is selected in both.

    Traits: `selected` (a player of the first, or -1), `shared` (one colour scale for all).
    """

    selected = traitlets.Int(-1)
    shared = traitlets.Bool(True)

    def __init__(self, first: Explanation, second: Explanation) -> None:
        self.first, self.second = first, second
        alike = (first.n_image, first.n_text) == (second.n_image, second.n_text)
        self.difference = first - second if alike else None
        self.shown: list[Expansion] = [first, second, *([] if self.difference is None else [self.difference])]
        super().__init__()

    def values(self, explanation: Expansion) -> Any:
        """What is shown of one: values, or interactions with the player selected, (n,) logits."""
        if 0 <= self.selected < explanation.n_players:
            return explanation.condition(self.selected)
        return explanation.values

    @property
    def scales(self) -> list[float]:
        """Logits of full colour for patches and for words in all pictures; empty if each has its own."""
        return list(scales_of(((one, self.values(one)) for one in self.shown), "auto")) if self.shared else []


class Compare(Panel):
    """The same pair under two models, methods, p's or captions.

    Args:
        first: an explanation.
        second: another; where it has as many players, the difference is shown too.
        names: what to call them; by default what they differ in: model, caption, p, index, order, estimator.
    """

    def __init__(self, first: Explanation, second: Explanation, names: tuple[str, str] | None = None) -> None:
        names = differing(first, second) if names is None else names
        self.state, self.names = CompareState(first, second), names
        titles = [*names, f"{names[0]} minus {names[1]}"]
        self.views = []
        for explanation in self.state.shown:
            view = PairView.of_subject(explanation.subject)
            view.show(explanation)
            self.views.append(view)
        self.shared = labelled(ipywidgets.Checkbox(True), "one colour scale")
        columns = [
            ipywidgets.VBox([ipywidgets.HTML(readout(f"<b>{html.escape(title)}</b>")), view], layout={"width": "290px"})
            for title, view in zip(titles, self.views, strict=False)
        ]
        super().__init__(self.state, [self.shared, side_by_side(*columns)])
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
