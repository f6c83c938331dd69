"""What all baselines have in common: how they are called, and what they leave untouched."""

import numpy as np
import pytest

import fixlip
from fixlip.baselines.methods import METHODS


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip")


@pytest.mark.parametrize("name", METHODS)
def test_every_baseline_is_reached_by_name(encoder, name):
    scene = fixlip.emoji.scene(7)
    game = fixlip.Game(encoder, scene.image, scene.caption)
    explanation = fixlip.explain(encoder, scene.image, scene.caption, estimator=name)
    direct = getattr(fixlip.baselines, name.replace("-", "_"))(game)
    np.testing.assert_array_equal(explanation.attributions, direct.attributions)
    np.testing.assert_array_equal(explanation.interactions, direct.interactions)
    assert explanation.order in METHODS[name].orders and explanation.index == "scores"
    assert explanation.full_value == pytest.approx(game.full_value)
    assert METHODS[name].budget_of(game.n_image, game.n_text, "full") in (explanation.budget, None)


def test_scores_of_another_unit_predict_nothing(encoder):
    scene = fixlip.emoji.scene(7)
    explanation = fixlip.explain(encoder, scene.image, scene.caption, estimator="occlusion")
    everything = np.ones((1, explanation.n_players), bool)
    assert explanation.predict(everything) == pytest.approx(explanation.full_value)


def test_occlusion_is_the_loss_of_one_player(encoder):
    scene = fixlip.emoji.scene(7)
    game = fixlip.Game(encoder, scene.image, scene.caption)
    without = game(~np.eye(game.n_players, dtype=bool))
    np.testing.assert_allclose(fixlip.baselines.occlusion(game).values, game.full_value - without, atol=1e-4)
