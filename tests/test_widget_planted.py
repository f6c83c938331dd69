"""A fault planted by hand: scenes, what models say before and after, and the scene in the page."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from lab import chromium_page
from PIL import Image
from test_page import exported

import fixlip
import fixlip_widgets as widgets
from fixlip.emoji import props
from fixlip.emoji.by_hand import scene_by_hand
from fixlip_widgets import planting
from fixlip_widgets.planting import Setting, Shown
from fixlip_widgets.planting_words import decisions


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip", device="cpu")


@pytest.fixture(scope="module")
def beside():
    return fixlip.load("emoji-siglip", device="cpu")


@pytest.fixture(autouse=True)
def small_budgets(monkeypatch):
    monkeypatch.setattr(planting, "BUDGETS", (16, 24))


@pytest.fixture(scope="module")
def page():
    with chromium_page() as opened:
        yield opened


def pixels(picture):
    return np.asarray(picture, dtype=int)


def says(encoder, image, text):
    return fixlip.Game(encoder, image, text).full_value


# ---- scenes by hand


@pytest.mark.parametrize("size", [112, 336])
def test_what_is_added_by_hand_changes_its_own_place_and_nothing_else(size):
    plain, k = scene_by_hand(5, ["apple", "key"], size=size), size / 112
    added = {
        (80, 10, 92, 22): scene_by_hand(5, ["apple", "key"], badge=(86, 16), size=size),
        (24, 40, 76, 58): scene_by_hand(5, ["apple", "key"], label=("hat", 50, 49), size=size),
    }
    for box, scene in added.items():
        left, top, right, bottom = (round(k * one) for one in box)
        changed = (pixels(scene.image) != pixels(plain.image)).any(axis=2)
        assert changed[top:bottom, left:right].mean() > 0.5
        changed[top:bottom, left:right] = False
        assert not changed.any() and scene.boxes == plain.boxes
    red = scene_by_hand(5, ["apple", "key"], colours=["", "red"], size=size)
    left, top, right, bottom = plain.boxes[1]
    changed = (pixels(red.image) != pixels(plain.image)).any(axis=2)
    changed[top:bottom, left:right] = False
    assert not changed.any() and red.caption == "an apple and a red key"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colours": ["red"]}, "colours: got .'red'., wanted one for each of 2 objects"),
        ({"colours": ["red", "pink"]}, "colours: got .*pink.*, wanted one for each of 2 objects"),
        ({"background": "sky"}, "background: got 'sky', wanted one of white"),
        ({"label": ("no key", 9, 9)}, "word: got 'no key', wanted at most seven letters"),
    ],
)
def test_scenes_that_cannot_be_are_refused_in_a_sentence(options, message):
    with pytest.raises(ValueError, match=message):
        scene_by_hand(0, ["apple", "key"], **options)


# ---- before and after


def test_a_badge_is_put_where_the_click_was_and_the_models_are_asked(encoder, beside):
    panel = widgets.PlantAFault(encoder, beside, seed=2)
    objects = panel.state.objects
    assert panel.caption.value == "a boat" and panel.foil.value == fixlip.emoji.caption(objects)
    assert [view.chosen for pair in panel.maps for view in pair] == [(50,)] * 4, "the word's map is shown"
    before = panel.scene.image
    panel.scene.set_state({"at": [20.0, 90.0]})
    panel.wait()
    shown, plain = panel.state.shown, scene_by_hand(2, objects).image
    planted = props.with_badge(plain, 20, 90)
    for m, one in enumerate((encoder, beside)):
        wanted = [[says(one, image, text) for text in ("a boat", panel.foil.value)] for image in (plain, planted)]
        # The copy with the badge was rounded to whole grey levels once more.
        np.testing.assert_allclose(shown.scores[m], wanted, atol=0.02)
        np.testing.assert_allclose([e.full_value for e in shown.explanations[m]], shown.scores[m, :, 0], atol=1e-3)
    assert panel.scene.image != before and panel.scene.words == "the badge lies around patch 6,2"
    assert shown.explanations[0][0].budget == 24 and panel.message.value == ""
    panel.clear.click()
    panel.wait()
    assert panel.scene.at == [] and "nothing is planted" in panel.scene.words and "yet" in panel.readout.value
    np.testing.assert_allclose(*panel.state.shown.scores.swapaxes(0, 1))


def test_a_word_is_written_and_both_captions_follow(encoder):
    panel = widgets.PlantAFault(encoder, fault="reads", seed=2, planted=False)
    first, second = panel.state.objects
    panel.word.value = "hat"
    panel.scene.set_state({"at": [60.0, 60.0]})
    panel.wait()
    assert panel.caption.value == fixlip.emoji.caption(["hat", second])
    assert panel.foil.value == fixlip.emoji.caption([first, second])
    planted = props.with_label(scene_by_hand(2, [first, second]).image, "hat", 60 - 26, 60 - 9)
    assert panel.state.shown.scores[0, 1, 0] == pytest.approx(says(encoder, planted, panel.caption.value), abs=0.02)
    panel.objects[0].value = "hat"
    panel.wait()
    assert panel.word.value != "hat" and panel.state.objects == ["hat", second], "a true label misleads nobody"
    panel.objects[1].value = "none"
    panel.caption.value = "a hat and a hat"
    panel.wait()
    assert panel.state.shown.explanations[0][1].text == "a hat and a hat" and panel.foil.value == "a hat"
    panel.caption.value = "hat " * 40
    panel.wait()
    assert 'role="alert"' in panel.message.value and "tokens" in panel.message.value


def test_objects_are_painted_and_two_words_are_kept(encoder):
    panel = widgets.PlantAFault(encoder, fault="binding", seed=2, planted=False)
    objects, given = panel.state.objects, panel.state.given
    assert panel.caption.value.split()[1:3] == [given[0], objects[0]] and panel.foil.value.split()[1] == given[1]
    assert panel.maps[0][0].chosen == (50, 51) and panel.state.shown.explanations[0][0].order == 3
    panel.scene.set_state({"tints": given[::-1]})
    panel.wait()
    assert [one.value for one in panel.tints] == given[::-1] and panel.state.shown.setting.planted
    after = scene_by_hand(2, objects, colours=given[::-1], background="white").image
    assert panel.state.shown.scores[0, 1, 1] == pytest.approx(says(encoder, after, panel.foil.value), abs=1e-3)
    pair = panel.state.shown.explanations[0]
    largest = max(np.abs(one.condition((50, 51))[:49]).max() for one in pair)
    assert panel.maps[0][0].scales == panel.maps[0][1].scales and panel.maps[0][0].scales[0] >= largest
    assert panel.picture().words.count("Triples with") == 2
    panel.tints[0].value = "green"
    panel.wait()
    assert panel.state.tints == ["green", given[0]] and panel.scene.tints == ["green", given[0]]
    panel.fault.value = "shortcut"
    panel.wait()
    assert panel.scene.thing == [12, 12] and panel.maps[0][0].chosen == (50,) and panel.caption.value == "a boat"


def test_words_are_kept_in_all_maps_and_patches_in_those_of_one_model(encoder, beside):
    panel = widgets.PlantAFault(encoder, beside, seed=2)
    panel.maps[1][0].set_state({"selected": 49})
    assert [view.selected for pair in panel.maps for view in pair] == [49] * 4
    panel.maps[1][1].set_state({"selected": 6})
    assert [view.selected for pair in panel.maps for view in pair] == [-1, -1, 6, 6]
    pair = panel.state.shown.explanations[1]
    patches, words = (
        max(np.abs(one.condition(6)[side]).max() for one in pair) for side in (slice(49), slice(49, None))
    )
    assert panel.maps[1][0].scales[0] == pytest.approx(patches if words > 3 * patches else max(patches, words))


def test_another_scene_keeps_what_is_planted(encoder):
    panel = widgets.PlantAFault(encoder, seed=2)
    objects, badge = panel.state.objects, panel.state.badge
    panel.again.click()
    panel.wait()
    assert panel.state.objects != objects and panel.state.badge == badge == panel.scene.at
    assert panel.foil.value == fixlip.emoji.caption(panel.state.objects)
    assert [one.value for one in panel.objects] == panel.state.objects


def test_what_was_set_up_meanwhile_is_not_covered_by_an_earlier_answer(encoder):
    state = planting.PlantState([encoder], "shortcut", 2)
    state.ask(sharp=True)
    shown = state.shown
    state.badge = [20.0, 20.0]
    state.ask(is_stale=lambda: True)
    assert state.shown is shown

    def changes(done, total):
        state.badge = [30.0, 30.0]

    state.ask(changes)
    assert state.shown.setting.after[3] == (20.0, 20.0) and state.shown.explanations[0][1].budget == 16


def test_decisions_are_told_in_words_and_marked():
    class Known:
        budget, expected_faithfulness = 64, 0.9

    setting = Setting((0,), (1,), "a boat", "a <car>")
    scores = np.array([[[1.0, 5.0], [8.0, 5.0]], [[1.0, 5.0], [1.5, 5.0]]])
    told = decisions(Shown(setting, scores, (((Known, Known)),) * 2), ["clever/../clean", "b"])
    assert "goes over from “a &lt;car&gt;” to “a boat”; what was planted moves “a boat” by +7.00 logits" in told
    assert "<b>b</b> stays with “a &lt;car&gt;”; what was planted moves “a boat” by +0.50 logits" in told
    assert told.count("✓") == 5 and "<b>8.00 ✓</b>" in told and "(R²) 0.90" in told
    same = replace(setting, after=(0,))
    assert "nothing is planted yet" in decisions(Shown(same, scores, (((Known, Known)),) * 2), ["a", "b"])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (["emoji-clip"], {}, "encoder: got 'emoji-clip', wanted "),
        ([None, 3], {}, "encoder: got NoneType"),
        ([], {"beside": 3}, "encoder: got int"),
        ([], {"fault": "typo"}, "fault: got 'typo', wanted one of shortcut, reads, binding"),
    ],
)
def test_bad_input_is_refused_before_any_model_call(encoder, arguments, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        widgets.PlantAFault(*(arguments or [encoder]), **options)


# ---- where no kernel runs, and in the page


def test_a_picture_and_a_page_stay(encoder, beside, tmp_path):
    panel = widgets.PlantAFault(encoder, beside, seed=2)
    bundle, metadata = panel._repr_mimebundle_()
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert picture.size == tuple(2 * metadata["image/png"][side] for side in ("width", "height"))
    for words in ("emoji-clip, before: ", "emoji-siglip, after: ", " wins, ", "Interactions of \u201cboat\u201d"):
        assert words in bundle["text/plain"]
    text = panel.to_html(tmp_path / "page.html").read_text("utf-8")
    assert "https://" not in text and "http://" not in text.replace("http://www.w3.org", "")
    assert '"live": true' not in text and ".fixlip-scene {" in text and panel.readout.value in text


def opened(page, panel, tmp_path, live):
    path = tmp_path / "scene.html"
    text = panel.to_html(path).read_text("utf-8")
    path.write_text(text.replace('"live": false', '"live": true') if live else text, "utf-8")
    page.goto(path.as_uri())
    page.wait_for_selector(".fixlip-scene .told")


def test_the_badge_is_moved_by_keyboard_and_by_pointer(page, encoder, tmp_path):
    panel = widgets.PlantAFault(encoder, seed=2)
    opened(page, panel, tmp_path, live=False)
    assert page.locator(".outline").count() == 0 and "click" not in page.inner_text(".fixlip-scene")
    opened(page, panel, tmp_path, live=True)
    outline = page.locator(".outline")
    outline.focus()
    for key in ["ArrowDown"] * 3 + ["ArrowRight"] * 9 + ["Enter"]:
        page.keyboard.press(key)
    said = outline.get_attribute("aria-label")
    assert said.startswith("a badge: 106 across and 20 down of 112, on patch 2,7;"), "it stays inside"
    box = page.locator(".fixlip-scene svg").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    assert "28 across and 56 down of 112, on patch 4,2" in outline.get_attribute("aria-label")
    page.mouse.move(0, 0)
    assert "28 across" in outline.get_attribute("aria-label"), "where it was put"


def test_objects_are_painted_by_keyboard_and_keep_the_focus(page, encoder, tmp_path):
    panel = widgets.PlantAFault(encoder, fault="binding", seed=2)
    opened(page, panel, tmp_path, live=True)
    palette, tint = list(props.TINTS), panel.state.tints[1]
    page.locator(".object").nth(1).focus()
    for presses in (1, 2):
        page.keyboard.press("Enter")
        wanted = palette[(palette.index(tint) + presses) % len(palette)]
        said = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert said == f"{panel.state.objects[1]}, {wanted}; Enter gives it the next colour"


def test_nothing_is_cut_off_in_a_narrow_page(page, encoder, tmp_path):
    page.set_viewport_size({"width": 400, "height": 900})
    for fault in ("reads", "binding"):
        opened(page, widgets.PlantAFault(encoder, fault=fault, seed=2), tmp_path, live=True)
        over = page.evaluate(
            "[...document.querySelectorAll('body *')].filter((x) => x.getBoundingClientRect().right > innerWidth + 0.5)"
            ".map((x) => x.outerHTML.slice(0, 80))"
        )
        assert over == []


def test_the_script_counts_patches_and_keeps_things_inside(page):
    spots = [[0, 0], [111, 3], [112, 112], [56, 40]]
    patches = exported(page, "scene.js", "argument.map((s) => exports.patchAt(s, [7, 14], 112))", spots)
    assert patches == ["1,1", "1,14", "7,14", "3,8"]
    kept = exported(page, "scene.js", "argument.map((s) => exports.inside(s, [52, 18], 112))", spots)
    assert kept == [[26, 9], [86, 9], [86, 103], [56, 40]]
