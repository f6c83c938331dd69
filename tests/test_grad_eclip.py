"""Grad-ECLIP against the published code, and for SigLIP against the formula with the model's own forward pass."""

import numpy as np
import pytest
import torch
from toys import ORACLES

import fixlip
from fixlip.baselines import grad_eclip
from fixlip.baselines.eclip import GRAD_ECLIP, GradEclip
from fixlip.baselines.routes import SIDES, maps_of
from fixlip.encoders.towers import image_tower, text_tower

PUBLISHED = {"reference_padding": True}


def assert_close(found, wanted, tolerance=1e-4):
    assert np.abs(np.ravel(found) - np.ravel(wanted)).max() <= tolerance * np.abs(wanted).max()


@pytest.fixture(params=range(3))
def case(request, tiny_game, oracle):
    """One of the three inputs: its number, its game, and reference outputs by file and key."""
    return request.param, tiny_game(request.param), lambda file, key: oracle(f"gradeclip_{file}")[key]


def sides(game, **options):
    """The map of the image and that of the caption."""
    return np.split(grad_eclip(game, **options).attributions, [game.n_image])


@pytest.mark.parametrize("similarity", [True, False])
@pytest.mark.parametrize("heads", [1, 4])
def test_images_equal_the_published_code(case, heads, similarity):
    i, game, reference = case
    name = f"{'ksim' if similarity else 'noksim'}_{i}"
    for signed, kind in ((False, f"h{heads}"), (True, f"h{heads}pre")):
        found = sides(game, heads=heads, similarity=similarity, signed=signed, **PUBLISHED)[0]
        for file in ("fixlip", "orig"):
            assert_close(found, reference(file, f"image_{kind}_{name}"))


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("similarity", [True, False])
@pytest.mark.parametrize("heads", [1, 4])
def test_captions_equal_the_published_code(case, heads, similarity, blocks):
    i, game, reference = case
    options = {"heads": heads, "similarity": similarity, "text_blocks": blocks} | PUBLISHED
    name = f"n{blocks}_{'ksim' if similarity else 'noksim'}_{i}"
    signed, cut = sides(game, signed=True, **options)[1], sides(game, **options)[1]
    for file in ("fixlip", "orig"):
        assert_close(signed, reference(file, f"text_h{heads}pre_{name}"))
    # Entries of the clipped map may be what is left of sums that cancel: compared on the scale of what was clipped.
    assert np.abs(cut - reference("fixlip", f"text_h{heads}_{name}")).max() <= 1e-4 * np.abs(signed).max()
    divided = reference("orig", f"text_h{heads}_{name}")
    if np.isnan(divided).any():
        np.testing.assert_array_equal(cut, 0.0)
    else:
        assert_close(cut / cut.sum(), divided)


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_notebooks_are_options(case, blocks):
    i, game, reference = case
    options = {"heads": 1, "raw_keys": True, "image_blocks": blocks, "text_blocks": blocks} | PUBLISHED
    image, text = sides(game, **options)
    assert_close(image, reference("notebook", f"image_h1_n{blocks}_{i}"))
    wanted = reference("notebook", f"text_h1_n{blocks}_{i}")
    if np.isnan(wanted).any():
        np.testing.assert_array_equal(text, 0.0)
    else:
        assert_close(text / text.sum(), wanted)


@pytest.mark.parametrize("heads", [1, 4])
def test_the_network_that_is_explained_has_the_published_cosine(case, heads):
    i, game, reference = case
    pixels, caption = game.inputs
    image, text = image_tower(game.encoder, pixels), text_tower(game.encoder, caption)
    of_text = game.embed_texts(np.ones((1, game.n_text), bool))[0]
    of_image = game.embed_images(np.ones((1, game.n_image), bool))[0]
    for tower, other, name, blocks in ((image, of_text, "image", 1), (text, of_image, "text", 2)):
        name = f"{name}_h{heads}" + ("_n2" if name == "text" else "")
        start = tower.depth - blocks
        embedding = tower.run(tower.states_before(start), start, heads).embedding[0].detach().numpy()
        wanted = reference("fixlip", f"{name}_embed_{i}")
        assert_close(embedding, wanted / np.linalg.norm(wanted))
        assert embedding @ other == pytest.approx(float(reference("fixlip", f"{name}_cos_{i}")), abs=2e-5)


