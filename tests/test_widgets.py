"""Widgets without a browser: every control through its trait, and what would be drawn."""

import base64
import io
from dataclasses import replace

import ipywidgets
import numpy as np
import pytest
import traitlets
from PIL import Image
from toys import mosaic

import fixlip
import fixlip_widgets as widgets
from fixlip.metrics import area_between_curves, insertion_deletion
from fixlip.pictures.drawing import NEGATIVE, POSITIVE, hex_of
from fixlip_widgets.masking_game import MaskingState


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip", device="cpu")


@pytest.fixture(scope="module")
def scene():
    return fixlip.emoji.scene(7)


@pytest.fixture
def game(encoder, scene):
    return fixlip.Game(encoder, scene.image, scene.caption)


@pytest.fixture
def samples(game):
    return fixlip.sample(game, 64, progress=False)


@pytest.fixture
def asked(encoder, monkeypatch):
    """Counts what goes through the model."""
    seen = {"embed_images": 0, "embed_texts": 0}
    for name in seen:
        whole = getattr(encoder, name)

        def counted(prepared, masks, name=name, whole=whole):
            seen[name] += len(masks)
            return whole(prepared, masks)

        monkeypatch.setattr(encoder, name, counted)
    return seen


def floats(view, name="values"):
    return np.frombuffer(getattr(view, name), np.float32)


# ---- explorer


def test_moving_any_slider_calls_no_model_and_shows_the_new_numbers(samples, asked):
    explorer = widgets.Explorer(samples)
    before = floats(explorer.view).copy()
    for control, value in (("p", 0.7), ("budget", 40), ("index", "shapley"), ("order", 1), ("scaling", "separate")):
        getattr(explorer, control).value = value
    state = explorer.state
    expected = samples.explain(0.7, "shapley", order=1, budget=40)
    np.testing.assert_allclose(floats(explorer.view), expected.values, rtol=1e-5)
    assert (state.p, state.budget, state.index, state.order) == (0.7, 40, "shapley", 1)
    assert explorer.view.scaling == "separate" and not np.allclose(before, floats(explorer.view))
    assert asked == {"embed_images": 0, "embed_texts": 0}
    assert explorer.p.disabled, "Shapley indices have no p"


def test_the_table_has_error_bars_and_the_faithfulness_is_in_sight(samples):
    explorer = widgets.Explorer(samples)
    explorer.p.value = 0.6
    found = samples.explain(0.6)
    told = explorer.table.value.replace("−", "-")
    for term in found.top(10):
        value, error = (f"{one:+.{2 if abs(one) >= 0.095 else 3}f}" for one in (term.value, term.stderr))
        assert f">{value}<" in told and f">± {error[1:]}<" in told, "small ones have a digit more"
    assert f"{found.expected_faithfulness:.2f}" in explorer.table.value
    np.testing.assert_allclose(floats(explorer.view, "errors"), found.value_stderr, rtol=1e-5)
    np.testing.assert_allclose(floats(explorer.view, "pair_errors"), found.stderr[1].ravel(), rtol=1e-5)


def test_the_table_follows_the_player_that_is_kept(samples):
    explorer = widgets.Explorer(samples)
    assert "strongest together" in explorer.table.value
    word = samples.subject.n_image + 1
    explorer.view.selected = word
    values = samples.explain(0.5).condition(word)
    strongest = int(np.abs(values).argmax())
    name, rows = explorer.state.table(player=word)
    assert rows[0][:2] == (samples.subject.labels[strongest], pytest.approx(values[strongest]))
    assert name == f"strongest with {samples.subject.labels[word]}" and name in explorer.table.value
    explorer.order.value = 1
    assert "strongest with" not in explorer.table.value and "together" not in explorer.table.value


