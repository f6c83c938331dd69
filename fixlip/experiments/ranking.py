"""Which pairs of a dataset a model finds most similar: a pass over all of them that survives interruptions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from ..encoders.huggingface import Encoder
from ..game import Game
from ..progress import progress_bar
from .datasets import Captioned, Dataset, Item, Source, captioned
from .locks import locked
from .tables import Layout, Table, cell, one_line

COLUMNS = ("item", "dataset", "weights", "captions", "caption", "similarity")


@dataclass
class Ranking:
    """Images of a dataset by similarity to the best of their captions, the highest first.

    Attributes:
        names: of the images.
        captions: the best caption of each, by name.
        left_out: a sentence for each image that could not be read.
    """

    names: list[str]
    captions: dict[str, str]
    left_out: list[str] = field(default_factory=list)

    def source(self, dataset: str, limit: int | None, first: int, last: int) -> Source:
        """The pairs of ranks `first` to `last` (excluded, from 0) of a dataset, in the dataset's order."""
        chosen = {name: self.captions[name] for name in self.names[first:last]}
        name = f"{dataset}: the pairs of ranks {first + 1} to {last} by similarity" + (
            f", among the first {limit} images" if limit is not None else ""
        )
        return Source(name, partial(_chosen, dataset, limit, chosen))


def rank(encoder: Encoder, dataset: str, limit: int | None, path: Path, progress: bool = True) -> Ranking:
    """Similarity of every image with the best of its captions (those the model can read), each image encoded once.

    Rows are added to a table as they are found. A run that was interrupted goes on there; images whose captions were
    changed are encoded again, and rows of another dataset or other weights dropped.

    Args:
        encoder: the model.
        dataset: as `datasets.captioned` takes it.
        limit: how many images at most; None for all.
        path: of the table, a CSV file.
        progress: show a bar if it takes long.

    Raises:
        ValueError: one sentence, if there is no such dataset or the table cannot be written.
    """
    found = captioned(dataset, limit)
    precision = encoder.precision
    made_with = (one_line(dataset), f"{encoder.fingerprint} {precision}")
    table = Table(path, Layout(COLUMNS, ("dataset", "weights"), ("similarity",), (made_with,)))
    with locked(path.with_suffix(".lock"), repr(str(path))):
        if table.open():
            table.keep(list(table.blocks))
        known = {row["item"]: row for row in table.rows(list(table.blocks))}
        best: dict[str, tuple[float, str]] = {}
        with progress_bar(found.count, "images to rank" if progress else None) as advance:
            for item in _each(found):
                row, asked = known.get(item.name), _digest(item.captions)
                if row is None or row["captions"] != asked:
                    row = _measured(encoder, item, found.left_out)
                    if row is not None:
                        row |= {"dataset": made_with[0], "weights": made_with[1], "captions": asked}
                        table.add(item.name, row["caption"], table.layout.lines([dict(row)]))
                if row is not None:
                    best[item.name] = float(row["similarity"]), row["caption"]
                advance(1)
    names = sorted(best, key=lambda name: -best[name][0])  # of equals, the earlier one stays first
    return Ranking(names, {name: caption for name, (_, caption) in best.items()}, found.left_out)


def _each(found: Dataset) -> Iterator[Captioned]:
    items = iter(found.items)
    while True:
        try:
            item = next(items, None)
        except Exception as error:  # a stream from the hub may raise anything
            raise ValueError(f"dataset: broke off ({error}); what was finished is kept.") from error
        if item is None:
            return
        assert isinstance(item, Captioned)
        yield item


def _measured(encoder: Encoder, item: Captioned, left_out: list[str]) -> dict[str, str] | None:
    """The best caption and its similarity, as the table shows them; None if there is none that can be read."""
    best: tuple[float, str] | None = None
    game, refused = None, f"{item.name}: it has no caption."
    try:
        image = item.read()
    except ValueError as error:
        left_out.append(f"{item.name}: {error}")
        return None
    for caption in map(one_line, item.captions):  # as tables show it, so that a restart explains the same
        try:
            game = Game(encoder, image, caption) if game is None else game.with_text(caption)
        except ValueError as error:  # too long, say; another caption may do
            refused = f"{item.name}: {error}"
            continue
        similarity = float(game(np.ones((1, game.n_players), bool))[0])
        if best is None or similarity > best[0]:
            best = similarity, caption
    if best is None:
        left_out.append(refused)
        return None
    return {"item": item.name, "caption": best[1], "similarity": cell(best[0])}


def _digest(captions: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(captions).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _chosen(dataset: str, limit: int | None, wanted: dict[str, str], most: int) -> Dataset:
    """The chosen images, each with its chosen caption; from the hub again one by one."""
    found = captioned(dataset, limit)
    names = dict(list(wanted.items())[:most])
    items: Iterator[Item] = (item.pair(names[item.name]) for item in _each(found) if item.name in names)
    return Dataset(list(items) if isinstance(found.items, list) else items, len(names))
