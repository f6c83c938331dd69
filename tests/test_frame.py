"""The frame of the course: its map, routes, glossary, pages and quiz keep step with the chapters.

After a chapter's minutes changed: `python notebooks/figures/routes.py`.
"""

import importlib.util
import re
import sys
from pathlib import Path

import nbformat
import pytest

TOP = Path(__file__).parent.parent
FOLDER = TOP / "notebooks"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
LINK = re.compile(r"\[(\d\da?)\]\((\w+\.ipynb)\)")
MINUTES = re.compile(r"\*\*Minutes\.\*\* (\d+) to .*?(less than 1|\d+) to run.*?(\d+) for the exercises", re.S)


def first_cell(path):
    return nbformat.read(path, as_version=4).cells[0].source


CHAPTERS = {re.match(r"# (\w+) · ", first_cell(path))[1]: path for path in sorted(FOLDER.glob("*.ipynb"))}


def minutes(chapter):
    """To read, to run and for the exercises; less than one counts as one."""
    return [int(part) if part.isdigit() else 1 for part in MINUTES.search(first_cell(CHAPTERS[chapter])).groups()]


def test_routes_add_up_what_the_chapters_say():
    text = PAGES["index"]
    for title, most in (("90 minutes", 90), ("Half a day", 240)):
        route = text[text.index(f"### {title}") :].split("###")[1]
        rows = re.findall(r"^\| \[(\w+)\]\(\S+\) .*? \| (read|all) \| (\d+) \|$", route, re.M)
        assert len(rows) == len(LINK.findall(route))
        for chapter, how, told in rows:
            assert int(told) == sum(minutes(chapter)[: 2 if how == "read" else 3]), chapter
        (together,) = re.findall(r"together.*\*\*(\d+)\*\*", route)
        assert int(together) == sum(int(told) for _, _, told in rows) <= most


def test_a_week_has_every_chapter_once_and_no_day_is_too_long():
    week = PAGES["index"].split("### A week")[1].split("\n## ")[0]
    days = re.findall(r"^\| \d \| (.*) \| (\d+) \|$", week, re.M)
    named = [chapter for row, _ in days for chapter, _ in LINK.findall(row)]
    assert len(days) == 5 and sorted(named) == sorted(CHAPTERS)
    for row, told in days:
        assert int(told) == sum(sum(minutes(chapter)) for chapter, _ in LINK.findall(row)) <= 240
    (together,) = re.findall(r"together.*\*\*(\d+)\*\*", week)
    assert int(together) == sum(int(told) for _, told in days)


def test_the_list_of_chapters_has_their_titles_and_minutes():
    rows = re.findall(r"^\| \[(\w+)\]\((\S+)\) (.*?) \| .*? \| (\d+) \+ (\d+) \|$", PAGES["index"], re.M)
    assert [row[0] for row in rows] == ["00a", *sorted(set(CHAPTERS) - {"00a"})]
    for chapter, file, title, read, exercises in rows:
        assert first_cell(FOLDER / file).startswith(f"# {chapter} · {title}\n")
        assert [int(read), int(exercises)] == minutes(chapter)[::2]


