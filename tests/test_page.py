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
        "present": [True] * 3, "selected": -1, "hovered": -1, "scale": 0, "scaling": "joint", "edges": 1,
        "interval": INTERVAL, "colours": {"negative": NEGATIVE, "neutral": NEUTRAL, "positive": POSITIVE},
        "values": [2.0, -1.5, 0.5], "errors": [0.1, 1.0, 0.1],
        "interactions": [0, 1, -3, 1, 0, 2, -3, 2, 0], "pairErrors": [0.25] * 9, "notes": [],
    }  # fmt: skip
    typed = "...s, notes: new Map(s.notes), ...Object.fromEntries(['values', 'errors', 'interactions', 'pairErrors']"
    typed += ".map((name) => [name, Float32Array.from(s[name])]))"
    call = "argument.map((s) => exports.whatIsShown({" + typed + "}))"
    call = f"{call}.map((shown) => ({{ ...shown, values: [...shown.values] }}))"
    apart = {"scaling": "separate"}
    masking = {"masking": True, "notes": [[1, "+2"], [2, "+3"]], "words": "click"}
    states = [state, state | {"selected": 2, "hovered": 0}, state | {"hovered": 1}, state | apart, state | masking]
    plain, kept, hovered, separate, masked = exported(page, "pair.js", call, states)
    assert plain["numbers"] == [[0, "+2.00"]] and plain["scales"] == {"patches": 2, "words": 2}
    assert plain["edges"] == [{"patch": 0, "word": 2, "value": -3}] and plain["condition"] == -1
    assert kept["values"] == [-3, 2, 0] and kept["told"] == "blue with sky: −3.00 ± 0.25 logits"
    assert kept["numbers"] == [[0, "−3.00"], [1, "+2.00"]] and kept["edges"] == []
    assert hovered["values"] == [1, 0, 2] and hovered["told"] == "sea: −1.50 ± 1.00 logits; shown is what goes with it"
    assert separate["scales"] == {"patches": 2, "words": 0.5}
    assert masked["numbers"] == [[1, "+2"]] and masked["told"] == "click" and masked["edges"] == []
