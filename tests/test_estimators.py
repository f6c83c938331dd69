import numpy as np
import pytest
import shapiq
from toys import RandomBilinearGame, TableGame

import fixlip
from fixlip.answers import Side
from fixlip.estimators import agnostic
from fixlip.estimators.basis import expand
from fixlip.estimators.exact import exact
from fixlip.estimators.least_squares import crossmodal_least_squares
from fixlip.masks import enumerate_masks, mask_weights
from fixlip.samples import Samples
from fixlip.subject import Subject

PS = [0.3, 0.5, 0.7]


def as_vector(explanation):
    """Constant, attributions, interactions in lexicographic order."""
    pairs = np.triu_indices(explanation.n_players, 1)
    return np.concatenate([[explanation.constant], explanation.attributions, explanation.interactions[pairs]])


def regression(masks, weights, values):
    """Weighted least squares written down as the definition says, with no regard for size."""
    first, second = np.triu_indices(masks.shape[1], 1)
    design = np.hstack([np.ones((len(masks), 1)), masks, masks[:, first] & masks[:, second]]).astype(float)
    root = np.sqrt(weights)[:, None]
    return np.linalg.lstsq(design * root, values * root[:, 0], rcond=None)[0]


# ---- exact


@pytest.mark.parametrize("p", PS)
def test_exact_equals_the_oracle_of_twelve_players(oracle, p):
    table = oracle("exact12")
    game = TableGame(table["values"], 6, 6)
    found, expected = as_vector(exact(game, p)), table[f"p{10 * p:.0f}_wls"]
    # The oracle explains v - v(empty).
    found[0] -= game.values[0]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    values = exact(game, p).first_order().attributions
    np.testing.assert_allclose(values, table[f"p{10 * p:.0f}_wbanzhaf_value"], atol=1e-9)


def test_exact_at_one_half_equals_shapiq(rng):
    values = rng.normal(size=2**7)
    game = TableGame(values, 4, 3)
    computer = shapiq.ExactComputer(n_players=7, game=lambda masks: game(np.asarray(masks, bool)))
    reference = computer("FBII", order=2)
    found = exact(game, 0.5)
    for coalition, position in reference.interaction_lookup.items():
        if len(coalition) == 2:
            assert found.interactions[coalition] == pytest.approx(reference.values[position], abs=1e-9)
        elif len(coalition) == 1:
            assert found.attributions[coalition] == pytest.approx(reference.values[position], abs=1e-9)
    banzhaf = computer("BV", order=1)
    expected = [banzhaf[(i,)] for i in range(7)]
    np.testing.assert_allclose(found.first_order().attributions, expected, atol=1e-9)


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9])
@pytest.mark.parametrize(("n_image", "n_text"), [(1, 1), (1, 0), (0, 2), (5, 3)])
def test_exact_minimises_the_weighted_error(rng, p, n_image, n_text):
    n = n_image + n_text
    masks, values = enumerate_masks(n), rng.normal(size=2**n)
    expected = regression(masks, mask_weights(masks, p), values)
    found = exact(TableGame(values, n_image, n_text), p)
    np.testing.assert_allclose(found.predict(masks), _predict(expected, masks), atol=1e-8)


def _predict(coefficients, masks):
    first, second = np.triu_indices(masks.shape[1], 1)
    return np.hstack([np.ones((len(masks), 1)), masks, masks[:, first] & masks[:, second]]) @ coefficients


def test_exact_refuses_large_games():
    with pytest.raises(ValueError, match="got 17 players, wanted at most 16"):
        exact(TableGame([0.0], 9, 8))


def test_a_game_of_three_players_is_a_lambda():
    class Game:
        n_image, n_text = 1, 2

        def __call__(self, masks):
            return 1.0 + 2.0 * masks[:, 0] + 4.0 * masks[:, 0] * masks[:, 2]

    explanation = exact(Game(), 0.3)
    assert explanation.constant == pytest.approx(1)
    np.testing.assert_allclose(explanation.attributions, [2, 0, 0], atol=1e-12)
    assert explanation.interactions[0, 2] == pytest.approx(4)
    assert explanation.labels == ("image 0", "text 0", "text 1")


# ---- the orthonormal basis


