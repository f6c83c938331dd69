"""The main job, end to end: does an explanation of the embedded model say what is true of the scene?"""

import numpy as np
import pytest

import fixlip
from fixlip.api import cost
from fixlip.encoders.sources import CLEAN
from fixlip.metrics.pointing_game import pointing_game, tokens_of


def right_corners(encoder, seed):
    """Whether each word's interactions with patches have their largest sum in its own corner of a 2x2 scene."""
    scene = fixlip.emoji.scene(seed, objects=4, layout="grid")
    explanation = fixlip.explain(encoder, scene.image, scene.caption, budget=128, seed=seed, progress=False)
    score = pointing_game(explanation, tokens_of(scene.objects, explanation))
    return (score.by_cell.argmax(axis=1) == np.arange(4)).all()


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip", device="cpu")


@pytest.mark.slow
@pytest.mark.parametrize("name", CLEAN)
def test_words_point_at_their_own_corner_in_nine_of_ten_scenes(name):
    encoder = fixlip.load(name, device="cpu")
    assert np.mean([right_corners(encoder, 5000 + i) for i in range(50)]) >= 0.9


def test_the_default_explanation_predicts_masks_it_has_not_seen(encoder, rng):
    scene = fixlip.emoji.scene(11)
    explanation = fixlip.explain(encoder, scene.image, scene.caption)
    game = fixlip.Game(encoder, scene.image, scene.caption)
    fresh = rng.random((400, game.n_players)) < 0.5
    truth = game(fresh)
    missed = [np.mean((truth - e.predict(fresh)) ** 2) / truth.var() for e in (explanation, explanation.first_order())]
    assert missed[0] < 0.1, "R squared above 0.9"
    assert missed[0] < 0.6 * missed[1], "interactions explain much of what attributions leave unexplained"
    assert explanation.expected_faithfulness == pytest.approx(1 - missed[0], abs=0.03)
    assert [explanation.full_value, explanation.empty_value] == pytest.approx([game.full_value, game.empty_value])


def test_the_same_seed_gives_the_same_explanation(encoder):
    scene = fixlip.emoji.scene(11)
    first, again, other = (
        fixlip.explain(encoder, scene.image, scene.caption, budget=100, seed=seed) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.interactions, again.interactions)
    assert (first.interactions != other.interactions).any()


def test_a_caption_of_the_most_tokens_is_explained(encoder):
    long = " ".join(["cat", "banana"] * 7)
    explanation = fixlip.explain(encoder, fixlip.emoji.scene(1).image, long)
    assert explanation.n_text == encoder.max_tokens == 14


@pytest.mark.slow
@pytest.mark.parametrize("index", ["banzhaf", "shapley"])
def test_the_agnostic_estimator_agrees_with_the_kernel(encoder, index):
    """At p = 0.5 both estimate the same interactions; Shapley ones are others, but sum up to the pair's similarity."""
    scene = fixlip.emoji.scene(11)
    options = {"basis": "crossmodal", "progress": False}
    found = fixlip.explain(
        encoder, scene.image, scene.caption, estimator="agnostic", index=index, budget=4000, **options
    )
    if index == "banzhaf":
        other = fixlip.explain(encoder, scene.image, scene.caption)
        assert np.corrcoef(found.crossmodal().ravel(), other.crossmodal().ravel())[0, 1] > 0.9
    else:
        ends = np.array([[False] * found.n_players, [True] * found.n_players])
        assert found.predict(ends) == pytest.approx([found.empty_value, found.full_value], abs=1e-6)


def test_the_cost_is_told_before_the_work(encoder):
    scene = fixlip.emoji.scene(11)
    told = cost(encoder, scene.image, scene.caption)
    assert (told.images, told.captions) == (512, 2**5) and told.seconds > 0
    assert str(told).startswith("512 masked images and 32 masked captions to encode, about ")


def test_an_interruption_explains_from_what_was_encoded(encoder, monkeypatch):
    scene, calls = fixlip.emoji.scene(11), []
    whole = encoder.embed_images

    def interrupted(pixels, masks):
        for batch in whole(pixels, masks):
            calls.append(len(batch))
            if len(calls) == 8:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(encoder, "embed_images", interrupted)
    with pytest.warns(UserWarning, match=r"interrupted: going on with the \d+ of 2,048 masked images"):
        explanation = fixlip.explain(encoder, scene.image, scene.caption, budget=2048)
    assert 64 <= explanation.budget < 2048 and explanation.stderr is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": 0}, "p: got 0"),
        ({"p": float("nan")}, "p: got nan"),
        ({"budget": 0}, "budget: got 0"),
        (
            {"budget": 40, "basis": "crossmodal", "estimator": "crossmodal"},
            "budget: 40 masked images cannot determine the 50 coefficients",
        ),
        ({"estimator": "magic"}, "estimator: got 'magic'"),
        ({"basis": "crossmodal"}, "basis: got 'crossmodal', wanted one of full with the estimator 'kernel'"),
        ({"index": "shap"}, "index: got 'shap', wanted one of banzhaf, shapley, sii"),
        ({"target_faithfulness": 1.5}, "target_faithfulness: got 1.5"),
        ({"target_faithfulness": 0.9, "index": "sii"}, "target_faithfulness: wanted only with"),
        (
            {"index": "shapley", "estimator": "crossmodal"},
            "index: got 'shapley', wanted one of banzhaf with the estimator 'crossmodal'",
        ),
        ({"estimator": "agnostic", "budget": 40}, "budget: 40 coalitions cannot determine"),
        ({"estimator": "exact"}, "game: got 54 players, wanted at most 16"),
    ],
)
def test_bad_options_are_refused_before_any_model_call(encoder, monkeypatch, options, message):
    def refuse(*args):
        raise AssertionError("the model was called")

    monkeypatch.setattr(encoder, "embed_images", refuse)
    scene = fixlip.emoji.scene(11)
    with pytest.raises(ValueError, match=message):
        fixlip.explain(encoder, scene.image, scene.caption, **options)
