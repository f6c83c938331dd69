"""Where an experiment's images and captions come from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image, ImageOps

from .. import emoji
from ..encoders.images import ImageSource, read_image
from ..extras import need
from ..metrics.pointing_game import CELLS, TILE, PointingGame, mosaic
from .captions import PICTURES, captions, entries
from .published import GAMES, Games, Labels
from .tables import one_line

# Far from the scenes that tests and chapters look at.
FIRST_SCENE = 2 * 10**6
COCO_IMAGES = 5000  # of the test split
COCO, IMAGENET = "clip-benchmark/wds_mscoco_captions", "ILSVRC/imagenet-1k"


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
class Captioned:
    """An image and all its captions, one of which is still to be chosen."""

    name: str
    read: Callable[[], ImageSource]
    captions: tuple[str, ...]

    @property
    def caption(self) -> None:
        """Not known yet."""
        return None

    def pair(self, caption: str) -> Pair:
        """The image with one caption."""
        return Pair(self.name, partial(_read_with, self.read, caption), caption)


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


@dataclass(frozen=True)
class Source:
    """A dataset that a name alone does not find; `pairs` and `mosaics` take it in place of one.

    Attributes:
        name: what tables are said to be made with.
        find: the dataset with so many items at most.
    """

    name: str
    find: Callable[[int], Dataset]

    def __str__(self) -> str:
        return self.name


def pairs(name: str | Source, limit: int) -> Dataset:
    """Images with captions.

    Args:
        name: "emoji", a folder (a captions.csv with columns file and caption, or a .txt beside each picture), or "coco"
            (from the hub, by `datasets`).
        limit: how many at most.

    Raises:
        ValueError: one sentence, if there is no such dataset or nothing in it.
    """
    if isinstance(name, Source):
        return name.find(limit)
    if name == "emoji":
        return Dataset([Pair(f"scene {k}", partial(_scene, FIRST_SCENE + k)) for k in range(limit)], limit)
    if name == "coco":
        return Dataset(_coco(_stream(COCO, "test"), limit), limit)
    folder = _folder(name, '"coco"')
    return _listed_pairs(folder, limit)


def captioned(name: str, limit: int | None) -> Dataset:
    """Images, each with all its captions; whether a picture can be read shows when it is read.

    Args:
        name: as `pairs` takes it.
        limit: how many images at most; None for all that there are.

    Raises:
        ValueError: one sentence, if there is no such dataset or nothing in it.
    """
    if name == "emoji":
        if limit is None:
            raise ValueError("limit: wanted a number, since emoji scenes have no end.")
        return Dataset((_captioned_scene(k) for k in range(limit)), limit)
    if name == "coco":
        return Dataset(_captioned_coco(_stream(COCO, "test"), limit), COCO_IMAGES if limit is None else limit)
    return _captioned_folder(_folder(name, '"coco"'), limit)


def mosaics(name: str | Source, limit: int, games: str = "") -> Dataset:
    """Mosaics of four labelled pictures for the pointing game.

    Args:
        name: "emoji", "imagenet" (from the hub by `datasets`), or a folder with one subfolder of pictures for each
            label.
        limit: how many mosaics at most.
        games: which four things they show, a key of `published.GAMES`; else any four that there are, but the paper's
            ten games with "imagenet".

    Raises:
        ValueError: one sentence, if there is no such dataset or there are no such games, or too few labels in it.
    """
    if isinstance(name, Source):
        return name.find(limit)
    if games and games not in GAMES:
        raise ValueError(f"games: got {games!r}, wanted one of {', '.join(GAMES)}.")
    if name == "emoji":
        return _scenes_of(GAMES[games], limit) if games else Dataset([_scene_mosaic(k) for k in range(limit)], limit)
    if name == "imagenet":
        rows = _stream(IMAGENET, "validation")
        return Dataset(_imagenet(rows, limit, GAMES[games or "published"]), limit)
    folder = _folder(name, '"imagenet"')
    return _played(folder, limit, GAMES[games]) if games else _labelled_mosaics(folder, limit)


def _folder(name: str, from_hub: str) -> Path:
    folder = Path(name)
    if not folder.is_dir():
        raise ValueError(f'dataset: {name!r} is neither "emoji", nor {from_hub}, nor a folder.')
    return folder


# ---- emoji scenes


def _scene(seed: int) -> tuple[Image.Image, str]:
    shown = emoji.scene(seed, objects=1 + seed % 4)
    return shown.image, shown.caption


def _scene_mosaic(k: int) -> LabelledMosaic:
    first, second, third, fourth = emoji.scene(FIRST_SCENE + k, objects=len(CELLS), layout="grid").objects
    return LabelledMosaic(f"scene {k}", (first, second, third, fourth), partial(_scene_image, FIRST_SCENE + k))


def _scene_image(seed: int, words: Labels | None = None) -> Image.Image:
    return emoji.scene(seed, objects=len(CELLS), layout="grid", words=words).image


def _captioned_scene(k: int) -> Captioned:
    return Captioned(f"scene {k}", partial(_free_image, FIRST_SCENE + k), (_scene(FIRST_SCENE + k)[1],))


def _free_image(seed: int) -> Image.Image:
    return _scene(seed)[0]


def _scenes_of(games: Games, limit: int) -> Dataset:
    known = emoji.vocabulary()
    tuples, left_out = _playable(games, known, "emoji scenes")
    named = [_in_turn(tuples, k) for k in range(min(limit, games.each * len(tuples)))]
    seeds = range(FIRST_SCENE, FIRST_SCENE + len(named))
    items = [
        LabelledMosaic(name, labels, partial(_scene_image, seed, labels))
        for seed, (name, labels, _) in zip(seeds, named, strict=True)
    ]
    return Dataset(items, len(items), left_out)


# ---- folders


def _listed_pairs(folder: Path, limit: int) -> Dataset:
    items: list[Item] = []
    left_out: list[str] = []
    seen: dict[str, int] = {}
    for file, caption in captions(folder, left_out):
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


def _captioned_folder(folder: Path, limit: int | None) -> Dataset:
    left_out: list[str] = []
    by_file: dict[str, list[str]] = {}
    for file, caption in captions(folder, left_out):
        if file and caption:
            by_file.setdefault(file, []).append(caption)
        else:
            left_out.append(f"{one_line(file) or 'a row'}: wants both a file and a caption.")
    items: list[Item] = [
        Captioned(one_line(file), partial(read_image, folder / file), tuple(found))
        for file, found in list(by_file.items())[:limit]
    ]
    if not items:
        broken = f"; {len(left_out)} left out, the first: {left_out[0]}" if left_out else "."
        raise ValueError(f"dataset: {str(folder)!r} holds no picture with a caption{broken}")
    return Dataset(items, len(items), left_out)


def _by_label(folder: Path, left_out: list[str]) -> dict[str, list[Path]]:
    """Readable pictures by label; no label without one."""
    found: dict[str, list[Path]] = {}
    for label in entries(folder):
        if label.is_dir():
            files = (path for path in entries(label) if path.suffix.lower() in PICTURES)
            if readable := [path for path in files if _readable(path, left_out)]:
                found[one_line(label.name)] = readable
    return found


def _played(folder: Path, limit: int, games: Games) -> Dataset:
    """Mosaics of published games: from the first picture of each label, then the second, as long as there are any."""
    left_out: list[str] = []
    by_label = _by_label(folder, left_out)
    tuples, missing = _playable(games, by_label, repr(str(folder)))
    make = _cropped_mosaic if games.cropped else mosaic
    items: list[Item] = []
    for k in range(games.each * len(tuples)):
        name, labels, turn = _in_turn(tuples, k)
        if len(items) < limit and all(turn < len(by_label[label]) for label in labels):
            tiles = [by_label[label][turn] for label in labels]
            items.append(LabelledMosaic(name, labels, partial(make, tiles)))
    return Dataset(items, len(items), left_out + missing)


def _playable(games: Games, known: Collection[str], where: str) -> tuple[list[Labels], list[str]]:
    """The games whose labels are all known, and a sentence if some are not; ValueError if all are not."""
    tuples = [labels for labels in games.tuples if set(labels) <= set(known)]
    if len(tuples) == len(games.tuples):
        return tuples, []
    missing = ", ".join(label for label in games.classes if label not in known)
    left = f"{len(games.tuples) - len(tuples)} of {len(games.tuples)} games"
    sentence = f"{where}: no pictures of {missing}, so {left} cannot be played."
    if not tuples:
        raise ValueError(f"dataset: {sentence}")
    return tuples, [sentence]


def _in_turn(tuples: Sequence[Labels], k: int) -> tuple[str, Labels, int]:
    """Mosaic k: its name, its labels, and which of their pictures it shows; each game once, then each once more."""
    turn, game = divmod(k, len(tuples))
    return f"{'-'.join(tuples[game])} {turn}", tuples[game], turn


def _cropped_mosaic(tiles: Sequence[ImageSource]) -> Image.Image:
    """A mosaic of the middle squares of pictures, each first reduced along its shorter side."""
    size = (TILE, TILE)
    return mosaic([ImageOps.fit(read_image(tile), size, Image.Resampling.BILINEAR) for tile in tiles])


def _labelled_mosaics(folder: Path, limit: int) -> Dataset:
    left_out: list[str] = []
    by_label = _by_label(folder, left_out)
    labels = list(by_label)
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


def _read_with(read: Callable[[], ImageSource], caption: str) -> tuple[ImageSource, str]:
    return read(), caption


def _read_pair(path: Path, caption: str) -> tuple[ImageSource, str]:
    return read_image(path), caption


# ---- from the hub


def _stream(name: str, split: str) -> Iterator[dict[str, Any]]:
    load = need("datasets", f"dataset: {name}").load_dataset
    try:
        return iter(load(name, split=split, streaming=True))
    except Exception as error:  # no connection, terms that were not accepted, ...: its client raises anything
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise ValueError(f"dataset: {name} cannot be had from the hub ({first}).") from error


def _coco(rows: Iterator[dict[str, Any]], limit: int) -> Iterator[Pair]:
    """The first images of MS COCO's test split, each with its first caption."""
    for k, row in zip(range(limit), rows, strict=False):
        caption = str(row["txt"]).strip().split("\n")[0]
        yield Pair(f"coco {k}", partial(_given, row["jpg"], caption), caption)


def _captioned_coco(rows: Iterator[dict[str, Any]], limit: int | None) -> Iterator[Captioned]:
    """Images of MS COCO's test split, each with its five captions."""
    for k, row in enumerate(islice(rows, limit)):
        lines = tuple(line.strip() for line in str(row["txt"]).split("\n") if line.strip())
        yield Captioned(f"coco {k}", partial(_same, row["jpg"]), lines)


def _same(image: ImageSource) -> ImageSource:
    return image


def _given(image: ImageSource, caption: str) -> tuple[ImageSource, str]:
    return image, caption


def _imagenet(rows: Iterator[dict[str, Any]], limit: int, games: Games) -> Iterator[LabelledMosaic]:
    """Published games, from the first validation image of each of their ten classes, then the second, ..."""
    wanted = {number: label for label, number in games.classes.items()}
    waiting: dict[str, deque[Any]] = {label: deque() for label in games.classes}
    make = _cropped_mosaic if games.cropped else mosaic
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
        for labels in games.tuples[: limit - made]:
            yield LabelledMosaic(f"game {made}", labels, partial(make, [images[label] for label in labels]))
            made += 1