@pytest.mark.parametrize("p", [0.2, 0.5, 0.7])
def test_the_basis_is_orthonormal_under_the_p_measure(p):
    masks = enumerate_masks(6)
    phi = expand(masks, p, 2)
    np.testing.assert_allclose(phi.T @ (mask_weights(masks, p)[:, None] * phi), np.eye(22), atol=1e-12)


# ---- cross-modal least squares


def oracle_samples(table, name, enumerated):
    """The oracle stores values of all pairs: taken as embeddings of the image, with unit vectors for the captions."""
    n_image, n_text, empty, full = table["meta_nI_nT_empty_full"]
    n_image, n_text, p = int(n_image), int(n_text), int(name[1]) / 10
    image_masks = np.unpackbits(table[f"{name}_cm_image_masks"], axis=1)[:, :n_image].astype(bool)
    counts = table[f"{name}_cm_image_counts"]
    if enumerated:
        text_masks, values = table[f"{name}_cmenum_text_masks"], table[f"{name}_cmenum_values"]
        text_weights = mask_weights(text_masks, p)
    else:
        text_masks, values = table[f"{name}_cm_text_masks"], table[f"{name}_cm_values"]
        text_weights = table[f"{name}_cm_text_counts"] / table[f"{name}_cm_text_counts"].sum()
    players = Subject(n_image, n_text, tuple(map(str, range(n_image + n_text))))
    return Samples(
        subject=players,
        image_side=Side(image_masks, counts / counts.sum(), values - empty, (p,)),
        text_side=Side(text_masks, text_weights, np.eye(len(text_masks)), (p,)),
        scale=1.0,
        bias=0.0,
    )


@pytest.mark.parametrize("enumerated", [False, True], ids=["drawn captions", "all captions"])
@pytest.mark.parametrize("name", ["p3", "p5", "p7"])
def test_crossmodal_equals_the_published_code(oracle, name, enumerated):
    table = oracle("fixlip_estimator")
    explanation = crossmodal_least_squares(oracle_samples(table, name, enumerated), basis="crossmodal")
    key = f"{name}_cmenum" if enumerated else f"{name}_cm"
    scale = float(np.abs(table[f"{key}_first"]).max())
    np.testing.assert_allclose(explanation.crossmodal(), table[f"{key}_second"], rtol=1e-3, atol=1e-4 * scale)
    np.testing.assert_allclose(explanation.attributions, table[f"{key}_first"], rtol=1e-3, atol=1e-4 * scale)
    assert explanation.constant == pytest.approx(float(table[f"{key}_base"]), rel=1e-3, abs=1e-4 * scale)


@pytest.mark.parametrize("name", ["p3", "p5", "p7"])
def test_first_order_conversion_equals_the_published_code(oracle, name):
    table = oracle("fixlip_estimator")
    n, p = 55, int(name[1]) / 10
    interactions = np.zeros((n, n))
    interactions[np.triu_indices(n, 1)] = table[f"{name}_full_ones_second"]
    players = Subject(49, 6, tuple(map(str, range(n))))
    explanation = fixlip.Explanation(0.0, table[f"{name}_full_ones_first"], interactions + interactions.T, players, p=p)
    expected = table[f"{name}_full_ones_firstorder"]
    np.testing.assert_allclose(explanation.first_order().attributions, expected, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("p", PS)
@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 1), (1, 3)])
def test_with_all_masks_crossmodal_is_exact(p, shape):
    game = RandomBilinearGame(*shape)
    samples = fixlip.sample(game, budget=2 ** shape[0], p=p)
    assert samples.image_side.exact and samples.text_side.exact
    np.testing.assert_allclose(as_vector(crossmodal_least_squares(samples)), as_vector(exact(game, p)), atol=1e-9)


@pytest.mark.parametrize("text_exact", [True, False])
def test_crossmodal_equals_the_regression_written_out(rng, text_exact):
    n_image, n_text, p = 5, 4, 0.4
    game = RandomBilinearGame(n_image, n_text)
    image_masks = enumerate_masks(n_image)[rng.permutation(32)[:20]]
    text_masks = enumerate_masks(n_text) if text_exact else enumerate_masks(n_text)[rng.permutation(16)[:13]]
    image_weights = rng.dirichlet(np.ones(20))
    text_weights = mask_weights(text_masks, p) if text_exact else rng.dirichlet(np.ones(13))
    samples = Samples(
        Subject.of(game),
        Side(image_masks, image_weights, game.embed_images(image_masks), (p,)),
        Side(text_masks, text_weights, game.embed_texts(text_masks), (p,)),
        game.scale,
        game.bias,
        (p,),
    )
    rows = np.hstack([np.repeat(image_masks, len(text_masks), axis=0), np.tile(text_masks, (20, 1))])
    expected = regression(rows, np.outer(image_weights, text_weights).ravel(), game(rows))
    np.testing.assert_allclose(as_vector(crossmodal_least_squares(samples)), expected, atol=1e-8)


