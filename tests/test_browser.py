"""A real browser: JupyterLab, a notebook, every widget moved by hand. Wants Chromium; skips and says so without it."""

import os
from pathlib import Path

import pytest
from lab import drag, running_notebook

pytestmark = pytest.mark.browser
SHOTS = Path(os.environ.get("FIXLIP_SCREENSHOTS", "screenshots"))

CELLS = [
    "import fixlip, fixlip_widgets as widgets\n"
    "encoder = fixlip.load('emoji-clip', device='cpu')\n"
    "scene = fixlip.emoji.scene(7)\n"
    "game = fixlip.Game(encoder, scene.image, scene.caption)\n"
    "samples = fixlip.sample(game, 128, progress=False)",
    "explorer = widgets.Explorer(samples); explorer.add_class('the-explorer')\nexplorer",
    "played = widgets.MaskingGame(game); played.add_class('the-game')\nplayed",
    "curves = widgets.InsertionDeletion(samples); curves.add_class('the-curves')\ncurves",
    "boxes = dict(zip(scene.objects, scene.boxes))\n"
    "regions = widgets.MaskingGame(fixlip.Game(encoder, scene.image, scene.caption, image_players=boxes))\n"
    "regions.add_class('the-regions')\nregions",
    "fault = widgets.PlantAFault(encoder); fault.add_class('the-fault')\nfault",
    "builder = widgets.PointingGameBuilder(encoder); builder.add_class('the-builder')\nbuilder",
]


@pytest.fixture(scope="module", params=["lab", "notebook"])
def page(request, tmp_path_factory):
    """A page of JupyterLab or Notebook 7 with all cells run; nothing outside this machine may be asked for."""
    ready, home = ".the-builder .widget-button", tmp_path_factory.mktemp("home")
    with running_notebook(home, CELLS, ready, app=request.param) as (opened, asked):
        opened.asked = asked
        yield opened


@pytest.fixture(autouse=True)
def leave_a_screenshot(request, page):
    """On failure a picture of the page stays behind."""
    failed_before = request.session.testsfailed
    yield
    if request.session.testsfailed > failed_before:
        SHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SHOTS / f"{request.node.name}.png", full_page=True)


def shown(page, place):
    return page.locator(f".{place} .fixlip").first.get_attribute("data-shown")


def changed(page, place, before):
    page.wait_for_function(
        "([place, before]) => document.querySelector(`.${place} .fixlip`).dataset.shown !== before", arg=[place, before]
    )


def test_dragging_p_changes_the_picture(page):
    before = shown(page, "the-explorer")
    drag(page, page.locator(".the-explorer .widget-slider").first, 0.8)
    changed(page, "the-explorer", before)


def test_a_click_on_a_word_conditions_on_it(page):
    before = shown(page, "the-explorer")
    word = page.locator(".the-explorer .chip", has_text="cactus")
    word.click()
    page.mouse.move(0, 0)
    changed(page, "the-explorer", before)
    assert "chosen-chip" in word.get_attribute("class")
    assert page.locator(".the-explorer .number").count() > 0
    page.locator(".the-explorer .patch").nth(17).hover()
    told = page.locator(".the-explorer .told")
    assert told.inner_text().startswith("cactus with patch 3,4: ") and "±" in told.inner_text()
    page.mouse.move(0, 0)
    word.click()


def test_hovering_a_patch_conditions_without_the_kernel(page):
    patch = page.locator(".the-explorer .patch").nth(17)
    patch.hover()
    page.wait_for_function("document.querySelector('.the-explorer .fixlip').dataset.condition === '17'")
    page.mouse.move(0, 0)
    page.wait_for_function("document.querySelector('.the-explorer .fixlip').dataset.condition === '-1'")


def test_a_click_on_a_patch_takes_it_away_and_the_value_follows(page):
    said = page.locator(".the-game .widget-html").first
    before = said.inner_text()
    page.locator(".the-game .patch").nth(17).click()
    page.wait_for_function(
        "([before]) => document.querySelector('.the-game .widget-html').innerText !== before", arg=[before]
    )
    assert "adds" in said.inner_text()
    assert page.locator(".the-game .patch").nth(17).get_attribute("aria-pressed") == "false"
    page.wait_for_selector(".the-game .number")


