"""Tables that survive: interrupted, killed or on a full disk, what was finished stays, and what is broken is redone.

A table is a CSV file in which the rows of an item stand together, in an order that is known beforehand. An item is
finished if all its rows are there and can be read; anything else in the file is dropped when a run begins. Rows are
added at the end, with one write per item; every other change writes a new file beside the old one and then takes its
place, so that at any moment there is one whole file.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..atomic import replacing
from . import planted_columns as planted

Value = str | float | int
Row = dict[str, Value]
# Columns by experiment: those that tell the rows of an item apart, and the scores.
KEYS = {
    "insertion-deletion": ("method", "p"),
    "pointing-game": ("method", "p", "objects"),
    "faithfulness": ("method", "p", "at"),
    "context": ("method", "p"),
    "randomisation": ("method", "p", "randomised"),
    "runtime": ("method", "p", "budget"),
    **planted.KEYS,
}
SCORES = {
    "insertion-deletion": ("aid", "aid_image", "mean_difference", "cost"),
    "pointing-game": ("pgr", "correct", "wrong", "sign_ratio", "cost"),
    "faithfulness": ("spearman", "pearson", "kendall", "r2", "cost"),
    "context": (
        "change_spearman",
        "change_r2",
        "context_spearman",
        "context_change",
        "binding",
        "absent_share",
        "cost",
    ),
    "randomisation": ("patches", "interactions", "cost"),
    "runtime": ("encoding_seconds", "fitting_seconds", "cost"),
    **planted.SCORES,
}
CURVE_KEYS, CURVE_SCORES = ("method", "p", "removed"), ("insert", "delete")
EXPLAINED = {
    "item": "the scene, the picture's file, or the mosaic",
    "caption": "the caption that was explained, with context the longest of them",
    "model": "the encoder",
    "method": "how it was explained",
    "p": "presence probability of the explanation; 0.5 for methods that have none",
    "objects": "how many of the mosaic's four objects the caption names",
    "at": 'presence probability of the fresh masks; "shapley": sizes drawn as Shapley values weigh them',
    "randomised": "down to where from the top the weights of both encoders are random",
    "budget": "masked images encoded; 0 for methods that take no budget",
    "cost": "passes of an encoder that this explanation took: masked images and masked captions, or forward and "
    "backward passes of methods that look into the model; of all five captions with context",
    "abstained": "scores that are undefined, since the method gave only zeros, failed, or did not tell apart what was "
    "to be ranked, and on how many items; means are over the others",
    "aid": "area between the insertion and the deletion curve, normalised to 0 at the empty and 1 at the whole pair; "
    "higher is better",
    "aid_image": "the same where patches alone are removed and the caption stays whole, so that maps of the image "
    "alone are scored fairly (26 points); undefined for all methods where the whole image is no more similar than none",
    "mean_difference": "plain mean of insertion minus deletion over all sizes, as the published tables have it; "
    "higher is better",
    "pgr": "pointing game recognition: correct / (correct + wrong), 0 to 1",
    "correct": "sum of positive values in the right cell and of negative ones in the other cells, logits or scores",
    "wrong": "sum of the values with the wrong sign, logits or scores",
    "sign_ratio": "share of values with the right sign, mean over tokens",
    "spearman": "rank correlation of predictions with the model on fresh masks (the paper's faithfulness); of sums of "
    "scores where a method does not predict",
    "pearson": "linear correlation of the same",
    "kendall": "Kendall's rank correlation of the same",
    "r2": "share of the model's variance on fresh masks that the predictions explain; nothing where a method's numbers "
    "are no logits, so that it predicts nothing",
    "change_spearman": "for captions that name two to four objects: what the similarity changes by when an object's "
    "cell, a word, or a cell and a word are removed from the whole pair; rank correlation of what the method says with "
    "the model, mean over captions",
    "change_r2": "share of the variance of these changes that predictions explain; nothing for methods that do not "
    "predict",
    "context_spearman": "for captions that name one to four of the objects: how much more the object's cell and its "
    "word change the similarity together than one by one, in the whole pair; rank correlation, over words and "
    "captions, of what the word's map puts on the cell with the model",
    "context_change": "the same for what becomes of it when one more word joins the caption; a map of one word alone "
    "cannot tell, so it is undefined",
    "binding": "for a caption of an object and of another one that is not there: what the right word's map puts on the "
    "object's cell, of what both words' maps put there (positive values); 0.5 says they are not told apart, 1 is best",
    "absent_share": "share of the absent word's positive values that lie on the cell of the object that is there; the "
    "cell is about a fifth of the image, less is better, and 0 also where it has none",
    "patches": "rank correlation of the patches' values with those of the untouched model; near 0 is what a map of the "
    "model should have, near 1 says that it does not depend on the weights",
    "interactions": "rank correlation of the interactions of patches with tokens, likewise; nothing with first order",
    "encoding_seconds": "time in the encoders; with methods that look into the model all their time",
    "fitting_seconds": "time for the estimate, encoders excluded",
    "removed": "share of the input that is removed",
    "insert": "normalised value of the subset that the explanation calls most similar",
    "delete": "normalised value of the subset that it calls least similar",
    **planted.EXPLAINED,
}


def one_line(text: str) -> str:
    """Text with single blanks for all white space, since a row is a line, and without what UTF-8 cannot hold."""
    return " ".join(text.encode("utf-8", "backslashreplace").decode("utf-8").split())


def cell(value: Value) -> str:
    """How a table shows a value: six significant digits."""
    return f"{value:.6g}" if isinstance(value, float) else one_line(str(value))


@dataclass(frozen=True)
class Layout:
    """Columns of a table, and the rows that every item has.

    Attributes:
        columns: "item" first, then what describes it ("caption", "model"), keys and scores.
        scores: columns that hold numbers.
        keys: columns that tell the rows of an item apart.
        rows: their values, as `cell` shows them, for every row of an item.
        described: the column by which it shows whether an item is still the same.
    """

    columns: tuple[str, ...]
    keys: tuple[str, ...]
    scores: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    described: str = "caption"

    @property
    def header(self) -> bytes:
        """The first line."""
        return _line(self.columns)

    def parse(self, line: bytes) -> dict[str, str] | None:
        """The row that a line holds; None if it is cut or damaged."""
        if not line.endswith(b"\n"):
            return None
        try:
            cells = next(csv.reader([line.decode("utf-8").rstrip("\r\n")], strict=True), [])
            if len(cells) != len(self.columns):
                return None
            row = dict(zip(self.columns, cells, strict=True))
            for score in self.scores:
                float(row[score])
        except (ValueError, csv.Error):
            return None
        return row

    def lines(self, rows: Sequence[Row]) -> bytes:
        """One item's rows as they stand in the file; they must be the rows that every item has, in their order."""
        found = tuple(tuple(cell(row[key]) for key in self.keys) for row in rows)
        if found != self.rows:
            raise RuntimeError(f"rows of {rows[0]['item'] if rows else 'an item'!r}: got {found}, wanted {self.rows}.")
        return b"".join(_line([cell(row[column]) for column in self.columns]) for row in rows)


