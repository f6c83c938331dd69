"""Masks: which players are present. Enumerating and drawing them, with the weights of the p-measure.

A mask is a boolean row, one entry per player, True = the player is present. Under the p-measure every player is present
independently with probability p (Baniecki et al., NeurIPS 2025, Section 3), so a mask with k of n players has weight
p^k (1-p)^(n-k).
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

# 2^16 masks of 16 players: a second of work for a table game, and the largest enumeration anyone waits for.
MAX_ENUMERATED_PLAYERS = 16


# More masks than anyone will encode, and as many as fit in memory.
MOST_MASKS = 2**22


def check_p(p: float, name: str = "p") -> float:
    """Return `p` as a float, or raise ValueError unless 0 < p < 1."""
    try:
        value = float(p)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: got {p!r}, wanted a number between 0 and 1, for example 0.5.") from None
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name}: got {value:g}, wanted a probability strictly between 0 and 1, for example 0.5.")
    return value


def check_count(value: int, name: str, minimum: int = 1) -> int:
    """Return `value` as an int, or raise ValueError unless it is a whole number of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise ValueError(f"{name}: got {value!r}, wanted a whole number of at least {minimum:,}.")
    return int(value)


def check_seed(seed: int) -> int:
    """Return `seed`, or raise ValueError unless it is a whole number of at least 0."""
    return check_count(seed, "seed", 0)


def check_budget(budget: int, minimum: int = 2) -> int:
    """Return `budget`, or raise ValueError unless it is a whole number of masks that a computer can hold."""
    budget = check_count(budget, "budget", minimum)
    if budget > MOST_MASKS:
        raise ValueError(f"budget: got {budget:,}, wanted at most {MOST_MASKS:,} masks.")
    return budget


def check_masks(masks: object, n_players: int, name: str = "masks") -> BoolArray:
    """Return `masks` as a boolean array of shape (m, n_players).

    A single mask of shape (n_players,) is taken as one row.

    Raises:
        TypeError: if the entries are not booleans (0/1 integers are refused, since they are too easily indices).
        ValueError: if the shape does not fit the number of players.
    """
    array = np.asarray(masks)
    if array.dtype != np.bool_:
        raise TypeError(f"{name}: got entries of type {array.dtype}, wanted booleans (True = the player is present).")
    if array.ndim == 1:
        array = array[None, :]
    if array.ndim != 2 or array.shape[1] != n_players:
        raise ValueError(f"{name}: got shape {array.shape}, wanted (any number of masks, {n_players} players).")
    return array


def enumerate_masks(n_players: int) -> BoolArray:
    """All 2^n masks, shape (2^n, n); bit k of the row number says whether player k is present."""
    if n_players > MAX_ENUMERATED_PLAYERS:
        raise ValueError(
            f"n_players: got {n_players}, wanted at most {MAX_ENUMERATED_PLAYERS}, since all 2^n masks are listed."
        )
    rows = np.arange(2**n_players, dtype=np.uint32)
    return (rows[:, None] >> np.arange(n_players, dtype=np.uint32) & 1).astype(bool)


def mask_weights(masks: BoolArray, p: float) -> FloatArray:
    """Weight of each mask under the p-measure, p^k (1-p)^(n-k), shape (m,); all 2^n of them sum to one."""
    present = masks.sum(axis=1)
    return np.asarray(p**present * (1.0 - p) ** (masks.shape[1] - present), dtype=np.float64)


def draw_masks(n_players: int, size: int, p: float, rng: np.random.Generator) -> tuple[BoolArray, FloatArray]:
    """Draw up to `size` masks from the p-measure.

    If there are no more than `size` masks at all, every one is returned with its exact weight, so that nothing is left
    to chance. Otherwise as `draw_by_size` does.

    Args:
        n_players: number of players n.
        size: number of draws.
        p: probability with which each player is present.
        rng: source of randomness.

    Returns:
        masks (m, n) without repetitions, m <= size, and weights (m,), which sum to one.
    """
    if n_players <= MAX_ENUMERATED_PLAYERS and 2**n_players <= size:
        masks = enumerate_masks(n_players)
        return masks, mask_weights(masks, p)
    return draw_by_size(n_players, size, binomial_sizes(n_players, p), rng)


def draw_sequence(
    n_players: int, size: int, ps: tuple[float, ...], seed: int | np.random.SeedSequence
) -> tuple[BoolArray, FloatArray]:
    """The first `size` distinct masks of a random sequence: asking for more later keeps those drawn before.

    The first two are the empty and the full mask, whose values anchor every explanation; the rest follow the p-measures
    of `ps` in turn. If there are no more than `size` masks at all, all of them are returned, in random order.

    Args:
        n_players: number of players n.
        size: how many, at most: a sequence that keeps repeating itself ends early.
        ps: presence probabilities to draw from.
        seed: of the sequence.

    Returns:
        masks (m, n) without repetitions, and how often each was drawn, (m,) with sum one. The first two count only if
        they were drawn again.
    """
    rng = np.random.default_rng(seed)
    ends = np.stack([np.zeros(n_players, bool), np.ones(n_players, bool)])[: max(1, min(size, 2**n_players))]
    if n_players <= MAX_ENUMERATED_PLAYERS and 2**n_players <= size:
        inner = 1 + rng.permutation(2**n_players - 2) if n_players > 1 else np.zeros(0, dtype=np.intp)
        masks = np.concatenate([ends, enumerate_masks(n_players)[inner]])
        return masks, np.full(len(masks), 1 / len(masks))
    drawn = np.zeros((0, n_players), bool)
    for _ in range(4):
        present = np.resize(np.array(ps), (len(drawn) + size))[len(drawn) :, None]
        drawn = np.concatenate([drawn, rng.random((size, n_players)) < present])
        masks, counts = distinct(np.concatenate([ends, drawn]))
        if len(masks) >= size:
            break
    weights = counts[:size].astype(np.float64)
    weights[: len(ends)] -= 1
    if not weights.any():
        weights[:] = 1
    return masks[:size], weights / weights.sum()


