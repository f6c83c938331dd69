"""Where an experiment's images and captions come from."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from .. import emoji
from ..encoders.images import ImageSource, read_image
from ..extras import need
from ..metrics.pointing_game import CELLS, IMAGENET_CLASSES, PUBLISHED_GAMES, PointingGame, mosaic
from .tables import one_line

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
# Far from the scenes that tests and chapters look at.
FIRST_SCENE = 2 * 10**6
COCO, IMAGENET = "clip-benchmark/wds_mscoco_captions", "ILSVRC/imagenet-1k"
Labels = tuple[str, str, str, str]


class Item(Protocol):
    """What an experiment is run on: light, since all of them are listed; pictures are read when they are needed."""

    @property
    def name(self) -> str:
        """No two items of a dataset have the same."""

    @property
    def caption(self) -> str | None:
        """The whole caption; None if it is not known before the item is read."""


@dataclass(frozen=True)
class Pair:
    """An image and a caption."""

    name: str
    read: Callable[[], tuple[ImageSource, str]]
    caption: str | None = None


@dataclass(frozen=True)
class LabelledMosaic:
    """An image of four labelled pictures, for four pointing games: the caption names the first one to four."""

    name: str
    labels: Labels
    read: Callable[[], Image.Image]

    @property
    def caption(self) -> str:
        """All four labels."""
        return " ".join(self.labels)

    def games(self) -> Iterator[PointingGame]:
        """One to four objects named."""
        image = self.read()
        for objects in range(1, len(CELLS) + 1):
            yield PointingGame(image, self.labels, objects)


@dataclass
class Dataset:
    """Items, and what was left out because it could not be read.

    Attributes:
        items: to be gone through once; those from the hub come one by one, so that they need not all fit in memory.
        count: how many there are, at most.
        left_out: a sentence for each that was left out.
    """

    items: Iterable[Item]
    count: int
    left_out: list[str] = field(default_factory=list)


def pairs(name: str, limit: int) -> Dataset:
    """Images with captions.

    Args:
        name: "emoji", a folder (a captions.csv with columns file and caption, or a .txt beside each picture), or "coco"
            (from the hub, by `datasets`).
        limit: how many at most.

    Raises:
        ValueError: one sentence, if there is no such dataset or nothing in it.
    """
    if name == "emoji":
        return Dataset([Pair(f"scene {k}", partial(_scene, FIRST_SCENE + k)) for k in range(limit)], limit)
    if name == "coco":
        return Dataset(_coco(_stream(COCO, "test"), limit), limit)
    folder = _folder(name, '"coco"')
    return _listed_pairs(folder, limit)


def mosaics(name: str, limit: int) -> Dataset:
    """Mosaics of four labelled pictures for the pointing game.

    Args:
        name: "emoji", "imagenet" (the paper's ten games, from the hub by `datasets`), or a folder with one subfolder of
            pictures for each label.
        limit: how many mosaics at most.

    Raises:
        ValueError: one sentence, if there is no such dataset, or too few labels in it.
    """
    if name == "emoji":
        return Dataset([_scene_mosaic(k) for k in range(limit)], limit)
    if name == "imagenet":
        return Dataset(_imagenet(_stream(IMAGENET, "validation"), limit), limit)
    folder = _folder(name, '"imagenet"')
    return _labelled_mosaics(folder, limit)


def _folder(name: str, from_hub: str) -> Path:
    folder = Path(name)
    if not folder.is_dir():
        raise ValueError(f'dataset: {name!r} is neither "emoji", nor {from_hub}, nor a folder.')
    return folder


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise ValueError(f"dataset: cannot read {str(folder)!r} ({error.strerror or error}).") from None


# ---- emoji scenes


def _scene(seed: int) -> tuple[Image.Image, str]:
    shown = emoji.scene(seed, objects=1 + seed % 4)
    return shown.image, shown.caption


def _scene_mosaic(k: int) -> LabelledMosaic:
    first, second, third, fourth = emoji.scene(FIRST_SCENE + k, objects=len(CELLS), layout="grid").objects
    return LabelledMosaic(f"scene {k}", (first, second, third, fourth), partial(_scene_image, FIRST_SCENE + k))


def _scene_image(seed: int) -> Image.Image:
    return emoji.scene(seed, objects=len(CELLS), layout="grid").image


# ---- folders


def _listed_pairs(folder: Path, limit: int) -> Dataset:
    items: list[Item] = []
    left_out: list[str] = []
    seen: dict[str, int] = {}
    table = folder / "captions.csv"
    for file, caption in _captions(table) if table.is_file() else _captions_beside(folder, left_out):
        if len(items) == limit:
            break
        # A picture may have several captions; the first keeps the file's name, so that more can be added later.
        seen[file] = seen.get(file, 0) + 1
        name = one_line(file if seen[file] == 1 else f"{file} #{seen[file]}")
        if not file or not caption:
            left_out.append(f"{name or 'a row'}: wants both a file and a caption.")
        elif _readable(folder / file, left_out):
            items.append(Pair(name, partial(_read_pair, folder / file, caption), caption))
    if not items:
        broken = f"; {len(left_out)} left out, the first: {left_out[0]}" if left_out else "."
        raise ValueError(f"dataset: {str(folder)!r} holds no picture with a caption{broken}")
    return Dataset(items, len(items), left_out)


def _captions(table: Path) -> Iterator[tuple[str, str]]:
    """File and caption of every row of a captions.csv, with commas, semicolons or tabs between the cells."""
    text = _text(table)
    for delimiter in (",", ";", "\t"):
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
            if {"file", "caption"} <= set(reader.fieldnames):
                rows = list(reader)
                break
        except csv.Error as error:
            raise ValueError(f"dataset: {str(table)!r} cannot be read ({error}).") from None
    else:
        raise ValueError(f"dataset: the first line of {str(table)!r} wants the columns file and caption.")
    if not rows:
        raise ValueError(f"dataset: {str(table)!r} wants the columns file and caption, and a row at least.")
    yield from (((row["file"] or "").strip(), (row["caption"] or "").strip()) for row in rows)


def _captions_beside(folder: Path, left_out: list[str]) -> Iterator[tuple[str, str]]:
    """Every picture that has a text of the same name beside it."""
    for path in _entries(folder):
        beside = path.with_suffix(".txt")
        if path.suffix.lower() in PICTURES and beside.is_file():
            try:
                yield path.name, _text(beside).strip()
            except ValueError as error:
                left_out.append(f"{path.name}: {str(error).removeprefix('dataset: ')}")


def _text(path: Path) -> str:
    """A text file, with or without the byte-order mark that spreadsheets write."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f'dataset: {str(path)!r} is no UTF-8 text; save it as "CSV UTF-8" or "UTF-8".') from None
    except OSError as error:
        raise ValueError(f"dataset: cannot read {str(path)!r} ({error.strerror or error}).") from None


def _labelled_mosaics(folder: Path, limit: int) -> Dataset:
    left_out: list[str] = []
    by_label: dict[str, list[Path]] = {}
    for label in _entries(folder):
        if label.is_dir():
            files = (path for path in _entries(label) if path.suffix.lower() in PICTURES)
            by_label[one_line(label.name)] = [path for path in files if _readable(path, left_out)]
    labels = [label for label, files in by_label.items() if files]
    if len(labels) < len(CELLS):
        raise ValueError(
            f"dataset: {str(folder)!r} has pictures of {len(labels)} labels, wanted four subfolders or more."
        )
    rng = np.random.default_rng(0)
    items: list[Item] = []
    for k in range(limit):
        first, second, third, fourth = chosen = [str(label) for label in rng.permutation(labels)[: len(CELLS)]]
        tiles = [by_label[label][k % len(by_label[label])] for label in chosen]
        items.append(LabelledMosaic(f"mosaic {k}", (first, second, third, fourth), partial(mosaic, tiles)))
    return Dataset(items, limit, left_out)


def _readable(path: Path, left_out: list[str]) -> bool:
    try:
        read_image(path)
        return True
    except ValueError as error:
        left_out.append(str(error))
        return False


def _read_pair(path: Path, caption: str) -> tuple[ImageSource, str]:
    return read_image(path), caption


# ---- from the hub


def _stream(name: str, split: str) -> Iterator[dict[str, Any]]:
    rows = need("datasets", f"dataset: {name}").load_dataset(name, split=split, streaming=True)
    return iter(rows)


def _coco(rows: Iterator[dict[str, Any]], limit: int) -> Iterator[Pair]:
    """The first images of MS COCO's test split, each with its first caption."""
    for k, row in zip(range(limit), rows, strict=False):
        caption = str(row["txt"]).strip().split("\n")[0]
        yield Pair(f"coco {k}", partial(_given, row["jpg"], caption), caption)


def _given(image: ImageSource, caption: str) -> tuple[ImageSource, str]:
    return image, caption


def _imagenet(rows: Iterator[dict[str, Any]], limit: int) -> Iterator[LabelledMosaic]:
    """The paper's ten games, from the first validation image of each of their ten classes, then the second, ..."""
    wanted = {number: label for label, number in IMAGENET_CLASSES.items()}
    waiting: dict[str, deque[Any]] = {label: deque() for label in IMAGENET_CLASSES}
    made = 0
    while made < limit:
        while not all(waiting.values()):
            row = next(rows, None)
            if row is None:
                return
            label = wanted.get(int(row["label"]))
            if label is not None:
                waiting[label].append(row["image"])
        images = {label: queue.popleft() for label, queue in waiting.items()}
        for labels in PUBLISHED_GAMES[: limit - made]:
            yield LabelledMosaic(f"game {made}", labels, partial(mosaic, [images[label] for label in labels]))
            made += 1
