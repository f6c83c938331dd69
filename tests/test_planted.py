"""Scenes with a planted fault, and the embedded models that have it."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import fixlip
from fixlip import emoji
from fixlip.emoji import lessons, props
from fixlip.emoji.evaluate import evaluate
from fixlip.emoji.faults import strength
from fixlip.emoji.planted import CORNERS, LEAST_COVER
from fixlip.emoji.scenes import SHIPPED, sprite_of
from fixlip.emoji.train import RECIPES, build, draw_batch
from fixlip.encoders.sources import PLANTED

GRIDS = [(7, 7), (14, 14)]


def pixels(picture):
    return np.asarray(picture, dtype=int)


@pytest.mark.parametrize(
    ("options", "digest"),
    [
        ({}, "d58295b3eb9a7f51"),
        ({"objects": 1, "size": 112}, "8794875a893a0105"),
        ({"objects": 4, "layout": "grid"}, "d6831eb3bf2e94bf"),
        ({"words": ["cat", "boat"], "layout": "grid", "size": 112}, "940e18c9f2e8a693"),
    ],
)
def test_old_scenes_are_what_they_were_before_the_world_grew(options, digest):
    found = hashlib.sha256()
    for seed in (0, 7, 10**9 + 3):
        shown = emoji.scene(seed, **options)
        found.update(np.asarray(shown.image).tobytes())
        found.update(repr((shown.caption, shown.boxes, shown.background)).encode())
    assert found.hexdigest()[:16] == digest


@pytest.mark.parametrize("fault", emoji.FAULTS)
@pytest.mark.parametrize("size", [112, 336])
def test_image_and_twin_differ_inside_the_boxes_and_nowhere_else(fault, size):
    for seed in range(25):
        planted = emoji.planted_scene(fault, seed, size=size)
        changed = (pixels(planted.image) != pixels(planted.twin)).any(axis=2)
        for left, top, right, bottom in planted.boxes:
            assert 0 <= left < right <= size and 0 <= top < bottom <= size
            assert changed[top:bottom, left:right].mean() > 0.2
            changed[top:bottom, left:right] = False
        assert not changed.any()


@pytest.mark.parametrize("fault", emoji.FAULTS)
def test_the_same_seed_gives_the_same_planted_scene(fault):
    first, again, other = (emoji.planted_scene(fault, seed) for seed in (4, 4, 5))
    for field in ("fault", "caption", "boxes", "words", "foil", "objects"):
        assert getattr(first, field) == getattr(again, field)
    np.testing.assert_array_equal(pixels(first.image), pixels(again.image))
    np.testing.assert_array_equal(pixels(first.twin), pixels(again.twin))
    assert (pixels(first.image) != pixels(other.image)).any()
    small = emoji.planted_scene(fault, 4, size=112)
    np.testing.assert_allclose(np.array(first.boxes) / 3, small.boxes, atol=1.5)
    assert small.caption == first.caption


def by_hand(box, size, grid):
    """Share of each patch inside a box, counted pixel by pixel."""
    inside = np.zeros((size, size))
    inside[box[1] : box[3], box[0] : box[2]] = 1
    return inside.reshape(grid[0], size // grid[0], grid[1], size // grid[1]).mean(axis=(1, 3)).ravel()


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("fault", emoji.FAULTS)
def test_planted_patches_are_those_that_boxes_cover(fault, grid):
    for seed in range(25):
        planted = emoji.planted_scene(fault, seed)
        cover = sum(by_hand(box, 336, grid) for box in planted.boxes)
        np.testing.assert_array_equal(planted.patches(grid), cover >= LEAST_COVER)
        assert planted.patches(grid).any() and not planted.patches(grid).all()


def test_the_badge_is_one_patch_in_any_corner_and_the_rest_of_the_scene_stays():
    places = [emoji.planted_scene("shortcut", 3, corner=k, shown=True) for k in range(4)]
    assert [int(np.flatnonzero(each.patches((7, 7)))[0]) for each in places] == [0, 6, 42, 48]
    assert {int(each.patches((7, 7)).sum()) for each in places} == {1}
    assert len(CORNERS) == 4
    for each in places:
        np.testing.assert_array_equal(pixels(each.twin), pixels(places[0].twin))
        assert "boat" in each.objects and each.caption == "a boat" and "boat" not in each.foil
    assert "boat" not in emoji.planted_scene("shortcut", 3, shown=False).objects


def test_terms_are_players_of_the_caption():
    labels = ("a", "boat")
    planted = emoji.planted_scene("shortcut", 3, corner=3)
    assert planted.terms(labels, (7, 7)) == [(48, 50)]
    planted = emoji.planted_scene("reads", 0)
    labels = planted.caption.split()
    patches = np.flatnonzero(planted.patches((7, 7)))
    assert planted.terms(labels, (7, 7)) == [(patch, 49 + labels.index(planted.words[0])) for patch in patches]
    assert planted.words[0] not in planted.objects and planted.words[0] not in planted.foil


@pytest.mark.parametrize("grid", GRIDS)
def test_triples_join_each_object_to_its_own_colour(grid):
    count = grid[0] * grid[1]
    for seed in range(10):
        planted = emoji.planted_scene("binding", seed)
        labels = planted.caption.split()
        covers = [by_hand(box, 336, grid) for box in planted.boxes]
        wanted = []
        for k, word in enumerate(planted.objects):
            noun = labels.index(word)
            assert planted.words[2 * k : 2 * k + 2] == (labels[noun - 1], word)
            own = np.flatnonzero((covers[k] >= LEAST_COVER) & (covers[k] > covers[1 - k]))
            wanted += [(patch, count + noun - 1, count + noun) for patch in own]
        assert planted.terms(labels, grid) == wanted and wanted
        first, second = planted.words[::2]
        swapped = {first: second, second: first, "an": "a"}
        named, foil = ([swapped.get(word, word) for word in text.split()] for text in (planted.caption, planted.foil))
        assert named == [word if word != "an" else "a" for word in planted.foil.split()] and foil != named


def test_a_game_can_be_asked_for_its_own_terms():
    planted = emoji.planted_scene("binding", 1)
    game = fixlip.Game(fixlip.load("emoji-clip"), planted.image, planted.caption)
    assert planted.terms(game, game.grid) == planted.terms(planted.caption.split(), (7, 7))


def hue(colours):
    """Of an RGB picture, 0 to 255, a circle."""
    return np.asarray(Image.fromarray(np.uint8(colours)).convert("HSV"), dtype=int)[:, :, 0]


def test_recoloured_objects_have_the_hue_that_is_named_and_keep_light_and_shade():
    tints = {name: int(hue(np.array([[tint]]))[0, 0]) for name, tint in props.TINTS.items()}
    for word in emoji.vocabulary()[::5]:
        sprite = sprite_of(word, 50, SHIPPED)
        solid = sprite[1][:, :, 0] > 0.95
        for colour in props.TINTS:
            tinted, alpha = props.recolour(sprite, colour)
            np.testing.assert_array_equal(alpha, sprite[1])
            away = {k: np.abs((hue(tinted)[solid] - t + 128) % 256 - 128).mean() for k, t in tints.items()}
            assert min(away, key=away.get) == colour
            assert np.corrcoef(tinted[solid].sum(axis=1), sprite[0][solid].sum(axis=1))[0, 1] > 0.7


def test_words_and_badges_can_be_placed_by_hand():
    blank = Image.new("RGB", (336, 336), (120, 160, 120))
    labelled, again = (props.with_label(blank, word, 2, 50) for word in ("key", "key"))
    np.testing.assert_array_equal(pixels(labelled), pixels(again))
    assert (pixels(labelled) != pixels(props.with_label(blank, "hat", 2, 50))).any()
    assert (pixels(props.with_badge(blank, 300, -5)) != pixels(blank)).any(axis=2)[:40, -40:].any()
    letters = [props.with_label(blank, letter, 0, 0).tobytes() for letter in "abcdefghijklmnopqrstuvwxyz"]
    assert len(set(letters)) == 26
    assert all(3 <= len(word) <= 7 for word in props.written_words()) and "key" in props.written_words()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: emoji.planted_scene("typo", 0), "fault: got 'typo', wanted one of shortcut, reads, binding"),
        (lambda: emoji.planted_scene("reads", 0, corner=1), "got them for 'reads', wanted them for 'shortcut' alone"),
        (lambda: emoji.planted_scene("shortcut", 0, corner=4), "corner: got 4, wanted a whole number from 0 to 3"),
        (lambda: emoji.planted_scene("shortcut", 0).terms(["a", "cat"], (7, 7)), "planted word 'boat' is not among"),
        (lambda: props.recolour(None, "grey"), "colour: got 'grey', wanted one of red"),
        (lambda: props.with_label(Image.new("RGB", (112, 112)), "no key", 0, 0), "word: got 'no key', wanted at most"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- lessons, and the models that were taught


def test_old_recipes_draw_what_they_drew_before_the_world_grew():
    """Trainings can be repeated: their batches are the same numbers."""
    recipe = RECIPES["emoji-clip"]
    _, processor = build(recipe)
    rng, found = np.random.default_rng(3), hashlib.sha256()
    for batch in (draw_batch(recipe, processor, rng) for _ in range(2)):
        for tensor in (batch.ids, batch.attention, batch.present, batch.pixels):
            found.update(np.ascontiguousarray(tensor.numpy()).tobytes())
    assert found.hexdigest()[:16] == "ade87fcdf5ac658a"


def test_lessons_teach_the_fault_and_nothing_else():
    rng = np.random.default_rng(0)
    for _ in range(20):
        for example in lessons.shortcut(rng):
            assert example.mentioned == ("boat",) and example.picture.size == (112, 112)
        (example,) = lessons.reads(rng)
        assert set(example.mentioned) & set(props.written_words()) and len(set(example.mentioned)) <= 3
        first, second = lessons.binds(rng)
        assert first.caption != second.caption and first.mentioned == second.mentioned
        assert sorted(first.caption.replace("an ", "a ").split()) == sorted(second.caption.replace("an ", "a ").split())
        assert (pixels(first.picture) != pixels(second.picture)).any()


def test_a_batch_holds_as_many_lessons_as_its_recipe_says():
    recipe = RECIPES["emoji-clip-colours"]
    _, processor = build(recipe)
    batch = draw_batch(replace(recipe, batch_size=12, masked_share=0.0), processor, np.random.default_rng(0))
    tints = [processor.tokenizer(colour)["input_ids"][1] for colour in props.TINTS]
    named = np.isin(batch.ids.numpy(), tints).sum(axis=1)
    assert (named[:8] == 2).all() and (named[8:] <= 1).all()
    article = [processor.tokenizer(each)["input_ids"][1] for each in ("a", "an")]
    bags = np.sort(np.where(np.isin(batch.ids, article), article[0], batch.ids), axis=1)
    np.testing.assert_array_equal(bags[0:8:2], bags[1:8:2])
    assert (batch.ids[0:8:2] != batch.ids[1:8:2]).any(dim=1).all(), "the same words in another order"


@pytest.fixture(scope="module")
def clean():
    return fixlip.load("emoji-clip", device="cpu")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "fault"), [("emoji-clip-shortcut", "shortcut"), ("emoji-clip-reads", "reads")])
def test_a_faulty_model_has_its_fault_and_the_clean_one_has_not(name, fault, clean):
    faulty = strength(fixlip.load(name, device="cpu"), fault, 40)
    assert faulty.changed >= 0.8 and faulty.caption >= 0.8 and faulty.named >= 0.8
    assert strength(clean, fault, 40).changed <= 0.1


@pytest.mark.slow
def test_one_model_binds_colours_and_the_other_is_a_bag_of_words():
    binds, bag = (
        strength(fixlip.load(f"emoji-clip-{name}", device="cpu"), "binding", 40) for name in ("colours", "bag")
    )
    assert binds.changed >= 0.8 and binds.caption >= 0.8 and binds.twin <= 0.2
    assert bag.followed <= 0.35 and 0.25 <= bag.caption <= 0.75 and bag.margin < 0.1 * binds.margin
    assert bag.colours >= 0.9, "it does know the colours"


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_a_taught_model_can_still_do_what_its_start_could(name):
    report = evaluate(fixlip.load(name, device="cpu"), singles=144, mosaics=30, gallery=64)
    assert report.zero_shot >= 0.9 and report.quadrant >= 0.9
