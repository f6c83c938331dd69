"""A player's contribution: against its definition, written out over all coalitions, and against what removing it does.

Nothing in here uses the expansion around p that the library computes with: a value is the average, over who else is
present, of what joining changes.
"""

import itertools
import math

import numpy as np
import pytest
import shapiq
from toys import RandomBilinearGame, SmoothGame, TableGame, make

import fixlip
from fixlip import Explanation
from fixlip.estimators.agnostic import agnostic_least_squares
from fixlip.estimators.exact import exact

PS = [0.2, 0.5, 0.8]


def coalitions(n):
    """All masks of n players, (2^n, n)."""
    return np.array(list(itertools.product([False, True], repeat=n)))


def joined(game, player):
    """Coalitions without a player, (m, n), and what it changes when it joins each."""
    n = game.n_image + game.n_text
    without = coalitions(n)
    without = without[~without[:, player]]
    present = without.copy()
    present[:, player] = True
    return without, game(present) - game(without)


def average_value(game, player, p):
    """Average marginal contribution, the others being present with probability p each."""
    others, gain = joined(game, player)
    present, n = others.sum(axis=1), others.shape[1]
    chances = p**present * (1 - p) ** (n - 1 - present)
    assert chances.sum() == pytest.approx(1)
    return float(chances @ gain)


def shapley_value(game, player):
    """Average marginal contribution over all orders in which the players may join."""
    others, gain = joined(game, player)
    n = others.shape[1]
    orders = [math.factorial(k) * math.factorial(n - 1 - k) / math.factorial(n) for k in others.sum(axis=1)]
    return float(np.dot(orders, gain))


def all_values(game, p):
    return [average_value(game, player, p) for player in range(game.n_image + game.n_text)]


GAMES = {
    "any game of 8": TableGame(np.random.default_rng(1).normal(size=2**8), 5, 3),
    "any game of 9": TableGame(np.random.default_rng(2).normal(size=2**9), 2, 7),
    "bilinear game of 10": RandomBilinearGame(6, 4, seed=3),
}


@pytest.fixture(params=GAMES)
def game(request):
    return GAMES[request.param]


# ---- by enumeration


@pytest.mark.parametrize("p", PS)
def test_a_value_is_the_average_marginal_contribution(game, p):
    expected = all_values(game, p)
    found = exact(game, p)
    np.testing.assert_allclose(found.values, expected, atol=1e-10)
    np.testing.assert_allclose(found.first_order().values, expected, atol=1e-10)
    by_player = {term.players[0]: term.value for term in found.top(99, kind="players")}
    np.testing.assert_allclose([by_player[i] for i in range(found.n_players)], expected, atol=1e-10)
    assert np.abs(found.attributions - expected).max() > 0.1, "attributions are something else"


@pytest.mark.parametrize("p", PS)
@pytest.mark.parametrize("order", [1, 2])
def test_estimators_that_see_every_coalition_give_the_same_values(p, order):
    game = GAMES["bilinear game of 10"]
    expected = all_values(game, p)
    samples = fixlip.sample(game, 2**6, progress=False)
    np.testing.assert_allclose(samples.explain(p, order=order).values, expected, atol=1e-8)
    np.testing.assert_allclose(agnostic_least_squares(game, 2**10, p, order=order).values, expected, atol=1e-6)


@pytest.mark.parametrize("index", ["shapley", "sii"])
def test_values_of_shapley_interactions_are_shapley_values(game, index):
    n = game.n_image + game.n_text
    computer = shapiq.ExactComputer(n_players=n, game=lambda masks: game(np.asarray(masks, bool)))
    reference = computer("SV", order=1)
    expected = [shapley_value(game, player) for player in range(n)]
    found = exact(game, index=index)
    np.testing.assert_allclose(found.values, expected, atol=1e-10)
    np.testing.assert_allclose(found.values, [reference[(player,)] for player in range(n)], atol=1e-4)
    ends = game(coalitions(n)[[0, -1]])
    assert found.values.sum() == pytest.approx(ends[1] - ends[0]), "the full value less the empty one"


@pytest.mark.parametrize("p", PS)
def test_the_average_is_that_of_the_game(game, p):
    masks = coalitions(game.n_image + game.n_text)
    chances = np.prod(np.where(masks, p, 1 - p), axis=1)
    found = exact(game, p)
    assert found.average == pytest.approx(chances @ game(masks), abs=1e-10)
    assert found.average == pytest.approx(chances @ found.predict(masks), abs=1e-10)
    assert found.first_order().average == pytest.approx(found.average, abs=1e-10)


