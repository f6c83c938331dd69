"""Build a pointing game: four pictures, one to four words, and see where each word points."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import traitlets

from fixlip import Encoder, Explanation, Game, emoji, sample
from fixlip.metrics import PointingGame, PointingScore, mosaic
from fixlip.pictures import Picture
from fixlip.pictures.masked import draw_masked
from fixlip.regions import AnyImagePlayers, check_image_players
from fixlip.subject import Subject

from . import pointing_game_page
from .controls import labelled, side_by_side
from .panel import Panel, State, callback
from .readouts import number, readout, table
from .views import PairView

# Masked images encoded before progress is shown and a cancellation is heeded.
_ROUND = 64
CELL_NAMES = ("top left", "top right", "bottom left", "bottom right")


class PointingState(State):
    """A pointing game to be: what lies in the four cells, and how many of them the caption names.

    Traits: `labels` (four), `objects` (1 to 4), `p`, `budget`, `seed`, and after `run`: `played`, the game that was
    played, its `explanation` and its `score`.
    """

    labels = traitlets.List(["cat", "banana", "tractor", "ball"])
    objects = traitlets.Int(4, min=1, max=4)
    p = traitlets.Float(0.5, min=0.01, max=0.99)
    budget = traitlets.Int(256, min=16)
    seed = traitlets.Int(0)
    played = traitlets.Instance(PointingGame, allow_none=True)
    explanation = traitlets.Instance(Explanation, allow_none=True)
    score = traitlets.Instance(PointingScore, allow_none=True)

    def __init__(
        self,
        encoder: Encoder,
        pictures: dict[str, Any] | None = None,
        image_players: AnyImagePlayers = None,
        **traits: Any,
    ) -> None:
        self.encoder, self.pictures, self.image_players = encoder, pictures, check_image_players(image_players)
        known = list(pictures) if pictures else list(emoji.vocabulary())
        if len(known) < 4:
            raise ValueError(f"pictures: got {len(known)}, wanted four or more.")
        self.known = known
        traits.setdefault("labels", known[:4] if pictures else ["cat", "banana", "tractor", "ball"])
        super().__init__(**traits)

    def game(self) -> PointingGame:
        """The mosaic and its caption.

        Raises:
            ValueError: if a cell's label is none of those known, or there twice.
        """
        return self.game_of(self.labels, self.objects)

    def game_of(self, labels: list[str], objects: int) -> PointingGame:
        """A mosaic of other labels, of which so many are named; errors as of `game`."""
        unknown = [label for label in labels if label not in self.known]
        if unknown or len(set(labels)) != 4 or len(labels) != 4:
            raise ValueError(f"labels: got {', '.join(labels)}, wanted four different ones that are known.")
        if self.pictures:
            image = mosaic([self.pictures[label] for label in labels])
        else:
            image = emoji.scene(self.seed, words=labels, layout="grid").image
        return PointingGame(image, tuple(labels), objects)

    @property
    def played_as_set_up(self) -> bool:
        """Whether the game that was played is the one that is set up."""
        shown = self.played
        return shown is not None and (shown.labels, shown.objects) == (tuple(self.labels), self.objects)

    def run(self, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Explain the mosaic and keep score.

        Args:
            progress: called with the masked images done and wanted after every few; may raise to end it.
        """
        with self.lock:  # what is set up may be changed while the model is asked
            pointed, p, budget, seed = self.game(), self.p, self.budget, self.seed
        game = Game(self.encoder, pointed.image, pointed.caption, image_players=self.image_players)
        samples = sample(game, min(_ROUND, budget), seed=seed, progress=False)
        while samples.budget < budget and not samples.image_side.exact:
            progress(samples.budget, budget)
            samples = samples.extend(min(_ROUND, budget - samples.budget), progress=False)
        explanation = samples.explain(p)
        score = pointed.score(explanation)
        progress(budget, budget)
        with self.lock:
            self.played, self.explanation, self.score = pointed, explanation, score


def preview(pointed: PointingGame) -> Subject:
    """A game to be played, its cells for patches: what each shows, and the words of the caption."""
    words = pointed.labels[: pointed.objects]
    cells = [f"{cell}: {label}" for cell, label in zip(CELL_NAMES, pointed.labels, strict=True)]
    image = np.asarray(pointed.image.convert("RGB"))
    return Subject(len(cells), len(words), (*cells, *words), (2, 2), image, pointed.caption)


