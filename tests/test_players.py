import itertools

import numpy as np
import pytest
import torch
from PIL import Image

import fixlip
from fixlip import Explanation, Game, Regions, emoji
from fixlip.phrases import grouped, spans_of_labels
from fixlip.regions import inner_points

SCENE = emoji.scene(7)  # a hammer and a cactus, 336 pixels a side
BOXES = dict(zip(SCENE.objects, SCENE.boxes, strict=True))
PATCHES = np.kron(np.arange(49).reshape(7, 7), np.ones((48, 48), int))
CAPTION = "a red fish and a butterfly"  # a fish has four tokens here, a butterfly two


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip", device="cpu")


@pytest.fixture
def never_asked(encoder, monkeypatch):
    def refuse(*given, **more):
        raise AssertionError("the model was called")

    monkeypatch.setattr(encoder.model, "get_image_features", refuse)
    monkeypatch.setattr(encoder.model, "get_text_features", refuse)


def same(first, second):
    numbers = [
        (e.constant, e.attributions, e.interactions, *e.stderr, e.expected_faithfulness) for e in (first, second)
    ]
    return all(np.array_equal(a, b) for a, b in zip(*numbers, strict=True))


# ---- the same game in other words


def test_a_label_map_of_patches_equals_patches_and_words_of_one_token_equal_tokens(encoder):
    usual = fixlip.explain(encoder, SCENE.image, SCENE.caption, budget=96, progress=False)
    players = {"image_players": PATCHES, "text_players": "words"}
    ours = fixlip.explain(encoder, SCENE.image, SCENE.caption, budget=96, progress=False, **players)
    assert same(usual, ours)
    assert usual.labels[49:] == ours.labels[49:] and ours.labels[0] == "region 0"
    assert ours.grid is None and ours.subject.units == ("region", "word")


def test_a_grid_equals_its_label_map_but_stays_a_grid(encoder, rng):
    cells = np.kron(np.arange(8).reshape(2, 4), np.ones((168, 84), int))
    text, first, second, other = "a cactus", "2x4", (2, 4), "4x2"
    games = [Game(encoder, SCENE.image, text, image_players=which) for which in (first, second, cells, other)]
    masks = rng.random((20, 10)) < 0.5
    values = [game(masks) for game in games]
    assert np.array_equal(values[0], values[1]) and np.array_equal(values[0], values[2])
    assert games[0].grid == (2, 4) and games[0].labels[7] == "patch 2,4" and games[2].grid is None
    with pytest.raises(ValueError, match="game: it has other players of the image than this explanation"):
        games[0].subject.check_same(games[3])


# ---- against a forward pass by hand


def test_exact_interactions_of_boxes_and_phrases_are_those_of_a_forward_pass_by_hand(encoder):
    text = "a hammer and a cactus"
    found = fixlip.explain(
        encoder, SCENE.image, text, image_players=BOXES, text_players=["a hammer", "a cactus"], estimator="exact"
    )
    assert found.labels == ("hammer", "cactus", "rest", "a hammer", "and", "a cactus")
    pixels = encoder.processor.image_processor(images=SCENE.image, return_tensors="pt")["pixel_values"]
    ids = encoder.processor.tokenizer(text, return_tensors="pt")["input_ids"]
    assert ids.shape == (1, 7)  # begin, five words, end
    tokens = [[1, 2], [3], [4, 5]]
    # The middle of each of the model's pixels, in the user's.
    middles = 3 * np.arange(112) + 1.5
    owners = np.full((112, 112), 2)
    for k, (left, top, right, bottom) in enumerate(SCENE.boxes):
        rows, columns = (middles >= top) & (middles < bottom), (middles >= left) & (middles < right)
        owners[np.ix_(rows, columns)] = k
    values = {}
    for mask in itertools.product((False, True), repeat=6):
        kept = torch.tensor(np.array(mask[:3])[owners])
        attention = torch.ones_like(ids)
        for present, places in zip(mask[3:], tokens, strict=True):
            attention[0, places] = int(present)
        with torch.no_grad():
            told = encoder.model(input_ids=ids, attention_mask=attention, pixel_values=torch.where(kept, pixels, 0.0))
        values[mask] = float(told.logits_per_image[0, 0])
    for i, j in itertools.combinations(range(6), 2):
        total = 0.0
        for rest in itertools.product((False, True), repeat=4):

            def at(one, other, rest=rest, i=i, j=j):
                mask = list(rest)
                mask.insert(i, one)
                mask.insert(j, other)
                return values[tuple(mask)]

            total += at(True, True) - at(True, False) - at(False, True) + at(False, False)
        assert found.interactions[i, j] == pytest.approx(total / 16, abs=2e-4), (i, j)
    assert found.full_value == pytest.approx(values[(True,) * 6], abs=1e-4)


