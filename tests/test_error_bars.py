"""Standard errors and expected faithfulness against the process written out over all masks, and by fitting anew.

Nothing here uses the closed forms of the surrogates or of the bars: the process is conditioned on its samples by the
textbook's formulas (Rasmussen and Williams 2006, Equations 2.41 and 2.42: an unknown constant mean), for all 2^n masks
of a side; terms of an explanation are vectors over all coalitions of both sides; and leaving out is conditioning on the
others.
"""

import itertools
from dataclasses import replace
from functools import cached_property

import numpy as np
import pytest
from toys import RandomBilinearGame, SmoothGame

import fixlip
from fixlip.estimators.bars import LEVEL
from fixlip.masks import enumerate_masks

DRAWN = (0.3, 0.6)
PS = [0.2, 0.5, 0.65]  # the first and the last outside what was drawn
# A game that the process expects, and one whose samples it misses by more than it expects.
GAMES = {"smooth": SmoothGame(5, 4, seed=0), "rough": RandomBilinearGame(5, 4, seed=4)}
SIDES = {"image sampled": (20, 16), "text sampled": (32, 13), "both sampled": (20, 13)}
PATCHES, WORDS = slice(0, 5), slice(5, 9)
PAIRS = np.triu_indices(9, 1)


class Process:
    """One side's process, conditioned on its samples, at all masks."""

    def __init__(self, masks, outputs, relevances):
        self.masks, self.outputs, self.relevances = masks, outputs, relevances
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
        """The product as the module's docstring writes it."""
        rho, z = self.relevances.rho, 2.0 * self.grid - 1
        return np.prod([(1 + r * np.outer(one, one)) / (1 + r) for r, one in zip(rho, z.T, strict=True)], axis=0)

    @cached_property
    def without(self):
        """The same conditioned on all samples but one, for each of them."""
        others = [np.arange(len(self.masks)) != m for m in range(len(self.masks))]
        return [Process(self.masks[o], self.outputs[o], self.relevances) for o in others]

    @cached_property
    def left_out(self):
        """Each sample less its prediction from all others, (m, d), and the variance expected of that, (m,)."""
        errors = [self.outputs[m] - one.mean[self.at[m]] for m, one in enumerate(self.without)]
        expected = [one.posterior[self.at[m], self.at[m]] for m, one in enumerate(self.without)]
        return np.array(errors), np.array(expected) + self.relevances.noise

    @cached_property
    def influence(self):
        """(2^n, m), of each sample on the estimate at each mask: what comes out where it alone is one."""
        return Process(self.masks, np.eye(len(self.masks)), self.relevances).mean

    def variances(self, numbers):
        """(k,), of the sums of numbers (k, 2^n, d) times outputs, if the process is right."""
        return np.einsum("kxd,de,xy,kye->k", numbers, self.covariance, self.posterior, numbers, optimize=True)

    def factor(self, numbers, chances, weights):
        """How much larger squared errors of numbers (k, 2^n, d) of a kind seem to be than the process says.

        A number is an average over the 2^n masks by their `chances`, here estimated from samples with `weights` (m,).
        """
        left, expected = self.left_out
        refitted = np.array([one.mean for one in self.without])
        change = np.einsum("kxd,mxd->mk", numbers, self.mean - refitted)
        weight = np.einsum("kxd,xm->mkd", numbers, self.influence)
        of_change = np.einsum("m,mkd,de,mke->", expected, weight, self.covariance, weight)
        # The number itself is the fit's without sample m, on average over m, plus what the samples say of the rest.
        averaged = weights[:, None] * np.einsum("kmd,md->mk", numbers[:, self.at] / chances[self.at][:, None], left)
        found = np.sum((averaged - weights[:, None] * change).sum(axis=0) ** 2)
        # Were sample m another, then both averages were.
        chance = np.sum((averaged - change) ** 2)
        excess = max(0.0, found - (1 + np.sqrt(2 / len(numbers))) * chance)
        return np.sum(change**2) / of_change, excess / self.variances(numbers).sum()


def levelled(variances, axis=0):
    """A small share of a kind's variances spread evenly."""
    return (1 - LEVEL) * variances + LEVEL * variances.mean(axis=axis, keepdims=True)


