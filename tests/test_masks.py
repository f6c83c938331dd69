import numpy as np
import pytest

from fixlip.masks import check_count, check_p, distinct, draw_by_size, draw_masks, enumerate_masks, mask_weights, pack


def test_enumeration_lists_every_mask_once_bit_by_bit():
    masks = enumerate_masks(5)
    assert masks.shape == (32, 5)
    assert len(np.unique(masks, axis=0)) == 32
    np.testing.assert_array_equal(masks[0b01101], [True, False, True, True, False])
    with pytest.raises(ValueError, match="wanted at most 16"):
        enumerate_masks(17)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_weights_are_the_p_measure(p):
    masks = enumerate_masks(6)
    weights = mask_weights(masks, p)
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(weights @ masks, p)
    np.testing.assert_allclose((weights[:, None] * masks).T @ masks, np.where(np.eye(6), p, p * p))


def test_small_games_are_enumerated_with_exact_weights(rng):
    masks, weights = draw_masks(4, 16, 0.3, rng)
    assert len(masks) == 16
    np.testing.assert_allclose(weights, mask_weights(masks, 0.3))


def test_draws_follow_the_p_measure_and_repeats_are_merged(rng):
    masks, weights = draw_masks(10, 1000, 0.7, rng)
    assert len(masks) < 1000 and len(np.unique(masks, axis=0)) == len(masks)
    assert weights.sum() == pytest.approx(1)
    # Each player's share of 1,000 draws has standard error sqrt(.21 / 1000) = 0.0145.
    np.testing.assert_allclose(weights @ masks, 0.7, atol=5 * 0.0145)


def test_distinct_keeps_the_order_of_first_appearance():
    masks = np.array([[1, 0], [0, 0], [1, 0], [1, 1], [1, 0]], bool)
    rows, counts = distinct(masks)
    np.testing.assert_array_equal(rows, [[1, 0], [0, 0], [1, 1]])
    np.testing.assert_array_equal(counts, [3, 1, 1])


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 60])
def test_packed_keys_tell_masks_apart(n, rng):
    masks = rng.random((50, n)) < 0.5
    assert len(np.unique(pack(masks))) == len(np.unique(masks, axis=0))


@pytest.mark.parametrize("p", [0, 1, -0.1, 1.5, float("nan"), float("inf"), "half", None])
def test_p_outside_zero_and_one_is_refused(p):
    with pytest.raises(ValueError, match="^p: got .*, wanted"):
        check_p(p)


@pytest.mark.parametrize("count", [0, -3, 2.5, "many", True, None])
def test_counts_are_whole_and_positive(count):
    with pytest.raises(ValueError, match="^budget: got .*, wanted a whole number"):
        check_count(count, "budget")


@pytest.mark.parametrize("probabilities", [[0, 0.3, 0.1, 0.1, 0.2, 0.1, 0.2, 0], [0.0, 0, 0, 1, 0, 0, 0, 0]])
@pytest.mark.parametrize("size", [5, 20, 40, 100, 500])
def test_draws_by_size_are_unbiased_whatever_is_enumerated(probabilities, size):
    """Averages of random functions over many draws equal the sums they estimate, within five standard errors."""
    probabilities = np.array(probabilities)
    masks = enumerate_masks(7)
    exact = (probabilities / np.bincount(masks.sum(axis=1)))[masks.sum(axis=1)]
    values = np.random.default_rng(5).normal(size=(128, 3))
    found = []
    for seed in range(200):
        drawn, weights = draw_by_size(7, size, probabilities, np.random.default_rng(seed))
        assert len(drawn) <= size and len(np.unique(drawn, axis=0)) == len(drawn)
        assert weights.sum() == pytest.approx(1)
        found.append(weights @ values[drawn @ 2 ** np.arange(7)])
    error = np.std(found, axis=0) / np.sqrt(200) + 1e-12
    assert (np.abs(np.mean(found, axis=0) - exact @ values) <= 5 * error).all()


def test_sizes_that_are_certain_are_enumerated_with_their_exact_weight(rng):
    masks, weights = draw_masks(12, 1000, 0.9, rng)
    full = masks.all(axis=1)
    assert full.sum() == 1 and weights[full][0] == pytest.approx(0.9**12)
    assert (masks.sum(axis=1) == 11).sum() == 12
    np.testing.assert_allclose(weights[masks.sum(axis=1) == 11], 0.9**11 * 0.1)


def test_the_empty_mask_can_be_a_size_that_is_listed(rng):
    """At low p the empty mask alone is expected more than once."""
    masks, weights = draw_masks(8, 60, 0.2, rng)
    empty = ~masks.any(axis=1)
    assert empty.sum() == 1 and weights[empty] == pytest.approx(0.8**8)
