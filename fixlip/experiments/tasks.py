"""What each experiment does with one item: all methods at all p, as rows of a table."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from ..encoders.huggingface import Encoder, of_transformers
from ..encoders.loading import load
from ..explanation import Explanation
from ..game import Game
from ..metrics import agreement_of_maps, area_between_curves, faithfulness, insertion_deletion, randomised
from ..metrics.curves import GRID_POINTS, Curves
from ..metrics.pointing_game import PointingGame
from ..samples import sample
from ..subject import end_values
from . import planted
from .bench import Bench, Made, run_baseline
from .context import answers, questions
from .datasets import Item, LabelledMosaic, Pair
from .knowledge import KnowledgeSettings, layouts_of, rows_of, study_of
from .planted_columns import SCORES as PLANTED
from .settings import METHODS, Settings, explained, measured_at, row_keys, timed
from .tables import CURVE_KEYS, CURVE_SCORES, KEYS, SCORES, Layout, Row, Value, cell

logger = logging.getLogger("fixlip")
NONE = float("nan")
# Enough for an area, which they change by 0.005, and half the encodings.
IMAGE_POINTS = 26
# A row of the table, and the points of its curve if the experiment draws any.
Result = tuple[Row, list[Row]]
AnySettings = Settings | KnowledgeSettings
Scores = Mapping[str, float]


@dataclass
class Outcome:
    """What became of one item: its rows, or why it had to be left out."""

    item: str
    rows: list[Row] = field(default_factory=list)
    curves: list[Row] = field(default_factory=list)
    left_out: str = ""


@dataclass(frozen=True)
class Plan:
    """What the model says of a run before it begins.

    Attributes:
        layouts: of the tables.
        described: all that they depend on (see `Settings.describe`).
        notes: for the summary.
    """

    layouts: list[Layout]
    described: dict[str, str]
    notes: tuple[str, ...]


def plan(settings: AnySettings, dataset: str) -> Plan:
    """What the model says of a run, wherever it is loaded.

    Raises:
        ValueError: one sentence, if there is no such model, or it cannot read the bank.
    """
    encoder = encoder_of(settings)
    notes = study_of(settings, encoder).notes if isinstance(settings, KnowledgeSettings) else ()
    return Plan(layouts(settings, encoder), settings.describe(dataset, encoder), tuple(notes))


def run_item_elsewhere(settings: AnySettings, number: int, item: Item, planned: Plan) -> Outcome:
    """All rows of one item, by a worker that has the model as the table says: the same weights, device and precision.

    Raises:
        ValueError: one sentence, if it has it otherwise.
    """
    here = settings.describe("", encoder_of(settings))
    for name in ("weights", "device", "dtype"):
        if here[name] != planned.described[name]:
            raise ValueError(
                f"dask: a worker has {settings.model!r} with {name}={here[name]}, another with {name}="
                f"{planned.described[name]}; wanted workers that are alike, or device and dtype given."
            )
    return run_item(settings, number, item)


def run_item(settings: AnySettings, number: int, item: Item, threads: int = 0) -> Outcome:
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
        for row, curve in _results(settings, encoder, item, number):
            outcome.rows.append({"item": item.name, "model": settings.model, **row})
            keys: dict[str, Value] = {key: row[key] for key in ("method", "p") if key in row}
            outcome.curves += [{"item": item.name, **keys, **point} for point in curve]
    except ValueError as error:
        return Outcome(item.name, left_out=f"{item.name}: {error}")
    finally:
        gc.collect()  # benches of one picture know each other, so they would linger, embeddings and all
    return outcome


def _results(settings: AnySettings, encoder: Encoder, item: Any, number: int) -> Iterable[Result]:
    if isinstance(settings, KnowledgeSettings):
        return [rows_of(settings, encoder, item)]
    return TASKS[settings.experiment](settings, encoder, item, settings.item_seed(number))


def encoder_of(settings: AnySettings) -> Encoder:
    """The model of a run; one stays loaded in every process."""
    return _load(settings.model, settings.device, settings.dtype, settings.batch_size)


@lru_cache(maxsize=1)
def _load(model: str, device: str, dtype: str, batch_size: int | str) -> Encoder:
    return of_transformers(load(model, device, dtype, batch_size))


def forget_encoder() -> None:
    """Free the memory of the model, where only workers need it."""
    study_of.cache_clear()
    _load.cache_clear()


def layouts(settings: AnySettings, encoder: Encoder) -> list[Layout]:
    """Columns and rows of the table of an experiment, and of its curves if it has any."""
    if isinstance(settings, KnowledgeSettings):
        return layouts_of(settings)
    experiment, (height, width) = settings.experiment, encoder.grid
    levels = [name for name, _ in randomised(encoder)] if experiment == "randomisation" else []
    keys, scores = KEYS[experiment], SCORES[experiment]
    rows = tuple(tuple(cell(value) for value in row) for row in row_keys(settings, height * width, levels))
    found = [Layout(("item", "caption", "model", *keys, *scores), keys, scores, rows)]
    if experiment == "insertion-deletion":
        points = tuple((*row, cell(k / (GRID_POINTS - 1))) for row in rows for k in range(GRID_POINTS))
        found.append(Layout(("item", *CURVE_KEYS, *CURVE_SCORES), CURVE_KEYS, CURVE_SCORES, points))
    return found


# ---- methods that abstain


def _scored(bench: Bench, name: str, p: float, names: tuple[str, ...], score: Callable[[Explanation], Scores]) -> Row:
    """A method's row for one caption; its scores are undefined if it fails or has nothing but zeros to say."""
    row: Row = {"caption": bench.game.text, "method": name, "p": p}
    return row | _or_nothing(names, lambda: [bench.explain(name, p)], lambda made: score(made[0].explanation))


