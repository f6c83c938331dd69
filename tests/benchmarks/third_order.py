"""Does third order predict the model better? `python tests/benchmarks/third_order.py [--models ...]`.

Explanations of order 1, 2 and 3 are made from the same masked images of emoji scenes, and compared with the model on
fresh masks at the same p. Written is tests/benchmarks/results/third-order.md.
"""

import argparse
from pathlib import Path

import numpy as np

import fixlip
from fixlip.encoders.sources import EMBEDDED
from fixlip.experiments.bench import DRAWN_AT
from fixlip.experiments.datasets import pairs
from fixlip.metrics import faithfulness

RESULTS = Path(__file__).parent / "results"
ORDERS = (1, 2, 3)
COLUMNS = ("model", "p", "R², order 1", "R², order 2", "R², order 3", "gain of order 3", "scenes with a gain", "scenes")


def measured(encoder, scenes, ps, budget, masks):
    """R squared by p: (scenes, orders)."""
    found = {p: [] for p in ps}
    for number, item in enumerate(pairs("emoji", scenes).items):
        game = fixlip.Game(encoder, *item.read())
        readout = fixlip.sample(game, budget, DRAWN_AT, number, progress=False).readout()
        for p in ps:
            explanations = [readout.explain(p, order=order, errors=False) for order in ORDERS]
            # The same fresh masks for all, drawn with another seed than the samples.
            scores = [faithfulness(one, game, p, n_masks=masks, seed=10**6 + number) for one in explanations]
            found[p].append([one.r2 for one in scores])
    return {p: np.array(rows) for p, rows in found.items()}


def rows(model, found):
    """The table's rows of one model."""
    for p, r2 in found.items():
        gain = r2[:, 2] - r2[:, 1]
        error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else 0.0
        means = [f"{mean:.3f}" for mean in r2.mean(axis=0)]
        yield [model, f"{p:g}", *means, f"{gain.mean():+.4f} ± {error:.4f}", str(int((gain > 0).sum())), str(len(gain))]


def main():
    """Measure all models and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=EMBEDDED)
    parser.add_argument("--ps", nargs="+", type=float, default=(0.3, 0.5, 0.7))
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--budget", type=int, default=512)
    parser.add_argument("--masks", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for model in options.models:
        found = measured(fixlip.load(model), options.scenes, options.ps, options.budget, options.masks)
        for row in rows(model, found):
            lines.append("| " + " | ".join(row) + " |")
            print(lines[-1], flush=True)
    told = (
        f"R² on {options.masks:,} fresh masks at p, means over {options.scenes} emoji scenes with captions; "
        f"{options.budget} masked images each, drawn from p = 0.2 to 0.7, and the same for all orders. Gain: order 3 "
        "minus order 2, ± standard error over scenes."
    )
    (options.out / "third-order.md").write_text("\n".join([*lines, "", told]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
