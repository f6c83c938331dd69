"""Pictures for a paper: sizes in inches, vectors that are vectors, and what may be left out."""

import base64
import dataclasses
import inspect
import io
import re
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from toys import concepts_found, mosaic

from fixlip.pictures import Picture, alt_text, compare, draw, pdf, svg
from fixlip.pictures.concepts import draw_concepts, draw_deletion, outlined
from fixlip.pictures.curves import Line, draw_curves
from fixlip.pictures.drawing import Sheet

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def explanation():
    return mosaic((2, 2))


def parsed(path):
    return ElementTree.fromstring(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("size", [{"width": 3.3}, {"width": 3.3, "height": 2.5}, {"height": 4}])
def test_sizes_are_exact_in_every_format(size, explanation, tmp_path):
    pytest.importorskip("matplotlib")
    picture = explanation.draw()
    saved = {kind: picture.save(tmp_path / f"f.{kind}", **size) for kind in ("svg", "pdf")}
    picture.save(tmp_path / "f.png", **size, dpi=300)
    root = parsed(saved["svg"])
    inches = [float(root.get(side).removesuffix("in")) for side in ("width", "height")]
    for name, wanted in size.items():
        assert inches[("width", "height").index(name)] == wanted
    box = [float(one) for one in re.search(rb"/MediaBox \[([^\]]+)\]", saved["pdf"].read_bytes())[1].split()]
    np.testing.assert_allclose(box, [0, 0, *(72 * one for one in inches)], atol=1e-3)
    with Image.open(tmp_path / "f.png") as pixels:
        assert pixels.size == tuple(round(300 * one) for one in inches)
        assert pixels.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    view = [float(one) for one in root.get("viewBox").split()]
    assert view[2] / view[3] == pytest.approx(inches[0] / inches[1], rel=1e-3), "nothing is stretched"
    assert not list(tmp_path.glob(".fixlip*"))


def test_a_narrow_picture_keeps_its_text_legible_and_within_the_page(explanation, tmp_path):
    explanation.draw().save(tmp_path / "f.svg", width=3.3)
    root = parsed(tmp_path / "f.svg")
    left, top, width, height = (float(one) for one in root.get("viewBox").split())
    texts = list(root.iter(f"{SVG}text"))
    points = [float(one.get("font-size")) * 3.3 * 72 / width for one in texts]
    assert min(points) > 6.5 and max(points) < 12
    for one in texts:
        x, y, length = (float(one.get(name, 6)) for name in ("x", "y", "textLength"))
        assert left <= x and x + length <= left + width and top < y < top + height, one.text


def test_an_svg_holds_texts_shapes_and_the_image_at_its_own_resolution(explanation, tmp_path):
    explanation.draw().save(tmp_path / "f.svg")
    root = parsed(tmp_path / "f.svg")
    told = [one.text for one in root.iter(f"{SVG}text")]
    assert {"cat", "banana", "tractor", "ball", "logits"} <= set(told) and told[0].startswith("Similarity 27.32")
    (image,) = root.iter(f"{SVG}image")
    data = base64.b64decode(image.get("href").partition(",")[2])
    assert Image.open(io.BytesIO(data)).size == explanation.image.shape[1::-1]
    tints = [one for one in root.iter(f"{SVG}rect") if one.get("fill-opacity")]
    assert len(tints) == 4 and {one.get("fill") for one in tints} <= {"#b2182b", "#2166ac"}
    assert root.find(f"{SVG}desc").text == alt_text(explanation)


def test_a_pdf_embeds_fonts_and_the_image_and_draws_the_rest(explanation, tmp_path):
    pytest.importorskip("matplotlib")
    data = explanation.draw().save(tmp_path / "f.pdf", width=3.3).read_bytes()
    assert b"/FontFile2" in data and b"/Type0" in data
    images = re.findall(rb"/Subtype /Image.{0,200}?>>|<<[^>]*/Subtype /Image[^>]*>>", data, re.DOTALL)
    assert len(images) == 1
    height, width = explanation.image.shape[:2]
    assert f"/Width {width}".encode() in data and f"/Height {height}".encode() in data
    streams = [part for part in re.findall(rb"stream\r?\n(.*?)endstream", data, re.DOTALL) if part[:1] == b"x"]
    content = max((zlib.decompress(part) for part in streams), key=lambda one: one.count(b" l\n") + one.count(b" c\n"))
    assert content.count(b"BT") > 10 and content.count(b" c\n") > 20


def test_every_mark_of_a_sheet_can_be_made_on_either_page():
    def methods(kind):
        found = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(one).parameters) for name, one in found if not name.startswith("_")}

    drawn = {name: names for name, names in methods(Sheet).items() if name not in ("finish", "frame")}
    for pen in (svg._Pen, pdf._Pen):
        assert {name: names for name, names in methods(pen).items() if name != "card"} == drawn


