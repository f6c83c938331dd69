"""Do visual concepts and FIxLIP point to the same patches? `python tests/benchmarks/concept_agreement.py --out FILE`

Scenes with two objects of one kind and one of another, for the twelve kinds in turn. The concepts come from patch
features and know of no class; interactions come from masked images and know of no features. For each scene the positive
part of a map of patches is summed over a set of patches: what share of it lies there, and what share of the patches is
that? Patches next to each other are alike in both, so that area is a mild yardstick; the other is the same set moved
over the picture by all steps, round its edges, which keeps its shape. About ten seconds a scene.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import fixlip
from fixlip.classification import Agreement
from fixlip.concepts import Classes
from fixlip.emoji.scenes import vocabulary

FIRST_SCENE = 4 * 10**6
MISSED = 0.1  # where concepts cover less of the objects' boxes, they are of the background
COLUMNS = ("model", "patches", "map", "scenes", "share there", "area", "as many times as by area")
COLUMNS += ("rank correlation", "moved sets that have as much or more")


def scene_of(k, classes):
    """A scene with two objects of the k-th kind and one of the next, and the numbers of these two."""
    kinds = [[word for word in prompt.split() if word in vocabulary()] for (prompt,) in classes.prompts]
    kind, rng = k % len(kinds), np.random.default_rng(k)
    words = [*rng.choice(kinds[kind], 2, replace=False), rng.choice(kinds[(kind + 1 + k // 12) % 12])]
    words = [str(word) for word in words]
    shown = fixlip.emoji.scene(FIRST_SCENE + k, words=words)
    return shown, kind, [shown.objects.index(word) for word in words[:2]]


def inside(shown, boxes, grid):
    """(n_image,), patches whose middle lies in one of the boxes."""
    side = shown.image.size[0]
    y, x = ((np.arange(n) + 0.5) * side / n for n in grid)
    found = np.zeros(grid, bool)
    for left, top, right, bottom in boxes:
        found |= np.outer((y >= top) & (y <= bottom), (x >= left) & (x <= right))
    return found.ravel()


def moved(patches, scores, grid):
    """The share of all moves of a set of patches, round the edges, whose share of the map is as large or larger."""
    real, shares = Agreement.of(patches, scores).share, []
    for down in range(grid[0]):
        for right in range(grid[1]):
            there = np.roll(patches.reshape(grid), (down, right), (0, 1)).ravel()
            shares.append(Agreement.of(there, scores).share)
    return float(np.mean(np.array(shares[1:]) >= real - 1e-12))


def measured(model, scenes, budget):
    """Of each set with each map, rows of (share, area, rank correlation, moved); how many were right, or missed."""
    encoder, classes = fixlip.load(model), Classes.emoji()
    found, right, missed = {}, 0, 0
    for k in range(scenes):
        shown, kind, own = scene_of(k, classes)
        one = fixlip.classify(encoder, shown.image, budget=budget, seed=k, cache=False, progress=False)
        right += one.concepts.target == kind
        grid = one.concepts.grid
        maps = {
            "interactions with the prompt": one.interactions,
            "contributions": one.explanation.values[: grid[0] * grid[1]],
            "contrast with the runner-up": one.contrast.patches,
        }
        sets = {
            "all concepts": one.concept_patches,
            "concepts with a shared word": one.shared_patches,
            "all objects' boxes": inside(shown, shown.boxes, grid),
            "boxes of the kind's two objects": inside(shown, [shown.boxes[b] for b in own], grid),
        }
        in_objects = Agreement.of(sets["all concepts"], sets["all objects' boxes"].astype(float))
        missed += in_objects is None or in_objects.share < MISSED
        pairs = {(s, m): (Agreement.of(sets[s], maps[m]), sets[s], maps[m]) for s in sets for m in maps}
        pairs["all concepts", "all objects' boxes"] = (
            in_objects,
            sets["all concepts"],
            sets["all objects' boxes"] * 1.0,
        )
        for name, (agreed, patches, scores) in pairs.items():
            if agreed is not None:
                row = (agreed.share, agreed.area, agreed.rank_correlation, moved(patches, scores, grid))
                found.setdefault(name, []).append(row)
    return found, right, missed


def lines(model, found):
    """Rows of the table; the means over scenes, with the standard error of the share."""
    told = []
    for (patches, name), rows in found.items():
        rows = np.array(rows)
        share, area, rank, above = rows.mean(0)
        error = rows[:, 0].std(ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else 0.0
        cells = (f"{len(rows)}", f"{share:.0%} ± {error:.0%}", f"{area:.0%}", f"{share / area:.1f}")
        told.append(f"| {model} | {patches} | {name} | {' | '.join(cells)} | {rank:+.2f} | {above:.0%} |")
    return told


def main():
    """Read the command line, measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="file to write; by default the table is only printed")
    parser.add_argument("--models", nargs="+", default=["emoji-clip", "emoji-siglip"])
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--budget", type=int, default=256)
    options = parser.parse_args()
    rows, right, missed = [], [], []
    for model in options.models:
        found, correct, without = measured(model, options.scenes, options.budget)
        rows += lines(model, found)
        right.append(f"{model} {correct} of {options.scenes}")
        missed.append(f"{model} {without} of {options.scenes}")
    about = (
        f"{options.scenes} scenes, each with two objects of one kind and one of another, {options.budget} masked "
        f"images, p = 0.5. Kinds predicted right: {', '.join(right)}. A share is that of the map's positive numbers, "
        "on average over scenes with its standard error; area is the share of all patches. Moved sets are the same "
        "patches shifted by all steps over the picture, round its edges: half of them have as much where nothing "
        "agrees. Scenes without a concept with a shared word do not count in those rows. The last row of a model has "
        f"the objects' boxes in place of a map: how much of them the concepts cover. Less than {MISSED:.0%} of them is "
        f"covered in {', '.join(missed)} scenes: there the rule that fewer patches stand out than not took the "
        "background."
    )
    command = f"`python tests/benchmarks/concept_agreement.py --scenes {options.scenes} --budget {options.budget}`"
    text = "\n".join([f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", *rows, "", about, "", command, ""])
    print(text)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
