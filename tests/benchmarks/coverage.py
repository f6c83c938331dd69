"""Are the error bars honest? `python tests/benchmarks/coverage.py --out FOLDER`

How many 90 % intervals contain the limiting value: of values (what a player does on average), of interactions within a
side and across the sides, and of attributions; at three p and for faithful Shapley interactions, from masks drawn at
that p and from the default mixture of p. The limit is one that the estimator had no part in (`board_limit`), and what
chance has left in it widens each interval a little. About 40 seconds of processor time a scene and p.

Shares of a scene are written to coverage.csv as they come, and what is there is not measured again.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
from board_limit import limit_of

import fixlip
from fixlip.encoders.sources import EMBEDDED
from fixlip.samples import MIXTURE

SIZES, Z = (1000, 6000), 1.645
BUDGETS = (128, 256, 512)
KINDS = ("values", "within a side", "across the sides", "attributions")
COLUMNS = ("model", "at", "scene", "drawn", "images", "kind", "covered", "stderr")


def kinds_of(found, limit, limit_variance):
    """For each kind: estimates, standard errors, limits and what chance has left in them, (k,) each."""
    n, image = found.n_players, np.arange(found.n_players) < found.n_image
    first, second = np.triu_indices(n, 1)
    within = image[first] == image[second]
    pairs = (found.interactions, found.stderr[1], limit.pairs, limit.pair_variance)
    pairs = np.array([one[first, second] for one in pairs])
    values = np.array([found.values, found.value_stderr, limit.values, limit.value_variance])
    # Attributions take the values less what pairs add; how far chance moves that limit is not worked out.
    of_pair = found.p if found.index == "banzhaf" else 0.5
    attributions = limit.values - of_pair * limit.pairs.sum(1)
    yield "values", values
    yield "within a side", pairs[:, within]
    yield "across the sides", pairs[:, ~within]
    yield "attributions", np.array([found.attributions, found.stderr[0], attributions, limit_variance])


def measure(model, scene, at):
    """Rows of a scene at p, or for Shapley interactions where `at` is "shapley"."""
    shown = fixlip.emoji.scene(scene, objects=2 + scene % 3)
    game = fixlip.Game(fixlip.load(model), shown.image, shown.caption)
    p = None if at == "shapley" else float(at)
    sizes = SIZES if game.n_image < 100 else (SIZES[0], SIZES[1] // 3)
    limit = limit_of(game, p, sizes, 10**6 + scene)
    of_attributions = limit.value_variance + (p or 0.5) ** 2 * limit.pair_variance.sum(1)
    for drawn in ("at p", "mixture") if p else ("mixture",):
        samples = fixlip.sample(game, max(BUDGETS), p=p if drawn == "at p" else MIXTURE, seed=scene, progress=False)
        for budget in BUDGETS:
            found = samples.first(budget).explain(p or 0.5, "banzhaf" if p else "shapley")
            for kind, (estimates, errors, truth, chance) in kinds_of(found, limit, of_attributions):
                covered = np.mean(np.abs(estimates - truth) <= Z * np.sqrt(errors**2 + chance))
                yield dict(zip(COLUMNS, (model, at, scene, drawn, budget, kind, covered, errors.mean()), strict=True))


def table(rows):
    """Markdown: means over scenes."""
    shares, scenes = defaultdict(list), defaultdict(set)
    for row in rows:
        key = tuple(row[name] for name in ("model", "at", "drawn", "images"))
        shares[key, row["kind"]].append(float(row["covered"]))
        scenes[key].add(row["scene"])
    lines = [
        f"| model | p | drawn | masked images | scenes | {' | '.join(KINDS)} |",
        "|---|---|---|---|---|" + "---|" * 4,
    ]
    inside = []
    for key in scenes:
        cells = [float(np.mean(shares[key, kind])) for kind in KINDS]
        inside += [0.85 <= cell <= 0.95 for cell in cells[:3]]
        lines.append(f"| {' | '.join(map(str, key))} | {len(scenes[key])} | {' | '.join(f'{c:.1%}' for c in cells)} |")
    cells = [float(np.mean(shares[key])) for key in shares if key[1] != "attributions"]
    return "\n".join(
        [
            *lines,
            "",
            "Means over scenes of the share of 90 % intervals that contain the limiting value. Of the cells of values "
            f"and interactions {np.mean(inside):.0%} lie between 85 and 95 %; the lowest is {min(cells):.1%}, the "
            f"highest {max(cells):.1%}, their mean {np.mean(cells):.1%}.",
            "",
        ]
    )


def main():
    """Read the command line, measure, write rows and the table as they grow."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("coverage"), help="folder to write")
    parser.add_argument("--models", nargs="+", default=list(EMBEDDED))
    parser.add_argument("--scenes", type=int, default=10)
    parser.add_argument("--at", nargs="+", default=["0.3", "0.5", "0.7"], help='several p, or "shapley"')
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "coverage.csv"
    if not path.exists():
        path.write_text(",".join(COLUMNS) + "\n")
    for scene in range(options.scenes):
        for model in options.models:
            for at in options.at:
                rows = list(csv.DictReader(path.open()))
                if any((row["model"], row["at"], row["scene"]) == (model, at, str(scene)) for row in rows):
                    continue
                rows = list(measure(model, scene, at))
                with path.open("a", newline="") as file:
                    csv.DictWriter(file, COLUMNS).writerows(rows)
                print(f"{model}, p = {at}, scene {scene + 1} of {options.scenes}", flush=True)
    rows = sorted(
        csv.DictReader(path.open()), key=lambda row: (row["model"], row["at"], row["drawn"], int(row["images"]))
    )
    (options.out / "coverage.md").write_text(table(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
