"""Pages that widgets save, and the widgets' scripts: as text, and in a browser without any server."""

import json
import re
from dataclasses import replace

import anywidget
import ipywidgets
import numpy as np
import pytest
from lab import chromium_page
from toys import mosaic

import fixlip
import fixlip_widgets as widgets
from fixlip.pictures.drawing import INTERVAL, NEGATIVE, NEUTRAL, POSITIVE, signed
from fixlip_widgets.page import saved_page
from fixlip_widgets.views import FOLDER

HOSTILE = '</script><script>window.harmed = "label"</script><img src=x onerror="window.harmed = 1">\u2028<!--'


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip", device="cpu")


@pytest.fixture(scope="module")
def game(encoder):
    scene = fixlip.emoji.scene(7)
    return fixlip.Game(encoder, scene.image, scene.caption)


@pytest.fixture(scope="module")
def page():
    with chromium_page() as opened:
        yield opened


def renamed(explanation, labels):
    return replace(explanation, subject=replace(explanation.subject, labels=tuple(labels), text=" ".join(labels[-4:])))


def hostile():
    explanation = mosaic()
    return renamed(explanation, [*explanation.labels[:3], HOSTILE, *explanation.labels[4:-1], HOSTILE])


def panels(encoder):
    """Every widget that shows labels, with hostile ones; the pointing game after it was run."""
    pictures = {word: fixlip.emoji.scene(1, words=[word], size=64).image for word in ("cat", "key", "bus", "tree")}
    builder = widgets.PointingGameBuilder(encoder, pictures)
    builder.state.budget = 16
    builder.run()
    builder.wait()
    yield widgets.Explorer(hostile())
    yield widgets.Compare(hostile(), hostile(), (HOSTILE, "second"))
    yield builder


# ---- as text


def test_no_label_ends_the_script_or_becomes_markup(encoder, tmp_path):
    for number, panel in enumerate(panels(encoder)):
        text = panel.to_html(tmp_path / f"{number}.html").read_text("utf-8")
        assert text.count("<script") == 1 and text.count("</script") == 1
        script = text[text.index("<script") : text.index("</script")]
        assert "<" not in re.search(r"const views = (.*);\n", script).group(1) and "\u2028" not in script
        assert "<img src=x" not in text and "<!--" not in text
    page = widgets.Explorer(hostile()).to_html(tmp_path / "again.html").read_text("utf-8")
    views = json.loads(re.search(r"const views = (.*);\n", page).group(1))
    assert views[0]["traits"]["labels"][3] == HOSTILE, "escaped, not changed"


def test_labels_of_a_game_are_text_in_every_readout(game):
    class Renamed:
        labels = (*game.labels[:-1], HOSTILE)
        subject = replace(game.subject, labels=labels)
        shows_progress = False

        def __getattr__(self, name):
            return getattr(game, name)

        def __call__(self, masks):
            return game(masks)

    played = widgets.MaskingGame(Renamed())
    last = game.n_players - 1
    for absent in ([last], [last, 0]):
        played.view.present = [k not in absent for k in range(game.n_players)]
        assert played.readout.value.count("&lt;script&gt;") == 1 and "<script" not in played.readout.value


