"""Insertion and deletion, live: the curves, and the masked pair at every step."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import ipywidgets
import numpy as np
import traitlets

from fixlip import Explanation, Game, Samples
from fixlip.metrics import Curves, area_between_curves, insertion_deletion
from fixlip.metrics.curves import GRID_POINTS, MOST_PLAYERS_ONE_BY_ONE
from fixlip.pictures import Picture
from fixlip.pictures.curves import Line, draw_curves

from .controls import labelled, side_by_side
from .panel import Panel, State, callback, in_words
from .readouts import key, readout
from .views import CurveView, PairView

SECOND, FIRST = "second order", "first order"
# Told apart by people with any colour vision and on light and dark pages, and not the red and blue of raise and lower.
COLOURS = {SECOND: "#1b9e77", FIRST: "#9970ab"}
OTHER_COLOUR = "#878787"
DASHES = {"insertion": "", "deletion": "5 4"}
NO_OTHER = "nothing more"


@dataclass(frozen=True, eq=False)
class CurveSet:
    """Curves that belong together.

    Attributes:
        p: of the explanations whose curves they are, but for one that is compared and has a p of its own.
        curves: by name of the explanation; the first are those whose masks are shown.
        error: a sentence on why there are none, or empty.
    """

    p: float
    curves: dict[str, Curves]
    error: str = ""

    @property
    def main(self) -> Curves | None:
        """The curves whose masks are shown."""
        return next(iter(self.curves.values()), None)

    def areas(self) -> dict[str, float]:
        """AID of every explanation."""
        return {name: area_between_curves(curves) for name, curves in self.curves.items()}

    def lines(self) -> list[dict[str, Any]]:
        """What is drawn: name, normalised values, colour and dash of every curve."""
        found: list[dict[str, Any]] = []
        for name, curves in self.curves.items():
            for (kind, dash), y in zip(DASHES.items(), curves.normalised(), strict=True):
                found.append({"name": f"{name}, {kind}", "y": y.tolist(), "colour": colour_of(name), "dash": dash})
        return found

    def words(self) -> str:
        """The areas, in words."""
        return "AID: " + (", ".join(f"{name} {area:.2f}" for name, area in self.areas().items()) or "not available")


def _heed(progress: Callable[[int, int], None], done: int, total: int, encoded: int) -> None:
    """Tell how many explanations are done, whenever masks were encoded: so a long one can be ended half-way."""
    progress(done, total)


def colour_of(name: str) -> str:
    """Colour of an explanation's curves; whether they are of insertion or deletion is said by dashes."""
    return COLOURS.get(name, OTHER_COLOUR)


class CurveState(State):
    """Curves of a second-order explanation, of its first-order part, and of another explanation to compare with.

    Traits: `p`, `step` (which point of the curves: how many players are removed, or with more than 100 players how many
    fiftieths of them), `side` ("insert" keeps the best, "delete" the worst), `against` (one of `others`), `found` (the
    curves; of an earlier `p` and `against` until `compute` is done).

    Attributes:
        others: what can be compared with, by name: functions of p that make an explanation without calling the model.
    """

    p = traitlets.Float(0.5, min=0.01, max=0.99)
    step = traitlets.Int(0, min=0)
    side = traitlets.Enum(["insert", "delete"], "insert")
    against = traitlets.Unicode(NO_OTHER)
    found = traitlets.Instance(CurveSet)

    def __init__(self, source: Samples | Explanation, game: Game, other: Explanation | None = None) -> None:
        self.source, self.game = source, game
        self.others: dict[str, Callable[[float], Explanation]] = {"a random order": self._random}
        if isinstance(source, Samples):
            for fixed in (0.3, 0.7):
                self.others[f"p = {fixed}"] = lambda _, fixed=fixed: source.explain(fixed)  # type: ignore[misc]
            self.others["faithful Shapley"] = lambda _: source.explain(index="shapley")
        if other is not None:
            self.others["the other"] = lambda _: other
        against = NO_OTHER if other is None else "the other"
        super().__init__(p=0.5 if isinstance(source, Samples) else source.p, against=against)
        self.found = self.compute()

    def _random(self, p: float) -> Explanation:
        """Attributions without meaning: what a method has to beat."""
        explained = self.explained(p).first_order()
        return replace(explained, attributions=np.random.default_rng(0).normal(size=explained.n_players), stderr=None)

    def explained(self, p: float) -> Explanation:
        """The explanation at p."""
        return self.source.explain(p) if isinstance(self.source, Samples) else self.source

    def compute(self, progress: Callable[[int, int], None] = lambda done, total: None) -> CurveSet:
        """The curves at the current p. The model is asked about subsets that it has not answered for before.

        Args:
            progress: called before every explanation with how many are done and wanted; may raise to end it.
        """
        p, against = self.p, self.against  # these may be moved meanwhile, from another thread
        try:
            explained = self.explained(p)
            asked = {SECOND: explained, FIRST: explained.first_order()} if explained.order == 2 else {FIRST: explained}
            if against in self.others:
                asked[against] = self.others[against](p)
            curves = {}
            for done, (name, one) in enumerate(asked.items()):
                progress(done, len(asked))
                heed = partial(_heed, progress, done, len(asked))
                curves[name] = insertion_deletion(one, self.game, progress=heed)
                curves[name].normalised()  # says so if it cannot be done
        except ValueError as error:
            return CurveSet(p, {}, in_words(error))
        return CurveSet(p, curves)

    @property
    def mask(self) -> Any:
        """Who is present at the current step, (n,) booleans."""
        main = self.found.main
        if main is None:
            return np.ones(self.game.n_players, bool)
        masks = main.insert_masks if self.side == "insert" else main.delete_masks
        return masks[min(self.step, len(masks) - 1)]


