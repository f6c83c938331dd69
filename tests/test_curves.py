"""Curves of insertion and deletion: their points, one side alone, units, memory, and being interrupted."""

import dataclasses
import itertools
import tracemalloc

import numpy as np
import pytest
from toys import SmoothGame, quadratic

import fixlip
from fixlip.metrics import area_between_curves, insertion_deletion


class Summing:
    """A game whose value is how much of it is present."""

    def __init__(self, explanation):
        self.n_image, self.n_text = explanation.n_image, explanation.n_text

    def __call__(self, masks):
        return masks @ np.linspace(1.0, 2.0, masks.shape[1])


def curves_of(explanation, **options):
    return insertion_deletion(explanation, Summing(explanation), **options)


# ---- points


@pytest.mark.parametrize("order", [1, 2])
def test_up_to_a_hundred_players_go_one_by_one_and_more_in_fifty_steps(order):
    for n, points in ((100, 101), (101, 51)):
        explanation = quadratic(n)
        curves = curves_of(explanation if order == 2 else explanation.first_order())
        assert len(curves.insert) == len(curves.delete) == len(curves.removed) == points
        for masks in (curves.insert_masks, curves.delete_masks):
            np.testing.assert_allclose(curves.removed, 1 - masks.sum(axis=1) / n)
        assert curves.removed[0] == 0 and curves.removed[-1] == 1
        assert np.abs(np.diff(curves.removed) - 1 / (points - 1)).max() <= 1 / n, "equidistant to the next player"