class PointingGameBuilder(Panel):
    """Choose what lies in the four cells, run, and see the score and each word's map.

    Args:
        encoder: from `fixlip.load`.
        pictures: your own, by label (files, Pillow images or arrays); the embedded emoji by default.
        image_players: as of `fixlip.Game`, of the mosaic; a region counts in the quarter that has more than half of
            its pixels.
    """

    def __init__(
        self, encoder: Encoder, pictures: dict[str, Any] | None = None, image_players: AnyImagePlayers = None
    ) -> None:
        self.state = PointingState(encoder, pictures, image_players)
        self.cells = [
            labelled(ipywidgets.Dropdown(options=self.state.known, value=label), cell)
            for cell, label in zip(CELL_NAMES, self.state.labels, strict=True)
        ]
        self.objects = labelled(ipywidgets.IntSlider(4, min=1, max=4), "objects named")
        self.p = labelled(ipywidgets.FloatSlider(0.5, min=0.05, max=0.95, step=0.05), "p")
        self.button = ipywidgets.Button(description="run", button_style="primary")
        self.word = labelled(ipywidgets.Dropdown(options=[("all", -1)], value=-1), "show word")
        self.table, self.place = ipywidgets.HTML(), ipywidgets.VBox()
        self.view: PairView | None = None
        self.mosaic = PairView(mode="mask", live=False, rulers=False)
        self._moving = False  # cells follow the state, and not the state its cells
        self.place.children = [self.mosaic]
        super().__init__(
            self.state,
            [
                side_by_side(*self.cells[:2]),
                side_by_side(*self.cells[2:]),
                side_by_side(self.objects, self.p, self.button),
                side_by_side(self.place, ipywidgets.VBox([self.word, self.table])),
            ],
        )
        traitlets.link((self.state, "objects"), (self.objects, "value"))
        traitlets.link((self.state, "p"), (self.p, "value"))
        self.button.on_click(lambda _: self.run())
        self.word.observe(self._select, "value")
        for cell in self.cells:
            cell.observe(self._choose, "value")
        self.state.observe(self._set_up, ["labels", "objects"])
        self.state.observe(self._show, "score")
        self._set_up(None)

    @callback
    def _choose(self, _: Any) -> None:
        if not self._moving:
            self.state.labels = [cell.value for cell in self.cells]

    @callback
    def _set_up(self, _: Any) -> None:
        """Show the mosaic as it is set up, in place of the game played before."""
        pointed = self.state.game()
        self._moving = True
        for cell, label in zip(self.cells, pointed.labels, strict=True):
            cell.value = label
        self._moving = False
        subject = preview(pointed)
        with self.mosaic.hold_sync():
            self.mosaic.show_subject(subject)
            self.mosaic.present = [True] * subject.n_players
            self.mosaic.notes = [[k, label] for k, label in enumerate(pointed.labels)]
        if self.state.played_as_set_up:
            return
        self.view, self.place.children = None, [self.mosaic]
        self.word.options = [("all", -1)]
        self.table.value = readout('<span class="quiet">run it to see where each word points</span>')

    @callback
    def run(self) -> None:
        """Run the game as it is set up, in the background."""
        self.state.labels = [cell.value for cell in self.cells]
        self.state.game()  # what does not fit is said at once
        self.button.disabled = True
        self.say("asking the model …")
        self.in_background(self._run)

    def _run(self) -> None:
        try:
            self.state.run(self.progress)
        finally:
            self.button.disabled = False

    @callback
    def _show(self, _: Any) -> None:
        played, explanation, score = self.state.played, self.state.explanation, self.state.score
        assert played is not None and explanation is not None and score is not None  # set by `run`
        self.view = PairView.of_subject(explanation.subject, edges=0)
        self.view.show(explanation)
        self.place.children = [self.view]
        words = explanation.labels[explanation.n_image :]
        self.word.options = [("all", -1), *((word, explanation.n_image + k) for k, word in enumerate(words))]
        rows = [
            [html.escape(label), *(_judged(value, k == cell) for cell, value in enumerate(sums))]
            for k, (label, sums) in enumerate(zip(played.labels, score.by_cell, strict=False))
        ]
        self.table.value = readout(
            f"pointing game recognition <b>{score.pgr:.2f}</b>: "
            f"right mass {score.correct:.1f}, wrong {score.wrong:.1f}",
            table(["word", *CELL_NAMES], rows),
            f'<span class="quiet">sums over a cell\'s {explanation.subject.plurals[0]}, logits; ✓ where positive in '
            "the own cell, or negative in another</span>",
        )

    @callback
    def _select(self, change: Any) -> None:
        if self.view is not None:
            self.view.selected = change["new"]

    def picture(self) -> Picture:
        """The explanation, or the mosaic before anything was run."""
        with self.lock:
            explanation, score = self.state.explanation, self.state.score
            as_set_up = self.state.played_as_set_up
        if explanation is None or score is None or not as_set_up:
            return self._mosaic_picture()
        condition = self.word.value if self.word.value >= 0 else None
        title = f"Pointing game recognition {score.pgr:.2f}"
        title += "" if condition is None else f": where \u201c{explanation.labels[condition]}\u201d points"
        drawn = explanation.draw(condition=condition, edges=0, width=400, title=title)
        sums = np.round(score.by_cell, 1).tolist()
        return Picture(drawn.image, f"Pointing game recognition {score.pgr:.2f}; sums by cell {sums}.")

    def _mosaic_picture(self) -> Picture:
        pointed = self.state.game()
        subject, title = preview(pointed), "A pointing game to be run"
        facts = [f"caption: \u201c{pointed.caption}\u201d"]
        notes = dict(enumerate(pointed.labels))
        present = np.ones(subject.n_players, bool)
        image = draw_masked(subject, present, title=title, facts=facts, notes=notes, rulers=False)
        return Picture(image, f"{title}: {', '.join(subject.labels[:4])}; {facts[0]}.")

    def to_html(self, path: str | os.PathLike[str], mosaics: Iterable[Sequence[str]] | None = None) -> Path:
        """Write the page; with mosaics stored in it, it can be played without a kernel.

        Args:
            path: of the page.
            mosaics: labels of mosaics, four each, to be stored beside the one that is set up, each with one to four
                objects named and at any p; an empty list for that one alone. None for a page without controls.

        Raises:
            ValueError: if labels do not fit, or the page cannot be written; an earlier page is still there then.
        """
        live = None if mosaics is None else pointing_game_page.live(self, mosaics, self.state.game_of)
        return self._write(path, live)


def _judged(value: float, own: bool) -> str:
    """What a word points at in a cell, and whether that is right: bold in the own one."""
    told = f"{number(value)} {'✓' if (value > 0) == own else '✗'}"
    return f"<b>{told}</b>" if own else told
