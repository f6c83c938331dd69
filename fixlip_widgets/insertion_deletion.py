"""Insertion and deletion, live: the curves, and the masked pair at every step."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np
import traitlets
from PIL import Image, ImageDraw

from fixlip import Explanation, Game, Samples
from fixlip.metrics import Curves, area_between_curves, insertion_deletion
from fixlip.pictures import Picture

from .panel import Panel, guarded, labelled
from .views import CurveView, PairView

COLOURS = {"second order": "#b2182b", "first order": "#2166ac", "other": "#1b7837"}


class CurveState(traitlets.HasTraits):
    """Curves of a second-order explanation, of its first-order part, and of another explanation to compare with.

    Traits: `p`, `step` (how many players are removed), `side` ("insert" keeps the best, "delete" the worst), `curves`
    (by name), `error`.
    """

    p = traitlets.Float(0.5, min=0.01, max=0.99)
    step = traitlets.Int(0, min=0)
    side = traitlets.Enum(["insert", "delete"], "insert")
    curves = traitlets.Dict()
    error = traitlets.Unicode()

    def __init__(self, source: Samples | Explanation, game: Game, other: Explanation | None = None) -> None:
        self.source, self.game, self.other = source, game, other
        p = 0.5 if isinstance(source, Samples) else source.p
        super().__init__(p=p)
        self.compute()

    def compute(self) -> None:
        """Ask the model about the subsets at the current p; what it has answered before costs nothing."""
        found = self.source.explain(self.p) if isinstance(self.source, Samples) else self.source
        asked = (
            {"second order": found, "first order": found.first_order()} if found.order == 2 else {"first order": found}
        )
        if self.other is not None:
            asked["other"] = self.other
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
        self.step = labelled(ipywidgets.IntSlider(0, min=0, max=n), "players removed")
        self.play = ipywidgets.Play(min=0, max=n, interval=150, description="play")
        sides = [("keep the best (insertion)", "insert"), ("keep the worst (deletion)", "delete")]
        self.side = labelled(ipywidgets.Dropdown(options=sides), "show")
        self.plot, self.areas = CurveView(), ipywidgets.HTML()
        self.view = PairView.of_players(game.players, mode="mask")
        super().__init__([self.p, self.plot, self.areas, ipywidgets.HBox([self.play, self.step, self.side]), self.view])
        ipywidgets.jslink((self.play, "value"), (self.step, "value"))
        for name in ("p", "step", "side"):
            traitlets.link((self.state, name), (getattr(self, name), "value"))
        self.state.observe(self._recompute, "p")
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
            lines.append({"name": f"{name}, insert", "y": insert.tolist(), "colour": COLOURS[name], "dash": ""})
            lines.append({"name": f"{name}, delete", "y": delete.tolist(), "colour": COLOURS[name], "dash": "5 4"})
        told = ", ".join(f"{name} <b>{area:.2f}</b>" for name, area in self.state.areas().items())
        with self.plot.hold_sync():
            self.plot.curves, self.plot.at, self.plot.words = lines, self.state.step, f"AID: {self._words()}"
        self.areas.value = f"area between insertion and deletion: {told}"
        self.view.present = [bool(one) for one in self.state.mask]
        if self.state.error:
            self.say(self.state.error, "error")

    def _words(self) -> str:
        return ", ".join(f"{name} {area:.2f}" for name, area in self.state.areas().items())

    def picture(self) -> Picture:
        """The curves."""
        size, (left, top, right, bottom) = (1120, 560), (70, 20, 1100, 500)
        image = Image.new("RGBA", size, "white")
        pen = ImageDraw.Draw(image)
        lines = self.plot.curves
        ys = [y for line in lines for y in line["y"]] + [0.0, 1.0]
        low, high = min(ys), max(ys)
        for line in lines:
            count = len(line["y"]) - 1
            points = [
                (left + (right - left) * k / count, top + (bottom - top) * (high - y) / (high - low))
                for k, y in enumerate(line["y"])
            ]
            pen.line(points, fill=line["colour"], width=5 if not line["dash"] else 2)
        pen.line([(left, bottom), (right, bottom)], fill="black", width=2)
        return Picture(
            image, f"Insertion (thick) and deletion (thin) curves at p = {self.state.p:.2f}. AID: {self._words()}."
        )
