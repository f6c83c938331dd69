"""The measures against the published code's numbers."""

import dataclasses
import math

import numpy as np
import pytest
from PIL import Image
from toys import ORACLES, TableGame, mosaic, published

import fixlip
from fixlip import Explanation
from fixlip.masks import enumerate_masks
from fixlip.metrics import (
    PointingGame,
    agreement,
    area_between_curves,
    faithfulness,
    insertion_deletion,
    pointing_game,
    quadrant,
)
from fixlip.metrics import mosaic as make_mosaic
from fixlip.metrics.pointing_game import PUBLISHED_GAMES, score_maps, tokens_of
from fixlip.subject import Subject
from fixlip.subsets import subsets


@pytest.fixture(scope="module")
def game():
    """The game of the second fixed input: 49 + 6 players."""
    from transformers import CLIPModel

    inputs = np.load(ORACLES / "inputs.npz")
    model = CLIPModel.from_pretrained(ORACLES / "tiny_clip").eval()
    return fixlip.Game.from_inputs(model, inputs["pixel_values"][1], inputs["input_ids"][1][: inputs["lengths"][1]])


# ---- faithfulness


@pytest.mark.parametrize("name", ["banzhaf0.3", "banzhaf0.5", "banzhaf0.7", "shapley0.5"])
def test_scores_equal_the_published_ones(oracle, name):
    table = oracle("faithfulness")
    names = table["metrics"].tolist()
    fields = {"r2": "r2", "mse": "mse", "mae": "mae", "correlation": "pearson"}
    fields |= {"spearman_correlation": "spearman", "kendall_tau": "kendall"}
    for predicted, expected in zip(table[f"{name}_pred"], table[f"{name}_scores"], strict=True):
        found = agreement(table[f"{name}_gt"], predicted)
        for theirs, ours in fields.items():
            assert getattr(found, ours) == pytest.approx(expected[names.index(theirs)], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("name", ["banzhaf0.3", "banzhaf0.7"])
def test_the_game_gives_the_published_values(oracle, game, name):
    table = oracle("faithfulness")
    masks = np.unpackbits(table[f"{name}_masks"], axis=1)[:, :55].astype(bool)
    np.testing.assert_allclose(game(masks) - game.empty_value, table[f"{name}_gt"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("index", "p"), [("banzhaf", 0.3), ("banzhaf", 0.8), ("shapley", 0.5)])
def test_faithfulness_asks_on_masks_drawn_as_the_explanation_was_fitted(rng, index, p):
    """On many masks it comes close to what all 64, weighted as they are drawn, give."""
    from fixlip.estimators.exact import exact

    toy = TableGame(rng.normal(size=2**6), 4, 2)
    best = exact(toy, p, index)
    masks, n = enumerate_masks(6), 6
    sizes = masks.sum(axis=1)
    if index == "banzhaf":
        weights = p**sizes * (1 - p) ** (n - sizes)
    else:
        inner = (0 < sizes) & (sizes < n)
        counts = np.array([math.comb(n, k) for k in sizes])
        weights = np.where(inner, 1 / np.where(inner, sizes * (n - sizes), 1) / counts, 0.0)
    weights /= weights.sum()
    error = toy.values - best.predict(masks)
    variance = weights @ (toy.values - weights @ toy.values) ** 2
    scores = faithfulness(best, toy, n_masks=40_000)
    assert scores.mse == pytest.approx(weights @ error**2, rel=0.05)
    assert scores.r2 == pytest.approx(1 - weights @ error**2 / variance, abs=0.03)
    worse = faithfulness(dataclasses.replace(best, attributions=best.attributions + 0.3), toy)
    assert scores.r2 > worse.r2 and scores.mse < worse.mse


def test_the_weighted_share_of_variance_counts_masks_by_their_weights(rng):
    truth, predicted, weights = rng.normal(size=20), rng.normal(size=20), rng.integers(1, 5, 20)
    found = agreement(truth, predicted, weights)
    repeated = agreement(np.repeat(truth, weights), np.repeat(predicted, weights))
    assert found.weighted_r2 == pytest.approx(repeated.r2) and found.r2 != pytest.approx(repeated.r2)


def test_predictions_that_never_vary_have_no_correlation(rng):
    constant = dataclasses.replace(mosaic(), attributions=np.zeros(53), interactions=np.zeros((53, 53)))
    for explanation in (constant, dataclasses.replace(constant, unit="scores")):
        scores = faithfulness(explanation, Answering(lambda masks: masks.sum(axis=1)))
        assert np.isnan([scores.spearman, scores.pearson, scores.kendall]).all()
        assert scores.r2 < 0.01 if explanation.predicts else np.isnan(scores.r2)


def test_scores_are_ranked_and_compared_up_to_a_scale_but_predict_nothing(rng):
    logits = mosaic()
    scores = dataclasses.replace(
        logits, constant=0.0, attributions=logits.attributions / 7, interactions=logits.interactions / 7, unit="scores"
    )
    toy = Answering(lambda masks: logits.predict(masks) + np.cos(masks @ np.arange(53)))
    wanted, found = faithfulness(logits, toy), faithfulness(scores, toy)
    for name in ("spearman", "pearson", "kendall"):
        assert getattr(found, name) == pytest.approx(getattr(wanted, name)) and getattr(found, name) > 0.5
    assert np.isnan([found.r2, found.weighted_r2, found.mse, found.mae]).all()


class Answering:
    """A game of 49 + 4 players that answers as a function of the masks says."""

    n_image, n_text = 49, 4

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, masks):
        return self.answer(masks)


@pytest.mark.parametrize("p", [0.5, "shapley"])
def test_faithfulness_of_more_than_a_thousand_players(p):
    """32 x 32 patches and eight tokens: there are more coalitions of 516 of them than a float can count."""
    n = 1032
    worth = np.random.default_rng(0).normal(size=n)
    explanation = Explanation(0.0, worth, np.zeros((n, n)), Subject(1024, 8, tuple(map(str, range(n)))))
    noisy = Answering(lambda masks: masks @ worth + 0.01 * np.cos(np.arange(len(masks))))
    noisy.n_image, noisy.n_text = 1024, 8
    scores = faithfulness(explanation, noisy, p, n_masks=200)
    assert scores.r2 > 0.999 and np.isfinite(scores.weighted_r2) and scores.mse == pytest.approx(0.01**2 / 2, rel=0.1)


def refuse(masks):
    raise AssertionError("the game was asked")


def test_a_game_with_other_players_is_refused_before_it_is_asked():
    other = Answering(refuse)
    other.n_image, other.n_text = 2, 1
    for measure in (faithfulness, insertion_deletion):
        with pytest.raises(ValueError, match=r"game: got 2 \+ 1 players, wanted the 49 \+ 4"):
            measure(mosaic(), other)
    with pytest.raises(ValueError, match="p: got 'owen'"):
        faithfulness(mosaic(), Answering(refuse), "owen")


@pytest.mark.parametrize("measure", [faithfulness, insertion_deletion])
@pytest.mark.parametrize("game", [None, 3, "photo.png", len, type("Uncallable", (), {"n_image": 49, "n_text": 4})()])
def test_what_is_no_game_is_refused(measure, game):
    with pytest.raises(ValueError, match=f"game: got {type(game).__name__}, wanted a game"):
        measure(mosaic(), game)


@pytest.mark.parametrize("measure", [faithfulness, insertion_deletion])
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda masks: masks.sum(axis=1)[:, None], r"game: returned shape \(\d+, 1\) for \d+ masks, wanted \(\d+,\)"),
        (lambda masks: 1.0, r"game: returned shape \(\) for \d+ masks"),
        (lambda masks: masks.sum(axis=1)[1:], r"game: returned shape \(\d+,\) for \d+ masks"),
        (lambda masks: None, "game: "),
        (lambda masks: ["a"] * len(masks), "game: returned list that is no array of numbers"),
        (lambda masks: [[1, 2], [3]], "game: returned list that is no array of numbers"),
        (
            lambda masks: np.where(masks.sum(axis=1) > 26, np.nan, 1.0),
            r"game: \d+ of \d+ values returned are not finite",
        ),
    ],
)
def test_a_game_that_returns_nonsense_is_told_in_a_sentence(measure, answer, message):
    with pytest.raises(ValueError, match=message):
        measure(mosaic(), Answering(answer))


