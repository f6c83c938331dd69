"""Insertion and deletion, live: the curves, and the masked pair at every step."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import traitlets

from fixlip import Explanation, Game, Samples
from fixlip.baselines.methods import METHODS as BASELINES
from fixlip.gallery.plans import PLANS, Runner
from fixlip.metrics import Curves, area_between_curves, insertion_deletion
from fixlip.pictures import Picture
from fixlip.pictures.curves import Line, curves_on_sheet, draw_curves
from fixlip.pictures.drawing import Sheet
from fixlip.subject import Subject

from . import insertion_deletion_page
from .controls import labelled, side_by_side
from .panel import Panel, State, callback, in_words
from .readouts import key, readout
from .views import CurveView, PairView

Others = Explanation | Mapping[str, Explanation] | Iterable[Explanation] | None
SECOND, FIRST = "second order", "first order"
# Told apart by people with any colour vision and on light and dark pages, and not the red and blue of raise and lower.
COLOURS = {SECOND: "#1b9e77", FIRST: "#9970ab"}
OTHER_COLOURS = ("#878787", "#cc7a00")
DASHES = {"insertion": "", "deletion": "5 4"}
NO_OTHER = "nothing more"
REMOVED = {"both": "patches and words", "image": "patches alone", "text": "words alone"}


@dataclass(frozen=True, eq=False)
class CurveSet:
    """Curves that belong together.

    Attributes:
        at: how the explanations that they are of were made: "p = 0.50"; but for one that is compared and has a p of its
            own, or none. Empty where there is no p.
        removed: whose players are removed, one of `REMOVED`.
        curves: by name of the explanation; the first are those whose masks are shown.
        error: a sentence on why there are none, or not all; or empty.
    """

    at: str
    removed: str
    curves: dict[str, Curves]
    error: str = ""

    @property
    def main(self) -> Curves | None:
        """The curves whose masks are shown."""
        return next(iter(self.curves.values()), None)

    @property
    def colours(self) -> dict[str, str]:
        """Colour of every explanation's curves; whether they are of insertion or deletion is said by dashes."""
        others = iter(OTHER_COLOURS if FIRST in self.curves else (COLOURS[FIRST], *OTHER_COLOURS))
        return {name: COLOURS[name] if name in COLOURS else next(others) for name in self.curves}

    @property
    def title(self) -> str:
        """What the curves are of, in words."""
        alone = "" if self.removed == "both" else f", {REMOVED[self.removed]}"
        return f"{alone}{' at ' if self.at else ''}{self.at}"

    def areas(self) -> dict[str, float]:
        """AID of every explanation."""
        return {name: area_between_curves(curves) for name, curves in self.curves.items()}

    def lines(self) -> list[dict[str, Any]]:
        """What is drawn: name, normalised values, colour and dash of every curve."""
        found: list[dict[str, Any]] = []
        for name, curves in self.curves.items():
            for (kind, dash), y in zip(DASHES.items(), curves.normalised(), strict=True):
                found.append({"name": f"{name}, {kind}", "y": y.tolist(), "colour": self.colours[name], "dash": dash})
        return found

    def words(self) -> str:
        """The areas, in words."""
        return "AID: " + (", ".join(f"{name} {area:.2f}" for name, area in self.areas().items()) or "not available")


def _heed(progress: Callable[[int, int], None], done: int, total: int, encoded: int) -> None:
    """Tell how many explanations are done, whenever masks were encoded: so a long one can be ended half-way."""
    progress(done, total)


