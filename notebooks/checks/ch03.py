"""What the exercises of chapter 03 cross-modal estimator want."""

from __future__ import annotations

from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}

EXERCISES["03.1"] = Exercise(
    cases=lambda rng: [(1, 1, 4096, 32), (10, 20, 4096, 32), *rng.integers(2, 50, size=(3, 4)).tolist()],
    reference=lambda images, captions, m_image, m_text: images * m_image + captions * m_text,
    hint="a masked image can be used with every caption: nothing is encoded twice.",
    mistakes=[
        (
            lambda images, captions, m_image, m_text: images * captions * (m_image + m_text),
            "this encodes each image anew for every caption; a masked image can be used with every caption.",
        ),
        (
            lambda images, captions, m_image, m_text: images * captions * m_image * m_text,
            "this is how many values there are; each encoding serves many of them.",
        ),
        (
            lambda images, captions, m_image, m_text: images * m_image * captions * m_text * 2,
            "this is two encodings for every value; each encoding serves many values.",
        ),
        (
            lambda images, captions, m_image, m_text: images * m_image + m_text,
            "this is one caption; there are more of them.",
        ),
        (
            lambda images, captions, m_image, m_text: m_image + m_text,
            "this is one image with one caption; there are more of them.",
        ),
    ],
)


def _tables_of_terms(rng: np.random.Generator, terms: Any) -> Any:
    """Small tables, in which every part matters, and the chapter's."""
    for m_image, m_text, shape in ((4, 3, (5, 6)), (64, 8, (7, 4)), (2, 50, (3, 9))):
        sizes = rng.uniform(1, 3, size=3)
        table = sizes[0] * rng.normal(size=(shape[0], 1)) + sizes[1] * rng.normal(size=(1, shape[1]))
        yield table + sizes[2] * rng.normal(size=shape) + 1.0, m_image, m_text
    yield from ((terms, m_image, m_text) for m_image, m_text in ((16, 16), (64, 8)))


def _parts(terms: Any, ddof: int = 0) -> Any:
    """Variance of the rows' means, of the columns' means, and of the rest."""
    rows, columns = terms.mean(axis=1), terms.mean(axis=0)
    rest = terms - rows[:, None] - columns + terms.mean()
    return np.var(rows, ddof=ddof), np.var(columns, ddof=ddof), np.var(rest)


def _by_parts(divide: Any, ddof: int = 0) -> Any:
    """The function of a table and two numbers that divides the three parts by these and adds them up."""

    def total(terms: Any, m_image: int, m_text: int) -> float:
        return float(np.sum(np.array(_parts(terms, ddof)) / np.array(divide(m_image, m_text), float)))

    return total


_DDOF = (
    "this is the variance with ddof=1, the estimate for a larger population. Here the rows and columns of `terms` are "
    "all that is drawn from, so divide by their number: np.var as it is, ddof=0."
)


EXERCISES["03.2"] = Exercise(
    cases=_tables_of_terms,
    reference=_by_parts(lambda a, b: (a, b, a * b)),
    hint="the image's part is averaged over m_image draws, the caption's over m_text, the rest over both.",
    mistakes=[
        (_by_parts(lambda a, b: (a, b, a * b), ddof=1), _DDOF),
        (
            lambda terms, a, b: float(
                np.sum(
                    np.array([*_parts(terms, 1)[:2], np.var(terms - terms.mean(1)[:, None] - terms.mean(0), ddof=1)])
                    / np.array([a, b, a * b])
                )
            ),
            _DDOF,
        ),
        (
            _by_parts(lambda a, b: (a * b, a * b, a * b)),
            "this would hold for independent pairs; crossed values share their images and captions.",
        ),
        (
            _by_parts(lambda a, b: (b, a, a * b)),
            "m_image and m_text are exchanged: a row of `terms` is an image, terms.mean(axis=1) the image's part.",
        ),
        (
            _by_parts(lambda a, b: (a, b, np.inf)),
            "the part that only the pair explains is missing; it is averaged over m_image * m_text values.",
        ),
        (
            _by_parts(lambda a, b: (a, b, 1)),
            "the part that only the pair explains is averaged, too, over m_image * m_text values.",
        ),
        (
            _by_parts(lambda a, b: (1, 1, 1)),
            "this is the variance of one value; wanted is that of the average.",
        ),
        (
            lambda terms, a, b: np.sqrt(_by_parts(lambda a, b: (a, b, a * b))(terms, a, b)),
            "this is the standard error; wanted is its square, the variance.",
        ),
        (
            lambda terms, a, b: float(
                np.var(terms.mean(axis=1)) / a + np.var(terms.mean(axis=0)) / b + np.var(terms) / (a * b)
            ),
            "take the first two parts off before you divide by m_image * m_text; only the rest goes there.",
        ),
    ],
)