def test_a_quadratic_game_is_recovered_from_few_samples(rng):
    """Embeddings that are linear in the mask make the game quadratic: any sufficient sample recovers it."""
    n_image, n_text, d = 30, 12, 4
    image_map, text_map = rng.normal(size=(n_image + 1, d)), rng.normal(size=(n_text + 1, d))

    class Game:
        scale, bias = 3.0, 1.0

        def embed_images(self, masks, progress=False):
            return np.hstack([np.ones((len(masks), 1)), masks]) @ image_map

        def embed_texts(self, masks, progress=False):
            return np.hstack([np.ones((len(masks), 1)), masks]) @ text_map

        def __call__(self, masks):
            return self.scale * np.sum(self.embed_images(masks[:, :30]) * self.embed_texts(masks[:, 30:]), 1) + 1.0

    game = Game()
    game.n_image, game.n_text = n_image, n_text
    samples = fixlip.sample(game, 700, p=0.6)
    assert not samples.text_side.exact
    explanation = crossmodal_least_squares(samples)
    np.testing.assert_allclose(explanation.crossmodal(), 3.0 * image_map[1:] @ text_map[1:].T, atol=1e-6)
    masks = rng.random((50, 42)) < 0.5
    np.testing.assert_allclose(explanation.predict(masks), game(masks), atol=1e-5)


def test_too_few_masks_are_refused_before_anything_is_solved():
    game = RandomBilinearGame(8, 3)
    samples = fixlip.sample(game, 20, p=0.5)
    message = 'masked images cannot determine the 37 coefficients that 8 players have.*basis="crossmodal"'
    with pytest.raises(ValueError, match=message):
        crossmodal_least_squares(samples)
    assert not crossmodal_least_squares(samples, basis="crossmodal").interactions[:8, :8].any()
    with pytest.raises(ValueError, match="these were drawn at 0.5"):
        crossmodal_least_squares(samples, p=0.3)
    with pytest.raises(ValueError, match="basis: got 'half'"):
        crossmodal_least_squares(samples, basis="half")


def test_a_degenerate_sample_is_refused_not_solved():
    game = RandomBilinearGame(8, 3)
    samples = fixlip.sample(game, 60, p=0.5)
    stuck = samples.image_side.masks.copy()
    stuck[:, 0] = True
    image = Side(stuck, samples.image_side.weights, samples.image_side.embeddings, (0.5,))
    with pytest.raises(ValueError, match="undetermined"):
        crossmodal_least_squares(Samples(samples.subject, image, samples.text_side, 1.0, 0.0))


# ---- model-agnostic least squares


def oracle_fit(table, name, basis, counted):
    """The published regression on its own coalitions."""
    n_image, n_text, empty, full = table["meta_nI_nT_empty_full"]
    n = int(n_image + n_text)
    masks = np.unpackbits(table[f"{name}_masks"], axis=1)[:, :n].astype(bool)
    counts = table[f"{name}_counts"] if counted else np.ones(len(masks))
    players = Subject(int(n_image), int(n_text), tuple(map(str, range(n))))
    pairs = agnostic.choose_pairs(players, "full" if basis == "full" else "crossmodal")
    index, p = ("shapley", 0.5) if name == "shap" else ("banzhaf", int(name[1]) / 10)
    weights, values, ends = counts / counts.sum(), table[f"{name}_values"] - empty, (0.0, full - empty)
    return agnostic.fit(masks, weights, values, players, ends, p, index, pairs)


CASES = [(p, w, b) for p in ("p3", "p5", "p7") for w in ("ones", "counts") for b in ("full", "cmlookup")]


