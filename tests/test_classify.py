"""Classification explained: against the concepts, samples and contrasts it is made of, and what it refuses."""

from html.parser import HTMLParser

import numpy as np
import pytest
from scipy.stats import spearmanr

import fixlip
from fixlip.__main__ import main
from fixlip.classification import Agreement, Classification
from fixlip.classification.page import outline
from fixlip.concepts import Bank, Classes, Study
from fixlip.contrasts import Contrast

WORDS = ["cat", "goldfish", "banana"]


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip")


@pytest.fixture(scope="module")
def picture():
    return fixlip.emoji.scene(12, words=WORDS).image


@pytest.fixture(scope="module")
def found(encoder, picture):
    return fixlip.classify(encoder, picture, budget=64, cache=False, progress=False)


# ---- agreement


def test_agreement_is_what_its_numbers_say():
    scores = np.array([3.0, -1.0, 0.5, 0.5, -2.0, 0.0])
    patches = np.array([True, True, False, False, False, False])
    agreed = Agreement.of(patches, scores)
    assert agreed.share == pytest.approx(3 / 4)
    assert agreed.area == pytest.approx(1 / 3)
    assert agreed.lift == pytest.approx(9 / 4)
    assert agreed.rank_correlation == pytest.approx(spearmanr(patches.astype(int), scores)[0])


def test_agreement_of_nothing_is_none_and_never_a_nan():
    patches, every = np.array([True, False]), np.ones(2, bool)
    assert Agreement.of(~every, np.ones(2)) is None
    assert Agreement.of(patches, np.array([-1.0, 0.0])) is None
    assert Agreement.of(every, np.array([1.0, 2.0])) == Agreement(1.0, 1.0, 0.0)
    assert Agreement.of(patches, np.ones(2)) == Agreement(0.5, 0.5, 0.0)


def test_by_chance_the_share_is_the_area(rng):
    patches = np.arange(49) < 15
    shares = [Agreement.of(patches, rng.normal(size=49)) for _ in range(400)]
    assert np.mean([one.share for one in shares]) == pytest.approx(15 / 49, abs=0.02)
    assert np.mean([one.rank_correlation for one in shares]) == pytest.approx(0, abs=0.03)


# ---- what it is made of


def test_its_parts_are_those_of_the_library(encoder, picture, found):
    study = Study(encoder, Classes.emoji(), Bank.emoji(), cache=False)
    alone = study.image(picture)
    assert found.class_name == alone.class_name == "pets"
    assert found.concepts.visual == alone.visual and found.concepts.language == alone.language
    order = np.argsort(-alone.logits)
    assert found.ranking == tuple(order) and found.against == order[1]
    assert found.margin == pytest.approx(alone.logits[order[0]] - alone.logits[order[1]])
    prompts = [study.classes.prompts[k][0] for k in order[:2]]
    games = [fixlip.Game(encoder, picture, prompt) for prompt in prompts]
    samples = [fixlip.sample(game, 64, p=0.5, progress=False) for game in games]
    np.testing.assert_allclose(found.explanation.values, samples[0].explain().values, atol=1e-4)
    np.testing.assert_allclose(found.contrast.values, Contrast.of(*samples).values, atol=1e-4)
    # The game of a class's only prompt has the class's own logit.
    assert found.explanation.full_value == pytest.approx(alone.logits[order[0]], abs=1e-3)
    assert found.contrast.full_value == pytest.approx(found.margin, abs=1e-3)
    np.testing.assert_allclose(found.interactions, found.explanation.crossmodal().sum(1))
    shared = [one.patches for one in alone.concepts if set(one.words) & set(alone.language)]
    np.testing.assert_array_equal(found.shared_patches, np.any(shared, axis=0))
    np.testing.assert_array_equal(found.concept_patches, np.any([one.patches for one in alone.concepts], axis=0))


def test_another_class_can_be_named(encoder, picture, found):
    other = fixlip.classify(encoder, picture, against="circus", budget=16, cache=False, progress=False)
    assert other.foil_name == "circus" and other.margin > found.margin
    with pytest.raises(ValueError, match="^against: 'pets' is the predicted class; wanted another one"):
        fixlip.classify(encoder, picture, against="pets", budget=16, cache=False, progress=False)


def test_a_class_of_several_prompts_is_explained_by_its_first_and_says_so(encoder, picture):
    classes = Classes(["pet", "food"], [["a cat and a goldfish", "a goldfish"], ["a pizza"]])
    found = fixlip.classify(encoder, picture, classes, budget=16, cache=False, progress=False)
    assert found.explanation.text == "a cat and a goldfish"
    assert any("the mean of 2 prompts, and explained by the first" in note for note in found.notes)


def test_a_blank_picture_has_no_concepts_and_a_page(encoder):
    blank = fixlip.emoji.scene(1).image.resize((64, 64)).point(lambda _: 128)
    found = fixlip.classify(encoder, blank, budget=16, cache=False, progress=False)
    assert set(found.agreement.values()) == {None}
    assert "not measured" in found.summary() and "nan" not in found.summary()
    assert "No part of this picture stands out" in found.html()


