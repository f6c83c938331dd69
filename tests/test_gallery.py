"""All methods on one pair: scores against their definitions, failures and interruptions named, a page and a picture."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from lab import chromium_page
from scipy import stats
from toys import SmoothGame, TableGame, make

import fixlip
from fixlip import gallery as galleries
from fixlip.__main__ import main
from fixlip.gallery import gallery as room
from fixlip.gallery import plans
from fixlip.metrics import area_between_curves, insertion_deletion

OWN = ["kernel", "banzhaf", "shapley"]


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip", device="cpu")


@pytest.fixture(scope="module")
def game(encoder):
    scene = fixlip.emoji.scene(7)
    return fixlip.Game(encoder, scene.image, scene.caption)


@pytest.fixture(scope="module")
def found(game):
    """All methods that there are."""
    return fixlip.compare_methods(game, budget=64, n_masks=64, progress=False)


@pytest.fixture
def methods(monkeypatch):
    """Register methods that give what they are told: an explanation, or an error."""

    def register(**made):
        for name, give in made.items():
            base = plans.METHODS["occlusion"]

            def run(game, request, give=give):
                if isinstance(give, BaseException):
                    raise give
                return give(game) if callable(give) else give

            method = replace(base, name=name, run=run, check_game=lambda game, request: None)
            monkeypatch.setitem(plans.METHODS, name, method)
            monkeypatch.setitem(plans.PLANS, name, plans.Plan(name, "", name))
        return list(made)

    return register


def scored(game, image=1.0, text=1.0):
    """Scores that only count: positive ones on the image and on the caption, of different sizes."""
    n_image, n_text = game.n_image, game.n_text
    numbers = np.concatenate([image * np.arange(n_image), text * np.arange(n_text)])
    none = np.zeros((game.n_players, game.n_players))
    how = {"order": 1, "index": "scores", "unit": "scores", "estimator": "counting", "budget": 3}
    return fixlip.Explanation(0.0, numbers, none, game.subject, **how)


# ---- what it holds


def test_all_methods_of_the_table_are_there_and_none_twice(found):
    assert [entry.name for entry in found.entries] == list(galleries.default_methods())
    assert set(galleries.default_methods()) == {*OWN, *plans.BASELINES}
    assert not found.interrupted and all(entry.explanation is not None for entry in found.entries)
    assert [entry.order for entry in found.entries][:3] == [2, 1, 1]
    with pytest.raises(KeyError, match="the methods are kernel, banzhaf"):
        found["nothing"]


def test_explanations_are_those_of_the_methods_themselves(found, game):
    samples = fixlip.sample(game.afresh(), 64, 0.5, progress=False)
    np.testing.assert_allclose(found["kernel"].explanation.interactions, samples.explain(0.5).interactions, atol=1e-5)
    np.testing.assert_allclose(found["banzhaf"].explanation.values, samples.explain(0.5).values, atol=1e-5)
    np.testing.assert_allclose(
        found["occlusion"].explanation.values, fixlip.baselines.occlusion(game).values, atol=1e-5
    )
    assert found["shapley"].explanation.index == "shapley" and found["shapley"].explanation.order == 1


def test_scores_are_by_definition_and_all_on_the_same_masks(found, game):
    for entry in found.entries:
        for name, side in (("aid", "both"), ("aid_image", "image")):
            curves = insertion_deletion(entry.explanation, game, side=side, progress=False)
            assert entry.scores[name] == pytest.approx(area_between_curves(curves))
    masks = np.random.default_rng(10**6).random((64, game.n_players)) < 0.5
    truth = game(masks)
    for name in ("kernel", "occlusion"):
        told = found[name].explanation.predict(masks)
        assert found[name].scores["spearman"] == pytest.approx(stats.spearmanr(truth, told).statistic)
        error = ((truth - told) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
        assert found[name].scores["r2"] == pytest.approx(1 - error)


def test_passes_are_what_went_through_the_model(encoder, monkeypatch):
    seen = []
    for side in ("embed_images", "embed_texts"):
        whole = getattr(encoder, side)

        def counted(prepared, masks, whole=whole):
            seen.append(len(masks))
            return whole(prepared, masks)

        monkeypatch.setattr(encoder, side, counted)
    scene = fixlip.emoji.scene(7)
    game = fixlip.Game(encoder, scene.image, scene.caption)
    alone = fixlip.Game(encoder, scene.image, scene.caption)
    fixlip.sample(alone, 32, 0.5, progress=False)
    asked = sum(seen)
    found = fixlip.compare_methods(game, methods=["occlusion", "kernel", "banzhaf"], budget=32, progress=False)
    assert found["kernel"].passes == found["banzhaf"].passes == asked == 32 + 2**game.n_text
    assert found["occlusion"].passes == game.n_players + 2
    assert all(entry.seconds > 0 for entry in found.entries)


def test_p_and_seed_reach_the_methods_that_have_them(game):
    found = fixlip.compare_methods(game, methods=["kernel", "occlusion"], p=0.3, budget=32, seed=5, progress=False)
    expected = fixlip.sample(game, 32, 0.3, 5, progress=False).explain(0.3)
    np.testing.assert_allclose(found["kernel"].explanation.interactions, expected.interactions, atol=1e-5)
    assert found["kernel"].explanation.p == 0.3 and not found["occlusion"].error


# ---- what cannot be done


def test_what_fails_is_named_and_the_others_go_on(game, methods):
    names = methods(broken=ValueError("text: this method wants a longer caption."))
    found = fixlip.compare_methods(game, methods=[*names, "occlusion"], n_masks=16, progress=False)
    assert found["broken"].error == "text: this method wants a longer caption." == found["broken"].remarks[0]
    assert found["occlusion"].explanation is not None and list(found.explanations) == ["occlusion"]
    assert "broken: text: this method wants a longer caption." in found.summary()
    assert "this method wants a longer caption" in found.html()
    assert found.table()["aid"][0] is None and found.table()["remarks"][0] == found["broken"].error


def test_an_error_that_nobody_foresaw_is_not_hidden(game, methods):
    names = methods(broken=RuntimeError("a fault of ours"))
    with pytest.raises(RuntimeError, match="a fault of ours"):
        fixlip.compare_methods(game, methods=names, progress=False)


def test_whoever_abstains_is_named_and_stays(game, methods):
    sizes = {"nothing": (0, 0), "words": (0, 1), "patches": (1, 0)}
    names = methods(**{name: lambda game, size=size: scored(game, *size) for name, size in sizes.items()})
    found = fixlip.compare_methods(game, methods=names, n_masks=16, progress=False)
    assert [entry.abstains for entry in found.entries] == [
        "it abstains: all its numbers are zero.",
        "it abstains on the image: every patch is zero.",
        "it abstains on the caption: every word is zero.",
    ]
    nothing = found["nothing"]
    assert "spearman" not in nothing.scores and "do not vary" in nothing.missing["spearman"]
    assert nothing.scores.get("aid", 0.0) == pytest.approx(0, abs=1e-12), "whoever says nothing gains nothing"
    page = found.html()
    assert page.count("<section") == 3 and all(entry.abstains in page for entry in found.entries)


def test_scores_predict_nothing_and_rank_all_the_same(game, methods):
    found = fixlip.compare_methods(game, methods=methods(counting=scored), n_masks=64, progress=False)
    entry = found["counting"]
    assert "r2" not in entry.scores and "no logits" in entry.missing["r2"]
    masks = np.random.default_rng(10**6).random((64, game.n_players)) < 0.5
    expected = stats.spearmanr(game(masks), masks @ entry.explanation.attributions).statistic
    assert entry.scores["spearman"] == pytest.approx(expected) and entry.passes == 3 and entry.unit == "scores"


def test_a_pair_less_similar_than_nothing_has_no_areas():
    game = TableGame(-np.arange(16.0), 2, 2)
    found = fixlip.compare_methods(game, methods=["exact", "kernel", "occlusion"], n_masks=32, progress=False)
    exact, kernel, occlusion = found.entries
    assert "cannot be normalised" in exact.missing["aid"] and exact.scores["r2"] == pytest.approx(1)
    assert "embed_images" in kernel.error and "fixlip.Game" in occlusion.error
    assert "no more similar than nothing" in found.html()
    found.picture()


def test_interrupting_keeps_what_was_done(game, methods):
    names = methods(stopped=KeyboardInterrupt())
    found = fixlip.compare_methods(game, methods=["occlusion", *names, "kernel"], n_masks=16, progress=False)
    assert found.interrupted and [entry.is_done for entry in found.entries] == [True, False, False]
    assert found["occlusion"].scores["aid"] > 0 and found["kernel"].error == room.NOT_RUN
    assert "Interrupted" in found.html() and found.html().count("not run") >= 2
    found.picture()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["kernels"]}, "methods: got 'kernels', wanted some of kernel, banzhaf, shapley"),
        ({"methods": "kernel"}, r"wanted a list of names, for example \['kernel'\]"),
        ({"methods": []}, "methods: got none"),
        ({"methods": ["kernel", "kernel"]}, "wanted at least one, each once"),
        ({"p": 1.5}, "p: got 1.5"),
        ({"n_masks": 1}, "n_masks: got 1"),
        ({"budget": 0}, "budget: got 0"),
        ({"text": "a cat"}, "text: wanted with an encoder only"),
    ],
)
def test_bad_arguments_are_refused_before_the_model_is_asked(options, message):
    game = SmoothGame()
    with pytest.raises(ValueError, match=message):
        fixlip.compare_methods(game, **options)
    assert game.calls == 0


def test_an_encoder_wants_a_pair(encoder):
    with pytest.raises(ValueError, match="image and text: wanted both"):
        fixlip.compare_methods(encoder)
    with pytest.raises(ValueError, match="game: got str"):
        fixlip.compare_methods("emoji-clip")


# ---- how it is shown


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_page_loads_nothing_from_anywhere(found):
    text = found.html()
    for tag, attributes in Tags(text).tags:
        assert tag not in ("script", "link", "iframe") and not set(attributes) & {"srcset", "onload"}
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith(("data:", "#photo"))
    assert not re.search(r"https?://|url\(|@import", re.sub(r"base64,[^\"]*", "", text))
    assert len(text) < 100_000 + 60_000 * sum(entry.order for entry in found.entries)


def test_every_method_has_a_tile_with_its_own_scale_said(found):
    text = found.html()
    maps = [attributes for tag, attributes in Tags(text).tags if tag == "svg" and attributes.get("class") == "map"]
    n_text = found.pair.subject.n_text
    second = sum(entry.order == 2 for entry in found.entries)
    assert len(maps) == len(found.entries) + second * n_text == text.count("own scale, full colour:")
    assert all("Strongest: " in one["aria-label"] for one in maps)
    largest = np.abs(found["kernel"].explanation.values[:49]).max()
    assert f"patches ±{largest:.2f}" in text
    for entry in found.entries:
        assert f"<h3>{entry.title}</h3>" in text and f"<td>{entry.title}</td>" in text


def test_the_word_of_largest_value_is_shown_first_or_the_one_named(found):
    explanation = found["kernel"].explanation
    largest = 49 + int(explanation.values[49:].argmax())
    assert found.word() == largest
    checked = [a["id"] for tag, a in Tags(found.html()).tags if tag == "input" and "checked" in a]
    assert checked == [f"word{largest}"] and 'id="word50" checked' in found.html("hammer")
    for wrong, message in (("zebra", "is no token"), ("a", "give the number instead"), (3, "wanted a token: 49 to 53")):
        with pytest.raises(ValueError, match=message):
            found.word(wrong)


def test_words_are_escaped():
    subject = replace(make().subject, labels=(*make().labels[:-1], "<b>&"), text='<script>"')
    harmful, pair = replace(make(), subject=subject), galleries.entries.Pair(subject, 0.5, 0.0, 1.0, 8)
    page = galleries.Gallery((galleries.Entry("x", "<i>", harmful),), pair).html()
    assert "<script" not in page and "<b>&" not in page and "<i>" not in page and "&lt;i&gt;" in page


def test_the_picture_has_a_tile_for_every_map(found, tmp_path):
    picture = found.picture(columns=3)
    assert picture.image.width == 2 * (3 * 300 + 2 * 12) and "FIxLIP" in picture.words
    assert found.save(tmp_path / "all.png").stat().st_size > 10_000
    bundle, _ = found._repr_mimebundle_()
    assert {"image/png", "text/plain"} <= set(bundle) and bundle["text/plain"] == found.summary() == repr(found)
    with pytest.raises(ValueError, match=r"wanted a name that ends in .html or .png"):
        found.save(tmp_path / "all.csv")


def test_the_table_is_as_wide_as_it_is_told(found):
    columns = found.table()
    assert {len(column) for column in columns.values()} == {len(found.entries)}
    assert columns["unit"][0] == "logits" and columns["order"][:2] == [2, 1]
    assert columns["r2"] == [entry.scores.get("r2") for entry in found.entries]


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [380, 700, 1100])
def test_the_page_fits_and_the_word_can_be_chosen(found, tmp_path, width):
    path = found.save(tmp_path / "all.html", "hammer")
    with chromium_page() as page:
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.is_visible(".word50") and not page.is_visible(".word53")
        page.click("label:has(#word53)")
        assert page.is_visible(".word53") and not page.is_visible(".word50")
        page.keyboard.press("ArrowLeft")
        assert page.is_visible(".word52")


# ---- the command line


def test_the_command_writes_a_page(tmp_path, capsys):
    out = tmp_path / "all.html"
    command = ["compare", "scene:7", "--methods", "kernel,occlusion", "--budget", "32", "--word", "hammer", "--quiet"]
    assert main([*command, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "FIxLIP" in printed and "occlusion" in printed and f"written: {out}" in printed
    assert 'id="word50" checked' in out.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scene:7", "--methods", "kernels"], "methods: got 'kernels'"),
        (["scene:7", "--out", "all.csv"], "wanted a name that ends in .html, .png"),
        (["scene:7", "--p", "1"], "p: got 1"),
        (["none.jpg", "a cat"], "image: there is no file"),
        (["scene:7", "--word", "zebra"], "word: 'zebra' is no token of the caption"),
    ],
)
def test_the_command_refuses_in_a_sentence(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not list(tmp_path.iterdir())


def test_an_interrupted_command_writes_what_was_done(tmp_path, capsys, methods):
    methods(stopped=KeyboardInterrupt())
    out = tmp_path / "all.png"
    assert main(["compare", "scene:7", "--methods", "occlusion,stopped", "--quiet", "--out", str(out)]) == 130
    assert "interrupted; the methods that were done are kept" in capsys.readouterr().err and out.exists()


def test_help_names_the_methods_of_the_library(capsys):
    from fixlip.commands.compare import OWN as told

    assert list(told) == OWN
    with pytest.raises(SystemExit):
        main(["compare", "--help"])
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in plans.PLANS)
