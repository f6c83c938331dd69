import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from toys import ORACLES

import fixlip
from fixlip import Encoder, Game, load
from fixlip.encoders.images import read_image
from fixlip.encoders.sources import EMBEDDED


@pytest.fixture(scope="module")
def encoder():
    return load("emoji-clip", device="cpu")


def photo(size=(90, 60), mode="RGB"):
    """A picture with different colours in its corners, so that turning and cropping show."""
    x, y = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=2).astype(np.uint8)).convert(mode)


# ---- loading


def test_a_saved_folder_loads_like_the_embedded_model(encoder, tmp_path):
    encoder.model.save_pretrained(tmp_path / "mine")
    encoder.processor.save_pretrained(tmp_path / "mine")
    mine = load(str(tmp_path / "mine"), device="cpu")
    image = fixlip.emoji.scene(0).image
    assert Game(mine, image, "a cat").full_value == pytest.approx(Game(encoder, image, "a cat").full_value)
    assert mine.name == str(tmp_path / "mine")


def test_what_cannot_be_loaded_is_refused_in_a_sentence(encoder, tmp_path):
    with pytest.raises(ValueError, match="model: got None"):
        load(None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="model: the folder .*empty' holds no CLIP or SigLIP that can be loaded"):
        load(str(tmp_path / "empty"))
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ValueError, match="is of type 'bert', which is not supported"):
        load(str(tmp_path / "bert"))
    shutil.copytree(ORACLES / "tiny_clip", tmp_path / "bare")
    with pytest.raises(ValueError, match="model: "):
        load(str(tmp_path / "bare"))
    encoder.processor.save_pretrained(tmp_path / "bare")
    weights = tmp_path / "bare" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match="holds no CLIP or SigLIP that can be loaded"):
        load(str(tmp_path / "bare"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "gpu9"}, "device: 'gpu9' is not available on this machine"),
        ({"dtype": "float8"}, "dtype: got 'float8', wanted one of auto, float32, bfloat16"),
        ({"dtype": torch.float16}, "dtype: got 'torch.float16', wanted one of auto"),
        ({"batch_size": 0}, "batch_size: got 0, wanted a whole number of at least 1"),
        ({"batch_size": "big"}, "batch_size: got 'big', wanted a whole number or \"auto\""),
    ],
)
def test_wrong_options_are_refused_in_a_sentence(options, message):
    with pytest.raises(ValueError, match=message):
        load("emoji-clip", **options)


def test_siglip_captions_may_have_an_unknown_token_for_a_removed_one():
    coarse, image = load("emoji-siglip", device="cpu", text_masking="unknown"), fixlip.emoji.scene(0).image
    whole, no_cat = Game(coarse, image, "a cat")(np.array([[True] * 51, [True] * 50 + [False]]))
    ids = coarse.prepare_text("a cat").input_ids.clone()
    ids[1] = coarse.processor.tokenizer.unk_token_id
    plain = load("emoji-siglip", device="cpu")
    replaced = Game.from_inputs(plain, plain.prepare_image(image)[0], ids).full_value
    assert no_cat == pytest.approx(replaced, abs=1e-4) and abs(whole - no_cat) > 0.1


def test_every_embedded_model_is_there():
    for name in EMBEDDED:
        assert load(name, device="cpu").name == name


def test_bfloat16_keeps_the_scale_and_stays_close(encoder):
    coarse = load("emoji-clip", device="cpu", dtype="bfloat16")
    image = fixlip.emoji.scene(0).image
    assert coarse.scale == encoder.scale
    assert next(coarse.model.parameters()).dtype == torch.bfloat16
    assert Game(coarse, image, "a cat").full_value == pytest.approx(Game(encoder, image, "a cat").full_value, abs=1.0)


# ---- pictures


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA", "P", "1", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"])
def test_every_mode_of_picture_is_read(encoder, mode):
    picture = photo().convert("L").convert(mode) if mode == "I;16" else photo(mode=mode)
    pixels, view = encoder.prepare_image(picture)
    assert pixels.shape == (3, 112, 112) and view.dtype == np.uint8 and view.shape[2] == 3


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (30, 20), (112, 112), (113, 111), (2000, 500)])
def test_every_size_of_picture_is_read(encoder, size):
    pixels, view = encoder.prepare_image(photo(size))
    assert pixels.shape == (3, 112, 112)
    assert view.shape[0] == view.shape[1]


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (336, 336), (640, 480)])
def test_the_view_shows_what_the_model_sees(encoder, size):
    pixels, view = encoder.prepare_image(photo(size))
    images = encoder.processor.image_processor
    seen = (pixels.permute(1, 2, 0).numpy() * images.image_std + images.image_mean) * 255
    shown = np.asarray(Image.fromarray(view).resize((112, 112), Image.Resampling.BICUBIC), dtype=float)
    assert np.abs(seen - shown).mean() < 2


