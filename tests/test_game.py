import numpy as np
import pytest
import torch

import fixlip
from fixlip import Game
from fixlip.encoders.huggingface import Encoder, pooled


@pytest.mark.parametrize("i", [0, 1, 2])
def test_values_equal_the_published_code(tiny_game, oracle, i):
    game, expected = tiny_game(i), oracle("fixlip_game")
    np.testing.assert_allclose(game(expected[f"masks_{i}"]), expected[f"values_{i}"], rtol=1e-4)
    values = game.crossmodal(expected[f"cm_image_masks_{i}"], expected[f"cm_text_masks_{i}"])
    # Some logits lie close to zero; 2e-5 is what float32 rounding leaves of a logit of 30.
    np.testing.assert_allclose(values, expected[f"cm_values_{i}"], rtol=1e-4, atol=2e-5)
    np.testing.assert_allclose([game.empty_value, game.full_value], expected[f"empty_full_{i}"], rtol=1e-4)


@pytest.mark.parametrize("kind", ["siglip", "siglip2"])
def test_siglip_values_equal_the_published_code(oracle, kind):
    from toys import ORACLES
    from transformers import AutoModel

    expected = oracle("siglip_game")
    model = AutoModel.from_pretrained(ORACLES / "tiny_siglip")
    game = Game.from_inputs(model, expected["pixel_values"], expected[f"input_ids_{kind}"])
    assert (game.n_image, game.n_text) == (16, 5)
    np.testing.assert_allclose(game(expected[f"{kind}_masks"]), expected[f"{kind}_values"], rtol=1e-4, atol=1e-4)
    values = game.crossmodal(expected[f"{kind}_cm_image"], expected[f"{kind}_cm_text"])
    np.testing.assert_allclose(values, expected[f"{kind}_cm_values"], rtol=1e-4, atol=1e-4)


def test_full_pair_equals_the_model_itself(tiny_clip, tiny_game, oracle):
    inputs, game = oracle("inputs"), tiny_game(1)
    with torch.no_grad():
        output = tiny_clip(
            input_ids=torch.tensor(inputs["input_ids"][1:2, : inputs["lengths"][1]]),
            pixel_values=torch.tensor(inputs["pixel_values"][1:2]),
        )
    assert game.full_value == pytest.approx(float(output.logits_per_image[0, 0]), rel=1e-5)
    assert game.full_value == pytest.approx(float(inputs["logits_per_image"][1, 1]), rel=1e-4)


def test_players_are_patches_row_by_row_then_tokens(tiny_game):
    game = tiny_game(1)
    assert (game.n_image, game.n_text, game.n_players) == (49, 6, 55)
    assert game.labels[:8] == tuple(f"patch 1,{c}" for c in range(1, 8)) + ("patch 2,1",)
    assert game.labels[49] == "token 1"


