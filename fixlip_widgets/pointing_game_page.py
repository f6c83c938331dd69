"""What a saved page of the pointing game holds: a choice of mosaics, with one to four objects named, at any p."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fixlip import Game, Samples, sample
from fixlip.metrics.pointing_game import CELLS, PointingGame, quadrant, tokens_of
from fixlip.progress import progress_bar

from .explorer_page import at_any_p
from .live import NODES, RANGE, Live, Numbers
from .views import data_uri

_PARTS = ("objects", "p", "word", "table")

Facts = dict[str, Any]


def live(panel: Any, mosaics: Iterable[Sequence[str]], again: Callable[[list[str], int], PointingGame]) -> Live:
    """What makes a saved pointing game answer.

    Args:
        panel: the widget.
        mosaics: the labels of further mosaics, four each.
        again: makes a game of labels and the number of objects named.
    """
    state, numbers = panel.state, Numbers()
    choices = list(dict.fromkeys([tuple(state.labels), *(tuple(one) for one in mosaics)]))
    for labels in choices:
        again(list(labels), len(CELLS))  # what does not fit is said before any is computed
    stored = []
    with progress_bar(len(choices) * len(CELLS) * NODES, "explanations stored") as advance:
        for labels in choices:
            games = [again(list(labels), k + 1) for k in range(len(CELLS))]
            stored.append(_mosaic(state, labels, games, numbers, advance))
    menu = {"description": "mosaic", "value": 0, "options": [[one["name"], k] for k, one in enumerate(stored)]}
    view = panel.view or panel.mosaic
    parts = {"view": view, "mosaic": panel.cells[0], **{name: getattr(panel, name) for name in _PARTS}}
    return Live("pointing_game.js", parts, {"mosaics": stored, "range": RANGE}, numbers, {"mosaic": menu})


def _mosaic(
    state: Any, labels: Sequence[str], games: Sequence[PointingGame], numbers: Numbers, advance: Callable[[int], object]
) -> Facts:
    whole = games[-1]
    game = Game(state.encoder, whole.image, whole.caption)
    samples = sample(game, state.budget, seed=state.seed, progress=False)
    found = []
    for pointed in games:
        own = samples if pointed is whole else samples.with_caption(game.with_text(pointed.caption), progress=False)
        found.append(_named(pointed, own, numbers, advance))
    grid = game.grid or (2, 2)
    cells = [quadrant(grid, k).tolist() for k in range(len(CELLS))]
    return {
        "name": ", ".join(labels),
        "image": data_uri(game.image),
        "grid": list(grid),
        "cells": cells,
        "games": found,
    }


def _named(pointed: PointingGame, samples: Samples, numbers: Numbers, advance: Callable[[int], object]) -> Facts:
    stored = at_any_p(samples, samples.budget, numbers, advance, orders=(2,))
    words = pointed.labels[: pointed.objects]
    tokens = tokens_of(words, samples.explain())
    return {"labels": list(samples.subject.labels), "words": list(words), "tokens": tokens, "stored": stored}