# ---- refused


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"classes": Classes(["cat"])}, "^classes: got 'cat' alone, wanted two"),
        ({"classes": ["cat", "dog"]}, "^classes: got list, wanted fixlip.concepts.Classes"),
        ({"bank": "words"}, "^bank: got str"),
        ({"against": "zebra"}, "^against: got 'zebra', wanted one of the 12 classes"),
        ({"against": 12}, "^against: got 12"),
        ({"against": True}, "^against: got True"),
        (
            {"classes": Classes(["a", "b"], [["cat"], ["cat", "dog"]])},
            "^classes: two have the same first prompt, 'cat'",
        ),
        ({"budget": 1}, "^budget: "),
        ({"p": 0.0}, "^p: "),
    ],
)
def test_bad_input_is_refused_before_any_model_call(encoder, picture, given, message, monkeypatch):
    monkeypatch.setattr(encoder.model, "forward", None)
    for name in ("embed_images", "embed_texts"):
        monkeypatch.setattr(fixlip.Encoder, name, None)
    with pytest.raises(ValueError, match=message):
        fixlip.classify(encoder, picture, **{"cache": False, "progress": False} | given)


def test_only_embedded_models_have_classes_of_their_own(tiny_clip, picture):
    with pytest.raises(ValueError, match="^classes: none given; only the embedded models have some"):
        fixlip.classify(fixlip.Encoder(tiny_clip, name="mine"), picture)
    with pytest.raises(ValueError, match="^encoder: got str"):
        fixlip.classify("emoji-clip", picture)


# ---- page and command


class Page(HTMLParser):
    """What a page would load, and whether its tags are closed."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.open, self.wrong = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.loads += [v for k, v in attributes if k in ("src", "href") and not v.startswith(("data:", "#"))]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.loads += [v for k, v in attributes if k in ("src", "href") and not v.startswith(("data:", "#"))]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_the_page_is_whole_and_loads_nothing(found, tmp_path):
    written = found.save(tmp_path / "page.html")
    text = written.read_text(encoding="utf-8")
    page = Page(text)
    assert not page.loads and not page.open and not page.wrong
    assert "<script" not in text and "nan" not in text.lower().split("base64")[0]
    assert "Classified as \u201cpets\u201d" in text
    for phrase in found.concepts.phrases(found.concepts.visual):
        assert phrase in text
    with pytest.raises(ValueError, match="^path: "):
        found.save(tmp_path / "page.png")


def test_names_are_escaped(encoder, picture):
    classes = Classes(["<b>pet</b>", "<i>fruit</i>"], [["a cat"], ["a banana"]])
    text = fixlip.classify(encoder, picture, classes, budget=16, cache=False, progress=False).html()
    assert "<b>pet" not in text and "<i>fruit" not in text and "&lt;b&gt;pet" in text


def test_the_rim_goes_round_a_set_of_patches():
    inside = np.zeros((3, 4), bool)
    inside[1, 1:3] = True
    path = outline(inside).split('d="')[1].split('"')[0]
    assert path.count("M") == 6  # two patches side by side have six outer edges
    assert outline(np.zeros((2, 2), bool)) == ""


def test_the_command_writes_the_page_and_says_what_it_is(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    target = tmp_path / "report.html"
    assert main(["classify", "scene:7", "--budget", "16", "--against", "pets", "--out", str(target), "--quiet"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("class: ") and "rather than pets" in said and said.endswith(f"written: {target}\n")
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", [], "classes: there is none"),
        ("# only a comment\n", [], "classes: there is none"),
        ("cat\ndog\ncat\n", [], "classes: 'cat' appears twice"),
        ("cat\n", [], "classes: got 'cat' alone"),
        ("cat\ndog\n", ["--against", "zebra"], "against: got 'zebra'"),
        ("cat\ndog\n", ["--model", "mine"], "bank: none given"),
        ("cat\ndog\n", ["--bank", "nowhere.txt"], "bank: cannot read 'nowhere.txt'"),
        ("cat\ndog\n", ["--budget", "x"], "budget: got 'x'"),
        ("cat\ndog\n", ["--out", "report.png"], "out: got 'report.png'"),
    ],
)
def test_the_command_refuses_bad_files_before_a_model_is_loaded(text, options, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fixlip.encoders.loading.load", None)
    (tmp_path / "classes.txt").write_text(text, encoding="utf-8")
    assert main(["classify", "scene:7", "--classes", "classes.txt", *options]) == 2
    assert f"fixlip: {message}" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["classes.txt"]


def test_it_says_what_it_is(found):
    assert repr(found) == f"Classification('pets' rather than {found.foil_name!r}, by {found.margin:+.2f})"
    assert isinstance(found, Classification)
