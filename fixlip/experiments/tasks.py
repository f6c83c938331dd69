"""What each experiment does with one item: all methods at all p, as rows of a table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from ..api import SHAPLEY_MIXTURE
from ..encoders.huggingface import Encoder
from ..encoders.loading import load
from ..explanation import Explanation
from ..game import Game
from ..metrics import area_between_curves, faithfulness, insertion_deletion
from ..metrics.curves import GRID_POINTS, Curves
from ..metrics.pointing_game import PointingGame, PointingScore, score_maps
from ..samples import MIXTURE, Samples, sample
from .datasets import Item, LabelledMosaic, Pair
from .settings import METHODS, WORD_BY_WORD, Settings, explained, measured_at, row_keys, timed
from .tables import CURVE_KEYS, CURVE_SCORES, KEYS, SCORES, Layout, Row, cell

DRAWN_AT = {"banzhaf": MIXTURE, "shapley": SHAPLEY_MIXTURE}
# A row of the table, and the points of its curve if the experiment draws any.
Result = tuple[Row, list[Row]]


@dataclass
class Outcome:
    """What became of one item: its rows, or why it had to be left out."""

    item: str
    rows: list[Row] = field(default_factory=list)
    curves: list[Row] = field(default_factory=list)
    left_out: str = ""


def run_item(settings: Settings, number: int, item: Item, threads: int = 0) -> Outcome:
    """All rows of one item.

    Args:
        settings: of the run.
        number: of the item in its dataset; the seed of its masks follows from it.
        item: what to explain.
        threads: of torch, in this process; 0 leaves it alone.

    Raises:
        KeyboardInterrupt: if it was interrupted; part of an item is nothing.
    """
    if threads:
        import torch

        torch.set_num_threads(threads)
    encoder, outcome = encoder_of(settings), Outcome(item.name)
    try:
        for row, curve in TASKS[settings.experiment](settings, encoder, item, settings.item_seed(number)):
            outcome.rows.append({"item": item.name, "model": settings.model, **row})
            outcome.curves += [{"item": item.name, "method": row["method"], "p": row["p"], **point} for point in curve]
    except ValueError as error:
        return Outcome(item.name, left_out=f"{item.name}: {error}")
    return outcome


def encoder_of(settings: Settings) -> Encoder:
    """The model of a run; one stays loaded in every process."""
    return _load(settings.model, settings.device, settings.dtype, settings.batch_size)


@lru_cache(maxsize=1)
def _load(model: str, device: str, dtype: str, batch_size: int | str) -> Encoder:
    return load(model, device, dtype, batch_size)


def forget_encoder() -> None:
    """Free the memory of the model, where only workers need it."""
    _load.cache_clear()


def layouts(settings: Settings, encoder: Encoder) -> list[Layout]:
    """Columns and rows of the table of an experiment, and of its curves if it has any."""
    experiment, (height, width) = settings.experiment, encoder.grid
    keys, scores = KEYS[experiment], SCORES[experiment]
    rows = tuple(tuple(cell(value) for value in row) for row in row_keys(settings, height * width))
    found = [Layout(("item", "caption", "model", *keys, *scores), keys, scores, rows)]
    if experiment == "insertion-deletion":
        points = tuple((*row, cell(k / (GRID_POINTS - 1))) for row in rows for k in range(GRID_POINTS))
        found.append(Layout(("item", *CURVE_KEYS, *CURVE_SCORES), CURVE_KEYS, CURVE_SCORES, points))
    return found


def _explanations(
    settings: Settings, game: Game, seed: int, known: dict[str, Samples] | None = None
) -> Iterator[tuple[Row, Explanation]]:
    """Every method at every p: one set of samples serves all p, another one the Shapley indices.

    Args:
        settings: of the run.
        game: what to explain.
        seed: of the masks.
        known: samples of the same image by index, with any caption; new ones are added.
    """
    known = {} if known is None else known
    asked: dict[str, Samples] = {}
    for name, p in explained(settings):
        one = METHODS[name]
        if one.index not in asked:
            asked[one.index] = _samples(settings, game, seed, one.index, known)
        explanation = asked[one.index].explain(p, one.index, order=one.order, estimator=one.estimator)
        yield {"caption": game.text, "method": name, "p": p}, explanation


def _samples(settings: Settings, game: Game, seed: int, index: str, known: dict[str, Samples]) -> Samples:
    if index in known:
        return known[index].with_caption(game, progress=False)
    known[index] = _sample(game, settings.budget, DRAWN_AT[index], seed)
    return known[index]


def _sample(game: Game, budget: int, p: float | tuple[float, ...], seed: int) -> Samples:
    """As many samples as asked for, or KeyboardInterrupt: scores from fewer masks could not be compared."""
    return sample(game, budget, p, seed, progress=False, on_interrupt="raise")


def _insertion_deletion(settings: Settings, encoder: Encoder, item: Pair, seed: int) -> Iterator[Result]:
    game = Game(encoder, *item.read())
    for row, explanation in _explanations(settings, game, seed):
        curves = insertion_deletion(explanation, game, progress=False)
        row |= {"aid": area_between_curves(curves), "mean_difference": curves.mean_difference}
        yield row, _points(curves)


def _points(curves: Curves) -> list[Row]:
    insert, delete = curves.on_grid()
    return [
        {"removed": k / (GRID_POINTS - 1), "insert": float(high), "delete": float(low)}
        for k, (high, low) in enumerate(zip(insert, delete, strict=True))
    ]


def _pointing_game(settings: Settings, encoder: Encoder, item: LabelledMosaic, seed: int) -> Iterator[Result]:
    known: dict[str, Samples] = {}
    for pointed in item.games():
        game = Game(encoder, pointed.image, pointed.caption)
        for row, explanation in _explanations(settings, game, seed, known):
            yield row | _pointed(pointed, pointed.score(explanation)), []
        for p, score in _word_by_word(settings, game, pointed, seed, known):
            row = {"caption": pointed.caption, "method": WORD_BY_WORD, "p": p}
            yield row | _pointed(pointed, score), []


def _word_by_word(
    settings: Settings, game: Game, pointed: PointingGame, seed: int, known: dict[str, Samples]
) -> Iterator[tuple[float, PointingScore]]:
    """First order at every p, each named word explained as a caption of its own; no more images are encoded."""
    words = pointed.labels[: pointed.objects]
    asked = [_samples(settings, game.with_text(word), seed, "banzhaf", known) for word in words]
    for p in settings.ps:
        maps = [samples.explain(p, order=1).values[: game.n_image] for samples in asked]
        yield p, score_maps(np.stack(maps), game.grid)


def _pointed(pointed: PointingGame, score: PointingScore) -> Row:
    return {"objects": pointed.objects} | _chosen(score, SCORES["pointing-game"])


def _faithfulness(settings: Settings, encoder: Encoder, item: Pair, seed: int) -> Iterator[Result]:
    game = Game(encoder, *item.read())
    for row, explanation in _explanations(settings, game, seed):
        for at in measured_at(settings):
            scores = faithfulness(explanation, game, at, n_masks=settings.masks, seed=10**6 + seed)
            yield row | {"at": at} | _chosen(scores, SCORES["faithfulness"]), []


def _runtime(settings: Settings, encoder: Encoder, item: Pair, seed: int) -> Iterator[Result]:
    """Seconds in the encoders and outside, on a game that remembers nothing, for growing budgets."""
    image, text = item.read()
    for estimator, p, budget in timed(settings, encoder.grid[0] * encoder.grid[1]):
        game = Game(encoder, image, text)
        start = time.perf_counter()
        samples = _sample(game, budget, p, seed)
        sampled = time.perf_counter()
        samples.explain(p, estimator=estimator)
        yield (
            {
                "caption": text,
                "method": estimator,
                "p": p,
                "budget": budget,
                "encoding_seconds": sampled - start,
                "fitting_seconds": time.perf_counter() - sampled,
            },
            [],
        )


def _chosen(scores: object, names: tuple[str, ...]) -> Row:
    return {name: float(getattr(scores, name)) for name in names}


TASKS: dict[str, Callable[[Settings, Encoder, Any, int], Iterator[Result]]] = {
    "insertion-deletion": _insertion_deletion,
    "pointing-game": _pointing_game,
    "faithfulness": _faithfulness,
    "runtime": _runtime,
}
