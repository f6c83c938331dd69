"""The kernel estimator against enumeration, shapiq, simulation and fresh masks."""

import sys
import threading
import time

import numpy as np
import pytest
import shapiq
import torch
from scipy.stats import multivariate_normal
from toys import RandomBilinearGame, SmoothGame, TableGame

import fixlip
import fixlip.estimators.kernel as kernel_module
from fixlip.estimators.exact import exact
from fixlip.estimators.kernel import KernelSurrogate
from fixlip.estimators.relevances import Likelihood, Relevances, fit_relevances, product
from fixlip.estimators.surrogate import Table
from fixlip.masks import enumerate_masks, mask_weights

PS = [0.1, 0.3, 0.5, 0.8]


@pytest.fixture(scope="module")
def smooth():
    return SmoothGame()


@pytest.fixture(scope="module")
def samples(smooth):
    return fixlip.sample(smooth, 256, progress=False)


def surrogate(rng, n=6, m=20, outputs=None):
    masks = enumerate_masks(n)[rng.permutation(2**n)[:m]]
    relevances = Relevances(rng.uniform(0.02, 0.6, n), 0.05)
    return KernelSurrogate(masks, rng.normal(size=(m, 3)) if outputs is None else outputs, relevances)


# ---- closed forms against sums over all masks


@pytest.mark.parametrize("p", PS)
@pytest.mark.parametrize("kind", ["kernel", "table"])
def test_derivatives_are_those_of_the_surrogate_itself(rng, p, kind):
    n = 6
    masks, embeddings = enumerate_masks(n), rng.normal(size=(64, 3))
    found = surrogate(rng, n) if kind == "kernel" else Table(masks, embeddings)
    truth = found.predict(masks) if kind == "kernel" else embeddings
    direction = torch.as_tensor(rng.normal(size=3))
    weights, ratio = mask_weights(masks, p), (masks - p) / (p * (1 - p))
    mean, single, summed = found.derivatives(p)
    np.testing.assert_allclose(mean, weights @ truth, atol=1e-10)
    np.testing.assert_allclose(single, ratio.T @ (weights[:, None] * truth), atol=1e-10)
    pairs = np.einsum("m,mi,mj,md->ijd", weights, ratio, ratio, truth)
    pairs[np.arange(n), np.arange(n)] = 0
    np.testing.assert_allclose(found.pairs(p, direction), pairs @ direction.numpy(), atol=1e-9)
    np.testing.assert_allclose(summed, pairs.sum(axis=1), atol=1e-9)
    if kind == "table":  # of which nothing is left out
        offsets, directions = masks - p, torch.as_tensor(rng.normal(size=(2, 3)))
        zeroth, first = found.terms_without(p)
        second = np.einsum("mi,mj,ijd->md", offsets, offsets, pairs) / 2
        np.testing.assert_allclose(zeroth, mean[None], atol=1e-10)
        np.testing.assert_allclose(first, offsets @ single.numpy(), atol=1e-10)
        np.testing.assert_allclose(found.second_term_without(p, directions), second @ directions.numpy().T, atol=1e-9)


@pytest.mark.parametrize("p", PS)
def functionals(masks, p):
    """E_p[f], (1, 2^n), D_i, (n, 2^n), and D_ij, (n, n, 2^n), as sums over all masks."""
    weights, ratio = mask_weights(masks, p), (masks - p) / (p * (1 - p))
    pairs = np.einsum("m,mi,mj->ijm", weights, ratio, ratio)
    pairs[np.arange(len(pairs)), np.arange(len(pairs))] = 0
    return weights[None], weights * ratio.T, pairs