def test_another_caption_encodes_no_image_again(samples, asked, encoder, scene):
    explorer = widgets.Explorer(samples)
    explorer.caption.value = "a cactus and a cake"
    explorer.wait()
    assert asked["embed_images"] == 0 and asked["embed_texts"] > 0
    assert explorer.state.explanation.text == "a cactus and a cake"
    assert explorer.view.tokens == ["a", "cactus", "and", "a", "cake"]
    alone = fixlip.sample(fixlip.Game(encoder, scene.image, "a cactus and a cake"), 64, progress=False).explain()
    np.testing.assert_allclose(floats(explorer.view), alone.values, atol=1e-3)


def test_errors_appear_in_the_widget_in_words(samples):
    explorer = widgets.Explorer(samples)
    explorer.caption.value = " ".join(["banana"] * 40)
    explorer.wait()
    assert 'role="alert"' in explorer.message.value and "tokens" in explorer.message.value
    explorer.p.value = 0.4
    assert explorer.message.value == "" and explorer.state.explanation.p == 0.4


def test_an_explanation_alone_can_be_looked_at_but_not_moved():
    explorer = widgets.Explorer(mosaic())
    assert explorer.p.disabled and explorer.budget.disabled and explorer.caption.disabled
    assert floats(explorer.view, "interactions").size == 53 * 53 and explorer.view.errors == b""
    with pytest.raises(ValueError, match="source: got str, wanted Samples or an Explanation"):
        widgets.Explorer("cat.npz")
    with pytest.raises(ValueError, match="a widget wants image patches on a grid and the image itself"):
        widgets.Explorer(mosaic(image=False))


def test_coefficients_are_shown_on_demand_and_called_so(samples):
    explorer = widgets.Explorer(samples)
    found = explorer.state.explanation
    assert explorer.view.quantity == "" and explorer.coefficients.value is False
    np.testing.assert_allclose(floats(explorer.view), found.values, rtol=1e-5)
    explorer.coefficients.value = True
    assert (
        explorer.view.quantity == "coefficients at the empty input"
        and explorer.coefficients.label in explorer.view.quantity
    )
    np.testing.assert_allclose(floats(explorer.view), found.attributions, rtol=1e-5)
    np.testing.assert_allclose(floats(explorer.view, "errors"), found.stderr[0], rtol=1e-5)
    assert explorer.picture().image.tobytes() == found.draw(coefficients=True, width=380).image.tobytes()
    explorer.p.value = 0.7
    np.testing.assert_allclose(floats(explorer.view), samples.explain(0.7).attributions, rtol=1e-5)
    explorer.coefficients.value = False
    np.testing.assert_allclose(floats(explorer.view), samples.explain(0.7).values, rtol=1e-5)


def test_players_are_called_by_their_labels_wherever_they_lie():
    explanation = mosaic()
    names = [f"region {k}" for k in range(explanation.n_image)]
    labels = (*names, *explanation.labels[explanation.n_image :])
    renamed = replace(explanation, subject=replace(explanation.subject, labels=labels))
    explorer = widgets.Explorer(renamed)
    assert explorer.view.labels == list(labels) and explorer.view.tokens == ["cat", "banana", "tractor", "ball"]


# ---- masking game


def test_the_value_follows_the_click(game):
    played = widgets.MaskingGame(game)
    present = np.ones(game.n_players, bool)
    for player in (20, game.n_players - 1):
        present[player] = False
        played.view.present = present.tolist()
        assert played.state.value == pytest.approx(game(present[None])[0])
    assert f"{played.state.value:.2f}" in played.readout.value
    effects = {player: played.state.effect(player) for player in (game.n_players - 1, 20)}
    assert {player: float(text.replace("−", "-")) for player, text in played.view.notes} == pytest.approx(
        effects, abs=0.006
    ), "what the last two add is written on them"
    assert (played.state.last, played.state.before) == (game.n_players - 1, 20)
    played.buttons["everything"].click()
    assert played.state.share == pytest.approx(1)
    played.buttons["nothing"].click()
    assert played.state.share == pytest.approx(0)
    played.buttons["random mask at p"].click()
    assert 5 < sum(played.view.present) < 49


