"""The leaderboard: how good is which estimator, from how many encodings? `python tests/benchmarks/leaderboard.py`

For every model and scene, at p (`--at 0.5`) or for faithful Shapley interactions (`--at shapley`): R squared on masks
that no estimator has seen, errors of values and of interactions against a limit that none had a part in (board_limit),
and processor seconds outside the encoders, for every estimator (board_rivals) and number of encoded images.

An encoding is one masked image through the image's encoder; masked captions come on top, and are counted beside.
Estimators of shapiq take part where shapiq 1.6 or newer, which wants Python 3.12, xgboost and lightgbm are installed.

Rows are written to leaderboard.csv in the folder `--out` scene by scene; what is there is not measured again, so that a
run can be stopped, and another environment, or another choice of `--estimators`, can add its rows. Tables and figure
are made of all rows there are; with `--scenes 0` nothing is measured.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path

import numpy as np
from board_limit import Limit, limit_of
from board_report import write
from board_rivals import RIVALS, SHAPIQ, Asked, Rival

import fixlip

VIT = "ViT-B/32, random weights"
# As many encodings at most, for an estimator; for the limit's fit and its correction; and for R squared.
MOST = (2560, (1000, 2000), 1000)
COSTLY = {"emoji-clip-fine": (1024, (1000, 2000), 500), VIT: (2048, (700, 1300), 500)}
Sizes = tuple[int, tuple[int, int], int]
MODELS = ("emoji-clip", "emoji-clip-plain", "emoji-siglip", "emoji-clip-fine", VIT)
CAPTIONS_OF_FRESH = 8
COLUMNS = (
    "model scene at estimator encodings captions r2 value_error interaction_error seconds value_size interaction_size"
).split()


def load(model: str, seed: int = 0):
    """An encoder; for ViT-B/32 one of weights drawn anew, nothing is downloaded."""
    if model != VIT:
        return fixlip.load(model)
    import real_model

    return real_model.encoders(seed, ("auto",))["auto"]


def game_of(model: str, encoder, scene: int) -> fixlip.Game:
    """The game of a scene: two, three or four objects in turn."""
    shown = fixlip.emoji.scene(scene, objects=2 + scene % 3)
    return fixlip.Game(encoder, shown.image, "a cat next to a banana" if model == VIT else shown.caption)


class Fresh:
    """Values that nothing was fitted to: masked images, each with a few masked captions."""

    def __init__(self, game: fixlip.Game, p: float, count: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        images = np.repeat(rng.random((count, game.n_image)) < p, CAPTIONS_OF_FRESH, 0)
        self.masks = np.hstack([images, rng.random((len(images), game.n_text)) < p])
        self.values = game(self.masks)

    def r_squared(self, explanation: fixlip.Explanation) -> float:
        """How much of their variance an explanation predicts."""
        return float(1 - np.mean((self.values - explanation.predict(self.masks)) ** 2) / self.values.var())


def judged(asked: Asked, rival: Rival, budget: int, limit: Limit, fresh: Fresh | None) -> dict:
    """What an estimator reaches with so many images."""
    asked.inside, asked.drawn, start = 0.0, {}, time.process_time()
    found = rival.make(asked, budget)
    seconds = time.process_time() - start - asked.inside
    drawn = asked.drawn.get("masks")
    captions = min(rival.captions or 2**asked.game.n_text, 2**asked.game.n_text)
    of_values, of_pairs = limit.errors(found)
    return {
        "encodings": budget,
        "captions": captions if drawn is None else len(np.unique(drawn, axis=0)),
        "r2": "" if fresh is None else fresh.r_squared(found),
        "value_error": of_values,
        "interaction_error": of_pairs if found.order == 2 else "",
        "seconds": seconds,
    }


def measure(game: fixlip.Game, p: float | None, seed: int, names: list[str], sizes: Sizes):
    """Rows of one scene at one p: the limit's first, then every estimator's; one without encodings where it refuses."""
    most, for_limit, fresh_images = sizes
    limit = limit_of(game, p, for_limit, 10**6 + seed)
    fresh = None if p is None else Fresh(game, p, fresh_images, 2 * 10**6 + seed)
    best = max((fresh.r_squared(one) for one in limit.predictors), default="") if fresh else ""
    of_values, of_pairs = limit.sizes
    yield {
        "estimator": "limit",
        "encodings": sum(for_limit),
        "r2": best,
        "value_size": of_values,
        "interaction_size": of_pairs,
    }
    asked = Asked(game, p, seed, most)
    _ = asked.own, RIVALS["kernel"].make(asked, 32)  # the first of all pays for what is set up once
    for name in names:
        rows = []
        for budget in (b for b in RIVALS[name].budgets_at(p) if b <= most):
            try:
                rows.append(judged(asked, RIVALS[name], budget, limit, fresh))
            except ValueError:  # too few masks to determine the coefficients
                continue
        for row in rows or [{"encodings": 0}]:
            yield {"estimator": name} | row


def run(options: argparse.Namespace) -> None:
    """Measure what is not in the file yet."""
    path = options.out / "leaderboard.csv"
    done = {(r["model"], r["scene"], r["at"], r["estimator"]) for r in read(path)}
    for model in options.models:
        encoder = None
        for scene in range(options.scenes):
            game = None
            for at in options.at[: 1 if scene % 2 and options.every_other else None]:
                p = None if at == "shapley" else float(at)
                names = [
                    name
                    for name in options.estimators
                    if (model, str(scene), at, name) not in done
                    and (SHAPIQ or not RIVALS[name].theirs)
                    and RIVALS[name].budgets_at(p)
                ]
                if not names:
                    continue
                if game is None:
                    encoder = load(model, scene) if encoder is None or model == VIT else encoder
                    game = game_of(model, encoder, scene)
                start = time.process_time()
                rows = list(measure(game, p, scene, names, COSTLY.get(model, MOST)))
                rows = rows[(model, str(scene), at, "limit") in done :]
                append_rows(path, [{"model": model, "scene": scene, "at": at} | row for row in rows], COLUMNS)
                print(f"{model}: scene {scene}, {at}: {time.process_time() - start:.0f} s of a processor", flush=True)


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a file, if there is one."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def append_rows(path: Path, rows: list[dict], columns: list[str]) -> None:
    """Write rows below those of a file, all at once, so that an interrupted run leaves whole scenes."""
    head = not path.exists()
    with open(path, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        if head:
            writer.writeheader()
        writer.writerows({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)


def main() -> None:
    """Read the command line, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("leaderboard"), help="folder to write")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS[:3]))
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--at", nargs="+", default=["0.5", "shapley"], help='presence probabilities, or "shapley"')
    parser.add_argument("--every-other", action="store_true", help="after the first of --at, every other scene only")
    parser.add_argument("--estimators", nargs="+", choices=list(RIVALS), default=list(RIVALS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if not SHAPIQ:
        told = "shapiq 1.6 or newer is not installed here (it wants Python 3.12): its estimators are not measured."
        print(told, file=sys.stderr)
    run(options)
    print(write(read(options.out / "leaderboard.csv"), options.out, SHAPIQ))


if __name__ == "__main__":
    main()
