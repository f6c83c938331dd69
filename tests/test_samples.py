from types import SimpleNamespace

import numpy as np
import pytest
from test_kernel import SmoothGame
from toys import RandomBilinearGame

import fixlip
from fixlip.estimators.tree_proxy import tree_proxy
from fixlip.masks import density, draw_sequence
from fixlip.samples import MIXTURE, Samples


@pytest.fixture
def smooth():
    return SmoothGame()


# ---- drawing


def test_a_longer_sequence_begins_with_the_shorter():
    short, _ = draw_sequence(20, 50, MIXTURE, 3)
    long, weights = draw_sequence(20, 333, MIXTURE, 3)
    np.testing.assert_array_equal(long[:50], short)
    assert not short[0].any() and short[1].all()
    assert len(np.unique(long, axis=0)) == 333 and weights.sum() == pytest.approx(1)
    assert draw_sequence(20, 50, MIXTURE, 4)[0][2:].tolist() != short[2:].tolist()


def test_a_small_game_is_enumerated_and_a_repetitive_sequence_ends():
    masks, weights = draw_sequence(5, 32, (0.5,), 0)
    assert len(np.unique(masks, axis=0)) == 32 and np.ptp(weights) == 0
    masks, weights = draw_sequence(8, 250, (0.02,), 0)
    assert 2 < len(masks) < 250 and weights.sum() == pytest.approx(1)
    assert weights[0] > 0.5, "the empty mask is what is drawn most at p = 0.02"


@pytest.mark.parametrize("p", [0.3, 0.5, 0.7])
def test_weights_turn_the_mixture_into_any_p(p):
    masks, weights = draw_sequence(12, 3000, MIXTURE, 0)
    at = weights * density(masks, (p,)) / density(masks, MIXTURE)
    at /= at.sum()
    np.testing.assert_allclose(at @ masks, p, atol=0.04)
    np.testing.assert_allclose(at @ (masks[:, 0] & masks[:, 1]), p**2, atol=0.04)


def test_densities_of_many_players_do_not_vanish():
    masks = np.random.default_rng(0).random((10, 800)) < 0.5
    assert (density(masks, (0.5,)) > 0).all() and np.isfinite(density(masks, MIXTURE)).all()


# ---- extending, saving


def test_extending_encodes_only_what_is_new(smooth):
    samples = fixlip.sample(smooth, 64, progress=False)
    before = smooth.calls
    more = samples.extend(36, progress=False)
    assert more.budget == 100 and smooth.calls - before == 36
    np.testing.assert_array_equal(more.image_side.masks[:64], samples.image_side.masks)
    at_once = fixlip.sample(SmoothGame(), 100, progress=False)
    np.testing.assert_array_equal(more.image_side.masks, at_once.image_side.masks)
    np.testing.assert_array_equal(more.image_side.embeddings, at_once.image_side.embeddings)
    np.testing.assert_allclose(more.image_side.weights, at_once.image_side.weights)


def test_extending_a_small_game_ends_with_all_masks():
    game = RandomBilinearGame(6, 2)
    samples = fixlip.sample(game, 40).extend(100)
    assert samples.image_side.exact and samples.budget == 64


def test_saved_samples_explain_the_same_and_can_go_on(smooth, tmp_path):
    samples = fixlip.sample(smooth, 80, seed=5, progress=False)
    loaded = Samples.load(samples.save(tmp_path / "samples"))
    first, second = samples.explain(0.4), loaded.explain(0.4)
    np.testing.assert_array_equal(first.interactions, second.interactions)
    assert first.expected_faithfulness == second.expected_faithfulness
    with pytest.raises(ValueError, match=r"game: these samples were loaded; pass the game"):
        loaded.extend(10)
    with pytest.raises(ValueError, match=r"game: got 7 \+ 4 players, wanted the 30 \+ 4"):
        loaded.extend(10, SmoothGame(7))
    assert loaded.extend(10, smooth, progress=False).budget == 90


def test_what_is_no_set_of_samples_is_refused(smooth, tmp_path):
    explanation = fixlip.sample(smooth, 20, progress=False).explain()
    with pytest.raises(ValueError, match="is no saved set of samples"):
        Samples.load(explanation.save(tmp_path / "explanation.npz"))
    with pytest.raises(ValueError, match="there is no file"):
        Samples.load(tmp_path / "nothing.npz")
    with pytest.raises(ValueError, match="cannot write"):
        fixlip.sample(smooth, 20, progress=False).save(tmp_path / "no" / "folder.npz")


