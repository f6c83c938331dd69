"""What is said of a pair follows the numbers: in headings, summaries, pictures, reports and on the command line."""

import dataclasses
from html import unescape

import numpy as np
import pytest
from PIL import Image, ImageDraw
from toys import make, mosaic

import fixlip
from fixlip import Explanation
from fixlip.__main__ import main
from fixlip.claims import CAUTION, INTERVAL, Claims, Level
from fixlip.emoji.notes import known_words, note_of_caption, unknown_words
from fixlip.emoji.tokenizer import SPLIT
from fixlip.pictures import alt_text, drawing
from fixlip.pictures.report import html
from fixlip.pictures.words import default_title

BELOW, ALIKE = "below that of nothing", "hardly different from that of nothing"
UNKNOWN = "it does not know \u201cdog\u201d, \u201cnext\u201d, \u201cto\u201d, \u201chydrant\u201d."


def title(explanation):
    return default_title(explanation, None, np.ones(explanation.n_players, bool))


def said(explanation):
    """All texts about an explanation."""
    bundle, _ = explanation._repr_mimebundle_()
    texts = explanation.summary(), alt_text(explanation), explanation.draw().words, unescape(html(explanation))
    return [*texts, bundle["text/plain"]]


# ---- the rule


@pytest.mark.parametrize(
    ("full", "empty", "level"),
    [
        (9.0, 3.0, Level.ABOVE),
        (3.0, 9.0, Level.BELOW),
        (9.0, 8.0, Level.ALIKE),
        (8.0, 9.0, Level.ALIKE),
        (-3.0, -9.0, Level.ABOVE),
        (float("nan"), 1.0, Level.UNKNOWN),
        (1.0, float("nan"), Level.UNKNOWN),
    ],
)
def test_the_pair_is_measured_by_how_much_a_toss_of_coins_changes_it(full, empty, level):
    values = np.array([2.0, -1.0, 2.0])
    masks = np.array(np.meshgrid(*[[0, 1]] * 3)).reshape(3, -1).T
    found = Claims(full, empty, values, None, 1)
    assert found.spread == pytest.approx((masks @ values).std()) == 1.5
    assert found.level is level
    assert Claims(full, empty, values, None, 1, whole=False).level is Level.UNKNOWN


def test_numbers_that_read_the_same_are_never_called_different():
    assert Claims(2.001, 2.004, np.zeros(3), None, 1).level is Level.ALIKE


def test_a_side_is_idle_if_every_value_lies_within_its_error_bar():
    assert INTERVAL == drawing.INTERVAL
    errors = np.full(4, 0.1)
    for values, idle in (
        ([0.16, -0.16, 1.0, 0.0], (True, False)),
        ([0.17, 0.0, 1.0, 0.0], (False, False)),
        ([1.0, 0.0, 0.16, 0.1], (False, True)),
        ([0.1, 0.1, 0.1, 0.1], (True, True)),
    ):
        assert Claims(9.0, 1.0, np.array(values), errors, 2).idle == idle
        assert Claims(9.0, 1.0, np.array(values), None, 2).idle == (False, False), "without errors only zeros are idle"
        assert Claims(9.0, 1.0, np.array(values), errors, 2, whole=False).idle == (False, False)
    assert Claims(9.0, 1.0, np.array([1e-7, 0.0, 1.0, 0.0]), None, 2).idle == (True, False)
    assert Claims(3e-4, 0.0, np.array([1e-4, 0.0, 2e-4, 0.0]), None, 2).idle == (False, False), "a matter of units"
    assert Claims(9.0, 1.0, np.ones(2), None, 2).idle == (False, False), "a side without players is not idle"


# ---- explanations with known numbers


