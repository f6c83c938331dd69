"""The house has floors: nothing imports from a floor above, and no files import each other in a circle.

Imports inside functions and those for type checkers count too: they hide a circle, and do not remove it.
"""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

TOP = Path(__file__).parent.parent
# Lowest first; a package stands for all its files but those that are named themselves. A file imports from its own
# floor and from those below.
FLOORS = (
    ("fixlip.masks", "fixlip.atomic", "fixlip.extras", "fixlip.progress", "fixlip.emoji.scenes", "fixlip.emoji.notes"),
    (
        "fixlip.cluster",
        "fixlip.jackknife",
        "fixlip.regions",
        "fixlip.phrases",
        "fixlip.emoji.props",
        "fixlip.emoji.planted",
        "fixlip.emoji.by_hand",
    ),
    ("fixlip.subject", "fixlip.files", "fixlip.triples", "fixlip.shapiq_classes"),
    ("fixlip.encoders", "fixlip.pictures.fonts", "fixlip.pictures.lines", "fixlip.pictures.drawing"),
    ("fixlip.game",),
    ("fixlip.answers",),
    ("fixlip.claims", "fixlip.scores", "fixlip.heatmap", "fixlip.subsets", "fixlip.terms", "fixlip.estimators.indices"),
    ("fixlip.expansion",),
    ("fixlip.pictures", "fixlip.interchange", "fixlip.saving"),
    ("fixlip.difference", "fixlip.explanation"),
    ("fixlip.pictures.report", "fixlip.estimators", "fixlip.game_explanation"),
    ("fixlip.samples", "fixlip.anytime", "fixlip.gridfiles"),
    ("fixlip.baselines", "fixlip.concepts", "fixlip.pictures.concepts"),
    ("fixlip.methods",),
    (
        "fixlip.api",
        "fixlip.anygame",
        "fixlip.contrasts",
        "fixlip.pairs",
        "fixlip.grid",
        "fixlip.gridwork",
        "fixlip.metrics",
        "fixlip.emoji",
    ),
    ("fixlip.classification", "fixlip.experiments", "fixlip.gallery", "fixlip.doctor", "fixlip.course"),
    ("fixlip.commands", "fixlip.__main__"),
    ("fixlip_widgets",),
)
# It lends the names of all floors to users, each imported when it is first used; the command line and the widgets are
# such users. What other files may take from it are the facts that it states itself.
ENTRANCE = "fixlip"


@cache
def modules():
    """Every file of the packages, by the name that it is imported by."""
    found = {}
    for path in TOP.glob("fixlip*/**/*.py"):
        parts = path.relative_to(TOP).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(name):
    """The files of the packages that this one imports, wherever it does, and the names it takes from the entrance."""
    path, found, borrowed = modules()[name], set(), set()
    parents = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) + 1 - node.level] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            inner = {alias.name for alias in node.names if f"{source}.{alias.name}" in modules()}
            found |= {f"{source}.{each}" for each in inner}
            others = {alias.name for alias in node.names} - inner
            found |= {source} if others else set()
            borrowed |= others if source == ENTRANCE else set()
    return found & set(modules()) - {name}, borrowed


def floor(name):
    """The number of a file's floor, by the longest name that stands for it."""
    standing = {each: k for k, names in enumerate(FLOORS) for each in names}
    fitting = [each for each in standing if f"{name}.".startswith(f"{each}.")]
    assert fitting, f"{name} stands on no floor; give it one in FLOORS."
    return standing[max(fitting, key=len)]


def test_no_files_import_each_other_in_a_circle():
    graph = {name: imports(name)[0] - {ENTRANCE} for name in modules() if name != ENTRANCE}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(f"a circle: {' imports '.join(reversed(error.args[1]))}") from None


def test_nothing_imports_from_a_floor_above():
    upwards = [
        f"{name} imports {other}"
        for name in sorted(set(modules()) - {ENTRANCE})
        for other in sorted(imports(name)[0] - {ENTRANCE})
        if floor(other) > floor(name)
    ]
    assert not upwards, "\n".join(upwards)


def test_the_library_takes_only_facts_from_its_own_entrance():
    for name in modules():
        if name.startswith("fixlip.") and floor(name) < floor("fixlip.commands"):
            assert all(each.startswith("_") for each in imports(name)[1]), f"{name}: {imports(name)[1]}"


def test_every_floor_is_lived_on():
    """A name that was moved must not go on standing for nothing."""
    for each in {each for names in FLOORS for each in names}:
        assert each in modules(), each
