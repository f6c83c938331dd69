"""Widgets of explanations in any unit: each scale says whose it is, and logits never share one with scores."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from lab import chromium_page
from toys import mosaic

import fixlip
import fixlip_widgets as widgets
from fixlip.metrics import area_between_curves, insertion_deletion
from fixlip.pictures.drawing import tell
from fixlip_widgets.views import FOLDER


def floats(view, name="values"):
    return np.frombuffer(getattr(view, name), np.float32)


def scored(size=1e-4, method="my map", order=1, seed=0):
    """A method's scores of the scene of `mosaic`, in a unit of its own, tiny ones."""
    given = mosaic(seed=seed)
    pairs = given.interactions * size if order == 2 else np.zeros_like(given.interactions)
    how = {"unit": "scores", "index": "scores", "order": order, "estimator": method, "expected_faithfulness": None}
    return replace(given, constant=0.0, attributions=given.attributions * size, interactions=pairs, **how)


@pytest.fixture(scope="module")
def game():
    scene = fixlip.emoji.scene(7)
    return fixlip.Game(fixlip.load("emoji-clip", device="cpu"), scene.image, scene.caption)


@pytest.fixture(scope="module")
def samples(game):
    return fixlip.sample(game, 64, progress=False)


@pytest.fixture(scope="module")
def heat_map(game):
    return fixlip.Explanation.from_heatmap(np.linspace(-1, 2, 49).reshape(7, 7) * 1e-6, game, name="a ramp")


@pytest.fixture(scope="module")
def page():
    with chromium_page() as opened:
        yield opened


# ---- two explanations


def test_logits_and_scores_share_no_scale_and_have_no_difference():
    shown = widgets.Compare(mosaic(), scored())
    assert len(shown.views) == 2 and shown.state.difference is None
    assert shown.shared.disabled and not shown.shared.value and [view.scales for view in shown.views] == [[], []]
    assert "Logits and scores of my map do not compare" in shown.words.value
    assert [view.unit for view in shown.views] == ["logits", "of the largest score"]
    assert [view.relative for view in shown.views] == [False, True]
    shown.state.shared = True
    assert [view.scales for view in shown.views] == [[], []], "no common scale, whatever is asked for"
    assert np.abs(floats(shown.views[1])).max() == pytest.approx(1)
    shown.picture()


def test_scores_of_two_methods_do_not_compare_either():
    shown = widgets.Compare(scored(), scored(method="another map"))
    assert len(shown.views) == 2 and "scores of another map do not compare" in shown.words.value


@pytest.mark.parametrize("order", [1, 2])
def test_scores_of_one_method_share_one_scale(order):
    first, second = scored(order=order), scored(2e-4, order=order, seed=1)
    shown = widgets.Compare(first, second)
    assert len(shown.views) == 3 and shown.words.value == "" and not shown.shared.disabled
    every = [first, second, first - second]
    largest = max(max(np.abs(one.values).max(), np.abs(one.interactions).max()) for one in every)
    for view, one in zip(shown.views, every, strict=True):
        np.testing.assert_allclose(floats(view), one.values / largest, rtol=1e-5)
        assert view.unit == "of the largest score"
    scale = max(np.abs(one.values).max() for one in every)
    assert shown.views[0].scales == pytest.approx([scale / largest] * 2) == shown.views[2].scales


def test_a_map_minus_itself_is_zero_beside_the_map():
    shown = widgets.Compare(scored(), scored())
    assert not floats(shown.views[2]).any() and np.abs(floats(shown.views[0])).max() == pytest.approx(1)


def test_first_order_keeps_its_values_while_second_order_is_conditioned():
    shown = widgets.Compare(mosaic(), mosaic().first_order())
    assert len(floats(shown.views[1], "interactions")) == 0
    shown.state.selected = 49
    expected = max(np.abs(mosaic().condition(49)).max(), np.abs(mosaic().values).max())
    assert shown.views[0].scales == pytest.approx([expected] * 2) == shown.views[1].scales


# ---- one explanation


def test_the_explorer_shows_the_method_where_there_is_no_index(heat_map):
    explorer = widgets.Explorer(heat_map)
    assert explorer.index.description == "method" and explorer.index.options == (("a ramp", "scores"),)
    assert [name for name, _ in explorer.coefficients.options] == ["scores"]
    told = explorer.table.value
    assert "relative to the largest" in told and "logits" not in told and "expected faithfulness" not in told
    assert "scores of a ramp" in told and "standard error" not in told and ">+1.00<" in told
    shown = [box for line in explorer.contents for box in line.children]
    assert explorer.p not in shown and explorer.budget not in shown, "there is no p to move"
    explorer.picture()


def test_an_explorer_of_logits_is_as_it_was(samples):
    explorer = widgets.Explorer(samples)
    assert explorer.index.description == "index" and len(explorer.index.options) == 3
    assert "logits" in explorer.table.value and explorer.view.unit == "logits" and not explorer.view.relative


