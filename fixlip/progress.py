"""Progress of long work: a bar for whoever watches, lines in the log for whoever reads later."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger("fixlip")

# Shorter work needs no bar: it would only flicker, and leave noise in a notebook's stored output.
PATIENCE_SECONDS = 2.0
LOG_EVERY_SECONDS = 30.0


@contextmanager
def progress_bar(total: int, description: str | None) -> Iterator[Callable[[int], object]]:
    """Yield a function to call with the number of items just done.

    A bar is shown on a terminal and in a notebook, unless the environment variable TQDM_DISABLE is set. Otherwise
    (a file, a cluster's log) a line goes to the logger "fixlip", level INFO, every half minute.

    Args:
        total: how many items there are.
        description: what they are, in the plural ("masked images"); None for no progress at all.
    """
    if description is None:
        yield lambda done: None
    elif not shows_bars():
        yield _LogLines(total, description).advance
    else:
        from tqdm import tqdm

        with tqdm(total=total, desc=description, delay=PATIENCE_SECONDS, leave=False, disable=False) as bar:
            yield bar.update


# Whether to show a bar of its own, or a function to tell how many items are done.
Progress = bool | Callable[[int], object]


@contextmanager
def advancing(progress: Progress, total: int, description: str) -> Iterator[Callable[[int], object]]:
    """Yield a function to call with the number of items just done: `progress` itself, or that of a bar."""
    if callable(progress):
        yield progress
    else:
        with progress_bar(total, description if progress else None) as advance:
            yield advance


def shows_bars() -> bool:
    """Whether somebody is there to watch a bar, and has not switched bars off."""
    if os.environ.get("TQDM_DISABLE", "").strip().lower() not in ("", "0", "false", "no"):
        return False
    if _in_notebook():
        return True
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except ValueError:  # closed
        return False


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class _LogLines:
    """Counts items, and logs how far the work is now and then."""

    def __init__(self, total: int, description: str):
        self._total, self._description = total, description
        self._done, self._logged = 0, False
        self._start = self._last = time.monotonic()

    def advance(self, count: int) -> None:
        self._done += count
        now, finished = time.monotonic(), self._done >= self._total
        # The end is worth a line only where there were others.
        if not (now - self._last >= LOG_EVERY_SECONDS or (finished and self._logged)):
            return
        self._last, self._logged = now, True
        spent = now - self._start
        left = spent / max(self._done, 1) * max(self._total - self._done, 0)
        when = f"done in {duration(spent)}" if finished else f"about {duration(left)} left"
        logger.info("%s: %s of %s, %s", self._description, f"{self._done:,}", f"{self._total:,}", when)


def duration(seconds: float) -> str:
    """A length of time for people: "40 s", "3 min", "2.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
