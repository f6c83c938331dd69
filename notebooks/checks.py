"""What the exercises of the chapters want, by their numbers; do not read it before you have tried them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from course import Exercise

EXERCISES: dict[str, Exercise] = {}


# ---- 00 quick start


def _value(game: Any, mask: Any) -> float:
    return float(game(np.asarray(mask, bool))[0])


EXERCISES["00.1"] = Exercise(
    cases=lambda rng, game: [(game, word) for word in game.labels[game.n_image :]],
    reference=lambda game, word: _value(game, [label != word for label in game.labels]),
    hint="a mask has one entry per player; everyone but the word is present, and game(mask) returns an array.",
    mistakes=[
        (
            lambda game, word: _value(game, [label == word for label in game.labels]),
            "this is the word all alone; it is the word that has to be absent, and everybody else present.",
        ),
        (
            lambda game, word: game.full_value - _value(game, [label != word for label in game.labels]),
            "this is how much removing the word costs; wanted is the value that remains.",
        ),
        (
            lambda game, word: game(np.array([label != word for label in game.labels])),
            "game(mask) returns an array with one value; return that value, float(game(mask)[0]).",
        ),
    ],
    tolerance=1e-4,
)


def _pull(explanation: Any, word: str) -> Any:
    return explanation.condition(word)[:49].reshape(7, 7)


def _inside(box: Any) -> Any:
    centre = 48 * np.arange(7) + 24
    left, top, right, bottom = box
    return np.outer((top <= centre) & (centre <= bottom), (left <= centre) & (centre <= right))


def _share(pull: Any, inside: Any) -> float:
    return float(pull[inside].sum() / pull.sum())


def _boxes(rng: np.random.Generator, explanation: Any, scene: Any) -> Any:
    """Every object in its own box and in another's, and in boxes anywhere."""
    for word in scene.objects:
        yield from ((explanation, word, box) for box in scene.boxes)
        for left, top in rng.integers(0, 150, size=(3, 2)).tolist():
            yield explanation, word, (left, top, left + 100, top + 170)


EXERCISES["00.2"] = Exercise(
    cases=_boxes,
    reference=lambda explanation, word, box: _share(np.maximum(_pull(explanation, word), 0), _inside(box)),
    hint="add up the positive interactions of the patches inside, and divide by all positive ones.",
    mistakes=[
        (
            lambda explanation, word, box: _share(np.maximum(_pull(explanation, word), 0), _inside(box).T),
            "rows and columns are exchanged: patch k has row k // 7 and column k % 7; rows go with top and bottom.",
        ),
        (
            lambda explanation, word, box: _share(_pull(explanation, word), _inside(box)),
            "negative interactions do not count, neither inside the box nor in the sum over all patches.",
        ),
        (
            lambda explanation, word, box: _share(np.abs(_pull(explanation, word)), _inside(box)),
            "negative interactions do not count; their size was added here.",
        ),
        (
            lambda explanation, word, box: float(np.maximum(_pull(explanation, word), 0)[_inside(box)].sum()),
            "this is the sum inside; wanted is its share of the sum over all patches.",
        ),
        (
            lambda explanation, word, box: float(
                np.maximum(_pull(explanation, word), 0)[_inside(box)].sum()
                / np.maximum(explanation.condition(word), 0).sum()
            ),
            "only patches count; the interactions with other words are in the sum here.",
        ),
    ],
)


# ---- 01 masking game


def _contexts(rng: np.random.Generator, game: Any, count: int) -> Any:
    return rng.random((count, game.n_players)) < 0.5


def _some_contexts(rng: np.random.Generator, game: Any) -> Any:
    """Everybody; either half of the picture; and any players, half of them with the token absent that matters most."""
    for columns in (np.arange(7) >= 0, np.arange(7) >= 4, np.arange(7) < 4):
        yield game, np.append(np.tile(columns, 7), np.ones(game.n_text, bool))
    for context in _contexts(rng, game, 4):
        yield game, context
        absent = context.copy()
        absent[game.n_image + int(np.argmax(_gains(game, context)))] = False
        yield game, absent


def _gains(game: Any, context: Any) -> Any:
    """Marginal contribution of every token to a context."""
    gains = []
    for player in range(game.n_image, game.n_players):
        masks = np.stack([context, context])
        masks[0, player], masks[1, player] = False, True
        without, with_it = game(masks)
        gains.append(with_it - without)
    return np.array(gains)


