import numpy as np
import pytest

import fixlip

CAPTIONS = ["a cat next to a banana", "a tractor", "an owl and a key"]


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip", device="cpu")


@pytest.fixture
def images():
    return [fixlip.emoji.scene(seed).image for seed in (1, 2)]


def count(encoder, monkeypatch, name):
    """How many masks go through the encoder."""
    whole, seen = getattr(encoder, name), []

    def counted(prepared, masks):
        seen.append(len(masks))
        return whole(prepared, masks)

    monkeypatch.setattr(encoder, name, counted)
    return seen


def test_n_images_and_m_captions_cost_n_plus_m(encoder, images, monkeypatch):
    pictures, captions = count(encoder, monkeypatch, "embed_images"), count(encoder, monkeypatch, "embed_texts")
    grid = fixlip.explain_all(encoder, images, CAPTIONS, budget=40, p=0.5, progress=False)
    assert grid.shape == (2, 3) and len(grid) == 6
    spent = sum(pictures), sum(captions)
    tokens = [fixlip.Game(encoder, images[0], text).n_text for text in CAPTIONS]
    assert spent == (2 * 40, sum(2**n for n in tokens))
    for (i, j), explanation in grid:
        assert explanation.text == CAPTIONS[j] and explanation.n_text == tokens[j]
        game = fixlip.Game(encoder, images[i], CAPTIONS[j])
        np.testing.assert_array_equal(explanation.image, game.image)
        assert explanation.full_value == pytest.approx(game.full_value, abs=1e-3)
        assert grid.values[i, j] == pytest.approx(game.full_value, abs=1e-3)


def test_each_equals_the_explanation_of_the_pair_alone(encoder, images):
    grid = fixlip.explain_all(encoder, images, CAPTIONS, budget=60, seed=4, progress=False)
    shown = fixlip.Game(encoder, images[1], CAPTIONS[2])
    alone = fixlip.sample(shown, 60, seed=4, progress=False)
    for options in ({"p": 0.5}, {"p": 0.7, "order": 1}, {"index": "sii"}):
        expected, found = alone.explain(**options), grid.samples(1, 2).explain(**options)
        np.testing.assert_allclose(found.interactions, expected.interactions, atol=1e-4)
        np.testing.assert_allclose(found.attributions, expected.attributions, atol=1e-3)
    assert grid[1, 2].expected_faithfulness == pytest.approx(alone.explain().expected_faithfulness, abs=1e-4)


def test_an_interruption_keeps_the_images_that_were_done(encoder, images, monkeypatch):
    whole, calls = encoder.embed_images, []

    def interrupted(pixels, masks):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        yield from whole(pixels, masks)

    monkeypatch.setattr(encoder, "embed_images", interrupted)
    with pytest.warns(UserWarning, match="interrupted: going on with 1 of 2 images and 3 of 3 captions"):
        grid = fixlip.explain_all(encoder, images, CAPTIONS, budget=16, progress=False)
    assert grid.shape == (1, 3) and grid[0, 2].text == CAPTIONS[2]


def interrupt_after(encoder, name, batches, monkeypatch):
    """Let an encoder do so many batches and then be interrupted, once; returns the batches it did."""
    whole, done = getattr(encoder, name), []

    def interrupted(prepared, masks):
        for batch in whole(prepared, masks):
            if len(done) == batches:
                done.append("interrupted")
                raise KeyboardInterrupt
            done.append(len(batch))
            yield batch

    monkeypatch.setattr(encoder, name, interrupted)
    return done


def test_an_image_that_was_interrupted_is_dropped_and_nothing_more_is_encoded(images, monkeypatch):
    """Explained from fewer masks than the others it would count as whole."""
    slow = fixlip.load("emoji-clip", device="cpu", batch_size=8)
    done = interrupt_after(slow, "embed_images", 5, monkeypatch)
    with pytest.warns(UserWarning, match="interrupted: going on with 1 of 2 images"):
        grid = fixlip.explain_all(slow, images, CAPTIONS, budget=32, progress=False)
    assert done == [8] * 5 + ["interrupted"] and [side.budget for side in grid.images] == [32]


def test_an_interruption_during_captions_keeps_those_that_were_done(images, monkeypatch):
    slow = fixlip.load("emoji-clip", device="cpu", batch_size=1024)
    interrupt_after(slow, "embed_texts", 2, monkeypatch)
    with pytest.warns(UserWarning, match="interrupted: going on with 1 of 2 images and 2 of 3 captions"):
        grid = fixlip.explain_all(slow, images, CAPTIONS, budget=16, progress=False)
    assert grid.shape == (1, 2) and grid[0, 1].text == CAPTIONS[1]


