"""How many masked images does each estimator need? `python tests/benchmarks/estimators.py --out FOLDER`

For every embedded model, scene and p: R squared and Spearman correlation on fresh masks against the number of image
encodings, for every estimator. The limit is the best R squared that anything reached, the kernel estimator with 2,048
masked images at that p included. Written: one row a measurement (estimators.csv), a table of what was reached
(estimators.md), and curves (estimators.html). All ratios come from one run.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

import fixlip
from fixlip.answers import Side
from fixlip.encoders.sources import CLEAN
from fixlip.estimators.agnostic import agnostic_least_squares
from fixlip.estimators.indices import taylor
from fixlip.masks import draw_masks
from fixlip.samples import Samples

PS = (0.3, 0.5, 0.7)
BUDGETS = {
    "kernel": (32, 64, 96, 128, 192, 256, 512),
    "kernel, mixture of p": (64, 128, 256, 512),
    "cross-modal least squares": (1300, 1400, 1600, 2048, 2560, 3072, 4096),
    "model-agnostic least squares": (4096,),
    "tree proxy": (128, 512),
}
LIMIT, FRESH, TEXT_MASKS = 2048, 2000, 64
COLUMNS = ("model", "scene", "p", "estimator", "encodings", "r2", "spearman", "seconds", "encoding_seconds")
KERNEL = "kernel"


def quality(explanation, masks, truth):
    """R squared and Spearman correlation of the predictions; zero where the estimator refused."""
    if explanation is None:
        return 0.0, 0.0
    predicted = explanation.predict(masks)
    return 1 - np.mean((truth - predicted) ** 2) / truth.var(), spearmanr(truth, predicted).statistic


def published(samples, game, p, rng):
    """The same samples with captions as the paper has them: 64 drawn masks at most."""
    if game.n_text <= np.log2(TEXT_MASKS):
        return samples
    masks, weights = draw_masks(game.n_text, TEXT_MASKS, p, rng)
    text = Side(masks, weights, game.embed_texts(masks), (p,))
    return Samples(samples.subject, samples.image_side, text, samples.scale, samples.bias)


def explanations(game, p, seed, large):
    """Yield estimator, encodings, explanation, seconds outside the encoder, seconds in it."""
    start = time.perf_counter()
    most = max(BUDGETS["cross-modal least squares"]) if large else LIMIT
    own = fixlip.sample(game, most, p=p, seed=seed, progress=False)
    per_image = (time.perf_counter() - start) / most
    mixed = fixlip.sample(game, max(BUDGETS[KERNEL]), seed=seed, progress=False)
    rng = np.random.default_rng(seed)

    def timed(make):
        start = time.perf_counter()
        try:
            made = make()
        except ValueError:  # too few masks to determine the coefficients
            made = None
        return made, time.perf_counter() - start

    for name, samples in ((KERNEL, own), ("kernel, mixture of p", mixed)):
        for budget in BUDGETS[name]:
            yield name, budget, *timed(lambda s=samples, b=budget: s.first(b).explain(p)), per_image * budget
    if not large:
        return
    crossed = published(own, game, p, rng)
    for budget in BUDGETS["cross-modal least squares"]:
        made = timed(lambda b=budget: crossed.first(b).explain(p, estimator="crossmodal"))
        yield "cross-modal least squares", budget, *made, per_image * budget
    for budget in BUDGETS["tree proxy"]:
        yield (
            "tree proxy",
            budget,
            *timed(lambda b=budget: own.first(b).explain(p, estimator="tree")),
            per_image * budget,
        )
    for budget in BUDGETS["model-agnostic least squares"]:
        made = timed(lambda b=budget: agnostic_least_squares(game, b, p, pairs="crossmodal", seed=seed))
        yield "model-agnostic least squares", budget, *made, 0.0


def measure(models, scenes, ps, out):
    """All measurements, written as they come."""
    rows = []
    with open(out / "estimators.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for model in models:
            encoder = fixlip.load(model)
            for scene in range(scenes):
                shown = fixlip.emoji.scene(scene, objects=2 + scene % 3)
                for p in ps:
                    game = fixlip.Game(encoder, shown.image, shown.caption)
                    fresh = np.random.default_rng(10**6 + scene).random((FRESH, game.n_players)) < p
                    truth = game(fresh)
                    many = fixlip.sample(game, LIMIT, p=p, seed=10**6 + scene, progress=False).readout()
                    limit = fixlip.Explanation(*taylor(*many.derivatives(p), p), many.subject, p=p)
                    made = [("limit", LIMIT, limit, 0.0, 0.0)]
                    made += explanations(game, p, scene, large=encoder.grid[0] <= 7)
                    for name, budget, explanation, seconds, encoding in made:
                        values = (*quality(explanation, fresh, truth), seconds, encoding)
                        row = dict(zip(COLUMNS, (model, scene, p, name, budget, *values), strict=True))
                        rows.append(row)
                        writer.writerow({k: f"{v:.5f}" if isinstance(v, float) else v for k, v in row.items()})
                    file.flush()
                print(f"{model}: scene {scene + 1} of {scenes}", flush=True)
    return rows


def shares(rows):
    """R squared as a share of the limit, by (model, p, estimator): {encodings: one share a scene}; and the limits."""
    limits = defaultdict(float)
    for row in rows:
        key = (row["model"], row["p"], row["scene"])
        limits[key] = max(limits[key], row["r2"])
    found = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        limit = limits[row["model"], row["p"], row["scene"]]
        found[row["model"], row["p"], row["estimator"]][row["encodings"]][row["scene"]] = row["r2"] / limit
    return found, limits


def needed(curve, share=0.95):
    """Encodings from which a scene's share stays reached, for every scene (infinite where none is enough).

    Between two budgets, the share is taken to be linear in the logarithm of the budget.
    """
    budgets = sorted(curve)
    result = []
    for scene in curve[budgets[0]]:
        shares = [curve[b][scene] for b in budgets]
        last = max((i for i, value in enumerate(shares) if value < share), default=-1)
        if last == -1:
            result.append(float(budgets[0]))
        elif last == len(budgets) - 1:
            result.append(np.inf)
        else:
            low, high = shares[last], shares[last + 1]
            between = (share - low) / (high - low)
            result.append(float(budgets[last] * (budgets[last + 1] / budgets[last]) ** between))
    return np.array(result)


def table(rows):
    """Markdown: what each estimator needs and reaches."""
    found, limits = shares(rows)
    lines = [
        "| model | p | limit of R² | estimator | encodings for 95 % of the limit | R² at its largest budget |",
        "|---|---|---|---|---|---|",
    ]
    for (model, p, name), curve in found.items():
        if name == "limit":
            continue
        limit = np.median([v for k, v in limits.items() if k[:2] == (model, p)])
        most = max(curve)
        median = np.median(needed(curve))
        count = f"{median:,.0f}" if np.isfinite(median) else f"more than {most:,}"
        reached = limit * np.median(list(curve[most].values()))
        lines.append(f"| {model} | {p} | {limit:.3f} | {name} | {count} | {reached:.3f} at {most:,} |")
    lines += ["", "Medians over scenes. In one run, per scene at p = 0.5:", ""]
    ratios = []
    for model in dict.fromkeys(row["model"] for row in rows):
        few, many = found.get((model, 0.5, KERNEL)), found.get((model, 0.5, "cross-modal least squares"))
        if few and many:
            ratios.append(needed(many) / needed(few))
            at_256 = np.median(list(few[256].values()))
            lines.append(
                f"- {model}: cross-modal least squares needs {np.median(ratios[-1]):.1f} times the "
                f"kernel estimator's encodings for 95 % of the limit; 256 encodings reach {at_256:.1%} of it."
            )
    if ratios:
        together = np.concatenate(ratios)
        lines.append(f"- all {len(together)} scenes together: {np.median(together):.1f} times.")
    outside = [r["seconds"] / r["encoding_seconds"] for r in rows if r["estimator"] == KERNEL and r["encodings"] == 512]
    lines.append(f"- time outside the encoder with 512 encodings: {np.median(outside):.0%} of the time in it.")
    return "\n".join(lines) + "\n"


def curves(rows, path):
    """R squared against encodings, one panel a model, p = 0.5 (or the first p there is)."""
    from bokeh.embed import file_html
    from bokeh.layouts import gridplot
    from bokeh.palettes import Colorblind
    from bokeh.plotting import figure
    from bokeh.resources import INLINE

    found, limits = shares(rows)
    p = 0.5 if any(row["p"] == 0.5 for row in rows) else rows[0]["p"]
    panels = []
    for model in dict.fromkeys(row["model"] for row in rows):
        panel = figure(
            title=f"{model}, p = {p}",
            x_axis_type="log",
            x_axis_label="masked images encoded",
            y_axis_label="share of the limiting R²",
            y_range=(0, 1.03),
            width=520,
            height=360,
            toolbar_location=None,
        )
        for colour, name in zip(Colorblind[max(3, len(BUDGETS))], BUDGETS, strict=False):
            curve = found.get((model, p, name))
            if curve:
                x = sorted(curve)
                y = [np.median(list(curve[b].values())) for b in x]
                panel.line(x, y, color=colour, line_width=2.5, legend_label=name)
                panel.scatter(x, y, color=colour, size=7, legend_label=name)
        panel.line([30, 4200], [0.95, 0.95], color="gray", line_dash="dashed")
        panel.legend.location = "bottom_right"
        panel.legend.label_text_font_size = "8pt"
        panels.append(panel)
    path.write_text(file_html(gridplot(panels, ncols=2, toolbar_location=None), INLINE, "Estimators"))


def main():
    """Read the command line, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("estimators"), help="folder to write")
    parser.add_argument("--models", nargs="+", default=list(CLEAN))
    parser.add_argument("--scenes", type=int, default=10)
    parser.add_argument("--ps", nargs="+", type=float, default=list(PS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = measure(options.models, options.scenes, options.ps, options.out)
    text = table(rows)
    (options.out / "estimators.md").write_text(text)
    curves(rows, options.out / "estimators.html")
    print(text)


if __name__ == "__main__":
    main()