# ---- curves


class Greedy(Explanation):
    """The published search is greedy; ours goes on by swaps and never does worse."""

    @property
    def subsets(self):
        return subsets(self.constant, self.attributions, self.interactions, "greedy")


@pytest.mark.parametrize("name", ["p3", "p5", "p7", "shap"])
@pytest.mark.parametrize("order", [1, 2])
def test_curves_equal_the_published_ones(oracle, game, name, order):
    table, estimator = oracle("fixlip_curves"), oracle("fixlip_estimator")
    explanation = published(estimator, name)
    n = explanation.n_players
    if order == 1:
        explanation = Explanation(0.0, table[f"{name}_attr"], np.zeros((n, n)), explanation.subject, order=1)
    else:
        explanation = Greedy(0.0, explanation.attributions, explanation.interactions, explanation.subject)
    curves = insertion_deletion(explanation, game)
    scale = np.ptp(table[f"{name}_o{order}_lif"])
    np.testing.assert_allclose(curves.insert, table[f"{name}_o{order}_lif"], atol=2e-4 * scale)
    np.testing.assert_allclose(curves.delete, table[f"{name}_o{order}_mif"], atol=2e-4 * scale)
    theirs = (table[f"{name}_o{order}_{side}"].astype(float) for side in ("lif", "mif"))
    exact = dataclasses.replace(curves, **dict(zip(("insert", "delete"), theirs, strict=True)))
    insert, delete = exact.on_grid()
    np.testing.assert_allclose(insert, table[f"{name}_o{order}_grid_lif"], atol=1e-5)
    np.testing.assert_allclose(delete, table[f"{name}_o{order}_grid_mif"], atol=1e-5)
    aid, mean, raw = table[f"{name}_o{order}_scores"]
    assert area_between_curves(exact) == pytest.approx(aid, abs=1e-5)
    assert exact.mean_difference == pytest.approx(mean, abs=1e-5)
    assert np.mean(exact.insert - exact.delete) == pytest.approx(raw, rel=1e-5)