def test_a_similar_pair_reads_as_it_always_did():
    explanation = make()
    assert title(explanation) == "Similarity 9.25: what each part contributes, and what goes together"
    assert title(explanation.first_order()) == "Similarity 9.25: what each part contributes"
    assert explanation.remarks() == explanation.notes == () and explanation.facts()[0].startswith(
        "1.50 with everything"
    )
    for text in said(explanation):
        assert CAUTION not in text and "nothing" not in text.lower()
    assert "<h1>Why the model finds the image and \u201cblack dog dog\u201d similar</h1>" in html(explanation)


@pytest.mark.parametrize(
    ("full", "verdict", "heading", "sentence"),
    [
        (-9.0, "less than with everything removed", "less similar than with everything removed", BELOW),
        (1.6, "hardly different from everything removed", "hardly more or less similar than", ALIKE),
    ],
)
def test_a_pair_that_is_not_similar_is_never_called_similar(full, verdict, heading, sentence):
    explanation = make(full_value=full)
    for shown in (explanation, explanation.first_order()):
        for text in said(shown):
            assert sentence in text and "similar (" not in text and "of which" not in text
        assert title(shown).startswith(f"Similarity {full:.2f}, {verdict}: what each part contributes")
        assert heading in shown.summary().splitlines()[0]
        assert heading in html(shown).split("<h1>")[1].split("</h1>")[0]


def test_of_a_negative_number_nothing_remains():
    assert "similarity -2.00, and -9.00 with everything" in make(full_value=-2.0, empty_value=-9.0).summary()


def test_what_is_not_known_is_not_told():
    nan = float("nan")
    explanation = make(full_value=nan, empty_value=nan)
    for text in (*said(explanation), title(explanation), *explanation.facts()):
        assert "nan" not in text.replace("banana", "") or "base64" in text
    assert explanation.summary().startswith('How the similarity of the image and "black dog dog" comes about in toy (')
    assert "not known</dd>" in html(explanation) and title(explanation).startswith("Similarity not known: ")


def test_sides_that_contribute_nothing_are_named():
    explanation = make()
    errors = np.full(9, 0.1)
    for side, sentence, words in (
        (slice(0, 6), "Nothing in the image contributes", "what each word contributes, and nothing in the image"),
        (slice(6, 9), "No word contributes", "what each patch contributes, and no word"),
    ):
        pairs, single = explanation.interactions.copy(), explanation.attributions.copy()
        pairs[side], pairs[:, side], single[side] = 0.0, 0.0, 0.05
        found = make(attributions=single, interactions=pairs, value_errors=errors)
        for text in said(found):
            assert f"{sentence}: the value of every" in text and "is zero within its error bar." in text
            assert CAUTION in text
        assert title(found) == f"Similarity 9.25: {words}"
    nothing = make(attributions=np.zeros(9), interactions=np.zeros((9, 9)))
    assert title(nothing) == "Similarity 9.25: no patch and no word contributes"
    assert nothing.claims.level is Level.ABOVE and "value of every word is zero." in nothing.summary()


def test_of_a_part_nothing_is_claimed_about_the_pair(tmp_path):
    part = make(full_value=-9.0).restrict(["black"])
    assert not part.whole and part.remarks() == () and part.verdict == ""
    assert part.summary().startswith("How the similarity of the image")
    assert Explanation.load(part.save(tmp_path / "part")).whole is False
    assert make().restrict(range(9)).whole and make().restrict(i for i in range(9)).whole


def test_notes_are_saved_shown_and_escaped(tmp_path):
    explanation = noted(make(), "", "toy does not know <b>dog</b>.")
    assert explanation.notes == ("toy does not know <b>dog</b>.",)
    loaded = Explanation.load(explanation.save(tmp_path / "noted"))
    assert loaded.notes == explanation.notes and loaded.facts()[0] == explanation.notes[0]
    for text in said(loaded)[:3]:
        assert explanation.notes[0] in text and CAUTION in text
    page = html(loaded)
    assert "toy does not know &lt;b&gt;dog&lt;/b&gt;." in page and "<b>" not in page
    assert explanation.notes[0] in alt_text(loaded, 6)
    both = noted(make(), "toy knows no photographs.") - explanation
    assert both.notes == ("toy knows no photographs.", *explanation.notes) and both.facts()[:2] == list(both.notes)
    assert all(note in alt_text(both) for note in both.notes)


