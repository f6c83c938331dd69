"""The towers taken apart are the model: the same embeddings from the same inputs, and nothing left behind."""

import numpy as np
import pytest
import torch

import fixlip
from fixlip.encoders.sources import CLEAN
from fixlip.encoders.towers import image_tower, text_tower


@pytest.fixture(params=CLEAN)
def game(request):
    scene = fixlip.emoji.scene(7)
    return fixlip.Game(fixlip.load(request.param), scene.image, scene.caption)


def towers(game):
    pixels, caption = game.inputs
    return image_tower(game.encoder, pixels), text_tower(game.encoder, caption)


def test_a_tower_embeds_as_its_model_does(game):
    image, text = towers(game)
    for tower, embed, n in ((image, game.embed_images, game.n_image), (text, game.embed_texts, game.n_text)):
        found = tower.run(tower.states_before(0)).embedding.detach().numpy()
        np.testing.assert_allclose(found, embed(np.ones((1, n), bool)), atol=2e-6)


def test_an_image_without_players_is_the_empty_coalition(game):
    image, _ = towers(game)
    found = image.run(image.states_before(0, image.absent)).embedding.detach().numpy()
    np.testing.assert_allclose(found, game.embed_images(np.zeros((1, game.n_image), bool)), atol=2e-6)


def test_a_run_may_begin_at_any_block(game):
    for tower in towers(game):
        whole = tower.run(tower.states_before(0))
        late = tower.run(tower.states_before(tower.depth - 1), tower.depth - 1)
        torch.testing.assert_close(late.embedding, whole.embedding)
        assert len(whole.attentions) == tower.depth and len(late.attentions) == 1
        assert all(one.weights.sum(-1).allclose(torch.ones(())) for one in whole.attentions)


def test_a_layer_that_does_not_exist_is_refused(game):
    tower = towers(game)[0]
    assert (tower.first(-1), tower.first(0)) == (tower.depth - 1, 0)
    with pytest.raises(ValueError, match=f"layer: got {tower.depth}, wanted a whole number from -{tower.depth} to"):
        tower.first(tower.depth)
