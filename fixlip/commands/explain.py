"""`fixlip explain`: an image and a caption become a report, a picture, a table or data."""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..estimators.budgets import check_kernel
from ..estimators.indices import INDICES, SCORES
from ..estimators.methods import Method, Request
from ..masks import check_p
from ..methods import METHODS, method_named
from ..phrases import check_text_players
from ..regions import check_image_players
from . import console, options, output
from .rounds import Rounds, takes_long

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..explanation import Explanation

SCENE = "scene:"
AUTO = "auto"  # as `fixlip.anytime` has it
_PLAYERS = ("image_players", "text_players")
_LOG = logging.getLogger(__name__)
# The maskings below are named here, since reading them from the library would load torch for --help; a test compares.


def _budget(method: Method) -> str:
    """What a budget means to a method."""
    if not method.takes_budget:
        return f"takes as many {method.counts} as it needs: no budget{', no p' if SCORES in method.indices else ''}"
    return f"the budget counts {method.counts}{', drawn at p' if method.at_p else ''}"


def _methods() -> str:
    """Estimators, with what they can give, from the library's table."""
    lines = []
    for name, method in METHODS.items():
        gives = "".join(f", {one}" for one in method.gives)
        lines += [
            f"  {name:<10}  {method.what}",
            f"              indices {', '.join(method.indices)}; bases {', '.join(method.bases)}{gives}",
            f"              {_budget(method)}",
        ]
    return "\n".join(lines)