def test_an_interruption_before_there_is_a_grid_is_an_interruption(images, monkeypatch):
    slow = fixlip.load("emoji-clip", device="cpu", batch_size=8)
    interrupt_after(slow, "embed_images", 1, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        fixlip.explain_all(slow, images, CAPTIONS, budget=32, progress=False)


def test_rounds_end_when_they_are_interrupted(monkeypatch):
    slow, shown = fixlip.load("emoji-clip", device="cpu", batch_size=16), fixlip.emoji.scene(11)
    done = interrupt_after(slow, "embed_images", 6, monkeypatch)
    with pytest.warns(UserWarning, match="interrupted: going on with the 32 of 64 masked images"):
        found = fixlip.explain(slow, shown.image, shown.caption, target_faithfulness=0.999, progress=False)
    assert found.budget == 96 and done[-1] == "interrupted"


def test_bad_input_is_told_before_any_mask_is_encoded(encoder, images, monkeypatch):
    seen = count(encoder, monkeypatch, "embed_images")
    with pytest.raises(ValueError, match="a list of at least one caption"):
        fixlip.explain_all(encoder, images, "a cat")
    with pytest.raises(ValueError, match="a list of at least one image"):
        fixlip.explain_all(encoder, [], CAPTIONS)
    with pytest.raises(ValueError, match="images: got 'photo.png', wanted a list of at least one image"):
        fixlip.explain_all(encoder, "photo.png", CAPTIONS)
    with pytest.raises(ValueError, match="texts: got None"):
        fixlip.explain_all(encoder, images, None)
    with pytest.raises(ValueError, match="there is no file"):
        fixlip.explain_all(encoder, [*images, "missing.png"], CAPTIONS)
    with pytest.raises(ValueError, match="index: got 'x'"):
        fixlip.explain_all(encoder, images, CAPTIONS, index="x")
    assert not seen
    grid = fixlip.explain_all(encoder, images[:1], CAPTIONS[:1], budget=16, progress=False)
    with pytest.raises(IndexError, match="within 1 x 1"):
        grid[0, 1]
    with pytest.raises(IndexError, match=r"grid: got \[0\], wanted the numbers of an image and a caption"):
        grid[0]
    other = fixlip.load("emoji-siglip", device="cpu")
    theirs = fixlip.sample(fixlip.Game(other, images[0], "a cat"), 16, progress=False)
    with pytest.raises(ValueError, match="one model for both"):
        grid.samples(0, 0).cross(theirs)


# ---- until it is faithful enough


def test_a_target_is_reached_with_as_few_images_as_need_be(encoder):
    shown = fixlip.emoji.scene(11)
    found = fixlip.explain(encoder, shown.image, shown.caption, target_faithfulness=0.9)
    assert found.expected_faithfulness >= 0.9 and found.budget <= 256


def test_a_target_out_of_reach_is_told(encoder):
    shown = fixlip.emoji.scene(11)
    with pytest.warns(UserWarning, match=r"instead of 0.999 with \d+ masked images; more would not help"):
        found = fixlip.explain(encoder, shown.image, shown.caption, target_faithfulness=0.999)
    assert found.budget < 4096
    with pytest.warns(UserWarning, match="with 70 masked images; allow a larger budget"):
        fixlip.explain(encoder, shown.image, shown.caption, target_faithfulness=0.999, budget=70)


# ---- files, tables, and going on


def assert_same(one, other):
    """Two grids, bit for bit."""
    assert one.shape == other.shape and (one.p, one.index) == (other.p, other.index)
    for first, second in zip([*one.images, *one.texts], [*other.images, *other.texts], strict=True):
        assert first.subject.facts() == second.subject.facts() and first.seed == second.seed
        np.testing.assert_array_equal(first.subject.image, second.subject.image)
        for side in ("image_side", "text_side"):
            a, b = getattr(first, side), getattr(second, side)
            assert (a.p, a.origin) == (b.p, b.origin)
            for part in ("masks", "weights", "embeddings"):
                np.testing.assert_array_equal(getattr(a, part), getattr(b, part))
                assert getattr(a, part).dtype == getattr(b, part).dtype
    np.testing.assert_array_equal(one.values, other.values)


def test_a_grid_is_saved_and_loaded_bit_for_bit_each_side_once(encoder, images, tmp_path):
    grid = fixlip.explain_all(encoder, images, CAPTIONS, budget=24, index="sii", progress=False)
    again = fixlip.ExplanationGrid.load(grid.save(tmp_path / "grid"))
    assert_same(grid, again)
    np.testing.assert_array_equal(grid[1, 2].interactions, again[1, 2].interactions)
    with np.load(tmp_path / "grid.npz") as archive:
        assert sorted(name for name in archive.files if name.endswith("embeddings")) == [
            *(f"image_{k}_embeddings" for k in range(2)),
            *(f"text_{k}_embeddings" for k in range(3)),
        ]
    grid[0, 0].save(tmp_path / "one.npz")
    with pytest.raises(ValueError, match="one.npz' is no saved grid .image is missing"):
        fixlip.ExplanationGrid.load(tmp_path / "one.npz")
    with pytest.raises(ValueError, match="^path: there is no file"):
        fixlip.ExplanationGrid.load(tmp_path / "none.npz")


@pytest.mark.parametrize(("name", "batches"), [("embed_images", 1), ("embed_images", 6), ("embed_texts", 1)])
def test_an_interrupted_grid_goes_on_and_encodes_nothing_twice(name, batches, images, monkeypatch, tmp_path):
    def fresh():
        return fixlip.load("emoji-clip", device="cpu", batch_size=8 if name == "embed_images" else 64)

    options = {"budget": 32, "p": 0.5, "progress": False}
    whole = fixlip.explain_all(fresh(), images, CAPTIONS[1:], **options)
    slow, spent = fresh(), []
    done = interrupt_after(slow, name, batches, monkeypatch)
    try:
        with pytest.warns(UserWarning, match="interrupted"):
            fixlip.explain_all(slow, images, CAPTIONS[1:], resume=tmp_path / "run", **options)
    except KeyboardInterrupt:
        pass
    assert "interrupted" in done
    again = fresh()
    for side in ("embed_images", "embed_texts"):
        spent.append(count(again, monkeypatch, side))
    assert_same(whole, fixlip.explain_all(again, images, CAPTIONS[1:], resume=tmp_path / "run", **options))
    if name == "embed_images":
        assert sum(spent[0]) == 2 * 32 - sum(done[:-1]), "the image in work is kept, too"
    # Done is done, in another order and with other company too; more masked images only cost themselves.
    more = fresh()
    spent = [count(more, monkeypatch, side) for side in ("embed_images", "embed_texts")]
    turned = fixlip.explain_all(more, images[::-1], CAPTIONS[:0:-1], resume=tmp_path / "run", **options)
    np.testing.assert_array_equal(turned.values, whole.values[::-1, ::-1])
    assert not sum(spent[0]) and not sum(spent[1])
    larger = fixlip.explain_all(more, images[:1], CAPTIONS[1:], resume=tmp_path / "run", **options | {"budget": 40})
    assert sum(spent[0]) == 8 and larger.images[0].budget == 40
    fixlip.explain_all(more, images[:1], CAPTIONS[1:], resume=tmp_path / "run", **options | {"seed": 1})
    assert sum(spent[0]) == 8 + 32, "other masks are not these"


def test_one_bar_counts_all_encodings(encoder, images, monkeypatch):
    from contextlib import contextmanager

    bars = []

    @contextmanager
    def bar(total, description):
        bars.append([description, total, 0])

        def advance(done):
            bars[-1][2] += done

        yield advance

    monkeypatch.setattr("fixlip.gridwork.progress_bar", bar)
    fixlip.explain_all(encoder, images, CAPTIONS[1:], budget=16)
    ((description, total, done),) = bars
    tokens = [fixlip.Game(encoder, images[0], text).n_text for text in CAPTIONS[1:]]
    assert description == "masked images and captions" and total == done == 2 * 16 + sum(2**n for n in tokens)


def test_a_table_tells_a_word_in_every_picture(encoder, images, tmp_path):
    images[1].save(tmp_path / "second.png")
    captions = ["a cat and a banana", "a tractor", "a Banana and a banana"]
    grid = fixlip.explain_all(encoder, [images[0], tmp_path / "second.png"], captions, budget=32, progress=False)
    table = grid.table(word="banana", patches=2)
    assert len({len(column) for column in table.values()}) == 1
    assert list(zip(table["image"], table["caption"], table["token"], strict=True)) == [
        (i, j, token) for i in (0, 1) for j, token in ((0, 5), (2, 2), (2, 5))
    ]
    assert table["file"] == [None] * 3 + ["second.png"] * 3
    told, player = grid[1, 2], grid[1, 2].n_image + 4
    assert table["value"][-1] == told.values[player] and table["stderr"][-1] == told.value_stderr[player]
    pairs = told.interactions[player][: told.n_image]
    best = int(np.argmax(np.abs(pairs)))
    assert (table["patch_1"][-1], table["patch_1_value"][-1]) == (told.labels[best], pairs[best])
    assert table["patch_2_stderr"][-1] > 0 and table["similarity"][-1] == told.full_value
    every = grid.table()
    assert len(every["image"]) == 6 and "word" not in every
    assert abs(every["patch_1_value"][0]) == np.abs(grid[0, 0].values[: told.n_image]).max()
    with pytest.raises(ValueError, match="^word: 'car' is in no caption; their words are a, cat, "):
        grid.table(word="car")
    with pytest.raises(ValueError, match="^word: got 3"):
        grid.table(word=3)