def check_variances(found, p, posterior):
    """Of all functionals, from the posterior covariance of all 2^n masks."""
    (mean,), single, pair = functionals(enumerate_masks(found.n_players), p)
    psi, zeta = pair.sum(axis=1), single.sum(axis=0)
    v, tolerance = found.variances(p), {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(v.mean, mean @ posterior @ mean, **tolerance)
    np.testing.assert_allclose(v.single, np.einsum("im,mk,ik->i", single, posterior, single), **tolerance)
    np.testing.assert_allclose(v.pair_sum, np.einsum("im,mk,ik->i", psi, posterior, psi), **tolerance)
    np.testing.assert_allclose(v.single_with_pair_sum, np.einsum("im,mk,ik->i", single, posterior, psi), **tolerance)
    np.testing.assert_allclose(v.single_sum, zeta @ posterior @ zeta, **tolerance)
    np.testing.assert_allclose(v.mean_with_single_sum, mean @ posterior @ zeta, **tolerance)
    of_masks = found.predicted_variances(enumerate_masks(found.n_players))
    np.testing.assert_allclose(of_masks, posterior.diagonal() + found.relevances.noise, **tolerance)
    told = 0
    for i, j, variances, _ in found.pair_variances(p):
        np.testing.assert_allclose(variances, np.einsum("km,mx,kx->k", pair[i, j], posterior, pair[i, j]), **tolerance)
        assert (i < j).all()
        told += len(i)
    assert told == found.n_players * (found.n_players - 1) / 2


def written_out(found):
    """The product of the module's docstring between all 2^n masks, and which of them are samples."""
    masks = enumerate_masks(found.n_players)
    rho, z = found.relevances.rho, 2.0 * masks - 1
    kernel = np.prod([(1 + r * np.outer(one, one)) / (1 + r) for r, one in zip(rho, z.T, strict=True)], axis=0)
    return kernel, [int(np.flatnonzero((masks == row).all(axis=1))[0]) for row in found.masks]


@pytest.mark.parametrize("p", PS)
def test_variances_are_those_of_the_process(rng, p):
    """Posterior covariances of all linear functionals, written out over all 2^n masks."""
    found = surrogate(rng, 5, m=12)
    kernel, rows = written_out(found)
    # An unknown constant mean is the limit of a constant kernel with large variance.
    wide = kernel + 1e5
    seen = wide[np.ix_(rows, rows)] + found.relevances.noise * np.eye(len(rows))
    check_variances(found, p, wide - wide[:, rows] @ np.linalg.solve(seen, wide[rows]))


@pytest.mark.parametrize("p", PS)
def test_influence_is_what_a_sample_adds(rng, p):
    """Estimates are sums of the samples: with one at a time, and all others zero, of all samples alike."""
    found = surrogate(rng, m=20)
    alone = KernelSurrogate(found.masks, np.eye(20), found.relevances)
    for influence, estimate in zip(found.influence(p), alone.derivatives(p), strict=True):
        np.testing.assert_allclose(influence, torch.moveaxis(estimate, -1, 0), atol=1e-10)
    for i, j, _, influence in found.pair_variances(p):
        pairs = np.array([alone.pairs(p, direction)[i, j].numpy() for direction in torch.eye(20, dtype=torch.float64)])
        np.testing.assert_allclose(influence, pairs, atol=1e-10)


def test_the_covariance_of_the_outputs_is_the_likeliest(rng):
    """F^T Q F / (m - 1), as for the variance of one output, of the contrasts that know no constant."""
    outputs = rng.normal(size=(20, 3))
    found = surrogate(rng, outputs=outputs)
    kernel, rows = written_out(found)
    contrasts = np.linalg.svd(np.ones((1, 20)))[2][1:]
    a = contrasts @ (kernel[np.ix_(rows, rows)] + found.relevances.noise * np.eye(20)) @ contrasts.T
    expected = (contrasts @ outputs).T @ np.linalg.solve(a, contrasts @ outputs) / 19
    np.testing.assert_allclose(found.covariance, expected, atol=1e-10)
    values, directions = found.main_directions
    np.testing.assert_allclose((directions.T * values) @ directions, expected, atol=1e-10)


def test_leaving_out_is_what_refitting_without_a_sample_gives(rng):
    outputs, directions = rng.normal(size=(20, 3)), torch.as_tensor(rng.normal(size=(2, 3)))
    whole = surrogate(rng, outputs=outputs)
    masks, left = whole.masks, whole.left_out
    zeroth, first = whole.terms_without(0.4)
    second = whole.second_term_without(0.4, directions)
    for m in (0, 7, 19):
        others = np.arange(20) != m
        refit = KernelSurrogate(masks[others], outputs[others], whole.relevances)
        np.testing.assert_allclose(left[m], outputs[m] - refit.predict(masks[m : m + 1])[0], atol=1e-8)
        mean, single, _ = refit.derivatives(0.4)
        offset = torch.as_tensor(masks[m] - 0.4)
        np.testing.assert_allclose(zeroth[m], mean, atol=1e-8)
        np.testing.assert_allclose(first[m], offset @ single, atol=1e-8)
        for k, direction in enumerate(directions):
            assert second[m, k] == pytest.approx(float(offset @ refit.pairs(0.4, direction) @ offset / 2), abs=1e-8)


class SlowlyCompared(float):
    """A p whose comparison takes so long that another thread gets in between."""

    __hash__ = float.__hash__

    def __eq__(self, other):
        found = float(self) == float(other)
        time.sleep(1e-4)
        return found

    def __ne__(self, other):
        return not self == other


def test_two_threads_explain_from_one_readout():
    """At two p's: what one thread keeps for its p must never be given to the other."""
    readout = fixlip.sample(SmoothGame(8, 3), 30, progress=False).readout()
    ps = [SlowlyCompared(0.3), SlowlyCompared(0.7)]
    alone = [(readout.derivatives(p), readout.standard_errors(p, "banzhaf", 2)) for p in ps]
    wrong = []

    def explain(k):
        for _ in range(40):
            found = (readout.derivatives(ps[k]), readout.standard_errors(ps[k], "banzhaf", 2))
            for one, expected in zip(found, alone[k], strict=True):
                if not all(np.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in zip(one, expected, strict=True)):
                    wrong.append(float(ps[k]))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=explain, args=(k,)) for k in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not wrong, f"{len(wrong)} of 160 results belong to another p"


