"""What dropping absent patches saves, and what it changes: `python tests/benchmarks/dropping.py [SCENES]`.

With "zero" a removed patch is a blank one; with "drop" its token is taken out of the sequence. Speed is that of a
ViT-B/32 of random weights, in seconds of processor time, since other work beside it would count in those of a clock.
What changes is asked of embedded models: the same masks under both games, and both explanations of the same scenes.
Writes results/dropping.md.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch

import fixlip

MODELS = ("emoji-clip", "emoji-clip-plain", "emoji-siglip")
MASKS, ROUNDS, PS = 32, 2, (0.3, 0.5)
RESULT = Path(__file__).parent / "results" / "dropping.md"


def seconds() -> dict[tuple[str, float], float]:
    """Median seconds of processor time for a masked image, by masking and p."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    model, pixels = CLIPModel(CLIPConfig()), torch.randn(3, 224, 224)
    encoders = {how: fixlip.Encoder(model, image_masking=how) for how in ("zero", "drop")}
    found: dict[tuple[str, float], list[float]] = {}
    for number in range(ROUNDS + 1):
        for p in PS:
            masks = np.random.default_rng(number).random((MASKS, 49)) < p
            for how, encoder in encoders.items():
                start = time.process_time()
                list(encoder.embed_images(pixels, masks))
                if number:  # the first round warms up
                    found.setdefault((how, p), []).append((time.process_time() - start) / MASKS)
    return {key: float(np.median(times)) for key, times in found.items()}


def agreement(name: str, scenes: int) -> list[float]:
    """Medians over scenes of how far the two games and the two explanations agree."""
    encoders = {how: fixlip.load(name, device="cpu", image_masking=how) for how in ("zero", "drop")}
    rows = []
    for seed in range(scenes):
        scene = fixlip.emoji.scene(seed, objects=2)
        fresh, told = {}, {}
        for how, encoder in encoders.items():
            game = fixlip.Game(encoder, scene.image, scene.caption)
            told[how] = fixlip.sample(game, 512, p=0.5, progress=False).explain(0.5)
            masks = np.random.default_rng(10**6 + seed).random((300, game.n_players)) < 0.5
            fresh[how] = game(masks)
            error = np.mean((fresh[how] - told[how].predict(masks)) ** 2)
            told[how, "faithful"] = 1 - error / np.var(fresh[how])
        images = [told[how].values[: told[how].n_image] for how in encoders]
        pairs = [told[how].crossmodal().ravel() for how in encoders]
        games = [fresh[how] for how in encoders]
        row = [np.corrcoef(one, other)[0, 1] for one, other in (games, images, pairs)]
        spread = [fresh[how].std() for how in encoders]
        rows.append([*row, spread[1] / spread[0], *(told[how, "faithful"] for how in encoders)])
    return [float(value) for value in np.median(rows, axis=0)]


def report(times: dict[tuple[str, float], float], rows: dict[str, list[float]], scenes: int) -> str:
    """What was measured, in Markdown."""
    lines = [
        f"ViT-B/32 of random weights, {torch.get_num_threads()} thread(s), float32, {MASKS} masks a call, median of "
        f"{ROUNDS} calls: milliseconds of processor time for a masked image.",
        "",
        "| p | zero | drop | drop / zero |",
        "|---|---|---|---|",
    ]
    for p in PS:
        zero, drop = times["zero", p], times["drop", p]
        lines.append(f"| {p} | {1000 * zero:.0f} | {1000 * drop:.0f} | {drop / zero:.2f} |")
    lines += [
        "",
        f"Embedded models, medians over {scenes} scenes of two objects, 512 masked images, p = 0.5: correlations "
        'between "zero" and "drop", the ratio of the games\' standard deviations, and how faithful each explanation is '
        "to its own game (R squared on 300 fresh masks).",
        "",
        "| model | values of masks | patches' values | interactions of words and patches | spread, drop / zero "
        "| R squared, zero | R squared, drop |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(f"{value:.2f}" for value in row) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and write the tables."""
    scenes = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    text = report(seconds(), {name: agreement(name, scenes) for name in MODELS}, scenes)
    print(text)
    RESULT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
