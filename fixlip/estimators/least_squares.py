"""The cross-modal least-squares estimator (Baniecki et al., NeurIPS 2025, Definition 7).

All m_I * m_T pairs of masks enter the regression, but its design matrix is never built: the columns are products of an
image part a and a text part b, the weights are products too, and so the Gram matrix is

    G[(a, b), (a', b')] = G_image[a, a'] * G_text[b, b'],    G_image = Phi_image^T W_image Phi_image, likewise text.

Because values are scalar products of embeddings, the right-hand side needs no values either, only the expansions
Phi^T W (embeddings) of either side. In the p-biased orthonormal basis both Gram matrices are close to the identity; for
a caption whose masks are all there, the text one is the identity, and the system falls apart into small ones.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, LinAlgWarning, solve

from ..answers import Answers, Side
from ..explanation import Explanation
from ..masks import FloatArray
from .basis import expand, n_columns, pairs, to_coefficients
from .budgets import check_determined

BASES = ("full", "crossmodal")
# Rows of the design that are expanded at a time: bounds the memory whatever the budget.
_CHUNK_BYTES = 2**28


def crossmodal_least_squares(samples: Answers, p: float | None = None, basis: str = "full") -> Explanation:
    """Fit the second-order game to all pairs of masked images and masked captions.

    Args:
        samples: from `fixlip.sample`, or made from masks, weights and embeddings at hand.
        p: presence probability of the result; only the one at which the samples were drawn makes sense.
        basis: "full" (every pair of players) or "crossmodal" (only patch with token), which needs far fewer masked
            images but leaves the interactions inside the image to the attributions.

    Raises:
        ValueError: if there are too few masks to determine the coefficients, or p is not that of the samples.
    """
    if basis not in BASES:
        raise ValueError(f"basis: got {basis!r}, wanted one of {', '.join(BASES)}.")
    p = samples.check_drawn_at(p, "least squares")
    order = 2 if basis == "full" else 1
    subject, captions = samples.subject, len(samples.text_side.masks)
    check_determined(samples.budget, captions, subject.n_image, subject.n_text, basis)
    image, text = _expand_side(samples.image_side, p, order), _expand_side(samples.text_side, p, order)
    right = samples.scale * image.moments @ text.moments.T + samples.bias * np.outer(image.means, text.means)
    try:
        with warnings.catch_warnings():
            # A matrix singular to working precision is no better than a singular one.
            warnings.simplefilter("error", LinAlgWarning)
            if samples.text_side.exact:
                coefficients = _solve_by_text_column(image.gram, right, image.orders, text.orders)
            else:
                coefficients = _solve_jointly(image.gram, text.gram, right, image.orders, text.orders)
    except (LinAlgError, LinAlgWarning):
        raise ValueError(
            f"budget: {samples.budget:,} masked images and {captions:,} masked captions leave some "
            "coefficients undetermined; use more."
        ) from None
    return _explanation(coefficients, samples, p, basis)


@dataclass(frozen=True)
class _Expansion:
    """One side in the orthonormal basis: columns ordered as `expand` does."""

    gram: FloatArray  # (columns, columns)
    moments: FloatArray  # (columns, d): weighted averages of embeddings times chi
    means: FloatArray  # (columns,): weighted averages of chi
    orders: NDArray[np.intp]  # (columns,): |S|


def _expand_side(side: Side, p: float, order: int) -> _Expansion:
    n_masks, n_players = side.masks.shape
    order = min(order, n_players)
    columns = n_columns(n_players, order)
    gram = np.zeros((columns, columns))
    moments = np.zeros((columns, side.embeddings.shape[1]))
    means = np.zeros(columns)
    weights = side.weights_at(p)
    rows = max(1, _CHUNK_BYTES // (8 * columns))
    for start in range(0, n_masks, rows):
        part = slice(start, start + rows)
        phi = expand(side.masks[part], p, order)
        weighted = phi * weights[part, None]
        gram += phi.T @ weighted
        moments += weighted.T @ side.embeddings[part]
        means += weighted.sum(axis=0)
    orders = np.repeat(np.arange(order + 1), np.diff([0] + [n_columns(n_players, k) for k in range(order + 1)]))
    return _Expansion(gram, moments, means, orders)


def _solve_by_text_column(
    gram: FloatArray, right: FloatArray, image_orders: NDArray[np.intp], text_orders: NDArray[np.intp]
) -> FloatArray:
    """The text Gram matrix is the identity: every text column b has its own system over a with |a| + |b| <= 2."""
    coefficients = np.zeros_like(right)
    for order in np.unique(text_orders):
        rows, columns = np.flatnonzero(image_orders <= 2 - order), np.flatnonzero(text_orders == order)
        block = solve(gram[np.ix_(rows, rows)], right[np.ix_(rows, columns)], assume_a="pos")
        coefficients[np.ix_(rows, columns)] = block
    return coefficients


def _solve_jointly(
    image_gram: FloatArray,
    text_gram: FloatArray,
    right: FloatArray,
    image_orders: NDArray[np.intp],
    text_orders: NDArray[np.intp],
) -> FloatArray:
    a, b = np.nonzero(image_orders[:, None] + text_orders[None, :] <= 2)
    gram = image_gram[np.ix_(a, a)] * text_gram[np.ix_(b, b)]
    coefficients = np.zeros_like(right)
    coefficients[a, b] = solve(gram, right[a, b], assume_a="pos", overwrite_a=True)
    return coefficients


def _explanation(c: FloatArray, samples: Answers, p: float, basis: str) -> Explanation:
    """Orthonormal coefficients c[a, b], image part by text part, to an Explanation."""
    n_image, n_text = samples.subject.n_image, samples.subject.n_text
    n = n_image + n_text
    c1 = np.concatenate([c[1 : 1 + n_image, 0], c[0, 1 : 1 + n_text]])
    c2 = np.zeros((n, n))
    c2[:n_image, n_image:] = c[1 : 1 + n_image, 1 : 1 + n_text]
    if basis == "full":
        first, second = pairs(n_image)
        c2[first, second] = c[1 + n_image :, 0]
        first, second = pairs(n_text)
        c2[n_image + first, n_image + second] = c[0, 1 + n_text :]
    constant, attributions, interactions = to_coefficients(float(c[0, 0]), c1, c2 + c2.T, p)
    estimator = "cross-modal least squares" + (" (cross-modal pairs only)" if basis == "crossmodal" else "")
    return Explanation(
        constant,
        attributions,
        interactions,
        p=p,
        estimator=estimator,
        **samples.about(),
    )
