"""Options that several commands share, and checks of what they were given."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from ..masks import check_count, check_p

# Nearer to 0 or 1 nearly all masks are one and the same, and hardly any of a budget would be left.
NEAREST_P = 0.01


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one sentence, like those of the library."""

    def __init__(self, **options: Any):
        super().__init__(**options, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and where to read more."""
        self.exit(2, f"fixlip: {message}; see {self.prog} --help.\n")


def shared() -> Parser:
    """The options of every command that runs a model."""
    parser = Parser(add_help=False)
    group = parser.add_argument_group("model")
    group.add_argument(
        "--model",
        default="emoji-clip",
        metavar="NAME",
        help="embedded model, folder, or name on the Hugging Face hub; default emoji-clip",
    )
    group.add_argument("--device", default="auto", help="auto (a GPU if there is one), cpu, cuda, cuda:1, mps")
    group.add_argument(
        "--dtype",
        default="auto",
        help="precision: float32, bfloat16, or auto: float32, but matrix products of large models in half precision "
        "where the device has it and a check finds it precise enough",
    )
    group.add_argument("--batch-size", default="auto", metavar="N", help="masked inputs at a time, or auto")
    parser.add_argument("--seed", default="0", metavar="N", help="of the random masks, default 0")
    talk = parser.add_mutually_exclusive_group()
    talk.add_argument(
        "--quiet", "--no-progress", action="store_true", help="neither progress bars nor forecasts, for log files"
    )
    talk.add_argument("--verbose", action="store_true", help="also say what is being done, and how long it took")
    return parser


def whole(given: str | int, name: str, minimum: int = 1) -> int:
    """A whole number of at least `minimum`, or ValueError."""
    try:
        value = int(given)
    except ValueError:
        shown = given if len(str(given)) <= 20 else f"{str(given)[:17]}..."
        raise ValueError(f"{name}: got {shown!r}, wanted a whole number of at least {minimum:,}.") from None
    return check_count(value, name, minimum)


def batch_size(given: str) -> int | str:
    """A whole number or "auto", as `fixlip.load` takes it."""
    return given if given == "auto" else whole(given, "batch_size")


def probability(given: str) -> float:
    """A presence probability that leaves something to draw, or ValueError."""
    p = check_p(given)  # type: ignore[arg-type]  # a string that holds a number will do
    if not NEAREST_P <= p <= 1 - NEAREST_P:
        raise ValueError(
            f"p: got {p:g}, wanted a probability from {NEAREST_P} to {1 - NEAREST_P}: nearer to 0 or 1 nearly all "
            "masks are alike."
        )
    return p


def readable(given: str, name: str) -> str:
    """A text without bytes that the terminal's encoding could not make sense of, or ValueError."""
    try:
        given.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{name}: got {given!r}, wanted text in UTF-8.") from None
    return given
