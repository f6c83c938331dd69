"""Saved files: NumPy archives without pickle, with a few facts as JSON; written whole or not at all."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from .atomic import replacing
from .subject import Subject

FORMAT = 2
# Kinds (of `numpy.dtype.kind`) and number of dimensions that an array must have.
Kind = tuple[str, int]
# Archives of numbers shrink a few times at most; one that grows more than this when read was made to fill memory.
_MOST_GROWTH, _SMALL = 200, 2**28


def write(
    path: str | os.PathLike[str], arrays: dict[str, NDArray[Any]], facts: dict[str, Any], subject: Subject
) -> Path:
    """Write an archive, `.npz` added to the name where it lacks; return where it lies.

    The file is written beside its place and then moved there, so that a failed save harms no earlier file.

    Raises:
        ValueError: one sentence, if it cannot be written.
    """
    target = Path(path)
    target = target if target.suffix == ".npz" else target.with_name(target.name + ".npz")
    arrays = dict(arrays)
    if subject.image is not None:
        arrays["image"] = subject.image
    if subject.regions is not None:
        arrays["regions"] = subject.regions.astype(np.int16 if subject.n_image < 2**15 else np.int32)
    arrays["facts"] = np.array(json.dumps(facts | {"format": FORMAT, "subject": subject.facts()}))
    try:
        with replacing(target) as partial:
            np.savez_compressed(partial, **arrays)  # type: ignore[arg-type]
    except OSError as error:
        raise ValueError(f"path: cannot write {str(target)!r} ({error.strerror or error}).") from None
    return target


@contextmanager
def reading(
    path: str | os.PathLike[str], what: str, wanted: dict[str, Kind], optional: dict[str, Kind] | None = None
) -> Iterator[tuple[dict[str, NDArray[Any]], dict[str, Any], Subject]]:
    """Arrays, facts and subject of what `write` wrote; what goes wrong in the block is a fault of the file too.

    Only the arrays asked for are read, and their headers are looked at first.

    Args:
        path: the file.
        what: what it should hold, for the message.
        wanted: arrays without which it does not.
        optional: arrays that may be there.

    Raises:
        ValueError: one sentence, if there is no such file or it is something else.
    """
    try:
        yield _read(path, wanted, optional or {})
    except FileNotFoundError:
        raise ValueError(f"path: there is no file {str(path)!r}.") from None
    except IsADirectoryError:
        raise ValueError(f"path: {str(path)!r} is a folder, wanted a saved {what}.") from None
    except Exception as error:  # a damaged archive makes the libraries below raise anything
        raise ValueError(f"path: {str(path)!r} is no saved {what} ({_reason(error)}).") from None


def _reason(error: Exception) -> str:
    """Why a file could not be used, in words that need no knowledge of the libraries below."""
    if isinstance(error, zipfile.BadZipFile):
        return "it is no archive, or damaged"
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    return str(error).rstrip(".") if isinstance(error, ValueError | OSError) else "it is damaged"


def _read(
    path: str | os.PathLike[str], wanted: dict[str, Kind], optional: dict[str, Kind]
) -> tuple[dict[str, NDArray[Any]], dict[str, Any], Subject]:
    with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        members = {name.removesuffix(".npy") for name in archive.namelist()}
        for name in ("facts", *wanted):
            if name not in members:
                raise ValueError(f"{name} is missing")
        room = max(_SMALL, _MOST_GROWTH * os.fstat(file.fileno()).st_size)
        facts = json.loads(str(_array(archive, "facts", ("U", 0), room)))
        if facts["format"] not in (1, FORMAT):
            raise ValueError(f"format {facts['format']}, this version reads {FORMAT}")
        kinds = wanted | {name: kind for name, kind in optional.items() if name in members}
        arrays = {name: _array(archive, name, kind, room) for name, kind in kinds.items()}
        image = _array(archive, "image", ("u", 3), room) if "image" in members else None
        regions = _array(archive, "regions", ("i", 2), room).astype(np.intp) if "regions" in members else None
    if facts["format"] == 1:  # of the first edition, which kept the two values with the players
        described = facts["players"]
        facts = facts | {name: described[name] for name in ("empty_value", "full_value")} | {"subject": described}
    return arrays, facts, Subject.from_facts(facts["subject"], image, regions)


def _array(archive: zipfile.ZipFile, name: str, kind: Kind, room: int) -> NDArray[Any]:
    """One array, its header checked before its data is unpacked."""
    with archive.open(f"{name}.npy") as member:
        version = npy.read_magic(member)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read_header(member)
    if dtype.hasobject or dtype.kind != kind[0] or len(shape) != kind[1]:
        raise ValueError(f"{name} is an array of {dtype} with {len(shape)} dimensions")
    if int(np.prod(shape, dtype=object)) * dtype.itemsize > room:
        raise ValueError(f"{name} would take more memory than such a file can need")
    with archive.open(f"{name}.npy") as member:
        return np.asarray(npy.read_array(member, allow_pickle=False))
