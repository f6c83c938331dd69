"""Saved pages whose controls work without a kernel, against Python's own numbers, in a browser without any server."""

import json

import numpy as np
import pytest
from lab import chromium_page

import fixlip
import fixlip_widgets as widgets
from fixlip_widgets import live, model_page, readouts
from fixlip_widgets.page import _Modules

pytestmark = pytest.mark.browser
OTHER = "a dog and a hammer"
P = (0.05, 0.13, 0.5, 0.62, 0.95)


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip", device="cpu")


@pytest.fixture(scope="module")
def game(encoder):
    scene = fixlip.emoji.scene(7)
    return fixlip.Game(encoder, scene.image, scene.caption)


@pytest.fixture(scope="module")
def samples(game):
    return fixlip.sample(game, 64, progress=False)


@pytest.fixture(scope="module")
def page():
    with chromium_page() as opened:
        opened.asked = []
        opened.on("request", lambda request: opened.asked.append(request.url))
        yield opened


def opened(page, path):
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-fixlip=live]")
    return page


@pytest.fixture(scope="module")
def saved(samples, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "pair.html"
    return widgets.Explorer(samples).to_html(path, budgets=[64])


@pytest.fixture
def explorer(page, saved):
    return opened(page, saved)


ARRAYS = ("values", "errors", "interactions", "pair_errors", "triples", "triple_errors")


def turned(page, **values):
    """What the view shows after controls were moved: its arrays and its labels."""
    shown = page.evaluate(
        """([values, arrays]) => {
          for (const [name, value] of Object.entries(values)) fixlip.parts[name].set("value", value);
          const view = fixlip.parts.view, numbers = (name) => [...new Float32Array(view.get(name).buffer)];
          return [Object.fromEntries(arrays.map((name) => [name, numbers(name)])), view.get("labels")];
        }""",
        [values, ARRAYS],
    )
    return {name: np.array(array) for name, array in shown[0].items()}, shown[1]


def expected(explanation, coefficients=False):
    """The arrays that Python would have sent to the view."""
    view = widgets.explorer.PairView.of_subject(explanation.subject)
    view.show(explanation, coefficients, triples=True)
    return {name: np.frombuffer(getattr(view, name), np.float32) for name in ARRAYS}


def check(shown, wanted):
    for name, array in wanted.items():
        if name == "pair_errors" and not len(wanted["interactions"]):
            continue  # of no pair that is shown
        # Bars are drawn straight between nodes of p, and follow less closely than what they stand around.
        near = {"rtol": 0.1, "atol": 0.01} if "errors" in name else {"rtol": 0, "atol": 1e-3}
        np.testing.assert_allclose(shown[name], array, **near, err_msg=name)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_an_explanation_at_any_p_is_that_of_python(explorer, samples, order):
    for p in P:
        found = samples.explain(p, order=order)
        for coefficients in (False, True):
            shown, labels = turned(explorer, p=p, order=order, index="banzhaf", coefficients=coefficients)
            check(shown, expected(found, coefficients))
        assert labels == list(samples.subject.labels)
        if found.expected_faithfulness is not None:
            told = explorer.evaluate("fixlip.parts.table.get('value').match(/<b>([0-9.]+)</)?.[1]")
            assert told is None or abs(float(told) - found.expected_faithfulness) < 0.02
    turned(explorer, coefficients=False)


def test_other_captions_budgets_and_indices_are_stored(page, encoder, tmp_path):
    scene = fixlip.emoji.scene(7)
    game = fixlip.Game(encoder, scene.image, scene.caption, image_players="2x3")
    samples = fixlip.sample(game, 48, progress=False)
    other = samples.with_caption(game.with_text(OTHER), progress=False)
    opened(page, widgets.Explorer(samples).to_html(tmp_path / "p.html", captions=[OTHER], budgets=[32, 48]))
    for index in ("shapley", "sii"):
        shown, labels = turned(page, caption=OTHER, budget=32, index=index, order=3)
        found = other.explain(index=index, order=3, budget=32)
        check(shown, expected(found))
        assert labels == list(found.labels) and page.locator("#p input").is_disabled()
    page.locator("#caption select").select_option(scene.caption)
    page.locator("#index select").select_option("weighted Banzhaf at p")
    page.locator("#budget input").press("End")
    shown, labels = turned(page, p=0.3, order=2)
    check(shown, expected(samples.explain(0.3)))
    assert labels == list(samples.subject.labels) and page.locator("#p input").is_enabled()


def rows_of(page):
    return page.locator("#table tr").evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.innerText))"
    )


