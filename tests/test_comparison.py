import numpy as np
import pytest
from toys import make, mosaic

from fixlip.pictures import compare, draw


def test_both_and_their_difference_share_one_scale():
    first, second = mosaic(), mosaic(seed=1)
    picture = compare(first, second, names=("p = 0.3", "p = 0.7"), width=400)
    assert picture.image.width == 2 * (3 * 400 + 2 * 12)
    largest = max(np.abs(e.attributions).max() for e in (first, second, first - second))
    tile = draw(second, edges=5, scale=float(largest), width=400, title="p = 0.7")
    shown = picture.image.crop((2 * 412, 0, 2 * 812, tile.height))
    assert shown.tobytes() == tile.tobytes()
    assert picture.words.count("\n") == 2 and "p = 0.3 minus p = 0.7: " in picture.words


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
