"""Results as files: report, picture, table or data, as the ending of the name says."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..atomic import replace_whole
from . import console

if TYPE_CHECKING:
    from ..explanation import Explanation

KINDS = {
    ".html": "report",
    ".png": "picture",
    ".svg": "picture of shapes",
    ".pdf": "picture of shapes",
    ".csv": "table of all terms",
    ".npz": "data",
}


def check_writable(path: Path, kinds: Collection[str] = tuple(KINDS)) -> None:
    """Raise ValueError, before any work, if `path` has none of the endings `kinds`, or nothing can be written there."""
    if path.suffix.lower() not in kinds:
        raise ValueError(f"out: got {str(path)!r}, wanted a name that ends in {', '.join(kinds)}.")
    # Trying is the only honest test: permissions, read-only disks and names that are too long all show.
    try:
        if path.is_dir():
            raise ValueError(f"out: {str(path)!r} is a folder, wanted a file name.")
        if not path.parent.is_dir():
            raise ValueError(f"out: there is no folder {str(path.parent)!r}; make it first.")
        if path.exists():
            path.open("ab").close()
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".fixlip-"):
            pass
    except OSError as error:
        raise ValueError(f"out: cannot write {_short(path)} ({error.strerror or error}).") from None


def write(explanation: Explanation, path: Path) -> Path:
    """Write a report, a picture, a table or the data, as the ending of `path` says; return where it lies.

    Raises:
        OSError, ValueError: as `saved` does.
    """
    return saved(path, "explanation", lambda target: put(explanation, target))


def saved(path: Path, name: str, save: Callable[[Path], Path]) -> Path:
    """Save a result to `path`; return where it lies.

    If that fails although it could be written before (the disk filled up, say), an earlier file stays, and the result
    goes to the folder for temporary files instead, so that nothing computed is lost.

    Args:
        path: where it is to lie.
        name: of the file elsewhere, without its ending.
        save: writes it.

    Raises:
        OSError: if there is no room there either.
        ValueError: likewise.
    """
    try:
        return save(path)
    except (OSError, ValueError) as error:
        refuge = Path(tempfile.mkdtemp(prefix="fixlip-")) / f"{name}{path.suffix}"
        console.note(f"cannot write {str(path)!r} ({console.describe(error)}); writing elsewhere.")
        return save(refuge)


def put(explanation: Explanation, path: Path) -> Path:
    """Write as `write` does, but nowhere else if that fails."""
    kind = path.suffix.lower()
    if kind == ".npz":
        return explanation.save(path)
    if kind in (".png", ".svg", ".pdf"):
        return explanation.draw().save(path)
    if kind == ".csv":
        replace_whole(path, _csv(explanation.table()).encode("utf-8", "replace"))
    else:
        from ..pictures.report import html

        # A name may hold what UTF-8 cannot say; a question mark stands for it.
        replace_whole(path, html(explanation).encode("utf-8", "replace"))
    return path


def _csv(columns: dict[str, list[Any]]) -> str:
    """A table of columns of equal length, with a line of their names; what is unknown is left empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([" ".join(map(str, cell)) if isinstance(cell, tuple) else cell for cell in row])
    return text.getvalue()


def _short(path: Path) -> str:
    name = str(path)
    return repr(name if len(name) <= console.LONGEST_NAME else f"{name[: console.LONGEST_NAME - 3]}...")