def test_every_kind_of_mark_is_drawn_alike(tmp_path):
    """Texts with a rim and upwards, dots, borders, frames: as pixels of the vectors' own canvases they do not fail."""
    pytest.importorskip("matplotlib")

    def marked(width):
        sheet = Sheet(width, 100)
        sheet.text((20, 20), "a < b & c \u4e16", 12, halo=2)
        sheet.upward((10, 50), "upwards", 11)
        sheet.box((30, 30, 60, 60), fill=(200, 0, 0), outline=(0, 0, 0), radius=5)
        sheet.frame((70, 30, 90, 60))
        sheet.dot((100, 40), 4, (0, 0, 200))
        return sheet

    picture = Picture(marked(240).finish(), "words < & >", marked)
    root = parsed(picture.save(tmp_path / "f.svg", width=2))
    assert [one.get("transform") for one in root.iter(f"{SVG}text")] == [None, "translate(10.000 50.000) rotate(-90)"]
    assert len(list(root.iter(f"{SVG}circle"))) == 2
    assert picture.save(tmp_path / "f.pdf", width=2).read_bytes()[:5] == b"%PDF-"


def test_title_subtitle_and_legend_can_be_left_out(explanation, tmp_path):
    def texts(**options):
        explanation.draw(**options).save(tmp_path / "f.svg")
        return [one.text for one in parsed(tmp_path / "f.svg").iter(f"{SVG}text")]

    every = texts()
    assert any("with everything removed" in one for one in every) and "patches and words" in every
    bare = texts(title="", subtitle="", legend=False)
    assert not [one for one in bare if re.search("[a-z]", one) and one not in explanation.labels]
    assert texts(title="Figure", subtitle="what it shows")[:2] == ["Figure", "what it shows"]
    whole, small = draw(explanation), draw(explanation, title="", subtitle="", legend=False)
    assert whole.height - small.height == 2 * (82 - 28 + 18 + 11 + 4 + 15 - 6)
    # The patches and the words are drawn as they were.
    lower = np.asarray(whole)[2 * 82 : 2 * (82 + 420 + 60)], np.asarray(small)[2 * 28 : 2 * (28 + 420 + 60)]
    np.testing.assert_array_equal(*lower)


def test_what_cannot_be_is_told_in_one_sentence(explanation, tmp_path, monkeypatch):
    picture = explanation.draw()
    for options, message in [
        ({"width": 0}, "width: got 0, wanted inches from 0.1"),
        ({"height": "3"}, "height: got '3', wanted a number"),
        ({"width": 50, "dpi": 2000}, "dpi: got 2000, which makes 100,000"),
        ({"dpi": 5}, "dpi: got 5, wanted pixels per inch"),
    ]:
        with pytest.raises(ValueError, match=f"^{message}"):
            picture.save(tmp_path / "f.png", **options)
    with pytest.raises(ValueError, match="^dpi: .svg holds no pixels"):
        picture.save(tmp_path / "f.svg", dpi=300)
    with pytest.raises(ValueError, match="^path: cannot write"):
        picture.save(tmp_path / "no folder" / "f.png")
    with pytest.raises(ValueError, match="^path: cannot write"):
        picture.save(tmp_path / "f.nothing")
    pixels = Picture(draw_curves([Line("a", [0, 1], (0, 0, 0))], title="t", x_label="x"), "a curve")
    with pytest.raises(ValueError, match="^path: this picture is made of pixels alone"):
        pixels.save(tmp_path / "f.svg")
    for name, options in (("title", {"title": 3}), ("subtitle", {"subtitle": 3}), ("legend", {"legend": "no"})):
        with pytest.raises(ValueError, match=f"^{name}: got"):
            explanation.draw(**options)
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ValueError, match=r"^path: a PDF: needs matplotlib.*; pip install"):
        picture.save(tmp_path / "f.pdf")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["comparison", "concepts", "outlines", "curves"])
def test_other_pictures_are_vectors_too_and_the_same_ones(what, explanation, tmp_path):
    """Marks on a page of the usual size, made pixels, are the picture itself: nothing moved, nothing is missing."""
    pytest.importorskip("matplotlib")
    other = dataclasses.replace(explanation, attributions=explanation.attributions[::-1].copy())
    picture = {
        "comparison": lambda: compare(explanation, other, names=("one", "other"), width=240),
        "concepts": lambda: draw_concepts(concepts_found(), width=500),
        "outlines": lambda: outlined(concepts_found()),
        "curves": lambda: draw_deletion(concepts_found()),
    }[what]()
    for kind in ("svg", *(["pdf"] if what == "concepts" else [])):
        picture.save(tmp_path / f"f.{kind}", width=5.0)
    assert parsed(tmp_path / "f.svg").get("width") == "5in"
    picture.save(tmp_path / "f.svg")
    texts = list(parsed(tmp_path / "f.svg").iter(f"{SVG}text"))
    if what == "comparison":
        assert [one.text for one in texts].count("cat") == 3, "two explanations and their difference"
    with Image.open(picture.save(tmp_path / "f.png", dpi=216)) as drawn:
        found, wanted = (np.asarray(one.convert("RGBA")).astype(int) for one in (drawn, picture.image))
    assert found.shape == wanted.shape
    solid = wanted[..., 3] == 255
    assert abs(found[solid] - wanted[solid]).max() <= 1
