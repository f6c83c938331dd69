"""What bfloat16 costs an explanation, and what it saves: `python tests/benchmarks/precision.py [MODEL]`.

The same masks go through the model in float32 and in bfloat16. Printed are how far single similarities and the
interactions of words with patches move, how faithful either explanation is to the float32 model on fresh masks, and the
ratio of the times.
"""

from __future__ import annotations

import sys
import time

import numpy as np

import fixlip

SCENES = 10


def main() -> None:
    """Explain the same scenes at both precisions and print the medians."""
    name = sys.argv[1] if len(sys.argv) > 1 else "emoji-clip"
    encoders = {dtype: fixlip.load(name, dtype=dtype) for dtype in ("float32", "bfloat16")}
    moved, off, faithful, seconds = [], [], {dtype: [] for dtype in encoders}, dict.fromkeys(encoders, 0.0)
    for seed in range(SCENES):
        scene = fixlip.emoji.scene(seed, objects=2 + seed % 3)
        found = {}
        for dtype, encoder in encoders.items():
            start = time.perf_counter()
            found[dtype] = fixlip.explain(encoder, scene.image, scene.caption, seed=seed, progress=False)
            seconds[dtype] += time.perf_counter() - start
        game = fixlip.Game(encoders["float32"], scene.image, scene.caption)
        fresh = np.random.default_rng(10**6 + seed).random((500, game.n_players)) < 0.5
        truth = game(fresh)
        for dtype, explanation in found.items():
            error = np.mean((truth - explanation.predict(fresh)) ** 2)
            faithful[dtype].append(1 - error / np.var(truth))
        off.append(abs(found["float32"].full_value - found["bfloat16"].full_value))
        exact, coarse = (found[dtype].crossmodal() for dtype in encoders)
        moved.append(np.sqrt(np.mean((exact - coarse) ** 2)) / exact.std())
    print(f"{name} on {encoders['float32'].device}, medians over {SCENES} scenes")
    print(f"the similarity of a pair moves by {np.median(off):.3f} logits, {np.max(off):.3f} at most")
    print(f"interactions move by {np.median(moved):.1%} of their standard deviation")
    for dtype in encoders:
        print(f"R squared on fresh masks, {dtype}: {np.median(faithful[dtype]):.4f}")
    print(f"time ratio bfloat16 / float32: {seconds['bfloat16'] / seconds['float32']:.2f}")


if __name__ == "__main__":
    main()
