import itertools
import tracemalloc

import numpy as np
import pytest
from toys import published, quadratic

from fixlip.subsets import subsets


def search(explanation, *method_and_starts, sizes=None):
    first_order = explanation.first_order().attributions
    numbers = explanation.constant, explanation.attributions, explanation.interactions
    return subsets(*numbers, *method_and_starts, first_order=first_order, sizes=sizes)


@pytest.mark.parametrize("name", ["p3", "p5", "p7", "shap"])
def test_greedy_equals_the_published_search(oracle, name):
    """The oracle lists subsets from the largest to the smallest; "mif" are the lowest, "lif" the highest."""
    table, estimator = oracle("fixlip_curves"), oracle("fixlip_estimator")
    explanation = published(estimator, name)
    for suffix, starts in (("", None), ("_start5", table[f"{name}_start_players_k5"].tolist())):
        found = search(explanation, "greedy", starts)
        for side, masks in (("mif", found.lowest), ("lif", found.highest)):
            expected = np.unpackbits(table[f"{name}_o2_clique_{side}{suffix}"], axis=1)[::-1, :55].astype(bool)
            np.testing.assert_array_equal(masks, expected)


def test_greedy_and_exact_equal_the_published_small_game(oracle):
    table = oracle("fixlip_curves_extra")
    explanation = quadratic(8, first=table["small_first"], second=np.triu(table["small_second"], 1))
    for method, key in (("greedy", "greedy"), ("exact", "brute")):
        found = search(explanation, method)
        np.testing.assert_array_equal(found.lowest, table[f"small_{key}_mif"][::-1].astype(bool))
        np.testing.assert_array_equal(found.highest, table[f"small_{key}_lif"][::-1].astype(bool))


@pytest.mark.parametrize("seed", range(12))
def test_swaps_lie_between_greedy_and_exact(seed):
    explanation = quadratic(11, seed)
    greedy, swaps, exact = (search(explanation, method) for method in ("greedy", "swaps", "exact"))
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
        greedy, swaps = search(explanation, "greedy"), search(explanation)
        assert swaps.method == "swaps"
        assert (swaps.highest_values >= greedy.highest_values - 1e-9).all()
        better += (swaps.highest_values > greedy.highest_values + 1e-9).any()
    assert better >= 1


def test_two_hundred_sixty_players_are_answered():
    found = search(quadratic(260))
    np.testing.assert_array_equal(found.highest.sum(axis=1), np.arange(1, 261))


def test_an_explanation_gives_its_highest_and_lowest_subset():
    explanation = quadratic(6)
    high, low = explanation.highest(2), explanation.lowest(4)
    assert high.sum() == 2 and low.sum() == 4
    exact = search(explanation, "exact")
    np.testing.assert_array_equal(high, exact.highest[1])
    np.testing.assert_array_equal(low, exact.lowest[3])
    with pytest.raises(ValueError, match="size: got 7, wanted a whole number from 1 to 6"):
        explanation.highest(7)


def test_one_size_is_searched_alone_and_once(monkeypatch):
    explanation, asked = quadratic(120), []

    def watched(*numbers, sizes=None, **options):
        asked.append(sizes)
        return subsets(*numbers, sizes=sizes, **options)

    monkeypatch.setattr("fixlip.explanation.subsets", watched)
    high, low = explanation.highest(10), explanation.lowest(10)
    high[:] = False
    assert explanation.highest(10).sum() == low.sum() == 10, "what was given away can be changed without harm"
    assert asked == [[10]]
    np.testing.assert_array_equal(explanation.highest(10), explanation.subsets.highest[9])
    np.testing.assert_array_equal(low, explanation.subsets.lowest[9])


@pytest.mark.parametrize("n", [11, 60, 130])
@pytest.mark.parametrize("order", [1, 2])
def test_some_sizes_give_what_all_sizes_give(n, order):
    explanation = quadratic(n, seed=4)
    explanation = explanation if order == 2 else explanation.first_order()
    sizes = [7, n, 1, 3]
    for method in ("auto", "greedy", "swaps"):
        every, some = search(explanation, method), search(explanation, method, sizes=sizes)
        rows = np.array(sizes) - 1
        assert every.sizes.tolist() == list(range(1, n + 1)) and some.sizes.tolist() == sizes
        for name in ("highest", "lowest", "highest_values", "lowest_values"):
            np.testing.assert_array_equal(getattr(some, name), getattr(every, name)[rows])