def test_tokens_of_a_word_come_and_go_together(encoder, rng):
    words, tokens = (Game(encoder, SCENE.image, CAPTION, text_players=kind) for kind in ("words", "tokens"))
    assert words.labels[49:] == ("a", "red", "fish", "and", "a", "butterfly")
    assert tokens.labels[49:] == ("a", "red", "f", "i", "s", "h", "and", "a", "butter", "fly")
    masks = rng.random((12, 6)) < 0.5
    by_hand = masks[:, [0, 1, 2, 2, 2, 2, 3, 4, 5, 5]]
    np.testing.assert_array_equal(words.embed_texts(masks), tokens.embed_texts(by_hand))
    other = words.with_text("a butterfly")
    assert other.labels[49:] == ("a", "butterfly") and other.n_image == 49


# ---- words and phrases


@pytest.mark.parametrize(
    ("text", "tokens", "asked", "players"),
    [
        ("A dog's key-ring, red.", "a dog 's key - ring , red .", "words", "A|dog's|key-ring|,|red|."),
        ("two  hot dogs", "two hot dog s", ["Hot Dogs"], "two|hot dogs"),
        ("a cat and a cat", "a cat and a cat", ["a cat", "a cat"], "a cat|and|a cat"),
        ("a cat and a cat", "a cat and a cat", ["a cat"], "a cat|and|a|cat"),
        ("红 鱼", "红 鱼", "words", "红|鱼"),
        ("caf\u00e9s", "caf _ \u00e9 s", "words", "caf\u00e9s"),
        ("no more", "_ no _ more", ["no more"], "no more"),
    ],
)
def test_words_and_phrases_from_labels_alone(text, tokens, asked, players):
    found = grouped(text, spans_of_labels(text, tokens.split()), asked if isinstance(asked, str) else tuple(asked))
    assert "|".join(found.labels) == players
    assert len(found.owners) == len(tokens.split()) and (np.diff(found.owners) >= 0).all()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["dog"], "text_players: 'dog' is not in the caption 'a red fish"),
        (["red fish", "a red"], "text_players: 'a red' overlaps with 'red fish'"),
        (["butter"], "'butter' is not in the caption"),
        (["butterfly", "butterfly"], "'butterfly' overlaps with 'butterfly'"),
        ([""], "text_players: got '' in the list"),
        ([], r'got \[\], wanted "tokens", "words" or a list'),
        ("word", "got 'word', wanted \"tokens\""),
    ],
)
def test_phrases_that_are_none_are_refused(encoder, never_asked, asked, message):
    with pytest.raises(ValueError, match=message):
        fixlip.explain(encoder, SCENE.image, CAPTION, text_players=asked)


# ---- regions


def test_nobodys_pixels_are_always_removed_and_readers_are_told(encoder):
    labels = np.where(PATCHES < 7, -1, 3)
    game = Game(encoder, SCENE.image, "a cactus", image_players=Regions(labels, {3: "below"}))
    whole = Game(encoder, SCENE.image, "a cactus")
    assert game.labels[0] == "below" and "14% of the picture are in no region" in game.subject.notes[0]
    removed = np.arange(49)[None] >= 7
    np.testing.assert_array_equal(game.embed_images(np.ones((1, 1), bool)), whole.embed_images(removed))


