"""Run an experiment over items, with workers, and go on where an earlier run was stopped."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Generator, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cluster import ask, connected, spread
from ..extras import need
from ..masks import check_count
from ..progress import progress_bar
from . import datasets
from .datasets import Dataset, Item, Source
from .figures import draw
from .knowledge import KnowledgeSettings
from .knowledge_report import draw_knowledge, page_of_knowledge
from .labelled import labelled
from .locks import locked
from .planted import planted_items
from .planted_columns import SCORES as PLANTED
from .settings import ON_MOSAICS
from .summary import left_out, page
from .tables import Table, Tables, one_line, write_whole
from .tasks import AnySettings, Outcome, Plan, forget_encoder, plan, run_item, run_item_elsewhere

logger = logging.getLogger("fixlip")
# What may differ between two runs on one table: it changes how much memory they take, and no result.
FREE_SETTINGS = ("batch_size",)


def run(
    settings: AnySettings,
    dataset: str | Source = "emoji",
    limit: int = 100,
    out: str | os.PathLike[str] = "experiments",
    workers: int = 1,
    dask: Any = None,
    progress: bool = True,
) -> Path:
    """Run what is not done yet and write the table; return where it lies.

    Rows are appended as items finish. A run that was killed or interrupted, or that met a full disk, goes on with the
    items that are missing, and in the end the table is the one of an undisturbed run. It is put in the order of the
    items, so that any number of workers gives the same; items of an earlier, larger run stay in the table behind
    those of this one, but not in the summary (.md) and the figure (.html) beside it.

    An interruption (Ctrl-C) drops the items in work and ends the run.

    Args:
        settings: experiment, model, p's, budget, ...
        dataset: see `datasets.pairs` and `datasets.mosaics`, and `labelled.labelled` for mutual knowledge.
        limit: how many items.
        out: folder for the table.
        workers: processes side by side, each with its own model. They are new processes (joblib's loky), never forks:
            a process that is forked after torch has worked with several threads hangs.
        dask: a Dask cluster whose workers to use instead: the address of its scheduler, "local:2" for two processes of
            this machine, or a `distributed.Client`. Workers load the model by its name, once, and read pictures where
            they stand, so both must be at the same place for all; this process loads no model. What a dying worker had
            in work others do again. See fixlip/experiments/many-machines.md.
        progress: show a bar, or log lines, if it takes long.

    Returns:
        the table, a CSV file. "insertion-deletion" and "mutual-knowledge" write curves to another one beside it.

    Raises:
        ValueError: one sentence: before any work if an argument does not fit, something that is needed is not installed
            or cannot be written, the folder holds rows of other settings, or another run is at work there; later if the
            disk is full or every item had to be left out.
        KeyboardInterrupt: if the run was interrupted.
    """
    limit, workers, out = check_count(limit, "limit"), check_count(workers, "workers"), Path(out)
    if workers > 1:
        need("joblib", "workers")
    if workers > 1 and dask is not None:
        raise ValueError(f"workers: got {workers} beside dask, wanted one or the other; a cluster has its own workers.")
    path = out / f"{settings.experiment}-{one_line(Path(settings.model).name)}.csv"
    paths = [path, path.with_name(f"{path.stem}-curves.csv")]
    _check_writable(out, paths)
    found = _find(settings, dataset, limit)
    with nullcontext() if dask is None else connected(dask) as client:
        # Wrong names, and a bank that cannot be read, are told before any work.
        asked = settings, str(dataset)
        planned = plan(*asked) if client is None else ask(client, plan, *asked)
        if workers > 1:
            forget_encoder()
        tables = Tables([Table(*one) for one in zip(paths, planned.layouts, strict=False)])
        make_folder(out)
        with locked(path.with_suffix(".lock"), repr(str(path))):
            _open(tables, path, planned.described)
            names = _run_all(tables, _Work(settings, planned, workers, client), found, progress)
            tables.order(names)
            wanted = [name for name in names if name in tables.captions]
            if not wanted:
                first = found.left_out[0] if found.left_out else "there were none"
                raise ValueError(f"dataset: all {len(names)} items were left out; the first: {first}")
            _report(tables, path, settings, planned.described, wanted, [*left_out(found.left_out), *planned.notes])
    return path


def _find(settings: AnySettings, dataset: str | Source, limit: int) -> Dataset:
    if isinstance(settings, KnowledgeSettings):
        return labelled(str(dataset), limit, settings.classes)
    if settings.experiment in PLANTED:
        return planted_items(settings.experiment, dataset, limit)
    loader = datasets.mosaics if settings.experiment in ON_MOSAICS else datasets.pairs
    return loader(dataset, limit)


@dataclass(frozen=True)
class _Work:
    """How items are run: here, by `workers` processes, or by those of a Dask client's cluster."""

    settings: AnySettings
    planned: Plan
    workers: int
    client: Any


def _run_all(tables: Tables, work: _Work, found: Dataset, progress: bool) -> list[str]:
    """Run the items that are not finished, and return the names of all in their order."""
    waiting = _Waiting(found, tables)
    with progress_bar(waiting.count(), f"items of {work.settings.experiment}" if progress else None) as advance:
        with closing(_outcomes(work, iter(waiting))) as outcomes:
            for outcome in outcomes:
                if outcome.left_out:
                    found.left_out.append(outcome.left_out)
                else:
                    caption = one_line(str(outcome.rows[-1][tables.tables[0].layout.described]))
                    tables.add(outcome.item, caption, [outcome.rows, outcome.curves][: len(tables.tables)])
                advance(1)
    if waiting.error is not None:
        raise ValueError(
            f"dataset: broke off after {len(waiting.names)} items ({waiting.error}); what was finished is kept."
        ) from waiting.error
    return waiting.names


class _Waiting:
    """The items that are still to be run, with their numbers.

    Attributes:
        names: of all items that were gone through, finished ones too.
        error: what ended the items early. It is kept for the main thread, since joblib takes items in others, where
            it would be lost.
    """

    def __init__(self, found: Dataset, tables: Tables):
        self._found, self._tables = found, tables
        self._finished = tables.captions
        self.names: list[str] = []
        self.error: Exception | None = None

    def count(self) -> int:
        """How many there are; from the hub, at most."""
        if isinstance(self._found.items, list):
            return sum(not self._is_finished(item) for item in self._found.items)
        return max(0, self._found.count - len(self._finished))

    def __iter__(self) -> Iterator[tuple[int, Item]]:
        try:
            for number, item in enumerate(self._found.items):
                self.names.append(item.name)
                if self._is_finished(item):
                    continue
                if item.name in self._finished:
                    self._tables.forget(item.name)  # its caption was changed
                yield number, item
        except Exception as error:
            self.error = error

    def _is_finished(self, item: Item) -> bool:
        if item.name not in self._finished:
            return False
        return item.caption is None or one_line(item.caption) == self._finished[item.name]


def _outcomes(work: _Work, waiting: Iterator[tuple[int, Item]]) -> Generator[Outcome, None, None]:
    if work.client is not None:
        jobs = ((work.settings, number, item, work.planned) for number, item in waiting)
        with closing(spread(work.client, run_item_elsewhere, jobs)) as numbered:
            for _, outcome in numbered:
                yield outcome
    elif work.workers == 1:
        for number, item in waiting:
            yield run_item(work.settings, number, item)
    else:
        yield from _of_processes(work.settings, waiting, work.workers)


def _of_processes(
    settings: AnySettings, waiting: Iterator[tuple[int, Item]], workers: int
) -> Generator[Outcome, None, None]:
    joblib = need("joblib", "workers")
    threads = max(1, (os.cpu_count() or 1) // workers)
    calls = (joblib.delayed(run_item)(settings, number, item, threads) for number, item in waiting)
    many = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(calls)
    try:
        # Not `yield from`, which would close `many` before its warning can be kept back.
        for outcome in many:  # noqa: UP028
            yield outcome
    except joblib.externals.loky.process_executor.BrokenProcessPool:
        raise ValueError(
            "workers: a worker process ended suddenly, perhaps for want of memory; what was finished is kept. "
            "Run again with fewer workers."
        ) from None
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that not all was waited for: on purpose, after an error
            many.close()


# ---- files


def _check_writable(out: Path, paths: list[Path]) -> None:
    """Raise ValueError unless tables can be written in `out`, or `out` can be made."""
    for path in paths:
        if path.is_dir():
            raise ValueError(f"out: {str(path)!r} is a folder, but the table is to be written there.")
    nearest = next((folder for folder in (out, *out.parents) if folder.exists()), Path())
    if not nearest.is_dir():
        raise ValueError(f"out: {str(nearest)!r} is a file, wanted a folder.")
    # Trying is the only honest test: permissions and read-only disks both show.
    try:
        with tempfile.NamedTemporaryFile(dir=nearest, prefix=".fixlip-"):
            pass
    except OSError as error:
        raise ValueError(f"out: cannot write in {str(nearest)!r} ({error.strerror or error}).") from None


def make_folder(out: Path) -> None:
    """Make the folder for tables; ValueError if that fails."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"out: cannot make the folder {str(out)!r} ({error.strerror or error}).") from None


def _open(tables: Tables, path: Path, described: dict[str, str]) -> None:
    """Read what earlier runs finished; ValueError if they ran with other settings, which must not be mixed.

    What a table was made with lies beside it.
    """
    note = path.with_suffix(".settings")
    if any(table.path.exists() and table.path.stat().st_size for table in tables.tables):
        before = _read_note(note, path)
        other = [name for name in {**before, **described} if before.get(name) != described.get(name)]
        other = [name for name in other if name not in FREE_SETTINGS]
        if other:
            was = ", ".join(f"{name}={before.get(name, 'unknown')}" for name in other)
            now = ", ".join(f"{name}={described.get(name, 'unknown')}" for name in other)
            raise ValueError(f"out: {str(path)!r} was made with {was}, not {now}; choose another folder.")
    if tables.open():
        logger.warning(
            "%s held rows that were cut, damaged or doubled; they are dropped, and their items run again.", path
        )
    write_whole(note, ["".join(f"{name}={value}\n" for name, value in described.items()).encode()])


def _read_note(note: Path, path: Path) -> dict[str, str]:
    try:
        lines = note.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ValueError(
            f"out: {str(path)!r} holds rows, but {note.name!r}, which says what they were made with, cannot be read; "
            "choose another folder, or move the table away."
        ) from None
    return dict(line.partition("=")[::2] for line in lines)


def _report(
    tables: Tables, path: Path, settings: AnySettings, described: dict[str, str], items: list[str], notes: list[str]
) -> None:
    """Write the summary and the figure of these items."""
    table, curves = tables.tables[0], tables.tables[-1]
    figure = None
    try:
        if isinstance(settings, KnowledgeSettings):
            figure = draw_knowledge(curves.rows(items), settings.model)
        else:
            figure = draw(curves.rows(items), settings.experiment, settings.model)
    except ValueError as error:  # the numbers do not depend on it
        notes.append(f"No figure was drawn: {error}")
        logger.warning("No figure was drawn: %s", error)
    if isinstance(settings, KnowledgeSettings):
        text = page_of_knowledge(table.rows(items), curves.rows(items), settings, described, notes)
    else:
        text = page(table.rows(items), settings.experiment, described, notes)
    write_whole(path.with_suffix(".md"), [text.encode("utf-8")])
    if figure is not None:
        write_whole(path.with_suffix(".html"), [figure.encode("utf-8")])
