"""Which number tells a model that binds from a bag of words? `python tests/benchmarks/binding.py`.

Scenes show two objects of two colours; emoji-clip-colours knows which colour belongs to which object, emoji-clip-bag
does not. Every number below is asked of both, and is scored by the area under the ROC curve of the scenes of the one
against those of the other. The differences are between right and crossed: a colour word with its own object's word and
that object's patches, against the other colour word with the same.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from scipy.stats import rankdata

import fixlip
from fixlip.contrasts import Contrast
from fixlip.emoji.planted import PlantedScene, planted_scene
from fixlip.estimators.exact import exact

MODELS = ("emoji-clip-colours", "emoji-clip-bag")
FIRST_SEED = 4_000_000
P = (0.3, 0.5, 0.7, 0.9)
# Masked images are drawn from all of these, so that one set serves every p.
DRAWN_AT = (0.2, 0.35, 0.5, 0.65, 0.8, 0.9)
BUDGET = 512


def numbers(encoder: fixlip.Encoder, scene: PlantedScene) -> Iterator[tuple[str, float | None, float]]:
    """What is measured on a scene: its name, p where it has one, and its value in logits."""
    game = fixlip.Game(encoder, scene.image, scene.caption)
    other = game.with_text(scene.foil)
    yield "the model's own answer", None, game.full_value - other.full_value
    samples = fixlip.sample(game, BUDGET, DRAWN_AT, 0, progress=False)
    foil = samples.with_caption(other, progress=False)
    words = [game.labels.index(word) for word in scene.words]
    terms = scene.terms(game, game.grid)
    own = [[term[0] for term in terms if set(term[1:]) == set(words[2 * k : 2 * k + 2])] for k in (0, 1)]
    regions = fixlip.Game(encoder, scene.image, scene.caption, image_players=list(scene.boxes))
    region_words = [regions.labels.index(word) for word in scene.words]
    for p in P:
        contrast = Contrast.of(samples, foil, p, errors=False)
        yield "order 1: contrast with the foil, objects' patches", p, sum(contrast.values[k] for k in own[0] + own[1])
        third = samples.readout().explain(p, "banzhaf", 3, errors=False)
        yield "order 2: colour with patch", p, _of_pairs(third.pair_values, words, own)
        yield "order 2: colour with object's word", p, _of_words(third.pair_values, words)
        yield "order 3: colour, object's word, patch", p, _of_triples(third.triples, words, own)
        few = exact(regions, p, order=3)
        objects = [[0], [1]]
        yield "order 2, objects as players: colour with object", p, _of_pairs(few.pair_values, region_words, objects)
        yield "order 3, objects as players", p, _of_triples(few.triples, region_words, objects)


def _of_pairs(pairs: np.ndarray, words: list[int], own: list[list[int]]) -> float:
    """Sum over the objects' patches of (own colour, patch) less (other colour, patch)."""
    return float(sum(pairs[words[2 * k], own[k]].sum() - pairs[words[2 - 2 * k], own[k]].sum() for k in (0, 1)))


def _of_words(pairs: np.ndarray, words: list[int]) -> float:
    """(colour, its object's word) less (other colour, this word)."""
    return float(sum(pairs[words[2 * k], words[2 * k + 1]] - pairs[words[2 - 2 * k], words[2 * k + 1]] for k in (0, 1)))


def _of_triples(triples: np.ndarray, words: list[int], own: list[list[int]]) -> float:
    """Sum over the objects' patches of (own colour, object's word, patch) less that with the other colour."""
    right, crossed = (
        sum(triples[words[colour], words[2 * k + 1], own[k]].sum() for k, colour in pairs)
        for pairs in (((0, 0), (1, 2)), ((0, 2), (1, 0)))
    )
    return float(right - crossed)


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenes", type=int, default=100, help="of each model, 100 by default")
    scenes = [planted_scene("binding", FIRST_SEED + k) for k in range(parser.parse_args().scenes)]
    found: dict[tuple[str, float | None], list[list[float]]] = defaultdict(lambda: [[], []])
    for k, name in enumerate(MODELS):
        encoder = fixlip.load(name)
        for scene in scenes:
            for what, p, value in numbers(encoder, scene):
                found[what, p][k].append(value)
    print("| number | p | separation | binds (logits) | bag (logits) | scenes |\n|---|---|---|---|---|---|")
    for (what, p), (binds, bag) in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] or 0)):
        n = len(binds)
        area = (rankdata(binds + bag)[:n].sum() - n * (n + 1) / 2) / n**2
        told = [f"{np.mean(each):.2f} ± {np.std(each) / n**0.5:.2f}" for each in (binds, bag)]
        print(f"| {what} | {'–' if p is None else p} | {area:.3f} | {told[0]} | {told[1]} | {n} |")


if __name__ == "__main__":
    main()