def test_regions_are_clicked_and_reached_by_keyboard_like_patches(page):
    regions = page.locator(".the-regions .patch")
    assert regions.count() == 3 and regions.first.evaluate("one => one.tagName") == "path"
    regions.first.click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "[...document.querySelectorAll('.the-regions .patch')].map(x => x.getAttribute('aria-pressed')).join() "
        "=== 'false,false,true'"
    )
    page.locator(".the-regions .number", has_text="cactus ").wait_for()


def test_players_can_be_reached_by_keyboard(page):
    page.locator(".the-game .patch").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('.the-game .patch')[1].getAttribute('aria-pressed') === 'false'")


def test_scrubbing_moves_the_marker_and_masks_the_pair(page):
    drag(page, page.locator(".the-curves .widget-slider").nth(1), 0.5)
    page.wait_for_function("+document.querySelector('.the-curves [data-marker]').dataset.marker > 10")
    page.wait_for_function("document.querySelectorAll('.the-curves .patch[aria-pressed=false]').length > 5")


def test_another_explanation_joins_the_curves(page):
    page.locator(".the-curves select").first.select_option("a random order")
    page.wait_for_function("document.querySelectorAll('.the-curves polyline[data-curve]').length === 6")
    page.wait_for_function("document.querySelector('.the-curves .fixlip-key').innerText.includes('a random order')")


def test_a_pointing_game_is_built_and_run(page):
    page.locator(".the-builder select").first.select_option("owl")
    page.wait_for_function(
        "document.querySelector('.the-builder .patch title').textContent.startsWith('top left: owl')"
    )
    page.locator(".the-builder .widget-button").first.click()
    page.wait_for_selector(".the-builder table", timeout=60_000)
    assert page.locator(".the-builder .chip").first.inner_text().startswith("owl")
    assert "pointing game recognition" in page.locator(".the-builder").inner_text()


def test_a_badge_is_put_into_the_scene_and_the_models_answer(page):
    said = page.locator(".the-fault .fixlip-readout").first.inner_text()
    page.locator(".the-fault .fixlip-scene svg").click(position={"x": 60, "y": 60})
    page.wait_for_function(
        "([before]) => document.querySelector('.the-fault .fixlip-readout').innerText !== before", arg=[said]
    )
    assert page.locator(".the-fault .fixlip-scene .told").inner_text() == "the badge lies around patch 2,2"


@pytest.mark.parametrize("place", ["the-explorer", "the-game", "the-curves", "the-fault", "the-builder"])
def test_nothing_is_cut_off_in_a_narrow_page(page, place):
    wide = page.viewport_size
    page.set_viewport_size({"width": 700, "height": 1000})
    try:
        # JupyterLab lays out what is in view; a cell far above keeps its old widths until a reader comes back to it.
        page.locator(f".{place}").first.scroll_into_view_if_needed()
        page.wait_for_function(
            "(place) => { const e = document.querySelector(`.${place}`); "
            "const all = [e, ...e.querySelectorAll('*')]; "
            "return all.every(x => x.getBoundingClientRect().right <= innerWidth) }",
            arg=place,
        )
    finally:
        page.set_viewport_size(wide)


def test_the_cancel_button_goes_when_the_curves_are_there(page):
    page.evaluate("window.curvesBefore = document.querySelector('.the-curves polyline').getAttribute('points')")
    button = page.locator(".the-curves button", has_text="cancel")
    assert not button.is_visible()
    drag(page, page.locator(".the-curves .widget-slider").first, 0.9)
    page.wait_for_function(
        "document.querySelector('.the-curves polyline').getAttribute('points') !== window.curvesBefore"
    )
    button.wait_for(state="hidden")


def test_nothing_outside_this_machine_was_asked_for(page):
    assert page.asked == []