def test_superpixels_are_of_what_the_model_sees(encoder):
    game = Game(encoder, SCENE.image, "a cactus", image_players="slic:20")
    regions = game.subject.regions
    assert regions.shape == (112, 112) and 5 <= game.n_image <= 40
    assert game.labels[:2] == ("region 1", "region 2")
    again = Game(encoder, SCENE.image, "a cactus", image_players=("slic", 20))
    np.testing.assert_array_equal(again.subject.regions, regions)


def test_without_scikit_image_one_sentence_says_what_to_install(encoder, never_asked, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skimage.segmentation", None)
    with pytest.raises(ValueError, match='image_players: "slic": needs scikit-image'):
        fixlip.explain(encoder, SCENE.image, "a cactus", image_players="slic")


def test_a_label_map_can_come_from_a_file(encoder, tmp_path):
    path, colour = tmp_path / "labels.png", tmp_path / "colour.png"
    Image.fromarray(PATCHES.astype(np.uint8)).save(path)
    SCENE.image.convert("RGB").save(colour)
    assert Game(encoder, SCENE.image, "a cactus", image_players=str(path)).n_image == 49
    with pytest.raises(ValueError, match="is in colour .mode RGB., wanted an indexed or grey picture"):
        Game(encoder, SCENE.image, "a cactus", image_players=colour)
    with pytest.raises(ValueError, match="image_players: there is no file"):
        Game(encoder, SCENE.image, "a cactus", image_players=tmp_path / "none.png")


def test_of_boxes_that_overlap_the_smaller_has_the_pixels():
    found = Regions.of_boxes({"large": (0, 0, 6, 4), "small": (4, 2, 8, 4)}, (4, 8))
    assert found.names == ("large", "small", "rest")
    assert found.labels.tolist() == [[0] * 6 + [2] * 2] * 2 + [[0] * 4 + [1] * 4] * 2


@pytest.mark.parametrize(
    ("players", "message"),
    [
        (PATCHES[:, :300], r"image_players: got a label map of shape \(336, 300\), wanted \(336, 336\)"),
        (PATCHES + 0.5, "labels: got entries of type float64, wanted whole numbers"),
        (PATCHES - 2, "labels: got -2, wanted numbers from 0 on, or -1"),
        (PATCHES * 0 - 1, "labels: got 0 regions, wanted 1 to 4,096"),
        (np.where(np.arange(336**2).reshape(336, 336) == 0, 7, 0), "the region 'region 7' is empty where the model"),
        ([(30, 30, 20, 60)], r"the box 'box 1' is \(30, 30, 20, 60\), wanted .left, top, right, bottom. with left < "),
        ({"dog": (0, 0, 400, 60)}, "the box 'dog' .* within the picture of 336 x 336 pixels"),
        ({"dog": (0, 0, 40, 40), "cat": (0, 0, 40, 40)}, "the box 'dog' is covered by smaller boxes"),
        ("4x0", "image_players: got '4x0', wanted whole numbers of at least 1"),
        ("200x200", "got 200 x 200, wanted at most a cell for each of the model's 112 x 112 pixels"),
        ("slick", "image_players: got 'slick', wanted a grid such as"),
        ([], "image_players: got"),
        (7, "image_players: got 7, wanted a grid such as"),
    ],
)
def test_regions_that_are_none_are_refused(encoder, never_asked, players, message):
    with pytest.raises(ValueError, match=message):
        fixlip.explain(encoder, SCENE.image, "a cactus", image_players=players)


def test_names_of_regions_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"names: the region 5 .'dog'. is empty"):
        Regions([[0, 1]], {5: "dog"})
    with pytest.raises(ValueError, match="names: got 1, wanted one for each of the 2 regions"):
        Regions([[0, 1]], ["dog"])


