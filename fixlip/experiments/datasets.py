"""Where an experiment's images and captions come from."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .. import emoji
from ..encoders.images import read_image
from ..metrics.pointing_game import IMAGENET_CLASSES, PUBLISHED_GAMES, PointingGame, mosaic

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
# Far from the scenes that tests and chapters look at.
FIRST_SCENE = 2 * 10**6
COCO, IMAGENET = "clip-benchmark/wds_mscoco_captions", "ILSVRC/imagenet-1k"


@dataclass(frozen=True)
class Pair:
    """An image and a caption, read when they are needed."""

    name: str
    read: Any  # () -> (image, caption)


@dataclass(frozen=True)
class Mosaics:
    """One image of a pointing game with its four labels; the caption names the first so many."""

    name: str
    labels: tuple[str, str, str, str]
    read: Any  # () -> image

    def games(self) -> Iterator[PointingGame]:
        """The four scenarios: one to four objects named."""
        image = self.read()
        for objects in range(1, 5):
            yield PointingGame(image, self.labels, objects)


@dataclass
class Dataset:
    """Items, and what was left out because it could not be read."""

    items: list[Any]
    skipped: list[str] = field(default_factory=list)


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
        return Dataset([Pair(f"scene {k}", partial(_scene, FIRST_SCENE + k)) for k in range(limit)])
    if name == "coco":
        return Dataset(list(_coco(limit)))
    return _folder(Path(name), limit)


def mosaics(name: str, limit: int) -> Dataset:
    """Mosaics of four labelled pictures for the pointing game.

    Args:
        name: "emoji", "imagenet" (the paper's ten games, from the hub by `datasets`), or a folder with one subfolder of
            pictures for each label.
        limit: how many mosaics at most.
    """
    if name == "emoji":
        found = []
        for k in range(limit):
            shown = emoji.scene(FIRST_SCENE + k, objects=4, layout="grid")
            found.append(Mosaics(f"scene {k}", shown.objects, partial(_scene_image, FIRST_SCENE + k)))  # type: ignore[arg-type]
        return Dataset(found)
    if name == "imagenet":
        return _mosaics_of(_imagenet(limit), limit)
    return _labelled_folder(Path(name), limit)


def _scene(seed: int) -> tuple[Image.Image, str]:
    shown = emoji.scene(seed, objects=1 + seed % 4)
    return shown.image, shown.caption


def _scene_image(seed: int) -> Image.Image:
    return emoji.scene(seed, objects=4, layout="grid").image


def _folder(folder: Path, limit: int) -> Dataset:
    if not folder.is_dir():
        raise ValueError(f'dataset: {str(folder)!r} is neither "emoji", nor "coco", nor a folder.')
    table = folder / "captions.csv"
    if table.is_file():
        with open(table, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if not rows or not {"file", "caption"} <= set(rows[0]):
            raise ValueError(f"dataset: {str(table)!r} wants the columns file and caption, and a row at least.")
        listed = [(folder / row["file"], row["caption"]) for row in rows]
    else:
        pictures = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in PICTURES]
        texts = [(path, path.with_suffix(".txt")) for path in pictures]
        listed = [(path, text.read_text(encoding="utf-8").strip()) for path, text in texts if text.is_file()]
    found = Dataset([])
    for path, caption in listed:
        if len(found.items) == limit:
            break
        if _readable(path, found) and caption:
            found.items.append(Pair(path.name, partial(_read_pair, path, caption)))
    return _not_empty(found, folder)


def _labelled_folder(folder: Path, limit: int) -> Dataset:
    if not folder.is_dir():
        raise ValueError(f'dataset: {str(folder)!r} is neither "emoji", nor "imagenet", nor a folder.')
    found, by_label = Dataset([]), {}
    for label in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = [path for path in sorted(label.iterdir()) if path.suffix.lower() in PICTURES]
        by_label[label.name] = [path for path in files if _readable(path, found)]
    labels = [label for label, files in by_label.items() if files]
    if len(labels) < 4:
        raise ValueError(
            f"dataset: {str(folder)!r} has pictures of {len(labels)} labels, wanted four subfolders or more."
        )
    rng = np.random.default_rng(0)
    for k in range(limit):
        chosen = [str(label) for label in rng.permutation(labels)[:4]]
        tiles = [by_label[label][k % len(by_label[label])] for label in chosen]
        found.items.append(Mosaics(f"mosaic {k}", tuple(chosen), partial(mosaic, tiles)))  # type: ignore[arg-type]
    return found


def _readable(path: Path, found: Dataset) -> bool:
    try:
        read_image(path)
        return True
    except ValueError as error:
        found.skipped.append(str(error))
        return False


def _read_pair(path: Path, caption: str) -> tuple[Image.Image, str]:
    return read_image(path), caption


def _not_empty(found: Dataset, folder: Path) -> Dataset:
    if not found.items:
        broken = f" ({len(found.skipped)} could not be read)" if found.skipped else ""
        raise ValueError(f"dataset: {str(folder)!r} holds no picture with a caption{broken}.")
    return found


def _stream(name: str, split: str) -> Any:
    try:
        from datasets import load_dataset
    except ImportError:
        raise ValueError(
            f"dataset: {name} comes from the hub by `pip install datasets`, which is not installed."
        ) from None
    return load_dataset(name, split=split, streaming=True)


def _coco(limit: int) -> Iterator[Pair]:
    """The first images of MS COCO's test split, each with its first caption."""
    for k, row in zip(range(limit), _stream(COCO, "test"), strict=False):
        caption = str(row["txt"]).strip().split("\n")[0]
        yield Pair(f"coco {k}", partial(_given, row["jpg"], caption))


def _given(image: Any, caption: str) -> tuple[Any, str]:
    return image, caption


def _imagenet(limit: int) -> dict[str, list[Any]]:
    """Validation images of the paper's ten classes, as many of each as the mosaics need."""
    wanted = {number: label for label, number in IMAGENET_CLASSES.items()}
    each = -(-limit // len(PUBLISHED_GAMES))
    found: dict[str, list[Any]] = {label: [] for label in IMAGENET_CLASSES}
    for row in _stream(IMAGENET, "validation"):
        label = wanted.get(int(row["label"]))
        if label is not None and len(found[label]) < each:
            found[label].append(row["image"])
        if all(len(images) == each for images in found.values()):
            break
    return found


def _mosaics_of(by_label: dict[str, list[Any]], limit: int) -> Dataset:
    items = []
    for k in range(limit):
        labels = PUBLISHED_GAMES[k % len(PUBLISHED_GAMES)]
        tiles = [by_label[label][k // len(PUBLISHED_GAMES)] for label in labels]
        items.append(Mosaics(f"game {k}", labels, partial(mosaic, tiles)))
    return Dataset(items)