def test_an_interrupted_extension_keeps_what_was_encoded():
    encoder = fixlip.load("emoji-clip", device="cpu", batch_size=16)
    shown = fixlip.emoji.scene(4)
    game = fixlip.Game(encoder, shown.image, shown.caption)
    samples = fixlip.sample(game, 40, progress=False)
    whole, calls = encoder.embed_images, []

    def interrupted(pixels, masks):
        for batch in whole(pixels, masks):
            calls.append(len(batch))
            if len(calls) == 3:
                raise KeyboardInterrupt
            yield batch

    encoder.embed_images = interrupted
    with pytest.warns(UserWarning, match="interrupted: going on with the 32 of 100"):
        more = samples.extend(100, progress=False)
    assert more.budget == 72 and np.isfinite(more.explain().interactions).all()


# ---- explaining


def test_p_index_order_budget_and_caption_call_no_model(smooth):
    samples = fixlip.sample(smooth, 120, progress=False)
    other = fixlip.sample(SmoothGame(n_text=3, seed=0), 20, progress=False)
    before = smooth.calls
    for options in ({"p": 0.6}, {"index": "sii"}, {"index": "shapley", "order": 1}, {"order": 1}, {"budget": 60}):
        assert samples.explain(**options).n_players == 34
    assert samples.first(50).explain().budget == 50
    assert samples.cross(other).explain().n_players == 33
    assert smooth.calls == before
    assert samples.explain(order=1).order == 1 and not samples.explain(order=1).interactions.any()


def test_the_first_masks_are_what_a_smaller_budget_draws(smooth):
    samples = fixlip.sample(smooth, 120, progress=False)
    fewer = fixlip.sample(SmoothGame(), 50, progress=False)
    np.testing.assert_allclose(samples.first(50).explain().interactions, fewer.explain().interactions, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": 1.0}, "p: got 1"),
        ({"order": 4}, "order: got 4, wanted 1, 2 or 3 with the estimator 'kernel'"),
        ({"order": 3, "estimator": "tree", "p": 0.2}, "order: got 3, wanted 1 or 2 with the estimator 'tree'"),
        ({"index": "banzaf"}, "index: got 'banzaf', wanted one of banzhaf, shapley, sii"),
        ({"budget": 31}, "budget: got 31, but there are 30 masked images; `extend`"),
        ({"estimator": "forest"}, "estimator: got 'forest'"),
        (
            {"estimator": "crossmodal"},
            r"least squares needs masks drawn at p = 0.5 alone; these were drawn at 0.2",
        ),
        ({"estimator": "tree"}, "the tree proxy needs masks drawn at p = 0.5 alone"),
        ({"estimator": "tree", "index": "sii"}, "index: got 'sii', wanted one of banzhaf with the estimator 'tree'"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(smooth, options, message):
    with pytest.raises(ValueError, match=message):
        fixlip.sample(smooth, 30, progress=False).explain(**options)


# ---- the tree proxy


@pytest.mark.parametrize("p", [0.3, 0.5])
def test_the_trees_are_read_off_exactly(p):
    """All masks of a small game: the read-out of the fitted trees equals the exact explanation of their predictions."""
    from toys import TableGame

    from fixlip.estimators.exact import exact
    from fixlip.estimators.indices import taylor
    from fixlip.estimators.tree_proxy import _Trees
    from fixlip.masks import enumerate_masks

    masks = np.tile(enumerate_masks(6), (20, 1))
    trees = _Trees(masks, np.sin(masks @ np.arange(1.0, 7)))
    expected = exact(TableGame(trees.predict(enumerate_masks(6)), 4, 2), p)
    constant, attributions, interactions = taylor(*trees.derivatives(p), p)
    assert constant == pytest.approx(expected.constant, abs=1e-9)
    np.testing.assert_allclose(attributions, expected.attributions, atol=1e-9)
    np.testing.assert_allclose(interactions, expected.interactions, atol=1e-9)


@pytest.mark.slow
def test_the_tree_proxy_explains_and_its_correction_takes_the_bias_out():
    """Averaged over three sets of samples, first-order values come closer to the truth with the correction."""
    game = SmoothGame(12, 3, seed=2)
    truth = fixlip.sample(game, 4096, p=0.5).explain(order=1).attributions
    errors = []
    for correct in (True, False):
        several = [tree_proxy(fixlip.sample(game, 120, p=0.5, seed=s), correct=correct).first_order() for s in range(3)]
        errors.append(np.abs(np.mean([found.attributions for found in several], axis=0) - truth).mean())
    assert errors[0] < errors[1]
    with pytest.raises(ValueError, match="at least 8"):
        tree_proxy(fixlip.sample(game, 5, p=0.5))


def test_what_a_mac_knows_no_doubles_for_is_fitted_on_the_processor():
    game = RandomBilinearGame(12, 3)
    game.encoder = SimpleNamespace(device="mps:0")
    found = fixlip.sample(game, 64, progress=False)
    assert found.readout().image.device == "cpu" and np.isfinite(found.explain().attributions).all()
