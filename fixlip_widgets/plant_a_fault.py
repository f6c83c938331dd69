"""Plant a fault by hand: put a badge or a written word into a scene, or paint its objects; see what models say."""

from __future__ import annotations

import html
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from fixlip.emoji.props import BADGE, LABEL, TINTS, written_words
from fixlip.emoji.scenes import UNITS, vocabulary
from fixlip.encoders.protocol import AnyEncoder, check_is_encoder
from fixlip.pictures import Picture
from fixlip.pictures.layout import scales_of
from fixlip.pictures.words import model_name

from . import planting_page
from .controls import labelled, side_by_side
from .panel import Panel, callback
from .planting import SIDES, THINGS, PlantState, Shown, picture_of
from .planting_words import HINTS, decisions, drawn_pairs, token_places, where
from .readouts import readout
from .scene_view import SceneView
from .views import PairView, data_uri

_NO_OBJECT, _OWN = "none", "its own"
_SET_UP = ("fault", "seed", "objects", "word", "badge", "label", "tints", "caption", "foil")


class PlantAFault(Panel):
    """Plant something in a scene and see, before and after, which caption wins and what the explanation points at.

    Click in the picture (or Tab to it, arrow keys, Enter) to put a badge or a written word there; click an object to
    paint it. Click words below the maps to see what goes with them; with painted objects two words at once.

    Args:
        encoder: from `fixlip.load`: a model that may have the fault.
        beside: another one, to compare with: the clean one, say.
        fault: what to begin with: "shortcut" (a badge), "reads" (a written word) or "binding" (other colours).
        seed: of the scene.
        planted: begin with something planted; else with the scene as it is.

    Raises:
        TypeError: if a model is no encoder, but a model's name, say.
        ValueError: if there is no such fault.
    """

    def __init__(
        self,
        encoder: AnyEncoder,
        beside: AnyEncoder | None = None,
        *,
        fault: str = "shortcut",
        seed: int = 0,
        planted: bool = True,
    ) -> None:
        encoders = _checked(encoder, beside, fault)
        self.state = PlantState(encoders, fault, seed, planted)
        self.state.ask(sharp=True)
        self._build_controls()
        self.scene = SceneView(palette=list(TINTS))
        self.readout = ipywidgets.HTML()
        first = self._shown
        self.maps = [[PairView.of_subject(pair[k].subject, edges=0) for k in range(2)] for pair in first.explanations]
        self._moving = False
        super().__init__(self.state, self._laid_out(encoders))
        self._connect()
        self._set_up(None)
        self._show(None)
        self._choose_words(self.state.asked_words)

    @property
    def _shown(self) -> Shown:
        shown = self.state.shown
        assert shown is not None  # asked for when the panel was made
        return shown

    def _build_controls(self) -> None:
        state = self.state
        things = [(name, fault) for fault, name in THINGS.items()]
        self.fault = labelled(ipywidgets.Dropdown(options=things, value=state.fault), "plant")
        self.word = labelled(ipywidgets.Dropdown(options=written_words(), value=state.word), "written word")
        objects = [*vocabulary()]
        first, second = [*state.objects, _NO_OBJECT][:2]
        self.objects = [
            labelled(ipywidgets.Dropdown(options=objects, value=first), "objects"),
            labelled(ipywidgets.Dropdown(options=[*objects, _NO_OBJECT], value=second), "and"),
        ]
        colours = [(_OWN, ""), *((name, name) for name in TINTS)]
        self.tints = [labelled(ipywidgets.Dropdown(options=colours), "colour") for _ in range(2)]
        self.again = ipywidgets.Button(description="another scene", layout={"width": "auto"})
        self.clear = ipywidgets.Button(description="take it away", layout={"width": "auto"})
        texts = (ipywidgets.Text(continuous_update=False) for _ in range(2))
        self.caption, self.foil = (labelled(one, name) for one, name in zip(texts, ("caption", "against"), strict=True))

    def _laid_out(self, encoders: tuple[AnyEncoder, ...]) -> list[ipywidgets.Widget]:
        rows = []
        for encoder, pair in zip(encoders, self.maps, strict=True):
            columns = []
            for side, view in zip(SIDES, pair, strict=True):
                name = html.escape(model_name(encoder.name))
                title = readout(f'<div style="margin-top:18px"><b>{name}</b>, {side}</div>')
                columns.append(ipywidgets.VBox([ipywidgets.HTML(title), view], layout={"width": "320px"}))
            rows.append(side_by_side(*columns))
        return [
            side_by_side(self.fault, self.word, *self.tints, self.clear),
            side_by_side(*self.objects, self.again),
            side_by_side(self.caption, self.foil),
            side_by_side(self.scene, self.readout),
            *rows,
        ]

    def _connect(self) -> None:
        for name in ("fault", "word", "caption", "foil"):
            traitlets.link((self.state, name), (getattr(self, name), "value"))
        self.state.observe(self._begin, ["fault"])
        self.state.observe(self._rename, ["seed", "objects", "word"])
        self.state.observe(self._set_up, list(_SET_UP))
        self.state.observe(self._show, "shown")
        self.scene.observe(self._put, ["at", "tints"])
        self.again.on_click(lambda _: self._another())
        self.clear.on_click(lambda _: self._clear())
        for one in self.objects:
            one.observe(self._choose_objects, "value")
        for one in self.tints:
            one.observe(self._choose_tints, "value")
        for view in (view for pair in self.maps for view in pair):
            view.observe(self._follow, ["selected", "second"])

    # ---- answers to the controls
    #
    # Many settings change at a time; each change draws the scene, and the last one is what the models are asked.

    @callback
    def _begin(self, _: Any) -> None:
        self.state.start()

    @callback
    def _rename(self, change: Any) -> None:
        if change["name"] != "word":
            planted = self._shown.setting.planted
            self.state.tints = self.state.swapped if planted else self.state.given
        self.state.propose()

    @callback
    def _another(self) -> None:
        self.state.another()

    @callback
    def _clear(self) -> None:
        self.state.clear()

    @callback
    def _put(self, _: Any) -> None:
        if self._moving:
            return
        state, at = self.state, [float(one) for one in self.scene.at]
        if state.fault == "shortcut":
            state.badge = at
        elif state.fault == "reads":
            state.label = at
        else:
            state.tints = [*self.scene.tints]

    @callback
    def _choose_objects(self, _: Any) -> None:
        if self._moving:
            return
        self.state.objects = [one.value for one in self.objects if one.value != _NO_OBJECT]

    @callback
    def _choose_tints(self, _: Any) -> None:
        if self._moving:
            return
        if self.state.fault == "binding":
            self.state.tints = [one.value for one in self.tints][: len(self.state.objects)]

    @callback
    def _set_up(self, _: Any) -> None:
        """Show the scene as it is set up, and ask what the models say."""
        with self._moved():
            self._draw_scene()
        if self.state.shown is None or self.state.setting != self.state.shown.setting:
            self.say("asking the model …")
            self.in_background(self._ask)

    def _draw_scene(self) -> None:
        state, scene = self.state, picture_of(self.state.setting.after)
        painted = state.fault == "binding"
        side = scene.image.width
        for control, shown in ((self.word, state.fault == "reads"), *((one, painted) for one in self.tints)):
            control.layout.display = "" if shown else "none"
        for control, word in zip(self.objects, [*state.objects, _NO_OBJECT], strict=False):
            control.value = word
        for control, word, tint in zip(self.tints, state.objects, state.tints, strict=False):
            control.value, control.description = tint, word
        with self.scene.hold_sync():
            self.scene.image, self.scene.grid = data_uri(scene.image), list(state.grid)
            self.scene.name = f"scene of {scene.caption}"
            self.scene.thing = [] if painted else [BADGE, BADGE] if state.fault == "shortcut" else [*LABEL]
            self.scene.round, self.scene.named = state.fault == "shortcut", THINGS[state.fault]
            self.scene.at = {"shortcut": state.badge, "reads": state.label, "binding": []}[state.fault]
            self.scene.boxes = [[UNITS * one / side for one in box] for box in scene.boxes] if painted else []
            self.scene.objects, self.scene.tints = list(state.objects), list(state.tints)
            self.scene.words, self.scene.hint = where(state), HINTS[state.fault]

    def _ask(self) -> None:
        self.state.ask(self.progress, lambda: self._waiting is not None)
        self.say()

    # ---- what the models say

    @callback
    def _show(self, _: Any) -> None:
        shown, anew = self._shown, False
        for pair, views in zip(shown.explanations, self.maps, strict=True):
            for explanation, view in zip(pair, views, strict=True):
                anew = anew or view.labels != list(explanation.labels)
                with self._moved():
                    view.show(explanation, triples=True)
        self.readout.value = decisions(shown, [encoder.name for encoder in self.state.encoders])
        if anew:  # another caption
            self._choose_words(self.state.asked_words)
        self._rescale()

    def _rescale(self) -> None:
        """One colour means one number before and after."""
        for pair, views in zip(self._shown.explanations, self.maps, strict=True):
            chosen = views[0].chosen
            values = [one.condition(chosen) if chosen else one.values for one in pair]
            for view in views:
                view.scales = list(scales_of(zip(pair, values, strict=True), "auto"))

    def _choose_words(self, words: tuple[str, ...]) -> None:
        """Keep these words in all maps, where each is one token."""
        places = token_places(self._shown.explanations[0][0], words)
        for pair in self.maps:
            self._keep(pair, places)
        self._rescale()

    @callback
    def _follow(self, change: Any) -> None:
        """What is kept in one map is kept in all; a patch only in those of its model: others may have other patches."""
        if self._moving:
            return
        origin = change["owner"]
        n_image = len(origin.labels) - len(origin.tokens)
        chosen = [player for player in (origin.selected, origin.second) if player >= 0]
        of_words = all(player >= n_image for player in chosen)
        for pair in self.maps:
            if of_words:
                self._keep(pair, [player - n_image for player in chosen])
            else:
                self._keep_players(pair, [*chosen[:1], -1] if origin in pair else [-1, -1])
        self._rescale()

    def _keep(self, pair: list[PairView], places: list[int]) -> None:
        """Keep words in a model's maps, by their places in the caption."""
        n_text = len(pair[0].tokens)
        first = len(pair[0].labels) - n_text
        self._keep_players(pair, [*(first + place for place in places if place < n_text), -1, -1])

    def _keep_players(self, pair: list[PairView], players: list[int]) -> None:
        with self._moved():
            for view in pair:
                with view.hold_sync():
                    view.selected, view.second = players[0], players[1]

    @contextmanager
    def _moved(self) -> Iterator[None]:
        """While controls and maps follow the state, and each other: the state does not follow them."""
        before, self._moving = self._moving, True
        try:
            yield
        finally:
            self._moving = before

    def picture(self) -> Picture:
        """Every model's map before and after, with who wins."""
        with self.lock:
            chosen = [pair[0].chosen for pair in self.maps]
            return drawn_pairs(self._shown, [encoder.name for encoder in self.state.encoders], chosen)

    def to_html(self, path: str | os.PathLike[str], faults: Sequence[str] = (), places: int = 3) -> Path:
        """Write the page; with faults stored in it, they can be planted without a kernel.

        Args:
            path: of the page.
            faults: what can be planted, as in `fault`; none for a page without controls.
            places: how many rows and columns of places a badge or a word can be put to; each takes the models seconds.

        Raises:
            ValueError: if there is no such fault, or the page cannot be written; an earlier page is still there then.
        """
        return self._write(path, planting_page.live(self, faults, places) if faults else None)


def _checked(encoder: AnyEncoder, beside: AnyEncoder | None, fault: str) -> tuple[AnyEncoder, ...]:
    """The models to ask, or an error in a sentence."""
    if fault not in THINGS:
        raise ValueError(f"fault: got {fault!r}, wanted one of {', '.join(THINGS)}.")
    check_is_encoder(encoder)
    if beside is not None:
        check_is_encoder(beside)
    return (encoder,) if beside is None else (encoder, beside)