def test_transparency_is_laid_on_white_and_exif_turns_the_picture(tmp_path):
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert read_image(clear).getpixel((0, 0)) == (255, 255, 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees to the right"
    photo((90, 60)).save(tmp_path / "turned.jpg", exif=exif)
    turned = read_image(tmp_path / "turned.jpg")
    assert turned.size == (60, 90)
    expected = photo((90, 60)).transpose(Image.Transpose.ROTATE_270)
    assert np.abs(np.asarray(turned, float) - np.asarray(expected, float)).mean() < 6


def test_sixteen_bits_are_scaled_not_clipped():
    ramp = np.linspace(0, 65535, 100).astype(np.uint16).reshape(10, 10)
    found = np.asarray(read_image(Image.fromarray(ramp)))[:, :, 0]
    np.testing.assert_allclose(found.ravel(), np.linspace(0, 255, 100), atol=1)


def test_arrays_are_read():
    values = np.random.default_rng(0).random((5, 6, 3))
    np.testing.assert_array_equal(np.asarray(read_image(values)), np.round(values * 255))
    assert read_image(np.zeros((5, 6), np.uint8)).size == (6, 5)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no such file.png", "there is no file 'no such file.png'"),
        (".", "is a folder"),
        (np.zeros((5, 6, 2), np.uint8), r"got an array of shape \(5, 6, 2\)"),
        (np.zeros((5, 6, 3), np.int64), "got an array of int64, wanted uint8"),
        (np.full((5, 6, 3), 2.0), r"floats outside \[0, 1\]"),
        (np.zeros((0, 6, 3), np.uint8), "shape"),
        ("x" * 5000 + ".png", "no file can have the name 'x{100}…'"),
        ("a\0b.png", "there is no file"),
        (7, "got int, wanted a file name"),
        (None, "got NoneType"),
    ],
)
def test_what_is_no_picture_is_refused_in_a_sentence(source, message):
    with pytest.raises(ValueError, match="^image: .*" + message):
        read_image(source)


def test_damaged_files_are_refused_in_a_sentence(tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(ValueError, match="is not a picture"):
        read_image(tmp_path / "text.png")
    for kind in ("png", "jpg"):
        file = tmp_path / f"half.{kind}"
        photo((200, 200)).save(file)
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        with pytest.raises(ValueError, match="is damaged or truncated"):
            read_image(file)


@pytest.mark.parametrize(("mode", "kind"), [("RGB", "png"), ("P", "png"), ("RGBA", "png"), ("L", "Pillow image")])
def test_huge_pictures_are_made_smaller_and_hardly_change(encoder, tmp_path, mode, kind):
    huge = photo((4800, 3600)).convert(mode)
    if kind == "png":
        huge.save(tmp_path / "huge.png", compress_level=1)
    read = read_image(tmp_path / "huge.png" if kind == "png" else huge)
    assert read.size == (2400, 1800) and read.mode == "RGB"
    expected = encoder.processor.image_processor(images=huge.convert("RGB"), return_tensors="pt")["pixel_values"][0]
    np.testing.assert_allclose(encoder.prepare_image(read)[0], expected, atol=0.03)


def test_huge_jpegs_are_made_smaller(encoder, tmp_path):
    photo((4800, 3600)).save(tmp_path / "huge.jpg", quality=95)
    read = read_image(tmp_path / "huge.jpg")
    assert read.size == (2400, 1800)
    np.testing.assert_allclose(encoder.prepare_image(read)[0], encoder.prepare_image(photo((2400, 1800)))[0], atol=0.06)


@pytest.mark.parametrize("size", [(4000, 4000), (17_000, 1_000)])
def test_pictures_that_are_not_huge_or_very_narrow_keep_every_pixel(tmp_path, size):
    whole = photo(size)
    whole.save(tmp_path / "whole.png", compress_level=1)
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "whole.png")), np.asarray(whole))


