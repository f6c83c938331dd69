"""Play the game by hand: take patches and words away, and see the similarity fall."""

from __future__ import annotations

import html
import os
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import traitlets

from fixlip import Game
from fixlip.masks import check_p
from fixlip.pictures import Picture
from fixlip.pictures.masked import draw_masked

from .controls import labelled, side_by_side
from .live import Live, Numbers
from .model_page import game_facts, model_facts
from .panel import Panel, State, callback
from .readouts import gauge, number, readout
from .views import PairView


class MaskingState(State):
    """A coalition of a game, its value, and what single players add to it.

    Attributes:
        empty_value: value of the empty coalition, logits.
        full_value: value of the grand coalition, logits.

    Traits: `present` (one boolean per player), `value` (logits), `last` and `before` (the players that were
    changed last, or -1).
    """

    present: traitlets.List[bool] = traitlets.List()
    value = traitlets.Float()
    last = traitlets.Int(-1)
    before = traitlets.Int(-1)

    def __init__(self, game: Game) -> None:
        self.game = game
        self.empty_value, self.full_value = game.empty_value, game.full_value
        super().__init__(present=[True] * game.n_players, value=self.full_value)

    @traitlets.validate("present")
    def _check(self, proposal: Any) -> list[bool]:
        if len(proposal["value"]) != self.game.n_players:
            raise traitlets.TraitError(f"present: wanted {self.game.n_players} entries, one per player.")
        return [bool(one) for one in proposal["value"]]

    @traitlets.observe("present")
    def _ask(self, change: Any) -> None:
        old, new = change["old"], change["new"]
        changed = [k for k in range(len(new)) if not old or old[k] != new[k]]
        with self.lock:
            if len(changed) == 1 and changed[0] != self.last:
                self.before, self.last = self.last, changed[0]
            self.value = self._values([np.array(self.present)])[0]

    @property
    def share(self) -> float:
        """How far the value lies from that of the empty coalition (0) towards that of the grand coalition (1)."""
        empty, full = self.empty_value, self.full_value
        return (self.value - empty) / (full - empty) if full != empty else float("nan")

    @property
    def share_in_words(self) -> str:
        """The share, and of what."""
        empty, full = self.empty_value, self.full_value
        if empty == full:
            return f"as with everything removed and with everything present ({full:.2f} both)"
        way = f"from everything removed ({empty:.2f}) to everything present ({full:.2f})"
        return f"{round(100 * self.share)} % of the way {way}"

    def effect(self, player: int) -> float:
        """What one player adds to the others that are present (its marginal contribution), logits."""
        base = np.array(self.present)
        without, with_it = self._values([_changed(base, {player: False}), _changed(base, {player: True})])
        return with_it - without

    def interaction(self, first: int, second: int) -> float:
        """How much more two players add together than one by one, to the others that are present, logits."""
        base = np.array(self.present)
        masks = [_changed(base, {first: a, second: b}) for a in (False, True) for b in (False, True)]
        neither, only_second, only_first, both = self._values(masks)
        return both - only_first - only_second + neither

    def random(self, p: float, seed: int | None = None) -> None:
        """A coalition in which every player is present with probability p."""
        p = check_p(p)
        self.present = (np.random.default_rng(seed).random(self.game.n_players) < p).tolist()

    def _values(self, masks: list[Any]) -> list[float]:
        return [float(value) for value in self.game(np.stack(masks))]


def _changed(mask: Any, changes: dict[int, bool]) -> Any:
    changed = mask.copy()
    for player, present in changes.items():
        changed[player] = present
    return changed


class MaskingGame(Panel):
    """Click patches and words on and off.

    Args:
        game: the game to play.
    """

    def __init__(self, game: Game) -> None:
        self.state = MaskingState(game)
        told = f"click a {game.subject.units[0]} or a word to take it away or bring it back"
        self.view = PairView.of_subject(game.subject, mode="mask", words=told)
        self.readout = ipywidgets.HTML()
        self.p = labelled(ipywidgets.FloatSlider(0.5, min=0.05, max=0.95, step=0.05), "p")
        names = ("everything", "nothing", "random mask at p")
        self.buttons = {name: ipywidgets.Button(description=name, layout={"width": "auto"}) for name in names}
        controls = side_by_side(*self.buttons.values(), self.p)
        super().__init__(self.state, [controls, side_by_side(self.view, self.readout)])
        traitlets.link((self.state, "present"), (self.view, "present"))
        self.state.observe(self._tell, ["value", "last"])
        count = game.n_players
        self.buttons["everything"].on_click(lambda _: self._set([True] * count))
        self.buttons["nothing"].on_click(lambda _: self._set([False] * count))
        self.buttons["random mask at p"].on_click(lambda _: self._draw())
        self._tell(None)

    @callback
    def _set(self, present: list[bool]) -> None:
        self.state.present = present

    @callback
    def _draw(self) -> None:
        self.state.random(self.p.value)

    @callback
    def _tell(self, _: Any) -> None:
        state, labels = self.state, self.state.game.labels
        told = state.share_in_words
        parts = [f"similarity <b>{state.value:.2f}</b>", gauge(state.share, told), f'<span class="quiet">{told}</span>']
        notes = []
        if state.last >= 0:
            effect = number(state.effect(state.last))
            notes.append([state.last, effect])
            parts.append(f"<p>“{html.escape(labels[state.last])}” adds <b>{effect}</b> to what else is there")
        if state.before >= 0:
            notes.append([state.before, number(state.effect(state.before))])
            both = number(state.interaction(state.last, state.before))
            other = html.escape(labels[state.before])
            parts.append(f"<br>together with “{other}” it adds <b>{both}</b> more than one by one (their interaction)")
        self.readout.value = readout(*parts)
        self.view.notes = notes

    def picture(self) -> Picture:
        """The masked pair; the words say what is present and how similar it is."""
        game, present = self.state.game, np.array(self.state.present)
        words = " ".join(
            label if kept else "·"
            for label, kept in zip(game.labels[game.n_image :], present[game.n_image :], strict=True)
        )
        patches = f"{present[: game.n_image].sum()} of {game.n_image} {game.subject.plurals[0]}"
        share = self.state.share_in_words
        title = f"Similarity {self.state.value:.2f}"
        notes = {player: note.replace("\u2212", "-") for player, note in self.view.notes}  # as pictures write it
        image = draw_masked(game.subject, present, title=title, facts=[patches, share], notes=notes)
        return Picture(image, f"{words}, with {patches}: similarity {self.state.value:.1f}, {share}.")

    def to_html(self, path: str | os.PathLike[str], model: bool = False) -> Path:
        """Write the page; with the model itself in it, it can be played without a kernel.

        Args:
            path: of the page.
            model: put the model into the page, some 2 MB for an embedded one.

        Raises:
            ValueError: if the page could not run this model, or cannot be written; an earlier page is still there then.
        """
        return self._write(path, self._live() if model else None)

    def _live(self) -> Live:
        game, numbers = self.state.game, Numbers()
        held = model_facts(getattr(game, "encoder", None))
        name = str(getattr(game.encoder, "fingerprint", game.encoder.name))
        parts = {**self.buttons, "p": self.p, "view": self.view, "readout": self.readout}
        facts = game_facts(game, numbers) | {"model": name}
        return Live("masking.js", parts, facts, numbers, shared={name: held}, clicks=True)