def test_default_is_the_true_model_without_padding(tiny_game):
    game = tiny_game(1)
    np.testing.assert_array_equal(grad_eclip(game).attributions, grad_eclip(game, heads=4, text_blocks=3).attributions)
    assert grad_eclip(game).estimator == "Grad-ECLIP"
    assert grad_eclip(game, heads=1, signed=True).estimator == "Grad-ECLIP (heads=1, signed=True)"
    padded = sides(game, signed=True, text_blocks=1, **PUBLISHED)[1]
    assert np.abs(padded - sides(game, signed=True, text_blocks=1)[1]).max() > 0.01 * np.abs(padded).max()


def tiny_siglip(oracle):
    from transformers import AutoModel

    inputs = oracle("siglip_game")
    model = AutoModel.from_pretrained(ORACLES / "tiny_siglip", attn_implementation="eager").eval()
    return fixlip.Game.from_inputs(model, inputs["pixel_values"], inputs["input_ids_siglip"])


def rescaled_similarity(project, query, keys):
    similar = torch.cosine_similarity(project(query)[None], project(keys), dim=-1)
    return (similar - similar.min()) / (similar.max() - similar.min())


def test_siglip_captions_are_the_formula_at_the_position_that_is_read(oracle):
    game = tiny_siglip(oracle)
    text, unit = game.encoder.model.text_model, torch.from_numpy(game.embed_images(np.ones((1, game.n_image), bool)))[0]
    seen, hooks = [], []
    for layer in text.encoder.layers:
        for module in (layer.layer_norm1, layer.self_attn.out_proj):
            hooks.append(module.register_forward_pre_hook(lambda module, args: seen.append(args[0])))
    embedding = text(input_ids=game.inputs[1].input_ids[None]).pooler_output[0]
    for hook in hooks:
        hook.remove()
    cosine, total = torch.nn.functional.normalize(embedding, dim=0) @ unit, 0.0
    for layer, states, mixed in zip(text.encoder.layers, seen[::2], seen[1::2], strict=True):
        normed = layer.layer_norm1(states)
        gradient, own = torch.autograd.grad(cosine, mixed, retain_graph=True)[0][0, -1], layer.self_attn
        query, keys, values = own.q_proj(normed)[0, -1], own.k_proj(normed)[0], own.v_proj(normed)[0]
        total = total + (values @ gradient) * rescaled_similarity(own.out_proj, query, keys)
    wanted = total[: game.n_text].detach().numpy()
    assert_close(maps_of(game, GradEclip(signed=True).route, "text"), wanted)
    assert_close(maps_of(game, GRAD_ECLIP, "text"), wanted.clip(0))


@pytest.mark.parametrize("heads", [None, 1])
def test_siglip_images_are_the_formula_at_the_pooling_head(oracle, heads):
    game = tiny_siglip(oracle)
    vision, unit = (
        game.encoder.model.vision_model,
        torch.from_numpy(game.embed_texts(np.ones((1, game.n_text), bool)))[0],
    )
    states, head = vision(pixel_values=game.inputs[0][None]).last_hidden_state[0].detach(), vision.head
    own, width = head.attention, head.attention.embed_dim
    projections = zip(own.in_proj_weight.split(width), own.in_proj_bias.split(width), strict=True)
    inputs = (head.probe[0], states, states)
    q, k, v = (x @ weight.T + bias for x, (weight, bias) in zip(inputs, projections, strict=True))
    parts = []
    size = width // (heads or own.num_heads)
    for one in zip(q.split(size, 1), k.split(size, 1), v.split(size, 1), strict=True):
        parts.append((one[0] @ one[1].T / size**0.5).softmax(-1) @ one[2])
    mixed = torch.cat(parts, dim=1)
    pooled = own.out_proj(mixed)
    embedding = pooled + head.mlp(head.layernorm(pooled))
    if heads is None:  # then this is the model
        torch.testing.assert_close(embedding[0], game.encoder.model.vision_model(game.inputs[0][None]).pooler_output[0])
    cosine = torch.nn.functional.normalize(embedding[0], dim=0) @ unit
    (gradient,) = torch.autograd.grad(cosine, mixed)
    wanted = (v @ gradient[0] * rescaled_similarity(own.out_proj, q[0], k)).detach().numpy()
    assert_close(maps_of(game, GradEclip(heads=heads, signed=True).route, "image"), wanted)
    assert_close(maps_of(game, GradEclip(heads=heads).route, "image"), wanted.clip(0))