def test_the_slope_of_the_likelihood_is_right(rng, monkeypatch):
    from scipy.optimize import check_grad

    from fixlip.estimators import relevances

    caught = {}

    def catch(objective, start, **options):
        caught.update(objective=objective, start=start)
        return type("Found", (), {"x": start})

    monkeypatch.setattr(relevances, "minimize", catch)
    fit_relevances(rng.random((25, 6)) < 0.5, rng.normal(size=(25, 3)))
    value, slope = (lambda x: caught["objective"](x)[0]), (lambda x: caught["objective"](x)[1])
    for _ in range(3):
        assert check_grad(value, slope, caught["start"] + rng.normal(size=7) * 0.5) < 1e-5


def test_the_likelihood_is_the_gaussian_density_at_the_likeliest_scale(rng):
    """Differences between two sets of relevances; one scale for all outputs, the mean taken out of them."""
    masks, outputs, values, expected = enumerate_masks(6)[rng.permutation(64)[:20]], rng.normal(size=(20, 3)), [], []
    outputs -= outputs.mean(axis=0)
    for noise in (0.02, 0.5):
        found = KernelSurrogate(masks, outputs, Relevances(rng.uniform(0.02, 0.6, 6), noise))
        values.append(Likelihood(masks, outputs, "cpu")(found.relevances)[0])
        kernel, rows = written_out(found)
        a = kernel[np.ix_(rows, rows)] + noise * np.eye(20)
        ones = np.ones(20)
        residual = outputs - ones @ np.linalg.solve(a, outputs) / (ones @ np.linalg.solve(a, ones))
        scale = np.sum(residual * np.linalg.solve(a, residual)) / outputs.size
        density = multivariate_normal(np.zeros(20), scale * a)
        expected.append(-sum(density.logpdf(one) for one in residual.T))
    assert values[1] - values[0] == pytest.approx(expected[1] - expected[0])