def test_tables_are_those_of_python(explorer, samples):
    state = widgets.explorer.ExplorerState(samples)
    word, second = (samples.subject.labels.index(one) for one in ("hammer", "cactus"))
    for order, chosen in ((1, ()), (2, ()), (2, (word,)), (3, (word, second)), (3, (5,))):
        state.p, state.order = 0.41, order
        turned(explorer, p=0.41, order=order)
        explorer.evaluate(
            "([a, b]) => { fixlip.parts.view.set('selected', a); fixlip.parts.view.set('second', b); }",
            [*chosen, -1, -1][:2],
        )
        name, rows = state.table(10, *chosen)
        head, *shown = rows_of(explorer)
        assert head[0] == name
        for (label, value, _), row in list(zip(rows, shown, strict=False))[:6]:
            assert row[0] == label and float(row[2].replace("−", "-")) == pytest.approx(value, abs=0.006)
        assert state.explanation.claims.similarity in explorer.locator("#table").inner_text()


def test_sliders_answer_keys_and_the_pointer(explorer):
    slider, before = explorer.locator("#p input"), explorer.locator(".fixlip").get_attribute("data-shown")
    assert slider.evaluate("one => one.labels[0].textContent") == "p"
    slider.focus()
    explorer.keyboard.press("ArrowRight")
    assert explorer.locator("#p output").inner_text() == "0.51"
    after = explorer.locator(".fixlip").get_attribute("data-shown")
    box = slider.bounding_box()
    explorer.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    assert float(explorer.locator("#p output").inner_text()) > 0.8
    assert len({before, after, explorer.locator(".fixlip").get_attribute("data-shown")}) == 3
    explorer.locator(".chip", has_text="cactus").click()
    assert "strongest with cactus" in explorer.locator("#table").inner_text()


def test_a_page_asks_nothing_of_others_and_stays_small(explorer, saved):
    assert all(url.startswith(("file:", "data:", "blob:")) for url in explorer.asked)
    assert saved.stat().st_size < 250_000


def test_one_explanation_keeps_what_it_has(page, samples, tmp_path):
    found = samples.explain(0.3)
    opened(page, widgets.Explorer(found).to_html(tmp_path / "one.html"))
    assert page.locator("#p, #budget, #index, #order, #caption").count() == 0
    page.locator("#coefficients select").select_option(live_name := "coefficients at the empty input")
    shown, _ = turned(page)
    check(shown, expected(found, coefficients=True))
    assert f"shown: {live_name}" in page.locator(".legend").inner_text()


def test_what_is_kept_in_one_picture_is_kept_in_all(page, samples, tmp_path):
    panel = widgets.Compare(samples.explain(0.3), samples.explain(0.7))
    opened(page, panel.to_html(tmp_path / "compared.html"))
    look = """[...document.querySelectorAll('.fixlip')].map((one) => one.dataset.condition)"""
    page.locator(".chip", has_text="hammer").nth(1).click()
    panel.state.selected = samples.subject.labels.index("hammer")
    assert page.evaluate(look) == [str(panel.state.selected)] * 3
    for shared in (True, False):
        scales = page.evaluate("[0, 1, 2].map((k) => fixlip.parts[`picture${k}`].get('scales'))")
        assert scales == [pytest.approx(list(view.scales), rel=1e-6) for view in panel.views]
        panel.state.shared = False
        if shared:
            page.locator("#shared input").uncheck()


# ---- curves