def _or_nothing(names: tuple[str, ...], make: Callable[[], list[Made]], score: Callable[[list[Made]], Scores]) -> Row:
    """Scores of explanations, with what they took; undefined ones where the method fails or gives only zeros."""
    row: Row = dict.fromkeys(names, NONE)
    try:
        made = make()
        # Masked images serve all captions of a picture.
        row["cost"] = max(one.images for one in made) + sum(one.passes for one in made)
        if not any(one.says_nothing for one in made):
            row.update(score(made))
    except ValueError as error:  # of this method; the others go on
        logger.info("a method abstained: %s", error)
    return row


def _chosen(scores: object, names: tuple[str, ...]) -> Scores:
    return {name: float(getattr(scores, name)) for name in names if name != "cost"}


# ---- the experiments


def _insertion_deletion(settings: Settings, encoder: Encoder, item: Pair, seed: int) -> Iterator[Result]:
    game = Game(encoder, *item.read())
    empty, full = end_values(game)
    if full <= empty:  # a fault of the item, not of a method
        raise ValueError(
            f"curves: the whole pair's value ({full:.2f}) is not above that with everything removed ({empty:.2f}), so "
            "the curves cannot be normalised."
        )
    bench = Bench(game, settings.budget, seed)
    for name, p in explained(settings):
        drawn: list[Curves] = []
        row = _scored(bench, name, p, SCORES["insertion-deletion"], partial(_areas, game, drawn))
        yield row, _points(drawn)


def _areas(game: Game, drawn: list[Curves], explanation: Explanation) -> Scores:
    """Scores of the curves of both sides, which are left in `drawn`, and of those of the image alone."""
    curves = insertion_deletion(explanation, game, progress=False)
    drawn.append(curves)
    of_image = insertion_deletion(explanation, game, side="image", points=IMAGE_POINTS, progress=False)
    is_normal = of_image.insert[0] > of_image.insert[-1]
    return {
        "aid": area_between_curves(curves),
        "aid_image": area_between_curves(of_image) if is_normal else NONE,
        "mean_difference": curves.mean_difference,
    }


def _points(drawn: list[Curves]) -> list[Row]:
    insert, delete = drawn[0].on_grid() if drawn else ([NONE] * GRID_POINTS,) * 2
    return [
        {"removed": k / (GRID_POINTS - 1), "insert": float(high), "delete": float(low)}
        for k, (high, low) in enumerate(zip(insert, delete, strict=True))
    ]


def _pointing_game(settings: Settings, encoder: Encoder, item: LabelledMosaic, seed: int) -> Iterator[Result]:
    games = list(item.games())
    bench = Bench(Game(encoder, games[0].image, item.caption), settings.budget, seed)
    for pointed in games:
        named = bench.of(pointed.caption, pointed.labels[: pointed.objects])
        for name, p in explained(settings):
            row = _scored(named, name, p, SCORES["pointing-game"], partial(_points_right, pointed))
            yield row | {"objects": pointed.objects}, []


