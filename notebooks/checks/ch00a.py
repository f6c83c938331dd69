"""What the exercises of chapter 00a what CLIP is want."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


def _batches(rng: np.random.Generator) -> Iterator[tuple[Any, Any, float]]:
    """An image and captions of other lengths than one; where lengths decide, so do directions."""
    for count, scale in ((3, 2.0), (5, 4.0), (4, 1.5)):
        image, captions = rng.normal(size=6), rng.normal(size=(count, 6)) * rng.uniform(0.5, 3, (count, 1))
        yield image * 1.7, captions, scale


def _cosines(image: Any, captions: Any) -> Any:
    return captions @ image / np.linalg.norm(image) / np.linalg.norm(captions, axis=1)


def _softmax(logits: Any) -> Any:
    return np.exp(logits) / np.exp(logits).sum()


EXERCISES["00.4"] = Exercise(
    cases=_batches,
    reference=lambda image, captions, scale: _softmax(scale * _cosines(image, captions)),
    hint="divide each vector by its length, multiply the cosines by the scale, and take the softmax.",
    mistakes=[
        (
            lambda image, captions, scale: _softmax(scale * captions @ image),
            "these vectors are not of length one; divide each by its own length first.",
        ),
        (
            lambda image, captions, scale: _softmax(scale * captions @ image / np.linalg.norm(image)),
            "the captions are not of length one either; divide each row by its own length.",
        ),
        (
            lambda image, captions, scale: _softmax(
                scale * captions @ image / np.linalg.norm(image) / np.linalg.norm(captions)
            ),
            "this divides all captions by one number, the length of the whole array; use axis=1, keepdims=True.",
        ),
        (
            lambda image, captions, scale: _softmax(_cosines(image, captions)),
            "the scale is missing: the softmax of bare cosines is almost even.",
        ),
        (
            lambda image, captions, scale: _softmax(_cosines(image, captions) / scale),
            "the scale multiplies; it is the temperature, 1 / scale, that divides.",
        ),
        (
            lambda image, captions, scale: 1 / (1 + np.exp(-scale * _cosines(image, captions))),
            "this is the sigmoid, SigLIP's question; CLIP's probabilities are a softmax and add up to one.",
        ),
        (
            lambda image, captions, scale: scale * _cosines(image, captions),
            "these are the logits; take their softmax.",
        ),
    ],
)


def _tables(rng: np.random.Generator) -> Iterator[tuple[Any]]:
    """The second picture of the last table is similar to everything: all rows are right, one column is not."""
    for count in (9, 4, 6):
        yield (rng.normal(size=(count, count)) + 1.2 * np.eye(count) + rng.normal(size=(count, 1)),)
    yield (np.array([[3.0, 1.0, 0.0], [4.0, 9.0, 5.0], [0.0, 1.0, 6.0]]),)


def _shares(s: Any) -> Any:
    own = np.arange(len(s))
    return np.array([np.mean(s.argmax(axis=1) == own), np.mean(s.argmax(axis=0) == own)])


EXERCISES["00.5"] = Exercise(
    cases=_tables,
    reference=_shares,
    hint="s.argmax(axis=1) is the most similar caption of each picture; picture k is right if it is k.",
    mistakes=[
        (lambda s: _shares(s.T), "the two are exchanged: a picture is a row, and chooses along it, axis=1."),
        (lambda s: _shares(s)[[0, 0]], "the second share is about columns: a caption chooses a picture."),
        (lambda s: _shares(s)[[1, 1]], "the first share is about rows: each picture chooses a caption."),
        (
            lambda s: np.full(2, np.mean(np.diag(s) > 0)),
            "the sign says nothing, only the comparison with the other entries of the row or column.",
        ),
        (
            lambda s: _shares(s) * len(s),
            "these are counts; divide by the number of pictures.",
        ),
        (lambda s: float(np.mean(_shares(s))), "two shares were asked for; return both, pictures first."),
    ],
)
