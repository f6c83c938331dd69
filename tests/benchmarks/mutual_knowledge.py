"""Do both sides of a better model share more? `python tests/benchmarks/mutual_knowledge.py --out FOLDER`

Sammani and Deligiannis (NeurIPS 2024) find that, within a family of CLIP models, those of higher zero-shot accuracy
have more mutual knowledge. Here the family, of known and different strength, is the checkpoints of one training. Beside
them the embedded models. What is measured lies in the experiment's own tables, which go on where they were
stopped; the training does not, but is left out where its checkpoints are there. Half an hour or so for the training
(`--steps 1500`), ten minutes for the rest.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.stats import pearsonr, rankdata, spearmanr

from fixlip.emoji.train import train
from fixlip.encoders.sources import CLEAN
from fixlip.experiments.knowledge import KnowledgeSettings
from fixlip.experiments.knowledge_columns import MEASURES
from fixlip.experiments.runner import run
from fixlip.pictures.drawing import INK, MUTED, Sheet

RECIPE = "emoji-clip"
KEEP = (0, 25, 50, 75, 100, 150, 200, 300, 400, 500, 650, 800, 1000, 1250)
SHOWN = ("right", *(f"{name}{area}{base}" for name in MEASURES for area in ("", "_area") for base in ("", "_chance")))
SHOWN += (*(f"{name}_others" for name in MEASURES), "shared", "visual")
# Where the predicted class is the true one, and where it is not.
SPLIT = ("information, predicted rightly", "information, predicted wrongly")
TITLES = {"right": "accuracy"}
# What is held against accuracy, and how it is computed of a row.
HELD = {
    **{name.replace("_", " "): (name, None) for name in MEASURES},
    **{f"area of {name.replace('_', ' ')}": (f"{name}_area", None) for name in MEASURES},
    **{f"{name.replace('_', ' ')} above other classes": (name, f"{name}_others") for name in MEASURES},
}
# The paper's models are all far from chance (58 to 76 % of 1,000 classes), which the third pool is, too.
POOLS = {
    "checkpoints": lambda name, found: "step" in name,
    "all": lambda name, found: True,
    "all that are right in more than half": lambda name, found: found["right"].mean() > 0.5,
}
DRAWS = 10_000
BLUE, ORANGE = (31, 119, 180), (214, 96, 20)


def checkpoints(options):
    """Folders of the checkpoints, the weakest first; trained if one is missing."""
    keep = [step for step in KEEP if step <= options.steps]
    folders = {step: options.work / f"step-{step}" for step in keep}
    if not all((folder / "model.safetensors").exists() for folder in folders.values()):
        train(RECIPE, options.work, options.steps, keep=keep)
    return list(folders.values())


def measured(model, options):
    """Columns of the experiment's table of one model, each an array over the pictures."""
    settings = KnowledgeSettings(str(model))
    path = run(settings, limit=options.images, out=options.work / "tables", workers=options.workers, progress=False)
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[: options.images]
    return {column: np.array([float(row[column]) for row in rows]) for column in needed()}


def needed():
    """The columns that tables and figure are made of."""
    return dict.fromkeys((*SHOWN, *(name for pair in HELD.values() for name in pair if name)))


def line_of(name, found):
    """A model's line: means with their standard errors, chance without."""
    cells = []
    for column in SHOWN:
        values = found[column]
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        cells.append(f"{values.mean():.3f}" if "_chance" in column else f"{values.mean():.3f} ± {error:.3f}")
    for right in (1, 0):
        some = found["information"][found["right"] == right]
        cells.append(f"{some.mean():.3f} of {len(some)}" if len(some) else "—")
    return f"| {name} | {' | '.join(cells)} |"


def mean_of(found, pair):
    """What is held against accuracy, of one model."""
    name, taken = pair
    return found[name].mean() - (found[taken].mean() if taken else 0.0)


def correlations(means, accuracy):
    """Pearson and Spearman over models, and the interval of Spearman over models drawn again and again."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(means), (DRAWS, len(means)))
    ranks = [rankdata(values[drawn], axis=1) for values in (means, accuracy)]
    a, b = (r - r.mean(axis=1, keepdims=True) for r in ranks)
    scale = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    again = (a * b).sum(1)[scale > 0] / scale[scale > 0]
    low, high = np.quantile(again, [0.025, 0.975])
    return pearsonr(means, accuracy)[0], spearmanr(means, accuracy)[0], low, high


def correlation_lines(models):
    """Lines of the second table: every measure in every pool."""
    lines = []
    for pool, belongs in POOLS.items():
        some = [found for name, found in models.items() if belongs(name, found)]
        accuracy = np.array([found["right"].mean() for found in some])
        for name, pair in HELD.items():
            means = np.array([mean_of(found, pair) for found in some])
            cells = " | ".join(f"{round(value, 2) + 0.0:.2f}" for value in correlations(means, accuracy))
            lines.append(f"| {pool} | {len(some)} | {name} | {cells} |")
    return lines


def table(columns, lines):
    """A Markdown table."""
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *lines, ""]


def title_of(column):
    """A column's heading."""
    return TITLES.get(column) or column.replace("_chance", ", by chance").replace("_area", ", area").replace(
        "_others", ", with another class's words"
    ).replace("_", " ")


