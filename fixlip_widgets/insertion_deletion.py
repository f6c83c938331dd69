"""Insertion and deletion, live: the curves, and the masked pair at every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ipywidgets
import numpy as np
import traitlets
from PIL import ImageColor

from fixlip import Explanation, Game, Samples
from fixlip.metrics import Curves, area_between_curves, insertion_deletion
from fixlip.pictures import Picture
from fixlip.pictures.drawing import INK, MUTED, Sheet

from .facts import facts, key
from .panel import Panel, guarded, labelled, side_by_side
from .views import CurveView, PairView

SECOND, FIRST = "second order", "first order"
COLOURS = {SECOND: "#b2182b", FIRST: "#2166ac"}
OTHER_COLOUR = "#878787"
NOTHING = "nothing more"


class CurveState(traitlets.HasTraits):
    """Curves of a second-order explanation, of its first-order part, and of another explanation to compare with.

    Traits: `p`, `step` (how many players are removed), `side` ("insert" keeps the best, "delete" the worst), `against`
    (one of `others`), `curves` (by name), `error`.

    Attributes:
        others: what can be compared with, by name: functions that make an explanation without calling the model.
    """

    p = traitlets.Float(0.5, min=0.01, max=0.99)
    step = traitlets.Int(0, min=0)
    side = traitlets.Enum(["insert", "delete"], "insert")
    against = traitlets.Unicode(NOTHING)
    curves = traitlets.Dict()
    error = traitlets.Unicode()

    def __init__(self, source: Samples | Explanation, game: Game, other: Explanation | None = None) -> None:
        self.source, self.game = source, game
        self.others: dict[str, Callable[[], Explanation]] = {"a random order": self._random}
        if isinstance(source, Samples):
            for p in (0.3, 0.7):
                self.others[f"p = {p}"] = lambda p=p: source.explain(p)
            self.others["faithful Shapley"] = lambda: source.explain(index="shapley")
        if other is not None:
            self.others["the other"] = lambda: other
        against = NOTHING if other is None else "the other"
        super().__init__(p=0.5 if isinstance(source, Samples) else source.p, against=against)
        self.compute()

    def _random(self) -> Explanation:
        """Attributions without meaning: what a method has to beat."""
        explained = self.explained().first_order()
        return replace(explained, attributions=np.random.default_rng(0).normal(size=explained.n_players), stderr=None)

    def explained(self) -> Explanation:
        """The explanation at the current p."""
        return self.source.explain(self.p) if isinstance(self.source, Samples) else self.source

    def compute(self) -> None:
        """Ask the model about the subsets at the current p; what it has answered before costs nothing."""
        found = self.explained()
        asked = {SECOND: found, FIRST: found.first_order()} if found.order == 2 else {FIRST: found}
        if self.against in self.others:
            asked[self.against] = self.others[self.against]()
        try:
            curves = {name: insertion_deletion(one, self.game) for name, one in asked.items()}
            for one in curves.values():
                one.normalised()
            self.curves, self.error = curves, ""
        except ValueError as error:
            self.curves, self.error = {}, str(error)

    @property
    def main(self) -> Curves | None:
        """The curves whose masks are shown: the first."""
        return next(iter(self.curves.values()), None)

    @property
    def mask(self) -> Any:
        """Who is present at the current step, (n,) booleans."""
        if self.main is None:
            return np.ones(self.game.n_players, bool)
        masks = self.main.insert_masks if self.side == "insert" else self.main.delete_masks
        return masks[min(self.step, len(masks) - 1)]

    def areas(self) -> dict[str, float]:
        """AID of every explanation."""
        return {name: area_between_curves(curves) for name, curves in self.curves.items()}


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
        n = game.n_players
        self.p = labelled(ipywidgets.FloatSlider(self.state.p, min=0.05, max=0.95, step=0.05), "p")
        self.p.disabled = isinstance(source, Explanation)
        self.against = labelled(ipywidgets.Dropdown(options=[NOTHING, *self.state.others]), "compare with")
        self.step = labelled(ipywidgets.IntSlider(0, min=0, max=n), "players removed")
        self.play = ipywidgets.Play(min=0, max=n, interval=150, description="play", show_repeat=False)
        sides = [("keep the best (insertion)", "insert"), ("keep the worst (deletion)", "delete")]
        self.side = labelled(ipywidgets.Dropdown(options=sides), "show")
        self.plot, self.key, self.areas = CurveView(), ipywidgets.HTML(), ipywidgets.HTML()
        self.view = PairView.of_players(game.subject, mode="mask", live=False)
        curves = ipywidgets.VBox([self.key, self.plot, self.areas])
        pair = ipywidgets.VBox([ipywidgets.HBox([self.play, self.step]), self.side, self.view])
        super().__init__([side_by_side(self.p, self.against), side_by_side(curves, pair)])
        ipywidgets.jslink((self.play, "value"), (self.step, "value"))
        for name in ("p", "step", "side", "against"):
            traitlets.link((self.state, name), (getattr(self, name), "value"))
        self.state.observe(self._recompute, ["p", "against"])
        self.state.observe(self._scrub, ["step", "side"])
        self._show()

    @guarded
    def _recompute(self, _: Any) -> None:
        self.in_background(self._compute)

    def _compute(self) -> None:
        self.state.compute()
        with self.lock:
            self._show()

    @guarded
    def _scrub(self, _: Any) -> None:
        self.plot.at = self.state.step
        self.view.present = [bool(one) for one in self.state.mask]

    def _show(self) -> None:
        lines = []
        for name, curves in self.state.curves.items():
            insert, delete = curves.normalised()
            colour = COLOURS.get(name, OTHER_COLOUR)
            lines.append({"name": f"{name}, insertion", "y": insert.tolist(), "colour": colour, "dash": ""})
            lines.append({"name": f"{name}, deletion", "y": delete.tolist(), "colour": colour, "dash": "5 4"})
        told = ", ".join(f"{name} <b>{area:.2f}</b>" for name, area in self.state.areas().items())
        with self.plot.hold_sync():
            self.plot.curves, self.plot.at, self.plot.words = lines, self.state.step, f"AID: {self._words()}"
        self.key.value = key(lines)
        self.areas.value = facts(f"area between insertion and deletion (AID): {told}")
        self.view.present = [bool(one) for one in self.state.mask]
        if self.state.error:
            self.say(self.state.error, "error")

    def _words(self) -> str:
        return ", ".join(f"{name} {area:.2f}" for name, area in self.state.areas().items())

    def picture(self) -> Picture:
        """The curves."""
        left, top, right, bottom = 52.0, 78.0, 540.0, 300.0
        sheet = Sheet(560, 350)
        lines = self.plot.curves
        ys = [y for line in lines for y in line["y"]] + [0.0, 1.0]
        low, high = min(ys), max(ys)

        def at(x: float, y: float) -> tuple[float, float]:
            return left + (right - left) * x, top + (bottom - top) * (high - y) / (high - low)

        sheet.text((20, 24), f"Insertion and deletion at p = {self.state.p:.2f}", 15)
        for level in (0.0, 1.0):
            sheet.path([at(0, level), at(1, level)], MUTED, 0.6, dashed=True)
            sheet.text((left - 8, at(0, level)[1]), f"{level:.0f}", 11, MUTED, anchor="rm")
        for share in (0, 0.25, 0.5, 0.75, 1):
            sheet.text((at(share, 0)[0], bottom + 14), f"{share:.0%}", 11, MUTED, anchor="mm")
        sheet.text(((left + right) / 2, bottom + 34), "share of the input removed", 11, INK, anchor="mm")
        for k, line in enumerate(lines):
            count, colour, dashed = len(line["y"]) - 1, ImageColor.getrgb(line["colour"])[:3], bool(line["dash"])
            points = [at(x / count, y) for x, y in enumerate(line["y"])]
            sheet.path(points, colour, 2, dashed=dashed)
            x, y = 24 + 175 * (k // 2), 46 + 16 * (k % 2)
            sheet.path([(x, y), (x + 24, y)], colour, 2, dashed=dashed)
            sheet.text((x + 30, y), line["name"], 11)
        words = f"Insertion and deletion curves at p = {self.state.p:.2f}. AID: {self._words()}."
        return Picture(sheet.finish(), words)