class InsertionDeletion(Panel):
    """The two curves at the current p, with a scrubber over the masked pair.

    Args:
        source: `Samples`, or an `Explanation` (then p is fixed).
        game: what they explain; that of the samples by default.
        other: another explanation of the same game, for comparison.
    """

    def __init__(
        self, source: Samples | Explanation, game: Game | None = None, other: Explanation | None = None
    ) -> None:
        game = game if game is not None else getattr(source, "game", None)
        if game is None:
            raise ValueError("game: wanted the game that is explained, since the model has to be asked about subsets.")
        self.state = CurveState(source, game, other)
        one_by_one = game.n_players <= MOST_PLAYERS_ONE_BY_ONE
        n, steps = (game.n_players, "players removed") if one_by_one else (GRID_POINTS - 1, "steps of 2 % removed")
        self.p = labelled(ipywidgets.FloatSlider(self.state.p, min=0.05, max=0.95, step=0.05), "p")
        self.p.disabled = isinstance(source, Explanation)
        self.against = labelled(ipywidgets.Dropdown(options=[NO_OTHER, *self.state.others]), "compare with")
        self.step = labelled(ipywidgets.IntSlider(0, min=0, max=n), steps)
        self.play = ipywidgets.Play(min=0, max=n, interval=150, description="play", show_repeat=False)
        sides = [("keep the best (insertion)", "insert"), ("keep the worst (deletion)", "delete")]
        self.side = labelled(ipywidgets.Dropdown(options=sides), "show")
        self.plot, self.key, self.areas = CurveView(), ipywidgets.HTML(), ipywidgets.HTML()
        self.view = PairView.of_subject(game.subject, mode="mask", live=False)
        curves = ipywidgets.VBox([self.key, self.plot, self.areas])
        pair = ipywidgets.VBox([side_by_side(self.play, self.step), self.side, self.view])
        super().__init__(self.state, [side_by_side(self.p, self.against), side_by_side(curves, pair)])
        ipywidgets.jslink((self.play, "value"), (self.step, "value"))
        for name in ("p", "step", "side", "against"):
            traitlets.link((self.state, name), (getattr(self, name), "value"))
        self.state.observe(self._recompute, ["p", "against"])
        self.state.observe(self._scrub, ["step", "side"])
        self._show()

    @callback
    def _recompute(self, _: Any) -> None:
        self.in_background(self._compute)

    def _compute(self) -> None:
        found = self.state.compute(lambda done, total: self.progress(done, total, "computing curves"))
        with self.lock:
            self.check_cancelled()
            self.state.found = found
            self.say()
            self._show()

    @callback
    def _scrub(self, _: Any) -> None:
        self.plot.at = self.state.step
        self.view.present = [bool(one) for one in self.state.mask]

    def _show(self) -> None:
        found = self.state.found
        lines = found.lines()
        with self.plot.hold_sync():
            self.plot.curves, self.plot.at, self.plot.words = lines, self.state.step, found.words()
        self.key.value = key({name: colour_of(name) for name in found.curves}, DASHES)
        areas = ", ".join(f"{html.escape(name)} <b>{area:.2f}</b>" for name, area in found.areas().items())
        self.areas.value = readout(f"area between insertion and deletion (AID): {areas}")
        self.view.present = [bool(one) for one in self.state.mask]
        if found.error:
            self.say(found.error, "error")

    def picture(self) -> Picture:
        """The curves."""
        with self.lock:
            found = self.state.found
        lines = [Line(line["name"], line["y"], line["colour"], bool(line["dash"])) for line in found.lines()]
        at = f"at p = {found.p:.2f}"
        drawn = draw_curves(lines, title=f"Insertion and deletion {at}", x_label="share of the input removed")
        return Picture(drawn, f"Insertion and deletion curves {at}. {found.words()}.")
