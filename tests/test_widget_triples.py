"""The Explorer in third order: two words chosen at once, without a kernel, and with one."""

import itertools
from functools import partial

import numpy as np
import pytest
from lab import chromium_page
from test_page import exported
from toys import mosaic

import fixlip
import fixlip_widgets as widgets
from fixlip.estimators.thirds import refine
from fixlip.triples import unpacked


@pytest.fixture(scope="module")
def page():
    with chromium_page() as opened:
        yield opened


@pytest.fixture(scope="module")
def samples():
    scene = fixlip.emoji.scene(7)
    return fixlip.sample(
        fixlip.Game(fixlip.load("emoji-clip", device="cpu"), scene.image, scene.caption), 64, progress=False
    )


@pytest.fixture
def third():
    triples = unpacked(np.random.default_rng(0).normal(size=53 * 52 * 51 // 6), 53)
    return refine(mosaic(), triples)


def test_the_page_gets_the_triples_of_two_words_and_no_others(third):
    view = widgets.Explorer(third).view
    sent = np.frombuffer(view.triples, np.float32).reshape(6, 53)
    for row, pair in zip(sent, itertools.combinations((49, 50, 51, 52), 2), strict=True):
        np.testing.assert_allclose(row, third.condition(pair), rtol=1e-5)
    np.testing.assert_allclose(np.frombuffer(view.interactions, np.float32), third.pair_values.ravel(), rtol=1e-5)
    assert view.triple_errors == b"" and "{}" in view.of_triples
    assert widgets.Compare(third, third, ("a", "b")).views[0].triples == b""


def test_two_words_are_chosen_and_picture_and_table_follow(samples):
    explorer = widgets.Explorer(samples)
    assert explorer.view.triples == b"" and "two words with a patch" not in explorer.table.value
    explorer.order.value = 3
    found, first = samples.explain(order=3), samples.subject.n_image
    np.testing.assert_allclose(np.frombuffer(explorer.view.values, np.float32), found.values, rtol=1e-5)
    assert "two words with a patch" in explorer.table.value and len(explorer.view.triples) > 0
    explorer.view.set_state({"selected": first + 1, "second": first + 4})
    assert explorer.view.chosen == (first + 1, first + 4)
    name, rows = explorer.state.table(3, *explorer.view.chosen)
    values = found.condition(explorer.view.chosen)
    strongest = int(np.abs(values).argmax())
    assert rows[0][:2] == (found.labels[strongest], pytest.approx(values[strongest])) and name in explorer.table.value
    assert name == f"strongest with {found.labels[first + 1]} and {found.labels[first + 4]}"
    assert explorer.picture().words.startswith("Triples with ")
    explorer.order.value = 2
    assert explorer.view.chosen == (first + 1,) and explorer.picture().words.startswith("Interactions of ")
    explorer.view.selected = 3
    assert explorer.view.second == -1, "a patch is kept alone"


def test_third_order_is_offered_where_it_can_be_had(samples, third):
    assert [order for _, order in widgets.Explorer(samples).order.options] == [2, 1, 3]
    assert widgets.Explorer(third).order.value == 3
    assert 3 not in dict(widgets.Explorer(third.second_order()).order.options).values()


def test_a_second_click_keeps_both_and_a_third_lets_go(page):
    """Three patches and three words, players 3 to 5."""
    clicks = [(-1, -1, 4), (4, -1, 5), (4, 5, 4), (4, 5, 5), (4, 5, 3), (4, 5, 0), (0, -1, 4), (4, -1, 4)]
    call = "argument[0].map((c) => exports.kept(...c, 3, argument[1]))"
    with_triples, without = (exported(page, "pair.js", call, [clicks, have]) for have in (True, False))
    assert with_triples == [[4, -1], [4, 5], [5, -1], [4, -1], [4, 3], [0, -1], [4, -1], [-1, -1]]
    assert without == [[4, -1], [5, -1], [-1, -1], [5, -1], [3, -1], [0, -1], [4, -1], [-1, -1]]


def test_a_saved_page_conditions_on_two_words_by_keyboard(page, third, tmp_path):
    page.goto(widgets.Explorer(third).to_html(tmp_path / "third.html").as_uri())
    chips, told = page.locator(".chip"), partial(page.inner_text, ".told")
    chips.nth(3).focus()
    page.keyboard.press("Enter")
    assert "click another word for both" in told()
    chips.nth(1).focus()
    page.keyboard.press("Space")
    assert told() == "what makes ball and banana go together; click one again to let go of it"
    assert [chips.nth(k).get_attribute("aria-pressed") for k in range(4)] == ["false", "true", "false", "true"]
    values = third.condition(("ball", "banana"))
    shown = [float(one) for one in page.get_attribute(".fixlip", "data-shown").split()]
    np.testing.assert_allclose(shown, values[:3], atol=1e-3)
    page.locator(".patch").nth(17).hover()
    assert told() == f"ball and banana with patch 3,4: {values[17]:+.2f} logits".replace("-", "−")
    assert "grows when a part joins" in page.inner_text(".legend")
    chips.nth(1).focus()
    page.keyboard.press("Enter")
    assert page.locator(".chosen-chip").count() == 1
