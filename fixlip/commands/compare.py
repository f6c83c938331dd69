"""`fixlip compare`: an image and a caption become a page of all methods side by side, with their scores."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..methods import METHODS
from . import console, options, output
from .explain import SCENE, pair_of

KINDS = (".html", ".png")
# Named here, since reading it from the library would load torch for --help; a test compares.
OWN = {
    "kernel": "FIxLIP, of second order",
    "banzhaf": "its values alone: weighted Banzhaf values, of first order",
    "shapley": "Shapley values",
}
_WIDEST = max(map(len, [*OWN, *METHODS]))


def _lines(methods: dict[str, str]) -> str:
    return "\n".join(f"  {name:<{_WIDEST}}  {what}" for name, what in methods.items())


def _epilog() -> str:
    from ..baselines.methods import METHODS as baselines

    others = {name: one.what for name, one in METHODS.items() if name not in OWN and name not in baselines}
    return f"""\
methods:
{_lines(OWN | {name: one.what for name, one in baselines.items()})}

only if named:
{_lines(others)}

what the ending of --out says:
  .html  a page that opens offline, where the word can be chosen that second-order methods are shown for
  .png   one picture

examples:
  python -m fixlip compare {SCENE}7
  python -m fixlip compare photo.jpg "a dog next to a hydrant" --methods kernel,{next(iter(baselines))} --word dog
"""


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parsers `commands`, with the options of `shared`."""
    parser = commands.add_parser(
        "compare",
        help="explain an image and a caption with all methods, and write one page of them",
        description="Explain one image and caption with all methods, score each on the same game, and write a page.",
        epilog=_epilog(),
        parents=[shared],
    )
    parser.add_argument("image", metavar="IMAGE", help=f"a file, or {SCENE}N for emoji scene number N")
    parser.add_argument("caption", metavar="CAPTION", nargs="?", help="not needed with a scene, which has its own")
    parser.add_argument("--methods", metavar="A,B,C", help="some of those below; by default all of the first list")
    parser.add_argument("--p", default="0.5", help="presence probability, default 0.5")
    parser.add_argument("--budget", metavar="N", help="masks for methods that ask about masks; 512 for FIxLIP")
    parser.add_argument("--word", metavar="WORD", help="shown first for second order; by default that of largest value")
    parser.add_argument(
        "--out", default="comparison.html", type=Path, metavar="FILE", help="the result; default comparison.html"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Compare, write the result, and only then say what it is."""
    names = None if given.methods is None else [name.strip() for name in given.methods.split(",") if name.strip()]
    arguments: dict[str, Any] = {
        "p": options.probability(given.p),
        "budget": None if given.budget is None else options.whole(given.budget, "budget", 2),
        "seed": options.whole(given.seed, "seed", 0),
    }
    loading: dict[str, Any] = {
        "device": given.device,
        "dtype": given.dtype,
        "batch_size": options.batch_size(given.batch_size),
    }
    output.check_writable(given.out, KINDS)
    _check_methods(names)
    image, caption = pair_of(given.image, given.caption)
    from .. import Game, compare_methods, load
    from ..gallery.entries import chosen_word

    game = Game(load(given.model, **loading), image, caption)
    chosen_word(game.subject, (), given.word)
    gallery = compare_methods(game, methods=names, progress=not given.quiet, **arguments)
    written = output.saved(given.out, "comparison", lambda target: gallery.save(target, given.word))
    if gallery.interrupted:
        console.note("interrupted; the methods that were done are kept.")
    console.say(f"{gallery.summary()}\nwritten: {written}")
    return 130 if gallery.interrupted else 0


def _check_methods(names: Sequence[str] | None) -> None:
    known = {**OWN, **METHODS}
    for name in names or ():
        if name not in known:
            raise ValueError(f"methods: got {name!r}, wanted some of {', '.join(known)}.")
