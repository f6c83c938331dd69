import numpy as np
import pytest
from test_explanation import make
from toys import mosaic

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