class CurveState(State):
    """Curves of an explanation, of its first-order part if it is of second order, and of two others to compare with.

    Traits: `p`, `step` (which point of the curves), `side` ("insert" keeps the best, "delete" the worst), `removed`
    (whose players are removed, one of `REMOVED`), `against` and `also` (two of `others`), `found` (the curves; of
    earlier choices until `compute` is done).

    Attributes:
        others: what can be compared with, by name: functions of p that make an explanation. Baselines ask the model
            when they are first chosen, and once.
    """

    p = traitlets.Float(0.5, min=0.01, max=0.99)
    step = traitlets.Int(0, min=0)
    side = traitlets.Enum(["insert", "delete"], "insert")
    removed = traitlets.Enum(list(REMOVED), "both")
    against = traitlets.Unicode(NO_OTHER)
    also = traitlets.Unicode(NO_OTHER)
    found = traitlets.Instance(CurveSet)

    def __init__(self, source: Samples | Explanation, game: Game, other: Others = None) -> None:
        self.source, self.game = source, game
        given = named(other)
        self.others: dict[str, Callable[[float], Explanation]] = {"a random order": self._random}
        if isinstance(source, Samples):
            for fixed in (0.3, 0.7):
                self.others[f"p = {fixed}"] = lambda _, fixed=fixed: source.explain(fixed)  # type: ignore[misc]
            self.others["faithful Shapley"] = lambda _: source.explain(index="shapley")
        self.others |= {name: partial(_given, one) for name, one in given.items()}
        if isinstance(game, Game):
            here = {name.lower() for name in given}
            self.others |= {name: partial(self._baseline, name) for name in BASELINES if name not in here}
        against, also, *_ = [*given, NO_OTHER, NO_OTHER]
        super().__init__(p=0.5 if isinstance(source, Samples) else source.p, against=against, also=also)
        self._known: dict[tuple[str, float], Explanation] = {}
        self.found = self.compute()

    @property
    def has_p(self) -> bool:
        """Whether p means something: scores have none."""
        return isinstance(self.source, Samples) or bool(self.source.at)

    def _random(self, p: float) -> Explanation:
        """Attributions without meaning: what a method has to beat."""
        explained = self.explained(p).first_order()
        return replace(explained, attributions=np.random.default_rng(0).normal(size=explained.n_players), stderr=None)

    def _baseline(self, name: str, p: float) -> Explanation:
        if (name, p) not in self._known:
            plan = PLANS[name]
            self._known[name, p] = Runner(self.game).run(plan, plan.request(p, None, 0, False))[0]
        return self._known[name, p]

    def explained(self, p: float) -> Explanation:
        """The explanation at p."""
        return self.source.explain(p) if isinstance(self.source, Samples) else self.source

    def asked(self, p: float) -> dict[str, Explanation]:
        """What there are always curves of, by name: the explanation at p, and its first-order part if it has more."""
        explained = self.explained(p)
        if explained.order > 1:
            return {SECOND: explained.second_order(), FIRST: explained.first_order()}
        return {FIRST if self.has_p else explained.estimator or FIRST: explained}

    def compute(self, progress: Callable[[int, int], None] = lambda done, total: None) -> CurveSet:
        """The curves of the current choices. The model is asked about subsets that it has not answered for before.

        Args:
            progress: called before every explanation with how many are done and wanted; may raise to end it.
        """
        # These may be moved meanwhile, from another thread.
        p, removed, compared = self.p, self.removed, dict.fromkeys((self.against, self.also))
        at, failed = f"p = {p:.2f}" if self.has_p else "", ""
        curves: dict[str, Curves] = {}
        chosen = [name for name in compared if name in self.others]

        def heed() -> None:
            # Whenever masks were encoded, too: so a long one can be ended half-way.
            progress(len(curves), len(asked) + len(chosen))

        try:
            asked = self.asked(p)
            for name, one in asked.items():
                heed()
                curves[name] = self._curves(one, removed, heed)
        except ValueError as error:
            return CurveSet(at, removed, {}, in_words(error))
        for name in chosen:
            heed()
            try:
                curves[name] = self._curves(self.others[name](p), removed, heed)
            except ValueError as error:
                failed = f"{name}: {in_words(error)}"
        return CurveSet(at, removed, curves, failed)

    def _curves(self, explanation: Explanation, removed: str, heed: Callable[[], None]) -> Curves:
        curves = insertion_deletion(explanation, self.game, side=removed, progress=lambda encoded: heed())
        curves.normalised()  # says so if it cannot be done
        return curves

    @property
    def mask(self) -> Any:
        """Who is present at the current step, (n,) booleans."""
        main = self.found.main
        if main is None:
            return np.ones(self.game.n_players, bool)
        masks = main.insert_masks if self.side == "insert" else main.delete_masks
        return masks[min(self.step, len(masks) - 1)]


def _given(one: Explanation, p: float) -> Explanation:
    """An explanation whatever p."""
    return one


def named(others: Others) -> dict[str, Explanation]:
    """Explanations by name: "the other" if there is but one without a name, else what made them.

    Raises:
        ValueError: if they are something else.
    """
    if others is None:
        return {}
    if isinstance(others, Explanation):
        return {"the other": others}
    found: dict[str, Explanation] = {}
    pairs = others.items() if isinstance(others, Mapping) else [("", one) for one in others]
    for name, one in pairs:
        if not isinstance(one, Explanation):
            raise ValueError(f"other: got {type(one).__name__}, wanted explanations, in a list or by name.")
        name, number = name or one.estimator or "another", 1
        while (told := name if number == 1 else f"{name} ({number})") in found:
            number += 1
        found[told] = one
    return found


