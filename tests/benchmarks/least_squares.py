"""Cross-modal least squares at the paper's budget: time and memory of the Gram route against the written-out design.

Run as `python tests/benchmarks/least_squares.py`. 2^15 masked images times 2^6 masked captions, 49 + 8 players,
embeddings given. The written-out design is solved at 1/64 of the rows, which is what fits; memory and time grow with
the rows.
"""

from __future__ import annotations

import resource
import time

import numpy as np

from fixlip.answers import Side
from fixlip.estimators.least_squares import crossmodal_least_squares
from fixlip.masks import draw_masks
from fixlip.samples import Samples
from fixlip.subject import Subject

N_IMAGE, N_TEXT, DIMENSION, P = 49, 8, 512, 0.5


def peak_gigabytes() -> float:
    """Largest memory this process has had, in GB (Linux counts kB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def side(n_players: int, n_masks: int, rng: np.random.Generator) -> Side:
    """Masks of one side, with embeddings that depend on them."""
    masks, weights = draw_masks(n_players, n_masks, P, rng)
    embeddings = np.tanh(1 + masks @ rng.normal(size=(n_players, DIMENSION)) / 3)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return Side(masks, weights, embeddings.astype(np.float32), (P,))


def written_out(samples: Samples, n_image_masks: int) -> None:
    """The same regression with its design matrix built row by row, on the first image masks only."""
    images, texts = samples.image_side.masks[:n_image_masks], samples.text_side.masks
    rows = np.hstack([np.repeat(images, len(texts), axis=0), np.tile(texts, (len(images), 1))])
    weights = np.outer(samples.image_side.weights[:n_image_masks], samples.text_side.weights).ravel()
    values = samples.scale * samples.image_side.embeddings[:n_image_masks] @ samples.text_side.embeddings.T
    first, second = np.triu_indices(rows.shape[1], 1)
    design = np.hstack([np.ones((len(rows), 1)), rows, rows[:, first] & rows[:, second]]).astype(np.float64)
    weighted = design * weights[:, None]
    np.linalg.lstsq(design.T @ weighted, weighted.T @ values.ravel(), rcond=None)


def main() -> None:
    """Measure both routes and print the ratios."""
    rng = np.random.default_rng(0)
    image, text = side(N_IMAGE, 2**15, rng), side(N_TEXT, 2**6, rng)
    players = Subject(N_IMAGE, N_TEXT, tuple(map(str, range(N_IMAGE + N_TEXT))))
    samples = Samples(players, image, text, 100.0, 0.0)
    before = peak_gigabytes()
    start = time.perf_counter()
    crossmodal_least_squares(samples)
    seconds, peak = time.perf_counter() - start, peak_gigabytes()
    print(f"Gram route, 2^21 pairs: {seconds:.1f} s, peak memory {peak:.2f} GB ({before:.2f} GB of it inputs)")

    part = 2**9
    start = time.perf_counter()
    written_out(samples, part)
    direct, direct_peak = time.perf_counter() - start, peak_gigabytes() - before
    scale = len(image.masks) / part
    print(
        f"design written out, 2^15 pairs: {direct:.1f} s, {direct_peak:.2f} GB more; times {scale:.0f} for 2^21 pairs"
    )
    print(f"ratio at 2^21 pairs: time {direct * scale / seconds:.0f}, memory {direct_peak * scale / peak:.0f}")


if __name__ == "__main__":
    main()
