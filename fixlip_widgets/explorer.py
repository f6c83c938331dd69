"""Look at an explanation from all sides: p, budget, index, order; one player at a time; another caption."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import traitlets

from fixlip import Explanation, Samples
from fixlip.anytime import Target
from fixlip.estimators.indices import INDICES, SCORES
from fixlip.pictures import Picture
from fixlip.samples import BilinearGame
from fixlip.triples import MOST_PLAYERS

from . import explorer_page
from .controls import labelled, side_by_side
from .panel import Panel, State, callback, in_words
from .readouts import bars, readout
from .sharpening import Faithful, Sharpening
from .views import COEFFICIENTS, PairView

Rows = list[tuple[str, float, float | None]]
INDEX_NAMES = {
    "banzhaf": "weighted Banzhaf at p",
    "shapley": "faithful Shapley interactions",
    "sii": "Shapley interactions",
}


class ExplorerState(State):
    """What is shown: samples, and how they are explained. No trait but `samples` ever calls the model.

    Traits: `samples` (None where only an explanation is at hand), `p`, `budget` (masked images used), `index`, `order`,
    `coefficients` (attributions shown in place of contributions), `explanation` (the result), `error` (a
    sentence, or empty).
    """

    samples = traitlets.Instance(Samples, allow_none=True)
    p = traitlets.Float(0.5, min=0.01, max=0.99)
    budget = traitlets.Int(2, min=2)
    index = traitlets.Enum([*INDICES, SCORES], "banzhaf")
    order = traitlets.Enum([1, 2, 3], 2)
    coefficients = traitlets.Bool(False)
    explanation = traitlets.Instance(Explanation)
    error = traitlets.Unicode()

    def __init__(self, source: object) -> None:
        if isinstance(source, Samples):
            super().__init__(samples=source, budget=source.budget, explanation=source.explain())
        elif isinstance(source, Explanation):
            super().__init__(samples=None, explanation=source, p=source.p, index=source.index, order=source.order)
        else:
            raise ValueError(f"source: got {type(source).__name__}, wanted Samples or an Explanation, or a Game.")

    def take(self, samples: Samples) -> None:
        """Show samples with more masked images of the same pair, all of them if all were shown before."""
        with self.lock:
            if self.samples is not None and self.budget >= self.samples.budget:
                self.budget = samples.budget
            self.samples = samples

    @traitlets.observe("samples", "p", "budget", "index", "order")
    def _explain(self, _: Any) -> None:
        with self.lock:
            if self.samples is None:
                return
            try:
                budget = min(self.budget, self.samples.budget)
                self.explanation = self.samples.explain(self.p, self.index, order=self.order, budget=budget)
                self.error = ""
            except Exception as error:
                self.error = in_words(error)

    def table(self, k: int = 10, player: int = -1, second: int = -1) -> tuple[str, Rows]:
        """The strongest terms, or those with one player or two: what they are; names, value and standard error."""
        explanation = self.explanation
        if player >= 0 and second >= 0:
            return self._with_two(k, player, second)
        if explanation.order == 1:
            name, found = "strongest", explanation.top(k, kind="players")
        elif player < 0:
            name, found = "strongest together", explanation.top(k)
        else:
            name = f"strongest with {explanation.labels[player]}"
            pairs = explanation.top(explanation.n_players**2, kind="pairs")
            found = [term for term in pairs if player in term.players][:k]
        rows = []
        for term in found:
            labels = [explanation.labels[one] for one in term.players if one != player]
            rows.append((" – ".join(labels), term.value, term.stderr))
        return name, rows

    def _with_two(self, k: int, player: int, second: int) -> tuple[str, Rows]:
        explanation = self.explanation
        values, errors = explanation.condition((player, second)), explanation.triple_errors
        strongest = [int(one) for one in np.argsort(-np.abs(values), kind="stable")[:k] if values[one]]
        found = [None if errors is None else float(errors[player, second, one]) for one in strongest]
        rows = [(explanation.labels[i], float(values[i]), error) for i, error in zip(strongest, found, strict=True)]
        return f"strongest with {explanation.labels[player]} and {explanation.labels[second]}", rows

    def of_two_words(self, k: int = 5) -> Rows:
        """The strongest triples of two words with a patch: names, value and standard error; none below third order."""
        found = self.explanation.top(k, kind="word-pairs")
        return [(" – ".join(term.labels), term.value, term.stderr) for term in found]

    @property
    def orders(self) -> list[tuple[str, int]]:
        """What can be chosen, with its order."""
        shown = [("interactions", 2), ("values only", 1)]
        third = self.explanation.order == 3 if self.samples is None else self.explanation.n_players <= MOST_PLAYERS
        return [*shown, *([("two words at once", 3)] if third else [])]


class Explorer(Panel):
    """Sliders over p and budget, a choice of index and order, a heat map of patches and words, a table with error bars.

    Hover over a patch or a word to condition on it; click to keep it: the table follows, and hovering over others tells
    single interactions. With the order "two words at once" a click on a second word keeps both and shows what makes
    them go together.

    Args:
        source: `Samples` for everything; an `Explanation` for what it holds; or a `Game`: then the first 32 masked
            images are encoded at once, and more in the background, twice as many in every round, while all controls
            answer. The button "enough" ends that.
        budget: with a game: masked images in the last round, 512 by default.
        target_faithfulness: with a game: end there, as in `fixlip.rounds`.
        seed: with a game: of the masks.

    Raises:
        ValueError: one sentence, if an argument does not fit.
    """

    def __init__(
        self,
        source: Samples | Explanation | BilinearGame,
        budget: int | None = None,
        *,
        target_faithfulness: Target = None,
        seed: int = 0,
    ) -> None:
        self.sharpening: Sharpening | None = None
        if not isinstance(source, Samples | Explanation) and hasattr(source, "embed_images"):
            self.sharpening = Sharpening(budget, target_faithfulness)
            source = self.sharpening.first(source, seed)
        elif (budget, target_faithfulness) != (None, None):
            raise ValueError("budget: wanted only with a game; samples and explanations have theirs.")
        self.state = ExplorerState(source)
        self._make_controls()
        rows = [
            side_by_side(*([self.p, self.budget] if self.state.explanation.index != SCORES else []), self.caption),
            side_by_side(self.index, self.order, self.coefficients, self.scaling),
            side_by_side(self.view, self.table),
        ]
        super().__init__(self.state, [*([self.sharpening] if self.sharpening else []), *rows])
        if self.state.samples is not None:
            for name in ("p", "budget", "index", "order"):
                traitlets.link((self.state, name), (getattr(self, name), "value"))
        traitlets.link((self.scaling, "value"), (self.view, "scaling"))
        traitlets.link((self.state, "coefficients"), (self.coefficients, "value"))
        self.state.observe(self._show, ["explanation", "error", "coefficients"])
        self.view.observe(self._show_table, ["selected", "second"])
        self.caption.observe(self._ask, "value")
        self._show(None)
        self._go_on()

    def _make_controls(self) -> None:
        explanation = self.state.explanation
        self.view = PairView.of_subject(explanation.subject)
        samples = self.state.samples
        fixed = samples is None
        most = 512 if samples is None else samples.budget
        self.p = labelled(ipywidgets.FloatSlider(explanation.p, min=0.05, max=0.95, step=0.01, disabled=fixed), "p")
        self.budget = labelled(ipywidgets.IntSlider(most, min=min(16, most), max=most, disabled=fixed), "masked images")
        has_index = explanation.index != SCORES
        names = [(name, index) for index, name in INDEX_NAMES.items()]
        names = names if has_index else [(explanation.estimator or "not named", SCORES)]
        index = ipywidgets.Dropdown(options=names, value=explanation.index, disabled=fixed)
        self.index = labelled(index, "index" if has_index else "method")
        self.order = labelled(
            ipywidgets.Dropdown(options=self.state.orders, value=explanation.order, disabled=fixed), "order"
        )
        scalings = [
            ("as needed", "auto"),
            (f"{explanation.subject.plurals[0]} and words together", "joint"),
            ("each on its own", "separate"),
        ]
        quantities = [(explanation.names.players, False), (COEFFICIENTS, True)][
            : 1 + (has_index and explanation.predicts)
        ]
        self.coefficients = labelled(ipywidgets.Dropdown(options=quantities), "show")
        self.scaling = labelled(ipywidgets.Dropdown(options=scalings), "colour scale")
        can_ask = samples is not None and hasattr(samples.game, "with_text")
        self.caption = labelled(
            ipywidgets.Text(explanation.text, continuous_update=False, disabled=not can_ask), "caption"
        )
        self.table = ipywidgets.HTML()

    @callback
    def _show(self, _: Any) -> None:
        explanation = self.state.explanation
        self.view.show(explanation, self.state.coefficients, triples=True)
        self.p.disabled = self.state.samples is None or self.state.index != "banzhaf"
        self._show_table(None)
        if self.state.error:
            self.say(self.state.error, "error")

    def _show_table(self, _: Any) -> None:
        explanation = self.state.explanation
        name, rows = self.state.table(10, *self.view.chosen)
        triples = [] if self.view.chosen else self.state.of_two_words()
        faithful, rule = explanation.expected_faithfulness, explanation.names.rule
        faithfulness = "not known here" if faithful is None else f"<b>{faithful:.2f}</b>"
        quality = f"<br>expected faithfulness (R²) {faithfulness}" if explanation.predicts else ""
        told = [explanation.claims.similarity, *([f"the numbers are {rule}"] if rule else []), *explanation.remarks()]
        self.table.value = readout(
            "<br>".join(html.escape(one) for one in told) + quality,
            bars(rows, name, explanation.names.unit, explanation.largest),
            bars(triples, "two words with a patch", explanation.names.unit, explanation.largest) if triples else "",
            '<span class="quiet">whiskers: 90 % intervals</span>' if explanation.value_stderr is not None else "",
        )

    @callback
    def _ask(self, change: Any) -> None:
        text = change["new"]
        if text == self.state.explanation.text:
            return
        self.say("encoding the caption …")
        self.in_background(lambda: self._recaption(text))

    def _recaption(self, text: str) -> None:
        """Only the masked captions are encoded; the masked images are at hand."""
        samples: Any = self.state.samples  # with a game that takes captions, or the box would be disabled
        again = samples.with_caption(samples.game.with_text(text), progress=False)
        with self.lock:
            self.check_cancelled()
            self.state.samples = again
            self.say()
            self._go_on()

    def _go_on(self) -> None:
        """Ask a game for more masked images, unless its user has seen enough or something else waits."""
        with self.lock:
            if self.sharpening and not self.sharpening.ended and self._waiting is None:
                self.in_background(self._sharpen)

    def _sharpen(self) -> None:
        assert self.sharpening is not None and self.state.samples is not None
        self.cancel.layout.display = "none"  # "enough" does that, and keeps what is there
        self.sharpening.run(self.state.samples, lambda: self._waiting is not None, self._take)

    def _take(self, samples: Samples) -> Faithful:
        """Show samples; the fit is made before the lock is taken."""
        state = self.state
        samples.explain(state.p, state.index, order=state.order)
        with self.lock:
            self.budget.max = max(self.budget.max, samples.budget)
            state.take(samples)
        return lambda: state.explanation.expected_faithfulness

    def picture(self) -> Picture:
        """The static picture of the explanation shown, conditioned on what is selected."""
        condition = self.view.chosen or None
        options = {"scaling": self.view.scaling, "coefficients": self.state.coefficients, "width": 380}
        return self.state.explanation.draw(condition=condition, **options)

    def to_html(
        self,
        path: str | os.PathLike[str],
        captions: Iterable[str] = (),
        budgets: Sequence[int] | None = None,
    ) -> Path:
        """Write a page that opens offline and in which sliders, menus and selecting work, with what is stored in it.

        Args:
            path: of the page.
            captions: other captions to choose from; with samples whose game takes captions, which is asked about them.
            budgets: masked images to choose from; by default all, half of them, a quarter and an eighth, not below 64.

        Raises:
            ValueError: if a caption or a budget does not fit, or the page cannot be written; an earlier page is still
                there then.
        """
        return self._write(path, explorer_page.live(self, captions, budgets))
