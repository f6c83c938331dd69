"""The command line: `python -m fixlip explain IMAGE "CAPTION"`, and `compare`, `classify`, `experiment` and more."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import __version__
from .commands import classify, compare, console, experiment, explain
from .commands.options import Parser, shared


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        the exit status: 0; 1 if results were written but could not be printed, or something is missing (doctor); 2 for
        bad input or a failing file system; 130 when interrupted.
    """
    console.show_what_can_be_shown()
    try:
        options = _parser().parse_args(arguments)
        with console.lines_instead_of_warnings(), console.log(getattr(options, "verbose", False)):
            return int(options.run(options))
    except console.Unprintable as error:
        if not error.is_expected:
            console.note(f"the standard output takes no more ({error}).")
        return 1
    except (ValueError, OSError, MemoryError) as error:
        console.note(console.describe(error))
        return 2
    except KeyboardInterrupt:
        console.note("interrupted.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="fixlip", description="Explain why CLIP finds an image and a caption similar.")
    parser.add_argument("--version", action="version", version=f"fixlip {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    of_models = shared()
    explain.add(commands, of_models)
    compare.add(commands, of_models)
    classify.add(commands, of_models)
    experiment.add(commands, of_models)
    doctor = commands.add_parser("doctor", help="say what is installed, what is missing, and what will be used")
    doctor.set_defaults(run=_doctor)
    course = commands.add_parser("course", help="copy the chapters, notebooks to run and change, to a folder")
    course.add_argument("folder", metavar="FOLDER", nargs="?", default="fixlip-course", help="default: fixlip-course")
    course.add_argument("--force", action="store_true", help="overwrite chapters that were changed there")
    course.set_defaults(run=_course)
    return parser


def _doctor(options: argparse.Namespace) -> int:
    from .doctor import report

    text, is_well = report()
    console.say(text)
    return 0 if is_well else 1


def _course(options: argparse.Namespace) -> int:
    from .course import copy, next_steps

    console.say(next_steps(copy(options.folder, options.force)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
