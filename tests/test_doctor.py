"""What the doctor says, which extras it knows, and how threads wait: on a shared machine they must sleep."""

import json
import os
import re
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from fixlip import doctor

TOP = Path(__file__).parent.parent
# libgomp, which torch for Linux brings along, says on stderr what it was told; elsewhere another library might not.
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="asks libgomp, which torch has on Linux only")


def environment(**variables):
    """This process's environment without its own choice of how threads wait."""
    kept = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    return kept | {"PYTHONPATH": str(TOP), "OMP_DISPLAY_ENV": "TRUE"} | variables


def policies(stderr):
    """How the threads of every OpenMP library that was loaded wait."""
    return set(re.findall(r"OMP_WAIT_POLICY = '(\w+)'", stderr))


@pytest.mark.slow
@linux_only
@pytest.mark.parametrize(
    "code",
    [
        "import fixlip, torch",
        "import fixlip_widgets, torch",
        "from fixlip.__main__ import main; main(['explain', 'none.jpg', 'a cat']); import torch",
        "import joblib, fixlip\n"
        "def task():\n"
        "    import torch\n"
        "if __name__ == '__main__':\n"
        "    joblib.Parallel(n_jobs=2)(joblib.delayed(task)() for _ in range(2))",
    ],
    ids=["library", "widgets", "command line", "workers"],
)
def test_waiting_threads_sleep(run_python, code, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(code)
    result = run_python(script, "", env=environment(), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert policies(result.stderr) == {"PASSIVE"}


@pytest.mark.slow
@linux_only
def test_waiting_threads_sleep_in_tests_too(run_python):
    command = ("-m", "pytest", "-q", "-s", "--collect-only", "-p", "no:cacheprovider", "tests/test_captions.py")
    result = run_python(*command, env=environment(), cwd=TOP)
    assert result.returncode == 0, result.stdout
    assert policies(result.stderr) == {"PASSIVE"}


@pytest.mark.slow
@linux_only
def test_the_users_own_choice_of_waiting_is_kept(run_python):
    result = run_python("import fixlip, torch", env=environment(OMP_WAIT_POLICY="ACTIVE"))
    assert policies(result.stderr) == {"ACTIVE"}


def test_no_chapter_loads_torch_before_fixlip():
    for chapter in sorted((TOP / "notebooks").glob("*.ipynb")):
        cells = json.loads(chapter.read_text(encoding="utf-8"))["cells"]
        source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        imported = re.findall(r"^\s*(?:import|from) (fixlip|torch|transformers|sklearn|shapiq)", source, re.M)
        if chapter.stem == "18_quiz":  # loads none of them
            assert not imported
            continue
        assert imported and imported[0] == "fixlip", chapter.name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "chosen", "wait"),
    [
        ("torch", {}, "keep their cores busy"),
        ("fixlip", {}, "sleep"),
        ("torch", {"OMP_WAIT_POLICY": "passive"}, "sleep"),
        ("fixlip", {"OMP_WAIT_POLICY": "ACTIVE"}, "keep their cores busy"),
    ],
)
def test_the_doctor_says_when_torch_came_too_early(run_python, first, chosen, wait):
    code = f"import {first}\nfrom fixlip.doctor import waiting\nprint(*waiting(), sep='|')"
    said, warning = run_python(code, env=environment(**chosen)).stdout.strip().split("|")
    assert said == f"waiting threads {wait}"
    assert ("Write `import fixlip` before `import torch`" in warning) == (first == "torch" and not chosen)


def test_all_is_not_well_after_a_warning(monkeypatch):
    model = SimpleNamespace(device="cpu", dtype="torch.float32", batch_size=1)
    monkeypatch.setattr("fixlip.encoders.loading.load", lambda name: model)
    monkeypatch.setattr(doctor, "waiting", lambda: ("waiting threads keep their cores busy", "Something."))
    text, _ = doctor.report()
    assert text.endswith("Something.") and "busy" in text


def test_no_column_runs_into_the_next(capsys):
    text, is_well = doctor.report()
    assert is_well
    for line in text.splitlines():
        if line.startswith("  "):
            assert re.fullmatch(r"  [\w-]+ {2,}\S.*", line), line
    assert re.search(r"^  emoji-clip-fine +loads, on ", text, re.M)


def test_what_is_missing_is_told_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in ("joblib", "scipy") else "1")
    text, is_well = doctor.report()
    assert not is_well and text.endswith("Missing: scipy.")
    assert re.search(r"^  joblib +not installed: pip install joblib  \(for experiments with workers\)$", text, re.M)
    assert re.search(r"^  scipy +MISSING: pip install scipy$", text, re.M)


def test_every_optional_package_that_pyproject_names_for_users_is_known():
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: packages for name, packages in project["optional-dependencies"].items() if name != "tests"}
    named = {re.match(r"[\w-]+", package).group() for packages in extras.values() for package in packages}
    assert named <= set(doctor.OPTIONAL)
