"""Planted truths: scenes with a fault that a model has, or has not, and whether each method's explanation says so."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..emoji import PlantedScene, planted_scene
from ..encoders.huggingface import Encoder
from ..game import Game
from ..masks import enumerate_masks
from ..subject import ask
from .bench import Bench
from .datasets import FIRST_SCENE, Dataset
from .planted_columns import SCORES
from .planted_scores import Binding, Evidence
from .settings import Settings, candidate, explained
from .tables import Row

logger = logging.getLogger("fixlip")
NONE = float("nan")


@dataclass(frozen=True)
class PlantedItem:
    """A scene with a planted fault, which is drawn when it is read."""

    name: str
    fault: str
    seed: int

    @property
    def caption(self) -> None:
        """Not known before it is read."""
        return None

    def read(self) -> PlantedScene:
        """The scene."""
        return planted_scene(self.fault, self.seed)


def planted_items(experiment: str, name: object, limit: int) -> Dataset:
    """Scenes for an experiment on a planted fault.

    Raises:
        ValueError: one sentence, if another dataset is asked for.
    """
    if name != "emoji":
        raise ValueError(f"dataset: got {str(name)!r}, wanted 'emoji' for {experiment}, whose truth is put in scenes.")
    fault = experiment.removeprefix("planted-")
    return Dataset([PlantedItem(f"scene {k}", fault, FIRST_SCENE + k) for k in range(limit)], limit)


@dataclass(frozen=True, eq=False)
class Question:
    """A scene as a game, what was planted in it, and what that does to the model.

    Attributes:
        scene: with its truth.
        game: of its picture and caption.
    """

    scene: PlantedScene
    game: Game

    @cached_property
    def truth(self) -> Evidence | Binding:
        """The planted terms as players; ValueError if the caption lacks a planted word."""
        assert self.game.grid is not None
        terms, n = self.scene.terms(self.game, self.game.grid), self.game.n_image
        if self.scene.fault != "binding":
            return Evidence.of(terms, n)
        return Binding.of(terms, n, self._players(self.game)[1::2])

    def _players(self, game: Game) -> list[int]:
        """Where the planted words stand in a caption."""
        tokens = [name.strip().lower() for name in game.labels[game.n_image :]]
        return [game.n_image + tokens.index(word) for word in self.scene.words]

    def scores(self, bench: Bench, name: str, p: float) -> tuple[dict[str, float], float]:
        """A method's scores, none where it gives only zeros, and its cost; ValueError if it fails."""
        made = bench.explain(name, p)
        cost = float(made.images + made.passes)
        if made.says_nothing:
            return {}, cost
        found = self.truth.scores(made.explanation)
        if isinstance(self.truth, Binding):
            other = bench.of(self.scene.foil)
            players = self._players(other.game)
            swapped = replace(self.truth, colours=tuple(players[::2]), nouns=tuple(players[1::2]))
            found["control"] = self.truth.control(made.explanation, swapped, other.explain(name, p).explanation)
        return found, cost

    def facts(self) -> dict[str, float]:
        """What is the same for all methods."""
        scene, game = self.scene, self.game
        other = game.with_text(scene.foil) if scene.fault == "binding" else Game(game.encoder, scene.twin, game.text)
        with_it, without = (float(one(np.ones((1, one.n_players), bool))[0]) for one in (game, other))
        shown = float(any(word in scene.objects for word in scene.words))
        facts = {"chance": self.truth.chance, "effect": with_it - without, "shown": shown}
        return facts | ({"enumerated": self.enumerated(self.truth)} if isinstance(self.truth, Binding) else {})

    def enumerated(self, truth: Binding, p: float = 0.5) -> float:
        """`Binding.scores`' "bound" for the exact interactions of whole objects with words, all else being there."""
        six = enumerate_masks(6)  # two colour words, two object words, two objects
        masks = np.ones((len(six), self.game.n_players), bool)
        masks[:, [*truth.colours, *truth.nouns]] = six[:, :4]
        for k, patches in enumerate(truth.patches):
            masks[:, np.flatnonzero(patches)] = six[:, 4 + k, None]
        values, chances = ask(self.game, masks), np.where(six, p, 1 - p)

        def interaction(*players: int) -> float:
            others = np.delete(chances, players, axis=1).prod(axis=1)
            return float((np.where(six[:, players], 1, -1).prod(axis=1) * others) @ values)

        own, other = interaction(0, 2, 4) + interaction(1, 3, 5), interaction(1, 2, 4) + interaction(0, 3, 5)
        return (own - other) / 2


def answers(settings: Settings, encoder: Encoder, item: PlantedItem, seed: int) -> Iterator[Row]:
    """A row for every method at every p."""
    scene = item.read()
    asked = Question(scene, Game(encoder, scene.image, scene.caption))
    bench, facts = Bench(asked.game, settings.budget, seed), asked.facts()
    for name, p in explained(settings):
        row: Row = {"caption": scene.caption, "method": name, "p": p}
        row.update((fact, value) for fact, value in facts.items() if fact in SCORES[settings.experiment])
        row.update(_answer(asked, bench, name, p))
        yield row


def _answer(asked: Question, bench: Bench, name: str, p: float) -> dict[str, float]:
    """A method's scores and cost; if it fails or gives only zeros, what counts for that."""
    silence = asked.truth.silence(candidate(name).order) | {"silent": 1.0}
    try:
        found, cost = asked.scores(bench, name, p)
    except ValueError as error:  # of this method; the others go on
        logger.info("a method abstained: %s", error)
        found, cost = {}, NONE
    return (found | {"silent": 0.0} if found else silence) | {"cost": cost}