class BruteForce:
    """Both sides, and the terms of explanations as vectors over all pairs of an image mask and a text mask."""

    def __init__(self, samples):
        self.samples, self.scale, self.sides, self.shape = samples, samples.scale, {}, (5, 4)
        readout = samples.readout()
        for k, name in enumerate(("image", "text")):
            side, surrogate = getattr(samples, f"{name}_side"), getattr(readout, name)
            if not surrogate.exact:
                self.sides[k] = Process(side.masks, np.asarray(side.embeddings, float), surrogate.relevances)
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

    def chances(self, p):
        return [np.prod(np.where(grid, p, 1 - p), axis=1) for grid in self.grids]

    def h(self, p):
        """(9, 2^n_I, 2^n_T), of each player (x - p) / (p (1 - p)): a mean with it is a derivative."""
        images, texts = self.grids
        columns = [np.repeat(column[:, None], len(texts), 1) for column in images.T]
        columns += [np.repeat(column[None], len(images), 0) for column in texts.T]
        return (np.array(columns) - p) / (p * (1 - p))

    def terms(self, p):
        """D_i, (n, 2^n_I, 2^n_T), and D_ij, (n, n, 2^n_I, 2^n_T), as functionals of the values."""
        h, joint = self.h(p), np.multiply.outer(*self.chances(p))
        pairs = joint * h[:, None] * h[None]
        pairs[np.arange(len(h)), np.arange(len(h))] = 0
        return joint * h, pairs

    def own(self, k, functionals):
        """Functionals of values (..., 2^n_I, 2^n_T) as those of one side's outputs, (..., 2^n, d)."""
        return (functionals if k == 0 else np.swapaxes(functionals, -1, -2)) @ self.means[1 - k]

    def near(self, p):
        return min(max(p, min(DRAWN)), max(DRAWN))

    def kinds(self, k, p, share):
        """What is checked together, for one side's outputs: name and numbers (k, 2^n, d)."""
        mine, others = (PATCHES, WORDS) if k == 0 else (WORDS, PATCHES)
        single, pairs = self.terms(p)
        attributions = single - share * pairs.sum(axis=1)
        first, second = np.triu_indices(self.shape[k], 1)
        yield "mine", self.own(k, attributions[mine])
        yield "others", self.own(k, attributions[others])
        yield "my pairs", self.own(k, pairs[mine, mine][first, second])
        for t in range(9)[others]:
            yield f"pairs with {t}", self.own(k, pairs[t, mine])
        yield "others' values", self.own(k, single[others])
        yield "my values", self.own(k, single[mine])

    def parts(self, k, p, share):
        """Both parts of the factor of each kind, from the nearest p that was drawn."""
        near = self.near(p)
        chances, weights = self.chances(near)[k], self.weights(k, near)
        kinds = self.kinds(k, near, share)
        return {kind: self.sides[k].factor(numbers, chances, weights) for kind, numbers in kinds}

    def errors(self, p, share):
        """Of D_i - share * sum over j of D_ij, (n,), and of D_ij, (n, n)."""
        singles, pairs = np.zeros(9), np.zeros((9, 9))
        for k, process in self.sides.items():
            factor = {kind: sum(parts) for kind, parts in self.parts(k, p, share).items()}
            mine, others = (PATCHES, WORDS) if k == 0 else (WORDS, PATCHES)
            numbers = dict(self.kinds(k, p, share))
            singles[mine] += levelled(process.variances(numbers["mine"])) * factor["mine"]
            singles[others] += levelled(process.variances(numbers["others"])) * factor["others"]
            first, second = np.triu_indices(self.shape[k], 1)
            within = np.zeros((self.shape[k],) * 2)
            within[first, second] = levelled(process.variances(numbers["my pairs"])) * factor["my pairs"]
            pairs[mine, mine] += within + within.T
            names = [f"pairs with {t}" for t in range(9)[others]]
            cross = levelled(levelled(np.array([process.variances(numbers[name]) for name in names]), 0), 1)
            cross *= np.array([[factor[name]] for name in names])
            pairs[others, mine] += cross
            pairs[mine, others] += cross.T
            for i, j in itertools.combinations(range(9)[others], 2):
                theirs = process.variances(self.own(k, self.terms(p)[1][i, j])[None])[0] * factor["others' values"]
                pairs[[i, j], [j, i]] += theirs
        return self.scale * np.sqrt(singles), self.scale * np.sqrt(pairs)

    def triple_errors(self, p):
        """Of D_ijk, as sums over both sides, (n, n, n) for i < j < k; within a sampled side before the factor."""
        found, joint, h = np.zeros((9, 9, 9)), np.multiply.outer(*self.chances(p)), self.h(p)
        triples = np.array(list(itertools.combinations(range(9), 3)))
        for k, process in self.sides.items():
            factor = {kind: sum(parts) for kind, parts in self.parts(k, p, 0.0).items()}
            mine = np.isin(triples, range(9)[PATCHES if k == 0 else WORDS]).sum(axis=1)
            variances = process.variances(self.own(k, joint * h[triples].prod(axis=1)))
            # Two of mine with one of the others': levelled over my pairs, and over whom they meet.
            two = variances[mine == 2]
            two = two.reshape(-1, 4) if k == 0 else two.reshape(5, -1)
            variances[mine == 2] = levelled(levelled(two, 0), 1).ravel()
            one = variances[mine == 1]
            variances[mine == 1] = (
                levelled(one.reshape(5, -1), 0) if k == 0 else levelled(one.reshape(-1, 4), 1)
            ).ravel()
            kinds = np.array(["others' values", "my values", "my pairs", "my pairs"])[mine]
            found[tuple(triples.T)] += variances * [factor[kind] for kind in kinds]
        return self.scale * np.sqrt(found)


