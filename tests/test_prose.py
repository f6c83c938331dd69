"""Numbers that prose quotes are those of the stored tables and of the outputs that chapters print.

Behind a sentence that quotes numbers stands a comment that says where they come from:

    <!-- printed: 0.83, 0.49 -->                    in a chapter: outputs of a cell above
    <!-- table: FILE | column=value, ... | column | 1.336 -->
                                                    a table in tests/benchmarks/results

A row is meant if all its columns named have one of the values ("masked images=256/512"). If there are several rows, the
column is "min COLUMN", "max COLUMN" or "mean COLUMN". A number counts as the same if it is once both are rounded to
its digits, and it has to stand in the prose of the same paragraphs (the same cell, in chapters).
"""

import re
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import nbformat
import pytest

TOP = Path(__file__).parent.parent
RESULTS = TOP / "tests" / "benchmarks" / "results"
PAGES = (TOP / "README.md", RESULTS / "README.md")
CHAPTERS = sorted((TOP / "notebooks").glob("*.ipynb"))
MARK = re.compile(r"<!-- (printed|table): (.*?) -->", re.S)
NUMBER = re.compile(r"[-+\u2212]?\d[\d,]*(?:\.\d+)?")


def test_pages_quote_what_the_tables_say():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not complaints(text, ""), page.name


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_quote_what_they_print_and_what_the_tables_say(path):
    printed = ""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            printed += "".join(shown(output) for output in cell.outputs)
        else:
            assert not complaints(cell.source, printed), cell.source[:200]


def test_every_share_in_the_results_is_tied_to_its_table():
    text = (RESULTS / "README.md").read_text(encoding="utf-8")
    quoted = re.findall(r"([\d.]+)(?: to ([\d.]+))? %(?! intervals)", MARK.sub("", text))
    marked = {number for _, mark in MARK.findall(text) for number in mark.rsplit("|", 1)[-1].replace(",", " ").split()}
    assert {number for pair in quoted for number in pair if number} <= marked


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("It is 0.84. <!-- printed: 0.84 -->", "R² 0.83"),
        ("It is 0.8. <!-- printed: 0.83 -->", "R² 0.83"),
        ("It is -1.27. <!-- printed: -1.27 -->", "key +1.27"),
        ("It is 1.4. <!-- table: insertion-deletion-emoji-clip.md | p=0.7, method=Shapley values | aid | 1.4 -->", ""),
        ("It is 1.4. <!-- table: insertion-deletion-emoji-clip.md | p=0.5, method=Shapley values | aid | 1.4 -->", ""),
        ("It is 100. <!-- table: insertion-deletion-emoji-clip.md | p=0.5 | items | 100 -->", ""),
        ("It is 100. <!-- table: nowhere.md | p=0.5 | items | 100 -->", ""),
    ],
)
def test_what_has_drifted_is_found(text, printed):
    assert len(complaints(text, printed)) == 1


def test_what_is_right_is_left_alone():
    row = "p=0.5, method=Shapley values"
    assert not complaints("It is \u22121.27. <!-- printed: -1.27, +1.17 --> Or 1.17.", "key -1.27, and -1.5, +1.17")
    assert not complaints(f"0.94 <!-- table: insertion-deletion-emoji-clip.md | {row} | aid | 0.94 -->", "")
    assert not complaints("100 <!-- table: insertion-deletion-emoji-clip.md | p=0.5 | min items | 100 -->", "")


# ---- what is said, and what is so


def complaints(text, printed):
    """A sentence for every quoted number that is not where it is said to be."""
    prose, found = numbers(MARK.sub("", text)), []
    for kind, mark in MARK.findall(text):
        where, quoted = ("", mark) if kind == "printed" else mark.rsplit("|", 1)
        for number in NUMBER.findall(quoted):
            value = decimal(number)
            if value not in prose and abs(value) not in prose:
                found.append(f"{number} is marked, but the text does not say it")
            elif kind == "printed" and value not in numbers(printed):
                found.append(f"{number} is printed nowhere above")
            elif kind == "table" and value not in {rounded(known, value) for known in looked_up(where)}:
                found.append(f"{number} is not what {where} says: {looked_up(where)}")
    return found


def looked_up(where):
    """The number that `FILE | column=value, ... | column` names, as a list; empty if there is no such, or not one."""
    name, condition, column = (part.strip() for part in where.split("|"))
    if not (RESULTS / name).is_file():
        return []
    lines = [line.strip("| ") for line in (RESULTS / name).read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    header, rows = lines[0].split(" | "), [line.split(" | ") for line in lines[2:]]
    measure, _, rest = column.partition(" ")
    measure, column = (measure, rest) if measure in ("min", "max", "mean") else ("", column)
    wanted = dict(one.split("=", 1) for one in re.split(r", (?=[^=,]+=)", condition) if one)
    kept = [dict(zip(header, row, strict=True)) for row in rows]
    kept = [row for row in kept if all(row[key] in values.split("/") for key, values in wanted.items())]
    values = [decimal(NUMBER.search(row[column])[0]) for row in kept]
    if not values or (len(values) > 1 and not measure):
        return []
    return [{"min": min, "max": max, "": min, "mean": lambda v: sum(v) / len(v)}[measure](values)]


def shown(output):
    """The text of a stored output."""
    return output.get("text") or "".join(output.get("data", {}).get("text/plain", "")) + "\n"


def numbers(text):
    return {decimal(number) for number in NUMBER.findall(text)}


def decimal(number):
    return Decimal(number.replace(",", "").replace("\u2212", "-"))


def rounded(value, like):
    return value.quantize(Decimal(1).scaleb(like.as_tuple().exponent), ROUND_HALF_EVEN)
