"""`fixlip experiment mutual-knowledge`: what both encoders of a model share, over pictures of known classes."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import Any

from ..experiments.knowledge_columns import EXPLAINED, STRUCK
from ..experiments.knowledge_columns import NAME as NAME

HELP = """\
mutual-knowledge:
  which concepts of a bank do image and text encoder share about a picture (Sammani and Deligiannis, NeurIPS 2024), and
  how often is its class predicted? No methods are compared, and --p, --budget and --masks do nothing. --dataset is
  emoji, or a folder with a subfolder of pictures for each class; --classes and --bank are text files of your own:
    classes   a line each: a name, or NAME = PROMPT; ANOTHER PROMPT
    bank      a phrase a line; [HEADING] begins a group
  By default both are those of the emoji world. FOLDER/mutual-knowledge-MODEL-curves.csv has the deletion dynamics.
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the option that only this experiment has; it shares `--classes` with `reproduce`."""
    parser.add_argument("--bank", metavar="FILE", help="with mutual-knowledge: a file of textual concepts, see below")


def columns() -> list[str]:
    """What stands in its tables, a line each."""
    lines = [f"  {NAME}:"]
    for name, text in EXPLAINED.items():
        if name not in ("item", "model", STRUCK):
            lines += textwrap.wrap(f"    {name:<18}{text}", 118, subsequent_indent=" " * 22)
    return lines


def settings(given: argparse.Namespace, arguments: dict[str, Any]) -> Any:
    """Its settings; ValueError, in one sentence, if a file cannot be used."""
    from ..concepts import Bank, Classes
    from ..concepts import Settings as Choices
    from ..experiments.knowledge import KnowledgeSettings

    own: dict[str, Any] = {name: arguments[name] for name in ("device", "dtype", "batch_size")}
    if given.bank is not None:
        own["bank"] = Bank.read(Path(given.bank))
    if given.classes is not None:
        own["classes"] = Classes.read(Path(given.classes))
    return KnowledgeSettings(given.model, choices=Choices(seed=arguments["seed"]), **own)