@pytest.mark.parametrize("model", ["emoji-clip", "emoji-siglip"])
def test_many_directions_are_served_as_one_by_one(model, rng):
    scene = fixlip.emoji.scene(7)
    game = fixlip.Game(fixlip.load(model, batch_size=3), scene.image, scene.caption)
    for side, n in zip(SIDES, (game.n_text, game.n_image), strict=True):
        masks = rng.random((5, n)) < 0.7
        together = maps_of(game, GRAD_ECLIP, side, masks)
        alone = np.concatenate([maps_of(game, GRAD_ECLIP, side, mask[None]) for mask in masks])
        np.testing.assert_allclose(together, alone, atol=1e-5 * np.abs(alone).max())


def test_map_is_the_gradient_at_attention_weights_times_similarity(tiny_game):
    """Whatever the number of heads: what arXiv 2605.12952 calls the attention-based route."""
    game = tiny_game(1)
    unit = torch.from_numpy(game.embed_texts(np.ones((1, game.n_text), bool)))
    tower = image_tower(game.encoder, game.inputs[0])
    for heads in (1, 4):
        run = tower.run(tower.states_before(tower.depth - 1).requires_grad_(), tower.depth - 1, heads)
        (gradient,) = torch.autograd.grad((run.embedding * unit).sum(), run.attentions[0].weights)
        found = maps_of(game, GradEclip(heads=heads, similarity=False, signed=True).route, "image")
        assert_close(found, gradient[0, :, 0, 1:].sum(0).numpy())


def test_one_forward_and_one_backward_pass_a_side(tiny_game, monkeypatch):
    game = tiny_game(1)
    full = game.full_value  # the embeddings that serve as directions are the game's own
    vision, text = game.encoder.model.vision_model.encoder, game.encoder.model.text_model.encoder
    calls, hooks, grad = [[], [], []], [], torch.autograd.grad
    for layers, seen in ((vision.layers, calls[0]), (text.layers, calls[1])):
        hooks += [layer.mlp.register_forward_pre_hook(lambda *_, seen=seen: seen.append(1)) for layer in layers]
    monkeypatch.setattr(torch.autograd, "grad", lambda *args, **how: (calls[2].append(1), grad(*args, **how))[1])
    explanation = grad_eclip(game)
    for hook in hooks:
        hook.remove()
    assert [len(one) for one in calls] == [len(vision.layers), len(text.layers), 2]
    assert (explanation.budget, explanation.unit, explanation.index) == (4, "scores", "scores")
    assert explanation.full_value == full


def test_keys_that_are_all_alike_weigh_alike(tiny_clip, tiny_game):
    import copy

    game = tiny_game(1)
    model = copy.deepcopy(tiny_clip)
    for layer in (model.vision_model.encoder.layers[-1], *model.text_model.encoder.layers):
        torch.nn.init.zeros_(layer.self_attn.k_proj.weight)
    same = fixlip.Game.from_inputs(model, game.inputs[0], game.inputs[1].input_ids)
    np.testing.assert_allclose(grad_eclip(same).attributions, grad_eclip(same, similarity=False).attributions)


def test_model_is_left_as_it_was_even_if_something_breaks(tiny_game, monkeypatch):
    game, model = tiny_game(0), tiny_game(0).encoder.model
    before = {name: value.clone() for name, value in model.named_parameters()}
    grad_eclip(game)

    def broken(*args, **kwargs):
        raise RuntimeError("in the middle")

    monkeypatch.setattr(torch.autograd, "grad", broken)
    with pytest.raises(RuntimeError, match="in the middle"):
        grad_eclip(game)
    assert not model.training and torch.is_grad_enabled()
    for name, value in model.named_parameters():
        assert value.grad is None and torch.equal(value, before[name])
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 5}, "heads: got 5, wanted a divisor of the widths 48 and 48."),
        ({"heads": 0}, "heads: got 0, wanted a whole number of at least 1."),
        ({"text_blocks": 1.5}, "text_blocks: got 1.5, wanted a whole number"),
        ({"image_blocks": True}, "image_blocks: got True, wanted a whole number"),
    ],
)
def test_options_that_are_none_are_refused(tiny_game, options, message):
    with pytest.raises(ValueError, match=message):
        grad_eclip(tiny_game(0), **options)


def test_siglip_has_one_place_where_images_are_read(oracle):
    with pytest.raises(ValueError, match="image_blocks: got 2, wanted 1 with .*no class token"):
        grad_eclip(tiny_siglip(oracle), image_blocks=2)