@pytest.mark.parametrize("p", PS)
def test_the_same_game_written_around_p(game, p):
    """prediction(x) = average + sum_i values[i] (x_i - p) + sum_{i<j} interactions[i, j] (x_i - p) (x_j - p)."""
    found = exact(game, p)
    masks = coalitions(found.n_players)
    away = masks - p
    around = found.average + away @ found.values
    for i, j in itertools.combinations(range(found.n_players), 2):
        around += found.interactions[i, j] * away[:, i] * away[:, j]
    np.testing.assert_allclose(around, found.predict(masks), atol=1e-9)
    flat = found.first_order()
    np.testing.assert_allclose(flat.average + away @ flat.values, flat.predict(masks), atol=1e-9)


# ---- of parts and of differences


def test_values_of_a_part_are_those_of_the_game_of_the_part():
    explanation, inside = make(0.3), [0, 4, 6, 7]

    class Part:
        n_image, n_text = 6, 3

        def __call__(self, masks):
            kept = np.zeros_like(masks)
            kept[:, inside] = masks[:, inside]
            return explanation.predict(kept)

    part = explanation.restrict(inside)
    np.testing.assert_allclose(part.values, all_values(Part(), 0.3), atol=1e-12)
    assert not part.values[[1, 2, 3, 5, 8]].any() and part.value_stderr is None


def test_values_of_a_difference_are_differences_of_values():
    first, second = make(0.2), make(0.8, seed=1)
    difference = first - second
    np.testing.assert_array_equal(difference.values, first.values - second.values)
    np.testing.assert_allclose(difference.first_order().values, difference.values, atol=1e-12)
    assert difference.value_stderr is None


def test_values_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        make().values[0] = 1


# ---- standard errors


@pytest.fixture(scope="module")
def sampled():
    """A game of 12 + 3 players from 256 of 4,096 masked images."""
    return fixlip.sample(SmoothGame(12, 3, seed=1), 256, p=0.5, progress=False)


@pytest.mark.parametrize("index", ["banzhaf", "shapley", "sii"])
def test_standard_errors_of_values_are_those_of_first_order(sampled, index):
    second, first = (sampled.explain(0.5, index, order=order) for order in (2, 1))
    np.testing.assert_array_equal(second.value_stderr, first.stderr[0])
    np.testing.assert_array_equal(first.value_stderr, first.stderr[0])
    np.testing.assert_allclose(second.values, first.values)
    np.testing.assert_array_equal(second.first_order().stderr[0], second.value_stderr)
    assert (second.value_stderr[:12] > 0).all()
    for term in second.top(99, kind="players"):
        assert term.stderr == second.value_stderr[term.players[0]]


def test_standard_errors_of_values_cover_the_values():
    """90 % intervals of 24 sets of samples over three random games; the exact values are those over all masks."""
    covered = []
    for seed in range(3):
        game = RandomBilinearGame(8, 3, seed=seed)
        truth = all_values(game, 0.5)
        for draw in range(8):
            found = fixlip.sample(game, 128, p=0.5, seed=draw, progress=False).explain(0.5)
            covered.append(np.mean(np.abs(found.values - truth) < 1.645 * found.value_stderr))
    assert 0.85 < np.mean(covered) < 0.99


def test_files_hold_standard_errors_of_values(sampled, tmp_path):
    explanation = sampled.explain(0.5)
    loaded = Explanation.load(explanation.save(tmp_path / "values"))
    np.testing.assert_array_equal(loaded.value_errors, explanation.value_errors)
    np.testing.assert_array_equal(loaded.values, explanation.values)
    assert Explanation.load(make().save(tmp_path / "none")).value_errors is None


@pytest.mark.parametrize("errors", [np.zeros(8), np.full(9, -1.0), np.full(9, np.nan)])
def test_standard_errors_that_do_not_fit_are_refused(errors):
    with pytest.raises(ValueError, match="value_errors: got"):
        make(value_errors=errors)


# ---- against what the model does


@pytest.mark.slow
def test_the_sign_of_a_word_is_that_of_what_removing_it_does():
    """40 objects named in 20 scenes, and taken out of the whole caption, the picture left whole.

    Values go along with that in sign and size. Attributions, which the first edition showed as contributions, do not in
    size: they speak of an empty input.
    """
    encoder = fixlip.load("emoji-clip", device="cpu")
    values, attributions, removed = [], [], []
    for seed in range(20):
        scene = fixlip.emoji.scene(seed)
        game = fixlip.Game(encoder, scene.image, scene.caption)
        found = fixlip.sample(game, 256, p=0.5, progress=False).explain(0.5)
        for word in scene.objects:
            # "butterfly" is two tokens, the second of which ends the word.
            label = word if word in found.labels else "fly"
            player = found.find(label)
            ends = np.ones((2, game.n_players), bool)
            ends[1, player] = False
            whole, without = game(ends)
            removed.append(whole - without)
            values.append(found.values[player])
            attributions.append(found.attributions[player])
    assert len(removed) == 40
    assert np.mean(np.sign(values) == np.sign(removed)) >= 0.95
    by_value, by_attribution = (np.corrcoef(numbers, removed)[0, 1] for numbers in (values, attributions))
    assert by_value > 0.6
    assert by_attribution < by_value - 0.3