def test_ties_are_removed_together(oracle, game):
    table = oracle("fixlip_curves_extra")
    tied = table["tied_attr"].astype(float)
    explanation = Explanation(0.0, tied, np.zeros((55, 55)), Subject(49, 6, tuple(map(str, range(55)))), order=1)
    curves = insertion_deletion(explanation, game)
    for name, masks in (("mif", curves.delete_masks), ("lif", curves.insert_masks)):
        np.testing.assert_array_equal(masks, np.unpackbits(table[f"tied_masks_{name}"], axis=1)[:, :55].astype(bool))
    aid, mean, _ = table["tied_scores"]
    assert area_between_curves(curves) == pytest.approx(aid, abs=1e-3)
    assert curves.mean_difference == pytest.approx(mean, abs=1e-3)


def test_a_pair_below_nothing_has_no_normalised_curve():
    explanation = mosaic()
    curves = insertion_deletion(explanation, Answering(lambda masks: -masks.sum(axis=1)))
    assert curves.insert[0] == -53 and curves.removed[[0, -1]].tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"the whole pair's value \(-53.00\) is not above that with everything"):
        area_between_curves(curves)


# ---- pointing game


@pytest.mark.parametrize("case", ["g7_t1", "g7_t2", "g7_t3", "g7_t4", "g8_t3", "g14_t2", "g14_t4", "g16_t4"])
def test_recognition_equals_the_published_one(oracle, case):
    table = oracle("fixlip_pgr")
    side, count = int(case[1:].split("_")[0]), int(case[-1])
    n_image, n = side * side, side * side + count
    crossed = table[f"{case}_cross"]
    pairs = np.zeros((n, n))
    pairs[:n_image, n_image:] = crossed
    players = Subject(n_image, count, tuple(map(str, range(n))), (side, side))
    second = Explanation(0.0, table[f"{case}_first"], pairs + pairs.T, players)
    first = Explanation(0.0, table[f"{case}_firstorder"], np.zeros((n, n)), players, order=1)
    tokens = [[n_image + k] for k in range(count)]
    for explanation, key in ((second, "pgr2"), (first, "pgr1_of_firstorder")):
        found = pointing_game(explanation, tokens)
        expected = table[f"{case}_{key}"]
        assert [found.pgr, found.correct, found.wrong, found.sign_ratio] == pytest.approx(expected.tolist(), abs=1e-5)


