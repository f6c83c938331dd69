"""Files that appear whole or not at all: written beside their place, then moved there."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a name in the same folder and with the same ending to write to; it takes the place of `path` at the end.

    If anything goes wrong meanwhile (a full disk, an interruption), an earlier file stays as it was and nothing is left
    beside it. A link is followed, and an earlier file's permissions are kept.

    Raises:
        OSError: if the new file cannot take its place.
    """
    target = Path(os.path.realpath(path))
    # Short and different for every writer: the name may be as long as names can be, and two processes may write it.
    partial = target.with_name(f".fixlip-{os.getpid()}-{secrets.token_hex(4)}{Path(path).suffix}")
    try:
        yield partial
        with suppress(OSError):
            shutil.copymode(target, partial)
        partial.replace(target)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def replace_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file as `replacing` does.

    Raises:
        OSError: if it cannot be written; an earlier file is still there then.
    """
    with replacing(path) as partial:
        partial.write_bytes(data)
