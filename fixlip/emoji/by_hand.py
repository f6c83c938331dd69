"""Scenes put together by hand: which objects, in which colours, and where a badge or a written word lies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import scenes
from .planted import quarter_places
from .props import LABEL, TINTS, draw_badge, draw_label, recolour, to_picture
from .scenes import COLOURS, SHIPPED, Scene

Spot = tuple[float, float]  # across and down from the left upper corner, in units, 112 of which are a scene's side


def scene_by_hand(
    seed: int,
    words: Sequence[str],
    *,
    colours: Sequence[str] = (),
    badge: Spot | None = None,
    label: tuple[str, float, float] | None = None,
    background: str | None = None,
    size: int = 336,
) -> Scene:
    """A scene as it is wanted; the same seed and objects lie the same, whatever is added to them.

    Args:
        seed: any whole number, for what is left to chance: where the objects lie, and the background.
        words: one to four objects.
        colours: what colour each object is painted in, one of `props.TINTS`, or "" for its own; by default their own.
        badge: where the middle of a grey dot is, in units.
        label: a written word of up to seven letters (or "" for a blank label), and where its middle is, in units.
        background: one of `scenes.COLOURS`; by default drawn.
        size: side of the picture in pixels.

    Returns:
        the scene; its boxes and its caption are those of the objects, in the order given.

    Raises:
        ValueError: if an argument does not fit.
    """
    rng = np.random.default_rng(seed)
    chosen = scenes.choose(len(words), words, rng)
    tints = [*colours] if len(colours) else [""] * len(chosen)
    if len(tints) != len(chosen) or not set(tints) <= {"", *TINTS}:
        wanted = f'one for each of {len(chosen)} objects, "" or one of {", ".join(TINTS)}'
        raise ValueError(f"colours: got {colours!r}, wanted {wanted}.")
    drawn = str(rng.choice(list(COLOURS)))
    if background is not None and background not in COLOURS:
        raise ValueError(f"background: got {background!r}, wanted one of {', '.join(COLOURS)}.")
    behind = drawn if background is None else background
    canvas = scenes.draw_background(COLOURS[behind], size, rng)
    boxes = []
    for word, tint, (_, place) in zip(chosen, tints, quarter_places(len(chosen), rng, largest_first=True), strict=True):
        sprite = scenes.sprite_of(word, scenes.pixels_of(place, size), SHIPPED)
        boxes.append(scenes.paste(canvas, recolour(sprite, tint) if tint else sprite, place, rng))
    if badge is not None:
        draw_badge(canvas, *badge)
    if label is not None:
        draw_label(canvas, label[0], label[1] - LABEL[0] / 2, label[2] - LABEL[1] / 2)
    named = [" ".join(filter(None, pair)) for pair in zip(tints, chosen, strict=True)]
    return Scene(to_picture(canvas), scenes.caption(named), chosen, tuple(boxes), behind)
