import numpy as np
import pytest
import torch
from toys import ORACLES

import fixlip
from fixlip.encoders.captions import ClipReader, SiglipReader
from fixlip.encoders.huggingface import Encoder
from fixlip.encoders.masking import ImageMasker


class Config:
    max_position_embeddings = 8
    eos_token_id = 99
    vocab_size = 100


def test_clip_tokens_are_hidden_taken_out_or_replaced():
    caption = ClipReader(Config).wrap(torch.tensor([98, 5, 6, 7, 99]), "", None)
    masks = np.array([[True, False, True], [False, False, False]])
    ids, attention = caption.masked(masks, "attention")
    assert ids.tolist() == [[98, 5, 6, 7, 99]] * 2
    assert attention.tolist() == [[1, 1, 0, 1, 1], [1, 0, 0, 0, 1]]
    ids, attention = caption.masked(masks, "remove")
    assert ids.tolist() == [[98, 5, 7, 99, 99], [98, 99, 99, 99, 99]] and attention.all()
    with pytest.raises(ValueError, match="no unknown token"):
        caption.masked(masks, "unknown")


@pytest.mark.parametrize(("ids", "count"), [([5, 6, 7, 1, 1, 1, 1, 1], 3), ([5, 6, 7, 1, 0, 0, 0, 0], 3)])
def test_siglip_padding_and_end_are_no_players(ids, count):
    caption = SiglipReader(Config).wrap(torch.tensor(ids), "", None)
    assert len(caption.labels) == count
    masks = np.array([[False, True, True]])
    removed, attention = caption.masked(masks, "remove")
    assert removed.tolist() == [[*ids[1:], ids[-1]]] and attention.all()
    hidden, attention = caption.masked(masks, "attention")
    assert hidden.tolist() == [ids] and attention.tolist() == [[0] + [1] * 7]


def test_removing_tokens_is_like_never_having_had_them(tiny_clip):
    encoder = Encoder(tiny_clip, text_masking="remove")
    long = encoder.caption(torch.tensor([98, 5, 6, 7, 99]))
    short = encoder.caption(torch.tensor([98, 5, 7, 99]))
    removed = next(encoder.embed_texts(long, np.array([[True, False, True]])))
    never = next(encoder.embed_texts(short, np.array([[True, True]])))
    np.testing.assert_allclose(removed, never, atol=1e-6)


@pytest.mark.parametrize("ids", [[5] * 8, [1] * 8, [5, 1, 5, 1, 1, 1, 1, 1], [5, 1, 1]])
def test_siglip_ids_that_do_not_fit_are_refused(ids):
    with pytest.raises(ValueError, match="input_ids: "):
        SiglipReader(Config).wrap(torch.tensor(ids), "", None)


def test_image_baselines_are_what_they_are_called(tiny_clip, oracle):
    def baseline(pixels, how, patch_size):
        return ImageMasker(how, (7, 7), patch_size).baseline(pixels)

    pixels = torch.tensor(oracle("inputs")["pixel_values"][0])
    assert not baseline(pixels, "zero", 8).any()
    mean = baseline(pixels, "mean", 8)
    torch.testing.assert_close(mean[:, 3, 5], pixels.mean(dim=(1, 2)))
    blurred = baseline(pixels, "blur", 8)
    assert blurred.shape == pixels.shape and blurred.std() < 0.5 * pixels.std()
    flat = torch.full((3, 56, 56), 0.7)
    torch.testing.assert_close(baseline(flat, "blur", 8), flat)
    # A single bright pixel spreads alike in both directions, and rows are not columns.
    spot = torch.zeros(3, 56, 56)
    spot[:, 20, 30] = 1
    spread = baseline(spot, "blur", 4)[0]
    assert divmod(int(spread.argmax()), 56) == (20, 30)
    torch.testing.assert_close(spread[20 + 5, 30], spread[20, 30 + 5])


@pytest.mark.parametrize("how", ["zero", "mean", "blur"])
def test_whole_and_present_patches_are_left_alone(tiny_clip, oracle, how):
    encoder = Encoder(tiny_clip, image_masking=how)
    pixels = torch.tensor(oracle("inputs")["pixel_values"][0])
    whole = next(encoder.embed_images(pixels, np.ones((1, 49), bool)))
    expected = next(Encoder(tiny_clip).embed_images(pixels, np.ones((1, 49), bool)))
    np.testing.assert_allclose(whole, expected, atol=1e-6)
    empty = next(encoder.embed_images(pixels, np.zeros((1, 49), bool)))
    assert (how == "zero") == np.allclose(empty, next(Encoder(tiny_clip).embed_images(pixels, np.zeros((1, 49), bool))))


def test_choices_that_are_none_are_refused(tiny_clip):
    with pytest.raises(ValueError, match="image_masking: got 'noise', wanted one of zero, mean, blur"):
        Encoder(tiny_clip, image_masking="noise")
    with pytest.raises(ValueError, match="text_masking: got 'drop', wanted one of attention, remove, unknown"):
        fixlip.load("emoji-clip", text_masking="drop")
    with pytest.raises(ValueError, match="the tokenizer of emoji-clip has no unknown token"):
        fixlip.load("emoji-clip", text_masking="unknown").prepare_text("a cat")


def test_siglip_keeps_its_bias():
    from transformers import AutoModel

    model = AutoModel.from_pretrained(ORACLES / "tiny_siglip")
    encoder = Encoder(model)
    assert encoder.bias == pytest.approx(model.logit_bias.item()) and encoder.grid == (4, 4)


def test_no_token_is_nameless():
    """SigLIP's tokenizer puts a word-boundary mark of its own before a word that it does not know."""
    caption = fixlip.load("emoji-siglip").prepare_text("zzz \u732b cat")
    assert all(label.strip() for label in caption.labels) and caption.labels[-1] == "cat"
