"""The page and the figure of a planted fault: what methods say of the model that has it and of one that has not."""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..extras import need
from . import runner
from .planted_columns import (
    ALSO_SEPARATES,
    BINDING,
    DRAWN,
    ENUMERATED,
    MODELS,
    OWN_ANSWER,
    SEPARATES,
    SHORTCUT,
    SUMMARISED,
    TOGETHER,
)
from .planted_scores import auroc
from .settings import Settings
from .summary import Running
from .tables import EXPLAINED, write_whole

logger = logging.getLogger("fixlip")
# Rows of one method at one p, a scene after the other.
Rows = list[dict[str, str]]
Key = tuple[str, str]
DASH = "–"


@dataclass(frozen=True, eq=False)
class Compared:
    """What was measured on the two models of a fault, scene by scene.

    Attributes:
        experiment: one of `planted_columns.MODELS`.
        faulty, clean: rows by method and p.
    """

    experiment: str
    faulty: dict[Key, Rows]
    clean: dict[Key, Rows]

    def separation(self, key: Key, score: str) -> float:
        """How often a scene of the model with the fault has the higher score of two: AUROC over scenes, ties half."""
        both = [_numbers(rows[key], score) for rows in (self.faulty, self.clean)]
        return auroc(np.concatenate(both), np.repeat([True, False], [len(one) for one in both]))


def compare(
    settings: Settings,
    experiments: Sequence[str] = tuple(MODELS),
    limit: int = 100,
    out: str | os.PathLike[str] = "experiments",
    workers: int = 1,
    dask: Any = None,
    progress: bool = True,
) -> list[Path]:
    """Ask every method about planted faults, on the model that has each and on one that has not.

    Goes on where an earlier run was stopped. Both models see the same scenes and the same masks.

    Args:
        settings: p's, budget, ...; experiment and model do not count.
        experiments: of `planted_columns.MODELS`.
        limit: scenes for each fault.
        out: folder for the tables and pages.
        workers: processes side by side, as in `runner.run`.
        dask: a Dask cluster, likewise.
        progress: show bars, or log lines, if it takes long.

    Returns:
        a page, planted-FAULT.md, for each fault; a figure (.html) is beside it.

    Raises:
        ValueError: one sentence, as `runner.run`.
        KeyboardInterrupt: if the run was interrupted.
    """
    pages = []
    for experiment in experiments:
        tables = []
        for model in MODELS[experiment]:
            one = replace(settings, experiment=experiment, model=model)
            tables.append(runner.run(one, "emoji", limit, out, workers, dask, progress))
        path = Path(out) / f"{experiment}.md"
        found = read(experiment, tables, limit)
        write_whole(path, [page(found, settings).encode()])
        try:
            write_whole(path.with_suffix(".html"), [draw(found).encode()])
        except ValueError as error:  # the numbers do not depend on it
            logger.warning("No figure was drawn: %s", error)
        pages.append(path)
    return pages


def read(experiment: str, tables: Sequence[Path], limit: int) -> Compared:
    """The rows of both models' tables, of the first so many scenes."""
    both = []
    for path in tables:
        rows: dict[Key, Rows] = {}
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if int(row["item"].split()[-1]) < limit:  # an earlier, larger run leaves more
                    rows.setdefault((row["method"], row["p"]), []).append(row)
        both.append(rows)
    return Compared(experiment, *both)


# ---- the page


def page(found: Compared, settings: Settings) -> str:
    """The whole page, as Markdown."""
    experiment, (faulty, clean) = found.experiment, MODELS[found.experiment]
    columns = columns_of(experiment)
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for cells in [*(_method(found, key) for key in found.faulty), _chance(found), *_own_answers(found)]:
        lines.append(f"| {' | '.join(cells.get(name, DASH) for name in columns)} |")
    lines += [
        "",
        f"Faulty: {faulty}. Clean: {clean}. Mean ± standard error over scenes, the same for both models.",
        "",
        *(f"- `{name}`: {text}." for name, text in (EXPLAINED | TOGETHER).items() if name in columns),
        *([f"- {ENUMERATED}: {EXPLAINED['enumerated']}."] if experiment == BINDING else []),
        "",
        f"Made with ps={settings.ps}, budget={settings.budget}, seed={settings.seed}, dtype={settings.dtype!r}.",
    ]
    return "\n".join(lines) + "\n"


def columns_of(experiment: str) -> list[str]:
    """Of the page's table."""
    own = [name for name in SUMMARISED[experiment] if name != "silent"]
    alone = [f"{name}, not shown" for name in ("patches", "first")] if experiment == SHORTCUT else []
    apart = [f"separation by {score}" for score in ALSO_SEPARATES[experiment]]
    effects = ["effect", "effect, clean"]
    return [
        "method",
        "p",
        *own,
        *alone,
        *(f"{name}, clean" for name in own),
        "separation",
        *apart,
        *effects,
        "silent",
        "silent, clean",
        "cost",
        "scenes",
    ]