def test_relevances_find_the_players_that_matter(rng):
    masks = rng.random((200, 12)) < 0.5
    outputs = np.stack([masks[:, 0] * 2.0 + masks[:, 1] * masks[:, 2], masks[:, 1] - masks[:, 3] * 1.0], axis=1)
    rho = fit_relevances(masks, outputs).rho
    assert rho[:4].min() > 10 * rho[4:].max()


# ---- more samples than centres


class Projected:
    """The weighted sum of the centres' kernel functions, written out over all 2^n masks.

    Weights w ~ N(0, Kuu^-1), an unknown constant as a further weight of large variance: linear regression by the
    textbook (Rasmussen and Williams 2006, Equations 2.8, 2.9 and 8.26).
    """

    def __init__(self, found, outputs, centres, rows, constant=1e6):
        kernel, noise = written_out(found)[0], found.relevances.noise
        at = [int(np.flatnonzero((enumerate_masks(6) == row).all(axis=1))[0]) for row in centres]
        # What is added to Kuu is as much noise as no sample could tell from none.
        prior = np.linalg.inv(kernel[np.ix_(at, at)] + 1e-3 * noise * np.eye(len(at)))
        features, wide = np.hstack([kernel[:, at], np.ones((64, 1))]), np.zeros((len(at) + 1,) * 2)
        wide[:-1, :-1], wide[-1, -1] = prior, constant
        spanned = features @ wide @ features.T
        # What the centres cannot express of a sample is noise of its own.
        self.noise = noise + np.maximum(0, np.diag(kernel - kernel[:, at] @ prior @ kernel[at]))
        seen = spanned[np.ix_(rows, rows)] + np.diag(self.noise[rows])
        self.mean = spanned[:, rows] @ np.linalg.solve(seen, outputs)
        self.within = spanned - spanned[:, rows] @ np.linalg.solve(seen, spanned[rows])
        self.posterior = self.within + kernel - kernel[:, at] @ prior @ kernel[at]


@pytest.fixture
def projected(rng, monkeypatch):
    """Thirty samples of six players, of which twelve are centres."""
    monkeypatch.setattr(kernel_module, "CENTRES", 12)
    outputs = rng.normal(size=(30, 3))
    return surrogate(rng, m=30, outputs=outputs), outputs


def test_a_projected_process_predicts_like_the_regression_that_it_is(projected):
    found, outputs = projected
    expected = Projected(found, outputs, found.masks[:12], written_out(found)[1])
    np.testing.assert_allclose(found.predict(enumerate_masks(6)), expected.mean, atol=1e-5)
    direct = KernelSurrogate(found.masks[:12], outputs[:12], found.relevances)
    assert np.abs(direct.predict(enumerate_masks(6)) - expected.mean).max() > 0.3, "the other samples count"


@pytest.mark.parametrize("p", PS)
def test_variances_of_a_projected_process(projected, p):
    """What centres cannot express is as uncertain as before any sample."""
    found, outputs = projected
    check_variances(found, p, Projected(found, outputs, found.masks[:12], written_out(found)[1], 1e5).posterior)


def test_leaving_out_of_a_projected_process_is_refitting_with_its_centres(projected):
    """Centres stay centres where their own sample is left out."""
    found, outputs = projected
    rows, p = np.array(written_out(found)[1]), 0.4
    (mean,), single, pairs = functionals(enumerate_masks(6), p)
    zeroth, first = found.terms_without(p)
    second = found.second_term_without(p, torch.eye(3, dtype=torch.float64))
    of_mean, of_single, of_pair_sum = (of.numpy() for of in found.influence(p))
    whole = Projected(found, outputs, found.masks[:12], rows)
    for m in (0, 7, 11, 12, 29):
        others = np.arange(30) != m
        refit = Projected(found, outputs[others], found.masks[:12], rows[others])
        np.testing.assert_allclose(found.left_out[m], outputs[m] - refit.mean[rows[m]], atol=1e-4)
        expected = refit.within[rows[m], rows[m]] + refit.noise[rows[m]]
        assert float(found.expected[m]) == pytest.approx(expected, rel=1e-4)
        offset = found.masks[m] - p
        np.testing.assert_allclose(zeroth[m], mean @ refit.mean, atol=1e-4)
        np.testing.assert_allclose(first[m], offset @ single @ refit.mean, atol=1e-4)
        np.testing.assert_allclose(second[m], (offset @ pairs.T @ offset / 2) @ refit.mean, atol=1e-4)
        change, left = whole.mean - refit.mean, found.left_out[m].numpy()
        np.testing.assert_allclose(of_mean[m] * left, mean @ change, atol=1e-4)
        np.testing.assert_allclose(np.outer(of_single[m], left), single @ change, atol=1e-4)
        np.testing.assert_allclose(np.outer(of_pair_sum[m], left), pairs.sum(axis=1) @ change, atol=1e-3)
        for i, j, _, influence in found.pair_variances(p):
            np.testing.assert_allclose(np.outer(influence[m].numpy(), left), pairs[i, j] @ change, atol=1e-4)


