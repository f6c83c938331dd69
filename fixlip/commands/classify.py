"""`fixlip classify`: an image and classes become a page that says which class it is, and why."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import console, options, output
from .explain import SCENE, pair_of

if TYPE_CHECKING:
    from ..concepts.bank import Bank, Classes

_EPILOG = f"""\
files, in UTF-8:
  --classes  one class a line: a name, or "name = prompt; another prompt"; # begins a comment
  --bank     one word or phrase a line; a line in [brackets] is a heading; # begins a comment
The embedded models have classes and a bank of their own.

examples:
  python -m fixlip classify {SCENE}7
  python -m fixlip classify {SCENE}7 --against pets --model emoji-siglip
  python -m fixlip classify photo.jpg --classes classes.txt --bank words.txt --model openai/clip-vit-base-patch32
"""


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parsers `commands`, with the options of `shared`."""
    parser = commands.add_parser(
        "classify",
        help="classify an image, and explain the class by concepts, interactions and contrast",
        description="Classify an image zero-shot, and say why: by concepts, by interactions, and by contrast with "
        "another class.",
        epilog=_EPILOG,
        parents=[shared],
    )
    parser.add_argument("image", metavar="IMAGE", help=f"a file, or {SCENE}N for emoji scene number N")
    parser.add_argument("--classes", metavar="FILE", help="the classes, see below")
    parser.add_argument("--bank", metavar="FILE", help="the words that concepts are told in, see below")
    parser.add_argument("--against", metavar="CLASS", help="why not this class? by default the second most similar")
    parser.add_argument("--p", default="0.5", help="presence probability, default 0.5")
    parser.add_argument("--budget", default="512", metavar="N", help="masked images, default 512")
    parser.add_argument(
        "--out", default="classification.html", type=Path, metavar="FILE", help="default classification.html"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Classify, write the page, and only then say what it is."""
    arguments: dict[str, Any] = {
        "p": options.probability(given.p),
        "budget": options.whole(given.budget, "budget", 2),
        "seed": options.whole(given.seed, "seed", 0),
    }
    loading: dict[str, Any] = {
        "device": given.device,
        "dtype": given.dtype,
        "batch_size": options.batch_size(given.batch_size),
    }
    output.check_writable(given.out, (".html",))
    classes, bank = _inputs(given)
    image, _ = pair_of(given.image, "")
    from .. import classify, load

    encoder = load(given.model, **loading)
    found = classify(encoder, image, classes, bank, against=given.against, progress=not given.quiet, **arguments)
    written = output.saved(given.out, "classification", found.save)
    console.say(f"{found.summary()}\nwritten: {written}")
    return 0


def _inputs(given: argparse.Namespace) -> tuple[Classes, Bank]:
    """Classes and bank; ValueError, before a model is loaded, if something is wrong with them."""
    from ..classification.inputs import inputs_of, number_of
    from ..concepts import Bank, Classes

    classes = None if given.classes is None else Classes.read(given.classes)
    bank = None if given.bank is None else Bank.read(given.bank)
    classes, bank = inputs_of(given.model, classes, bank)
    if given.against is not None:
        number_of(classes, given.against)
    return classes, bank
