"""Captions of the pictures in a folder: a table of them, or a text beside each."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")


def captions(folder: Path, left_out: list[str]) -> Iterator[tuple[str, str]]:
    """Files and captions; either may be empty in a table, and a picture may be in several rows.

    Args:
        folder: with a captions.csv, which has columns file and caption, or a .txt beside each picture.
        left_out: takes a sentence for each text that cannot be read.

    Raises:
        ValueError: one sentence, if the table is none or cannot be read.
    """
    table = folder / "captions.csv"
    return _listed(table) if table.is_file() else _beside(folder, left_out)


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, in the order of the names; ValueError if it cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise ValueError(f"dataset: cannot read {str(folder)!r} ({error.strerror or error}).") from None


def _listed(table: Path) -> Iterator[tuple[str, str]]:
    """File and caption of every row of a captions.csv, with commas, semicolons or tabs between the cells."""
    text = _text(table)
    for delimiter in (",", ";", "\t"):
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
            if {"file", "caption"} <= set(reader.fieldnames):
                rows = list(reader)
                break
        except csv.Error as error:
            raise ValueError(f"dataset: {str(table)!r} cannot be read ({error}).") from None
    else:
        raise ValueError(f"dataset: the first line of {str(table)!r} wants the columns file and caption.")
    if not rows:
        raise ValueError(f"dataset: {str(table)!r} wants the columns file and caption, and a row at least.")
    yield from (((row["file"] or "").strip(), (row["caption"] or "").strip()) for row in rows)


def _beside(folder: Path, left_out: list[str]) -> Iterator[tuple[str, str]]:
    """Every picture that has a text of the same name beside it."""
    for path in entries(folder):
        beside = path.with_suffix(".txt")
        if path.suffix.lower() in PICTURES and beside.is_file():
            try:
                yield path.name, _text(beside).strip()
            except ValueError as error:
                left_out.append(f"{path.name}: {str(error).removeprefix('dataset: ')}")


def _text(path: Path) -> str:
    """A text file, with or without the byte-order mark that spreadsheets write."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f'dataset: {str(path)!r} is no UTF-8 text; save it as "CSV UTF-8" or "UTF-8".') from None
    except OSError as error:
        raise ValueError(f"dataset: cannot read {str(path)!r} ({error.strerror or error}).") from None
