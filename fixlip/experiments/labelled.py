"""Pictures whose class is known: emoji scenes of the classes' objects, or a folder with a subfolder for each class."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path

import numpy as np
from PIL import Image

from .. import emoji
from ..concepts import Classes
from ..emoji.scenes import MOST_OBJECTS
from ..encoders.images import ImageSource, read_image
from .captions import PICTURES, entries
from .datasets import FIRST_SCENE, Dataset, Item
from .tables import one_line

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Labelled:
    """A picture of a known class."""

    name: str
    label: str
    read: Callable[[], ImageSource]

    @property
    def caption(self) -> str:
        """Its class, which the table names; a file that moves to another folder is run again."""
        return self.label


def labelled(name: str, limit: int, classes: Classes) -> Dataset:
    """Pictures of the classes in turn, so that a smaller limit leaves all of them in.

    Args:
        name: "emoji" for scenes, each with one to four of the objects that its class's prompts name; or a folder with
            subfolders that are named as the classes.
        limit: how many at most.
        classes: that there are.

    Raises:
        ValueError: one sentence, if there is no such folder, or nothing in it; or a class's prompts name no object.
    """
    if name == "emoji":
        objects = [_objects(classes, k) for k in range(len(classes))]
        return Dataset([_scene(classes, objects, k) for k in range(limit)], limit)
    folder = Path(name)
    if not folder.is_dir():
        raise ValueError(f'dataset: {name!r} is neither "emoji" nor a folder with a subfolder for each class.')
    return _in_folder(folder, limit, classes)


def _objects(classes: Classes, number: int) -> tuple[str, ...]:
    """The objects that the prompts of a class name, four at most."""
    known = emoji.vocabulary()
    words = (word for prompt in classes.prompts[number] for word in _WORD.findall(prompt.lower()))
    named = dict.fromkeys(word for word in words if word in known)
    if not named:
        raise ValueError(
            f"dataset: there are no emoji scenes of the class {one_line(classes.names[number])!r}, since its prompts "
            "name none of the 48 objects; wanted prompts that do, or a folder of pictures."
        )
    return tuple(named)[:MOST_OBJECTS]


def _scene(classes: Classes, objects: Sequence[tuple[str, ...]], k: int) -> Labelled:
    turn, number = divmod(k, len(classes))
    shown = 1 + turn % len(objects[number])
    return Labelled(f"scene {k}", classes.names[number], partial(_drawn, FIRST_SCENE + k, objects[number], shown))


def _drawn(seed: int, objects: tuple[str, ...], count: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    return emoji.scene(rng, words=[str(word) for word in rng.permutation(objects)[:count]]).image


def _in_folder(folder: Path, limit: int, classes: Classes) -> Dataset:
    left_out: list[str] = []
    by_class: list[list[Item]] = []
    for path in (path for path in entries(folder) if path.is_dir()):
        label = " ".join(path.name.split())
        if label in classes.names:
            files = [file for file in entries(path) if file.suffix.lower() in PICTURES]
            by_class.append([_file(file, label) for file in files])
        else:
            left_out.append(f"{one_line(path.name)}: none of the {len(classes)} classes has this name.")
    in_turn = [item for turn in zip_longest(*by_class) for item in turn if item is not None]
    if not in_turn:
        broken = f" ({left_out[0]})" if left_out else ""
        raise ValueError(
            f"dataset: {str(folder)!r} has no subfolder with pictures that is named as a class{broken}; wanted one for "
            f"each of {', '.join(classes.names[:5])}{', …' if len(classes) > 5 else ''}, or a file of other classes."
        )
    return Dataset(in_turn[:limit], min(limit, len(in_turn)), left_out)


def _file(path: Path, label: str) -> Labelled:
    return Labelled(one_line(f"{label}/{path.name}"), label, partial(read_image, path))
