"""`python -m fixlip course`, and the wheel that it must work from."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fixlip import course
from fixlip.__main__ import main

TOP = Path(__file__).parent.parent
CHECKS = [str(path.relative_to(TOP / "notebooks")) for path in (TOP / "notebooks" / "checks").glob("*.py")]
CHAPTERS = sorted(path.name for path in (TOP / "notebooks").glob("*.ipynb"))
PAGES = ("index.md", "glossary.md", "instructors.md", "reading.md", "map.svg")
PHOTOGRAPH = ("coffee.jpg", "coffee-licence.txt")  # chapter 17's, never without its licence


def test_the_chapters_are_copied_and_the_next_command_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["course"]) == 0
    copied = {str(p.relative_to(tmp_path / "fixlip-course")) for p in (tmp_path / "fixlip-course").rglob("*.*")}
    assert copied == {*CHAPTERS, *PAGES, *PHOTOGRAPH, "course.py", *CHECKS}
    for path in copied:
        assert (tmp_path / "fixlip-course" / path).read_bytes() == (TOP / "notebooks" / path).read_bytes()
    assert f"jupyter lab {Path('fixlip-course') / '00_quick_start.ipynb'}" in capsys.readouterr().out
    assert main(["course", "my lessons/deep"]) == 0
    assert 'jupyter lab "my lessons' in capsys.readouterr().out


def test_what_is_missing_for_notebooks_is_told_first(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(course, "find_spec", lambda name: None)
    assert main(["course", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert 0 < printed.index('pip install "fixlip-lab[notebooks]"') < printed.index("jupyter lab ")
    monkeypatch.undo()
    main(["course", str(tmp_path)])
    assert "pip install" not in capsys.readouterr().out


def test_work_in_a_chapter_is_not_overwritten(tmp_path, capsys):
    main(["course", str(tmp_path)])
    worked_on, lost = tmp_path / CHAPTERS[0], tmp_path / CHAPTERS[3]
    worked_on.write_text("my answers")
    lost.unlink()
    assert main(["course", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"fixlip: folder: '{tmp_path}' holds {CHAPTERS[0]} with other") and error.count("\n") == 1
    assert worked_on.read_text() == "my answers" and not lost.exists()
    assert main(["course", str(tmp_path), "--force"]) == 0
    assert worked_on.read_bytes() == (TOP / "notebooks" / CHAPTERS[0]).read_bytes() and lost.exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        assert main(["course", str(folder)]) == 2
        error = capsys.readouterr().err
        assert error.startswith("fixlip: folder: cannot write the course to ") and error.count("\n") == 1


def test_chapters_need_nothing_that_is_not_copied():
    """Pictures and links of a chapter, and what it imports from beside it."""
    copied = {path.name for path in course.chapters()}
    local = {path.stem for path in (TOP / "notebooks").glob("*.py")}
    for name in CHAPTERS:
        for cell in json.loads((TOP / "notebooks" / name).read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                named = re.findall(r"\]\(([^)#:]+)\)", source) + re.findall(r'src="([^":]+)"', source)
            else:
                named = [f"{word}.py" for word in re.findall(r"^(?:from|import) (\w+)", source, re.M) if word in local]
            assert set(named) <= copied, name


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder where the wheel of this tree is installed, without its dependencies."""
    pytest.importorskip("setuptools", minversion="77", reason="builds a wheel without the network")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("fixlip", "fixlip_widgets", "notebooks"):
        shutil.copytree(TOP / name, source / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(TOP / name, source)
    pip = [sys.executable, "-m", "pip", "--no-input", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    target = folder / "target"
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)], check=True)
    return wheel, target


@pytest.mark.slow
def test_a_wheel_holds_all_that_is_used(installed):
    with zipfile.ZipFile(installed[0]) as wheel:
        names = set(wheel.namelist())
    wanted = {f"fixlip/chapters/{name}" for name in [*CHAPTERS, *PAGES, *PHOTOGRAPH, "course.py", *CHECKS]}
    wanted |= {str(path.relative_to(TOP)) for path in (TOP / "fixlip_widgets").glob("*.[jc]s*")}
    models = TOP / "fixlip" / "emoji" / "models"
    wanted |= {str(path.relative_to(TOP)) for path in models.rglob("*") if path.is_file()}
    wanted |= {"fixlip/py.typed", "fixlip/emoji/LICENSE-noto-emoji.txt", "fixlip/emoji/sprites.png"}
    assert wanted <= names
    assert any(re.search(r"dist-info/licenses/LICENSE$", name) for name in names)
    assert not any(name.startswith(("tests", "notebooks")) or "__pycache__" in name for name in names)


@pytest.mark.slow
def test_an_installed_wheel_works_outside_the_checkout(installed, run_python, tmp_path):
    # An isolated process: neither this tree nor an editable installation of it may be found.
    code = (
        "import sys\n"
        f"top = {str(TOP)!r}\n"
        "sys.meta_path[:] = [f for f in sys.meta_path if '__editable__' not in getattr(f, '__module__', '')]\n"
        "sys.path[:] = [path for path in sys.path if not (path == top or path.startswith(top + '/fixlip'))]\n"
        f"sys.path.insert(0, {str(installed[1])!r})\n"
        "import fixlip\n"
        "from fixlip.__main__ import main\n"
        "assert main(['course']) == 0\n"
        "scene = fixlip.emoji.scene(7)\n"
        "found = fixlip.explain(fixlip.load('emoji-clip'), scene.image, scene.caption, budget=64, progress=False)\n"
        "import fixlip_widgets\n"
        "print(fixlip.__file__, fixlip_widgets.__file__, found.n_players, sep='\\n')\n"
    )
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = run_python(code, cwd=tmp_path, env=clean)
    assert result.returncode == 0, result.stderr
    library, widgets, players = result.stdout.splitlines()[-3:]
    assert Path(library).is_relative_to(installed[1]) and Path(widgets).is_relative_to(installed[1])
    assert int(players) > 49
    assert sorted(path.name for path in (tmp_path / "fixlip-course").glob("*.ipynb")) == CHAPTERS
