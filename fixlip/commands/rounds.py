"""What `fixlip explain` shows of an explanation that sharpens: a line and a new report after each round."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..anytime import FIRST_ROUND
from . import console, output

if TYPE_CHECKING:
    from ..api import Cost
    from ..explanation import Explanation
    from ..terms import Term

# Where the first round takes longer than this, its picture is worth showing before the next one.
SLOW_SECONDS = 1.0
# Where nothing is forecast, rounds are shown after this; loading and warming up count, and are slow at first.
PATIENCE_SECONDS = 5.0


def takes_long(cost: Cost) -> bool:
    """Whether the masked images of the first round are expected to take long."""
    encodings = cost.images + cost.captions
    return cost.images > FIRST_ROUND and cost.seconds * FIRST_ROUND > SLOW_SECONDS * encodings


class Rounds:
    """Tells each round in a line, and writes the report anew, so that it can be opened at once and reloaded.

    Args:
        out: the result's file; only a report is written before the end.
        always: from the first round on, however quick it was; otherwise as soon as five seconds have passed.
        quiet: write, and say nothing.
    """

    def __init__(self, out: Path, always: bool, quiet: bool) -> None:
        self._out, self._always, self._quiet = out, always, quiet
        self._start, self._written = time.perf_counter(), False

    def __call__(self, explanation: Explanation) -> None:
        """Show the explanation after a round."""
        if not (self._always or time.perf_counter() - self._start > PATIENCE_SECONDS):
            return
        self._always = True
        told = line(explanation)
        if self._out.suffix.lower() == ".html":
            with suppress(OSError, ValueError):  # the result's own writing says so, and finds another place
                output.put(explanation, self._out)
                told += "" if self._written else f"; so far in {self._out}, which can be opened and reloaded"
                self._written = True
        if not self._quiet:
            console.note(told)


def line(explanation: Explanation) -> str:
    """Images so far, expected faithfulness, the strongest word and interaction with standard errors."""
    faithful = explanation.expected_faithfulness
    parts = [f"{explanation.budget:,} masked images: expected faithfulness {faithful or 0:.2f}"]
    if faithful is None:
        parts = [f"{explanation.budget:,} masked images"]
    words = explanation.top(explanation.n_players, kind="players")
    words = [term for term in words if term.players[0] >= explanation.n_image][:1]
    return "; ".join([*parts, *(_told(explanation, term) for term in [*words, *explanation.top(1)])])


def _told(explanation: Explanation, term: Term) -> str:
    named = f'"{term.labels[-1]}"' + (f" with {term.labels[0]}" if len(term.labels) == 2 else "")
    return f"{named} {explanation.told(term.value, term.stderr).strip()}"