def test_with_every_sample_a_centre_both_ways_are_one(rng, monkeypatch):
    outputs = rng.normal(size=(20, 3))
    exactly = surrogate(rng, outputs=outputs)
    monkeypatch.setattr(KernelSurrogate, "_fit", lambda self: self._projected(product(*[self._centres] * 2, self._rho)))
    projected = KernelSurrogate(exactly.masks, outputs, exactly.relevances)
    # Only by so much as is added to Kuu, a thousandth of the noise.
    close = {"rtol": 0.02, "atol": 2e-3}
    np.testing.assert_allclose(projected.predict(exactly.masks), exactly.predict(exactly.masks), **close)
    np.testing.assert_allclose(projected.left_out, exactly.left_out, **close)
    np.testing.assert_allclose(projected.expected, exactly.expected, **close)
    np.testing.assert_allclose(projected.covariance, exactly.covariance, **close)
    for name in ("mean", "single", "pair_sum", "single_with_pair_sum", "single_sum", "mean_with_single_sum"):
        one, other = (getattr(which.variances(0.4), name) for which in (projected, exactly))
        np.testing.assert_allclose(one, other, err_msg=name, **close)
    for one, other in zip(projected.pair_variances(0.4), exactly.pair_variances(0.4), strict=True):
        np.testing.assert_allclose(one[2], other[2], **close)
        np.testing.assert_allclose(one[3], other[3], **close)


def test_left_out_samples_of_a_projected_process_are_missed_like_fresh_masks(rng, monkeypatch):
    """On a rough game, centres or not; and as far as the process says of fresh masks."""
    monkeypatch.setattr(kernel_module, "CENTRES", 300)
    game = SmoothGame(30, 44)
    masks, fresh = (rng.random((size, 44)) < 0.5 for size in (600, 1000))
    found = KernelSurrogate(masks, game.embed_texts(masks))
    missed = np.sum((game.embed_texts(fresh) - found.predict(fresh)) ** 2, axis=1).mean()
    left = found.left_out.square().sum(1).numpy()
    expected = found.predicted_variances(fresh).mean() * float(found.covariance.trace())
    for one in (left[:300].mean(), left[300:].mean(), expected):
        assert 0.7 < one / missed < 1.4, (left[:300].mean(), left[300:].mean(), expected, missed)


@pytest.mark.slow
def test_samples_beyond_the_centres_do_no_harm(smooth, rng):
    """R squared of the surrogate on fresh masks: 3,000 samples beside those alone that are centres."""
    masks, fresh = (rng.random((size, 30)) < 0.5 for size in (3000, 5000))
    outputs, truth, reached = smooth.embed_images(masks), smooth.embed_images(fresh), []
    relevances = fit_relevances(masks, outputs)
    for size in (kernel_module.CENTRES, 3000):
        found = KernelSurrogate(masks[:size], outputs[:size], relevances).predict(fresh)
        reached.append(1 - np.sum((truth - found) ** 2) / np.sum((truth - truth.mean(axis=0)) ** 2))
    assert reached[1] > reached[0] - 0.001 and reached[0] > 0.9, reached


