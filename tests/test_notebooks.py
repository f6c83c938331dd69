"""The contract of the chapters: structure, stored outputs, and exercises that can be passed and failed."""

import re
import sys
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
CHAPTERS = sorted(FOLDER.glob("*.ipynb"))
SOLUTION = re.compile(r"<summary>Solution</summary>\s+```python\n(.*?)```", re.S)
WRONG = re.compile(r"<!-- wrong\n(.*?)-->", re.S)

pytestmark = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def words(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def test_chapters_say_what_they_are_and_end_with_a_recap(path):
    texts = words(read(path))
    for part in ("**Goal.**", "**Prerequisites.**", "**Minutes.**"):
        assert part in texts[0]
    recap = texts[-1]
    assert recap.startswith("## Recap") and "**Next.**" in recap
    assert len(re.findall(r"^- ", recap, re.M)) <= 5
    assert "**Predict.**" in "".join(texts)


def test_one_exercise_asks_for_a_judgement(path):
    judged = [text for text in words(read(path)) if "<summary>Model answer</summary>" in text]
    assert len(judged) >= 1


def test_checks_do_not_give_the_solution_away(path):
    """They name the exercise; what it wants lies in a module of its own."""
    for cell in code(read(path)):
        if "check(" in cell.source:
            assert re.fullmatch(r'check\(\w+, "\d\d\.\d"(, \w+)*\)', cell.source.strip()), cell.source


def test_chapters_stay_short(path):
    notebook = read(path)
    assert 18 <= len(notebook.cells) <= 32
    assert 800 <= sum(len(text.split()) for text in words(notebook)) <= 1500
    assert all(len(cell.source.splitlines()) <= 20 for cell in code(notebook))
    assert path.stat().st_size < 500_000


def test_outputs_are_stored_and_none_is_skipped(path):
    notebook = read(path)
    assert "widgets" not in notebook.metadata
    for number, cell in enumerate(code(notebook), start=1):
        assert cell.execution_count == number, "run all cells, in order, in a fresh kernel"
        assert not cell.source.rstrip().endswith(";")
        assert "NBVAL_SKIP" not in cell.source
        for output in cell.outputs:
            assert output.output_type != "error" and output.get("name") != "stderr"
    ignored = sum("NBVAL_IGNORE_OUTPUT" in cell.source for cell in code(notebook))
    assert ignored <= 0.15 * len(code(notebook))


@pytest.mark.slow
def test_solutions_pass_stubs_wait_and_wrong_answers_fail(path, monkeypatch, capsys):
    """Runs the chapter up to each exercise's check: as it stands, with its solution, and with a known wrong answer."""
    if path.stem == "18_quiz":
        pytest.skip("has questions, which test_frame.py answers")
    monkeypatch.chdir(FOLDER)
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    notebook, names, exercises = read(path), {}, 0
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        if "check(" not in cell.source or "def check" in cell.source:
            exec(cell.source, names)
            continue
        (answer,) = SOLUTION.findall(notebook.cells[number + 1].source)
        mistakes = WRONG.findall(notebook.cells[number + 1].source)
        assert mistakes
        capsys.readouterr()
        exec(cell.source, names)
        assert "not attempted yet" in capsys.readouterr().out
        exec(answer, names)
        exec(cell.source, names)
        assert "well done" in capsys.readouterr().out
        for wrong in mistakes:
            exec(wrong, names)
            with pytest.raises(AssertionError, match="(?s)got .*wanted .*Hint: "):
                exec(cell.source, names)
        exercises += 1
    assert 2 <= exercises <= 3