def noted(explanation, *notes):
    from fixlip.subject import Origin

    origins = tuple(Origin("toy", "", "zero", "", note) for note in (*notes, "")[:2])
    return dataclasses.replace(explanation, subject=dataclasses.replace(explanation.subject, origins=origins))


def test_a_report_says_the_notes_once_beside_its_large_picture():
    explanation = noted(mosaic(), "toy knows no photographs.")
    assert html(explanation).count("toy knows no photographs.") == 2, "in a paragraph and in the picture's words"


# ---- embedded models


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip", device="cpu")


@pytest.fixture
def screenshot(tmp_path):
    image = Image.new("RGB", (640, 400), "white")
    pen = ImageDraw.Draw(image)
    for line in range(12):
        pen.text((30, 20 + 30 * line), f"def f(x): return x + {line}  # {'x' * line}", fill="black")
    pen.rectangle((400, 40, 620, 360), fill=(40, 60, 200))
    path = tmp_path / "screenshot.png"
    image.save(path)
    return path


def test_the_known_words_are_those_of_the_training():
    from fixlip.emoji.train import draw_caption

    rng, drawn = np.random.default_rng(0), set()
    for _ in range(3000):
        words = [str(word) for word in rng.choice(fixlip.emoji.vocabulary(), rng.integers(1, 5), replace=False)]
        drawn |= set(draw_caption(words, str(rng.choice(list(fixlip.emoji.COLOURS))), rng).split())
    assert drawn == known_words()


def test_words_that_the_tokenizer_cuts_are_unknown(encoder):
    assert unknown_words("A photo of a Cat and an owl on a blue background") == unknown_words(SPLIT) == ()
    assert unknown_words("a dog, a dog next to a cat's café") == ("dog", ",", "next", "to", "'", "s", "café")
    for word in ("dog", "hydrant", "zebra", "café", "犬"):
        assert unknown_words(word) == (word,) and len(encoder.prepare_text(word).labels) > 1
    for word in known_words() - {SPLIT}:
        assert encoder.prepare_text(word).labels == (word,)
    many = note_of_caption("emoji-clip", "one two three four five six seven " + "long" * 9)
    assert many.endswith("\u201csix\u201d and 2 more.") and len(many) < 150
    assert "long\u2026\u201d." in note_of_caption("emoji-clip", "long" * 9)


def test_a_screenshot_with_words_that_the_model_does_not_know(encoder, screenshot, tmp_path):
    explanation = fixlip.explain(encoder, screenshot, "a dog next to a hydrant", budget=64, progress=False)
    purpose, unknown = explanation.notes
    assert purpose.startswith("emoji-clip was trained on emoji scenes alone") and unknown.endswith(UNKNOWN)
    loaded = Explanation.load(explanation.save(tmp_path / "dog"))
    for shown in (explanation, loaded, explanation.first_order()):
        assert ", less than with everything removed: " in title(shown)
        assert "less similar than with everything removed" in shown.summary().splitlines()[0]
        for text in said(shown):
            assert BELOW in text and UNKNOWN in text and purpose in text and CAUTION in text
        assert shown.facts()[:2] == [purpose, unknown]
    heading = html(explanation).split("<h1>")[1].split("</h1>")[0]
    assert heading.endswith("\u201ca dog next to a hydrant\u201d less similar than with everything removed")