def test_no_exchange_of_two_players_improves_what_swaps_find():
    explanation = quadratic(40, seed=2)
    found = search(explanation, "swaps", sizes=[5, 20, 33])
    for masks, sign in ((found.highest, 1), (found.lowest, -1)):
        for mask in masks:
            tried = []
            for leaving, joining in itertools.product(np.flatnonzero(mask), np.flatnonzero(~mask)):
                other = mask.copy()
                other[[leaving, joining]] = False, True
                tried.append(other)
            best = (sign * explanation.predict(np.array(tried))).max()
            assert best <= sign * explanation.predict(mask)[0] + 1e-7


def test_without_interactions_sorting_is_exact_for_any_number_of_players():
    explanation = quadratic(1034, first=np.random.default_rng(1).normal(size=1034), second=np.zeros((1034, 1034)))
    found = search(explanation, sizes=[3, 500])
    assert found.method == "exact" and search(explanation, "exact", sizes=[3]).method == "exact"
    ranked = np.sort(explanation.attributions)
    for row, size in enumerate((3, 500)):
        assert found.highest[row].sum() == found.lowest[row].sum() == size
        assert found.highest_values[row] == pytest.approx(0.5 + ranked[-size:].sum())
        assert found.lowest_values[row] == pytest.approx(0.5 + ranked[:size].sum())


def test_memory_stays_bounded_with_four_hundred_players():
    """Exchanging in all subsets at once took an array of players cubed, half a gigabyte here."""
    explanation = quadratic(410)
    tracemalloc.start()
    try:
        assert explanation.highest(200).sum() == 200
        search(explanation, sizes=range(8, 411, 8))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * 2**20


def test_enumeration_finds_what_trying_every_combination_finds():
    explanation = quadratic(7, seed=3)
    found = search(explanation, "exact")
    for size in range(1, 8):
        masks = np.zeros((0, 7), bool)
        for chosen in itertools.combinations(range(7), size):
            masks = np.vstack([masks, np.isin(np.arange(7), chosen)])
        values = explanation.predict(masks)
        np.testing.assert_array_equal(found.highest[size - 1], masks[values.argmax()])
        np.testing.assert_array_equal(found.lowest[size - 1], masks[values.argmin()])
        assert found.highest_values[size - 1] == values.max() and found.lowest_values[size - 1] == values.min()


def test_of_many_players_first_order_values_choose_starts_too():
    """Two players of middling attributions that go very well together: growing has to start from one of them."""
    n, pair = 120, [60, 61]
    second = np.zeros((n, n))
    second[60, 61] = 1000.0
    explanation = quadratic(n, first=np.arange(1.0, n + 1), second=second)
    assert np.flatnonzero(search(explanation, "greedy").highest[1]).tolist() == pair
    blind = subsets(0.5, explanation.attributions, explanation.interactions, "greedy")
    assert np.flatnonzero(blind.highest[1]).tolist() == [118, 119]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("magic",), "method: got 'magic'"),
        (("exact",), '"exact" takes at most 16 players, got 20'),
        (("greedy", []), "starts: got none"),
        (("greedy", [99]), r"starts: got \[99\], wanted numbers of players from 0 to 19"),
        (("swaps", [-1]), r"starts: got \[-1\]"),
        (("greedy", ["a"]), r"starts: got \['a'\]"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        search(quadratic(20), *options)


@pytest.mark.parametrize("sizes", [[0], [21], [-1], [2.5], [[1, 2]], ["a"], [True]])
def test_sizes_that_no_subset_has_are_refused(sizes):
    with pytest.raises(ValueError, match=r"sizes: got \[.*\], wanted numbers of players from 1 to 20"):
        search(quadratic(20), sizes=sizes)
    with pytest.raises(ValueError, match="sizes: got none, wanted at least one"):
        search(quadratic(20), sizes=[])
