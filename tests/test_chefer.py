"""GAME against the authors' numbers, and for SigLIP against its formulas written out; attention rollout likewise."""

import numpy as np
import pytest
import torch
from toys import ORACLES

from fixlip import Game
from fixlip.baselines import game as explain
from fixlip.baselines import rollout
from fixlip.baselines.chefer import GAME
from fixlip.baselines.routes import maps_of


def check(found, expected):
    """Equal but for the rounding of float32."""
    expected = np.ravel(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("i", [0, 1, 2])
@pytest.mark.parametrize(("name", "start"), [("last", -1), ("all", 0), ("from2", (2, 1))])
def test_game_equals_the_published_code(tiny_game, oracle, i, name, start):
    expected, explanation = oracle("game"), explain(tiny_game(i), start)
    check(explanation.attributions[:49], expected[f"image_{name}_{i}"])
    check(explanation.attributions[49:], expected[f"text_{name}_{i}"])
    assert (explanation.attributions >= 0).all()
    assert (explanation.order, explanation.unit, explanation.predicts) == (1, "scores", False)


def test_several_captions_take_one_forward_pass(tiny_game, oracle, monkeypatch):
    """The published code repeats the image for every caption."""
    games = [tiny_game(i) for i in range(3)]
    texts = np.concatenate([game.embed_texts(np.ones((1, game.n_text), bool)) for game in games])
    monkeypatch.setattr(games[0], "embed_texts", lambda masks: texts)
    check(maps_of(games[0], GAME, "image").ravel(), oracle("game")["image_last_batch_img0_alltexts"])


@pytest.mark.parametrize("start", [0, -1])
def test_one_forward_and_one_backward_pass_of_each_encoder(tiny_game, monkeypatch, start):
    game, passes = tiny_game(1), []
    assert game.full_value > 0  # the game's own answers are remembered
    model, grad = game.encoder.model, torch.autograd.grad
    layers = [*model.vision_model.encoder.layers, *model.text_model.encoder.layers]
    seen = [layer.register_forward_hook(lambda *_: passes.append("block")) for layer in layers]
    seen += [
        layer.self_attn.q_proj.register_forward_hook(lambda module, given, out: passes.append(len(out)))
        for layer in layers
    ]

    def counting(*arguments, **options):
        passes.append("backward")
        return grad(*arguments, **options)

    monkeypatch.setattr(torch.autograd, "grad", counting)
    assert explain(game, start).budget == 4
    for hook in seen:
        hook.remove()
    assert passes.count("backward") == 2 and passes.count(1) == len(passes) - 2 == len(layers)


# ---- SigLIP


@pytest.fixture(scope="module")
def tiny_siglip():
    from transformers import AutoModel

    return AutoModel.from_pretrained(ORACLES / "tiny_siglip", attn_implementation="eager").eval()


@pytest.fixture
def siglip_game(tiny_siglip, oracle):
    inputs = oracle("siglip_game")
    return Game.from_inputs(tiny_siglip, inputs["pixel_values"], inputs["input_ids_siglip"])


def forward(model, game):
    """All attention weights of Hugging Face's own eager modules, and the logit that hangs on them.

    Returns those of the image's blocks, of its pooling, and of the text's blocks.
    """
    pixels, caption = game.inputs
    vision = model.vision_model(pixel_values=pixels[None], output_attentions=True)
    text = model.text_model(input_ids=caption.input_ids[None], output_attentions=True)
    head, states = model.vision_model.head, vision.last_hidden_state[0]
    width, heads = states.shape[-1], head.attention.num_heads
    projected = [
        x @ head.attention.in_proj_weight[part * width : (part + 1) * width].T
        + head.attention.in_proj_bias[part * width : (part + 1) * width]
        for part, x in enumerate((head.probe[0], states, states))
    ]
    mixed, pooling, size = [], [], width // heads
    for h in range(heads):
        query, key, value = (x[:, h * size : (h + 1) * size] for x in projected)
        weights = torch.softmax(query @ key.T / size**0.5, dim=-1)
        pooling.append(weights)
        mixed.append(weights @ value)
    pooled = head.attention.out_proj(torch.cat(mixed, dim=-1))
    image = (pooled + head.mlp(head.layernorm(pooled)))[0]
    torch.testing.assert_close(image, vision.pooler_output[0])
    cosine = torch.cosine_similarity(image, text.pooler_output[0], dim=0)
    return vision.attentions, pooling, text.attentions, cosine * model.logit_scale.exp() + model.logit_bias


def positive(logit, weights):
    """Mean over heads of the positive part of gradient times attention, (L, L)."""
    (gradient,) = torch.autograd.grad(logit, weights, retain_graph=True)
    return torch.stack([(g * a).clamp(min=0) for g, a in zip(gradient[0], weights[0], strict=True)]).mean(0)


@pytest.mark.parametrize("start", [0, 1, -1])
def test_siglip_follows_the_formulas(siglip_game, tiny_siglip, start):
    game = siglip_game
    blocks, pooling, text, logit = forward(tiny_siglip, game)
    assert logit.item() == pytest.approx(game.full_value, rel=1e-4)
    relevance = torch.eye(16)
    for weights in blocks[start:] if start >= 0 else ():
        relevance = relevance + positive(logit, weights) @ relevance
    top = [(torch.autograd.grad(logit, one, retain_graph=True)[0] * one).clamp(min=0) for one in pooling]
    explanation = explain(game, start)
    check(explanation.attributions[:16], (torch.stack(top).mean(0) @ relevance).detach().numpy())
    relevance = torch.eye(64)
    for weights in text[start:]:
        relevance = relevance + positive(logit, weights) @ relevance
    check(explanation.attributions[16:], relevance[63, :5].detach().numpy())


# ---- rollout


def rolled(blocks, start):
    """The product over blocks of (A + I) / 2, with `start` rows to the left of it."""
    product = torch.eye(blocks[0].shape[-1])
    for weights in blocks:
        product = (weights[0].mean(0) + torch.eye(len(product))) / 2 @ product
    return (start @ product).detach().numpy()


def test_rollout_of_siglip_follows_the_formula(siglip_game, tiny_siglip):
    blocks, pooling, text, _ = forward(tiny_siglip, siglip_game)
    explanation = rollout(siglip_game)
    check(explanation.attributions[:16], rolled(blocks, torch.stack(pooling).mean(0)[0]))
    check(explanation.attributions[16:], rolled(text, torch.eye(64)[63])[:5])
    assert explanation.attributions[:16].sum() == pytest.approx(1, abs=1e-5)


def test_rollout_of_clip_follows_the_formula(tiny_game):
    from transformers import AutoModel

    game = tiny_game(1)
    pixels, caption = game.inputs
    # One of its own: transformers leaves hooks behind where attentions were asked for.
    model = AutoModel.from_pretrained(ORACLES / "tiny_clip", attn_implementation="eager").eval()
    image = model.vision_model(pixel_values=pixels[None], output_attentions=True).attentions
    text = model.text_model(input_ids=caption.input_ids[None], output_attentions=True).attentions
    explanation = rollout(game)
    check(explanation.attributions[:49], rolled(image, torch.eye(50)[0])[1:])
    check(explanation.attributions[49:], rolled(text, torch.eye(8)[7])[1:7])
    assert (explanation.unit, explanation.budget) == ("scores", 2)


def test_rollout_does_not_know_the_other_side(tiny_game, oracle, tiny_clip):
    inputs = oracle("inputs")
    first = tiny_game(0)
    other = Game.from_inputs(tiny_clip, inputs["pixel_values"][0], inputs["input_ids"][1])
    np.testing.assert_array_equal(rollout(first).attributions[:49], rollout(other).attributions[:49])


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (4, "start: got 4, wanted a whole number from -4 to 3 for the 4 layers of the image encoder"),
        (3, "start: got 3, wanted a whole number from -3 to 2 for the 3 layers of the text encoder"),
        (True, "start: got True, wanted a whole number"),
        ("last", "start: got 'last', wanted a whole number"),
        ((1, 2, 3), "start: got .1, 2, 3., wanted one number, or two"),
    ],
)
def test_a_layer_that_does_not_exist_is_refused_before_any_model_call(tiny_game, monkeypatch, start, message):
    game = tiny_game(0)
    monkeypatch.setattr(type(game.encoder.model), "forward", None)
    for name in ("embed_images", "embed_texts"):
        monkeypatch.setattr(game, name, None)
    with pytest.raises(ValueError, match=message):
        explain(game, start)
