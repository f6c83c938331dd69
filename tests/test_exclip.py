"""exCLIP: the published code's numbers, the integrated Jacobian of the model itself, and nothing left behind."""

import numpy as np
import pytest
import torch
from toys import ORACLES

import fixlip
from fixlip import Game
from fixlip.baselines import exclip, exclip_matrix, jacobians

PUBLIC = {"text_reference": 2, "shift": False}


@pytest.fixture(scope="module")
def tiny_siglip():
    from transformers import AutoModel

    return AutoModel.from_pretrained(ORACLES / "tiny_siglip").eval()


@pytest.fixture
def siglip_game(tiny_siglip, oracle):
    inputs = oracle("siglip_game")
    return Game.from_inputs(tiny_siglip, inputs["pixel_values"], inputs["input_ids_siglip"])


def close(found, expected, relative=1e-4):
    np.testing.assert_allclose(found, expected, rtol=0, atol=relative * np.abs(expected).max())


# ---- the published code


@pytest.mark.parametrize("i", [0, 1, 2])
@pytest.mark.parametrize("layer", ["last", "first"])
def test_matrices_equal_the_published_comparison(tiny_game, oracle, layer, i):
    game, expected, compared = tiny_game(i), oracle("exclip"), 0
    for steps in (5, 20):
        for shift in ("shift", "noshift"):
            name = f"fixlip_{layer}_N{steps}_{shift}_{i}"
            if name in expected:
                options = {"steps": steps, "layer": 0 if layer == "first" else -1, "shift": shift == "shift"}
                close(exclip_matrix(game, **options, progress=False), expected[name])
                compared += 1
    assert compared == {"last": 4, "first": 2}[layer]


@pytest.mark.parametrize("i", [0, 1, 2])
@pytest.mark.parametrize("layer, steps", [("last", 10), ("last", 100), ("first", 10)])
def test_matrices_equal_the_authors_code(tiny_game, oracle, layer, steps, i):
    options = {"steps": steps, "layer": 0 if layer == "first" else -1, **PUBLIC}
    found = exclip_matrix(tiny_game(i), **options, progress=False)[:, 1:]
    close(found, oracle("exclip")[f"public_{layer}_N{steps}_{i}"].reshape(len(found), -1))


def test_the_explanation_holds_patches_with_tokens_and_nothing_else(tiny_game, oracle):
    explanation, expected = exclip(tiny_game(1), progress=False), oracle("exclip")["fixlip_last_N20_shift_1"]
    close(explanation.interactions[:49, 49:], expected[1:-1, 1:].T)
    close(explanation.interactions[49:, :49], expected[1:-1, 1:])
    assert not explanation.interactions[:49, :49].any() and not explanation.interactions[49:, 49:].any()
    assert not explanation.attributions.any() and explanation.constant == 0
    assert (explanation.order, explanation.unit, explanation.index) == (2, "scores", "scores")
    assert explanation.budget == 2 + 20 * 51 + 2 + 20 * 9
    with pytest.raises(ValueError, match="exCLIP are no logits"):
        explanation.predict(np.ones((1, 55), bool))


def test_first_order_ranks_each_side_as_the_published_conversion_does(tiny_game):
    explanation = exclip(tiny_game(1), progress=False)
    matrix, values = explanation.interactions[:49, 49:], explanation.first_order().attributions
    np.testing.assert_allclose(values[:49], 0.5 * 6 * (matrix.sum(1) / 6), atol=1e-12)
    np.testing.assert_allclose(values[49:], 0.5 * 49 * (matrix.sum(0) / 49), atol=1e-12)


def test_the_published_conversion_is_a_mean_over_the_other_side(oracle):
    """So what the test above compares with is the published code's."""
    fitted, expected = oracle("fixlip_estimator"), oracle("fixlip_curves")["p5_exclip_firstorder"]
    second = np.zeros((55, 55))
    second[np.triu_indices(55, 1)] = fitted["p5_full_ones_second"]
    matrix = second[:49, 49:]
    means = np.concatenate([matrix.sum(1) / 6, matrix.sum(0) / 49])
    np.testing.assert_allclose(expected, fitted["p5_full_ones_first"] + means, atol=1e-10)


# ---- the model itself, as its own modules compute it


