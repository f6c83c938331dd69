"""How an exercise is checked: what a student is told, whatever the code does."""

import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"


@pytest.fixture
def course(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    import checks
    import course

    def doubled(x, table):
        return 2 * float(x.sum()) + table["more"]

    exercise = course.Exercise(
        cases=lambda rng, more: [(rng.random(3), {"more": more}) for _ in range(3)],
        reference=doubled,
        hint="think of both.",
        mistakes=[(lambda x, table: 2 * x + table["more"], "add the numbers up."), (lambda x, table: 1 / 0, "never")],
        also=lambda attempt, more: "it must be called twice." if attempt.__name__ == "once" else None,
    )
    monkeypatch.setitem(checks.EXERCISES, "99.9", exercise)
    return course


def right(x, table):
    return 2 * float(x.sum()) + table["more"]


def test_a_right_answer_is_told_so_and_a_stub_waits(course, capsys):
    def stub(x, table):
        raise NotImplementedError("your turn")

    course.check(right, "99.9", 1.0)
    course.check(stub, "99.9", 1.0)
    assert capsys.readouterr().out == "right: well done\nstub: not attempted yet\n"


def hard_coded(x, table):
    return 4.0


def forgetful(x, table):
    print(x.sum())


def not_summed(x, table):
    return 2 * x + table["more"]


def crashing(x, table):
    return table["less"]


def changing(x, table):
    table["more"] += 1
    return 2 * float(x.sum()) + table["more"] - 1


def changing_array(x, table):
    x *= 2
    return float(x.sum()) + table["more"]


def wordy(x, table):
    return str(right(x, table))


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (hard_coded, r"hard_coded: got 4, wanted [\d.]+\. Hint: think of both\."),
        (forgetful, r"forgetful: got None \(does the function return something\?\), wanted"),
        (not_summed, r"not_summed: got array\(.*\), wanted [\d.]+\. Hint: add the numbers up\."),
        (
            crashing,
            r"crashing: your code raised KeyError \('less'\); got no result, wanted [\d.]+\. Hint: think of both",
        ),
        (changing, "changing: got its arguments changed, wanted them as they were. Hint: work on a copy"),
        (changing_array, "changing_array: got its arguments changed"),
        (wordy, r"wordy: got '[\d.]+', wanted"),
    ],
)
def test_a_wrong_answer_is_told_what_is_wrong(course, attempt, message):
    with pytest.raises(AssertionError, match=f"(?s){message}"):
        course.check(attempt, "99.9", 1.0)


def test_what_else_is_asked_is_checked_after_the_results(course):
    def once(x, table):
        return right(x, table)

    with pytest.raises(AssertionError, match="once: it must be called twice"):
        course.check(once, "99.9", 1.0)


def test_every_exercise_of_the_chapters_has_a_check(course):
    import re

    import checks
    import nbformat

    used = set()
    for path in FOLDER.glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                used |= set(re.findall(r'check\(\w+, "(\d\d\.\d)"', cell.source))
    assert used == set(checks.EXERCISES) - {"99.9"}


def test_results_of_any_kind_are_compared():
    sys.path.insert(0, str(FOLDER))
    try:
        from course import _same
    finally:
        sys.path.pop(0)
    assert _same(np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-9]), 1e-6)
    assert not _same([1.0], np.array([1.0, 2.0]), 1e-6) and not _same("x", 1.0, 1e-6) and not _same(None, 0, 0)
    assert not _same(np.array([1, 2]), "ab", 0.0) and _same(("a", "b"), ("a", "b"), 0.0)
