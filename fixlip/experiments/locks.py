"""One run at a time on a table."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

logger = logging.getLogger("fixlip")


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold a lock on the file `path`, which is made and removed again.

    The operating system drops the lock with the process that holds it, so that a killed run blocks nobody; a file that
    was left behind means nothing. Where the file system has no locks, a warning is logged and the run goes on.

    Args:
        path: of the lock file.
        what: what it guards, for the message.

    Raises:
        ValueError: one sentence, if another run holds the lock.
    """
    handle = _acquire(path, what)
    with suppress(OSError):  # a full disk: only the message to a second run would be poorer
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    try:
        yield
    finally:
        # Windows removes no open file; elsewhere removing before unlocking leaves no moment for a third run.
        if sys.platform == "win32":
            os.close(handle)
            path.unlink(missing_ok=True)
        else:
            with suppress(OSError):
                path.unlink()
            os.close(handle)


def _acquire(path: Path, what: str) -> int:
    for _ in range(100):
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise ValueError(f"out: cannot write {str(path)!r} ({error.strerror or error}).") from None
        try:
            is_free = _lock(handle)
        except OSError as error:
            logger.warning(
                "out: %r lies where files cannot be locked (%s); start no second run there.",
                str(path.parent),
                error.strerror or error,
            )
            return handle
        if not is_free:
            holder = ""
            with suppress(OSError):
                holder = os.read(handle, 200).decode(errors="replace").strip()
            os.close(handle)
            raise ValueError(
                f"out: another run ({holder or 'just started'}) is writing {what}; wait until it ends, or choose "
                "another folder."
            )
        # The run that held it may have removed the file meanwhile; then this is a lock on nothing.
        with suppress(OSError):
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
        os.close(handle)
    raise ValueError(f"out: the file {str(path)!r} is replaced again and again, so it cannot be locked.")


if sys.platform == "win32":
    import errno
    import msvcrt

    def _lock(handle: int) -> bool:
        """False if another process holds the lock; OSError where there are no locks."""
        os.lseek(handle, 2**20, os.SEEK_SET)  # far behind what is written, which others must be able to read
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            return True
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        finally:
            os.lseek(handle, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(handle: int) -> bool:
        """False if another process holds the lock; OSError where there are no locks."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
