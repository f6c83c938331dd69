import numpy as np
import pytest

from fixlip import Explanation
from fixlip.players import Players
from fixlip.subsets import subsets


def quadratic(n, seed=0, first=None, second=None, n_text=2):
    rng = np.random.default_rng(seed)
    first = rng.normal(size=n) if first is None else first
    pairs = np.triu(rng.normal(size=(n, n)), 1) if second is None else second
    return Explanation(0.5, first, pairs + pairs.T, Players(n - n_text, n_text, tuple(map(str, range(n)))))


def published(table, estimator, name):
    n = 55
    second = np.zeros((n, n))
    key = f"{name}_full" if name == "shap" else f"{name}_full_ones"
    second[np.triu_indices(n, 1)] = estimator[f"{key}_second"]
    return quadratic(n, first=estimator[f"{key}_first"], second=second, n_text=6)


@pytest.mark.parametrize("name", ["p3", "p5", "p7", "shap"])
def test_greedy_equals_the_published_search(oracle, name):
    """The oracle lists subsets from the largest to the smallest; "mif" are the lowest, "lif" the highest."""
    table, estimator = oracle("fixlip_curves"), oracle("fixlip_estimator")
    explanation = published(table, estimator, name)
    for suffix, starts in (("", None), ("_start5", table[f"{name}_start_players_k5"].tolist())):
        found = subsets(explanation, "greedy", starts)
        for side, masks in (("mif", found.lowest), ("lif", found.highest)):
            expected = np.unpackbits(table[f"{name}_o2_clique_{side}{suffix}"], axis=1)[::-1, :55].astype(bool)
            np.testing.assert_array_equal(masks, expected)


def test_greedy_and_exact_equal_the_published_small_game(oracle):
    table = oracle("fixlip_curves_extra")
    explanation = quadratic(8, first=table["small_first"], second=np.triu(table["small_second"], 1))
    for method, key in (("greedy", "greedy"), ("exact", "brute")):
        found = subsets(explanation, method)
        np.testing.assert_array_equal(found.lowest, table[f"small_{key}_mif"][::-1].astype(bool))
        np.testing.assert_array_equal(found.highest, table[f"small_{key}_lif"][::-1].astype(bool))


@pytest.mark.parametrize("seed", range(12))
def test_swaps_lie_between_greedy_and_exact(seed):
    explanation = quadratic(11, seed)
    greedy, swaps, exact = (subsets(explanation, method) for method in ("greedy", "swaps", "exact"))
    np.testing.assert_array_equal(exact.highest.sum(axis=1), np.arange(1, 12))
    for found in (greedy, swaps):
        np.testing.assert_array_equal(found.highest.sum(axis=1), np.arange(1, 12))
        np.testing.assert_array_equal(found.lowest.sum(axis=1), np.arange(1, 12))
        assert (found.highest_values <= exact.highest_values + 1e-9).all()
        assert (found.lowest_values >= exact.lowest_values - 1e-9).all()
    assert (swaps.highest_values >= greedy.highest_values - 1e-9).all()
    assert (swaps.lowest_values <= greedy.lowest_values + 1e-9).all()
    np.testing.assert_allclose(exact.highest_values, explanation.predict(exact.highest))


def test_swaps_find_better_subsets_than_greedy_in_games_of_sixty_players():
    better = 0
    for seed in range(5):
        explanation = quadratic(60, seed)
        greedy, swaps = subsets(explanation, "greedy"), subsets(explanation)
        assert swaps.method == "swaps"
        assert (swaps.highest_values >= greedy.highest_values - 1e-9).all()
        better += (swaps.highest_values > greedy.highest_values + 1e-9).any()
    assert better >= 1


def test_two_hundred_sixty_players_are_answered():
    found = subsets(quadratic(260))
    np.testing.assert_array_equal(found.highest.sum(axis=1), np.arange(1, 261))


def test_an_explanation_gives_its_highest_and_lowest_subset():
    explanation = quadratic(6)
    high, low = explanation.highest(2), explanation.lowest(4)
    assert high.sum() == 2 and low.sum() == 4
    exact = subsets(explanation, "exact")
    np.testing.assert_array_equal(high, exact.highest[1])
    np.testing.assert_array_equal(low, exact.lowest[3])
    with pytest.raises(ValueError, match="size: got 7, wanted a whole number from 1 to 6"):
        explanation.highest(7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "magic"}, "method: got 'magic'"),
        ({"method": "exact"}, '"exact" takes at most 16 players, got 20'),
        ({"method": "greedy", "starts": []}, "starts: got none"),
        ({"method": "greedy", "starts": [99]}, "player: got 99"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        subsets(quadratic(20), **options)
