"""What each experiment does with one item: all methods at all p, as rows of a table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..api import SHAPLEY_MIXTURE
from ..encoders.huggingface import Encoder, load
from ..explanation import Explanation
from ..game import Game
from ..metrics import area_between_curves, faithfulness, insertion_deletion
from ..samples import MIXTURE, Samples, sample

Row = dict[str, Any]
# Methods: index and order. All are scored on one and the same game; the published comparison scores its baselines on
# another one than FIxLIP, in which removed words are replaced by a letter instead of hidden.
METHODS = {
    "FIxLIP (weighted Banzhaf interactions)": ("banzhaf", 2),
    "weighted Banzhaf values": ("banzhaf", 1),
    "FIxLIP (Shapley interactions)": ("shapley", 2),
    "Shapley values": ("shapley", 1),
}
COLUMNS = {
    "insertion-deletion": ("item", "model", "method", "p", "aid", "mean_difference", "insert", "delete"),
    "pointing-game": ("item", "model", "method", "p", "objects", "pgr", "correct", "wrong", "sign_ratio"),
    "faithfulness": ("item", "model", "method", "p", "at", "spearman", "pearson", "kendall", "r2"),
    "runtime": ("item", "model", "method", "p", "budget", "encoding_seconds", "fitting_seconds"),
}
SCORES = {
    "insertion-deletion": ("aid", "mean_difference"),
    "pointing-game": ("pgr", "sign_ratio"),
    "faithfulness": ("spearman", "r2"),
    "runtime": ("encoding_seconds", "fitting_seconds"),
}
SHAPLEY_P = 0.5  # what the p column says of Shapley indices, which have none


@dataclass(frozen=True)
class Settings:
    """What is the same for all items of a run."""

    experiment: str
    model: str
    ps: tuple[float, ...]
    budget: int
    masks: int = 1000  # fresh ones, for faithfulness
    threads: int = 0  # of torch, in each worker; 0 leaves it alone


def run_item(settings: Settings, number: int, item: Any) -> tuple[list[Row], str]:
    """Rows of one item, and a sentence if it had to be left out."""
    if settings.threads:
        import torch

        torch.set_num_threads(settings.threads)
    encoder = _encoder(settings.model)
    task = {
        "insertion-deletion": _insertion_deletion,
        "pointing-game": _pointing_game,
        "faithfulness": _faithfulness,
        "runtime": _runtime,
    }[settings.experiment]
    try:
        rows = list(task(settings, encoder, item, number))
    except ValueError as error:
        return [], f"{item.name}: {error}"
    return [{"item": item.name, "model": settings.model} | row for row in rows], ""


@lru_cache(maxsize=1)
def _encoder(model: str) -> Encoder:
    """One model stays loaded in every worker."""
    return load(model)


def _explanations(
    settings: Settings, game: Game, seed: int, known: dict[str, Samples] | None = None
) -> Iterator[tuple[Row, Explanation]]:
    """Every method at every p: one set of samples serves all p, another one the Shapley indices.

    Args:
        settings: of the run.
        game: what to explain.
        seed: of the masks.
        known: samples of the same image by index, used if there are any and filled if not.
    """
    known = {} if known is None else known
    for index, drawn in (("banzhaf", MIXTURE), ("shapley", SHAPLEY_MIXTURE)):
        if index in known:
            samples = known[index].with_caption(game, progress=False)
        else:
            known[index] = samples = sample(game, settings.budget, drawn, seed, progress=False)
        for p in settings.ps if index == "banzhaf" else (SHAPLEY_P,):
            for method, (of, order) in METHODS.items():
                if of == index:
                    yield {"method": method, "p": p}, samples.explain(p, index, order=order)


def _insertion_deletion(settings: Settings, encoder: Encoder, item: Any, seed: int) -> Iterator[Row]:
    game = Game(encoder, *item.read())
    for row, explanation in _explanations(settings, game, seed):
        curves = insertion_deletion(explanation, game)
        insert, delete = (" ".join(f"{value:.4f}" for value in curve) for curve in curves.on_grid())
        scores = {"aid": area_between_curves(curves), "mean_difference": curves.mean_difference}
        yield row | scores | {"insert": insert, "delete": delete}


def _pointing_game(settings: Settings, encoder: Encoder, item: Any, seed: int) -> Iterator[Row]:
    known: dict[str, Samples] = {}
    for pointed in item.games():
        game = Game(encoder, pointed.image, pointed.caption)
        for row, explanation in _explanations(settings, game, seed, known):
            score = pointed.score(explanation)
            yield row | {
                "objects": pointed.objects,
                "pgr": score.pgr,
                "correct": score.correct,
                "wrong": score.wrong,
                "sign_ratio": score.sign_ratio,
            }


def _faithfulness(settings: Settings, encoder: Encoder, item: Any, seed: int) -> Iterator[Row]:
    game = Game(encoder, *item.read())
    for row, explanation in _explanations(settings, game, seed):
        measures: tuple[float | str, ...] = (*settings.ps, "shapley")
        for at in measures:
            scores = faithfulness(explanation, game, at, n_masks=settings.masks, seed=10**6 + seed)
            kept = ("spearman", "pearson", "kendall", "r2")
            yield row | {"at": at} | {name: getattr(scores, name) for name in kept}


def _runtime(settings: Settings, encoder: Encoder, item: Any, seed: int) -> Iterator[Row]:
    """Seconds in the encoders and outside, on a game that remembers nothing, for growing budgets."""
    image, text = item.read()
    for p in settings.ps:
        for estimator, least in (("kernel", 64), ("crossmodal", 0)):
            for budget in 2 ** np.arange(6, 13):
                game = Game(encoder, image, text)
                needed = 1 + game.n_image + game.n_image * (game.n_image - 1) // 2
                if budget < max(least, needed if estimator == "crossmodal" else 0) or budget > settings.budget:
                    continue
                start = time.perf_counter()
                samples = sample(game, int(budget), p, seed, progress=False)
                sampled = time.perf_counter()
                samples.explain(p, estimator=estimator)
                yield {
                    "method": estimator,
                    "p": p,
                    "budget": int(budget),
                    "encoding_seconds": sampled - start,
                    "fitting_seconds": time.perf_counter() - sampled,
                }