def test_curves_of_every_p_are_those_of_python(page, encoder, tmp_path):
    scene = fixlip.emoji.scene(7)
    game = fixlip.Game(encoder, scene.image, scene.caption, image_players="2x3")
    panel = widgets.InsertionDeletion(fixlip.sample(game, 40, progress=False))
    opened(page, panel.to_html(tmp_path / "curves.html", live=True))
    choices = [(0.5, "both", "a random order", "p = 0.3"), (0.05, "image", "faithful Shapley", "nothing more")]
    for p, removed, against, also in [*choices, (0.95, "text", "p = 0.7", "a random order")]:
        turn = (
            """(all) => { for (const [name, value] of Object.entries(all)) fixlip.parts[name].set("value", value) }"""
        )
        page.evaluate(turn, {"p": p, "removed": removed, "against": against, "also": also, "side": "delete", "step": 3})
        panel.state.set_trait("p", p)
        panel.state.removed, panel.state.against, panel.state.also = removed, against, also
        panel.state.side, panel.state.step = "delete", 3
        panel.wait()
        lines = page.evaluate("fixlip.parts.plot.get('curves')")
        for line, wanted in zip(lines, panel.plot.curves, strict=True):
            np.testing.assert_allclose(line.pop("y"), wanted["y"], atol=1e-4)
            assert line == {name: value for name, value in wanted.items() if name != "y"}
        assert page.evaluate("fixlip.parts.view.get('present')") == panel.view.present
        assert page.evaluate("fixlip.parts.areas.get('value')") == panel.areas.value
        assert page.evaluate("fixlip.parts.key.get('value')") == panel.key.value
        assert page.evaluate("fixlip.parts.step.get('max')") == panel.step.max
    page.locator("#play button").click()
    page.wait_for_function("fixlip.parts.step.get('value') === fixlip.parts.step.get('max')")
    assert page.locator("[data-marker]").get_attribute("data-marker") == str(panel.step.max)


# ---- the pointing game


def test_stored_mosaics_are_scored_as_in_python(page, encoder, tmp_path):
    panel, others = widgets.PointingGameBuilder(encoder), [("owl", "key", "tree", "bus")]
    panel.state.budget = 48
    path = panel.to_html(tmp_path / "pointing.html", mosaics=others)
    opened(page, path)
    assert path.stat().st_size < 500_000 and page.locator("#mosaic option").count() == 2
    for number, objects, p in ((0, 4, 0.5), (1, 2, 0.35), (1, 1, 0.95)):
        turned(page, mosaic=number, objects=objects, p=p)
        state = panel.state
        state.labels, state.objects, state.p = list(others[0] if number else state.labels), objects, p
        state.run()
        shown, labels = turned(page)
        check(shown, expected(state.explanation) | {"triples": [], "triple_errors": []})
        assert labels == list(state.explanation.labels)
        assert f"recognition <b>{state.score.pgr:.2f}</b>" in page.evaluate("fixlip.parts.table.get('value')")
        rows = [[float(cell.split()[0].replace("−", "-")) for cell in row[1:]] for row in rows_of(page)[1:]]
        np.testing.assert_allclose(rows, state.score.by_cell, atol=0.06)
    page.locator("#word select").select_option("owl")
    page.wait_for_selector(".chosen-chip")
    with pytest.raises(ValueError, match="labels"):
        panel.to_html(path, mosaics=[("owl", "owl", "tree", "bus")])


# ---- a fault planted by hand