def hidden(part, layer, **inputs):
    """What enters a block, and its embedding as a function of what enters it, from the model's own forward pass."""
    block, kept = part.encoder.layers[layer], []

    def keep(module, args):
        kept.append(args[0])

    handle = block.register_forward_pre_hook(keep)
    with torch.no_grad():
        part(**inputs)
    handle.remove()

    def run(states):
        handle = block.register_forward_pre_hook(lambda module, args: (states, *args[1:]))
        try:
            return part(**inputs)
        finally:
            handle.remove()

    return kept[0], run


def brute_force(embed, states, reference, steps):
    """U (d, L): the whole Jacobian (d, L, C) at every step, and only then its product with the change."""
    change, found = states - reference, 0
    for k in range(1, steps + 1):
        jacobian = torch.autograd.functional.jacobian(embed, reference + k / steps * change)
        found = found + (jacobian.reshape(-1, *change.shape[1:]) * change[0]).sum(-1) / steps
    return found


def whole(model, game, reference_ids, reference_end, layer, steps, shift):
    """The matrix from brute force, and what it should add up to, of both families."""
    pixels, caption = game.inputs
    is_clip, end = hasattr(model, "text_projection"), len(caption.input_ids) - 1
    of_image = model.visual_projection if is_clip else torch.nn.Identity()
    of_text = model.text_projection if is_clip else torch.nn.Identity()

    def text(output, position):
        return of_text(output.last_hidden_state[:, position] if is_clip else output.pooler_output)[0]

    ends, slopes, lengths = [], [], []
    for part, inputs, reference, read, read_reference in (
        (
            model.text_model,
            {"input_ids": caption.input_ids[None]},
            {"input_ids": reference_ids[None]},
            lambda output: text(output, end),
            lambda output: text(output, reference_end),
        ),
        (
            model.vision_model,
            {"pixel_values": pixels[None]},
            {"pixel_values": torch.zeros_like(pixels)[None]},
            lambda output: of_image(output.pooler_output)[0],
            lambda output: of_image(output.pooler_output)[0],
        ),
    ):
        states, run = hidden(part, layer, **inputs)
        other, run_other = hidden(part, layer, **reference)
        at = other[:, : states.shape[1]]
        # Read where the caption ends: that is what F means along the way.
        slopes.append(brute_force(lambda x, run=run, read=read: read(run(x)), states, at, steps))
        with torch.no_grad():
            full, at_reference = read(run(states)), read_reference(run_other(other))
            ends.append(full - read(run(at)))
            lengths.append(float((full - at_reference if shift else full).norm()))
    product = lengths[0] * lengths[1]
    return (slopes[0].T @ slopes[1]).numpy() / product, float(ends[0] @ ends[1]) / product


def clip_game(tiny_clip, oracle, ids):
    return Game.from_inputs(tiny_clip, oracle("inputs")["pixel_values"][0], torch.tensor(ids))


@pytest.mark.parametrize("layer, shift", [(-1, True), (1, False), (0, True)])
@pytest.mark.parametrize("ids", [[98, 5, 99], [98, 12, 45, 7, 9, 30, 99]])
def test_clip_equals_the_whole_jacobian_of_the_model(tiny_clip, oracle, ids, layer, shift):
    """The short caption ends before its reference does, which is read at its own end."""
    game = clip_game(tiny_clip, oracle, ids)
    length = max(len(ids), 6)
    reference = torch.tensor([98, 0, 0, 0, 0, 99, *[0] * (length - 6)])
    found = exclip_matrix(game, steps=3, layer=layer, text_reference=5, shift=shift, progress=False)
    close(found, whole(tiny_clip, game, reference, 5, layer, 3, shift)[0])


@pytest.mark.parametrize("layer, shift", [(-1, True), (0, False)])
def test_siglip_equals_the_whole_jacobian_of_the_model(tiny_siglip, siglip_game, layer, shift):
    caption = siglip_game.inputs[1]
    reference = torch.full_like(caption.input_ids, caption.padding_id)
    found = exclip_matrix(siglip_game, steps=2, layer=layer, shift=shift, progress=False)
    assert found.shape == (64, 16)
    close(found, whole(tiny_siglip, siglip_game, reference, 63, layer, 2, shift)[0])


