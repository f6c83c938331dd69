"""A progress bar that shows itself only when the work is long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Shorter work needs no bar: it would only flicker, and leave noise in a notebook's stored output.
PATIENCE_SECONDS = 2.0


@contextmanager
def progress_bar(total: int, description: str | None) -> Iterator[Callable[[int], object]]:
    """Yield a function to call with the number of items just done; no bar where `description` is None."""
    from tqdm import tqdm

    with tqdm(total=total, desc=description, delay=PATIENCE_SECONDS, leave=False, disable=description is None) as bar:
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