@pytest.mark.slow
def test_faults_are_planted_where_they_were_stored(page, encoder, tmp_path, monkeypatch):
    monkeypatch.setattr("fixlip_widgets.planting.BUDGETS", (16, 24))
    panel = widgets.PlantAFault(encoder, seed=2)
    opened(page, panel.to_html(tmp_path / "plant.html", faults=["shortcut", "binding"], places=2))
    panel.wait()
    check_plant(page, panel)
    box = page.locator(".fixlip-scene svg").bounding_box()
    page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + 0.3 * box["height"])
    panel.state.badge = [84.0, 28.0]
    panel.wait()
    assert page.evaluate("fixlip.parts.scene.get('at')") == [84, 28]
    check_plant(page, panel)
    page.locator(".patch").last.click()
    panel.maps[0][1].selected = 48
    check_plant(page, panel)
    page.locator(".chip").last.click()
    panel.maps[0][1].selected = len(panel.maps[0][1].labels) - 1
    check_plant(page, panel)
    page.locator("button", has_text="take it away").click()
    assert "nothing is planted" in page.inner_text("#readout")
    page.locator("#fault select").select_option("other colours")
    panel.state.fault = "binding"
    panel.wait()
    check_plant(page, panel)
    page.locator(".object").first.click()
    panel.state.tints = [panel.state.tints[1]] * 2
    panel.wait()
    assert page.evaluate("fixlip.parts.scene.get('tints')") == panel.state.tints
    check_plant(page, panel)


def check_plant(page, panel):
    """The page's readout, maps, scales and what is kept are those of Python."""
    assert page.evaluate("fixlip.parts.readout.get('value')") == panel.readout.value
    for side, view in enumerate(panel.maps[0]):
        look = f"(name) => fixlip.parts.map0{side}.get(name)"
        kept = [page.evaluate(look, name) for name in ("selected", "second")]
        assert kept == [view.selected, view.second]
        numbers = f"[...new Float32Array(fixlip.parts.map0{side}.get('interactions').buffer)]"
        np.testing.assert_allclose(page.evaluate(numbers), np.frombuffer(view.interactions, np.float32), atol=1e-4)
        assert page.evaluate(look, "scales") == pytest.approx(list(view.scales), abs=2e-4)


# ---- the model in the page


def test_a_saved_masking_game_is_played_without_a_kernel(page, game, tmp_path):
    opened(page, widgets.MaskingGame(game).to_html(tmp_path / "game.html", model=True))
    played = widgets.MaskingGame(game)
    chips, patches = page.locator(".chip"), page.locator(".patch")
    clicks = [(patches, 23), (chips, 1), (chips, 1), (patches, 24), (chips, 4)]
    for kind, k in clicks:
        kind.nth(k).click()
        player = k + (kind is chips) * game.n_image
        played.view.present = [one != (j == player) for j, one in enumerate(played.view.present)]
        place = page.locator("#readout")
        assert place.inner_html() == page.evaluate("html => new Range().createContextualFragment(html)"
            ".firstChild.outerHTML", played.readout.value)  # fmt: skip
    notes = page.evaluate("fixlip.parts.view.get('notes')")
    assert notes == played.view.notes and len(notes) == 2
    page.locator("button", has_text="nothing").click()
    assert f"similarity <b>{game.empty_value:.2f}</b>" in place.inner_html()
    page.locator("button", has_text="random").click()
    kept = [one.get_attribute("aria-pressed") for one in patches.all()]
    assert 5 < kept.count("true") < 44
    page.locator("button", has_text="everything").click()
    assert f"similarity <b>{game.full_value:.2f}</b>" in place.inner_html()
    assert all(url.startswith(("file:", "data:", "blob:")) for url in page.asked)


@pytest.mark.parametrize(
    "name, options, players",
    [
        ("emoji-clip", {}, {}),
        ("emoji-siglip", {}, {}),
        ("emoji-clip", {"image_masking": "blur"}, {"image_players": "3x5", "text_players": "words"}),
    ],
)
def test_a_model_in_the_page_answers_as_in_python(page, name, options, players):
    scene = fixlip.emoji.scene(3, words=["butterfly", "key"])
    game = fixlip.Game(fixlip.load(name, device="cpu", **options), scene.image, scene.caption, **players)
    numbers = live.Numbers()
    facts = model_page.game_facts(game, numbers) | {"model": "it"}
    masks = np.random.default_rng(0).random((8, game.n_players)) < np.linspace(0, 1, 8)[:, None]
    given = [facts, numbers.text(), {"it": model_page.model_facts(game.encoder)}, masks.tolist()]
    found = imported(page, "masking.js", "exports.valueOf(...argument).then((value) => argument[3].map(value))", given)
    np.testing.assert_allclose(found, game(masks), rtol=0, atol=1e-4)


