"""Explanations with known numbers in them, on scenes whose truth is known."""

import numpy as np

from fixlip import Explanation, emoji
from fixlip.players import Players, patch_labels


def mosaic(grid=(7, 7), tokens=("cat", "banana", "tractor", "ball"), seed=0, image=True, p=0.5):
    """A 2x2 scene; patches of an object interact with its word, a little of everything else with everything."""
    shown = emoji.scene(seed, words=["cat", "banana", "tractor", "ball"], layout="grid")
    rows, columns = grid
    n_image, n = rows * columns, rows * columns + len(tokens)
    rng = np.random.default_rng(seed)
    attributions, pairs = rng.normal(size=n) * 0.15, rng.normal(size=(n, n)) * 0.02
    for word, (left, top, right, bottom) in zip(shown.objects, shown.boxes, strict=True):
        for i in range(n_image):
            x, y = (i % columns + 0.5) * 336 / columns, (i // columns + 0.5) * 336 / rows
            if left <= x <= right and top <= y <= bottom:
                attributions[i] += 0.5
                for k, token in enumerate(tokens):
                    pairs[i, n_image + k] += 0.8 if token == word else -0.2
    pairs = np.triu(pairs, 1)
    players = Players(
        n_image,
        len(tokens),
        (*patch_labels(grid), *tokens),
        grid,
        np.asarray(shown.image) if image else None,
        " ".join(tokens),
        "toy",
        12.1,
        27.32,
    )
    return Explanation(12.1, attributions, pairs + pairs.T, players, p, estimator="by hand", budget=4096)