class InsertionDeletion(Panel):
    """The two curves at the current p, with a scrubber over the masked pair.

    Args:
        source: `Samples`, or an `Explanation` of any order and unit (then p is fixed).
        game: what they explain; that of the samples by default.
        other: explanations of the same game to compare with: one, several, or several by name. Baselines, a random
            order and other p's can be chosen beside them.
    """

    def __init__(self, source: Samples | Explanation, game: Game | None = None, other: Others = None) -> None:
        game = game if game is not None else getattr(source, "game", None)
        if game is None:
            raise ValueError("game: wanted the game that is explained, since the model has to be asked about subsets.")
        self.state = CurveState(source, game, other)
        self.p = labelled(ipywidgets.FloatSlider(self.state.p, min=0.05, max=0.95, step=0.05), "p")
        self.p.disabled = isinstance(source, Explanation)
        names = [NO_OTHER, *self.state.others]
        self.against = labelled(ipywidgets.Dropdown(options=names), "compare with")
        self.also = labelled(ipywidgets.Dropdown(options=names), "and with")
        places = Subject.of(game).plurals[0]
        wholes = [(words.replace("patches", places), name) for name, words in REMOVED.items()]
        self.removed = labelled(ipywidgets.Dropdown(options=wholes), "remove")
        self.step = labelled(ipywidgets.IntSlider(0, min=0, max=game.n_players), "players removed")
        self.play = ipywidgets.Play(min=0, max=game.n_players, interval=150, description="play", show_repeat=False)
        sides = [("keep the best (insertion)", "insert"), ("keep the worst (deletion)", "delete")]
        self.side = labelled(ipywidgets.Dropdown(options=sides), "show")
        self.plot, self.key, self.areas = CurveView(), ipywidgets.HTML(), ipywidgets.HTML()
        self.view = PairView.of_subject(game.subject, mode="mask", live=False)
        curves = ipywidgets.VBox([self.key, self.plot, self.areas])
        pair = ipywidgets.VBox([side_by_side(self.play, self.step), self.side, self.view])
        choices = [*([self.p] if self.state.has_p else []), self.against, self.also, self.removed]
        super().__init__(self.state, [side_by_side(*choices), side_by_side(curves, pair)])
        ipywidgets.jslink((self.play, "value"), (self.step, "value"))
        for name in ("p", "step", "side", "removed", "against", "also"):
            traitlets.link((self.state, name), (getattr(self, name), "value"))
        self.state.observe(self._recompute, ["p", "removed", "against", "also"])
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
        self._count_steps(found)
        with self.plot.hold_sync():
            self.plot.curves, self.plot.at, self.plot.words = lines, self.state.step, found.words()
        self.key.value = key(found.colours, DASHES)
        areas = ", ".join(f"{html.escape(name)} <b>{area:.2f}</b>" for name, area in found.areas().items())
        whose = "" if found.removed == "both" else f", {REMOVED[found.removed]}"
        self.areas.value = readout(f"area between insertion and deletion (AID){whose}: {areas or 'not available'}")
        self.view.present = [bool(one) for one in self.state.mask]
        if found.error:
            self.say(found.error, "error")

    def _count_steps(self, found: CurveSet) -> None:
        if found.main is None:
            return
        self.step.description = insertion_deletion_page.steps_in_words(found.main)
        self.step.max = self.play.max = len(found.main.insert) - 1  # a value beyond it comes down with it

    def to_html(self, path: str | os.PathLike[str], live: bool = False) -> Path:
        """Write the page; with all curves in it, its sliders and menus work without a kernel.

        Args:
            path: of the page.
            live: compute the curves at every p of the slider, for both sides and each alone, and what needs no model
                to compare with; that asks the game about some thousand subsets.

        Raises:
            ValueError: if the page cannot be written; an earlier page is still there then.
        """
        with self.lock:
            stored = insertion_deletion_page.live(self, REMOVED, COLOURS, OTHER_COLOURS) if live else None
        return self._write(path, stored)

    def picture(self) -> Picture:
        """The curves."""
        with self.lock:
            found = self.state.found
        lines = [Line(line["name"], line["y"], line["colour"], bool(line["dash"])) for line in found.lines()]
        title, share = f"Insertion and deletion{found.title}", "share of the input removed"
        words = f"Insertion and deletion curves{found.title}. {found.words()}."

        def drawn(width: int) -> Sheet:
            return curves_on_sheet(lines, title, share, width=width)

        return Picture(draw_curves(lines, title=title, x_label=share), words, drawn)