def test_marginal_contributions_and_interactions_are_by_definition(game):
    state = MaskingState(game)
    state.random(0.5, seed=3)
    base = np.array(state.present)

    def value(**changes):
        mask = base.copy()
        for player, present in changes.items():
            mask[int(player[1:])] = present
        return game(mask[None])[0]

    assert state.effect(10) == pytest.approx(value(p10=True) - value(p10=False), abs=1e-5)
    expected = value(p10=True, p50=True) - value(p10=True, p50=False) - value(p10=False, p50=True)
    assert state.interaction(10, 50) == pytest.approx(expected + value(p10=False, p50=False), abs=1e-5)
    with pytest.raises(traitlets.TraitError, match="wanted 54 entries"):
        state.present = [True]


def test_without_a_kernel_the_masked_pair_is_shown(game):
    played = widgets.MaskingGame(game)
    before = played.picture()
    played.view.present = [k not in (20, 50) for k in range(game.n_players)]
    after = played.picture()
    assert after.image.tobytes() != before.image.tobytes() and after.image.width == 800
    label = game.labels[50]
    assert label in before.words.split() and label not in after.words.split() and "48 of 49 patches" in after.words


# ---- insertion and deletion


def test_curves_follow_p_and_the_scrubber_shows_the_subset(samples):
    shown = widgets.InsertionDeletion(samples)
    names = [curve["name"] for curve in shown.plot.curves]
    assert names == [f"{order} order, {curve}" for order in ("second", "first") for curve in ("insertion", "deletion")]
    curves = shown.plot.curves
    assert len({curve["colour"] for curve in curves}) == 2 and curves[0]["colour"] == curves[1]["colour"]
    assert [bool(curve["dash"]) for curve in curves] == [False, True, False, True]
    assert not {hex_of(POSITIVE), hex_of(NEGATIVE)} & {curve["colour"] for curve in curves}, "those raise and lower"
    assert all(f"</svg>{name}<" in shown.key.value for name in ("second order", "first order", "insertion", "deletion"))
    assert shown.key.value.count("<rect") == 2 and shown.key.value.count("<path") == 2
    before = shown.plot.curves[0]["y"]
    shown.p.value = 0.3
    shown.wait()
    assert shown.plot.curves[0]["y"] != before
    for side in ("insert", "delete"):
        shown.side.value, shown.step.value = side, 30
        assert shown.plot.at == 30 and sum(shown.view.present) == len(shown.view.present) - 30
    area = area_between_curves(insertion_deletion(samples.explain(0.3), samples.game))
    assert shown.state.found.areas()["second order"] == pytest.approx(area) and f"{area:.2f}" in shown.areas.value


def test_with_more_than_a_hundred_players_the_scrubber_goes_in_steps_of_two_percent():
    fine = fixlip.load("emoji-clip-fine", device="cpu")
    shown = fixlip.emoji.scene(3)
    game = fixlip.Game(fine, shown.image, shown.caption)
    explanation = fixlip.explain(fine, shown.image, shown.caption, budget=64, order=1, progress=False)
    panel = widgets.InsertionDeletion(explanation, game)
    assert (panel.step.max, panel.step.description, panel.play.max) == (50, "steps of 2 % removed", 50)
    assert {len(curve["y"]) for curve in panel.plot.curves} == {51}
    panel.step.value = 25
    assert panel.plot.at == 25 and sum(panel.view.present) == pytest.approx(game.n_players / 2, abs=0.5)


def test_a_second_explanation_can_be_compared(samples):
    shown = widgets.InsertionDeletion(samples.explain(0.5), samples.game, samples.explain(0.3))
    assert shown.p.disabled and "the other" in shown.state.found.areas() and len(shown.plot.curves) == 6
    assert "p = 0.3" not in shown.against.options, "an explanation alone is of one p"
    with pytest.raises(ValueError, match="game: wanted the game"):
        widgets.InsertionDeletion(samples.explain(0.5))