def _token(game: Any, scores: Any) -> str:
    return str(game.labels[game.n_image + int(np.argmax(scores))])


EXERCISES["01.1"] = Exercise(
    cases=_some_contexts,
    reference=lambda game, context: _token(game, _gains(game, context)),
    hint="the contribution is the value with the token minus the value without it, everyone else as in the context.",
    mistakes=[
        (
            lambda game, context: int(np.argmax(_gains(game, context))),
            "this is a number; wanted is the label of the token.",
        ),
        (
            lambda game, context: game.n_image + int(np.argmax(_gains(game, context))),
            "this is the player's number; wanted is its label.",
        ),
        (
            lambda game, context: _token(game, np.where(context[game.n_image :], _gains(game, context), -np.inf)),
            "a token that is absent from the context has a contribution as well: what it would add.",
        ),
        (
            lambda game, context: _token(game, np.abs(_gains(game, context))),
            "this is the contribution of largest size; wanted is the largest, and a negative one is not large.",
        ),
    ],
)


def _some_pairs(rng: np.random.Generator, game: Any) -> Any:
    """A token with a patch, two patches, two tokens, each in other contexts."""
    n, n_image = game.n_players, game.n_image
    for i, j in ((n_image + 1, 16), (n - 1, 16), (16, 17), (n_image + 1, n - 1), (n - 1, int(rng.integers(n_image)))):
        yield game, i, j, _contexts(rng, game, 12)


def _meeting(game: Any, i: int, j: int, contexts: Any, signs: Any = (1, -1, -1, 1)) -> Any:
    """What nobody, only i, only j and both are worth, with signs, per context."""
    copies = np.stack([contexts] * 4)
    copies[:, :, [i, j]] = False
    copies[1, :, i] = copies[2, :, j] = copies[3, :, i] = copies[3, :, j] = True
    return np.asarray(signs) @ game(copies.reshape(-1, game.n_players)).reshape(4, -1)


class _Counted:
    """A game that counts how often it is called."""

    def __init__(self, game: Any):
        self.game, self.calls = game, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.game, name)

    def __call__(self, masks: Any) -> Any:
        self.calls += 1
        return self.game(masks)


def _calls_once(attempt: Any, game: Any) -> str | None:
    counted = _Counted(game)
    attempt(counted, game.n_image + 1, 16, _contexts(np.random.default_rng(1), game, 5))
    if counted.calls == 1:
        return None
    return (
        f"got the right numbers by {counted.calls} calls of game for 5 contexts, wanted one call for all. "
        "Hint: make one array of all masks, of shape (4 * contexts, players), and split the values afterwards."
    )


EXERCISES["01.2"] = Exercise(
    cases=_some_pairs,
    reference=lambda game, i, j, contexts: float(_meeting(game, i, j, contexts).mean()),
    hint="stack four copies of the contexts: nobody, only i, only j, both; the signs are + - - +.",
    mistakes=[
        (
            lambda game, i, j, contexts: float(_meeting(game, i, j, contexts, (-1, 0, 0, 1)).mean()),
            "this is what both add to nobody; take off what each adds by itself.",
        ),
        (
            lambda game, i, j, contexts: float(_meeting(game, i, j, contexts, (0, -1, -1, 1)).mean()),
            "the value of the context without either is missing; its sign is plus.",
        ),
        (
            lambda game, i, j, contexts: _meeting(game, i, j, contexts),
            "this is one number for each context; wanted is their average.",
        ),
        (
            lambda game, i, j, contexts: float(_meeting(game, i, j, contexts).sum()),
            "this is the sum over the contexts; wanted is the average.",
        ),
    ],
    also=_calls_once,
    tolerance=1e-4,
)


# ---- 02 Shapley to Banzhaf


class _Table(dict[tuple[int, ...], float]):
    """Values of coalitions, which says how they are named if one is asked for otherwise."""

    def __missing__(self, key: object) -> float:
        raise KeyError(f"{key!r} is no coalition here; the keys are sorted tuples of different players, such as (0, 2)")


def _table(rng: np.random.Generator, n: int) -> _Table:
    coalitions = (s for size in range(n + 1) for s in itertools.combinations(range(n), size))
    return _Table({coalition: round(float(rng.normal(0, 4)), 1) for coalition in coalitions})


def _with(values: Any, context: Any, *players: int) -> float:
    return float(values[tuple(sorted((*context, *players)))])