_FOIL = (
    "explain why the caption and not this one: the difference of both similarities, from the same masked images; with "
    "kernel"
)
_EPILOG = f"""\
estimators:
{_methods()}

indices:
  banzhaf     weighted Banzhaf interactions at p (the default)
  shapley     faithful Shapley interactions (FSII)
  sii         Shapley interactions (k-SII)
  scores      numbers by the rule of the method, averages over no masks: in logits, or in a unit of its own, where they
              rank patches and words and predict no similarity

bases:
  full        all pairs of patches and tokens (the default)
  crossmodal  only pairs of a patch and a token, from fewer masked images
  filtered    only pairs of the strongest players

what the ending of --out says:
  .html       a report that opens offline
  .png        the picture alone
  .svg, .pdf  the picture alone, as text and shapes
  .csv        a table of all terms: patches, tokens and pairs of them, with standard errors and the unit of both
  .npz        everything, to go on with: fixlip.Explanation.load(FILE); with --foil fixlip.contrasts.Contrast.load(FILE)

examples:
  python -m fixlip explain {SCENE}7
  python -m fixlip explain photo.jpg "a dog next to a hydrant" --model openai/clip-vit-base-patch32
  python -m fixlip explain photo.jpg "a dog" --model FOLDER --p 0.3 --budget 1024 --out dog.csv
  python -m fixlip explain photo.jpg "a dog" --budget 2048 --target-faithfulness auto
  python -m fixlip explain photo.jpg "a dog" --foil "a wolf" --out why.html
  python -m fixlip explain {SCENE}7 --target-faithfulness 0.95 --quiet --out dog.npz
"""


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parsers `commands`, with the options of `shared`."""
    parser = commands.add_parser(
        "explain",
        help="explain an image and a caption, and write a report",
        description="Explain why a model finds an image and a caption similar, or not, and write a report. The "
        "embedded models know emoji scenes alone, and say so of other pictures and words.",
        epilog=_EPILOG,
        parents=[shared],
    )
    parser.add_argument("image", metavar="IMAGE", help=f"a picture file, or {SCENE}SEED for an embedded emoji scene")
    parser.add_argument("caption", metavar="CAPTION", nargs="?", help="the caption; a scene brings its own")
    parser.add_argument("--foil", metavar="CAPTION", help=_FOIL)
    _add_fit(parser)
    _add_rules(parser)
    parser.add_argument(
        "--out", default="explanation.html", type=Path, metavar="FILE", help="the result; default explanation.html"
    )
    parser.set_defaults(run=run)


def _add_fit(parser: argparse.ArgumentParser) -> None:
    """Add what is computed, from how much."""
    parser.add_argument(
        "--p",
        default="0.5",
        metavar="P",
        help="probability with which each patch and token is kept when inputs are masked: a small one explains nearly "
        "empty inputs, a large one nearly complete ones; default 0.5",
    )
    parser.add_argument(
        "--budget",
        metavar="N",
        help="masked images to encode, all of them unless there is a target: more take longer and make smaller errors; "
        "default 512 at most, other estimators than kernel choose by the number of patches, and those that take what "
        "they need refuse one",
    )
    parser.add_argument(
        "--target-faithfulness",
        metavar="R2",
        help="encode until the explanation is expected to predict so much of the variance on unseen masks (0 to 1), "
        "more would not help, or the budget, then 4096 by default, is spent; auto (the default without a budget): "
        "until 0.95, or until another round is worth little; none: the whole budget; with kernel",
    )
    parser.add_argument(
        "--rounds",
        action="store_true",
        help="encode 32 masked images, then 64, 128, ..., and tell the explanation after each round; a report is there "
        "from the first on, and Ctrl-C keeps the last; what takes long does so anyway; with kernel",
    )
    parser.add_argument("--estimator", default="kernel", metavar="NAME", help="how to estimate, see below")
    parser.add_argument("--index", metavar="NAME", help="which interactions, see below")
    parser.add_argument("--order", metavar="K", help="2: interactions (the default); 1: values alone; 3: triples, too")
    parser.add_argument("--basis", default="full", metavar="NAME", help="which pairs have interactions, see below")


def _add_rules(parser: argparse.ArgumentParser) -> None:
    """Who plays, and what becomes of who is absent."""
    parser.add_argument(
        "--image-players",
        metavar="WHICH",
        help="patches (the default), a grid such as 4x4, superpixels such as slic:50, or FILE.png, an indexed or grey "
        "picture of the image's size whose values are labels of regions",
    )
    parser.add_argument(
        "--text-players", default="tokens", metavar="WHICH", help="tokens (the default), or words of several tokens"
    )
    parser.add_argument(
        "--image-masking",
        default="zero",
        metavar="HOW",
        help="what a removed patch becomes: zero, mean, blur; or drop, taken out",
    )
    parser.add_argument(
        "--text-masking",
        default="attention",
        metavar="HOW",
        help="what becomes of a removed token: hidden from attention (attention), taken out (remove), or unknown",
    )


def run(given: argparse.Namespace) -> int:
    """Explain, write the result, and only then say what it is."""
    # Everything that can be refused is refused before the first model call; torch is imported only after the rest.
    arguments, loading = _arguments(given), _loading(given)
    output.check_writable(given.out)
    image, caption = pair_of(given.image, given.caption)
    _check_method(arguments)
    if given.rounds and (given.foil is not None or arguments["estimator"] != "kernel"):
        raise ValueError('rounds: wanted only with the estimator "kernel" and without a foil.')
    foil = None if given.foil is None else _foil(given.foil, arguments)
    from .. import load
    from ..api import cost

    start = time.perf_counter()
    encoder = load(given.model, **loading)
    _LOG.info("%r, loaded in %.1f s", encoder, time.perf_counter() - start)
    slow, target = False, arguments["target_faithfulness"]
    if target in (None, AUTO) and not given.quiet:
        # The foil's captions come on top; they take little.
        told = {name: arguments[name] for name in ("budget", "estimator", "basis", *_PLAYERS)}
        forecast = cost(encoder, image, caption, **told)
        slow = arguments["estimator"] == "kernel" and takes_long(forecast)
        console.note(f"{forecast}." if target is None else f"at most {forecast}.")
    start = time.perf_counter()
    if foil is None and (given.rounds or slow or target is not None):
        arguments["on_round"] = Rounds(given.out, given.rounds or slow, given.quiet)
    explanation = _explained(encoder, image, caption, foil, arguments, not given.quiet)
    _LOG.info("%r, explained in %.1f s", explanation, time.perf_counter() - start)
    if not given.quiet:
        for line in explanation.notes:
            console.note(line)
    try:
        written = output.write(explanation, given.out)
    except (OSError, ValueError) as error:
        console.say(explanation.summary())
        raise ValueError(f"out: nothing could be written ({console.describe(error)}).") from None
    try:
        console.say(f"{explanation.summary()}\nwritten: {written}")
    except console.Unprintable:
        console.note(f"written: {written}")
        raise
    return 0


def _foil(foil: str, arguments: dict[str, Any]) -> str:
    """The foil; ValueError where something is asked for that contrasts do not have."""
    for name, usual in (("estimator", "kernel"), ("basis", "full"), ("target_faithfulness", None)):
        if arguments[name] != usual:
            raise ValueError(f"foil: a contrast takes no {name} of one's own; leave out one of the two.")
    return options.readable(foil, "foil")


def _explained(
    encoder: Any, image: Image, caption: str, foil: str | None, arguments: dict[str, Any], progress: bool
) -> Explanation:
    from .. import contrast, explain

    if foil is None:
        return explain(encoder, image, caption, progress=progress, **arguments)
    given = {name: arguments[name] for name in ("p", "budget", "index", "order", "seed", *_PLAYERS)}
    told = {name: value for name, value in given.items() if value is not None}
    return contrast(encoder, image, caption, foil, progress=progress, **told)


def _arguments(given: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of `fixlip.explain`."""
    return {
        "p": options.probability(given.p),
        "budget": None if given.budget is None else options.whole(given.budget, "budget", 2),
        "estimator": given.estimator,
        "index": given.index,
        "order": None if given.order is None else options.whole(given.order, "order", 1),
        "basis": given.basis,
        "target_faithfulness": _target(given),
        "image_players": check_image_players(given.image_players),
        "text_players": check_text_players(given.text_players),
        "seed": options.whole(given.seed, "seed", 0),
    }