def test_small_scores_keep_two_digits_in_python_and_javascript(page):
    source = (FOLDER / "pair.js").read_text("utf-8")
    values = [0.0, 1.0, -0.5, 0.0951, 0.0949, -0.0123, 0.00456, -7.8e-5, 0.03]
    page.goto("about:blank")
    written = page.evaluate(
        """async ([source, values]) => {
          const made = new Blob([source], { type: "text/javascript" });
          const { tell } = await import(URL.createObjectURL(made));
          return [values.map((value) => tell(value, true)), values.map((value) => tell(value, false))];
        }""",
        [source, values],
    )
    assert [float(one.replace("−", "-")) for one in written[0]] == [float(tell(one, None, 1.0)) for one in values]
    assert written[1][-3:] == ["+0.005", "0", "+0.030"], "logits are told as ever"


def test_a_page_of_scores_says_so_and_never_logits(page, heat_map, tmp_path):
    path = widgets.Explorer(heat_map).to_html(tmp_path / "scores.html")
    traits = json.loads(re.search(r"const views = (.*);\n", path.read_text("utf-8")).group(1))[0]["traits"]
    assert traits["unit"] == "of the largest score" and traits["relative"] is True
    page.goto(path.as_uri())
    page.wait_for_selector(".fixlip .legend .bar")
    assert "of the largest score" in page.inner_text(".legend") and "logits" not in page.inner_text("body")
    page.hover('.patch[data-player="48"]')
    assert page.inner_text(".told") == "patch 7,7: +1.00 of the largest score"
    assert page.get_attribute('.patch[data-player="48"]', "aria-label") == "patch 7,7 +1.00"


# ---- curves


def test_curves_take_scores_and_several_to_compare_with(game, samples, heat_map):
    shown = widgets.InsertionDeletion(heat_map, game, [samples.explain(), samples.explain().first_order()])
    assert list(shown.state.found.curves) == ["a ramp", "kernel", "kernel (2)"]
    assert len(set(shown.state.found.colours.values())) == 3 and not shown.state.has_p
    assert shown.p not in shown.contents[0].children and "p =" not in shown.picture().words
    area = area_between_curves(insertion_deletion(samples.explain(), game))
    assert shown.state.found.areas()["kernel"] == pytest.approx(area) and f"{area:.2f}" in shown.areas.value
    shown.also.value = shown.against.value
    shown.wait()
    assert list(shown.state.found.curves) == ["a ramp", "kernel"], "one and the same is drawn once"
    with pytest.raises(ValueError, match="other: got str"):
        widgets.InsertionDeletion(heat_map, game, ["kernel"])


def test_the_image_alone_can_be_removed(game, samples):
    shown = widgets.InsertionDeletion(samples.explain(), game, {"mine": samples.explain(0.3)})
    shown.step.value = game.n_players
    shown.removed.value = "image"
    shown.wait()
    expected = insertion_deletion(samples.explain(), game, side="image")
    assert shown.state.found.areas()["second order"] == pytest.approx(area_between_curves(expected))
    assert shown.step.max == shown.play.max == game.n_image == shown.step.value
    assert shown.view.present == [False] * game.n_image + [True] * game.n_text
    assert "patches alone" in shown.areas.value and "patches alone" in shown.picture().words
    assert len(shown.plot.curves[0]["y"]) == game.n_image + 1


def test_baselines_are_chosen_in_place_and_run_once(game, samples, monkeypatch):
    shown = widgets.InsertionDeletion(samples.explain(), game)
    runs = []
    run = widgets.insertion_deletion.Runner.run

    def counted(self, plan, request):
        runs.append(plan.name)
        return run(self, plan, request)

    monkeypatch.setattr(widgets.insertion_deletion.Runner, "run", counted)
    for name in ("occlusion", "nothing more", "occlusion"):
        shown.also.value = name
        shown.wait()
    assert runs == ["occlusion"] and list(shown.state.found.curves)[-1] == "occlusion"
    area = area_between_curves(insertion_deletion(fixlip.baselines.occlusion(game), game))
    assert shown.state.found.areas()["occlusion"] == pytest.approx(area)


def test_a_method_that_fails_is_named_and_the_other_curves_stay(game, samples, monkeypatch):
    shown = widgets.InsertionDeletion(samples.explain(), game)

    def fails(self, plan, request):
        raise ValueError("it cannot.")

    monkeypatch.setattr(widgets.insertion_deletion.Runner, "run", fails)
    shown.against.value = "occlusion"
    shown.wait()
    assert "occlusion: it cannot." in shown.message.value and len(shown.plot.curves) == 4


def test_many_players_take_about_fifty_steps():
    class Additive:
        """A hundred and forty-four patches and two words; the value is a weighted sum."""

        n_image, n_text, n_players, grid = 144, 2, 146, (12, 12)

        def __init__(self):
            self.weights = np.random.default_rng(0).normal(size=146) + 0.5
            labels = tuple(map(str, range(146)))
            picture = np.zeros((24, 24, 3), np.uint8)
            self.subject = fixlip.Subject(144, 2, labels, (12, 12), picture, "two words")

        def __call__(self, masks):
            return masks @ self.weights

    game = Additive()
    explanation = fixlip.Explanation(0.0, game.weights, np.zeros((146, 146)), game.subject, order=1)
    shown = widgets.InsertionDeletion(explanation, game)
    assert shown.step.max == 50 and shown.step.description == "steps of 2 % removed"
    shown.step.value = 25
    assert sum(shown.view.present) == pytest.approx(73, abs=1)
