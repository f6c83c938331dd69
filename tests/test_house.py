"""The house itself: style, types, packaging and documentation that cannot drift apart."""

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).parent.parent
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))


def run(*command):
    result = subprocess.run([sys.executable, "-m", *command], cwd=TOP, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_ruff_finds_nothing():
    run("ruff", "check", ".")


def test_ruff_would_format_nothing():
    run("ruff", "format", "--check", ".")


@pytest.mark.slow
def test_types_hold():
    run("mypy")


def requirement_name(requirement):
    return re.match(r"[A-Za-z0-9._-]+", requirement).group().lower().replace("_", "-")


def test_environment_installs_what_pyproject_says():
    environment = yaml.safe_load((TOP / "environment.yml").read_text(encoding="utf-8"))
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == ["--constraint .ci/constraints.txt", "--editable .[notebooks]"]
    assert "notebooks" in PROJECT["project"]["optional-dependencies"]
    (python,) = [entry for entry in environment["dependencies"] if str(entry).startswith("python=")]
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert python == f"python={oldest}"


def test_every_pinned_version_runs_on_the_oldest_python():
    """A patch release too: Debian's Python 3.11 is 3.11.2."""
    from importlib.metadata import PackageNotFoundError, distribution

    from packaging.specifiers import SpecifierSet

    oldest = PROJECT["project"]["requires-python"].removeprefix(">=") + ".0"
    checked = 0
    for line in (TOP / ".ci" / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if "==" not in line or line.startswith("#"):
            continue
        try:
            found = distribution(requirement_name(line))
        except PackageNotFoundError:  # of another extra
            continue
        wanted = found.metadata.get("Requires-Python")
        assert not wanted or oldest in SpecifierSet(wanted), f"{line} wants Python {wanted}"
        checked += 1
    assert checked > 50


def test_every_dependency_is_pinned_within_its_range():
    from packaging.requirements import Requirement

    lines = (TOP / ".ci" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pins = {requirement_name(name): version for name, version in pins.items()}
    extras = PROJECT["project"]["optional-dependencies"].values()
    for text in PROJECT["project"]["dependencies"] + [text for extra in extras for text in extra]:
        requirement = Requirement(text)
        if requirement.name != PROJECT["project"]["name"]:
            assert requirement.specifier.contains(pins[requirement_name(text)]), text


def test_every_package_and_data_file_is_shipped():
    tool = PROJECT["tool"]["setuptools"]
    packages = {str(path.parent.relative_to(TOP)).replace("/", ".") for path in TOP.glob("fixlip*/**/__init__.py")}
    assert packages | set(tool["package-dir"]) == set(tool["packages"])
    shipped = {
        path
        for package, patterns in tool["package-data"].items()
        for pattern in patterns
        for path in (TOP / tool["package-dir"].get(package, package)).glob(pattern)
    }
    tracked = {
        path
        for folder in ("fixlip", "fixlip_widgets", "notebooks")
        for path in (TOP / folder).rglob("*")
        if path.is_file() and path.suffix != ".py" and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
    }
    # Its one picture is the README's.
    assert tracked - set((TOP / "notebooks" / "figures").iterdir()) <= shipped


def test_what_the_readme_links_to_exists():
    text = (TOP / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r'src="([^":]+)"', text)
    assert links
    for link in links:
        assert (TOP / link).exists(), link


# Words and signs of code: comments, docstrings and line breaks are free, so that nothing is gained by leaving them out.
LARGEST_FILE, LARGEST_FUNCTION = 2800, 800  # about 400 lines, and a full screen
LONGEST_FUNCTION = 50  # lines, without its docstring
FREE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


@pytest.mark.parametrize("file", sorted(TOP.glob("fixlip*/**/*.py")), ids=lambda file: file.name)
def test_files_and_functions_stay_readable(file):
    source = file.read_text(encoding="utf-8")
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    free = {
        line
        for node in ast.walk(tree)
        if isinstance(node, documented) and ast.get_docstring(node) is not None
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type not in FREE]
    lines = [token.start[0] for token in tokens if token.start[0] not in free]
    assert len(lines) <= LARGEST_FILE, f"{file.name}: {len(lines)} words and signs"
    for node in ast.walk(tree):
        if isinstance(node, documented[2:]):
            own = range(node.lineno, node.end_lineno + 1)
            assert len(set(own) - free) <= LONGEST_FUNCTION, f"{node.name}: {len(set(own) - free)} lines"
            size = sum(line in own for line in lines)
            assert size <= LARGEST_FUNCTION, f"{node.name}: {size} words and signs"