def _target(given: argparse.Namespace) -> float | str | None:
    """The target of `fixlip.explain`: the one given, or "auto" where nothing speaks for another one or for a budget."""
    target = given.target_faithfulness
    if target is None:
        has_targets = given.estimator == "kernel" and given.index in (None, INDICES[0]) and given.foil is None
        return AUTO if has_targets and given.budget is None else None
    if target in (AUTO, "none"):
        return AUTO if target == AUTO else None
    try:
        return check_p(target, "target_faithfulness")
    except ValueError as error:
        raise ValueError(f"{str(error).rstrip('.')}, {AUTO} or none.") from None


def _loading(given: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of `fixlip.load`."""
    return {
        "device": given.device,
        "dtype": given.dtype,
        "batch_size": options.batch_size(given.batch_size),
        "image_masking": given.image_masking,
        "text_masking": given.text_masking,
    }


def _check_method(arguments: dict[str, Any]) -> None:
    """Raise ValueError, before a model is loaded, if estimator, index, order, basis and budget do not go together."""
    given = {name: arguments[name] for name in ("p", "index", "order", "basis", "budget", "seed")}
    request = Request(**{name: value for name, value in given.items() if value is not None})
    method_named(arguments["estimator"]).check(request)
    if arguments["estimator"] == "kernel" and request.budget is not None:
        check_kernel(request.budget)


def pair_of(image: str, caption: str | None) -> tuple[Image, str]:
    """The image and caption that the arguments name."""
    caption = None if caption is None else options.readable(caption, "text")
    if image.startswith(SCENE):
        from ..emoji import scene

        seed = image.removeprefix(SCENE)
        if not (seed.isdecimal() and len(seed) <= 18):
            raise ValueError(f"image: got {image[:40]!r}, wanted {SCENE} and a number, for example {SCENE}7.")
        shown = scene(int(seed))
        return shown.image, shown.caption if caption is None else caption
    if caption is None:
        raise ValueError("text: a caption is missing; give it after the image, in quotation marks.")
    from ..encoders.images import read_image

    return read_image(image), caption