@pytest.mark.parametrize(("name", "weights", "basis"), [*CASES, ("shap", "counts", "cmlookup")])
def test_agnostic_equals_the_published_code(oracle, name, weights, basis):
    table = oracle("fixlip_estimator")
    found = oracle_fit(table, name, basis, weights == "counts")
    key = f"{name}_{basis}" if name == "shap" else f"{name}_{basis}_{weights}"
    second = found.interactions[np.triu_indices(55, 1)]
    scale = float(np.abs(table[f"{key}_second"]).max())
    np.testing.assert_allclose(second, table[f"{key}_second"], rtol=1e-3, atol=1e-3 * scale)
    np.testing.assert_allclose(found.attributions, table[f"{key}_first"], rtol=1e-3, atol=1e-3 * scale)
    assert found.constant == pytest.approx(float(table[f"{key}_base"]), rel=1e-3, abs=1e-3 * scale)
    np.testing.assert_allclose(
        found.first_order().attributions, table[f"{key}_firstorder"], rtol=1e-3, atol=1e-3 * scale
    )


@pytest.mark.slow
def test_shapley_fit_is_more_exact_than_the_published_one(oracle):
    """1,664 coalitions for 1,541 coefficients: the published normal equations, two rows weighing 1e7, lose digits.

    Least squares by orthogonal factors on the same rows says who is right.
    """
    table = oracle("fixlip_estimator")
    found = oracle_fit(table, "shap", "full", counted=True)
    masks = np.unpackbits(table["shap_masks"], axis=1)[:, :55].astype(bool)
    counts = table["shap_counts"].astype(float)
    counts[:2] = 1e7
    values = table["shap_values"].astype(float) - table["meta_nI_nT_empty_full"][2]
    np.testing.assert_allclose(as_vector(found), regression(masks, counts, values), atol=1e-3)
    published = np.concatenate([table[f"shap_full_{part}"].ravel() for part in ("base", "first", "second")])
    errors = [counts @ (_predict(vector, masks) - values) ** 2 for vector in (as_vector(found), published)]
    assert errors[0] < errors[1]
    np.testing.assert_allclose(as_vector(found), published, atol=0.02 * np.abs(published).max())


@pytest.mark.parametrize("p", PS)
def test_with_all_coalitions_agnostic_is_exact(rng, p):
    game = TableGame(rng.normal(size=2**8), 5, 3)
    found = agnostic.agnostic_least_squares(game, 256, p)
    np.testing.assert_allclose(as_vector(found), as_vector(exact(game, p)), atol=1e-9)
    values = agnostic.agnostic_least_squares(game, 256, p, order=1)
    np.testing.assert_allclose(values.attributions, exact(game, p).first_order().attributions, atol=1e-9)


@pytest.mark.parametrize("n", [3, 6, 9])
def test_faithful_shapley_interactions_equal_shapiq(rng, n):
    game = TableGame(rng.normal(size=2**n), n - 2, 2)
    computer = shapiq.ExactComputer(n_players=n, game=lambda masks: game(np.asarray(masks, bool)))
    faithful, shapley = computer("FSII", order=2), computer("SV", order=1)
    found = agnostic.agnostic_least_squares(game, 2**n, index="shapley")
    np.testing.assert_allclose(found.attributions, [faithful[(i,)] for i in range(n)], atol=1e-5)
    for i in range(n):
        for j in range(i):
            assert found.interactions[i, j] == pytest.approx(faithful[(j, i)], abs=1e-5)
    np.testing.assert_allclose(found.first_order().attributions, [shapley[(i,)] for i in range(n)], atol=1e-5)
    ends = np.array([[False] * n, [True] * n])
    np.testing.assert_allclose(found.predict(ends), game(ends), atol=1e-9)
    np.testing.assert_allclose(found.first_order().predict(ends), game(ends), atol=1e-9)
    values = agnostic.agnostic_least_squares(game, 2**n, index="shapley", order=1)
    np.testing.assert_allclose(values.attributions, [shapley[(i,)] for i in range(n)], atol=1e-5)


def test_faithful_shapley_interactions_equal_the_oracle(oracle):
    table = oracle("exact12")
    found = agnostic.agnostic_least_squares(TableGame(table["values"], 6, 6), 4096, index="shapley")
    expected = table["fsii_exact_shapiq"]
    np.testing.assert_allclose(found.attributions, expected[1:13], atol=1e-5)
    np.testing.assert_allclose(found.interactions[np.triu_indices(12, 1)], expected[13:], atol=1e-5)
    np.testing.assert_allclose(found.first_order().attributions, table["sv_exact_shapiq"], atol=1e-5)


