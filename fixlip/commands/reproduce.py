"""`fixlip experiment reproduce`: the published protocol on a model and data of one's own."""

from __future__ import annotations

import argparse
from typing import Any

from . import console

NAME = "reproduce"
HELP = """\
reproduce:
  runs the published protocol: insertion-deletion and faithfulness on the 1,000 pairs that the model finds most similar
  (SigLIP: 100, of ranks 901 to 1,000), and two pointing games, 50 mosaics of each of ten four-tuples. --dataset has the
  pairs, --classes the pictures for the mosaics: imagenet, emoji, or a folder with a subfolder of pictures for each of
    goldfish husky pizza tractor cat plane banana ball church ipod          (the paper's game)
    fish koala balloon laptop plane church lemon jeep pizza acorn           (that of the metagame paper)
  By default they are imagenet beside coco, and else what --dataset is. A part without data is left out. It tells what
  it will cost, goes on where it was stopped, and ends with a page, FOLDER/reproduce-MODEL.md, in which the figures
  stand beside the published ones. --limit N is for a trial, in FOLDER/limit-N.
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options that only this experiment has."""
    parser.add_argument(
        "--classes",
        metavar="NAME",
        help="with reproduce: pictures by class; with mutual-knowledge: a file of classes; see below",
    )


def run(given: argparse.Namespace, limit: int | None, workers: int, arguments: dict[str, Any]) -> int:
    """Run what is not done yet, write the page, and print it."""
    from ..experiments.reproduce import reproduce
    from ..experiments.settings import EXPERIMENTS, Settings

    settings = Settings(EXPERIMENTS[0], given.model, **arguments)
    tell = None if given.quiet else console.note
    path = reproduce(
        settings, given.dataset, given.classes, limit, given.out, workers, given.dask, not given.quiet, tell
    )
    console.say(path.read_text(encoding="utf-8"))
    if not given.quiet:
        console.note(f"{path} is this page; the tables lie in folders beside it.")
    return 0
