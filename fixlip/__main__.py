"""The command line: `python -m fixlip explain IMAGE "CAPTION"` and `python -m fixlip doctor`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__
from .masks import check_count, check_p

if TYPE_CHECKING:
    from PIL.Image import Image

    from .explanation import Explanation

KINDS = (".html", ".png", ".npz")
SCENE = "scene:"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 2 for bad input, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (ValueError, MemoryError) as error:
        print(f"fixlip: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fixlip: interrupted.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fixlip", description="Explain why CLIP finds an image and a caption similar."
    )
    parser.add_argument("--version", action="version", version=f"fixlip {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    explain = commands.add_parser("explain", help="explain an image and a caption, and write a report")
    explain.add_argument("image", metavar="IMAGE", help=f"a picture file, or {SCENE}SEED for an embedded emoji scene")
    explain.add_argument("caption", metavar="CAPTION", nargs="?", help="the caption; a scene brings its own")
    explain.add_argument("--model", default="emoji-clip", metavar="NAME", help="embedded model, folder, or hub id")
    explain.add_argument("--p", default="0.5", metavar="P", help="presence probability in (0, 1), default 0.5")
    explain.add_argument("--budget", type=int, metavar="N", help="masked images to encode, default: 512")
    explain.add_argument("--seed", type=int, default=0, help="of the random masks")
    explain.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
    explain.add_argument("--dtype", default="auto", help="auto, float32, bfloat16")
    explain.add_argument(
        "--out",
        default="explanation.html",
        type=Path,
        metavar="FILE",
        help="report (.html), picture (.png) or data (.npz)",
    )
    explain.set_defaults(run=_explain)
    experiment = commands.add_parser("experiment", help="run one of the paper's experiments, and write a table")
    experiment.add_argument("name", choices=("insertion-deletion", "pointing-game", "faithfulness", "runtime"))
    experiment.add_argument("--model", default="emoji-clip", metavar="NAME", help="embedded model, folder, or hub id")
    experiment.add_argument("--dataset", default="emoji", metavar="NAME", help="emoji, a folder, coco or imagenet")
    experiment.add_argument("--limit", type=int, default=100, metavar="N", help="images at most, default 100")
    experiment.add_argument("--p", nargs="+", default=["0.3", "0.5", "0.7"], help="default 0.3 0.5 0.7")
    experiment.add_argument("--budget", type=int, metavar="N", help="masked images for each; 512, runtime: 4096")
    experiment.add_argument("--workers", type=int, default=1, metavar="N", help="processes side by side")
    experiment.add_argument("--dask", metavar="ADDRESS", help='Dask scheduler to use, or "local"')
    experiment.add_argument("--out", type=Path, default=Path("experiments"), metavar="FOLDER")
    experiment.set_defaults(run=_experiment)
    doctor = commands.add_parser("doctor", help="say what is installed, what is missing, and what will be used")
    doctor.set_defaults(run=_doctor)
    course = commands.add_parser("course", help="copy the chapters, notebooks to run and change, to a folder")
    course.add_argument("folder", metavar="FOLDER", nargs="?", default="fixlip-course", help="default: fixlip-course")
    course.add_argument("--force", action="store_true", help="overwrite chapters that were changed there")
    course.set_defaults(run=_course)
    return parser


def _explain(options: argparse.Namespace) -> int:
    # Everything that can be refused is refused before the first model call; torch is imported only after the rest.
    p = check_p(options.p)
    check_writable(options.out)
    image, caption = _pair(options.image, options.caption)
    from .api import cost, explain
    from .encoders.huggingface import load

    encoder = load(options.model, device=options.device, dtype=options.dtype)
    print(f"{cost(encoder, image, caption, options.budget)}.", file=sys.stderr)
    explanation = explain(encoder, image, caption, p=p, budget=options.budget, seed=options.seed)
    print(explanation.summary())
    written = write(explanation, options.out)
    print(f"written: {written}")
    return 0


def _experiment(options: argparse.Namespace) -> int:
    ps = tuple(check_p(p) for p in options.p)
    budget = check_count(options.budget or (4096 if options.name == "runtime" else 512), "budget", 2)
    limit, workers = check_count(options.limit, "limit"), check_count(options.workers, "workers")
    from .experiments.runner import run
    from .experiments.tasks import Settings

    settings = Settings(options.name, options.model, ps, budget)
    path = run(settings, options.dataset, limit, options.out, workers, options.dask)
    print(path.with_suffix(".md").read_text(encoding="utf-8"))
    print(f"{path} holds every row; run the command again to go on with a larger --limit.", file=sys.stderr)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from .doctor import report

    text, is_well = report()
    print(text)
    return 0 if is_well else 1


def _course(options: argparse.Namespace) -> int:
    from .course import copy, next_steps

    print(next_steps(copy(options.folder, options.force)))
    return 0


def _pair(image: str, caption: str | None) -> tuple[Image, str]:
    """The image and caption that the arguments name."""
    if image.startswith(SCENE):
        from .emoji import scene

        seed = image.removeprefix(SCENE)
        if not seed.isdecimal():
            raise ValueError(f"image: got {image!r}, wanted {SCENE} and a number, for example {SCENE}7.")
        shown = scene(int(seed))
        return shown.image, shown.caption if caption is None else caption
    if caption is None:
        raise ValueError("text: a caption is missing; give it after the image, in quotation marks.")
    from .encoders.images import read_image

    return read_image(image), caption


def check_writable(path: Path) -> None:
    """Raise ValueError, before any work, if a result cannot be written to `path`."""
    if path.suffix.lower() not in KINDS:
        raise ValueError(f"out: got {str(path)!r}, wanted a name that ends in {', '.join(KINDS)}.")
    if path.is_dir():
        raise ValueError(f"out: {str(path)!r} is a folder, wanted a file name.")
    if not path.parent.is_dir():
        raise ValueError(f"out: there is no folder {str(path.parent)!r}; make it first.")
    # Trying is the only honest test: permissions, read-only and full disks all show.
    try:
        if path.exists():
            path.open("ab").close()
        else:
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".fixlip-"):
                pass
    except OSError as error:
        raise ValueError(f"out: cannot write {str(path)!r} ({error.strerror or error}).") from None


def write(explanation: Explanation, path: Path) -> Path:
    """Write a report, a picture or the data, as the ending of `path` says.

    If that fails although it could be written before (the disk filled up, say), the result goes to the folder for
    temporary files instead, so that nothing computed is lost.
    """
    try:
        return _write(explanation, path)
    except (OSError, ValueError) as error:
        refuge = Path(tempfile.mkdtemp(prefix="fixlip-")) / path.name
        print(f"fixlip: cannot write {str(path)!r} ({error}); writing elsewhere.", file=sys.stderr)
        return _write(explanation, refuge)


def _write(explanation: Explanation, path: Path) -> Path:
    kind = path.suffix.lower()
    if kind == ".npz":
        return explanation.save(path)
    if kind == ".png":
        explanation.draw().save(path)
    else:
        from .pictures.report import html

        path.write_text(html(explanation), encoding="utf-8")
    return path


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # the reader of our output (head, less) went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