def test_quadrants_are_the_published_ones(oracle):
    for side in (7, 8, 14, 16):
        expected = oracle("fixlip_pgr")[f"quadrants_{side}"]
        found = np.stack([quadrant((side, side), k) for k in range(4)])
        if expected.dtype == bool or expected.max() <= 1:
            np.testing.assert_array_equal(found, expected.reshape(4, -1).astype(bool))
        else:
            np.testing.assert_array_equal(np.stack([np.flatnonzero(q) for q in found]), expected.reshape(4, -1))
    wide = np.stack([quadrant((4, 6), k) for k in range(4)])
    assert wide.sum(axis=0).tolist() == [1] * 24


def test_a_map_without_negative_values_has_a_ceiling(rng):
    """First order, four objects: about one in four whatever the map, as the measure is published."""
    explanation = Explanation(
        0.0,
        np.append(rng.random(49), np.zeros(4)),
        np.zeros((53, 53)),
        Subject(49, 4, tuple(map(str, range(53))), (7, 7)),
        order=1,
    )
    assert pointing_game(explanation, [[49], [50], [51], [52]]).pgr == pytest.approx(0.25, abs=1e-9)


def test_a_game_of_emoji_is_won_and_labels_of_two_tokens_are_handled():
    encoder = fixlip.load("emoji-clip", device="cpu")
    labels = ("butterfly", "banana", "tractor", "ball")
    shown = fixlip.emoji.scene(3, words=list(labels), layout="grid")
    for objects in (1, 2, 4):
        pointed = PointingGame(shown.image, labels, objects)
        explanation = fixlip.explain(encoder, pointed.image, pointed.caption, budget=128, progress=False)
        score = pointed.score(explanation)
        assert score.pgr > 0.7 and score.by_cell.argmax(axis=1).tolist() == list(range(objects))
    tokens = tokens_of(labels, explanation)
    assert [len(group) for group in tokens] == [2, 1, 1, 1]


def test_labels_are_found_among_tokens_that_only_look_like_them():
    explanation = mosaic(tokens=("a", "b", "ball", "and", "a", "Butter", "fly", "net", "a"))
    assert tokens_of(("ball", "butter fly"), explanation) == [[51], [54, 55]]
    assert tokens_of(("a", "a"), explanation) == [[49], [53]], "each label after the one before it"
    with pytest.raises(ValueError, match="labels: 'ball' has no token"):
        tokens_of(("butterfly", "ball"), explanation)


def test_an_explanation_that_is_zero_points_nowhere():
    nothing = dataclasses.replace(mosaic(), attributions=np.zeros(53), interactions=np.zeros((53, 53)))
    scores = [pointing_game(one, [[49], [50, 51]]) for one in (nothing, dataclasses.replace(nothing, order=1))]
    scores.append(score_maps(np.zeros((2, 49)), (7, 7)))
    for score in scores:
        assert np.isnan(score.pgr) and score.correct == score.wrong == score.sign_ratio == 0
        assert not score.by_cell.any()


def test_a_single_row_of_patches_has_no_four_cells():
    row = Explanation(0.0, np.ones(9), np.zeros((9, 9)), Subject(7, 2, tuple("abcdefghi"), (1, 7)))
    with pytest.raises(ValueError, match="grid: got 1 x 7 patches, which have no four cells; wanted 2 x 2 or more"):
        pointing_game(row, [[7]])
    with pytest.raises(ValueError, match="grid: got 7 x 1 patches"):
        score_maps(np.ones((1, 7)), (7, 1))


def with_regions(explanation, regions):
    subject = dataclasses.replace(explanation.subject, grid=None, regions=regions, units=("region", "token"))
    return dataclasses.replace(explanation, subject=subject)