@dataclass(frozen=True)
class Block:
    """Where the rows of a finished item stand: bytes `start` to `end` of the file."""

    item: str
    caption: str
    start: int
    end: int


class Table:
    """One file of finished items; `open` reads what is there.

    Attributes:
        path: of the file.
        layout: of its rows.
        blocks: finished items by name. The items themselves stay in the file.
    """

    def __init__(self, path: Path, layout: Layout):
        self.path, self.layout = path, layout
        self.blocks: dict[str, Block] = {}

    def open(self) -> bool:
        """Find the finished items; return whether the file holds anything else.

        Raises:
            ValueError: one sentence, if the file cannot be read or is another table.
        """
        self.blocks = {}
        if not self.path.exists():
            return False
        try:
            with open(self.path, "rb") as file:
                header = file.readline()
                if header != self.layout.header:
                    return self._cut_header(header)
                for block in _blocks(file, self.layout, len(header)):
                    self.blocks.pop(block.item, None)  # of two, the later one stays, in its place
                    self.blocks[block.item] = block
        except OSError as error:
            raise ValueError(f"out: cannot read {str(self.path)!r} ({error.strerror or error}).") from None
        return not self._is_just(list(self.blocks.values()))

    def _cut_header(self, header: bytes) -> bool:
        if not self.layout.header.startswith(header):
            raise ValueError(
                f"out: {str(self.path)!r} does not begin with the columns {', '.join(self.layout.columns)}, so it is "
                "no table of this experiment; move it away, or choose another folder."
            )
        return len(header) > 0

    def _is_just(self, blocks: list[Block]) -> bool:
        """Whether the file is its header and these items in this order."""
        at = len(self.layout.header)
        for block in blocks:
            if block.start != at:
                return False
            at = block.end
        return at == self.path.stat().st_size

    def add(self, item: str, caption: str, lines: bytes) -> None:
        """Append one item's lines.

        Raises:
            ValueError: one sentence, if they cannot be written whole; then the file stays as it was.
        """
        start = self.path.stat().st_size if self.path.exists() else 0
        new = lines if start else self.layout.header + lines
        try:
            _append(self.path, new)
        except OSError as error:
            raise _cannot_write(self.path, error) from None
        end = start + len(new)
        self.blocks.pop(item, None)
        self.blocks[item] = Block(item, caption, end - len(lines), end)

    def keep(self, items: Iterable[str]) -> None:
        """Let the file hold just these items, in this order; all must be finished.

        Raises:
            ValueError: one sentence, if the new file cannot be written; then the old one stays.
        """
        kept = [self.blocks[item] for item in items]
        if not self.path.exists() or self._is_just(kept):
            self.blocks = {block.item: block for block in kept}
            return
        moved, at = {}, len(self.layout.header)
        for block in kept:
            end = at + block.end - block.start
            moved[block.item] = Block(block.item, block.caption, at, end)
            at = end
        write_whole(self.path, _copied(self.path, self.layout.header, kept))
        self.blocks = moved

    def rows(self, items: Iterable[str]) -> Iterator[dict[str, str]]:
        """Rows of these items, one after the other, from the file."""
        if not self.blocks:
            return
        with open(self.path, "rb") as file:
            for item in items:
                file.seek(self.blocks[item].start)
                for _ in self.layout.rows:
                    row = self.layout.parse(file.readline())
                    if row is None:
                        raise ValueError(f"out: {str(self.path)!r} was changed while the experiment ran; run it again.")
                    yield row


