"""Visual concepts drawn: outlines by hand, what is told, and how regions are told apart without colours."""

from dataclasses import replace

import numpy as np
import pytest
from toys import concepts_found

from fixlip.concepts import MEASURES
from fixlip.pictures.concepts import draw_concepts, draw_deletion, facts_of, outlined, words_of
from fixlip.pictures.drawing import CARD, Sheet
from fixlip.pictures.outlines import COLOURS, inset, letter_of, middle_patch, outlines_of, swatch


def region(*rows):
    return np.array([[cell == "#" for cell in row] for row in rows])


# ---- outlines


def test_a_patch_is_walked_around_clockwise():
    (loop,) = outlines_of(region("..", ".#"))
    assert loop == [(1, 1), (2, 1), (2, 2), (1, 2)]
    assert inset(loop, 0.1) == [(1.1, 1.1), (1.9, 1.1), (1.9, 1.9), (1.1, 1.9)]


@pytest.mark.parametrize(
    ("rows", "loops", "length"),
    [
        (["##", "##"], 1, 8),
        (["###", "#.#", "###"], 2, 16),
        (["#.", ".#"], 2, 8),
        ([".#", "#."], 2, 8),
        (["#.#", "..."], 2, 8),
        (["##.", ".##"], 1, 10),
        (["#"], 1, 4),
        ([".."], 0, 0),
    ],
)
def test_outlines_are_the_borders_of_the_region(rows, loops, length):
    found = outlines_of(region(*rows))
    assert len(found) == loops and sum(map(len, found)) == length
    for loop in found:
        steps = np.abs(np.diff([*loop, loop[0]], axis=0)).sum(1)
        assert (steps == 1).all(), "closed, in steps along patches"


def test_any_region_is_what_its_outlines_enclose(rng):
    for _ in range(40):
        given = rng.random((5, 6)) < 0.5
        area = 0.0
        for loop in outlines_of(given):
            (x, y), (x1, y1) = np.array(loop).T, np.roll(np.array(loop), -1, axis=0).T
            area += 0.5 * float((x * y1 - x1 * y).sum())  # a hole, walked the other way, counts below zero
        assert area == given.sum()


def test_an_inset_outline_lies_within_its_patches(rng):
    for _ in range(40):
        given = rng.random((5, 6)) < 0.5
        for loop in outlines_of(given):
            for x, y in inset(loop, 0.1):
                assert given[int(y), int(x)]


def test_the_letter_stands_on_the_region():
    ring = region("#####", "#...#", "#####")
    assert ring[middle_patch(ring)]
    assert [letter_of(k) for k in (0, 25, 26)] == ["A", "Z", "A2"]


def test_regions_are_told_apart_without_colours():
    """Their patterns differ in brightness alone, and so do any two that share a colour's place."""
    shown = []
    for number in range(len(COLOURS)):
        sheet = Sheet(24, 24)
        swatch(sheet, (2, 2, 22, 22), number)
        shown.append(np.asarray(sheet.finish().convert("L"))[8:40, 8:40] < np.mean(CARD) - 60)
    for one in range(len(shown)):
        assert shown[one].any()
        for other in range(one):
            assert (shown[one] != shown[other]).mean() > 0.02, (one, other)


# ---- the picture


def test_what_is_drawn_is_told_in_words():
    found = concepts_found()
    picture = draw_concepts(found)
    assert picture.image.width == 2 * 640 and picture.words == words_of(found)
    assert "the predicted class" in picture.words
    assert "A (2 patches): owl, frog; C (1 patch): tree, owl" in picture.words
    assert "both sides: owl, tree. image side alone: frog. language side alone: hat." in picture.words
    assert "Shared words: 2, of 3 and 3 of a bank of 6. Chance shares 1.50 on average" in picture.words
    other = words_of(replace(found, target=1))
    assert "\u201cwinter\u201d, not the predicted \u201cforest\u201d" in other


def test_each_concept_has_its_colour_on_the_picture():
    found = concepts_found()
    image = np.asarray(outlined(found, 200).image.convert("RGB")).astype(int)
    for part, there in ((0, True), (1, False), (2, True)):
        assert (np.abs(image - COLOURS[part]).sum(2) < 12).any() == there
    assert image.shape[:2] == (200, 400), "as wide as the picture is, which is no square"
    assert (np.abs(image[:, 200:] - COLOURS[0]).sum(2) > 12).all(), "the first lies in the left half"


def test_a_picture_without_concepts_says_so():
    found = replace(concepts_found(), concepts=(), visual=(), importance=(), notes=("All alike.",))
    picture = draw_concepts(found)
    assert "without visual concepts" in picture.words and "All alike." in picture.words
    assert draw_deletion(found) is None and facts_of(found) == ["All alike."]


@pytest.mark.parametrize("measure", MEASURES)
def test_the_deletion_curve_is_drawn_beside_chance(measure):
    found = concepts_found()
    picture = draw_deletion(found, measure, struck=1)
    assert f"{found.curve(measure)[0]:.2f}, {found.curve(measure)[1]:.2f}" in picture.words
    assert f"by chance {found.chance_curve(measure)[0]:.2f}" in picture.words
    assert picture.image.tobytes() != draw_deletion(found, measure, struck=2).image.tobytes()


def test_long_words_stay_within_the_card():
    found = concepts_found()
    bank = replace(found.bank, phrases=("a very long phrase " * 20, *found.bank.phrases[1:]))
    for width in (420, 900):
        image = np.asarray(draw_concepts(replace(found, bank=bank), width=width).image.convert("L"))
        assert (image[30:-30, -16:] > 200).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda found: draw_concepts(found, width=100), "width: got 100, wanted 420 or more"),
        (lambda found: draw_concepts(replace(found, shown=None)), "found: its picture was not kept"),
        (lambda found: outlined(replace(found, shown=None)), "found: its picture was not kept"),
        (lambda found: draw_deletion(found, "mi"), "measure: got 'mi'"),
        (lambda found: draw_deletion(found, struck=9), "struck: got 9, wanted 0 to 3"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call(concepts_found())


def test_drawing_loads_no_torch(run_python):
    result = run_python("import sys; import fixlip.pictures.concepts; assert 'torch' not in sys.modules")
    assert result.returncode == 0, result.stderr