def figure(models):
    """Every measure against accuracy, a panel each; checkpoints are joined in the order of their training."""
    width, height, left, top = 330.0, 250.0, 62.0, 34.0
    shown = [name for name in HELD if "area" not in name]
    sheet = Sheet(3 * width + 20, 2 * height + 56)
    sheet.text((left, 18), "One point, one model: how often it is right, against what both of its sides share", 15)
    for k, name in enumerate(shown):
        means = {model: mean_of(found, HELD[name]) for model, found in models.items()}
        x0, y0 = k % 3 * width + left, k // 3 * height + top + 16
        draw_panel(sheet, (x0, y0, x0 + width - left - 14, y0 + height - 62), name, models, means)
    for k, (text, colour) in enumerate((("checkpoints of one training", BLUE), ("embedded models", ORANGE))):
        sheet.dot((left + 6 + 230 * k, 2 * height + 40), 4, colour)
        sheet.text((left + 16 + 230 * k, 2 * height + 40), text, 12)
    return sheet.finish()


def draw_panel(sheet, box, name, models, means):
    """One measure's panel."""
    left, top, right, bottom = box
    low, high = min(0.0, *means.values()), max(means.values()) * 1.08
    at = {
        model: (
            left + found["right"].mean() * (right - left),
            bottom - (means[model] - low) / (high - low) * (bottom - top),
        )
        for model, found in models.items()
    }
    for share in (0, 0.5, 1):
        x, y = left + share * (right - left), bottom - share * (bottom - top)
        sheet.path([(x, top), (x, bottom)], (225, 225, 225), 1)
        sheet.path([(left, y), (right, y)], (225, 225, 225), 1)
        sheet.text((x, bottom + 11), f"{share:.0%}", 10, MUTED, "mm")
        sheet.text((left - 6, y), f"{low + share * (high - low):.2g}", 10, MUTED, "rm")
    sheet.text(((left + right) / 2, bottom + 26), "accuracy", 11, INK, "mm")
    sheet.text(((left + right) / 2, top - 10), name, 11, INK, "mm")
    sheet.path([at[model] for model in models if "step" in model], (170, 200, 225), 1.5)
    for model, point in at.items():
        sheet.dot(point, 3.5, BLUE if "step" in model else ORANGE)


def report(options):
    """Two tables by file name, and the figure."""
    found = {f"step {folder.name[5:]}": measured(folder, options) for folder in checkpoints(options)}
    found |= {name: measured(name, options) for name in CLEAN}
    about = (
        f"{options.images} scenes of one to four of the objects of twelve classes; a guess is right in 8.3 %. Steps "
        f"are those of one training of {RECIPE} from scratch, planned for {options.steps:,}. "
        "Means ± standard errors over scenes."
    )
    command = f"`python tests/benchmarks/mutual_knowledge.py --steps {options.steps} --images {options.images}`"
    lines = [line_of(name, one) for name, one in found.items()]
    first = table(("model", *map(title_of, SHOWN), *SPLIT), lines)
    columns = ("pool", "models", "measure", "Pearson", "Spearman", "low", "high")
    second = table(columns, correlation_lines(found))
    interval = f"Low and high: 95 % of the rank correlations over models drawn again, with repetition, {DRAWS:,} times."
    return {
        "mutual-knowledge.md": "\n".join([*first, about, "", command, ""]),
        "mutual-knowledge-correlations.md": "\n".join([*second, interval, "", command, ""]),
    }, figure(found)


def main():
    """Read the command line, train, measure, print and write tables and figure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="folder to write; by default the tables are only printed")
    parser.add_argument("--work", type=Path, default=Path("mutual-knowledge"), help="for checkpoints and raw tables")
    parser.add_argument("--steps", type=int, default=1500, help="of the training; the last kept is 1,250")
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    tables, drawn = report(options)
    for name, text in tables.items():
        print(text)
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / name).write_text(text, encoding="utf-8")
    if options.out is not None:
        flat = Image.new("RGB", drawn.size, "white")
        flat.paste(drawn, mask=drawn.getchannel("A"))
        flat.quantize(64).save(options.out / "mutual-knowledge.png", optimize=True)


if __name__ == "__main__":
    main()
