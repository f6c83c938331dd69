"""`fixlip experiment`: one of the paper's experiments becomes a table, a summary and a figure."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..experiments.tables import CURVE_SCORES, EXPLAINED, KEYS, SCORES
from . import console, knowledge, options, planted, reproduce

NAMES = tuple(SCORES)
_LIMIT = 100
_BUDGETS = {"runtime": 4096}
_DATASETS = """\
datasets:
  emoji       scenes whose truth is known, made on the spot
  FOLDER      pictures with captions: a captions.csv with the columns file and caption (file is a name within the
              folder), or a .txt beside each picture with its caption (dog.jpg, dog.txt);
              for pointing-game and context instead four subfolders or more, each named by a label and full of its
              pictures
  coco        captioned photos (wants `pip install datasets` and the hub); not for pointing-game and context
  imagenet    the paper's ten games (likewise); for pointing-game and context
"""
_WHAT = """\
experiments, each with all methods:
  insertion-deletion  does the similarity stay while what is called important is kept, and fall when it is removed?
  pointing-game       does a word point at its object in a mosaic of four?
  faithfulness        do predictions, or sums of scores, follow the model on fresh masks?
  context             what second order is for: removals of objects and words together, a word in its context, and
                      which of two words an object belongs to
  randomisation       does the explanation change when the model's weights become random, layer by layer? (slow, since
                      every level is another model to be asked; --limit 20 will do)
  planted-shortcut, planted-reads, planted-binding
                      does the explanation find what was planted in a scene: a badge, a written word, which colour
                      belongs to which object? (--dataset emoji alone)
  runtime             how long does it take? (--limit 10 will do)
"""
_FILES = """\
FOLDER/NAME-MODEL.csv holds every row, .md beside it means over the items, .html a figure.
A run that was stopped goes on where it was when the same command is given again.

examples:
  python -m fixlip experiment insertion-deletion --limit 20
  python -m fixlip experiment insertion-deletion --dataset photos --model openai/clip-vit-base-patch32
  python -m fixlip experiment faithfulness --p 0.5 --seed 1 --out seed1 --quiet
"""


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parsers `commands`, with the options of `shared`."""
    parser = commands.add_parser(
        "experiment",
        help="run an experiment on many images, the paper's or another, and write a table",
        description="Run an experiment on many images, one of the paper's or another, and write a table.",
        epilog="\n".join((_WHAT, planted.HELP, _DATASETS, knowledge.HELP, reproduce.HELP, _columns(), _FILES)),
        parents=[shared],
    )
    names = (*NAMES, planted.NAME, knowledge.NAME, reproduce.NAME)
    parser.add_argument("name", metavar="NAME", choices=names, help=", ".join(names))
    parser.add_argument("--dataset", default="emoji", metavar="NAME", help="see below; default emoji")
    planted.add(parser)
    reproduce.add(parser)
    knowledge.add(parser)
    parser.add_argument(
        "--limit", metavar="N", help=f"images at most, default {_LIMIT}; with reproduce what the protocol has"
    )
    parser.add_argument(
        "--p", nargs="+", default=["0.3", "0.5", "0.7"], metavar="P", help="presence probabilities, default 0.3 0.5 0.7"
    )
    parser.add_argument("--budget", metavar="N", help="masked images for each; default 512, for runtime 4096")
    parser.add_argument("--masks", metavar="N", help="fresh masks that faithfulness is measured on, default 1000")
    parser.add_argument("--workers", default="1", metavar="N", help="processes side by side, default 1")
    parser.add_argument("--dask", metavar="ADDRESS", help='Dask scheduler to use, or "local:2" for two processes here')
    parser.add_argument(
        "--out", type=Path, default=Path("experiments"), metavar="FOLDER", help="for the table; default experiments"
    )
    parser.set_defaults(run=run)


def _columns() -> str:
    """What stands in the tables."""
    common = ("item", "caption", "model", "method", "p")
    lines = ["columns of the table:", *_explain((*common, "cost"))]
    for name in NAMES:
        lines += [
            f"  {name}:",
            *_explain([one for one in (*KEYS[name], *SCORES[name]) if one not in (*common, "cost")]),
        ]
    lines += knowledge.columns()
    lines += ["  insertion-deletion has the curves in a table of their own, FOLDER/NAME-MODEL-curves.csv:"]
    return "\n".join([*lines, *_explain(("removed", *CURVE_SCORES)), ""])


def _explain(columns: Sequence[str]) -> list[str]:
    lines = []
    for column in columns:
        lines += textwrap.wrap(f"    {column:<18}{EXPLAINED[column]}", 118, subsequent_indent=" " * 22)
    return lines


def run(given: argparse.Namespace) -> int:
    """Run what is not done yet, write the table, and print its summary."""
    budget = _BUDGETS.get(given.name, 512) if given.budget is None else options.whole(given.budget, "budget", 2)
    arguments: dict[str, Any] = {
        "ps": tuple(options.probability(p) for p in given.p),
        "budget": budget,
        "masks": 1000 if given.masks is None else options.whole(given.masks, "masks", 2),
        "device": given.device,
        "dtype": given.dtype,
        "batch_size": options.batch_size(given.batch_size),
        "seed": options.whole(given.seed, "seed", 0),
    }
    limit = None if given.limit is None else options.whole(given.limit, "limit")
    workers = options.whole(given.workers, "workers")
    from ..experiments.runner import run as run_all
    from ..experiments.settings import Settings

    try:
        if given.name == reproduce.NAME:
            return reproduce.run(given, limit, workers, arguments)
        if given.name == planted.NAME:
            return planted.run(given, limit or _LIMIT, workers, arguments)
        of_knowledge = given.name == knowledge.NAME
        settings = (
            knowledge.settings(given, arguments) if of_knowledge else Settings(given.name, given.model, **arguments)
        )
        path = run_all(
            settings, given.dataset, limit or _LIMIT, given.out, workers, given.dask, progress=not given.quiet
        )
    except KeyboardInterrupt:
        console.note(
            f"interrupted; the items that were finished are kept in the folder {str(given.out)!r}: the same command "
            "goes on from there."
        )
        return 130
    console.say(path.with_suffix(".md").read_text(encoding="utf-8"))
    if not given.quiet:
        console.note(f"{path} holds every row; run the command again to go on with a larger --limit.")
    return 0