def test_a_model_that_no_page_could_run_is_refused(encoder, game, tmp_path):
    class Other:
        def __getattr__(self, name):
            return getattr(game, name)

        def __call__(self, masks):
            return game(masks)

        encoder = "mine"

    with pytest.raises(ValueError, match="str does not run in a page"):
        widgets.MaskingGame(Other()).to_html(tmp_path / "x.html", model=True)
    dropping = fixlip.load("emoji-clip", device="cpu", image_masking="drop")
    with pytest.raises(ValueError, match="anything but .drop."):
        model_page.model_facts(dropping)


# ---- the scripts alone


def imported(page, script, expression, argument):
    """Evaluate an expression of `exports` and `argument` with what a script exports."""
    made = _Modules()
    number = made.of_file(script)
    page.goto("about:blank")
    return page.evaluate(
        """async ([sources, named, number, expression, argument]) => {
          const urls = [];
          for (const source of sources) {
            const linked = source.replace(/from "\\.\\/([\\w-]+\\.js)"/g, (_, file) => `from "${urls[named[file]]}"`);
            urls.push(URL.createObjectURL(new Blob([linked], { type: "text/javascript" })));
          }
          const exports = await import(urls[number]);
          return await new Function("exports", "argument", `return ${expression}`)(exports, argument);
        }""",
        [made.sources, made.named, number, expression, argument],
    )


def test_readouts_are_written_alike(page):
    rng = np.random.default_rng(0)
    rows = [[f"a<b & 'c' \"{k}\"", float(v), abs(float(e))] for k, (v, e) in enumerate(rng.normal(size=(30, 2)))]
    bare, tiny = [[name, value, None] for name, value, _ in rows], [["x", 0.0004, 2e-5], ["y", -123.456, 12.0]]
    tables = [rows, bare, tiny]
    written = imported(page, "readouts.js", "argument.map((rows) => exports.bars(rows, 'name <'))", tables)
    assert written == [readouts.bars([tuple(row) for row in table], "name <") for table in tables]
    gauges = imported(page, "readouts.js", "[-1, 0.123, 2].map((share) => exports.gauge(share, '\"so\"'))", None)
    assert gauges == [readouts.gauge(share, '"so"') for share in (-1, 0.123, 2)]


def test_numbers_are_unpacked_as_they_were_packed(page):
    rng, numbers = np.random.default_rng(0), live.Numbers()
    arrays = [rng.normal(size=(3, 4)) * 10.0**k for k in range(-4, 4)] + [
        np.zeros((2, 0)),
        np.array([-20000.0, 20000.0]),
    ]
    places = [numbers.add(array) for array in arrays]
    call = "exports.unpacked(argument[0]).then((read) => argument[1].map((place) => [...read(place)]))"
    found = imported(page, "numbers.js", call, [numbers.text(), json.loads(json.dumps(places))])
    for array, back in zip(arrays, found, strict=True):
        np.testing.assert_allclose(np.reshape(back, array.shape), array, rtol=1e-6, atol=0.6e-5)
    with pytest.raises(ValueError, match="not finite or too large"):
        numbers.add(np.array([np.nan]))
    with pytest.raises(ValueError, match="not finite or too large"):
        numbers.add(np.array([1e9]))


def test_a_series_goes_through_its_nodes_and_between_them():
    ps = live.nodes()
    terms = live.series(np.stack([ps**3, np.exp(ps)], axis=1))
    at = np.linspace(*live.RANGE, 7)
    np.testing.assert_allclose(live.summed(terms, at), np.stack([at**3, np.exp(at)], axis=1), atol=1e-12)


def test_what_cannot_be_stored_is_told(samples, tmp_path):
    with pytest.raises(ValueError, match="wanted only with samples"):
        widgets.Explorer(samples.explain()).to_html(tmp_path / "x.html", captions=["a cat"])
    with pytest.raises(ValueError, match="budget"):
        widgets.Explorer(samples).to_html(tmp_path / "x.html", budgets=[1000])