def _points_right(pointed: PointingGame, explanation: Explanation) -> Scores:
    return _chosen(pointed.score(explanation), SCORES["pointing-game"])


def _faithfulness(settings: Settings, encoder: Encoder, item: Pair, seed: int) -> Iterator[Result]:
    bench, names = Bench(Game(encoder, *item.read()), settings.budget, seed), SCORES["faithfulness"]

    def follows(at: float | str, explanation: Explanation) -> Scores:
        found = faithfulness(explanation, bench.game, at, n_masks=settings.masks, seed=10**6 + seed)
        return _chosen(found, names)

    for name, p in explained(settings):
        for at in measured_at(settings):
            yield _scored(bench, name, p, names, partial(follows, at)) | {"at": at}, []


def _context(settings: Settings, encoder: Encoder, item: LabelledMosaic, seed: int) -> Iterator[Result]:
    *_, last = item.games()
    asked = questions(Bench(Game(encoder, last.image, last.caption), settings.budget, seed), item.labels, seed)

    def make(name: str, p: float) -> list[Made]:
        return [bench.explain(name, p) for bench in asked.benches]

    for name, p in explained(settings):
        row: Row = {"caption": item.caption, "method": name, "p": p}
        yield row | _or_nothing(SCORES["context"], partial(make, name, p), partial(answers, asked)), []


def _randomisation(settings: Settings, encoder: Encoder, item: Pair, seed: int) -> Iterator[Result]:
    image, text = item.read()
    before = Bench(Game(encoder, image, text), settings.budget, seed)

    def stays(after: Bench, name: str, p: float, explanation: Explanation) -> Scores:
        found = agreement_of_maps(explanation, after.explain(name, p).explanation)
        return {"patches": found.patches, "interactions": NONE if found.interactions is None else found.interactions}

    for level, other in randomised(encoder, seed):
        after = Bench(Game(other, image, text), settings.budget, seed)
        for name, p in explained(settings):
            row = _scored(before, name, p, SCORES["randomisation"], partial(stays, after, name, p))
            yield row | {"randomised": level}, []


def _runtime(settings: Settings, encoder: Encoder, item: Pair, seed: int) -> Iterator[Result]:
    """Seconds in the encoders and outside, on a game that remembers nothing, for growing budgets."""
    image, text = item.read()
    # Not by the picture's own grid, where it has one: a table's rows are the same for all items.
    for method, p, budget in timed(settings, encoder.grid[0] * encoder.grid[1]):
        taken: list[float] = []
        make = partial(_timed, Game(encoder, image, text), method, p, budget, seed, taken)
        row: Row = {"caption": text, "method": method, "p": p, "budget": budget}
        yield row | _or_nothing(SCORES["runtime"], make, partial(_seconds, taken)), []


def _timed(game: Game, method: str, p: float, budget: int, seed: int, taken: list[float]) -> list[Made]:
    """One explanation; leaves in `taken` the seconds for encoding and for the rest."""
    start = time.perf_counter()
    if not budget:
        made = run_baseline(game, METHODS[method], p)
        taken.extend((time.perf_counter() - start, 0.0))
        return [made]
    samples = sample(game, budget, p, seed, progress=False, on_interrupt="raise")
    middle = time.perf_counter()
    explanation = samples.explain(p, estimator=method)
    taken.extend((middle - start, time.perf_counter() - middle))
    return [Made(explanation, samples.budget, len(samples.text_side.masks))]


def _seconds(taken: list[float], made: list[Made]) -> Scores:
    return dict(zip(SCORES["runtime"], taken, strict=False))


def _planted(settings: Settings, encoder: Encoder, item: planted.PlantedItem, seed: int) -> Iterator[Result]:
    return ((row, []) for row in planted.answers(settings, encoder, item, seed))


TASKS: dict[str, Callable[[Settings, Encoder, Any, int], Iterator[Result]]] = {
    "insertion-deletion": _insertion_deletion,
    "pointing-game": _pointing_game,
    "faithfulness": _faithfulness,
    "context": _context,
    "randomisation": _randomisation,
    "runtime": _runtime,
    **dict.fromkeys(PLANTED, _planted),
}
