"""Saved files: NumPy archives without pickle, with a few facts as JSON; written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from .players import Players

FORMAT = 1
_PLAYER_FACTS = ("n_image", "n_text", "labels", "grid", "text", "model", "empty_value", "full_value")


def write(
    path: str | os.PathLike[str], arrays: dict[str, NDArray[Any]], facts: dict[str, Any], players: Players
) -> Path:
    """Write an archive, `.npz` added to the name where it lacks; return where it lies.

    The file is written beside its place and then moved there, so that a failed save harms no earlier file.

    Raises:
        ValueError: one sentence, if it cannot be written.
    """
    target = Path(path)
    target = target if target.suffix == ".npz" else target.with_name(target.name + ".npz")
    described = {name: getattr(players, name) for name in _PLAYER_FACTS}
    arrays = dict(arrays)
    if players.image is not None:
        arrays["image"] = players.image
    arrays["facts"] = np.array(json.dumps(facts | {"format": FORMAT, "players": described}))
    partial = target.with_name(target.name + ".part")
    try:
        with open(partial, "wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ValueError(f"path: cannot write {str(target)!r} ({error.strerror or error}).") from None
    return target


def read(
    path: str | os.PathLike[str], what: str, needed: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, Any], Players]:
    """Arrays, facts and players of what `write` wrote.

    Args:
        path: the file.
        what: what it should hold, for the message.
        needed: arrays without which it does not.

    Raises:
        ValueError: one sentence, if there is no such file or it is something else.
    """
    try:
        # Opened here, because np.load leaves a broken file open.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        facts = json.loads(str(arrays["facts"]))
        if facts["format"] != FORMAT:
            raise ValueError(f"format {facts['format']}, this version reads {FORMAT}")
        missing = [name for name in needed if name not in arrays]
        if missing:
            raise ValueError(f"{missing[0]} is missing")
        described = facts["players"]
        described["labels"] = tuple(described["labels"])
        described["grid"] = None if described["grid"] is None else tuple(described["grid"])
        return arrays, facts, Players(**described, image=arrays.get("image"))
    except FileNotFoundError:
        raise ValueError(f"path: there is no file {str(path)!r}.") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise ValueError(f"path: {str(path)!r} is no saved {what} ({error}).") from None
