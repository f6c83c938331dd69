"""Standard errors and expected faithfulness against the posterior written out over all masks, and by fitting anew.

Nothing here uses the closed forms of the surrogates: the process is conditioned on its samples by the textbook's
formulas (Rasmussen and Williams 2006, Equations 2.41 and 2.42: an unknown constant mean), for all 2^n masks of a side;
terms of an explanation are vectors over all coalitions of both sides; and leaving out is conditioning on the others.
"""

import itertools
from dataclasses import replace
from functools import cached_property

import numpy as np
import pytest
from toys import RandomBilinearGame, SmoothGame

import fixlip
from fixlip.masks import enumerate_masks

DRAWN = (0.3, 0.6)
PS = [0.3, 0.5, 0.65]
# A game that the process expects, and one whose samples it misses by more than it expects, so that calibration counts.
GAMES = {"smooth": SmoothGame(5, 4, seed=0), "rough": RandomBilinearGame(5, 4, seed=4)}
SIDES = {"image sampled": (20, 16), "text sampled": (32, 13), "both sampled": (20, 13)}


class Process:
    """One side's process, conditioned on its samples, at all masks."""

    def __init__(self, masks, outputs, relevances, in_a_row):
        self.masks, self.outputs, self.relevances, self.in_a_row = masks, outputs, relevances, in_a_row
        self.grid = enumerate_masks(masks.shape[1])
        self.at = [int(np.flatnonzero((self.grid == mask).all(axis=1))[0]) for mask in masks]
        kernel = self.kernel()
        a = kernel[np.ix_(self.at, self.at)] + relevances.noise * np.eye(len(masks))
        cross, ones = kernel[:, self.at], np.ones(len(masks))
        precision = ones @ np.linalg.solve(a, ones)
        constant = ones @ np.linalg.solve(a, outputs) / precision
        residual = np.linalg.solve(a, outputs - constant)
        unseen = 1 - cross @ np.linalg.solve(a, ones)
        self.mean = constant + cross @ residual
        self.posterior = kernel - cross @ np.linalg.solve(a, cross.T) + np.outer(unseen, unseen) / precision
        self.covariance = (outputs - constant).T @ residual / (len(masks) - 1)

    def kernel(self):
        """The sum as the module's docstring writes it."""
        r, z = self.relevances, 2.0 * self.grid - 1
        found = np.ones((len(z), len(z)))
        for i in range(z.shape[1]):
            both = np.outer(z[:, i], z[:, i])
            found *= (1 + r.rho[i] * both) / (1 + r.rho[i])
        for i in range(z.shape[1]):
            found += r.linear * r.rho[i] * np.outer(z[:, i], z[:, i])
        for i, j in itertools.combinations(range(z.shape[1]), 2):
            near = r.near * r.rho[i] * r.rho[j] if self.in_a_row and j == i + 1 else 0.0
            strength = near + r.wide * np.sqrt(r.rho[i] * r.rho[j])
            found += strength * np.outer(z[:, i] * z[:, j], z[:, i] * z[:, j])
        return found

    @cached_property
    def without(self):
        """The same conditioned on all samples but one, for each of them."""
        others = [np.arange(len(self.masks)) != m for m in range(len(self.masks))]
        return [Process(self.masks[o], self.outputs[o], self.relevances, self.in_a_row) for o in others]

    def calibration(self, directions, weights):
        """Squared errors of left-out samples over what is expected of them, per direction and sample; at least one."""
        found = 0.0
        for m, (process, weight) in enumerate(zip(self.without, weights, strict=True)):
            error = self.outputs[m] - process.mean[self.at[m]]
            expected = process.posterior[self.at[m], self.at[m]] + self.relevances.noise
            found += weight * np.sum((directions @ error) ** 2) / expected
        return max(1.0, found / np.einsum("ka,ab,kb->", directions, self.covariance, directions))

    def variance(self, functional):
        """Of the sum of functional (2^n, d) times outputs, before calibration."""
        return np.sum(self.posterior * (functional @ self.covariance @ functional.T))

    def jackknife(self, functional):
        return sum(np.sum(functional * (self.mean - process.mean)) ** 2 for process in self.without)


