from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fixlip
from fixlip import emoji
from fixlip.emoji.evaluate import evaluate
from fixlip.emoji.tokenizer import SPLIT, clip_tokenizer, siglip_tokenizer
from fixlip.encoders.sources import CLEAN, EMBEDDED


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip")


@pytest.fixture(scope="module", params=CLEAN)
def each(request):
    return fixlip.load(request.param)


def pixels(shown):
    return np.asarray(shown.image, dtype=int)


def test_the_same_seed_gives_the_same_scene():
    first, again, other = emoji.scene(5, objects=3), emoji.scene(5, objects=3), emoji.scene(6, objects=3)
    np.testing.assert_array_equal(pixels(first), pixels(again))
    assert (first.caption, first.objects, first.boxes) == (again.caption, again.objects, again.boxes)
    assert (pixels(first) != pixels(other)).any()


@pytest.mark.parametrize("layout", ["free", "grid"])
@pytest.mark.parametrize("objects", [1, 2, 3, 4])
def test_boxes_are_tight_and_lie_in_the_picture(layout, objects):
    for seed in range(20):
        shown = emoji.scene(seed, objects, layout)
        assert len(shown.objects) == len(shown.boxes) == objects == len(set(shown.objects))
        for left, top, right, bottom in shown.boxes:
            assert 0 <= left < right <= 336 and 0 <= top < bottom <= 336
            assert 3 * 30 - 1 <= max(right - left, bottom - top) <= 3 * 54 + 1


def test_a_box_holds_its_object_and_nothing_else_does():
    """The same scene without noise of chance: outside the box only background, inside much that is not."""
    shown = emoji.scene(3, words=["ball"])
    left, top, right, bottom = shown.boxes[0]
    away = np.abs(pixels(shown) - np.median(pixels(shown), axis=(0, 1))).sum(axis=2) > 150
    inside = np.zeros_like(away)
    inside[top:bottom, left:right] = True
    assert away[inside].mean() > 0.3 and away[~inside].mean() < 0.01
    rows, columns = np.flatnonzero(away.any(axis=1)), np.flatnonzero(away.any(axis=0))
    np.testing.assert_allclose([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], shown.boxes[0], atol=8)


def test_a_grid_holds_each_object_in_its_own_quarter_in_reading_order():
    words = ["cat", "banana", "tractor", "ball"]
    shown = emoji.scene(0, words=words, layout="grid")
    assert shown.objects == tuple(words) and shown.caption == "cat banana tractor ball"
    for k, (left, top, right, bottom) in enumerate(shown.boxes):
        x, y = 168 * (k % 2), 168 * (k // 2)
        assert x <= left and right <= x + 168 and y <= top and bottom <= y + 168


def test_a_scene_is_the_same_at_every_size():
    large, small = emoji.scene(2, objects=4), emoji.scene(2, objects=4, size=112)
    np.testing.assert_allclose(np.array(large.boxes) / 3, small.boxes, atol=1.5)
    shrunk = np.asarray(large.image.resize((112, 112), Image.Resampling.BICUBIC), dtype=float)
    assert np.abs(shrunk - pixels(small)).mean() < 6


def test_captions_read_as_english():
    assert emoji.caption(["cat"], "sentence") == "a cat"
    assert (
        emoji.caption(["owl", "cat", "ipod"], "photo", "blue")
        == "a photo of an owl a cat and an ipod on a blue background"
    )
    assert emoji.caption(["owl", "cat"], "list") == "owl cat"
    with pytest.raises(ValueError, match="style: got 'poem'"):
        emoji.caption(["cat"], "poem")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objects": 5}, "objects: got 5, wanted a whole number from 1 to 4"),
        ({"objects": 0}, "objects: got 0"),
        ({"objects": True}, "objects: got True"),
        ({"layout": "ring"}, "layout: got 'ring', wanted one of free, grid"),
        ({"words": ["catt"]}, "'catt' is not one of the 48 objects; did you mean 'cat'"),
        ({"words": ["xyzzy"]}, "known are"),
        ({"words": "cat"}, "words: got 'cat', wanted a list"),
        ({"words": []}, "wanted a list of 1 to 4"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(options, message):
    with pytest.raises(ValueError, match=message):
        emoji.scene(0, **options)


def test_words_are_single_tokens_but_one(each):
    for word in [*emoji.vocabulary(), *emoji.COLOURS, "a", "an", "and", "photo", "of", "on", "background"]:
        assert len(each.prepare_text(word).labels) == (2 if word == SPLIT else 1), word
    assert each.prepare_text(f"a {SPLIT}").labels == ("a", "butter", "fly")
    assert each.prepare_text("hé 猫!").labels, "any text can be read"


def test_the_shipped_tokenizer_is_the_one_the_script_builds(each):
    shipped = each.processor.tokenizer
    built = siglip_tokenizer() if each.name == "emoji-siglip" else clip_tokenizer()
    assert built.get_vocab() == shipped.get_vocab()
    assert built("a zebra and a cat")["input_ids"] == shipped("a zebra and a cat")["input_ids"]


def test_the_end_token_is_the_largest_and_the_last_word_counts(encoder):
    config = encoder.model.config.text_config
    assert config.eos_token_id == config.vocab_size - 1 == max(encoder.processor.tokenizer.get_vocab().values()) != 2
    image = emoji.scene(0).image
    values = [fixlip.Game(encoder, image, f"a photo of a cat and a {word}").full_value for word in ("dog", "church")]
    assert abs(values[0] - values[1]) > 0.5


def test_the_processor_leaves_a_picture_of_112_pixels_alone(encoder):
    small = emoji.scene(1, size=112).image
    values, view = encoder.prepare_image(small)
    images = encoder.processor.image_processor
    restored = values.permute(1, 2, 0).numpy() * images.image_std + images.image_mean
    np.testing.assert_allclose(restored * 255, np.asarray(small), atol=0.51)
    assert view.shape == (112, 112, 3)


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_model_is_small_and_names_no_path(name):
    folder = Path(emoji.__file__).parent / "models" / name
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 4 * 2**20
    for file in folder.glob("*.json"):
        assert "_name_or_path" not in file.read_text() and "/tmp" not in file.read_text()


@pytest.mark.slow
def test_the_model_meets_its_bars(each):
    """The bars of the model card, on fewer scenes so that it takes seconds."""
    report = evaluate(each, singles=240, mosaics=50, gallery=64)
    assert report.zero_shot >= 0.95
    assert report.quadrant >= 0.95
    assert min(report.retrieval_text, report.retrieval_image) >= 0.90