def test_what_to_compare_with_is_chosen_in_place(samples):
    shown = widgets.InsertionDeletion(samples)
    areas = {}
    for name in shown.against.options[1:]:
        shown.against.value = name
        shown.wait()
        assert name in shown.key.value and len(shown.plot.curves) == 6
        areas[name] = shown.state.found.areas()[name]
    assert shown.state.found.areas()["second order"] > areas["a random order"] + 0.3
    for name, expected in (("p = 0.3", samples.explain(0.3)), ("faithful Shapley", samples.explain(index="shapley"))):
        assert areas[name] == pytest.approx(area_between_curves(insertion_deletion(expected, samples.game)))
    shown.against.value = shown.against.options[0]
    shown.wait()
    assert len(shown.plot.curves) == 4


def test_curves_can_be_cancelled_and_those_before_stay(samples, monkeypatch):
    shown = widgets.InsertionDeletion(samples)
    before, computed = shown.plot.curves, []

    def and_then_cancel(explanation, game, **options):
        computed.append(explanation.p)
        shown.cancel.click()
        return insertion_deletion(explanation, game)

    monkeypatch.setattr("fixlip_widgets.insertion_deletion.insertion_deletion", and_then_cancel)
    shown.p.value = 0.8
    shown.wait()
    assert computed == [0.8], "heeded before the next explanation"
    assert "cancelled" in shown.message.value and shown.cancel.layout.display == "none"
    assert shown.plot.curves == before and "at p = 0.50" in shown.picture().words, (
        "the picture says whose curves these are"
    )
    monkeypatch.undo()
    encode, encoded = type(samples.game.encoder)._batches, []

    def cancel_after_a_batch(self, embed, masks):
        for batch in encode(self, embed, masks):
            encoded.append(len(batch))
            shown.cancel.click()
            yield batch

    monkeypatch.setattr(type(samples.game.encoder), "_batches", cancel_after_a_batch)
    shown.p.value = 0.7
    shown.wait()
    assert len(encoded) == 1 and "cancelled" in shown.message.value, "heeded in the middle of an explanation, too"
    assert shown.plot.curves == before
    monkeypatch.undo()
    shown.p.value = 0.3
    shown.wait()
    assert shown.plot.curves != before and shown.message.value == "" and "at p = 0.30" in shown.picture().words


def test_curves_that_cannot_be_drawn_say_why(samples):
    class Reversed:
        """The game with its sign changed: removing everything raises the value."""

        shows_progress = False

        def __getattr__(self, name):
            return getattr(samples.game, name)

        def __call__(self, masks):
            return -samples.game(masks)

    shown = widgets.InsertionDeletion(samples.explain(0.5), Reversed())
    assert 'role="alert"' in shown.message.value and "cannot be normalised" in shown.message.value
    assert shown.plot.curves == [] and sum(shown.view.present) == samples.game.n_players
    assert "not available" in shown._repr_mimebundle_()[0]["text/plain"]


# ---- pointing game


def test_a_game_is_built_run_and_scored(encoder):
    builder = widgets.PointingGameBuilder(encoder)
    for cell, word in zip(builder.cells, ("owl", "guitar", "pizza", "rocket"), strict=True):
        cell.value = word
    builder.objects.value = 3
    builder.run()
    builder.wait()
    assert builder.state.score.pgr > 0.7 and f"{builder.state.score.pgr:.2f}" in builder.table.value
    assert builder.view.tokens == ["owl", "guitar", "pizza"]
    builder.word.value = 50
    assert builder.view.selected == 50 and not builder.button.disabled
    builder.cells[0].value = "guitar"
    builder.run()
    assert "wanted four different ones" in builder.message.value


