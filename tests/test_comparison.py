from dataclasses import replace

import numpy as np
import pytest
from toys import make, mosaic

from fixlip.pictures import compare, draw
from fixlip.pictures.comparison import differing


def test_both_and_their_difference_share_one_scale():
    first, second = mosaic(), mosaic(seed=1)
    picture = compare(first, second, names=("p = 0.3", "p = 0.7"), width=400)
    assert picture.image.width == 2 * (3 * 400 + 2 * 12)
    shown = (first, second, first - second)
    each = tuple(float(max(np.abs(e.values[part]).max() for e in shown)) for part in (slice(49), slice(49, 53)))
    for scaling, scale in (("auto", max(each)), ("joint", max(each)), ("separate", each)):
        picture = compare(first, second, names=("p = 0.3", "p = 0.7"), scaling=scaling, width=400)
        tile = draw(second, edges=5, scale=scale, width=400, title="p = 0.7")
        assert picture.image.crop((2 * 412, 0, 2 * 812, tile.height)).tobytes() == tile.tobytes()
    assert picture.words.count("\n") == 2 and "p = 0.3 minus p = 0.7: " in picture.words


def test_sides_are_called_by_what_they_differ_in():
    one = mosaic()
    changes = [
        ({"p": 0.3}, ("p = 0.3", "p = 0.7"), {"p": 0.7}),
        ({}, ("p = 0.5", "faithful Shapley"), {"index": "shapley"}),
        ({}, ("by hand", "exact"), {"estimator": "exact"}),
        ({}, ("4,096 masked images", "64 masked images"), {"budget": 64}),
        ({}, ("first", "second"), {}),
        ({"p": 0.3}, ("p = 0.3, by hand", "p = 0.5, exact"), {"estimator": "exact"}),
    ]
    for before, names, after in changes:
        assert differing(replace(one, **before), replace(one, **after)) == names
    assert differing(one, one.first_order()) == ("second order", "first order")
    other = replace(one, subject=replace(one.subject, model="/models/mine", text="a cat"))
    assert differing(one, other) == ("toy, \u201ccat banana tractor ball\u201d", "mine, \u201ca cat\u201d")
    image = replace(one, subject=replace(one.subject, image=one.image[::-1]))
    assert differing(one, image) == ("first image", "second image")
    words = compare(replace(one, p=0.3), replace(one, p=0.7), edges=0, width=300).words.split("\n")
    assert [line.partition(": ")[0] for line in words] == ["p = 0.3", "p = 0.7", "p = 0.3 minus p = 0.7"]


def test_words_are_level_where_lines_end_in_one_picture_only():
    tokens = tuple(f"word{k}" for k in range(8))
    one = mosaic(tokens=tokens)
    pairs = one.interactions.copy()
    pairs[:49, 49:] = pairs[49:, :49] = 0
    pairs[3, 56] = pairs[56, 3] = 2.0
    lined = replace(one, interactions=pairs)
    plain = replace(one, interactions=np.zeros_like(pairs))
    both = compare(lined, plain, names=("a", "b"), width=300).image
    assert draw(plain, width=300, title="b").height < both.height == draw(lined, edges=5, width=300, title="a").height
    rows = [np.asarray(both.convert("L"))[:, left : left + 600] for left in (0, 624)]
    last = [np.flatnonzero((row < 200).sum(axis=1) > 200)[-1] for row in rows]  # the colour scale
    assert last[0] == last[1]


def test_pairs_with_other_players_have_no_difference():
    picture = compare(mosaic(), mosaic(tokens=("cat", "ball")), condition="cat", width=400)
    assert picture.image.width == 2 * (2 * 400 + 12)
    with pytest.raises(ValueError, match="names: got"):
        compare(make(), make(), names=("same", "same"))
    with pytest.raises(ValueError, match="'zebra' is no player"):
        compare(make(), make(), condition="zebra")


def test_pictures_stand_side_by_side_whatever_their_titles():
    explanation = mosaic(image=False)
    shown = compare(explanation, explanation, names=("short", "a very long name " * 4), edges=0, width=300).image
    first, second = (np.asarray(shown.crop((left, shown.height - 700, left + 600, shown.height))) for left in (0, 624))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("options", "message"), [({"width": 10}, "width: got 10"), ({"edges": -1}, "edges: got -1")])
def test_bad_options_are_refused_in_a_sentence(options, message):
    with pytest.raises(ValueError, match=message):
        compare(make(), make(seed=1), **options)