def test_no_warning_for_a_picture_that_is_read(tmp_path, monkeypatch, recwarn):
    photo((300, 200)).save(tmp_path / "photo.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50_000)
    assert read_image(tmp_path / "photo.png").size == (300, 200) and not recwarn
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    with pytest.raises(ValueError, match="too many pixels; please save a smaller copy"):
        read_image(tmp_path / "photo.png")


# ---- captions


def test_captions_from_one_token_to_the_most(encoder):
    for count in (1, 2, encoder.max_tokens):
        caption = encoder.prepare_text(" ".join(["cat"] * count))
        assert caption.labels == ("cat",) * count and len(caption.input_ids) == count + 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the caption is empty"),
        ("  \n", "the caption is empty"),
        ("cat " * 15, "has 15 tokens, emoji-clip reads at most 14"),
        ("<|endoftext|>", r"holds '<\|endoftext\|>', a special token of emoji-clip"),
        ("a <|endoftext|> cat", r"holds '<\|endoftext\|>', a special token"),
        ("<|startoftext|> a cat", r"holds '<\|startoftext\|>', a special token"),
        ("a c\udce4t", "holds bytes that are no text"),
        (None, "got NoneType, wanted a caption"),
        (3, "got int, wanted a caption"),
    ],
)
def test_captions_that_do_not_fit_are_refused_in_a_sentence(encoder, text, message):
    with pytest.raises(ValueError, match="^text: .*" + message):
        encoder.prepare_text(text)


@pytest.mark.parametrize("text", ["</s>", "a </s> cat", "</s> a cat"])
def test_siglip_captions_hold_no_end_of_text(text):
    with pytest.raises(ValueError, match="text: the caption holds '</s>', a special token of emoji-siglip"):
        load("emoji-siglip", device="cpu").prepare_text(text)


@pytest.mark.parametrize("model", ["emoji-clip", "emoji-siglip"])
@pytest.mark.parametrize("wrong", [-1, 100_000])
def test_token_ids_that_the_model_does_not_know_are_refused(model, wrong):
    encoder, image = load(model, device="cpu"), fixlip.emoji.scene(0).image
    ids, pixels = encoder.prepare_text("a cat").input_ids.clone(), encoder.prepare_image(image)[0]
    assert Game.from_inputs(encoder, pixels, ids).n_text == 2
    with pytest.raises(ValueError, match="input_ids: got entries of type torch.float32, wanted whole numbers"):
        Game.from_inputs(encoder, pixels, ids.float())
    ids[1] = wrong
    with pytest.raises(ValueError, match=f"input_ids: got {wrong}, wanted token ids from 0 to "):
        Game.from_inputs(encoder, pixels, ids)


def test_padding_after_the_end_of_text_is_cut_off(tiny_clip):
    encoder = Encoder(tiny_clip)
    ids = encoder.caption(torch.tensor([98, 5, 6, 99, 99, 99])).input_ids
    assert ids.tolist() == [98, 5, 6, 99]


def test_only_dual_encoders_are_taken(tiny_clip):
    with pytest.raises(ValueError, match="CLIPVisionModel is of type 'clip_vision_model', which is not supported"):
        Encoder(tiny_clip.vision_model)
    with pytest.raises(ValueError, match="model: got Linear, wanted a CLIPModel or SiglipModel"):
        Encoder(torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match="model: got 'emoji-clip', wanted .*fixlip.load takes names"):
        Encoder("emoji-clip")
    with pytest.raises(ValueError, match="model: got NoneType"):
        Encoder(None)


def test_a_classifier_that_calls_itself_clip_is_no_dual_encoder(tiny_clip):
    from transformers import CLIPForImageClassification

    with pytest.raises(ValueError, match="model: got CLIPForImageClassification, which has no get_image_features"):
        Encoder(CLIPForImageClassification(tiny_clip.config))


@pytest.mark.parametrize(("name", "value"), [("image_masking", "blur"), ("text_masking", "remove")])
def test_maskings_cannot_be_changed_under_a_game(tiny_clip, name, value):
    encoder = Encoder(tiny_clip)
    with pytest.raises(
        AttributeError, match=f"{name}: cannot be changed, .*load another encoder with {name}='{value}'"
    ):
        setattr(encoder, name, value)
    assert getattr(Encoder(tiny_clip, **{name: value}), name) == value != getattr(encoder, name)
