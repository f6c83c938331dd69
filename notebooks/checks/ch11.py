"""What the exercises of chapter 11 five maps want."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from course import Exercise
from PIL import Image

from fixlip import Explanation, baselines
from fixlip.baselines.eclip import GRAD_ECLIP
from fixlip.baselines.routes import maps_of

EXERCISES: dict[str, Exercise] = {}


class _Map:
    """What an explanation by the same numbers equals: of first order, a score for each patch and none for words."""

    def __init__(self, pixels: Any, game: Any):
        self.scores = Explanation.from_heatmap(pixels, game.subject).attributions

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Explanation) and other.order == 1 and np.allclose(other.attributions, self.scores)

    def __repr__(self) -> str:
        first, second = self.scores[:2]
        return f"an Explanation of first order whose scores start with {first:.4g}, {second:.4g}"


def _pictures(rng: Any, game: Any) -> Iterator[tuple[Any, Any]]:
    """The game's own picture, and blocks of random colours on grounds that are not grey."""
    yield Image.fromarray(game.image), game
    for size in (56, 112, 140):
        blocks = rng.integers(0, 120, (14, 14, 3)) + rng.integers(0, 120, 3)
        yield Image.fromarray(blocks.astype(np.uint8)).resize((size, size), Image.Resampling.NEAREST), game


def _pixels(image: Any) -> Any:
    return np.asarray(image, float)


def _distance(image: Any) -> Any:
    pixels = _pixels(image)
    return np.linalg.norm(pixels - pixels.mean(axis=(0, 1)), axis=2)


def _of_patches(image: Any) -> Any:
    """The distance of each patch's mean colour, which is not the mean distance of its pixels."""
    pixels = _pixels(image)
    size = len(pixels) // 7
    patches = pixels[: 7 * size, : 7 * size].reshape(7, size, 7, size, 3).mean(axis=(1, 3))
    return np.linalg.norm(patches - pixels.mean(axis=(0, 1)), axis=2)


def _grey(image: Any) -> Any:
    grey = _pixels(image).mean(axis=2)
    return np.abs(grey - grey.mean())


def _made(pixels: Callable[[Any], Any]) -> Callable[[Any, Any], _Map]:
    return lambda image, game: _Map(pixels(image), game)


EXERCISES["11.1"] = Exercise(
    cases=_pictures,
    reference=_made(_distance),
    hint="subtract the mean colour (three numbers), take the norm over the last axis, and hand over the map.",
    mistakes=[
        (
            lambda image, game: _distance(image),
            "this is the map, an array of pixels; hand it to fixlip.Explanation.from_heatmap with the game.",
        ),
        (
            _made(lambda image: np.linalg.norm(_pixels(image) - _pixels(image).mean(), axis=2)),
            "this mean is one number for all three colours; take the mean over rows and columns, axis=(0, 1).",
        ),
        (
            _made(lambda image: np.abs(_pixels(image) - _pixels(image).mean(axis=(0, 1))).mean(axis=2)),
            "this adds up, or averages, the three distances; the Euclidean one is a root of squares.",
        ),
        (
            _made(lambda image: np.abs(_pixels(image) - _pixels(image).mean(axis=(0, 1))).sum(axis=2)),
            "this adds up, or averages, the three distances; the Euclidean one is a root of squares.",
        ),
        (
            _made(lambda image: (_distance(image)) ** 2),
            "this is the square of the distance; take the root.",
        ),
        (_made(lambda image: -_distance(image)), "the sign: what is far from the mean colour gets the high score."),
        (_made(_grey), "this compares brightness; two colours may be equally bright."),
        (
            _made(_of_patches),
            "these are distances of patches' mean colours; leave the averaging to from_heatmap, after the distance.",
        ),
    ],
)


def _four_maps(rng: Any, pair: Any) -> Iterator[tuple[Any, ...]]:
    """Maps of Grad-ECLIP under the four masked captions, and random ones."""
    masks = np.array([[False, False], [True, False], [False, True], [True, True]])
    maps = maps_of(pair, GRAD_ECLIP, "image", masks)
    for p in (0.3, 0.5, 0.8):
        yield *maps, p
        yield *rng.normal(size=(4, 49)), p


def _not_the_metagame(attempt: Any, pair: Any) -> str | None:
    """The same by the library, for the pair's own first word."""
    maps = next(iter(_four_maps(np.random.default_rng(0), pair)))[:4]
    for p in (0.25, 0.5, 0.7):
        wanted = baselines.metagame(pair, "grad-eclip", p).interactions[pair.n_image, : pair.n_image]
        if not np.allclose(attempt(*maps, p), wanted, atol=1e-6):
            return f"got another map than baselines.metagame at p = {p:g}, wanted the same. Hint: use the p given."
    return None


EXERCISES["11.2"] = Exercise(
    cases=_four_maps,
    reference=lambda empty, first, second, both, p: (1 - p) * (first - empty) + p * (both - second),
    hint="the first word joins the empty caption, or the second word; how likely is each, given p?",
    mistakes=[
        (lambda empty, first, second, both, p: first - empty, "this is its effect when the second word is absent."),
        (lambda empty, first, second, both, p: both - second, "this is its effect when the second word is present."),
        (
            lambda empty, first, second, both, p: p * (first - empty) + (1 - p) * (both - second),
            "p is the probability that the second word is present, and then the effect is both - second.",
        ),
        (
            lambda empty, first, second, both, p: (first - empty + both - second) / 2,
            "this is right at p = 1/2 only; weigh the two effects by how likely they are.",
        ),
        (
            lambda empty, first, second, both, p: (1 - p) * (second - empty) + p * (both - first),
            "this is the map of the second word.",
        ),
        (
            lambda empty, first, second, both, p: both - first - second + empty,
            "this is how the two words interact, third order with the patch; one word's value was asked for.",
        ),
        (
            lambda empty, first, second, both, p: p * (first - empty) + p * (both - second),
            "the two weights must add up to one: the second word is present or absent.",
        ),
    ],
    also=_not_the_metagame,
)