class Tables:
    """The tables of one experiment; an item is finished if it is finished in all of them."""

    def __init__(self, tables: Sequence[Table]):
        self.tables = tuple(tables)

    def open(self) -> bool:
        """Read what is there and drop the rest; return whether there was anything to drop."""
        is_broken = any([table.open() for table in self.tables])
        first = self.tables[0]
        finished = [item for item in first.blocks if all(item in table.blocks for table in self.tables)]
        is_broken = is_broken or any(len(table.blocks) > len(finished) for table in self.tables)
        for table in self.tables:
            table.keep(finished)
        return is_broken

    @property
    def captions(self) -> dict[str, str]:
        """Finished items, each with its (last) caption."""
        return {item: block.caption for item, block in self.tables[0].blocks.items()}

    def add(self, item: str, caption: str, rows: Sequence[Sequence[Row]]) -> None:
        """Append an item, with its rows for every table."""
        lines = [table.layout.lines(part) for table, part in zip(self.tables, rows, strict=True)]
        for table, part in zip(self.tables, lines, strict=True):
            table.add(item, caption, part)

    def forget(self, item: str) -> None:
        """Take an item for unfinished; its rows leave the files with the next `order`."""
        for table in self.tables:
            table.blocks.pop(item, None)

    def order(self, items: Sequence[str]) -> None:
        """Put these items first, in this order; others stay behind them as they are."""
        finished = self.captions
        wanted = [item for item in items if item in finished]
        rest = finished.keys() - set(wanted)
        for table in self.tables:
            table.keep([*wanted, *(item for item in finished if item in rest)])


def _blocks(file: Iterable[bytes], layout: Layout, at: int) -> Iterator[Block]:
    """The finished items in lines of a file, from byte `at` on."""
    item, caption, start, count = "", "", at, 0
    for line in file:
        row = layout.parse(line)
        key = None if row is None else tuple(row[name] for name in layout.keys)
        if row is None or key != layout.rows[count] or (count and row["item"] != item):
            count = 0  # what was begun is not whole; this line may begin another item
        if row is not None and key == layout.rows[count]:
            if count == 0:
                item, start = row["item"], at
            count += 1
            caption = row.get(layout.described, "")
        at += len(line)
        if count == len(layout.rows):
            yield Block(item, caption, start, at)
            count = 0


def _copied(path: Path, header: bytes, blocks: Iterable[Block]) -> Iterator[bytes]:
    """A header and these parts of a file, which is closed again when all were taken."""
    yield header
    with open(path, "rb") as file:
        for block in blocks:
            file.seek(block.start)
            yield file.read(block.end - block.start)


def write_whole(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file beside `path` and let it take its place, so that there is always a whole one.

    Raises:
        ValueError: one sentence, if it cannot be written; then the old one stays.
    """
    try:
        with replacing(path) as partial, open(partial, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())  # else a power failure may leave an empty file under the new name
    except OSError as error:
        raise _cannot_write(path, error) from None


def _append(path: Path, text: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
    before = os.fstat(handle).st_size
    try:
        written = 0
        while written < len(text):
            written += os.write(handle, text[written:])
    except BaseException:
        with suppress(OSError):  # if this fails too, the next run drops what is broken
            os.ftruncate(handle, before)
        raise
    finally:
        os.close(handle)


def _line(cells: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8")


def _cannot_write(path: Path, error: OSError) -> ValueError:
    return ValueError(
        f"out: cannot write {str(path)!r} ({error.strerror or error}); what was finished is kept, and the same command "
        "goes on from there."
    )
