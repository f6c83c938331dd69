"""Names of indices, how often Shapley weights draw each size of coalition, and counts of coefficients."""

import math

import numpy as np
import pytest
from toys import SmoothGame

import fixlip
from fixlip.estimators.basis import expand, n_columns
from fixlip.estimators.indices import INDICES, check_index
from fixlip.masks import shapley_sizes


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        *((name, name) for name in INDICES),
        ("FBII", "banzhaf"),
        ("WBII", "banzhaf"),
        ("fsii", "shapley"),
        ("FSII", "shapley"),
        ("k-SII", "sii"),
        ("K-sii", "sii"),
        ("SII", "sii"),
        ("Banzhaf", "banzhaf"),
    ],
)
def test_an_index_goes_by_its_names_in_the_literature(name, stored):
    assert check_index(name) == stored


@pytest.mark.parametrize("wrong", ["banzaf", "", "SV", None, 2])
def test_no_other_name_is_taken(wrong):
    with pytest.raises(ValueError, match="wanted one of banzhaf, shapley, sii .that is FBII or WBII, FSII, k-SII"):
        check_index(wrong)


@pytest.mark.parametrize(("name", "stored"), [("FBII", "banzhaf"), ("FSII", "shapley"), ("k-SII", "sii")])
def test_an_explanation_by_another_name_is_the_same(name, stored):
    readout = fixlip.sample(SmoothGame(6, 3), 20, progress=False).readout()
    found, expected = readout.explain(0.4, name), readout.explain(0.4, stored)
    assert found.index == stored and found.p == expected.p
    np.testing.assert_array_equal(found.interactions, expected.interactions)
    np.testing.assert_array_equal(found.stderr[0], expected.stderr[0])


@pytest.mark.parametrize("n", [2, 3, 7, 40])
def test_sizes_are_drawn_as_shapley_values_weigh_them(n):
    """The kernel (n - 1) / (C(n, k) k (n - k)) of a coalition of size k, times how many there are."""
    kernel = [(n - 1) / (math.comb(n, k) * k * (n - k)) * math.comb(n, k) for k in range(1, n)]
    found = shapley_sizes(n)
    assert found[0] == found[n] == 0 and found.shape == (n + 1,)
    np.testing.assert_allclose(found[1:-1], np.array(kernel) / sum(kernel))


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("n", [1, 2, 9])
def test_columns_are_counted_as_they_are_made(n, order):
    assert n_columns(n, order) == expand(np.ones((1, n), bool), 0.5, order).shape[1]