class BruteForce:
    """Both sides, and the terms of explanations as vectors over all pairs of an image mask and a text mask."""

    def __init__(self, samples):
        self.scale, self.sides, self.shape = samples.scale, {}, (samples.image_side.masks.shape[1], 4)
        readout = samples.readout()
        for k, name in enumerate(("image", "text")):
            side, surrogate = getattr(samples, f"{name}_side"), getattr(readout, name)
            if surrogate.exact:
                continue
            # These patches have no grid, and so no neighbours; words always stand in a row.
            outputs = np.asarray(side.embeddings, float)
            self.sides[k] = Process(side.masks, outputs, surrogate.relevances, in_a_row=name == "text")
        self.samples = samples
        self.means = [self.sides[k].mean if k in self.sides else self._enumerated(k) for k in (0, 1)]
        self.grids = [enumerate_masks(n) for n in self.shape]

    def _enumerated(self, k):
        side = (self.samples.image_side, self.samples.text_side)[k]
        order = side.masks @ 2 ** np.arange(self.shape[k])
        return np.asarray(side.embeddings, float)[np.argsort(order)]

    def weights(self, k, p):
        """Of the masks drawn, under the p-measure."""
        side = (self.samples.image_side, self.samples.text_side)[k]
        present, n = side.masks.sum(axis=1), self.shape[k]
        density = [q**present * (1 - q) ** (n - present) for q in (p, *DRAWN)]
        weights = side.weights * density[0] / np.mean(density[1:], axis=0) if k in self.sides else density[0]
        return weights / weights.sum()

    def calibration(self, k, p):
        """In the directions of the other side's average and derivatives."""
        other, chances, grid = self.means[1 - k], self.chances(p)[1 - k], self.grids[1 - k]
        directions = np.vstack([chances @ other, ((grid - p) / (p * (1 - p)) * chances[:, None]).T @ other])
        return self.sides[k].calibration(directions, self.weights(k, p))

    def chances(self, p):
        return [np.prod(np.where(grid, p, 1 - p), axis=1) for grid in self.grids]

    def terms(self, p):
        """D_i, (n, 2^n_I, 2^n_T), and D_ij, (n, n, 2^n_I, 2^n_T), as functionals of the values."""
        images, texts = self.grids
        joint = np.multiply.outer(*self.chances(p))
        h = [np.repeat(column[:, None], len(texts), 1) for column in images.T]
        h += [np.repeat(column[None], len(images), 0) for column in texts.T]
        h = (np.array(h) - p) / (p * (1 - p))
        pairs = joint * h[:, None] * h[None]
        pairs[np.arange(len(h)), np.arange(len(h))] = 0
        return joint * h, pairs

    def error(self, factors, functional, jackknife):
        """Standard error of a term; both sides' errors are independent."""
        total = 0.0
        for k, process in self.sides.items():
            own = (functional if k == 0 else functional.T) @ self.means[1 - k]
            total += factors[k] * process.variance(own)
            total += process.jackknife(own) if jackknife else 0.0
        return self.scale * np.sqrt(total)

    def errors(self, p, share):
        """Of D_i - share * sum over j of D_ij, (n,), and of D_ij, (n, n)."""
        single, pairs = self.terms(p)
        n, factors = len(single), {k: self.calibration(k, p) for k in self.sides}
        attributions = [self.error(factors, single[i] - share * pairs[i].sum(axis=0), True) for i in range(n)]
        interactions = np.zeros((n, n))
        for i, j in itertools.combinations(range(n), 2):
            interactions[i, j] = interactions[j, i] = self.error(factors, pairs[i, j], False)
        return np.array(attributions), interactions


@pytest.fixture(scope="module", params=itertools.product(GAMES, SIDES), ids="-".join)
def samples(request):
    """Five patches and four words, of whose masks some are left out on the sides that are sampled."""
    game, (budget, texts) = GAMES[request.param[0]], SIDES[request.param[1]]
    found = fixlip.sample(game, budget, p=DRAWN, seed=3, progress=False)
    if texts == 16:
        return found
    # So short a caption is always enumerated: some of its masks are taken away again.
    order = np.random.default_rng(1).permutation(16)[:texts]
    text = found.text_side
    return replace(found, text_side=text.of(text.masks[order], text.weights[order], text.embeddings[order]))


@pytest.fixture(scope="module")
def truth(samples):
    return BruteForce(samples)


@pytest.mark.parametrize("p", PS)
def test_standard_errors_are_those_of_the_posterior(samples, truth, p):
    """Of attributions, own, cross and other pairs, on both sides."""
    found = samples.explain(p)
    attributions, interactions = truth.errors(p, share=p)
    np.testing.assert_allclose(found.stderr[0], attributions, rtol=1e-4)
    np.testing.assert_allclose(found.stderr[1], interactions, rtol=1e-4, atol=1e-9)
    assert (found.stderr[0] > 0).all() and (found.stderr[1][np.triu_indices(9, 1)] > 0).all()