@pytest.mark.parametrize(
    ("grid", "size"), [((7, 7), (7, 7)), ((7, 7), (224, 224)), ((6, 7), (6, 7)), ((4, 5), (40, 45))]
)
def test_a_label_map_of_one_patch_each_scores_as_patches_do_bit_for_bit(rng, grid, size):
    n = grid[0] * grid[1]
    subject = Subject(n, 4, tuple(map(str, range(n + 4))), grid)
    pairs = np.triu(rng.normal(size=(n + 4, n + 4)), 1)
    for order in (1, 2):
        patches = Explanation(0.0, rng.normal(size=n + 4), (order - 1) * (pairs + pairs.T), subject, order=order)
        rows, columns = (np.arange(side) * count // side for side, count in zip(size, grid, strict=True))
        found, wanted = (
            pointing_game(one, [[n], [n + 1], [n + 2, n + 3]])
            for one in (with_regions(patches, rows[:, None] * grid[1] + columns), patches)
        )
        assert (found.pgr, found.correct, found.wrong, found.sign_ratio) == (
            wanted.pgr,
            wanted.correct,
            wanted.wrong,
            wanted.sign_ratio,
        )
        np.testing.assert_array_equal(found.by_cell, wanted.by_cell)


def test_a_region_counts_where_more_than_half_of_it_lies():
    regions = np.full((10, 10), 5)
    regions[:6, :5], regions[:5, 5:], regions[5:, 8:], regions[4:8, 3:5] = 0, 1, 2, 3
    regions[8, 0], regions[9, 0], regions[9, 7] = 4, -1, -1
    pairs = np.zeros((8, 8))
    pairs[:6, 6] = pairs[6, :6] = [2.0, -1.0, 0.5, 7.0, 9.0, 3.0]
    told = Explanation(0.0, np.zeros(8), pairs, Subject(6, 2, tuple("abcdefgh"), (2, 3)))
    score = pointing_game(with_regions(told, regions), [[6]])
    # Top left are 23 of region 0's 26 pixels; bottom left 6 of region 3's 8, all of 4, and of 5 just half, 14 of 28.
    assert score.by_cell.tolist() == [[2.0, -1.0, 7.0 + 9.0, 0.5]]
    assert (score.correct, score.wrong, score.sign_ratio) == (3.0, 16.5, 2 / 5)
    with pytest.raises(ValueError, match="no region has more than half of its pixels in the top left quarter"):
        pointing_game(with_regions(told, np.arange(6)[:, None].repeat(2, 1)), [[6]])


def test_mosaics_are_made_of_any_four_pictures():
    tiles = [Image.new("RGB", (30 + k, 50), colour) for k, colour in enumerate(("red", "lime", "blue", "white"))]
    made = make_mosaic(tiles, 16)
    assert made.size == (32, 32)
    assert [made.getpixel(at) for at in ((3, 3), (20, 3), (3, 20), (20, 20))] == [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 255),
    ]
    assert len(PUBLISHED_GAMES) == 10 and all(len(set(game)) == 4 for game in PUBLISHED_GAMES)


def test_maps_one_per_object_are_scored_like_interactions():
    maps, pairs, grid = np.random.default_rng(5).normal(size=(3, 42)), np.zeros((45, 45)), (6, 7)
    pairs[42:, :42] = maps
    explanation = Explanation(0.0, np.zeros(45), pairs + pairs.T, Subject(42, 3, tuple(map(str, range(45))), grid))
    wanted = pointing_game(explanation, [[42], [43], [44]])
    found = score_maps(maps, grid)
    for name in ("pgr", "correct", "wrong", "sign_ratio"):
        assert getattr(found, name) == pytest.approx(getattr(wanted, name))
    assert np.allclose(found.by_cell, wanted.by_cell)
    for wrong in (maps[0], maps.T, np.vstack([maps, maps])):
        with pytest.raises(ValueError, match="maps: got shape"):
            score_maps(wrong, grid)


def test_pointing_games_that_make_no_sense_are_refused():
    image = Image.new("RGB", (8, 8))
    with pytest.raises(ValueError, match="labels: got 3, wanted one for each of the 4 cells"):
        PointingGame(image, ("a", "b", "c"), 2)
    with pytest.raises(ValueError, match="objects: got 5, wanted 1 to 4"):
        PointingGame(image, ("a", "b", "c", "d"), 5)
    with pytest.raises(ValueError, match="tiles: got 1"):
        make_mosaic([image])
    explanation = mosaic()
    with pytest.raises(ValueError, match="labels: 'zebra' has no token in the caption; its tokens are cat, banana"):
        PointingGame(image, ("zebra", "b", "c", "d"), 1).score(explanation)
    with pytest.raises(ValueError, match="labels: ' ' has no token"):
        tokens_of((" ",), explanation)
    with pytest.raises(ValueError, match="got player 3, which is no token"):
        pointing_game(explanation, [[3]])
    with pytest.raises(ValueError, match="tokens: got an object without tokens"):
        pointing_game(explanation, [[49], []])
    with pytest.raises(ValueError, match="tokens: got 5 objects"):
        pointing_game(explanation, [[49]] * 5)
    shapeless = dataclasses.replace(explanation, subject=dataclasses.replace(explanation.subject, grid=None))
    with pytest.raises(ValueError, match="form no grid"):
        pointing_game(shapeless, [[49]])