def test_the_mosaic_is_there_before_the_game_is_run(encoder):
    builder = widgets.PointingGameBuilder(encoder)
    (shown,) = builder.place.children
    assert shown.labels == ["top left: cat", "top right: banana", "bottom left: tractor", "bottom right: ball",
                            "cat", "banana", "tractor", "ball"]  # fmt: skip
    assert shown.notes == [[0, "cat"], [1, "banana"], [2, "tractor"], [3, "ball"]]
    image, still = shown.image, builder.picture()
    assert (
        "A pointing game to be run: top left: cat" in still.words
        and "\u201ccat banana tractor ball\u201d" in still.words
    )
    builder.cells[3].value, builder.objects.value = "owl", 2
    assert shown.image != image and shown.tokens == ["cat", "banana"] and shown.notes[3] == [3, "owl"]
    assert builder.picture().image.tobytes() != still.image.tobytes()
    builder.cells[3].value = "cat"
    assert "wanted four different ones" in builder.message.value and shown.notes[3] == [3, "owl"]
    builder.state.labels = ["pizza", "owl", "cat", "ball"]
    assert [cell.value for cell in builder.cells] == builder.state.labels and builder.message.value == ""


def test_another_set_up_brings_the_mosaic_back(encoder):
    builder = widgets.PointingGameBuilder(encoder)
    builder.state.budget = 16
    builder.state.run()
    assert builder.place.children == (builder.view,) and "pointing game recognition" in builder.table.value
    assert builder.picture().words.startswith("Pointing game recognition")
    builder.objects.value = 3
    assert builder.place.children == (builder.mosaic,) and "run it" in builder.table.value and builder.view is None
    assert builder.picture().words.startswith("A pointing game to be run")
    assert [value for _, value in builder.word.options] == [-1]


def test_a_long_game_shows_progress_and_can_be_cancelled(encoder, monkeypatch):
    builder = widgets.PointingGameBuilder(encoder)
    builder.state.budget = 4096
    said, whole = [], builder.say

    def listen(text="", kind="info"):
        said.append(text)
        whole(text, kind)
        if "128 of 4,096" in text:
            assert builder.cancel.layout.display == ""
            builder.cancel.click()

    monkeypatch.setattr(builder, "say", listen)
    builder.run()
    builder.wait()
    assert "asking the model: 64 of 4,096 …" in said and "cancelled" in builder.message.value
    assert builder.state.explanation is None and not builder.button.disabled
    assert builder.cancel.layout.display == "none"


def test_own_pictures_can_be_played_with(encoder):
    pictures = {word: fixlip.emoji.scene(1, words=[word], size=64).image for word in ("cat", "key", "bus", "tree")}
    builder = widgets.PointingGameBuilder(encoder, pictures)
    builder.run()
    builder.wait()
    assert builder.state.explanation.text == "cat key bus tree"
    with pytest.raises(ValueError, match="pictures: got 1, wanted four or more"):
        widgets.PointingGameBuilder(encoder, {"cat": pictures["cat"]})


def test_a_game_can_be_played_with_regions(encoder):
    regions = np.arange(336)[:, None] // 168 * 4 + np.arange(336) // 84
    builder = widgets.PointingGameBuilder(encoder, image_players=regions)
    builder.state.objects, builder.state.budget = 2, 16
    builder.state.run()
    score, told = builder.state.score, builder.state.explanation
    assert told.subject.units[0] == "region" and "sums over a cell's regions" in builder.table.value
    assert score.by_cell[1, 2] == pytest.approx(told.interactions[[4, 5], 9].sum())


# ---- compare