def _method(found: Compared, key: Key) -> dict[str, str]:
    """A method's cells."""
    cells = {"method": key[0], "p": key[1], "scenes": str(len(found.faulty[key]))}
    for rows, end in ((found.faulty[key], ""), (found.clean[key], ", clean")):
        cells |= {f"{name}{end}": _mean(rows, name) for name in SUMMARISED[found.experiment] if name != "silent"}
        cells[f"silent{end}"] = f"{_numbers(rows, 'silent').sum():.0f}"
    if found.experiment == SHORTCUT:
        alone = [row for row in found.faulty[key] if not float(row["shown"])]
        cells |= {f"{name}, not shown": _mean(alone, name) for name in ("patches", "first")}
    cells["separation"] = f"{found.separation(key, SEPARATES[found.experiment]):.3f}"
    for score in ALSO_SEPARATES[found.experiment]:
        if not np.isnan(_numbers(found.faulty[key], score)).any():
            cells[f"separation by {score}"] = f"{found.separation(key, score):.3f}"
    cost = _running(found.faulty[key], "cost")
    return cells | {"cost": f"{cost.mean:,.0f}" if cost.count else DASH}


def _chance(found: Compared) -> dict[str, str]:
    """What numbers drawn at random would get."""
    rows = next(iter(found.faulty.values()))
    apart = {f"separation by {score}": "0.500" for score in ALSO_SEPARATES[found.experiment]}
    cells = {"method": "chance", "p": DASH, "separation": "0.500"} | apart
    for end in ("", ", clean", ", not shown"):
        cells |= {f"{name}{end}": "0.500" for name in ("patches", "pairs", "triples", "crossed")}
        cells |= {f"{name}{end}": "0.000" for name in ("bound", "together", "control", "words")}
        cells[f"first{end}"] = f"{_running(rows, 'chance').mean:.3f}"
    return cells


def _own_answers(found: Compared) -> Iterator[dict[str, str]]:
    """What the model itself says when the evidence is taken away, or the colours are swapped; and of whole objects."""
    key = next(iter(found.faulty))
    asked = [(OWN_ANSWER, "effect", "effect", DASH, "2")]
    if found.experiment == BINDING:
        asked.append((ENUMERATED, "enumerated", "bound", "0.5", "64"))
    for name, score, column, p, cost in asked:
        cells = {"method": name, "p": p, "cost": cost, "scenes": str(len(found.faulty[key]))}
        cells |= {column: _mean(found.faulty[key], score), f"{column}, clean": _mean(found.clean[key], score)}
        yield cells | {"separation": f"{found.separation(key, score):.3f}"}


def _numbers(rows: Rows, score: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([float(row[score]) for row in rows])


def _running(rows: Rows, score: str) -> Running:
    running = Running()
    for row in rows:
        running.add(float(row[score]))
    return running


def _mean(rows: Rows, score: str) -> str:
    one = _running(rows, score)
    return f"{one.mean:.3f} ± {one.error:.3f}" if one.count else DASH


# ---- the figure


def draw(found: Compared) -> str:
    """A panel for each score, methods below each other, both models beside each other, as an HTML page.

    Raises:
        ValueError: one sentence, if bokeh is not installed.
    """
    embed, layouts, resources = (
        need(f"bokeh.{name}", "the experiment's figure") for name in ("embed", "layouts", "resources")
    )
    shown = [_panel(found, name) for name in DRAWN[found.experiment]]
    shown += [_separations(found, name) for name in ("separation", "separation by control") if name in _chance(found)]
    grid = layouts.gridplot(shown, ncols=2, toolbar_location=None)
    return str(embed.file_html(grid, resources.INLINE, found.experiment))


def _panel(found: Compared, score: str) -> Any:
    """Means of one score with their standard errors, on both models, and chance."""
    from bokeh.palettes import Colorblind

    panel, names = _rows(found, score, lambda key: _running(found.faulty[key], score).count > 0)
    looks = zip(MODELS[found.experiment], (found.faulty, found.clean), ("circle", "diamond"), (5, 0), strict=True)
    for model, rows, mark, colour in looks:
        for key, name in names.items():
            one, look = _running(rows[key], score), {"color": Colorblind[8][colour], "legend_label": model}
            panel.segment([one.mean - one.error], [name], [one.mean + one.error], [name], line_width=2, **look)
            panel.scatter([one.mean], [name], marker=mark, size=8, **look)
    panel.legend.click_policy = "hide"
    panel.add_layout(panel.legend[0], "below")
    return panel


def _separations(found: Compared, name: str) -> Any:
    """How well each method tells the two models apart."""
    panel, names = _rows(found, name, lambda key: True)
    score = SEPARATES[found.experiment] if name == "separation" else name.removeprefix("separation by ")
    panel.scatter([found.separation(key, score) for key in names], list(names.values()), size=8, color="black")
    return panel


def _rows(found: Compared, score: str, has: Callable[[Key], bool]) -> tuple[Any, dict[Key, str]]:
    """An empty panel with a row for each method that has a score, and chance as a line; and the rows' names."""
    from bokeh.models import Span
    from bokeh.plotting import figure

    several = len({p for _, p in found.faulty}) > 1
    names = {key: f"{key[0]}, p = {key[1]}" if several else key[0] for key in found.faulty if has(key)}
    height = 130 + 20 * len(names)
    # All that is drawn lies between 0 and 1, and no axis makes a difference look larger than on another.
    panel = figure(title=score, x_range=(-0.03, 1.03), y_range=[*reversed(names.values())], width=700, height=height)
    chance = float(_chance(found)[score])
    panel.add_layout(Span(location=chance, dimension="height", line_dash="dashed", line_color="grey"))
    return panel, names
