"""Which number tells a model that binds from a bag of words? `python tests/benchmarks/binding.py`.

Scenes show two objects of two colours; emoji-clip-colours knows which colour belongs to which object, emoji-clip-bag
does not. Every number below is asked of both, and is scored by the area under the ROC curve of the scenes of the one
against those of the other. "Crossed" is the difference, within one explanation, between a colour word with its own
object's word and that object's patches, and the other colour word with the same. "Control" is the difference between
the caption's explanation and that of the caption with the colours swapped, of the same words and patches.
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
P = (0.3, 0.5, 0.7)
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
    # The same words stand in other places where the colours are swapped.
    words, moved = ([one.labels.index(word) for word in scene.words] for one in (game, other))
    terms = scene.terms(game, game.grid)
    own = [[term[0] for term in terms if set(term[1:]) == set(words[2 * k : 2 * k + 2])] for k in (0, 1)]
    regions = fixlip.Game(encoder, scene.image, scene.caption, image_players=list(scene.boxes))
    region_words = [regions.labels.index(word) for word in scene.words]
    for p in P:
        contrast = Contrast.of(samples, foil, p, order=1, errors=False)
        yield "order 1, control: objects' patches", p, sum(contrast.patches[k] for k in own[0] + own[1])
        third, swapped = (one.readout().explain(p, "banzhaf", 3, errors=False) for one in (samples, foil))
        each = [_of_pairs(one.pair_values, at, own) for one, at in ((third, words), (swapped, moved))]
        yield "order 2, crossed: colour with patch", p, each[0][0] - each[0][1]
        yield "order 2, control: colour with patch", p, each[0][0] - each[1][0]
        yield "order 2, crossed: colour with object's word", p, _of_words(third.pair_values, words)
        each = [_of_triples(one.triples, at, own) for one, at in ((third, words), (swapped, moved))]
        yield "order 3, crossed: colour, object's word, patch", p, each[0][0] - each[0][1]
        yield "order 3, control: colour, object's word, patch", p, each[0][0] - each[1][0]
        right, crossed = _of_triples(exact(regions, p, order=3).triples, region_words, [[0], [1]])
        yield "order 3, crossed, objects as players", p, right - crossed


def _of_pairs(pairs: np.ndarray, words: list[int], own: list[list[int]]) -> tuple[float, float]:
    """Sums over the objects' patches: with their own colour word, and with the other."""
    right, crossed = (sum(pairs[words[2 * (k ^ other)], own[k]].sum() for k in (0, 1)) for other in (0, 1))
    return float(right), float(crossed)


def _of_words(pairs: np.ndarray, words: list[int]) -> float:
    """(colour, its object's word) less (other colour, this word)."""
    return float(sum(pairs[words[2 * k], words[2 * k + 1]] - pairs[words[2 - 2 * k], words[2 * k + 1]] for k in (0, 1)))


def _of_triples(triples: np.ndarray, words: list[int], own: list[list[int]]) -> tuple[float, float]:
    """Sums over the objects' patches, with the object's word: with their own colour word, and with the other."""
    right, crossed = (
        sum(triples[words[2 * (k ^ other)], words[2 * k + 1], own[k]].sum() for k in (0, 1)) for other in (0, 1)
    )
    return float(right), float(crossed)


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