@pytest.mark.parametrize("order", [1, 2])
def test_fewer_points_are_points_of_the_whole_curve(order):
    explanation = quadratic(30, seed=6)
    explanation = explanation if order == 2 else explanation.first_order()
    whole, some = curves_of(explanation), curves_of(explanation, points=11)
    assert len(some.insert) == 11
    for name in ("insert_masks", "delete_masks", "insert", "delete", "removed"):
        np.testing.assert_array_equal(getattr(some, name), getattr(whole, name)[::3])
    assert len(curves_of(explanation, points=1000).insert) == 31
    assert len(curves_of(explanation, points=2).insert) == 2
    assert area_between_curves(some) == pytest.approx(area_between_curves(whole), abs=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"points": 1}, "points: got 1, wanted a whole number of at least 2"),
        ({"points": 5.0}, "points: got 5.0"),
        ({"side": "left"}, "side: got 'left', wanted one of both, image, text"),
        ({"side": None}, "side: got None"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_game_is_asked(options, message):
    class Refusing(Summing):
        def __call__(self, masks):
            raise AssertionError("the game was asked")

    explanation = quadratic(12)
    with pytest.raises(ValueError, match=message):
        insertion_deletion(explanation, Refusing(explanation), **options)
    nothing_to_read = quadratic(12, n_text=0)
    with pytest.raises(ValueError, match="side: got 'text', of which there are no players"):
        insertion_deletion(nothing_to_read, Refusing(nothing_to_read), side="text")


def test_four_hundred_players_take_little_memory():
    explanation = quadratic(410)
    tracemalloc.start()
    try:
        curves_of(explanation)
        curves_of(explanation.first_order())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * 2**20


# ---- one side alone


@pytest.mark.parametrize("side", ["image", "text"])
@pytest.mark.parametrize("order", [1, 2])
def test_one_side_alone_is_ranked_with_the_other_complete(side, order):
    """Every subset of the side is tried, the other side always present."""
    explanation = quadratic(10, seed=8, n_text=4)
    explanation = explanation if order == 2 else explanation.first_order()
    curves = curves_of(explanation, side=side)
    players = np.arange(6) if side == "image" else np.arange(6, 10)
    assert curves.side == side and len(curves.insert) == len(players) + 1
    for kept, insert, delete in zip(range(len(players), -1, -1), curves.insert_masks, curves.delete_masks, strict=True):
        tried = np.ones((0, 10), bool)
        for chosen in itertools.combinations(players, kept):
            tried = np.vstack([tried, ~np.isin(np.arange(10), players) | np.isin(np.arange(10), chosen)])
        values = explanation.predict(tried)
        np.testing.assert_array_equal(insert, tried[values.argmax()])
        np.testing.assert_array_equal(delete, tried[values.argmin()])
    np.testing.assert_allclose(curves.removed, np.linspace(0, 1, len(players) + 1))


def test_a_side_with_many_players_is_searched_with_the_other_complete():
    """What was found cannot be improved by any exchange of two patches."""
    explanation = quadratic(33, seed=3, n_text=3)
    curves = curves_of(explanation, side="image")
    for mask in curves.insert_masks[1:-1]:
        assert mask[30:].all()
        for leaving, joining in itertools.product(np.flatnonzero(mask[:30]), np.flatnonzero(~mask[:30])):
            other = mask.copy()
            other[[leaving, joining]] = False, True
            assert explanation.predict(other)[0] <= explanation.predict(mask)[0] + 1e-7


def test_maps_of_the_image_alone_are_judged_whatever_they_say_of_tokens():
    explanation = quadratic(20, n_text=5).first_order()
    other = dataclasses.replace(explanation, attributions=explanation.attributions + 9 * (np.arange(20) >= 15))
    for name in ("insert_masks", "delete_masks"):
        pair = [getattr(curves_of(one, side="image"), name) for one in (explanation, other)]
        np.testing.assert_array_equal(*pair)
        pair = [getattr(curves_of(one), name) for one in (explanation, other)]
        assert (pair[0] != pair[1]).any(), "with both sides they are not"


def test_one_side_is_normalised_between_its_own_ends():
    game = SmoothGame(12, 4, seed=1)
    explanation = quadratic(16, n_text=4)
    curves = insertion_deletion(explanation, game, side="image")
    caption_alone = np.arange(16) >= 12
    ends = game(np.stack([np.ones(16, bool), caption_alone]))
    np.testing.assert_allclose([curves.insert[0], curves.insert[-1]], ends)
    np.testing.assert_allclose([curves.delete[0], curves.delete[-1]], ends)
    turned = dataclasses.replace(curves, insert=-curves.insert, delete=-curves.delete)
    low, high = (curves, turned) if ends[0] <= ends[1] else (turned, curves)
    with pytest.raises(ValueError, match="is not above that with the whole image removed"):
        area_between_curves(low)
    for curve in high.normalised():
        assert curve[0] == pytest.approx(1) and curve[-1] == pytest.approx(0)


# ---- units


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("side", ["both", "image"])
def test_scores_rank_as_they_are(order, side):
    logits = quadratic(24, seed=5)
    logits = logits if order == 2 else logits.first_order()
    scores = dataclasses.replace(
        logits, attributions=logits.attributions / 8, interactions=logits.interactions / 8, unit="scores"
    )
    found, wanted = curves_of(scores, side=side), curves_of(logits, side=side)
    np.testing.assert_array_equal(found.insert_masks, wanted.insert_masks)
    np.testing.assert_array_equal(found.delete_masks, wanted.delete_masks)


# ---- being interrupted


def test_progress_can_end_it_and_the_game_keeps_what_it_encoded():
    encoder = fixlip.load("emoji-clip", device="cpu", batch_size=8)
    shown = fixlip.emoji.scene(2)
    game = fixlip.Game(encoder, shown.image, shown.caption)
    game.full_value  # noqa: B018 (encodes the ends)
    explanation = quadratic(game.n_players, n_text=game.n_text)
    told = []

    def stop(done):
        told.append(done)
        if sum(told) >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        insertion_deletion(explanation, game, progress=stop)
    assert told == [0, 0, 8, 8]
    rest = []
    curves = insertion_deletion(explanation, game, progress=rest.append)
    masks = np.concatenate([curves.insert_masks, curves.delete_masks])
    images, texts = (len(np.unique(part, axis=0)) for part in np.split(masks, [game.n_image], axis=1))
    # The two ends were known before, 16 more were encoded, and what remains is encoded now.
    assert sum(rest) == images - 18 + texts - 2


def test_a_game_that_shows_no_progress_can_be_ended_before_it_is_asked():
    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        curves_of(quadratic(12), progress=stop)
    curves_of(quadratic(12), progress=False)
