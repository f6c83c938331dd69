"""Error bars of differences: changes by fitting anew without each sample, and differences over many draws."""

import pickle

import numpy as np
import pytest
from toys import SmoothGame

import fixlip
from fixlip import Explanation
from fixlip.answers import Answers
from fixlip.estimators.exact import exact
from fixlip.estimators.indices import quadrature
from fixlip.estimators.kernel import KernelSurrogate
from fixlip.estimators.readout import Readout
from fixlip.jackknife import chosen_pairs

N_IMAGE, N_TEXT = 5, 11


@pytest.fixture(scope="module")
def samples():
    """Of 5 + 11 players, of which both sides are sampled: 24 of 32 masked images, 1,024 of 2,048 captions."""
    return fixlip.sample(SmoothGame(N_IMAGE, N_TEXT, seed=0), 24, p=(0.3, 0.6), progress=False)


def numbers(readout, p, index):
    """Values (n,) and average interactions (n, n) at p, or averaged over the few p of the bars of Shapley indices."""
    nodes = [(p, 1.0, 1.0)] if index == "banzhaf" else quadrature(N_IMAGE + N_TEXT, index, 5)
    found = [(weight, of_pair, *readout.derivatives(at)[1:]) for at, weight, of_pair in nodes]
    return sum(w * single for w, _, single, _ in found), sum(w * of * pair for w, of, _, pair in found)


def without(samples, side, m):
    """The readout of the samples of a side without number m; the relevances stay."""
    readout = samples.readout()
    one = (readout.image, readout.text)[side]
    others = np.arange(len(one.masks)) != m
    embeddings = np.asarray((samples.image_side, samples.text_side)[side].embeddings, float)
    fitted = KernelSurrogate(one.masks[others], embeddings[others], one.relevances)
    both = (fitted, readout.text) if side == 0 else (readout.image, fitted)
    return Readout(*both, Answers(samples.subject, *readout.sides, samples.scale, samples.bias))


def changes(samples, side, rows, p, index):
    """What leaving out each of some samples changes, (m, n) and (m, n, n), by fitting anew; in logits."""
    values, pairs = numbers(samples.readout(), p, index)
    found = [numbers(without(samples, side, m), p, index) for m in rows]
    return values - np.array([one for one, _ in found]), pairs - np.array([one for _, one in found])


@pytest.mark.parametrize("index", ["banzhaf", "shapley"])
@pytest.mark.parametrize("side", [0, 1])
def test_changes_are_those_of_fits_without_each_sample(samples, side, index):
    rows = [0, 3, 7, 20]
    values, pairs = changes(samples, side, rows, 0.4, index)
    i, j, kinds = chosen_pairs(N_IMAGE, N_TEXT)
    assert set(kinds) == set(range(2 + N_TEXT))
    found = samples.explain(0.4, index).changes[side]
    scale = samples.scale
    np.testing.assert_allclose(scale * found.values[rows], values, rtol=1e-4, atol=1e-4 * np.abs(values).max())
    np.testing.assert_allclose(scale * found.pairs[rows], pairs[:, i, j], rtol=1e-4, atol=1e-4 * np.abs(pairs).max())


def test_the_variance_is_that_of_numbers_whose_errors_go_together():
    """v1 + v2 - 2 rho sqrt(v1 v2), with rho over what leaving out each masked image changes."""
    samples = fixlip.sample(SmoothGame(N_IMAGE, 3, seed=0), 24, p=(0.3, 0.6), progress=False)
    first, second = samples.explain(0.3), samples.explain(0.6)
    (a, b), (c, d) = (changes_of(samples, p) for p in (0.3, 0.6))
    rho = (a * c).sum(0) / np.sqrt((a**2).sum(0) * (c**2).sum(0))
    v, w = first.value_stderr**2, second.value_stderr**2
    difference = first - second
    np.testing.assert_allclose(difference.value_stderr**2, v + w - 2 * rho * np.sqrt(v * w), rtol=1e-3)
    i, j, kinds = chosen_pairs(N_IMAGE, 3)
    v, w = first.pair_stderr**2, second.pair_stderr**2
    for kind in range(5):
        at = (slice(None), i[kinds == kind], j[kinds == kind])
        rho = (b[at] * d[at]).sum() / np.sqrt((b[at] ** 2).sum() * (d[at] ** 2).sum())
        pair = (v + w - 2 * rho * np.sqrt(v * w))[at[1:]]
        np.testing.assert_allclose(difference.pair_stderr[at[1:]] ** 2, pair, rtol=1e-3)
    np.testing.assert_array_equal(difference.pair_stderr, difference.pair_stderr.T)


def changes_of(samples, p):
    readout = samples.readout()
    values, pairs = readout.derivatives(p)[1:]
    found = []
    for m in range(len(readout.image.masks)):
        others = np.arange(len(readout.image.masks)) != m
        embeddings = np.asarray(samples.image_side.embeddings, float)[others]
        image = KernelSurrogate(readout.image.masks[others], embeddings, readout.image.relevances)
        found.append(Readout(image, readout.text, samples).derivatives(p)[1:])
    return values - np.array([one for one, _ in found]), pairs - np.array([one for _, one in found])


