"""Error bars: what they are made of, by hand, and how many numbers they cover where the truth is known exactly."""

import numpy as np
import pytest
import torch
from toys import WaveGame

import fixlip
from fixlip.estimators.bars import LEVEL, Check, level, level_pairs
from fixlip.estimators.exact import exact

COVERED = 1.6449  # standard errors on either side of a 90 % interval


# ---- by hand


def test_a_factor_by_hand():
    """Two samples of weights .25 and .75, and two numbers; then a third; then two whose corrections cancel."""
    check = Check(torch.tensor([0.25, 0.75]))
    by_sample = torch.tensor([[1.0, 0.0], [-1.0, 2.0]])
    correction = torch.tensor([[4.0, 1.0], [2.0, 3.0]])
    check.add(by_sample, torch.tensor(4.0), correction, 5.0)
    # Changes: 1 + 1 + 4 over 4. Corrections: (4 - .25 + 2 + .75)^2 + (1 + 3 - 1.5)^2 = 48.5; their chance, that of
    # (3, 1) and (3, 1), is 20, and twice that is allowed for two numbers.
    assert check.factor() == pytest.approx(6 / 4 + (48.5 - 2 * 20) / 5)
    check.add(by_sample[:, :1], 4.0, torch.zeros(2, 1), 5.0)
    # Further numbers of the kind: 8 over 8; corrections 48.5 + .25, and chance 20 + 2 for three numbers.
    assert check.factor() == pytest.approx(1 + (48.75 - (1 + (2 / 3) ** 0.5) * 22) / 10)
    check.add(by_sample * 0, 0.0, torch.tensor([[9.0, 0.0], [-9.0, 0.0]]), 0.0)
    assert check.factor() == pytest.approx(1.0)


@pytest.mark.parametrize(("expected", "posterior"), [(0.0, 1.0), (1.0, 0.0)])
def test_a_factor_is_one_where_there_is_nothing_to_compare(expected, posterior):
    check, nothing = Check(torch.ones(3) / 3), torch.zeros(3, 2)
    check.add(nothing, torch.tensor(expected), nothing, posterior)
    assert check.factor() == 1.0


def test_a_number_that_seems_certain_gets_a_share_of_its_kinds_variance():
    variances = torch.tensor([[0.0, 4.0, 0.0], [4.0, 0.0, 2.0], [0.0, 2.0, 0.0]])
    found = level_pairs(variances)
    np.testing.assert_allclose(found[0], [0.0, 4 * (1 - LEVEL) + 2 * LEVEL, 2 * LEVEL])
    assert float(found.sum()) == pytest.approx(float(variances.sum())) and not found.diagonal().any()
    np.testing.assert_allclose(level(torch.tensor([0.0, 4.0])), [2 * LEVEL, 4 - 2 * LEVEL])
    assert not level_pairs(torch.zeros(1, 1)).any() and len(level(torch.zeros(0))) == 0


# ---- where the truth is known


class TwoFaced(WaveGame):
    """What the first two words look at is almost additive; what the others look at is rougher, or quieter, too.

    The process has one kernel for all that an embedding says, so it must be wrong about some of it.
    """

    def __init__(self, seed, width, loudness):
        super().__init__(width=np.repeat([0.05, width], 3), seed=seed)
        looks = np.random.default_rng(100 + seed).normal(size=(4, 6))
        looks[:2, 3:] = looks[2:, :3] = 0
        looks[0, :3] = looks[2, 3:] = 1
        self.text_waves, self.mix = looks, np.diag(np.repeat([1.0, loudness], 3))


def test_the_truth_of_these_games_is_that_of_enumeration():
    game = WaveGame(6, 4, width=np.array([0.1, 0.5, 1.0, 0.2, 0.3, 2.0]))
    expected = exact(game, 0.3)
    values, pairs = game.derivatives(0.3)
    np.testing.assert_allclose(pairs, expected.interactions, atol=1e-10)
    np.testing.assert_allclose(values, expected.values, atol=1e-10)


GAMES = {
    "as expected": lambda seed: WaveGame(seed=seed),
    "too smooth": lambda seed: TwoFaced(seed, 0.6, 1.0),  # bars would be too narrow for the first words
    "too rough": lambda seed: TwoFaced(seed, 0.3, 0.1),  # and here too wide for all but these
}


def coverage(kind, p, drawn):
    """Shares of 90 % intervals that hold the truth, for each kind of numbers: 256 samples, mean of 8 games."""
    covered = []
    for seed in range(8):
        game = GAMES[kind](seed)
        found = fixlip.sample(game, 256, p=drawn, seed=seed, progress=False).explain(p)
        values, pairs = game.derivatives(p)
        within = np.abs(found.interactions - pairs) < COVERED * found.stderr[1]
        singles = np.abs(found.values - values) < COVERED * found.value_stderr
        attributions = np.abs(found.attributions - (values - p * pairs.sum(axis=1))) < COVERED * found.stderr[0]
        own = within[:30, :30][np.triu_indices(30, 1)]
        covered.append([part.mean() for part in (singles, attributions, own, within[:30, 30:32], within[:30, 32:])])
    names = ("values", "attributions", "own pairs", "pairs with the first words", "pairs with the others")
    return dict(zip(names, np.mean(covered, axis=0), strict=True))


@pytest.mark.parametrize(
    ("kind", "p", "drawn"),
    [
        ("as expected", 0.5, (0.5,)),
        ("too smooth", 0.5, (0.5,)),
        ("too rough", 0.5, (0.5,)),
        ("too smooth", 0.8, (0.2, 0.35, 0.5, 0.6, 0.7)),
    ],
)
def test_intervals_cover_what_they_should(kind, p, drawn):
    """Without the factor .69 of the pairs with the first words are covered (too smooth), and .97 of all (too rough)."""
    found = coverage(kind, p, drawn)
    assert 0.85 < np.mean(list(found.values())) < 0.95, found
    assert all(0.78 < share < 0.99 for share in found.values()), found
    assert 0.82 < found["pairs with the first words"] < 0.94, found
