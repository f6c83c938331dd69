"""`python -m fixlip course`: copies the chapters to a folder of the user's, where they can be run and changed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from .atomic import replace_whole

FOLDER = Path("fixlip-course")
FIRST = "00_quick_start.ipynb"
# A chapter shows and imports nothing else that lies beside it; a test keeps that so.
KINDS = ("*.ipynb", "*.md", "*.svg", "*.jpg", "*.txt", "course.py", "checks/*.py")


def chapters() -> dict[Path, Path]:
    """The files of the course by their places in it: of the installed package or, in a checkout, of `notebooks`."""
    package = Path(__file__).parent
    installed, checkout = package / "chapters", package.parent / "notebooks"
    folder = installed if installed.is_dir() else checkout
    return {file.relative_to(folder): file for kind in KINDS for file in sorted(folder.glob(kind))}


def copy(folder: str | Path = FOLDER, force: bool = False) -> Path:
    """Copy the chapters to a folder, which is made if it is missing; return the first chapter's copy.

    Files that are there already and equal are left alone.

    Args:
        folder: where to.
        force: overwrite files that differ, such as chapters that were worked on.

    Raises:
        ValueError: if files that differ would be overwritten, or the folder cannot be written. Nothing is written
            in the first case.
    """
    folder, found = Path(folder), chapters()
    if not found:
        raise ValueError("course: this installation holds no chapters; install FIxLIP-Lab again.")
    try:
        contents = {folder / place: file.read_bytes() for place, file in found.items()}
        changed = [path.name for path, content in contents.items() if path.exists() and path.read_bytes() != content]
        if changed and not force:
            others = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise ValueError(
                f"folder: {str(folder)!r} holds {changed[0]}{others} with other contents than the chapters to copy; "
                "choose another folder, or say --force to overwrite."
            )
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            path.parent.mkdir(exist_ok=True)
            replace_whole(path, content)
    except OSError as error:
        raise ValueError(f"folder: cannot write the course to {str(folder)!r} ({error.strerror or error}).") from None
    return folder / FIRST


def next_steps(first: Path) -> str:
    """What to run after the chapters were copied; with what to install before, if the notebooks' extra is missing."""
    path = f'"{first}"' if " " in str(first) else str(first)
    steps = [f"    jupyter lab {path}"]
    if any(find_spec(name) is None for name in ("jupyterlab", "ipywidgets", "anywidget")):
        steps.insert(0, '    pip install "fixlip-lab[notebooks]"')
    return "\n".join([f"The chapters are in {str(first.parent)!r}. To open the first:", "", *steps])