def test_the_map_is_what_its_script_draws_and_names_every_chapter():
    script = FOLDER / "figures" / "course_map.py"
    spec = importlib.util.spec_from_file_location("course_map", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    drawn = (FOLDER / "map.svg").read_text(encoding="utf-8")
    assert drawn == module.svg()
    assert set(re.findall(r"\b\d\da?\b", " ".join(re.findall(r'class="chapter"[^>]*>([^<]+)', drawn)))) == set(CHAPTERS)
    (alt,) = re.findall(r"!\[(.*?)\]\(map\.svg\)", PAGES["index"])
    assert set(re.findall(r"\b\d\da?\b", alt)) == set(CHAPTERS)


def test_pages_name_chapters_and_files_that_exist():
    for name, text in PAGES.items():
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (FOLDER / link).is_file(), (name, link)
        for inside in re.findall(r"\(((?:\d\da?(?:, |–)?)+)\)", text):
            assert set(re.findall(r"\d\da?", inside)) <= set(CHAPTERS), (name, inside)
    assert re.findall(r"^\| (\d\da?) \|", PAGES["instructors"], re.M) == ["00a", *sorted(set(CHAPTERS) - {"00a"})]


def test_glossary_is_in_order_and_says_where():
    entries = re.findall(r"^\*\*\*?(.+?)\*\*\*?(.*)$", PAGES["glossary"], re.M)
    words = [word.strip("*.").casefold() for word, _ in entries]
    assert len(words) > 40 and words == sorted(words)
    assert all(re.search(r"\(\d\d[\da, –]*\)$", said) for _, said in entries)


def test_every_work_in_the_reading_list_is_cited_where_it_is_used():
    """Author and year or number stand together in a chapter, in the library or in the README."""
    files = [*FOLDER.glob("*.ipynb"), *(TOP / "fixlip").rglob("*.py"), TOP / "README.md"]
    text = " ".join(path.read_text(encoding="utf-8") for path in files)
    cited = re.sub(r"\s+", " ", text).replace("Moeller", "Möller")
    works = re.findall(r"^- (.*)$", PAGES["reading"], re.M)
    assert len(works) > 20
    for work in works:
        author = re.search(r"[A-ZÖ][a-zö]+(?=[ ,.])", work)[0]
        year = re.search(r"arXiv:(\d{4}\.\d{5})|\b((?:19|20)\d\d)\b", work)
        found = [match.start() for match in re.finditer(author, cited)]
        wanted = year[1] or year[2]
        assert any(wanted in cited[max(0, start - 40) : start + 330] for start in found), work


# ---- the quiz


@pytest.fixture
def course(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    import checks
    import course

    return course, checks.QUESTIONS


def questions():
    """Number, text and folded answer of each question, with the cell that follows."""
    cells = nbformat.read(FOLDER / "18_quiz.ipynb", as_version=4).cells
    for cell, after in zip(cells, cells[1:], strict=False):
        if "<summary>Answer</summary>" in cell.source:
            text, folded = cell.source.split("<summary>Answer</summary>")
            yield re.fullmatch(r'answer\(None, "(18\.\d\d)"\)', after.source)[1], text, folded


def test_quiz_answers_are_those_of_its_folded_solutions(course):
    asked = list(questions())
    assert [number for number, _, _ in asked] == sorted(course[1]) and len(asked) == 12
    for number, text, folded in asked:
        question = course[1][number]
        (told,) = re.findall(r"^\*\*(.+?)[.]?\*\*", folded.split("\n\n")[1])
        choices = re.findall(r"^- \*\*(\w)\*\* ", text, re.M)
        assert told == str(question.right)
        assert sorted(choices) == (sorted([question.right, *question.hints]) if choices else [])
        assert set(re.findall(r"\((\d\d[\da, ]*)\)", text)[0].split(", ")) <= set(CHAPTERS)


def test_quiz_takes_the_right_answer_and_hints_at_the_wrong_ones(course, capsys):
    course, known = course
    for number, question in known.items():
        course.answer(None, number)
        course.answer(question.right, number)
        assert capsys.readouterr().out.endswith("not answered yet\n" + f"question {number}: well done\n")
        letter = isinstance(question.right, str)
        others = ["e", "", 7, True, [1]] if letter else [question.right + 0.1, "a", True, "3.5"]
        for wrong in [*question.hints, *others]:
            with pytest.raises(AssertionError, match=r"is not it\. Hint: .+") as caught:
                course.answer(wrong, number)
            if wrong in list(question.hints):
                assert question.hints[wrong] in str(caught.value)
    with pytest.raises(AssertionError, match="a number, without quotes"):
        course.answer("3.5", "18.02")
    course.answer(" C ", "18.01")
    course.answer(0.2501, "18.11")


def test_quiz_numbers_are_what_a_calculation_gives(course):
    """The numeric answers, from their definitions."""
    nobody, word, patch, both = 10, 10, 10.5, 14
    assert course[1]["18.02"].right == both - word - patch + nobody
    p, average, values, pair = 0.5, 12, (3, 1), 2
    assert course[1]["18.04"].right == average + sum(v * (1 - p) for v in values) + pair * (1 - p) ** 2
    mass = 1  # of the map: right for one word in each quarter, wrong for three
    assert course[1]["18.09"].right == mass / (mass + 3 * mass)
    value, whole, nothing = 2 * 2, 2 * 18, 2 * 10
    assert course[1]["18.11"].right == value / (whole - nothing)