@pytest.mark.parametrize("index", ["banzhaf", "shapley"])
def test_estimates_approach_the_exact_ones(oracle, index):
    """Half and all but 96 of 4,096 coalitions: the error shrinks, at p = 0.7 with enumerated sizes among the draws."""
    game = TableGame(oracle("exact12")["values"], 6, 6)
    exact_one = agnostic.agnostic_least_squares(game, 4096, 0.7, index)
    errors = []
    for budget in (300, 4000):
        found = agnostic.agnostic_least_squares(game, budget, 0.7, index, seed=3)
        errors.append(np.abs(as_vector(found) - as_vector(exact_one)).max())
    assert errors[1] < errors[0] / 2


def test_filtering_keeps_the_strongest_players_and_a_quota_of_text(rng):
    n_image, n_text = 190, 14
    attributions = np.concatenate([np.linspace(1, 2, n_image), np.linspace(0.01, 0.02, n_text)])
    n = n_image + n_text
    explanation = fixlip.Explanation(0.0, attributions, np.zeros((n, n)), Subject(n_image, n_text, ("x",) * n))
    chosen = agnostic.strongest_players(explanation)
    assert len(chosen) == 72 and (chosen >= n_image).sum() == 5
    np.testing.assert_array_equal(chosen[:67], np.arange(n_image - 67, n_image))
    np.testing.assert_array_equal(chosen[67:], np.arange(n - 5, n))


@pytest.mark.slow
def test_filtered_pairs_recover_a_sparse_game(rng):
    n_image, n_text = 150, 6

    class Game:
        def __call__(self, masks):
            return 3 * masks[:, 4] + 2 * masks[:, 4] * masks[:, 151] + masks[:, 9] * masks[:, 20] + masks[:, 155]

    game = Game()
    game.n_image, game.n_text = n_image, n_text
    found = agnostic.agnostic_least_squares(game, 4000, 0.5, basis="filtered")
    assert found.interactions[4, 151] == pytest.approx(2, abs=1e-6)
    assert found.interactions[9, 20] == pytest.approx(1, abs=1e-6)
    some = agnostic.agnostic_least_squares(game, 400, 0.5, basis=[4, 9, 20, 151])
    assert some.interactions[4, 151] == pytest.approx(2, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 30}, "budget: 30 coalitions cannot determine 37 coefficients"),
        ({"budget": 0}, "budget: got 0"),
        ({"p": 1}, "p: got 1"),
        ({"index": "owen"}, "index: got 'owen'"),
        ({"order": 3}, "order: got 3"),
        ({"basis": "some"}, "basis: got 'some'"),
        ({"basis": [0, 8]}, r"basis: got players \[0, 8\], wanted numbers from 0 to 7"),
    ],
)
def test_agnostic_refuses_what_does_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        agnostic.agnostic_least_squares(RandomBilinearGame(5, 3), **({"budget": 200} | options))


@pytest.mark.slow
@pytest.mark.parametrize(("n_image", "n_text"), [(196, 8), (256, 16)])
def test_large_grids_are_answered_or_told_why_not(rng, n_image, n_text):
    """A bilinear game with linear embeddings, so that its interactions are known."""
    image_map, text_map = rng.normal(size=(n_image, 4)), rng.normal(size=(n_text, 4))

    class Game:
        scale, bias = 1.0, 0.0

        def embed_images(self, masks, progress=False):
            return masks @ image_map

        def embed_texts(self, masks, progress=False):
            return masks @ text_map

        def __call__(self, masks):
            return np.sum(self.embed_images(masks[:, :n_image]) * self.embed_texts(masks[:, n_image:]), axis=1)

    game = Game()
    game.n_image, game.n_text = n_image, n_text
    samples = fixlip.sample(game, 1000, p=0.5)
    with pytest.raises(ValueError, match=r"cannot determine the [\d,]+ coefficients"):
        crossmodal_least_squares(samples)
    with pytest.raises(ValueError, match=r"coalitions cannot determine [\d,]+ coefficients"):
        agnostic.agnostic_least_squares(game, 4000)
    found = crossmodal_least_squares(samples, basis="crossmodal")
    np.testing.assert_allclose(found.crossmodal(), image_map @ text_map.T, atol=1e-6)
    filtered = agnostic.agnostic_least_squares(game, 8000, basis="filtered")
    assert filtered.interactions.any() and len(filtered.first_order().top(5, kind="players")) == 5
    assert found.highest(20).sum() == 20