@pytest.mark.slow
def test_differences_vary_over_draws_as_their_standard_errors_say():
    """60 sets of samples at two p: paired errors are right, and a third of what independent ones would be."""
    game = SmoothGame(12, 3, seed=1)
    truth = exact(game, 0.4) - exact(game, 0.5)
    found = []
    for seed in range(60):
        drawn = fixlip.sample(game, 128, p=(0.3, 0.6), seed=seed, progress=False)
        found.append(drawn.explain(0.4) - drawn.explain(0.5))
    i, j = np.triu_indices(15, 1)
    for name, errors, at in (("values", "value_stderr", slice(None)), ("pair_values", "pair_stderr", (i, j))):
        numbers = np.array([getattr(one, name)[at] for one in found])
        told = np.array([getattr(one, errors)[at] for one in found])
        apart = np.array([np.hypot(*(getattr(e, errors)[at] for e in (one.first, one.second))) for one in found])
        deviation = np.sqrt(numbers.var(0).mean())
        assert 0.7 < deviation / np.sqrt(np.mean(told**2)) < 1.3
        assert deviation < 0.5 * np.sqrt(np.mean(apart**2))
        assert 0.83 < np.mean(np.abs(numbers - getattr(truth, name)[at]) < 1.645 * told) < 0.97


def test_errors_go_together_only_where_samples_are_the_same(samples, tmp_path):
    game = SmoothGame(N_IMAGE, 3, seed=0)
    one, other = (fixlip.sample(game, 24, p=(0.3, 0.6), seed=seed, progress=False) for seed in (0, 1))
    first, second = one.explain(0.4), one.explain(0.6)
    apart = np.hypot(first.value_stderr, second.value_stderr)
    assert (0 < (first - second).value_stderr).all() and ((first - second).value_stderr < apart).all()
    np.testing.assert_array_equal((first - one.explain(0.4)).value_stderr, 0)
    assert not (first - first).pair_stderr.any()
    # A copy knows it, a file does not, and other masks are independent of these.
    copy = pickle.loads(pickle.dumps(second))
    np.testing.assert_array_equal((first - copy).value_stderr, (first - second).value_stderr)
    loaded = Explanation.load(second.save(tmp_path / "second"))
    np.testing.assert_allclose((first - loaded).value_stderr, apart)
    stranger = other.explain(0.6)
    np.testing.assert_allclose((first - stranger).value_stderr, np.hypot(first.value_stderr, stranger.value_stderr))
    # Of fewer samples they are the first of the same draw, and what both have goes together.
    fewer = one.first(16).explain(0.4)
    both, each = (first - fewer).value_stderr, np.hypot(first.value_stderr, fewer.value_stderr)
    assert (both > 0).all() and (both[:N_IMAGE] < each[:N_IMAGE]).all()
    # Two captions of one image: what the image's samples miss goes together as far as the captions are alike.
    captions = one.cross(samples).explain(0.4), samples.explain(0.4)
    assert (captions[0] - captions[1]).value_stderr.max() < np.hypot(*(e.value_stderr for e in captions)).max()


def test_lists_and_tables_hold_the_errors_of_differences(samples):
    difference = samples.explain(0.4) - samples.explain(0.5)
    for term in difference.top(20, kind="all"):
        errors = difference.value_stderr if len(term.players) == 1 else difference.pair_stderr
        assert term.stderr == errors[term.players] > 0
    assert all(error > 0 for error in difference.table()["stderr"])
    first = difference.first_order()
    np.testing.assert_allclose(first.value_stderr, difference.value_stderr)
    assert not first.pair_stderr.any()
    thirds = samples.explain(0.4, order=3) - samples.explain(0.5, order=3)
    np.testing.assert_allclose(thirds.pair_stderr, difference.pair_stderr)
    assert (difference.first.restrict([0, 1]) - difference.second).value_stderr is None


def test_few_samples_are_predicted_by_relevances_of_others():
    """What 32 masked images of 12 patches lead to expect is what fresh masks say, on average over draws."""
    game, found = SmoothGame(12, 3, seed=1), []
    images = fixlip.masks.enumerate_masks(12)
    for seed in range(12):
        drawn = fixlip.sample(game, 32, p=0.5, seed=seed, progress=False)
        explained = drawn.explain(0.5)
        masks = np.hstack([np.repeat(images, 8, 0), np.tile(fixlip.masks.enumerate_masks(3), (len(images), 1))])
        values = game(masks)
        reached = 1 - np.mean((explained.predict(masks) - values) ** 2) / values.var()
        found.append((explained.expected_faithfulness - reached, drawn.readout().expected_faithfulness(0.5) - reached))
    honest, flattering = np.mean(found, axis=0)
    assert abs(honest) < flattering / 2