def test_methods_that_look_inside_refuse_other_players(encoder, never_asked):
    with pytest.raises(ValueError, match="its players are regions and words, and this method looks into the model"):
        fixlip.explain(
            encoder, SCENE.image, "a cactus", image_players=BOXES, text_players="words", estimator="grad-eclip"
        )


def test_many_images_have_no_regions_of_one(encoder, never_asked):
    with pytest.raises(ValueError, match="image_players: got regions of one image"):
        fixlip.explain_all(encoder, [SCENE.image], ["a cactus"], image_players=BOXES)
    with pytest.raises(ValueError, match="text_players: got phrases, which are of one caption"):
        fixlip.explain_all(encoder, [SCENE.image], ["a cactus"], text_players=["a cactus"])


def test_grids_keep_the_regions_of_every_image(encoder, tmp_path):
    images = [SCENE.image, emoji.scene(8).image]
    grid = fixlip.explain_all(encoder, images, ["a cactus"], image_players="slic:9", budget=8, progress=False)
    loaded = fixlip.ExplanationGrid.load(grid.save(tmp_path / "grid"))
    for i in (0, 1):
        np.testing.assert_array_equal(loaded[i, 0].subject.regions, grid[i, 0].subject.regions)
        assert same(loaded[i, 0], grid[i, 0])


def test_many_images_with_many_captions_in_words(encoder):
    grid = fixlip.explain_all(
        encoder,
        [SCENE.image],
        ["a cactus", CAPTION],
        image_players="2x2",
        text_players="words",
        budget=8,
        progress=False,
    )
    assert grid[0, 1].labels[4:] == ("a", "red", "fish", "and", "a", "butterfly") and grid[0, 1].grid == (2, 2)


