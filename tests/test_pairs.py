"""Pairs of one kind against values worked out by hand, and against enumeration."""

import io
from xml.etree import ElementTree

import numpy as np
import pytest

import fixlip
from fixlip import pairs
from fixlip.estimators.exact import exact
from fixlip.metrics import area_between_curves, faithfulness, insertion_deletion
from fixlip.pairs import PairExplanation, PairGame
from fixlip.pictures.report import html

TEXTS = "a cat and a banana", "a banana and an owl"


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip", device="cpu")


@pytest.fixture(scope="module")
def images():
    return [fixlip.emoji.scene(seed, words=["cat", other]).image for seed, other in ((7, "banana"), (8, "key"))]


@pytest.fixture(scope="module")
def of_images(encoder, images):
    return pairs.explain_images(encoder, *images, budget=128, progress=False)


@pytest.fixture(scope="module")
def of_texts(encoder):
    return pairs.explain_texts(encoder, *TEXTS, progress=False)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_values_are_cosines_of_what_either_encoder_makes_of_it(encoder, images):
    rng = np.random.default_rng(0)
    for kind, given in (("images", images), ("texts", TEXTS)):
        game = PairGame(encoder, *given, kind)
        masks = rng.random((6, game.n_image + game.n_text)) < 0.5
        alone = [fixlip.Game(encoder, *((one, "an owl") if kind == "images" else (images[0], one))) for one in given]
        embed = [one.embed_images if kind == "images" else one.embed_texts for one in alone]
        first, second = (unit(f(m)) for f, m in zip(embed, np.split(masks, [game.n_image], axis=1), strict=True))
        np.testing.assert_allclose(game(masks), encoder.scale * np.sum(first * second, axis=1), rtol=1e-5)
        ends = np.stack([np.zeros(masks.shape[1], bool), np.ones(masks.shape[1], bool)])
        assert game(ends)[0] == pytest.approx(encoder.scale, rel=1e-5), "two empty inputs are the same"
        samples = game.sample(8, 0.5, progress=False)
        assert samples.full_value == pytest.approx(game(ends)[1], rel=1e-5)


@pytest.mark.parametrize(("index", "p"), [("banzhaf", 0.3), ("shapley", 0.5)])
def test_of_two_texts_it_is_the_exact_explanation(encoder, index, p):
    found = pairs.explain_texts(encoder, *TEXTS, p=p, index=index, progress=False)
    truth = exact(PairGame(encoder, *TEXTS, "texts"), p, index=index)
    np.testing.assert_allclose(found.interactions, truth.interactions, atol=2e-4)
    np.testing.assert_allclose(found.attributions, truth.attributions, atol=2e-4)
    assert found.labels == ("a", "cat", "and", "a", "banana", "a", "banana", "and", "an", "owl")


@pytest.mark.slow
def test_metrics_take_games_of_two_images(encoder, images, of_images):
    game = PairGame(encoder, *images)
    found = faithfulness(of_images, game, n_masks=150, seed=9)
    assert found.r2 == pytest.approx(of_images.expected_faithfulness, abs=0.15)
    with pytest.raises(ValueError, match="not above that with everything removed"):
        area_between_curves(insertion_deletion(of_images, game, points=5))  # two empty images are the same
    turned = pairs.explain_images(encoder, *images[::-1], budget=128, progress=False)
    same = np.corrcoef(turned.crossmodal().T.ravel(), of_images.crossmodal().ravel())[0, 1]
    assert same > 0.8, "B with A is A with B, from other masks"
    again = pairs.explain_images(encoder, *images, budget=128, progress=False)
    np.testing.assert_array_equal(again.interactions, of_images.interactions)


def test_words_and_tables_say_which_side(of_images, of_texts):
    assert of_images.labels[0] == "A patch 1,1" and of_images.labels[-1] == "B patch 7,7"
    for found, part in ((of_images, "patches"), (of_texts, "words")):
        told = found.summary()
        assert f"strongest {part} of A:" in told and f"{part} of A and of B:" in told
        assert "the cosine of the two" in told and "their cosine is 1" in told and "Why" not in told
        page = html(found)
        assert "the model&#x27;s scale" in page and "<h2>Word by word" not in page or found is of_texts
    table = of_images.table("crossmodal")
    assert set(table["kind"]) == {"patch of A with patch of B"} and set(table["second_token"]) == {None}
    label = f"B patch {table['second_row'][0]},{table['second_column'][0]}"
    assert label == table["second_label"][0]
    assert set(of_texts.table("pairs")["kind"]) == {
        "token of A with token of A",
        "token of A with token of B",
        "token of B with token of B",
    }
    assert isinstance(of_images.first_order(), PairExplanation)


def test_pictures_show_both_sides(of_images, of_texts, tmp_path):
    def read(found, **options):
        path = found.draw(**options).save(tmp_path / "f.svg", width=3.3)
        root = ElementTree.parse(path).getroot()
        svg = "{http://www.w3.org/2000/svg}"
        return root, [one.text for one in root.iter(f"{svg}text")], len(list(root.iter(f"{svg}image")))

    root, told, pictures = read(of_images)
    assert pictures == 2 and {"A", "B", "A and B"} <= set(told) and "patches and words" not in told
    assert len([one for one in told if one == "7"]) == 4, "both are numbered"
    _, told, pictures = read(of_texts)
    assert pictures == 0 and told.count("banana") == 2
    _, told, _ = read(of_texts, condition="owl", title="T", subtitle="", legend=False)
    assert told[0] == "T" and "A and B" not in told
    assert "image/png" in of_images._repr_mimebundle_()[0]


def test_a_file_holds_both_pictures(of_images, of_texts, tmp_path):
    for found in (of_images, of_texts):
        path = found.save(tmp_path / "pair.npz")
        again = PairExplanation.load(path)
        np.testing.assert_array_equal(found.interactions, again.interactions)
        np.testing.assert_array_equal(found.value_stderr, again.value_stderr)
        assert again.pair.texts == found.pair.texts and again.summary() == found.summary()
        one, other = (io.BytesIO() for _ in range(2))
        found.draw().image.save(one, "PNG"), again.draw().image.save(other, "PNG")
        assert one.getvalue() == other.getvalue()
        with pytest.raises(ValueError, match="it is a pair, which fixlip.pairs.PairExplanation.load reads"):
            fixlip.Explanation.load(path)


def test_what_does_not_fit_is_refused(encoder, images, of_images):
    with pytest.raises(ValueError, match="^kind: got 'sounds'"):
        PairGame(encoder, *images, "sounds")
    with pytest.raises(ValueError, match="^text: "):
        pairs.explain_texts(encoder, "", "a cat")
    with pytest.raises(ValueError, match="there is no file"):
        pairs.explain_images(encoder, images[0], "nowhere.png")
    with pytest.raises(ValueError, match="^order: got 3"):
        pairs.explain_images(encoder, *images, order=3)
    pytest.importorskip("ipywidgets")
    from fixlip_widgets import Explorer

    with pytest.raises(ValueError, match="^subject: a widget shows an image and a caption"):
        Explorer(of_images)