def _over_contexts(n: int, of: Any, weight: Any, but: Any) -> float:
    """Weighted sum of `of(context)` over the coalitions of the players other than `but`; weight(size, others)."""
    others = [i for i in range(n) if i not in but]
    return sum(
        weight(size, len(others)) * of(context)
        for size in range(len(others) + 1)
        for context in itertools.combinations(others, size)
    )


def _by_subsets(weight: Any) -> Any:
    """The function of a game's values that adds up a player's marginal contributions with these weights."""

    def total(values: Any, player: int, n: int) -> float:
        return _over_contexts(n, lambda c: _with(values, c, player) - _with(values, c), weight, (player,))

    return total


def _players_of_games(rng: np.random.Generator, game: Any) -> Any:
    yield from ((_Table(game.values), player, 3) for player in (1, 0, 2))
    for n in (2, 3, 4, 5):
        yield _table(rng, n), int(rng.integers(n)), n


EXERCISES["02.1"] = Exercise(
    cases=_players_of_games,
    reference=_by_subsets(lambda k, others: 1 / ((others + 1) * math.comb(others, k))),
    hint="a set of k others has weight 1 / (n * C(n-1, k)); values wants sorted tuples, tuple(sorted(...)).",
    mistakes=[
        (
            _by_subsets(lambda k, others: 1 / 2**others),
            "this is the Banzhaf value: all coalitions of the others weigh the same here. In orders, their sizes do.",
        ),
        (
            _by_subsets(lambda k, others: 1 / (others + 1)),
            "each size k has probability 1/n, but its C(n-1, k) coalitions have to share that.",
        ),
        (
            _by_subsets(lambda k, others: 1 / math.comb(others, k)),
            "the sizes 0 to n-1 have probability 1/n each; divide by n.",
        ),
        (
            _by_subsets(lambda k, others: (k < others) / ((others + 1) * math.comb(others, k))),
            "the context in which all others are present is missing: k goes from 0 to n-1.",
        ),
        (
            _by_subsets(lambda k, others: (k > 0) / ((others + 1) * math.comb(others, k))),
            "the empty context is missing: k goes from 0 to n-1.",
        ),
        (
            _by_subsets(lambda k, others: 1.0 * (k == others)),
            "this is what the player adds to all others; average over everyone who may have come before.",
        ),
    ],
)


def _interaction(weight: Any) -> Any:
    """The function of a game's values that adds up two players' interactions; weight(k, others, p)."""

    def total(values: Any, i: int, j: int, n: int, p: float) -> float:
        def delta(context: Any) -> float:
            either = _with(values, context, i) + _with(values, context, j)
            return _with(values, context, i, j) - either + _with(values, context)

        return _over_contexts(n, delta, lambda k, others: weight(k, others, p), (i, j))

    return total


def _pairs_of_games(rng: np.random.Generator, game: Any) -> Any:
    yield from ((_Table(game.values), i, j, 3, p) for i, j, p in ((0, 1, 0.5), (1, 2, 0.3), (2, 0, 0.8)))
    for n in (2, 4, 5):
        i, j = rng.choice(n, 2, replace=False).tolist()
        yield _table(rng, n), i, j, n, round(float(rng.uniform(0.1, 0.9)), 2)


EXERCISES["02.2"] = Exercise(
    cases=_pairs_of_games,
    reference=_interaction(lambda k, others, p: p**k * (1 - p) ** (others - k)),
    hint="a context with k of the n - 2 others has weight p^k (1-p)^(n-2-k).",
    mistakes=[
        (
            _interaction(lambda k, others, p: 1 / 2**others),
            "all contexts weigh the same here, which is right for p = 0.5 only.",
        ),
        (
            _interaction(lambda k, others, p: (1 - p) ** k * p ** (others - k)),
            "p is the probability of being present; here it is that of being absent.",
        ),
        (
            _interaction(lambda k, others, p: p**k),
            "the others who are absent count as well, each with 1 - p.",
        ),
        (
            _interaction(lambda k, others, p: p**k * (1 - p) ** (others + 1 - k)),
            "without the two players there are n - 2 others, not n - 1.",
        ),
        (
            _interaction(lambda k, others, p: 1.0 * (k == 0)),
            "only the empty context is in this sum; the others may be present.",
        ),
        (
            _interaction(lambda k, others, p: 1 / ((others + 1) * math.comb(others, k))),
            "these are the weights of the Shapley value; wanted are those of coins with probability p.",
        ),
    ],
)


# ---- 03 cross-modal estimator


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
