"""MaskCLIP against its formula, written with the model's own modules."""

import numpy as np
import pytest
import torch
from toys import ORACLES

import fixlip
from fixlip.baselines import maskclip
from fixlip.baselines.dense import MASKCLIP
from fixlip.baselines.routes import SIDES


def unit(embedding):
    return torch.nn.functional.normalize(embedding, dim=-1)


def states_of(encoder, run):
    """What the last block gets: captured on the way through the model itself."""
    seen = []
    hook = encoder.layers[-1].register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    run()
    hook.remove()
    return seen[0][0]


@torch.no_grad()
@pytest.mark.parametrize("residual", [False, True])
def test_clip_is_values_sent_on_alone(tiny_game, residual):
    game = tiny_game(1)
    model, (pixels, caption) = game.encoder.model, game.inputs
    image = unit(model.get_image_features(pixel_values=pixels[None]).pooler_output)[0]
    text = unit(model.get_text_features(input_ids=caption.input_ids[None]).pooler_output)[0]
    vision, language = model.vision_model, model.text_model
    sides = (
        (vision, vision.post_layernorm, model.visual_projection, {"pixel_values": pixels[None]}, text),
        (language, language.final_layer_norm, model.text_projection, {"input_ids": caption.input_ids[None]}, image),
    )
    wanted = []
    for part, norm, projection, inputs, other in sides:
        layer, states = part.encoder.layers[-1], states_of(part.encoder, lambda p=part, i=inputs: p(**i))
        alone = layer.self_attn.out_proj(layer.self_attn.v_proj(layer.layer_norm1(states)))
        if residual:
            alone = alone + states
            alone = alone + layer.mlp(layer.layer_norm2(alone))
        wanted.append(unit(projection(norm(alone))) @ other)
    wanted = torch.cat([wanted[0][1:], wanted[1][1:-1]]).numpy()
    explanation = maskclip(game, residual=residual)
    np.testing.assert_allclose(explanation.attributions, wanted, atol=2e-6)
    assert (explanation.budget, explanation.unit, explanation.order) == (2, "scores", 1)


@torch.no_grad()
def test_siglip_is_the_pooling_head_on_one_patch_alone(oracle):
    """A head that gets one patch and no other attends to it alone, and gives its embedding."""
    from transformers import AutoModel

    inputs = oracle("siglip_game")
    model = AutoModel.from_pretrained(ORACLES / "tiny_siglip").eval()
    game = fixlip.Game.from_inputs(model, inputs["pixel_values"], inputs["input_ids_siglip"])
    vision, text = model.vision_model, model.text_model
    patches = vision(pixel_values=game.inputs[0][None]).last_hidden_state[0]
    ids = game.inputs[1].input_ids[None]
    caption = unit(text(input_ids=ids).pooler_output)[0]
    wanted = unit(vision.head(patches[:, None])) @ caption
    layer, states = text.encoder.layers[-1], states_of(text.encoder, lambda: text(input_ids=ids))
    alone = layer.self_attn.out_proj(layer.self_attn.v_proj(layer.layer_norm1(states)))
    image = unit(vision(pixel_values=game.inputs[0][None]).pooler_output)[0]
    tokens = unit(text.head(text.final_layer_norm(alone)))[: game.n_text] @ image
    np.testing.assert_allclose(maskclip(game).attributions, torch.cat([wanted.ravel(), tokens]).numpy(), atol=2e-6)


@pytest.mark.parametrize("model", ["emoji-clip", "emoji-siglip"])
def test_maps_are_linear_in_the_direction(model, rng):
    scene = fixlip.emoji.scene(7)
    game = fixlip.Game(fixlip.load(model), scene.image, scene.caption)
    d = game.embed_texts(np.ones((1, game.n_text), bool)).shape[1]
    directions, mix = (
        torch.from_numpy(rng.normal(size=(4, d))).float(),
        torch.from_numpy(rng.normal(size=(2, 4))).float(),
    )
    for side in SIDES:
        found = MASKCLIP.maps(game, side, mix @ directions)
        torch.testing.assert_close(found, mix @ MASKCLIP.maps(game, side, directions), atol=1e-5, rtol=1e-4)
        assert not found.requires_grad
