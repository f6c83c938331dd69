"""Are the error bars honest? `python tests/benchmarks/coverage.py --out FOLDER`

How many 90 % intervals contain the limiting value: of interactions between patches, between patches and words, and of
attributions. The limit must not come from the estimator that is judged, whose errors it would share. So a fit to 2,048
masked images is corrected by plain averages over many more, of what that fit leaves unexplained; what these averages
miss is known, and the interval is widened by as much. Minutes a scene and p.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

import fixlip
from fixlip.encoders.sources import CLEAN

PS, FITTED, BATCH, Z = (0.3, 0.5, 0.7), 2048, 4000, 1.645
BUDGETS = (128, 256, 512)


def averages(columns):
    """Mean over rows and its squared standard error."""
    return columns.mean(0), columns.var(0) / len(columns)


def limiting_values(game, p, seed, n_masks):
    """Limits of interactions (n, n) and attributions (n,), each with the variance of what is left to chance."""
    fit = fixlip.sample(game, FITTED, p=p, seed=seed, progress=False).readout()
    single, pairs = (np.array(one) for one in fit.derivatives(p)[1:])
    f_n, variance, rng = game.n_image, p * (1 - p), np.random.default_rng(seed)
    average, firsts, sums = (game.scale * one.numpy() for one in fit.text.derivatives(p))
    parts = defaultdict(list)
    for _ in range(n_masks // BATCH):
        masks = rng.random((BATCH, f_n)) < p
        left = np.asarray(game.embed_images(masks), np.float64) - fit.image.predict(masks)
        h = (masks - p) / variance
        total = h.sum(1, keepdims=True)
        value, words, rest = left @ average, left @ firsts.T, left @ sums.T
        weighted = h * value[:, None]
        mean = weighted.T @ h / BATCH
        parts["patches"].append((mean, ((weighted**2).T @ h**2 / BATCH - mean**2) / BATCH))
        mean = h.T @ words / BATCH
        parts["cross"].append((mean, ((h**2).T @ words**2 / BATCH - mean**2) / BATCH))
        parts["left"].append((left.mean(0), np.zeros(left.shape[1])))
        of_patches = weighted - p * (weighted * (total - h) + h * words.sum(1, keepdims=True))
        parts["attributions"].append(averages(np.hstack([of_patches, words - p * (words * total + rest)])))
    found = {k: [sum(one) / len(v) for one in zip(*v, strict=True)] for k, v in parts.items()}
    batches = n_masks // BATCH
    errors = np.zeros_like(pairs)
    attributions = single - p * pairs.sum(1) + found["attributions"][0]
    np.fill_diagonal(found["patches"][0], 0.0)
    pairs[:f_n, :f_n] += found["patches"][0]
    pairs[:f_n, f_n:] += found["cross"][0]
    pairs[f_n:, :f_n] = pairs[:f_n, f_n:].T
    pairs[f_n:, f_n:] += game.scale * fit.text.pairs(p, torch.as_tensor(found["left"][0])).numpy()
    errors[:f_n, :f_n], errors[:f_n, f_n:] = found["patches"][1] / batches, found["cross"][1] / batches
    return pairs, errors, attributions, found["attributions"][1] / batches


def measure(model, scenes, p, n_masks):
    """Shares covered, a list of one a scene, by (budget, kind)."""
    encoder, covered = fixlip.load(model), defaultdict(list)
    for scene in range(scenes):
        shown = fixlip.emoji.scene(scene, objects=2 + scene % 3)
        game = fixlip.Game(encoder, shown.image, shown.caption)
        pairs, pair_errors, attributions, errors = limiting_values(game, p, 10**6 + scene, n_masks)
        first, second = np.triu_indices(game.n_players, 1)
        within, across = second < game.n_image, (first < game.n_image) & (second >= game.n_image)
        for budget in BUDGETS:
            found = fixlip.sample(game, budget, p=p, seed=scene, progress=False).explain(p)
            bars = np.sqrt(found.stderr[1] ** 2 + pair_errors)[first, second]
            inside = np.abs(found.interactions - pairs)[first, second] <= Z * bars
            covered[budget, "patch with patch"].append(inside[within].mean())
            covered[budget, "patch with word"].append(inside[across].mean())
            covered[budget, "all interactions"].append(inside.mean())
            bars = np.sqrt(found.stderr[0] ** 2 + errors)
            covered[budget, "attributions"].append(np.mean(np.abs(found.attributions - attributions) <= Z * bars))
    return covered


def main():
    """Read the command line, measure, write a table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("coverage"), help="folder to write")
    parser.add_argument("--models", nargs="+", default=list(CLEAN))
    parser.add_argument("--scenes", type=int, default=5)
    parser.add_argument("--ps", nargs="+", type=float, default=list(PS))
    parser.add_argument("--masks", type=int, default=40_000, help="that correct the limit")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    kinds = ("patch with patch", "patch with word", "all interactions", "attributions")
    lines = [
        f"| model | p | masked images | {' | '.join(kinds)} |",
        "|---|---|---|" + "---|" * len(kinds),
    ]
    for model in options.models:
        for p in options.ps:
            covered = measure(model, options.scenes, p, options.masks)
            for budget in BUDGETS:
                shares = (f"{np.mean(covered[budget, kind]):.1%}" for kind in kinds)
                lines.append(f"| {model} | {p} | {budget} | {' | '.join(shares)} |")
            told = f"Mean over {options.scenes} scenes of the share of 90 % intervals that contain the limiting value."
            (options.out / "coverage.md").write_text("\n".join([*lines, "", told, ""]))
            print("\n".join(lines[-len(BUDGETS) :]), flush=True)


if __name__ == "__main__":
    main()