# ---- with every coalition sampled


@pytest.mark.parametrize("shape", [(5, 4), (1, 1), (1, 5), (8, 1)])
@pytest.mark.parametrize("p", PS)
def test_with_all_masks_it_equals_enumeration(shape, p):
    game = RandomBilinearGame(*shape)
    found = fixlip.sample(game, 2 ** shape[0]).explain(p)
    expected = exact(game, p)
    np.testing.assert_allclose(found.interactions, expected.interactions, atol=1e-8)
    np.testing.assert_allclose(found.attributions, expected.attributions, atol=1e-8)
    assert found.constant == pytest.approx(expected.constant, abs=1e-8)
    assert not found.stderr[0].any() and not found.stderr[1].any()


@pytest.mark.parametrize(("index", "name"), [("banzhaf", "FBII"), ("shapley", "FSII"), ("sii", "k-SII")])
@pytest.mark.parametrize("estimator", ["kernel", "exact"])
def test_every_index_equals_shapiq(index, name, estimator):
    """Nine and twelve players, all coalitions."""
    for shape in ((5, 4), (7, 5)):
        game = RandomBilinearGame(*shape, seed=3)
        n = sum(shape)
        computer = shapiq.ExactComputer(n_players=n, game=lambda masks, game=game: game(np.asarray(masks, bool)))
        reference = computer(name, order=2)
        found = (
            fixlip.sample(game, 2 ** shape[0]).explain(0.5, index) if estimator == "kernel" else exact(game, 0.5, index)
        )
        for coalition, position in reference.interaction_lookup.items():
            value = found.interactions[coalition] if len(coalition) == 2 else None
            value = found.attributions[coalition[0]] if len(coalition) == 1 else value
            if value is not None:
                assert value == pytest.approx(reference.values[position], abs=1e-4)
        values = computer("BV" if index == "banzhaf" else "SV", order=1)
        expected = [values[(i,)] for i in range(n)]
        np.testing.assert_allclose(found.first_order().attributions, expected, atol=1e-4)
        if index != "banzhaf":
            ends = np.array([[False] * n, [True] * n])
            np.testing.assert_allclose(found.predict(ends), game(ends), atol=1e-8)


# ---- with few


def limiting_faithfulness(game, fresh, p, rng):
    """R squared of the second-order fit itself on fresh masks, from as many masks as make it certain."""
    masks = rng.random((20000, fresh.shape[1])) < p
    first, second = np.triu_indices(fresh.shape[1], 1)
    design = [np.hstack([np.ones((len(m), 1)), m, m[:, first] & m[:, second]]) for m in (masks, fresh)]
    fitted = np.linalg.solve(design[0].T @ design[0], design[0].T @ game(masks))
    return 1 - np.mean((game(fresh) - design[1] @ fitted) ** 2) / game(fresh).var()


@pytest.mark.parametrize("p", [0.3, 0.5, 0.7])
def test_one_set_of_samples_explains_at_every_p(smooth, samples, rng, p):
    """One product over players costs .003 of the R squared that a kernel with terms for pairs reaches."""
    found = samples.explain(p)
    fresh = rng.random((3000, smooth.n_image + smooth.n_text)) < p
    truth = smooth(fresh)
    reached = 1 - np.mean((truth - found.predict(fresh)) ** 2) / truth.var()
    limit = limiting_faithfulness(smooth, fresh, p, rng)
    assert reached > limit - 0.035


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("p", [0.3, 0.5, 0.7])
def test_the_faithfulness_expected_is_that_on_fresh_masks(smooth, rng, p, order):
    """On average over sets of samples; a single one's masks are an estimate too."""
    fresh = rng.random((3000, smooth.n_image + smooth.n_text)) < p
    truth, difference = smooth(fresh), []
    for seed in range(4):
        found = fixlip.sample(smooth, 256, seed=seed, progress=False).explain(p, order=order)
        reached = 1 - np.mean((truth - found.predict(fresh)) ** 2) / truth.var()
        difference.append(found.expected_faithfulness - reached)
    assert abs(np.mean(difference)) < 0.03
    assert np.abs(difference).max() < 0.12


