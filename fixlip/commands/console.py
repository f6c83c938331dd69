"""What the commands print: results to the standard output, everything else to the standard error, line by line."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

LONGEST_NAME = 80


class Unprintable(Exception):
    """The standard output takes no more: it is closed, or full, or its reader went away."""

    def __init__(self, reason: str, is_expected: bool = False):
        super().__init__(reason)
        self.is_expected = is_expected


def show_what_can_be_shown() -> None:
    """Let a console write characters that it lacks as escapes, instead of failing on them."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Print a result.

    Raises:
        Unprintable: if that fails; what matters should be in a file by then.
    """
    if sys.stdout is None:  # closed before Python started
        raise Unprintable("it is closed")
    try:
        print(text, flush=True)
    except (OSError, ValueError) as error:
        # Python tries once more at its end, and would complain then.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise Unprintable(describe(error), isinstance(error, BrokenPipeError)) from None


def note(text: str) -> None:
    """Print one line beside the results; if even that is impossible, there is nobody to tell."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(f"fixlip: {' '.join(text.split())}", file=sys.stderr, flush=True)


def describe(error: BaseException) -> str:
    """An error as a sentence; those of the operating system with the file, shortened where its name is endless."""
    if isinstance(error, OSError) and error.strerror:
        name = error.filename
        if name is None:
            return error.strerror
        name = os.fsdecode(name) if isinstance(name, str | bytes) else str(name)
        name = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."
        return f"{name!r}: {error.strerror}"
    if isinstance(error, MemoryError) and not str(error):
        return "there is not enough memory."
    return str(error) or type(error).__name__


@contextmanager
def lines_instead_of_warnings() -> Iterator[None]:
    """Show warnings as one line each, without the place in the source that they come from."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: note(str(message))
        yield


@contextmanager
def log(verbose: bool) -> Iterator[None]:
    """Show what the logger "fixlip" tells, from warnings on, or with `verbose` everything."""
    logger, handler = logging.getLogger("fixlip"), _Lines()
    before = logger.level
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())
