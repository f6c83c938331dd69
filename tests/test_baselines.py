"""What all baselines have in common: how they are called, and what they leave untouched."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from toys import RandomBilinearGame

import fixlip
from fixlip import Encoder
from fixlip.baselines.methods import METHODS
from fixlip.baselines.routes import tower_of
from fixlip.encoders.sources import CLEAN


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip")


@pytest.fixture
def game(encoder):
    scene = fixlip.emoji.scene(7)
    return fixlip.Game(encoder, scene.image, scene.caption)


def direct(name, game):
    """What a baseline's own function says, without the table."""
    if name.startswith("metagame-"):
        return fixlip.baselines.metagame(game, name.removeprefix("metagame-"))
    return getattr(fixlip.baselines, name.replace("-", "_"))(game)


def same(one, other):
    """Equal but for the rounding that other batches bring."""
    for name in ("attributions", "interactions"):
        expected = getattr(one, name)
        np.testing.assert_allclose(getattr(other, name), expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", METHODS)
def test_every_baseline_is_reached_by_name(encoder, game, name):
    scene = fixlip.emoji.scene(7)
    explanation = fixlip.explain(encoder, scene.image, scene.caption, estimator=name)
    same(direct(name, game), explanation)
    assert explanation.order in METHODS[name].orders and explanation.index == "scores"
    assert explanation.full_value == pytest.approx(game.full_value)
    assert METHODS[name].budget_of(game.n_image, game.n_text, "full") in (explanation.budget, None)


@pytest.mark.parametrize("model", CLEAN)
@pytest.mark.parametrize("name", METHODS)
def test_every_baseline_explains_every_embedded_model(name, model):
    scene = fixlip.emoji.scene(3)
    game = fixlip.Game(fixlip.load(model), scene.image, scene.caption)
    explanation = direct(name, game)
    assert explanation.attributions.shape == (game.n_players,)
    assert explanation.interactions.shape == (game.n_players, game.n_players)
    numbers = explanation.interactions if explanation.order == 2 else explanation.attributions
    assert np.isfinite(numbers).all() and numbers.any()
    assert numbers[: game.n_image].any() and numbers[game.n_image :].any()


# ---- what is left untouched


def state(model):
    """Everything of a model that a method could leave changed."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        "weights": {name: (tensor.detach().clone(), tensor.dtype) for name, tensor in model.state_dict().items()},
        "parameters": {
            name: (id(one), one.data_ptr(), one.requires_grad, None if one.grad is None else one.grad.clone())
            for name, one in model.named_parameters()
        },
        "modules": {
            name: (module.training, *(tuple(getattr(module, each)) for each in hooks), vars(module).get("forward"))
            for name, module in model.named_modules()
        },
        "config": (model.config.to_json_string(), model.config._attn_implementation),
        "modes": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
    }


def check_unchanged(before, model):
    """That everything is as `state` found it."""
    after = state(model)
    for name, (values, dtype) in before.pop("weights").items():
        found, kind = after["weights"][name]
        assert kind == dtype and torch.equal(found, values), name
    for name, one in before.pop("parameters").items():
        other = after["parameters"][name]
        assert one[:3] == other[:3], name
        assert (one[3] is None and other[3] is None) or torch.equal(one[3], other[3]), name
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("name", METHODS)
def test_the_model_stays_as_it_was(encoder, game, name):
    model, scale = encoder.model, encoder.model.logit_scale
    scale.grad = torch.ones_like(scale)  # of the user's own training
    try:
        before = state(model)
        direct(name, game)
        check_unchanged(before, model)
    finally:
        scale.grad = None


class Interrupted(RuntimeError):
    """Raised in the middle."""


def refuse(*arguments, **options):
    """In place of what would have been computed."""
    raise Interrupted


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("where", ["vision_model", "text_model", "backward"])
def test_the_model_stays_as_it_was_when_something_raises(encoder, game, monkeypatch, name, where):
    everything = np.ones((1, game.n_players), bool)
    game(np.concatenate([everything, ~everything]))  # so that it is the method itself that comes to grief
    if where == "backward":
        monkeypatch.setattr(torch.autograd, "grad", refuse)
    else:
        if name == "random":
            return  # it looks at nothing
        block = getattr(encoder.model, where).encoder.layers[-1]
        monkeypatch.setattr(block.layer_norm1, "forward", refuse)
    before = state(encoder.model)
    if where == "backward" and METHODS[name].name in WITHOUT_GRADIENTS:
        direct(name, game)
    else:
        with pytest.raises(Interrupted):
            direct(name, game)
    check_unchanged(before, encoder.model)


WITHOUT_GRADIENTS = ("random", "occlusion", "rollout", "maskclip", "exclip", "metagame-maskclip")


@pytest.mark.parametrize("name", METHODS)
def test_gradients_need_nobodys_leave(encoder, name):
    """Frozen parameters, no_grad and inference_mode around the call make no difference."""
    scene = fixlip.emoji.scene(7)
    explain = partial(fixlip.explain, encoder, scene.image, scene.caption, estimator=name)
    expected = explain()
    wanted = {each: each.requires_grad for each in encoder.model.parameters()}
    encoder.model.requires_grad_(False)
    try:
        same(expected, explain())
    finally:
        for each, before in wanted.items():
            each.requires_grad_(before)
    with torch.no_grad():
        same(expected, explain())
    with torch.inference_mode():
        same(expected, explain())


def test_another_game_than_a_models_is_refused():
    for name in METHODS:
        with pytest.raises(ValueError, match="game: got RandomBilinearGame, wanted a fixlip.Game"):
            direct(name, RandomBilinearGame(3, 2))


# ---- the plain ones


def test_scores_of_another_unit_predict_nothing(encoder):
    scene = fixlip.emoji.scene(7)
    explanation = fixlip.explain(encoder, scene.image, scene.caption, estimator="occlusion")
    everything = np.ones((1, explanation.n_players), bool)
    assert explanation.predict(everything) == pytest.approx(explanation.full_value)


def test_occlusion_is_the_loss_of_one_player(game):
    without = game(~np.eye(game.n_players, dtype=bool))
    np.testing.assert_allclose(fixlip.baselines.occlusion(game).values, game.full_value - without, atol=1e-4)


@pytest.mark.parametrize("model", ["emoji-clip", "emoji-siglip"])
@pytest.mark.parametrize("side", ["image", "text"])
def test_gradient_input_is_the_slope_along_each_players_content(monkeypatch, model, side):
    """Central differences in float64 of the similarity, with a little of one player's content taken away."""
    softmax = torch.softmax  # models take it in float32, which is too coarse for differences
    monkeypatch.setattr(torch, "softmax", lambda scores, dim, dtype: softmax(scores, dim))
    scene = fixlip.emoji.scene(7)
    shown = fixlip.load(model, device="cpu")
    game = fixlip.Game(
        Encoder(copy.deepcopy(shown.model), shown.processor, dtype=torch.float64), scene.image, scene.caption
    )
    tower, other = (tower_of(game, each) for each in ((side, "text") if side == "image" else (side, "image")))
    along = other.run(other.states_before(0)).embedding[0]
    scores = fixlip.baselines.gradient_input(game).attributions
    scores, step = scores[: game.n_image] if side == "image" else scores[game.n_image :], 1e-5
    for i in (0, len(scores) // 2, len(scores) - 1):
        values, at = [], tower.players[i]
        for sign in (1, -1):
            moved = tower.embedded.clone()
            moved[:, at] += sign * step * (tower.embedded - tower.absent)[:, at]
            values.append(game.scale * tower.run(tower.states_before(0, moved)).embedding[0] @ along)
        slope = float((values[0] - values[1]).detach()) / (2 * step)
        assert scores[i] == pytest.approx(slope, rel=1e-4, abs=1e-5)


def test_gradient_input_is_the_expansion_at_the_whole_pair(game):
    explanation = fixlip.baselines.gradient_input(game)
    everything = np.ones((1, game.n_players), bool)
    assert explanation.unit == "logits" and explanation.budget == 4
    assert explanation.predict(everything) == pytest.approx(game.full_value)
