"""When is it enough, and how well are values predicted: `python tests/benchmarks/enough.py [SCENES]`.

First: `target_faithfulness="auto"`, which is what the command line does, against the whole budget of 512 masked images,
by R squared on fresh masks. Second: `samples.predict` against the explanation of the same samples (drawn at several p),
and how often its 90 % intervals hold. Writes results/enough.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import fixlip

MODELS = ("emoji-clip", "emoji-clip-plain", "emoji-siglip")
PS, FRESH, FIRST_SCENE, BUDGET = (0.3, 0.5, 0.7), 1000, 100, 512
BUDGETS = (64, 128, 256)
RESULT = Path(__file__).parent / "results" / "enough.md"
Numbers = np.ndarray


def games(model: str, scenes: int) -> Iterator[tuple[fixlip.Game, int]]:
    """Scenes and their numbers; those of odd numbers have longer captions, of more tokens than are enumerated."""
    encoder = fixlip.load(model, device="cpu")
    for number in range(FIRST_SCENE, FIRST_SCENE + scenes):
        shown = fixlip.emoji.scene(number, objects=2)
        caption = f"{shown.caption} and a cat" if number % 2 == 0 else f"{shown.caption} and {shown.caption}"
        yield fixlip.Game(encoder, shown.image, caption), number


def fresh(game: fixlip.Game, number: int, p: float) -> tuple[Numbers, Numbers]:
    """Masks at p, and what the model says of them."""
    masks = np.random.default_rng(10**6 + number).random((FRESH, game.n_players)) < p
    return masks, game(masks)


def r2(truth: Numbers, predicted: Numbers) -> float:
    """R squared."""
    return float(1 - np.mean((truth - predicted) ** 2) / np.var(truth))


def ended(model: str, scenes: int) -> Iterator[str]:
    """Rows of the first table."""
    for p in PS:
        used, whole, lost = [], [], []
        for game, number in games(model, scenes):
            masks, truth = fresh(game, number, p)
            pair, options = (game.encoder, game.subject.image, game.subject.text), {"p": p, "progress": False}
            full = r2(truth, fixlip.explain(*pair, budget=BUDGET, **options).predict(masks))
            found = fixlip.explain(*pair, target_faithfulness="auto", **options)
            used.append(found.budget)
            whole.append(full)
            lost.append(full - r2(truth, found.predict(masks)))
        yield (
            f"| {model} | {p} | {np.mean(used):.0f} | {np.median(used):.0f} | {np.median(whole):.3f} | "
            f"{np.median(lost):.3f} | {max(lost):.3f} |"
        )


def predicted(model: str, scenes: int) -> Iterator[str]:
    """Rows of the second table."""
    found: dict[tuple[float, int], list[tuple[float, ...]]] = {}
    for game, number in games(model, scenes):
        samples = fixlip.sample(game, max(BUDGETS), seed=number, progress=False)
        for p in PS:
            masks, truth = fresh(game, number, p)
            for budget in BUDGETS:
                some = samples.first(budget)
                values, errors = some.predict(masks, with_errors=True)
                held = np.mean(np.abs(truth - values) <= 1.645 * errors)
                scores = r2(truth, values), r2(truth, some.explain(p).predict(masks)), held, errors.mean() / truth.std()
                found.setdefault((p, budget), []).append(scores)
    for (p, budget), rows in sorted(found.items()):
        of = np.array(rows)
        yield (
            f"| {model} | {p} | {budget} | {np.median(of[:, 0]):.3f} | {np.median(of[:, 1]):.3f} | "
            f"{of[:, 2].mean():.3f} | {of[:, 2].min():.3f} | {of[:, 3].mean():.2f} |"
        )


def main(scenes: int) -> None:
    """Measure and write."""
    lines = [
        f'Stopping where it is enough (`target_faithfulness="auto"`, at most {BUDGET} masked images, drawn at p): '
        f"images used, R squared of all {BUDGET} on {FRESH:,} fresh masks, and how much lower it is. {scenes} scenes.",
        "",
        "| model | p | images, mean | images, median | R squared of all, median | lower by, median | lower by, most |",
        "|---|---|---|---|---|---|---|",
        *(row for model in MODELS for row in ended(model, scenes)),
        "",
        "Predicted values (`samples.predict`, samples drawn at several p) and explanations of second order of the same "
        f"samples: R squared on {FRESH:,} fresh masks (medians), the share of 90 % intervals that hold (mean and least "
        f"of the scenes), and the mean standard error in standard deviations of the game. {scenes} scenes.",
        "",
        "| model | p | masked images | R squared, predicted | R squared, explained | intervals that hold | least "
        "| standard error |",
        "|---|---|---|---|---|---|---|---|",
        *(row for model in MODELS for row in predicted(model, scenes)),
        "",
    ]
    RESULT.write_text("\n".join(lines), encoding="utf-8")
    print(RESULT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8)