def test_a_page_that_cannot_be_written_leaves_the_earlier_one(tmp_path, monkeypatch):
    panel, path = widgets.Explorer(mosaic()), tmp_path / "page.html"
    panel.to_html(path)
    before = path.read_bytes()

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_bytes", full)
    with pytest.raises(ValueError, match="path: cannot write .*No space left"):
        panel.to_html(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


# ---- in a browser


def opened(page, panel, folder):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(panel.to_html(folder / "page.html").as_uri())
    page.wait_for_selector(".fixlip .chip")
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
    return page


def test_a_saved_page_opens_without_a_kernel(page, game, tmp_path):
    explorer = opened(page, widgets.Explorer(fixlip.sample(game, 64, progress=False)), tmp_path)
    before = explorer.locator(".fixlip").get_attribute("data-shown")
    explorer.locator(".chip", has_text="cactus").click()
    assert explorer.locator(".fixlip").get_attribute("data-shown") != before
    masking = opened(page, widgets.MaskingGame(game), tmp_path)
    masking.locator(".patch").nth(17).click()
    assert masking.locator(".patch").nth(17).get_attribute("aria-pressed") == "true", "no kernel, nothing is masked"


def test_hostile_labels_are_shown_and_do_nothing(page, encoder, tmp_path):
    for panel in panels(encoder):
        opened(page, panel, tmp_path)
        assert page.evaluate("window.harmed") is None
    opened(page, widgets.Explorer(hostile()), tmp_path)
    assert HOSTILE.split("\u2028")[0] in page.locator(".chip").last.inner_text()
    page.locator(".patch").nth(3).hover()
    assert page.locator(".told").inner_text().startswith("</script>") and page.evaluate("window.harmed") is None


def test_regions_are_called_by_their_labels(page, tmp_path):
    explanation = mosaic()
    labels = [f"region {k}" for k in range(49)] + list(explanation.labels[49:])
    opened(page, widgets.Explorer(renamed(explanation, labels)), tmp_path)
    assert page.locator(".patch").nth(17).get_attribute("aria-label").startswith("region 17 ")
    page.locator(".chip", has_text="banana").click()
    page.locator(".patch").nth(17).hover()
    assert page.locator(".told").inner_text().startswith("banana with region 17: ")


def test_hovering_copies_no_numbers(page, tmp_path):
    opened(page, widgets.Explorer(mosaic()), tmp_path)
    page.evaluate("""() => {
      window.copied = 0;
      const whole = ArrayBuffer.prototype.slice;
      ArrayBuffer.prototype.slice = function (...ends) { window.copied += 1; return whole.apply(this, ends); };
    }""")
    for k in range(5):
        page.locator(".patch").nth(k).hover()
        page.wait_for_selector(f".fixlip[data-condition='{k}']")
    assert page.evaluate("window.copied") == 0


def test_a_module_is_run_as_it_is_written(page, tmp_path):
    class Other(anywidget.AnyWidget):
        _esm = """const other = { render: ({ el }) => el.append("drawn") };
        export { other as default };"""

    path = tmp_path / "page.html"
    path.write_text(saved_page([ipywidgets.VBox([Other(), Other()])], None))
    page.goto(path.as_uri())
    page.wait_for_function("document.body.innerText.split('drawn').length === 3")


# ---- the scripts alone


def exported(page, module, expression, argument):
    """Evaluate an expression of `exports` and `argument` with what a script exports."""
    page.goto("about:blank")
    return page.evaluate(
        """async ([source, expression, argument]) => {
          const exports = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
          return new Function("exports", "argument", `return ${expression}`)(exports, argument);
        }""",
        [(FOLDER / module).read_text("utf-8"), expression, argument],
    )


def test_python_and_javascript_write_numbers_alike(page):
    rng = np.random.default_rng(0)
    edges = [0, -0.0, 0.0004, -0.0004, 0.0949, 0.0951, -0.0951, 9.994, 9.996, 10.04, -12.41, 12.4, 1234.56, 0.5]
    values = [*edges, *(rng.normal(size=300) * 10.0 ** rng.integers(-3, 3, 300)).tolist()]
    written = exported(page, "pair.js", "argument.map(exports.signed)", values)
    assert written == [signed(value).replace("-", "−") for value in values]
    assert signed(12.4) == "+12.4" and written[edges.index(-12.41)] == "−12.4" and written[:2] == ["0", "0"]


def test_what_is_shown_follows_from_the_traits(page):
    """Two patches, one word: a certain patch has its number, an uncertain one has none; a condition shows its row."""
    state = {
        "nImage": 2, "columns": 2, "labels": ["sky", "sea", "blue"], "masking": False, "live": True, "words": "",
        "present": [True] * 3, "selected": -1, "hovered": -1, "scales": [], "scaling": "joint", "edges": 1,
        "quantity": "", "unit": "logits", "relative": False,
        "interval": INTERVAL, "colours": {"negative": NEGATIVE, "neutral": NEUTRAL, "positive": POSITIVE},
        "values": [2.0, -1.5, 0.5], "errors": [0.1, 1.0, 0.1],
        "interactions": [0, 1, -3, 1, 0, 2, -3, 2, 0], "pairErrors": [0.25] * 9, "notes": [],
    }  # fmt: skip
    typed = "...s, notes: new Map(s.notes), ...Object.fromEntries(['values', 'errors', 'interactions', 'pairErrors']"
    typed += ".map((name) => [name, Float32Array.from(s[name])]))"
    call = "argument.map((s) => exports.whatIsShown({" + typed + "}))"
    call = f"{call}.map((shown) => ({{ ...shown, values: [...shown.values] }}))"
    apart = {"scaling": "separate"}
    strong = {"scaling": "auto", "values": [2.0, -1.5, 6.5]}
    weak = {"scaling": "auto", "values": [2.0, -1.5, 5.5], "quantity": "coefficients", "hovered": 2}
    given = {"scales": [3.0, 4.0]}
    masking = {"masking": True, "notes": [[1, "+2"], [2, "+3"]], "words": "click"}
    states = [state, state | {"selected": 2, "hovered": 0}, state | {"hovered": 1}, state | apart, state | masking]
    states += [state | strong, state | weak, state | given, state | {"interactions": [0] * 9}]
    plain, kept, hovered, separate, masked, *rest = exported(page, "pair.js", call, states)
    own, one, given, without = rest
    assert plain["numbers"] == [[0, "+2.00"]] and plain["scales"] == {"patches": 2, "words": 2}
    assert plain["edges"] == [{"patch": 0, "word": 2, "value": -3}] and plain["condition"] == -1
    assert kept["values"] == [-3, 2, 0] and kept["told"] == "blue with sky: −3.00 ± 0.25 logits"
    assert kept["numbers"] == [[0, "−3.00"], [1, "+2.00"]] and kept["edges"] == []
    assert hovered["values"] == [1, 0, 2] and hovered["told"] == "sea: −1.50 ± 1.00 logits; shown is what goes with it"
    assert separate["scales"] == {"patches": 2, "words": 0.5}
    assert own["scales"] == {"patches": 2, "words": 6.5} and one["scales"] == {"patches": 3, "words": 3}
    assert one["told"] == "blue: +5.50 ± 0.10 logits (coefficients); shown is what goes with it"
    assert given["scales"] == {"patches": 3, "words": 4} and without["edges"] == []
    assert masked["numbers"] == [[1, "+2"]] and masked["told"] == "click" and masked["edges"] == []


def test_lines_pass_between_the_words_above_their_own(page):
    """Nine patches, three lines of three words; a word of the last line is reached without touching another one."""
    patches = [
        {"left": 20 + 90 * x, "right": 110 + 90 * x, "top": 90 * y, "bottom": 90 * y + 90}
        for y in range(3)
        for x in range(3)
    ]
    chips = [
        {"left": 20 + 95 * x, "right": 100 + 95 * x, "top": 300 + 70 * y, "bottom": 340 + 70 * y}
        for y in range(3) for x in range(3)
    ]  # fmt: skip
    pairs = [[0, 8], [1, 8], [4, 6], [2, 1], [5, 1]]
    lines = exported(page, "pair.js", "exports.linesOf(...argument)", [pairs, patches, chips, 300])
    lanes = set()
    for (patch, word), line in zip(pairs, lines, strict=True):
        (x0, y0), *between, (x1, y1) = line
        assert patches[patch]["left"] < x0 < patches[patch]["right"] and y0 > patches[patch]["top"] + 45
        assert chips[word]["left"] < x1 < chips[word]["right"] and y1 == chips[word]["top"]
        assert len(between) == 2 * (word // 3)
        for x, y in between:
            assert all(not chip["left"] < x < chip["right"] for chip in chips if chip["top"] <= y <= chip["bottom"])
            lanes.add((word, x, 300 if y < 350 else 370))
    assert lines[0][1:] == lines[1][1:], "through one gap to one word"
    assert abs(lines[3][-1][0] - lines[4][-1][0]) >= 5, "else beside each other"
    assert len({lane[1:] for lane in lanes}) == len(lanes), "two words share no gap if they need not"


def test_patches_say_where_they_are_and_rulers_count_them(page, tmp_path):
    opened(page, widgets.Explorer(mosaic()), tmp_path)
    assert page.locator(".patch").nth(12).locator("title").text_content() == "patch 2,6: row 2, column 6"
    rulers = page.locator(".ruler").all_text_contents()
    assert rulers == [str(k) for k in (*range(1, 8), *range(1, 8))]
    at = [mark.bounding_box() for mark in page.locator(".ruler").all()]
    patches = [page.locator(".patch").nth(k).bounding_box() for k in range(7)]
    for mark, patch in zip(at[:7], patches, strict=True):
        assert mark["y"] + mark["height"] <= patch["y"] + 1 and mark["y"] >= 0
        assert patch["x"] < mark["x"] < patch["x"] + patch["width"]
    assert all(mark["x"] + mark["width"] <= patches[0]["x"] for mark in at[7:])


def test_no_line_lies_over_a_number(page, tmp_path):
    opened(page, widgets.Explorer(mosaic()), tmp_path)
    drawn = page.locator(".edges > *").evaluate_all("all => all.map((one) => one.getAttribute('class') || one.tagName)")
    assert "number" in drawn and "line" in drawn
    last = max(k for k, kind in enumerate(drawn) if kind in ("line", "halo", "circle"))
    assert last < drawn.index("plate") < drawn.index("number")


def test_words_stay_where_they_are_when_the_pointer_comes(page, game, tmp_path):
    opened(page, widgets.Explorer(fixlip.sample(game, 64, progress=False)), tmp_path)
    page.set_viewport_size({"width": 330, "height": 900})
    chip = page.locator(".chip").last
    before = chip.bounding_box()
    page.locator(".patch").nth(3).hover()
    page.wait_for_selector(".fixlip[data-condition='3']")
    assert chip.bounding_box() == before
    page.set_viewport_size({"width": 1100, "height": 1400})


@pytest.mark.parametrize("width", [700, 400])
def test_nothing_is_cut_in_a_narrow_page(page, encoder, game, tmp_path, width):
    samples = fixlip.sample(game, 64, progress=False)
    builder = widgets.PointingGameBuilder(encoder)
    builder.state.budget = 16
    builder.state.run()
    compared = widgets.Compare(samples.explain(0.3), samples.explain(0.7), ("a rather long name", "another long one"))
    shown = [
        widgets.Explorer(samples),
        widgets.MaskingGame(game),
        widgets.InsertionDeletion(samples),
        builder,
        compared,
    ]
    page.set_viewport_size({"width": width, "height": 900})
    try:
        for panel in [*shown, widgets.PointingGameBuilder(encoder)]:
            opened(page, panel, tmp_path)
            over = page.evaluate(
                "[...document.querySelectorAll('body *')].filter((x) => "
                "x.getBoundingClientRect().right > innerWidth + 0.5 || "
                "(x instanceof HTMLElement && x.clientWidth && x.scrollWidth > x.clientWidth + 1))"
                ".map((x) => x.outerHTML.slice(0, 80))"
            )
            assert over == [], type(panel).__name__
    finally:
        page.set_viewport_size({"width": 1100, "height": 1400})
