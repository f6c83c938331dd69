"""Run an experiment over items, with workers, and go on where an earlier run was stopped."""

from __future__ import annotations

import csv
import io
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from ..encoders.loading import load
from ..progress import progress_bar
from . import datasets
from .figures import draw
from .tasks import COLUMNS, SCORES, Row, Settings, run_item

EXPERIMENTS = tuple(COLUMNS)
Result = tuple[list[Row], str]


def run(
    settings: Settings,
    dataset: str = "emoji",
    limit: int = 100,
    out: Path = Path("experiments"),
    workers: int = 1,
    dask: str | None = None,
    progress: bool = True,
) -> Path:
    """Run what is not done yet and write the table; return where it lies.

    Rows are appended as items finish, so that a killed run goes on with the items that are missing. At the end the
    table is put in the order of the items: any number of workers gives the same table.

    Args:
        settings: experiment, model, p's and budget.
        dataset: see `datasets.pairs` and `datasets.mosaics`.
        limit: how many items.
        out: folder for the table.
        workers: processes side by side (joblib).
        dask: address of a Dask scheduler whose workers to use instead, or "local".
        progress: show a bar if it takes long.

    Raises:
        ValueError: one sentence, if the dataset cannot be had, or the folder holds a run with other settings.
    """
    loader = datasets.mosaics if settings.experiment == "pointing-game" else datasets.pairs
    found = loader(dataset, limit)
    load(settings.model)  # a wrong name is told before any work
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{settings.experiment}-{Path(settings.model).name}.csv"
    _check_settings(path, settings, dataset)
    done = {row["item"] for row in _read(path)}
    left = [(k, item) for k, item in enumerate(found.items) if item.name not in done]
    with progress_bar(len(left), settings.experiment if progress else None) as advance:
        for rows, sentence in _results(settings, left, workers, dask):
            if rows:
                _append(path, COLUMNS[settings.experiment], rows)
            if sentence:
                found.skipped.append(sentence)
            advance(1)
    order = {item.name: k for k, item in enumerate(found.items)}
    rows = sorted(_read(path), key=lambda row: order.get(row["item"], len(order)))
    path.unlink(missing_ok=True)
    _append(path, COLUMNS[settings.experiment], rows)
    _summarise(path, settings, rows, found.skipped)
    draw(path.with_suffix(".html"), settings.experiment, rows)
    return path


def _results(settings: Settings, left: list[tuple[int, Any]], workers: int, dask: str | None) -> Iterator[Result]:
    if workers == 1 and dask is None:
        for number, item in left:
            yield run_item(settings, number, item)
        return
    import joblib

    context: Any = nullcontext()
    if dask is not None:
        try:
            from distributed import Client
        except ImportError:
            raise ValueError("dask: wants `pip install distributed`.") from None
        client = Client(n_workers=workers, threads_per_worker=1) if dask == "local" else Client(dask)
        context = joblib.parallel_config("dask", wait_for_workers_timeout=60)
    threads = max(1, (os.cpu_count() or 1) // max(1, workers))
    settings = Settings(**(vars(settings) | {"threads": threads}))
    with context:
        calls = (joblib.delayed(run_item)(settings, number, item) for number, item in left)
        yield from joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(calls)
    if dask is not None:
        client.close()


def _check_settings(path: Path, settings: Settings, dataset: str) -> None:
    """Rows of other settings must not be mixed in: what a table was made with lies beside it."""
    note, text = path.with_suffix(".settings"), f"{settings}, dataset {dataset}\n"
    if path.exists() and note.exists() and note.read_text() != text:
        raise ValueError(f"out: {str(path)!r} was made with {note.read_text().strip()}; choose another folder.")
    note.write_text(text)


def _read(path: Path) -> list[Row]:
    """Rows of finished items."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _append(path: Path, columns: Iterable[str], rows: list[Row]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    if not path.exists():
        writer.writeheader()
    writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    # One write an item, so that a killed run leaves whole items.
    with open(path, "a", newline="", encoding="utf-8") as file:
        file.write(text.getvalue())


def summary(rows: list[Row], experiment: str) -> str:
    """Means and standard deviations by model, method, p and whatever else an experiment varies, as Markdown."""
    keys = [k for k in ("model", "method", "objects", "at", "budget", "p") if k in COLUMNS[experiment]]
    scores = SCORES[experiment]
    groups: dict[tuple[str, ...], list[list[float]]] = defaultdict(list)
    for row in rows:
        groups[tuple(str(row[k]) for k in keys)].append([float(row[score]) for score in scores])
    lines = ["| " + " | ".join([*keys, *scores, "items"]) + " |", "|" + "---|" * (len(keys) + len(scores) + 1)]
    for group, values in groups.items():
        array = np.array(values)
        cells = [f"{m:.3f} ± {s:.3f}" for m, s in zip(np.nanmean(array, 0), np.nanstd(array, 0), strict=True)]
        lines.append("| " + " | ".join([*group, *cells, str(len(values))]) + " |")
    return "\n".join(lines) + "\n"


def _summarise(path: Path, settings: Settings, rows: list[Row], skipped: list[str]) -> None:
    text = summary(rows, settings.experiment) + f"\nMean ± standard deviation over items. {settings}\n"
    if skipped:
        text += f"\nLeft out, {len(skipped)}:\n\n" + "".join(f"- {sentence}\n" for sentence in skipped)
    path.with_suffix(".md").write_text(text, encoding="utf-8")