def test_the_command_line_says_it_too(screenshot, tmp_path, capsys):
    common = ["--budget", "32", "--out", str(tmp_path / "x.html")]
    assert main(["explain", str(screenshot), "a dog next to a hydrant", *common]) == 0
    printed = capsys.readouterr()
    for text in (printed.out, printed.err):
        assert UNKNOWN in text and "was trained on emoji scenes alone" in text
    assert printed.err.count("emoji-clip") == 2 and BELOW in printed.out
    assert main(["explain", "scene:3", *common]) == 0
    printed = capsys.readouterr()
    assert "trained on" not in printed.out + printed.err and CAUTION not in printed.out
    assert main(["explain", "scene:3", "a dog", "--quiet", *common]) == 0
    printed = capsys.readouterr()
    assert "does not know \u201cdog\u201d" in printed.out and printed.err == ""


def test_where_notes_come_from_and_go(encoder, screenshot):
    """The picture's goes with the picture, the caption's with the caption."""
    scene = fixlip.emoji.scene(3)
    assert fixlip.Game(encoder, scene.image, scene.caption).subject.notes == ()
    assert fixlip.Game(encoder, np.asarray(scene.image), scene.caption).subject.notes == ()
    for source in (screenshot, str(screenshot), Image.open(screenshot)):
        assert len(fixlip.Game(encoder, source, "a cat").subject.notes) == 1
    (unknown,) = fixlip.Game(encoder, scene.image, "a dog").subject.notes
    assert unknown.startswith("emoji-clip is made for emoji scenes"), "and so says what it is for"
    game = fixlip.Game(encoder, screenshot, "a dog")
    assert len(game.subject.notes) == 2 and len(game.with_text("a cat").subject.notes) == 1
    grid = fixlip.explain_all(encoder, [scene.image, screenshot], ["a cat", "a dog"], budget=16, progress=False)
    assert [[len(grid[i, j].notes) for j in range(2)] for i in range(2)] == [[0, 1], [1, 2]]
    samples = fixlip.sample(fixlip.Game(encoder, scene.image, "a cat"), 16, progress=False)
    assert samples.with_caption(samples.game.with_text("a dog"), progress=False).explain().notes == (unknown,)
    same = fixlip.Game(encoder, Image.open(screenshot).convert("RGB"), "a dog")
    game.subject.check_same(same)  # notes do not tell games apart
    fixlip.sample(game, 16, progress=False).with_caption(same.with_text("a cat"), progress=False)


def test_other_encoders_give_no_notes(tiny_clip, encoder, screenshot):
    own = fixlip.encoders.huggingface.Encoder(tiny_clip)
    assert own.note_of_image("photo.jpg") == own.note_of_text("a dog") == ""
    copied = fixlip.encoders.huggingface.Encoder(encoder.model, encoder.processor, name="my-clip")
    assert fixlip.Game(copied, screenshot, "a dog").subject.notes == ()


def test_a_pair_to_which_nothing_in_the_image_contributes():
    """With patches replaced by the picture's mean colour, nothing of a picture of one colour can be removed."""
    encoder = fixlip.load("emoji-clip", device="cpu", image_masking="mean")
    blank = Image.new("RGB", (336, 336), (120, 160, 200))
    explanation = fixlip.explain(encoder, blank, "a cat and a key", budget=64, progress=False)
    assert title(explanation).endswith(": what each word contributes, and nothing in the image")
    for text in said(explanation):
        assert "Nothing in the image contributes: the value of every patch is zero within its error bar." in text
    assert html(explanation).count("<img") == 1, "no maps of rounding errors"
    assert "caption and image:\n  none" in explanation.summary()


@pytest.mark.parametrize("seed", [3, 7, 11])
def test_a_scene_and_its_caption_are_similar_and_a_wrong_caption_is_not(encoder, seed):
    scene, other = fixlip.emoji.scene(seed), fixlip.emoji.scene(seed + 50)
    right, wrong = (
        fixlip.explain(encoder, scene.image, text, budget=64, progress=False) for text in (scene.caption, other.caption)
    )
    assert right.claims.level is Level.ABOVE and right.remarks() == ()
    assert wrong.claims.level is Level.BELOW and len(wrong.remarks()) == 1
