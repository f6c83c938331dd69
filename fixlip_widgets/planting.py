"""The state behind `PlantAFault`: a scene, what was planted in it by hand, and what models say before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import traitlets
from numpy.typing import NDArray

from fixlip import Explanation, Game, Samples, sample
from fixlip.emoji.by_hand import scene_by_hand
from fixlip.emoji.planted import NAMED, coloured_caption
from fixlip.emoji.props import BADGE, LABEL, TINTS, written_words
from fixlip.emoji.scenes import UNITS, Scene, caption
from fixlip.encoders.protocol import AnyEncoder
from fixlip.triples import MOST_PLAYERS

from .panel import State

THINGS = {"shortcut": "a badge", "reads": "a written word", "binding": "other colours"}
BUDGETS = (64, 128)  # masked images: for a first answer, and for a sharper one
SIDES = ("before", "after")
_PLAIN = ("white", "grey")  # behind painted objects, which then stand out in any colour
_CORNER = (UNITS - BADGE / 2 - 2, BADGE / 2 + 2)


@dataclass(frozen=True)
class Setting:
    """What was set up: how both scenes are made, and the two captions."""

    before: tuple[Any, ...]
    after: tuple[Any, ...]
    caption: str
    foil: str

    @property
    def planted(self) -> bool:
        """Whether the two scenes differ."""
        return self.before != self.after

    def side(self, k: int) -> tuple[Any, ...]:
        """How the scene before (0) or after (1) is made: what `picture_of` takes."""
        return (self.before, self.after)[k]


def picture_of(how: tuple[Any, ...]) -> Scene:
    """The scene that is made so: seed, objects, colours, badge, label, background."""
    seed, objects, colours, badge, label, background = how
    return scene_by_hand(seed, objects, colours=colours, badge=badge, label=label, background=background)


@dataclass(frozen=True, eq=False)
class Shown:
    """What the models say of a setting.

    Attributes:
        setting: what was set up.
        scores: similarities in logits, (models, before and after, caption and foil).
        explanations: of the caption in each model, before and after; the same twice where nothing is planted.
    """

    setting: Setting
    scores: NDArray[np.float64]
    explanations: tuple[tuple[Explanation, Explanation], ...]

    def wins(self, model: int, side: int) -> bool:
        """Whether the caption is more similar than its foil."""
        return bool(self.scores[model, side, 0] > self.scores[model, side, 1])


class PlantState(State):
    """A scene of one or two objects, what is planted in it, two captions, and what models say.

    Traits: `fault` (which thing is planted, one of `THINGS`), `seed`, `objects`; `badge` and `label` (where its middle
    is, in units, or empty), `word` (what the label says), `tints` (what each object is painted in after; "" is its own
    colour); `caption` and `foil`, which are proposed anew when the scene or the thing changes; `scores` (models, before
    and after, caption and foil; None while they are asked for), `shown` (of an earlier setting until `ask` is done).
    """

    fault = traitlets.Enum(list(THINGS), "shortcut")
    seed = traitlets.Int(0, min=0)
    objects: traitlets.List[str] = traitlets.List(traitlets.Unicode(), minlen=1, maxlen=2)
    word = traitlets.Enum([*written_words()], "key")
    badge: traitlets.List[float] = traitlets.List()
    label: traitlets.List[float] = traitlets.List()
    tints: traitlets.List[str] = traitlets.List()
    caption = traitlets.Unicode()
    foil = traitlets.Unicode()
    shown = traitlets.Instance(Shown, allow_none=True)

    def __init__(self, encoders: Sequence[AnyEncoder], fault: str, seed: int, planted: bool = True) -> None:
        self.encoders = tuple(encoders)
        self._known: dict[tuple[int, tuple[Any, ...]], Samples] = {}
        super().__init__(fault=fault, seed=seed, objects=drawn(seed))
        self.start(planted)

    # ---- what is set up

    def start(self, planted: bool = True) -> None:
        """Propose captions, and plant the thing where it does most, or nothing."""
        self.propose()
        self.clear()
        if planted:
            self.badge = [*_CORNER] if self.fault == "shortcut" else []
            self.label = self._below_first() if self.fault == "reads" else []
            self.tints = [*self.swapped]

    def another(self) -> None:
        """Another scene, with the thing where it is."""
        self.seed += 1
        self.objects = drawn(self.seed)

    def clear(self) -> None:
        """Take away what was planted."""
        self.badge, self.label, self.tints = [], [], [*self.given]

    def propose(self) -> None:
        """A caption that the fault makes win, and one that is right; of painted objects one of before, one of after."""
        if self.word in self.objects:  # a label with the object's own word would mislead nobody
            self.word = next(word for word in written_words() if word not in self.objects)
        objects, named = self.objects, caption(self.objects)
        others = [word for word in objects if word != NAMED] or ["car"]
        pairs = {
            "shortcut": (caption([NAMED]), caption(others)),
            "reads": (caption([self.word, *objects[1:]]), named),
            "binding": (coloured_caption(objects, self.given), coloured_caption(objects, self.swapped)),
        }
        self.caption, self.foil = pairs[self.fault]

    @property
    def given(self) -> list[str]:
        """The objects' colours before anything is painted."""
        return self._colours()[: len(self.objects)]

    @property
    def swapped(self) -> list[str]:
        """These colours, the other way round."""
        return self._colours()[::-1][: len(self.objects)]

    def _colours(self) -> list[str]:
        if self.fault != "binding":
            return ["", ""]
        return [str(one) for one in np.random.default_rng(self.seed).choice(list(TINTS), 2, replace=False)]

    @property
    def setting(self) -> Setting:
        """What is set up now."""
        background = _PLAIN[self.seed % 2] if self.fault == "binding" else None
        badge = tuple(self.badge) or None
        label = (self.word, *self.label) if self.label else None
        plain = (self.seed, tuple(self.objects), tuple(self.given), None, None, background)
        planted = (self.seed, tuple(self.objects), tuple(self.tints), badge, label, background)
        return Setting(plain, planted, self.caption, self.foil)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the first model's patches."""
        return (None if self.shown is None else self.shown.explanations[0][0].grid) or (1, 1)

    @property
    def asked_words(self) -> tuple[str, ...]:
        """The words whose map shows the fault: one, or a colour and its object."""
        return {
            "shortcut": (NAMED,),
            "reads": (self.word,),
            "binding": (self.given[0], self.objects[0]),
        }[self.fault]

    def _below_first(self) -> list[float]:
        """Over the lower third of the first object."""
        scene = picture_of((self.seed, tuple(self.objects), (), None, None, None))
        left, top, right, bottom = (UNITS * one / scene.image.width for one in scene.boxes[0])
        return [(left + right) / 2, bottom - min(LABEL[1], (bottom - top) / 3) + LABEL[1] / 2]

    # ---- what models say

    def scores(self, setting: Setting) -> NDArray[np.float64]:
        """Similarities of both captions with both scenes, (models, before and after, caption and foil), logits."""
        found = [
            [[game.full_value, game.with_text(setting.foil).full_value] for game in self._games(encoder, setting)]
            for encoder in self.encoders
        ]
        return np.array(found)

    def _games(self, encoder: AnyEncoder, setting: Setting) -> list[Game]:
        return [Game(encoder, picture_of(setting.side(k)).image, setting.caption) for k in range(len(SIDES))]

    def ask(
        self,
        progress: Callable[[int, int], None] = lambda done, total: None,
        is_stale: Callable[[], bool] = lambda: False,
        sharp: bool = False,
    ) -> None:
        """Explain the caption before and after, at first from few masked images, then from more.

        Args:
            progress: called with masked images done and wanted; may raise to end it.
            is_stale: whether something else was set up meanwhile; then it ends.
            sharp: leave out the first, rough answer.
        """
        with self.lock:
            setting, order = self.setting, 3 if self.fault == "binding" else 2
        scores = self.scores(setting)
        for budget in BUDGETS[-1:] if sharp else BUDGETS:
            if is_stale():
                return
            pairs = []
            for k in range(len(self.encoders)):
                first, second = (self._explained(k, setting, side, budget, order) for side in range(len(SIDES)))
                pairs.append((first, second))
            with self.lock:
                if setting != self.setting:
                    return
                self.shown = Shown(setting, scores, tuple(pairs))
            progress(budget, BUDGETS[-1])
        kept = {(k, how) for k in range(len(self.encoders)) for how in (setting.before, setting.after)}
        self._known = {key: samples for key, samples in self._known.items() if key in kept}

    def _explained(self, k: int, setting: Setting, side: int, budget: int, order: int) -> Explanation:
        key = (k, setting.side(side))
        samples = self._known.get(key)
        if samples is None:
            game = Game(self.encoders[k], picture_of(key[1]).image, setting.caption)
            samples = sample(game, budget, p=0.5, progress=False)
        elif samples.subject.text != setting.caption:
            asked: Any = samples.game  # a Game, as it was made here
            samples = samples.with_caption(asked.with_text(setting.caption), progress=False)
        if samples.budget < budget and not samples.image_side.exact:
            samples = samples.extend(budget - samples.budget, progress=False)
        self._known[key] = samples
        return samples.explain(order=order if samples.subject.n_players <= MOST_PLAYERS else 2)


def drawn(seed: int) -> list[str]:
    """Two objects by chance, neither of them the one that the badge stands for, each of them one token."""
    words = [word for word in written_words() if word != NAMED]
    return [str(word) for word in np.random.default_rng(seed).choice(words, 2, replace=False)]