def quadratic(masks: BoolArray, constant: float, first: FloatArray, second: FloatArray) -> FloatArray:
    """Constant + sum_i first_i x_i + sum_{i<j} second_ij x_i x_j for masks x of shape (m, n): (m,)."""
    present = masks.astype(np.float64)
    return np.asarray(constant + present @ first + 0.5 * np.einsum("mi,mi->m", present @ second, present))


def density(masks: BoolArray, ps: tuple[float, ...]) -> FloatArray:
    """Probability of each mask under the mixture of the p-measures of `ps`, up to a common factor, (m,)."""
    present, n_players = masks.sum(axis=1), masks.shape[1]
    logs = np.stack([present * np.log(p) + (n_players - present) * np.log1p(-p) for p in ps])
    highest = -n_players * np.log(2.0)  # the density at one half: keeps 256 players from vanishing
    return np.asarray(np.exp(logs - highest).mean(axis=0))


def draw_by_size(
    n_players: int, size: int, probabilities: FloatArray, rng: np.random.Generator
) -> tuple[BoolArray, FloatArray]:
    """Draw masks whose number of players follows a distribution, uniformly among those of a number.

    A number of players that would be drawn at least as often as there are such masks is enumerated instead, with exact
    weights (the "border trick"); the draws then share the probability that is left. The published code gives them a
    total weight of one instead, which is too much.

    Args:
        n_players: number of players n.
        size: masks at most.
        probabilities: (n + 1,) probability of each number of players, sum one.
        rng: source of randomness.

    Returns:
        masks (m, n) without repetitions, m <= size, and weights (m,), which sum to one and make any weighted average an
        unbiased estimate.
    """
    counts = _how_many(n_players)
    left, remaining = probabilities.copy(), size
    listed: list[int] = []
    while left.sum() > 0:
        expected = remaining * left / left.sum()
        certain = [k for k in np.flatnonzero(left > 0) if expected[k] >= counts[k] and counts[k] <= remaining]
        if not certain:
            break
        # The smallest sets first: they leave the most for the others.
        k = int(min(certain, key=lambda k: counts[k]))
        listed.append(k)
        remaining -= int(counts[k])
        left[k] = 0.0
    parts = [_all_of_size(n_players, k) for k in listed]
    weights = [np.full(len(part), probabilities[k] / counts[k]) for k, part in zip(listed, parts, strict=True)]
    if remaining > 0 and left.sum() > 0:
        drawn, times = distinct(
            random_of_sizes(n_players, rng.choice(n_players + 1, remaining, p=left / left.sum()), rng)
        )
        parts.append(drawn)
        weights.append(times * (left.sum() / remaining))
    return np.concatenate(parts), np.concatenate(weights)


def binomial_sizes(n_players: int, p: float) -> FloatArray:
    """Probability of each number of players present, (n + 1,), if each is present with probability p."""
    sizes = np.arange(n_players + 1)
    chances = np.exp(log_counts(n_players) + sizes * np.log(p) + (n_players - sizes) * np.log1p(-p))
    return np.asarray(chances / chances.sum())


def shapley_sizes(n_players: int) -> FloatArray:
    """Probability of each number of players present, (n + 1,), in the least squares that define Shapley values.

    The weight of a coalition of size k in the regression is proportional to 1 / C(n-2, k-1), so that of the size is to
    1 / (k (n - k)) (Tsai, Yeh and Ravikumar, JMLR 2023); the empty and the grand coalition have none.
    """
    sizes = np.arange(1, n_players)
    chances = np.zeros(n_players + 1)
    chances[1:-1] = 1.0 / (sizes * (n_players - sizes))
    return np.asarray(chances / chances.sum())


def log_counts(n_players: int) -> FloatArray:
    """Logarithms of how many coalitions of each size there are, (n + 1,)."""
    n = n_players
    return np.array([math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(n + 1)])


def _how_many(n_players: int) -> FloatArray:
    """How many masks there are of each size, (n + 1,); infinitely many where no double holds the number."""
    counts = (math.comb(n_players, k) for k in range(n_players + 1))
    return np.array([float(count) if count < 2**1000 else np.inf for count in counts])


def _all_of_size(n_players: int, k: int) -> BoolArray:
    chosen = np.array(list(itertools.combinations(range(n_players), k)), dtype=np.intp)
    chosen = chosen.reshape(math.comb(n_players, k), k)
    masks = np.zeros((len(chosen), n_players), bool)
    np.put_along_axis(masks, chosen, True, axis=1)
    return masks


def random_of_sizes(n_players: int, sizes: NDArray[np.int64], rng: np.random.Generator) -> BoolArray:
    """For each size a mask drawn uniformly among those of that size."""
    ranks = np.argsort(rng.random((len(sizes), n_players)), axis=1)
    return np.asarray(ranks < sizes[:, None])


def distinct(masks: BoolArray) -> tuple[BoolArray, NDArray[np.int64]]:
    """The distinct rows of `masks`, in order of first appearance, and how often each occurs."""
    keys = pack(masks)
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    order = np.argsort(first)
    return masks[first[order]], counts[order]


def pack(masks: BoolArray) -> NDArray[np.void]:
    """One opaque, hashable key a row, shape (m,): equal masks have equal keys."""
    bits = np.ascontiguousarray(np.packbits(masks, axis=1))
    if bits.shape[1] == 0:
        return np.zeros(len(masks), dtype="V1")
    return bits.view(f"V{bits.shape[1]}")[:, 0]
