"""Build a pointing game: four pictures, one to four words, and see where each word points."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
import traitlets

from fixlip import Encoder, Explanation, Game, emoji, sample
from fixlip.metrics import PointingGame, PointingScore, mosaic
from fixlip.pictures import Picture

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

    def __init__(self, encoder: Encoder, pictures: dict[str, Any] | None = None, **traits: Any) -> None:
        self.encoder, self.pictures = encoder, pictures
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
        unknown = [label for label in self.labels if label not in self.known]
        if unknown or len(set(self.labels)) != 4:
            raise ValueError(f"labels: got {', '.join(self.labels)}, wanted four different ones that are known.")
        if self.pictures:
            image = mosaic([self.pictures[label] for label in self.labels])
        else:
            image = emoji.scene(self.seed, words=self.labels, layout="grid").image
        return PointingGame(image, tuple(self.labels), self.objects)

    def run(self, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Explain the mosaic and keep score.

        Args:
            progress: called with the masked images done and wanted after every few; may raise to end it.
        """
        with self.lock:  # what is set up may be changed while the model is asked
            pointed, p, budget, seed = self.game(), self.p, self.budget, self.seed
        game = Game(self.encoder, pointed.image, pointed.caption)
        samples = sample(game, min(_ROUND, budget), seed=seed, progress=False)
        while samples.budget < budget and not samples.image_side.exact:
            progress(samples.budget, budget)
            samples = samples.extend(min(_ROUND, budget - samples.budget), progress=False)
        explanation = samples.explain(p)
        score = pointed.score(explanation)
        progress(budget, budget)
        with self.lock:
            self.played, self.explanation, self.score = pointed, explanation, score


class PointingGameBuilder(Panel):
    """Choose what lies in the four cells, run, and see the score and each word's map.

    Args:
        encoder: from `fixlip.load`.
        pictures: your own, by label (files, Pillow images or arrays); the embedded emoji by default.
    """

    def __init__(self, encoder: Encoder, pictures: dict[str, Any] | None = None) -> None:
        self.state = PointingState(encoder, pictures)
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
        super().__init__(
            self.state,
            [
                ipywidgets.HBox(self.cells[:2]),
                ipywidgets.HBox(self.cells[2:]),
                side_by_side(self.objects, self.p, self.button),
                side_by_side(self.place, ipywidgets.VBox([self.word, self.table])),
            ],
        )
        traitlets.link((self.state, "objects"), (self.objects, "value"))
        traitlets.link((self.state, "p"), (self.p, "value"))
        self.button.on_click(lambda _: self.run())
        self.word.observe(self._select, "value")

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
            with self.lock:
                self._show()
                self.say()
        finally:
            self.button.disabled = False

    def _show(self) -> None:
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
            '<span class="quiet">sums over a cell\'s patches, logits; ✓ where positive in the own cell, '
            "or negative in another</span>",
        )

    @callback
    def _select(self, change: Any) -> None:
        if self.view is not None:
            self.view.selected = change["new"]

    def picture(self) -> Picture:
        """The explanation, or the mosaic before anything was run."""
        with self.lock:
            explanation, score = self.state.explanation, self.state.score
        if explanation is None or score is None:
            pointed = self.state.game()
            image = pointed.image.convert("RGBA").resize((448, 448))
            return Picture(image, f"A pointing game to be run: {', '.join(self.state.labels)}.")
        condition = self.word.value if self.word.value >= 0 else None
        drawn = explanation.draw(condition=condition, edges=0, width=380)
        sums = np.round(score.by_cell, 1).tolist()
        return Picture(drawn.image, f"Pointing game recognition {score.pgr:.2f}; sums by cell {sums}.")


def _judged(value: float, own: bool) -> str:
    """What a word points at in a cell, and whether that is right: bold in the own one."""
    told = f"{number(value)} {'✓' if (value > 0) == own else '✗'}"
    return f"<b>{told}</b>" if own else told