@pytest.mark.parametrize("shift", [True, False])
def test_attributions_add_up_as_steps_grow(tiny_clip, tiny_game, tiny_siglip, siglip_game, shift):
    """With the reference caption read where the caption ends; the error of the sum falls as 1/N."""
    padding = siglip_game.inputs[1].padding_id
    clip, siglip = tiny_game(1), siglip_game
    for model, game, reference, end in (
        (tiny_clip, clip, torch.tensor([98, 0, 0, 99, 0, 0, 0, 0]), 3),
        (tiny_siglip, siglip, torch.full((64,), padding), 63),
    ):
        expected = whole(model, game, reference, end, -1, 1, shift)[1]
        few, many = (exclip_matrix(game, steps=steps, shift=shift, progress=False).sum() for steps in (100, 800))
        assert abs(many - expected) < 0.05 * abs(expected) and abs(many - expected) < abs(few - expected) / 6
        # What is left falls as 1/N, and so can be taken out.
        assert (8 * many - few) / 7 == pytest.approx(expected, rel=0.01)


# ---- what can go wrong


def test_small_chunks_change_nothing(tiny_game, siglip_game, monkeypatch):
    for game in (tiny_game(0), siglip_game):
        expected = exclip_matrix(game, steps=3, progress=False)
        with monkeypatch.context() as patched:
            patched.setattr(jacobians, "_CHUNK", 1)
            close(exclip_matrix(game, steps=3, progress=False), expected, 1e-5)


@pytest.mark.parametrize("shift", [True, False])
def test_a_pair_that_is_its_own_reference_gets_zeros(tiny_clip, oracle, shift):
    nothing = np.zeros((3, 56, 56), np.float32)
    game = Game.from_inputs(tiny_clip, nothing, torch.tensor([98, 5, 7, 99]))
    assert not exclip_matrix(game, steps=2, shift=shift, progress=False).any()
    game = clip_game(tiny_clip, oracle, [98, 0, 0, 99])
    assert not exclip(game, steps=2, shift=shift, progress=False).interactions.any()


def test_less_precise_encoders_are_copied_and_left_as_they_are(oracle):
    from transformers import AutoModel

    rough = AutoModel.from_pretrained(ORACLES / "tiny_clip").to(torch.bfloat16)
    exact = AutoModel.from_pretrained(ORACLES / "tiny_clip").to(torch.bfloat16).float()
    pixels, ids = oracle("inputs")["pixel_values"][0], torch.tensor([98, 12, 45, 7, 99])
    encoder = fixlip.encoders.huggingface.Encoder(rough, dtype=torch.bfloat16)
    found = exclip_matrix(Game.from_inputs(encoder, pixels, ids), steps=3, progress=False)
    close(found, exclip_matrix(Game.from_inputs(exact, pixels, ids), steps=3, progress=False), 1e-6)
    assert {value.dtype for value in encoder.model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_model_stays_as_it_is_when_something_raises(tiny_clip, tiny_game, error):
    before = {name: (value, value.detach().clone()) for name, value in tiny_clip.named_parameters()}
    flags = [value.requires_grad for value in tiny_clip.parameters()]

    def stop(done):
        raise error

    with pytest.raises(error):
        exclip(tiny_game(1), steps=2, progress=stop)
    for name, value in tiny_clip.named_parameters():
        assert value is before[name][0] and torch.equal(value, before[name][1]) and value.grad is None
    assert [value.requires_grad for value in tiny_clip.parameters()] == flags
    assert torch.is_grad_enabled() and not tiny_clip.training
    for module in tiny_clip.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks and not module._backward_hooks


def test_progress_counts_every_step(tiny_game):
    done = []
    exclip_matrix(tiny_game(0), steps=4, progress=done.append)
    assert sum(done) == 8


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"steps": 0}, "steps: got 0, wanted a whole number of at least 1"),
        ({"steps": 2.5}, "steps: got 2.5, wanted a whole number"),
        ({"text_reference": 0}, "text_reference: got 0, wanted a whole number of at least 1"),
        ({"text_reference": 16}, "text_reference: got 16, wanted at most 15 with "),
        ({"layer": 3}, "layer: got 3, wanted a whole number from -3 to 2"),
        ({"layer": "last"}, "layer: got 'last', wanted a whole number"),
    ],
)
def test_options_out_of_range_are_refused(tiny_game, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        exclip(tiny_game(0), progress=False, **options)
