"""`fixlip experiment planted`: does every method find the fault that was put into a model?"""

from __future__ import annotations

import argparse
from typing import Any

from ..experiments.planted_columns import MODELS
from . import console

NAME = "planted"
FAULTS = tuple(experiment.removeprefix("planted-") for experiment in MODELS)
HELP = """\
planted:
  runs planted-shortcut, planted-reads and planted-binding, each on the embedded model that has the fault and on one
  that has not, and sets them side by side: FOLDER/planted-FAULT.md and .html. --fault chooses; --model, --dataset and
  --masks do nothing. The same questions to a model of your own: planted-shortcut, say, with --model.
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the option that only this experiment has."""
    parser.add_argument("--fault", nargs="+", metavar="NAME", help=f"with planted: {', '.join(FAULTS)}; default all")


def run(given: argparse.Namespace, limit: int, workers: int, arguments: dict[str, Any]) -> int:
    """Run what is not done yet, write the pages, and print them."""
    from ..experiments.planted_report import compare
    from ..experiments.settings import Settings

    faults = given.fault or FAULTS
    for fault in faults:
        if fault not in FAULTS:
            raise ValueError(f"fault: got {fault!r}, wanted {', '.join(FAULTS)}.")
    experiments = [f"planted-{fault}" for fault in FAULTS if fault in faults]
    settings = Settings(experiments[0], **arguments)
    for path in compare(settings, experiments, limit, given.out, workers, given.dask, not given.quiet):
        console.say(path.read_text(encoding="utf-8"))
        if not given.quiet:
            console.note(f"{path} is this page; the tables with every row lie beside it.")
    return 0