@pytest.mark.parametrize("p", PS)
def test_standard_errors_of_triples_are_those_of_the_posterior(samples, truth, p):
    """Of triples across the sides, and bounds of those within a sampled one; values and pairs as without triples."""
    found, second = samples.explain(p, order=3), samples.explain(p)
    n_image, sampled = truth.shape[0], [k in truth.sides for k in (0, 1)]
    _, pairs = truth.terms(p)
    images, texts = truth.grids
    h = [np.repeat(column[:, None], len(texts), 1) for column in images.T]
    h += [np.repeat(column[None], len(images), 0) for column in texts.T]
    factors = {k: truth.calibration(k, p) for k in truth.sides}
    for i, j, k in itertools.combinations(range(9), 3):
        expected = truth.error(factors, pairs[i, j] * (h[k] - p) / (p * (1 - p)), False)
        side = 0 if k < n_image else 1 if i >= n_image else None
        if side is None or not sampled[side]:
            assert found.triple_errors[i, j, k] == pytest.approx(expected, rel=1e-4)
        else:
            assert found.triple_errors[i, j, k] >= expected * (1 - 1e-6)
    np.testing.assert_allclose(found.value_stderr, second.value_stderr)
    np.testing.assert_allclose(found.pair_stderr, second.pair_stderr)
    assert found.stderr is None


@pytest.mark.parametrize("samples", [("rough", "both sampled")], indirect=True, ids=["rough"])
def test_calibration_counts_in_these_tests(samples, truth):
    """It is never below one, so that cases in which it is one would not tell whether it is used."""
    assert truth.calibration(0, 0.3) > 1.3 and truth.calibration(1, 0.65) > 1.3


def test_standard_errors_of_values_without_interactions(samples, truth):
    found = samples.explain(0.3, order=1)
    np.testing.assert_allclose(found.stderr[0], truth.errors(0.3, share=0.0)[0], rtol=1e-4)
    assert not found.stderr[1].any()


@pytest.mark.parametrize(("index", "density"), [("shapley", lambda p: 6 * p * (1 - p)), ("sii", lambda p: 1.0)])
def test_standard_errors_of_shapley_indices_are_averages_over_p(samples, truth, index, density):
    """With many more nodes than are used; of attributions D_i - density / 2 * sum over j of D_ij."""
    points, weights = np.polynomial.legendre.leggauss(16)
    nodes = list(zip((points + 1) / 2, weights / 2, strict=True))
    parts = [truth.errors(p, density(p) / 2) for p, _ in nodes]
    attributions = sum(weight * single for (_, weight), (single, _) in zip(nodes, parts, strict=True))
    interactions = sum(weight * density(p) * pair for (p, weight), (_, pair) in zip(nodes, parts, strict=True))
    found = samples.explain(index=index)
    np.testing.assert_allclose(found.stderr[0], attributions, rtol=0.05)
    np.testing.assert_allclose(found.stderr[1], interactions, rtol=0.05, atol=1e-9)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("p", [0.4, 0.5])
def test_expected_faithfulness_is_that_of_fits_without_the_mask_they_are_compared_with(samples, truth, p, order):
    """Every pair of masks by a fit without its image mask and one without its text mask."""
    coefficients = []  # at each mask of a side: terms of order 0, 1, 2 and 3 of the fit without it, (d,) each
    for k, side in enumerate((samples.image_side, samples.text_side)):
        chances, grid = truth.chances(p)[k], truth.grids[k]
        h, rows = (grid - p) / (p * (1 - p)), []
        for m, mask in enumerate(side.masks):
            mean = truth.sides[k].without[m].mean if k in truth.sides else truth.means[k]
            offset = mask - p
            first = offset @ (h * chances[:, None]).T @ mean
            second = np.einsum("i,j,xi,xj,x,xd->d", offset, offset, h, h, chances, mean)
            second -= np.einsum("i,xi,x,xd->d", offset**2, h**2, chances, mean)
            third = np.zeros_like(first)
            for three in itertools.combinations(range(len(mask)), 3):
                third += offset[list(three)].prod() * (h[:, three].prod(axis=1) * chances) @ mean
            rows.append((chances @ mean, first, second / 2, third))
        coefficients.append(np.array(rows))
    image, text = coefficients
    predicted = sum(image[:, a] @ text[:, b].T for a, b in itertools.product(range(4), range(4)) if a + b <= order)
    values = np.asarray(samples.image_side.embeddings) @ np.asarray(samples.text_side.embeddings).T
    weights = np.outer(truth.weights(0, p), truth.weights(1, p))
    spread = np.sum(weights * (values - np.sum(weights * values)) ** 2)
    expected = 1 - np.sum(weights * (values - predicted) ** 2) / spread
    assert samples.readout().expected_faithfulness(p, order) == pytest.approx(expected, abs=1e-8)