class CountingEncoder(Encoder):
    """Counts how many inputs each tower sees."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen = {"image": 0, "text": 0}

    def embed_images(self, pixels, masks):
        for batch in super().embed_images(pixels, masks):
            self.seen["image"] += len(batch)
            yield batch

    def embed_texts(self, caption, masks):
        for batch in super().embed_texts(caption, masks):
            self.seen["text"] += len(batch)
            yield batch


@pytest.fixture
def counted(tiny_clip, oracle):
    inputs = oracle("inputs")
    encoder = CountingEncoder(tiny_clip, batch_size=8)
    return Game.from_inputs(encoder, inputs["pixel_values"][0], inputs["input_ids"][0, :5]), encoder


def test_every_distinct_mask_is_encoded_once_and_only_the_needed_tower_runs(counted, rng):
    game, encoder = counted
    image_masks = np.repeat(rng.random((20, 49)) < 0.5, 3, axis=0)
    text_masks = rng.random((60, 3)) < 0.5
    first = game(np.hstack([image_masks, text_masks]))
    assert encoder.seen == {"image": 20, "text": len(np.unique(text_masks, axis=0))}
    seen = dict(encoder.seen)
    np.testing.assert_array_equal(game(np.hstack([image_masks, text_masks])), first)
    game.crossmodal(image_masks[:5], text_masks[:4])
    assert encoder.seen == seen
    game.embed_images(~image_masks[:3])
    assert encoder.seen == {"image": 21, "text": seen["text"]}


def test_an_interruption_keeps_what_was_encoded(counted, rng):
    game, encoder = counted
    masks = rng.random((40, 49)) < 0.5
    whole = encoder.embed_images

    def interrupted(pixels, some):
        for k, batch in enumerate(whole(pixels, some)):
            if k == 2:
                raise KeyboardInterrupt
            yield batch

    encoder.embed_images = interrupted
    with pytest.raises(KeyboardInterrupt):
        game.embed_images(masks)
    encoder.embed_images = whole
    assert game.known_images(masks).sum() == 16
    encoder.seen["image"] = 0
    game.embed_images(masks)
    assert encoder.seen["image"] == 24


def test_running_out_of_memory_halves_the_batch(tiny_clip, oracle, rng):
    inputs = oracle("inputs")
    encoder = Encoder(tiny_clip, batch_size=32)
    masks = rng.random((40, 49)) < 0.5
    pixels = torch.tensor(inputs["pixel_values"][0])
    expected = np.concatenate(list(encoder.embed_images(pixels, masks)))

    class Greedy:
        def get_image_features(self, pixel_values):
            if len(pixel_values) > 8:
                raise torch.OutOfMemoryError("out of memory")
            return tiny_clip.get_image_features(pixel_values)

    encoder.model = Greedy()
    np.testing.assert_allclose(np.concatenate(list(encoder.embed_images(pixels, masks))), expected, atol=1e-5)
    assert encoder.batch_size == 8


def test_other_runtime_errors_are_not_taken_for_lack_of_memory(tiny_clip, oracle):
    encoder = Encoder(tiny_clip)

    class Broken:
        def get_image_features(self, pixel_values):
            raise RuntimeError("shapes do not match")

    encoder.model = Broken()
    with pytest.raises(RuntimeError, match="shapes do not match"):
        list(encoder.embed_images(torch.zeros(3, 56, 56), np.ones((1, 49), bool)))


def test_pooled_takes_tensors_and_output_objects():
    class Output:
        pooler_output = torch.ones(2, 3)

    assert pooled(torch.ones(2, 3)).shape == pooled(Output()).shape == (2, 3)
    Output.pooler_output = None
    with pytest.raises(TypeError, match="without a pooled embedding"):
        pooled(Output())


@pytest.mark.parametrize(
    ("masks", "error", "message"),
    [
        (np.ones((2, 54), bool), ValueError, "masks: got shape"),
        (np.ones((2, 55)), TypeError, "masks: got entries of type float64, wanted booleans"),
        (np.ones((2, 55), int), TypeError, "booleans"),
        (np.ones((1, 2, 55), bool), ValueError, "masks: got shape"),
        ("cat", TypeError, "wanted booleans"),
    ],
)
def test_wrong_masks_are_refused_in_a_sentence(tiny_game, masks, error, message):
    with pytest.raises(error, match=message):
        tiny_game(1)(masks)


def test_wrong_inputs_are_refused_in_a_sentence(tiny_clip):
    pixels = np.zeros((3, 56, 56), np.float32)
    with pytest.raises(ValueError, match=r"pixel_values: got shape \(3, 28, 28\), wanted \(3, 56, 56\)"):
        Game.from_inputs(tiny_clip, np.zeros((3, 28, 28)), [98, 5, 99])
    with pytest.raises(ValueError, match="no end-of-text"):
        Game.from_inputs(tiny_clip, pixels, [98, 5, 6])
    with pytest.raises(ValueError, match="input_ids: got shape"):
        Game.from_inputs(tiny_clip, pixels, [98] + [5] * 20 + [99])
    with pytest.raises(ValueError, match="labels: got 1, wanted one for each of the 2 tokens"):
        Game.from_inputs(tiny_clip, pixels, [98, 5, 6, 99], labels=("one",))
    with pytest.raises(ValueError, match="made without a processor"):
        Game(Encoder(tiny_clip), np.zeros((20, 20, 3), np.uint8), "a cat")


def test_a_name_where_an_encoder_is_wanted_is_told_how_to_become_one():
    with pytest.raises(TypeError, match=r"encoder: got 'emoji-clip', wanted fixlip.load\('emoji-clip'\)"):
        fixlip.explain("emoji-clip", fixlip.emoji.scene(7).image, "a cat")
    with pytest.raises(TypeError, match="encoder: got int, wanted what fixlip.load returns"):
        fixlip.Game(3, fixlip.emoji.scene(7).image, "a cat")
