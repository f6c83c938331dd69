"""The widget of mutual knowledge: every control through its trait, what is shown, and its page in a browser."""

import base64
import copy
import io
import threading
from dataclasses import replace

import numpy as np
import pytest
from lab import chromium_page
from PIL import Image
from toys import concepts_found

import fixlip
import fixlip_widgets as widgets
from fixlip.concepts import MEASURES, Bank, Classes, Study
from fixlip_widgets.concepts import PREDICTED

HOSTILE = '<img src=x onerror="window.harmed = 1">'


@pytest.fixture(scope="module")
def study():
    return Study(fixlip.load("emoji-clip", device="cpu"), Classes.emoji(), Bank.emoji(), cache=False)


@pytest.fixture(scope="module")
def scenes():
    return {" and ".join(words): fixlip.emoji.scene(102, words=words).image for words in (["owl", "frog"], ["bus"])}


@pytest.fixture(scope="module")
def found(study, scenes):
    return {name: study.image(image) for name, image in scenes.items()}


@pytest.fixture
def panel(study, found):
    return widgets.Concepts(study, found)


def test_a_class_that_is_chosen_changes_the_language_side_alone(panel, study, found):
    forest = found["owl and frog"]
    assert "the predicted class" in panel.words.value and "owl, frog" in panel.words.value
    before = panel.view.value
    panel.target.value = "fruit"
    assert "\u201cfruit\u201d, not the predicted \u201cforest\u201d" in panel.words.value
    language = study.towards(forest, "fruit").phrases(study.language("fruit"))
    assert all(word in panel.words.value for word in language) and "(shared)" not in panel.words.value
    assert panel.view.value.partition("alt=")[0] == before.partition("alt=")[0]
    panel.target.value = PREDICTED
    assert "owl</b> (shared)" in panel.words.value


def test_another_image_is_shown_with_its_own_class_and_words(panel, found):
    panel.image.value = "bus"
    other = found["bus"]
    assert f"\u201c{other.class_name}\u201d" in panel.words.value and "of bus: Visual concepts" in panel.view.value
    assert all(word in panel.words.value for word in other.phrases(other.visual))
    assert panel.picture().words.startswith(f"Concepts of the picture and of \u201c{other.class_name}\u201d")


def test_striking_words_out_moves_along_the_curve(panel, found):
    forest = found["owl and frog"]
    assert panel.struck.max == len(forest.visual)
    for struck, step in enumerate(forest.steps):
        panel.struck.value = struck
        for measure in MEASURES:
            panel.measure.value = measure
            assert (
                f"<b>{step.measured(measure):.3f}</b>, by chance {step.chance(measure).mean:.3f}" in panel.curve.value
            )
            assert f"area under the curve: {forest.area(measure):.3f}" in panel.curve.value
        assert f"shared: <b>{step.shared}</b>, by chance {step.expected:.2f}" in panel.curve.value
        first = forest.bank.phrases[forest.visual[0]]
        assert (f"<s><b>{first}</b> (shared)</s>" in panel.words.value) == (struck > 0)
    panel.image.value = "bus"
    assert panel.struck.value <= len(found["bus"].visual) == panel.struck.max


def test_the_model_is_asked_once_for_each_picture(study, scenes, monkeypatch):
    asked, whole = [], Study.image
    monkeypatch.setattr(Study, "image", lambda self, image: asked.append(image) or whole(self, image))
    panel = widgets.Concepts(study, scenes)
    assert len(asked) == 1
    for name in ("bus", "owl and frog", "bus"):
        panel.image.value = name
        panel.wait()
        assert panel.state.shown.name == name
    panel.target.value, panel.struck.value = "fruit", 1
    assert len(asked) == 2 and panel.message.value == ""


def test_a_picture_that_is_damaged_is_told_in_the_widget(study, found, tmp_path):
    panel = widgets.Concepts(study, {"good": found["bus"], "bad": tmp_path / "none.png"})
    before = panel.view.value
    panel.image.value = "bad"
    panel.wait()
    assert 'role="alert"' in panel.message.value and "none.png" in panel.message.value
    assert panel.view.value == before
    panel.image.value = "good"
    assert panel.message.value == "" and panel.view.value == before


def test_of_two_pictures_chosen_in_a_hurry_the_last_is_shown(study, scenes, found, monkeypatch):
    gate, whole = threading.Event(), Study.image

    def slow(self, image):
        gate.wait(10)
        return whole(self, image)

    panel = widgets.Concepts(study, {"first": found["bus"], **scenes})
    monkeypatch.setattr(Study, "image", slow)
    panel.image.value = "owl and frog"
    panel.image.value = "bus"
    gate.set()
    panel.wait()
    assert panel.state.shown.name == "bus" == panel.image.value


def test_a_picture_without_concepts_has_no_curve(study):
    panel = widgets.Concepts(study, [np.full((64, 64, 3), 128, np.uint8)])
    assert panel.struck.disabled and "<img" not in panel.curve.value and "no visual concepts" in panel.words.value
    assert panel.message.value == "" and panel.image.value == "image 1"


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "images: there is none"),
        ([replace(concepts_found(), shown=None)], "'image 1' was kept without its picture"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_sentence(study, images, message):
    with pytest.raises(ValueError, match=message):
        widgets.Concepts(study, images)
    with pytest.raises(ValueError, match="'mine' was found with another bank"):
        widgets.Concepts(study, {"mine": concepts_found()})
    with pytest.raises(ValueError, match="study: got str"):
        widgets.Concepts("emoji-clip", images)


def test_a_picture_stays_where_no_kernel_runs(panel, tmp_path):
    bundle, metadata = panel._repr_mimebundle_()
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert picture.size == tuple(2 * metadata["image/png"][side] for side in ("width", "height"))
    assert bundle["text/plain"].endswith("\nA picture of a widget, which needs a running kernel to change.")
    page = panel.to_html(tmp_path / "page.html").read_text()
    assert page.count("<img ") == 2 == page.count('alt="') and "https://" not in page
    assert all(part.value in page for part in (panel.view, panel.words, panel.curve))


def test_every_control_has_a_name(panel):
    named = [panel.image, panel.target, panel.measure, panel.struck]
    assert [control.description for control in named] == ["image", "class", "measure", "words struck out"]


def test_the_saved_page_opens_wide_and_narrow_and_hostile_words_do_nothing(study, found, tmp_path):
    first = found["owl and frog"]
    bank = replace(study.bank, phrases=(HOSTILE, *study.bank.phrases[1:]))
    hostile = replace(first, bank=bank, concepts=(replace(first.concepts[0], words=(0, 1)),), visual=(0, 1))
    strange = copy.copy(study)
    strange.bank = bank
    path = widgets.Concepts(strange, {HOSTILE: hostile}).to_html(tmp_path / "page.html")
    with chromium_page() as page:
        page.goto(path.as_uri())
        for width in (1100, 400):
            page.set_viewport_size({"width": width, "height": 900})
            over = page.evaluate(
                "[...document.querySelectorAll('body *')].filter((x) => "
                "x.getBoundingClientRect().right > innerWidth + 0.5).map((x) => x.outerHTML.slice(0, 80))"
            )
            assert over == []
        assert HOSTILE in page.inner_text("body") and page.evaluate("window.harmed") is None