def test_the_command_line_takes_players(tmp_path, capsys):
    from fixlip.__main__ import main

    path, labels = tmp_path / "one.npz", tmp_path / "labels.png"
    Image.fromarray((PATCHES // 14).astype(np.uint8)).save(labels)
    given = ["explain", "scene:7", "a butterfly", "--budget", "8", "--quiet", "--out", str(path)]
    assert main([*given, "--image-players", str(labels), "--text-players", "words"]) == 0
    assert Explanation.load(path).labels == ("region 0", "region 1", "region 2", "region 3", "a", "butterfly")
    assert main([*given, "--image-players", "many"]) == 2
    assert "image_players: got 'many', wanted a grid" in capsys.readouterr().err


# ---- geometry, and what is kept


def test_a_point_of_a_ring_lies_on_the_ring():
    labels = np.zeros((9, 9), int)
    labels[2:7, 2:7] = 1
    points = inner_points(labels, 2)
    at = [labels[int(y * 9), int(x * 9)] for x, y in points]
    assert at == [0, 1]
    np.testing.assert_allclose(points[1], [0.5, 0.5])


def test_explanations_and_samples_keep_their_regions(encoder, tmp_path):
    game = Game(encoder, SCENE.image, "a butterfly", image_players="slic:12", text_players="words")
    samples = fixlip.sample(game, 24, progress=False)
    explained = samples.explain()
    loaded = Explanation.load(explained.save(tmp_path / "one"))
    np.testing.assert_array_equal(loaded.subject.regions, game.subject.regions)
    assert loaded.subject.units == ("region", "word") and loaded.subject.origins == game.subject.origins
    again = fixlip.Samples.load(samples.save(tmp_path / "all")).explain()
    np.testing.assert_allclose(again.interactions, explained.interactions)


# ---- pictures and widgets


@pytest.fixture(scope="module")
def rings():
    """A toy of three regions in a picture of 12 by 16: one around another, and one beside; nobody's first row."""
    labels = np.zeros((12, 16), int)
    labels[0], labels[:, 12:], labels[4:8, 4:8] = -1, 2, 1
    labels[0] = -1
    image = np.full((48, 64, 3), 200, np.uint8)
    names, numbers = ("around", "within", "beside", "a", "word"), np.array([1.0, -2.0, 0.0, 0.5, 0.25])
    subject = fixlip.Subject(3, 2, names, image=image, text="a word", regions=labels, units=("region", "word"))
    pairs = np.zeros((5, 5))
    pairs[1, 4] = pairs[4, 1] = 1.0
    return Explanation(0.0, numbers, pairs, subject, p=0.5)


def test_regions_are_tinted_where_they_are_and_nobodys_place_is_grey(rings):
    content = {"edges": 0, "scaling": "joint", "width": 360, "title": "", "subtitle": ""}
    drawn = np.asarray(fixlip.pictures.draw(rings, **content).convert("RGB")).astype(int)
    from fixlip.pictures.layout import lay_out

    left, top, right, bottom = lay_out(rings, 0, 360).picture
    shift = 28  # height of an empty head
    assert (right - left) / (bottom - top) == pytest.approx(16 / 12)

    def at(row, column):
        x, y = left + (column + 0.5) * (right - left) / 16, shift + (row + 0.5) * (bottom - top) / 12
        return drawn[round(2 * y), round(2 * x)]

    around, within, beside, nobody = at(10, 2), at(7, 4), at(10, 13), at(0, 6)
    assert around[0] > around[2] + 20 and within[2] > within[0] + 60
    assert abs(beside[0] - beside[2]) < 4 and np.abs(nobody - 128).max() < 4


def test_pictures_for_paper_have_regions_as_shapes(rings, tmp_path):
    pictured = rings.draw(width=360)
    svg = pictured.save(tmp_path / "regions.svg").read_text(encoding="utf-8")
    assert svg.count('fill-rule="evenodd"') == 3 and svg.count("<rect") < 200  # two values, and nobody's
    assert "around +1" in svg and "regions and words" in svg
    assert "3 regions; 2 words" in pictured.words


def test_the_words_of_an_explanation_call_players_what_they_are(rings):
    assert "(3 regions, 2 words)" in rings.summary()
    table = rings.table("pairs")
    assert (table["kind"], table["first_label"], table["first_row"]) == (["region with word"], ["within"], [None])


def test_a_widget_has_the_regions_outlines(rings):
    from fixlip_widgets import Explorer

    view = Explorer(rings).view
    assert view.grid == [1, 3] and view.shape == [12, 16] and view.tokens == ["a", "word"]
    assert view.regions[1] == "M4,4L8,4L8,8L4,8Z" and view.regions[0].count("Z") == 2
    x, y = view.points[1]
    assert 4 <= 16 * x <= 8 and 4 <= 12 * y <= 8


def test_a_heat_map_gives_every_region_its_mean(rings):
    heat = np.zeros((12, 16))
    heat[4:8, 4:6] = 4.0
    found = Explanation.from_heatmap(heat, rings)
    np.testing.assert_allclose(found.values[:3], [0, 2, 0])


def test_a_difference_wants_the_same_regions(rings):
    from dataclasses import replace

    turned = replace(rings, subject=replace(rings.subject, regions=rings.subject.regions[::-1]))
    with pytest.raises(ValueError, match="difference: got other regions of the image"):
        rings - turned
    fixlip.pictures.compare(rings, turned, names=("one", "other"))  # beside each other they may stand


def test_curves_and_faithfulness_take_regions(encoder):
    from fixlip.metrics import area_between_curves, faithfulness, insertion_deletion

    game = Game(encoder, SCENE.image, SCENE.caption, image_players=BOXES, text_players="words")
    explained = fixlip.explain(
        encoder, SCENE.image, SCENE.caption, image_players=BOXES, text_players="words", estimator="exact"
    )
    assert area_between_curves(insertion_deletion(explained, game)) > 0.2
    assert faithfulness(explained, game, n_masks=64).r2 > 0.5