def samples_of(game, sides):
    """Five patches and four words, of whose masks some are left out on the sides that are sampled."""
    game, (budget, texts) = GAMES[game], SIDES[sides]
    found = fixlip.sample(game, budget, p=DRAWN, seed=3, progress=False)
    if texts == 16:
        return found
    # So short a caption is always enumerated: some of its masks are taken away again.
    order = np.random.default_rng(1).permutation(16)[:texts]
    text = found.text_side
    return replace(found, text_side=text.of(text.masks[order], text.weights[order], text.embeddings[order]))


@pytest.fixture(scope="module", params=itertools.product(GAMES, SIDES), ids="-".join)
def samples(request):
    return samples_of(*request.param)


@pytest.fixture(scope="module")
def truth(samples):
    return BruteForce(samples)


@pytest.mark.parametrize("p", PS)
def test_standard_errors_are_those_of_the_process_and_of_its_faults(samples, truth, p):
    """Of attributions, own, cross and other pairs, on both sides."""
    found = samples.explain(p)
    attributions, interactions = truth.errors(p, share=p)
    np.testing.assert_allclose(found.stderr[0], attributions, rtol=1e-4)
    np.testing.assert_allclose(found.stderr[1], interactions, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(found.value_stderr, truth.errors(p, share=0.0)[0], rtol=1e-4)
    assert (found.stderr[0] > 0).all() and (found.stderr[1][PAIRS] > 0).all()


@pytest.mark.parametrize("p", PS)
def test_standard_errors_of_triples_are_those_of_pairs_that_meet_the_other_side_likewise(samples, truth, p):
    """Of triples across the sides, and bounds of those within a sampled one; values and pairs as without triples."""
    found, second, expected = samples.explain(p, order=3), samples.explain(p), truth.triple_errors(p)
    for i, j, k in itertools.combinations(range(9), 3):
        side = 0 if k < 5 else 1 if i >= 5 else None
        if side in truth.sides:
            assert found.triple_errors[i, j, k] >= expected[i, j, k] * (1 - 1e-6)
        else:
            assert found.triple_errors[i, j, k] == pytest.approx(expected[i, j, k], rel=1e-4)
    np.testing.assert_allclose(found.value_stderr, second.value_stderr)
    np.testing.assert_allclose(found.pair_stderr, second.pair_stderr)
    assert found.stderr is None


def test_both_parts_of_every_factor_count_in_these_tests():
    """Else no case would tell whether they are used: errors unlike those expected, and corrections beyond chance."""
    truths = [BruteForce(samples_of(*which)) for which in (("smooth", "both sampled"), ("rough", "image sampled"))]
    seen = {}
    for one, p in itertools.product(truths, PS):
        for kind, parts in one.parts(0, p, p).items():
            seen.setdefault(kind.rstrip("5678"), []).append(parts)
    for kind, parts in seen.items():
        errors, excess = np.transpose(parts)
        assert np.abs(errors - 1).max() > 0.15, kind
        assert excess.max() > 0.25, kind


def test_standard_errors_of_values_without_interactions(samples, truth):
    found = samples.explain(0.3, order=1)
    np.testing.assert_allclose(found.stderr[0], truth.errors(0.3, share=0.0)[0], rtol=1e-4)
    assert not found.stderr[1].any()


def averages(truth, density, nodes):
    """Standard errors on average over p: of D_i - density / 2 * sum over j of D_ij, and of density * D_ij."""
    points, weights = np.polynomial.legendre.leggauss(nodes)
    singles, pairs = np.zeros(9), np.zeros((9, 9))
    for p, weight in zip((points + 1) / 2, weights / 2, strict=True):
        single, pair = truth.errors(p, density(p) / 2)
        singles, pairs = singles + weight * single, pairs + weight * density(p) * pair
    return singles, pairs


@pytest.mark.parametrize(("index", "density"), [("shapley", lambda p: 6 * p * (1 - p)), ("sii", lambda p: 1.0)])
def test_standard_errors_of_shapley_indices_are_averages_over_p(samples, truth, index, density):
    found = samples.explain(index=index)
    attributions, interactions = averages(truth, density, 5)
    np.testing.assert_allclose(found.stderr[0], attributions, rtol=1e-4)
    np.testing.assert_allclose(found.stderr[1], interactions, rtol=1e-4, atol=1e-9)


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