def test_two_explanations_share_one_scale_and_one_selection(samples):
    first, second = samples.explain(0.3), samples.explain(0.7)
    both = widgets.Compare(first, second, ("p = 0.3", "p = 0.7"))
    assert len(both.views) == 3
    np.testing.assert_allclose(floats(both.views[2]), first.values - second.values, atol=1e-4)
    both.views[1].selected = 50
    assert [view.selected for view in both.views] == [50, 50, 50]
    shown = [one.condition(50) for one in (first, second, first - second)]
    expected = [max(np.abs(one[part]).max() for one in shown) for part in (slice(49), slice(49, None))]
    if expected[1] <= 3 * expected[0]:
        expected = [max(expected)] * 2
    assert all(view.scales == pytest.approx(expected) for view in both.views)
    both.shared.value = False
    assert [view.scales for view in both.views] == [[], [], []]


def test_differences_are_shown_with_their_errors(samples):
    first, second = samples.explain(0.3), samples.explain(0.7)
    difference, view = first - second, widgets.Compare(first, second).views[2]
    np.testing.assert_allclose(floats(view, "errors"), difference.value_stderr, rtol=1e-5)
    np.testing.assert_allclose(floats(view, "pair_errors"), difference.pair_stderr.ravel(), rtol=1e-5, atol=1e-12)
    assert (difference.value_stderr < np.hypot(first.value_stderr, second.value_stderr)).any()


def test_sides_are_named_by_what_they_differ_in(samples):
    both = widgets.Compare(samples.explain(0.3), samples.explain(0.7))
    assert both.names == ("p = 0.3", "p = 0.7")
    titles = [part.value for part in numbers(both) if "<b>" in part.value]
    assert [title.partition("<b>")[2].partition("</b>")[0] for title in titles] == [
        *both.names,
        " minus ".join(both.names),
    ]
    assert both.picture().words.startswith("p = 0.3: ") and "\np = 0.3 minus p = 0.7: " in both.picture().words


# ---- all


def everything(encoder, samples):
    first = samples.explain(0.5)
    yield widgets.Explorer(samples)
    yield widgets.MaskingGame(samples.game)
    yield widgets.InsertionDeletion(samples)
    yield widgets.PointingGameBuilder(encoder)
    yield widgets.Compare(first, samples.explain(0.3))


def numbers(widget):
    if isinstance(widget, ipywidgets.HTML):
        yield widget
    for child in getattr(widget, "children", ()):
        yield from numbers(child)


def test_without_the_extra_one_sentence_says_what_to_install(run_python):
    for name in ("anywidget", "ipywidgets"):
        result = run_python(f"import sys; sys.modules[{name!r}] = None; import fixlip_widgets")
        last = result.stderr.strip().splitlines()[-1]
        assert last.startswith(f"ImportError: fixlip_widgets: {name} is not installed")
        assert 'pip install "fixlip-lab[notebooks]"' in last and "During handling" not in result.stderr


def test_a_picture_stays_where_no_kernel_runs(encoder, samples, tmp_path):
    for number, panel in enumerate(everything(encoder, samples)):
        bundle, metadata = panel._repr_mimebundle_()
        picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
        assert picture.size == tuple(2 * metadata["image/png"][side] for side in ("width", "height"))
        assert bundle["text/plain"].endswith("\nA picture of a widget, which needs a running kernel to change.")
        assert "application/vnd.jupyter.widget-view+json" in bundle and len(bundle["image/png"]) > 1000
        assert "0x" not in bundle["text/plain"] and len(bundle["text/plain"]) > 20
        page = panel.to_html(tmp_path / f"{number}.html").read_text()
        assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page
        assert all(part.value in page for part in numbers(panel)), "what is said in numbers is in the page too"
        assert '"live": true' not in page, "where no kernel answers, no click may pretend to change the coalition"
        assert "<img" not in page and 'id="view0"' in page, "a game to be run shows its mosaic"
        assert 'class="row"' in page, "views and numbers stand side by side, as in the widget"
        assert "needs a running kernel" in page
        with pytest.raises(ValueError, match="cannot write"):
            panel.to_html(tmp_path / "no" / "folder.html")