@pytest.mark.slow
def test_the_faithfulness_expected_of_a_long_caption_is_that_on_fresh_masks(rng):
    """Of 44 words few masks are known, and what they were fitted to must not judge the fit.

    Averages over three games and sets of samples. A single one differs by up to 0.1, since its image masks are few.
    """
    difference = {p: [] for p in (0.3, 0.5, 0.7)}
    for seed in range(3):
        game = SmoothGame(30, 44, seed=seed)
        samples = fixlip.sample(game, 256, seed=seed, progress=False)
        assert not samples.text_side.exact
        for p, found in difference.items():
            explanation, fresh = samples.explain(p), rng.random((4000, 74)) < p
            truth = game(fresh)
            reached = 1 - np.mean((truth - explanation.predict(fresh)) ** 2) / truth.var()
            found.append(explanation.expected_faithfulness - reached)
    for p, found in difference.items():
        assert abs(np.mean(found)) < 0.05, (p, found)
        assert np.abs(found).max() < 0.12, (p, found)


def test_long_captions_are_expanded_by_the_kernel_too(rng):
    game = SmoothGame(20, 12, seed=1)
    samples = fixlip.sample(game, 256, p=0.5, progress=False)
    assert not samples.text_side.exact
    found = samples.explain(0.5)
    fresh = rng.random((2000, 32)) < 0.5
    truth = game(fresh)
    reached = 1 - np.mean((truth - found.predict(fresh)) ** 2) / truth.var()
    assert reached > limiting_faithfulness(game, fresh, 0.5, rng) - 0.03
    assert found.expected_faithfulness == pytest.approx(reached, abs=0.05)
    assert (found.stderr[1][20:, 20:][np.triu_indices(12, 1)] > 0).all()


def test_shapley_indices_from_few_samples_are_close(rng):
    game = RandomLowOrder(rng)
    found = fixlip.sample(game, 200, p=(0.1, 0.3, 0.5, 0.7, 0.9), progress=False).explain(index="sii")
    table = TableGame(game(enumerate_masks(13)), 10, 3)
    expected = exact(table, 0.5, "sii")
    assert np.corrcoef(found.interactions.ravel(), expected.interactions.ravel())[0, 1] > 0.98
    assert found.predict(np.ones((1, 13), bool))[0] == pytest.approx(game(np.ones((1, 13), bool))[0])
    assert (found.stderr[0] > 0).all()


class RandomLowOrder(SmoothGame):
    def __init__(self, rng):
        super().__init__(10, 3, seed=int(rng.integers(1000)))


# ---- degenerate games


class ConstantGame(SmoothGame):
    def embed_images(self, masks, progress=False):
        return np.tile(self.mix[:1], (len(masks), 1))


@pytest.mark.parametrize("budget", [2, 3, 20])
def test_a_constant_image_gets_nothing(budget):
    found = fixlip.sample(ConstantGame(), budget, p=0.5).explain(0.5)
    assert np.abs(found.attributions[:30]).max() < 1e-9 and np.abs(found.interactions[:30]).max() < 1e-9
    assert np.isfinite(found.stderr[0]).all() and np.isfinite(found.stderr[1]).all()


@pytest.mark.parametrize("budget", [2, 3, 5, 16])
def test_fewer_masks_than_players_give_a_sensible_explanation(smooth, budget):
    found = fixlip.sample(smooth, budget, p=0.5).explain(0.5)
    assert np.isfinite(found.interactions).all() and np.isfinite(found.stderr[1]).all()
    assert (found.expected_faithfulness is None) == (budget < 8), "too few to say"


@pytest.mark.parametrize("p", [0.01, 0.99])
def test_an_extreme_p_is_answered(samples, p):
    found = samples.explain(p)
    assert np.isfinite(found.attributions).all() and np.isfinite(found.stderr[0]).all()
    assert found.expected_faithfulness is None, "masks from 0.2 to 0.7 say nothing about faithfulness there"
