"""Files of grids: a whole grid in one archive, every side once; and a folder in which a run keeps what is done."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import files
from .answers import Side
from .masks import check_p, check_seed
from .samples import Samples
from .subject import Subject

# What is kept of a side, and of which kind and number of dimensions it is.
_PARTS = {"masks": ("b", 2), "weights": ("f", 1), "embeddings": ("f", 2)}
_NAMES = ("image", "text")
_SHOWN = {"shown": ("u", 3), "regions": ("i", 2)}


def write(
    path: str | os.PathLike[str], images: Sequence[Samples], texts: Sequence[Samples], how: dict[str, Any]
) -> Path:
    """Write a grid, its sides once each, and `how` it is explained (see `fixlip.ExplanationGrid.save`)."""
    arrays: dict[str, NDArray[Any]] = {}
    facts: dict[str, Any] = {"how": how, "image": [], "text": []}
    for name, several in zip(_NAMES, (images, texts), strict=True):
        for k, samples in enumerate(several):
            side = samples.image_side if name == "image" else samples.text_side
            arrays |= {f"{name}_{k}_{part}": getattr(side, part) for part in _PARTS}
            facts[name].append({"subject": samples.subject.facts(), "p": list(side.p), "seed": samples.seed})
            if name == "image" and samples.subject.image is not None:
                arrays[f"image_{k}_shown"] = samples.subject.image
            if name == "image" and samples.subject.regions is not None:
                arrays[f"image_{k}_regions"] = samples.subject.regions.astype(np.int32)
    facts |= {"scale": images[0].scale, "bias": images[0].bias}
    return files.write(path, arrays, facts, replace(images[0].subject, image=None, regions=None))


def read(path: str | os.PathLike[str]) -> tuple[list[Samples], list[Samples], dict[str, Any]]:
    """What `write` was given.

    Raises:
        ValueError: one sentence, if there is no such file or it holds no grid.
    """
    with files.reading(path, "grid", {}) as (_, facts, _):
        counts = {name: len(facts[name]) for name in _NAMES}
    wanted = {f"{n}_{k}_{part}": kind for n in _NAMES for k in range(counts[n]) for part, kind in _PARTS.items()}
    shown = {f"image_{k}_{what}": kind for k in range(counts["image"]) for what, kind in _SHOWN.items()}
    with files.reading(path, "grid", wanted, shown) as (arrays, facts, _):
        sides: dict[str, list[tuple[Subject, Side]]] = {name: [] for name in _NAMES}
        for name, parts in sides.items():
            for k, told in enumerate(facts[name]):
                picture, regions = (arrays.get(f"image_{k if name == 'image' else 0}_{what}") for what in _SHOWN)
                regions = None if regions is None else regions.astype(np.intp)
                subject = Subject.from_facts(told["subject"], picture, regions)
                parts.append((subject, _side(name, arrays, f"{name}_{k}_", subject, told["p"])))
        (_, first_image), (_, first_text) = sides["image"][0], sides["text"][0]
        scale, bias = float(facts["scale"]), float(facts["bias"])
        seeds = {name: [check_seed(one["seed"]) for one in facts[name]] for name in _NAMES}
        images = [
            Samples(subject, side, first_text, scale, bias, seed)
            for (subject, side), seed in zip(sides["image"], seeds["image"], strict=True)
        ]
        texts = [
            Samples(subject, first_image, side, scale, bias, seed)
            for (subject, side), seed in zip(sides["text"], seeds["text"], strict=True)
        ]
        return images, texts, dict(facts["how"])


def _side(name: str, arrays: dict[str, NDArray[Any]], prefix: str, subject: Subject, ps: Any) -> Side:
    """A side of what was read."""
    masks, weights, embeddings = (arrays[f"{prefix}{part}"] for part in _PARTS)
    n_players = subject.n_image if name == "image" else subject.n_text
    if masks.shape[1] != n_players:
        raise ValueError(f"masks of {masks.shape[1]} players instead of {n_players}")
    drawn = tuple(check_p(p) for p in ps)
    return Side(masks, weights, embeddings, drawn, subject.origins[_NAMES.index(name)])


class Kept:
    """A folder in which a run keeps every image and caption that is done, a file each; another run goes on from it.

    A file belongs to one input under one model, precision and masking, and to masks drawn at the same p with the same
    seed, and is found by these: so images and captions may be added, left out and put in another order, and the budget
    may change.

    Args:
        folder: where; made if it is not there. None keeps nothing.

    Raises:
        ValueError: if it cannot be made.
    """

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        self.folder = None if folder is None else Path(folder)
        if self.folder is not None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                told = error.strerror or error
                raise ValueError(f"resume: cannot make the folder {str(self.folder)!r} ({told}).") from None

    def find(self, name: str, subject: Subject, ps: tuple[float, ...], seed: int) -> Side | None:
        """What is known of the side `name`, "image" or "text", of a subject; None if nothing.

        Raises:
            ValueError: one sentence, if its file is damaged.
        """
        path = self._path(name, subject, ps, seed)
        if path is None or not path.exists():
            return None
        with files.reading(path, "part of a grid", _PARTS) as (arrays, _, _):
            return _side(name, arrays, "", subject, ps)

    def keep(self, name: str, subject: Subject, seed: int, side: Side) -> None:
        """Keep a side, whole or not; one that is known better is replaced too."""
        path = self._path(name, subject, side.p, seed)
        if path is not None:
            arrays = {part: getattr(side, part) for part in _PARTS}
            files.write(path, arrays, {"side": name}, replace(subject, image=None))

    def _path(self, name: str, subject: Subject, ps: tuple[float, ...], seed: int) -> Path | None:
        if self.folder is None:
            return None
        at = _NAMES.index(name)
        origin = subject.origins[at]
        players = subject.labels[: subject.n_image] if at == 0 else subject.labels[subject.n_image :]
        of = [getattr(origin, one, "") for one in ("model_key", "masking", "content", "players", "precision")]
        told = json.dumps([*of, subject.grid if at == 0 else None, players, list(ps), seed])
        return self.folder / f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:24]}.npz"


def names_of(images: Sequence[Any]) -> tuple[str, ...]:
    """What images are called in a table: the name of the file that they are or come from; empty where there is none."""
    given = [one if isinstance(one, str | os.PathLike) else getattr(one, "filename", "") for one in images]
    return tuple(Path(one).name if one else "" for one in given)
