"""Third order against enumeration, weighted least squares, shapiq, and brute force; and all that shows or uses it."""

from dataclasses import replace
from functools import cache
from itertools import combinations, permutations

import numpy as np
import pytest
import shapiq
from toys import RandomBilinearGame, SmoothGame, TableGame, make

import fixlip
from fixlip import Explanation
from fixlip.contrasts import Contrast, ContrastGame
from fixlip.estimators.exact import exact
from fixlip.estimators.methods import Request
from fixlip.masks import enumerate_masks
from fixlip.methods import method_named
from fixlip.metrics import faithfulness, insertion_deletion
from fixlip.subsets import subsets
from fixlip.triples import MOST_PLAYERS, packed, unpacked

PS = [0.2, 0.5, 0.8]
N = 12
MASKS = enumerate_masks(N)


@cache
def by_definition(values, p):
    """E[v] and all D_S with up to three players of a game given as 2^12 values: differences, averaged over the rest."""
    table = np.array(values).reshape((2,) * N)[(...,)].transpose(range(N)[::-1])  # axis k is player k
    found = {}
    for size in range(4):
        for chosen in combinations(range(N), size):
            left = table
            for player in range(N):  # the first axis that is left is this player's
                left = left[1] - left[0] if player in chosen else p * left[1] + (1 - p) * left[0]
            found[chosen] = float(left)
    return found


def check_against_definition(explanation, values, p):
    """Averages, and coefficients of third order: the expansion around p, multiplied out."""
    effects = by_definition(tuple(values), p)
    predicted = np.zeros(len(MASKS))
    for chosen, effect in effects.items():
        predicted += effect * np.prod(MASKS[:, chosen] - p, axis=1)
    np.testing.assert_allclose(explanation.predict(MASKS), predicted, atol=1e-10)
    assert explanation.average == pytest.approx(effects[()], abs=1e-10)
    for i in range(N):
        assert explanation.values[i] == pytest.approx(effects[i,], abs=1e-10)
    for i, j in combinations(range(N), 2):
        assert explanation.pair_values[i, j] == explanation.pair_values[j, i] == pytest.approx(effects[i, j], abs=1e-10)
        inner = sum(effects[tuple(sorted((i, j, k)))] for k in range(N) if k not in (i, j))
        assert explanation.interactions[i, j] == pytest.approx(effects[i, j] - p * inner, abs=1e-10)
    for three in combinations(range(N), 3):
        for places in permutations(three):
            assert explanation.triples[places] == pytest.approx(effects[three], abs=1e-10)


@pytest.fixture(scope="module")
def game():
    return RandomBilinearGame(8, 4)


@pytest.fixture(scope="module")
def samples(game):
    """All masks of both sides."""
    return fixlip.sample(game, 256, progress=False)


@pytest.fixture(scope="module")
def sampled():
    """Masks of both sides, of which some are missing: nine patches and three words."""
    found = fixlip.sample(SmoothGame(9, 3), 60, progress=False)
    text, order = found.text_side, [0, 1, 2, 4, 5, 7]
    return replace(found, text_side=text.of(text.masks[order], text.weights[order], text.embeddings[order]))


@pytest.fixture(scope="module")
def third():
    """Of 9 players as `make` has them, with triples."""
    rng = np.random.default_rng(5)
    return make(triples=unpacked(rng.normal(size=84), 9), order=3, value_errors=np.full(9, 0.25))


# ---- the numbers


@pytest.mark.parametrize("p", PS)
def test_with_all_masks_it_is_enumeration(game, samples, p):
    for found in (exact(game, p, order=3), samples.explain(p, order=3)):
        check_against_definition(found, game(MASKS), p)


@pytest.mark.parametrize("p", PS)
def test_of_a_fit_it_is_enumeration_of_the_fit(sampled, p):
    """What both Gaussian processes predict for all 4,096 coalitions, as a game of its own."""
    readout = sampled.readout()
    assert not (readout.image.exact or readout.text.exact)
    image, text = (side.predict(enumerate_masks(n)) for side, n in ((readout.image, 9), (readout.text, 3)))
    values = (sampled.scale * text @ image.T + sampled.bias).ravel()
    check_against_definition(sampled.explain(p, order=3), values, p)


@pytest.mark.parametrize("p", PS)
def test_it_is_the_weighted_least_squares_fit(game, samples, p):
    chosen = [some for size in range(4) for some in combinations(range(N), size)]
    columns = np.stack([np.prod((MASKS[:, some] - p) / np.sqrt(p * (1 - p)), axis=1) for some in chosen], axis=1)
    roots = np.sqrt(np.prod(np.where(MASKS, p, 1 - p), axis=1))
    fit = np.linalg.lstsq(columns * roots[:, None], game(MASKS) * roots, rcond=None)[0]
    np.testing.assert_allclose(samples.explain(p, order=3).predict(MASKS), columns @ fit, atol=1e-10)


@pytest.mark.parametrize(("index", "theirs"), [("banzhaf", "FBII"), ("shapley", "FSII"), ("sii", "k-SII")])
def test_it_is_what_shapiq_computes_for_a_half_and_for_shapley_indices(index, theirs):
    game, n = RandomBilinearGame(4, 3), 7
    computer = shapiq.ExactComputer(n_players=n, game=lambda masks: game(np.asarray(masks, bool)))
    expected, samples = computer(theirs, order=3), fixlip.sample(game, 16, progress=False)
    for found in (exact(game, index=index, order=3), samples.explain(index=index, order=3)):
        values = found.to_shapiq()
        assert (values.index, values.max_order) == (theirs, 3)
        for some in (some for size in (1, 2, 3) for some in combinations(range(n), size)):
            assert values[some] == pytest.approx(expected[some], abs=1e-7)  # theirs solves a regression
        again = Explanation.from_shapiq(values, found.subject)
        assert again.order == 3 and again.constant == found.constant
        for name in ("attributions", "interactions", "triples", "values", "pair_values"):
            np.testing.assert_array_equal(getattr(again, name), getattr(found, name))


@pytest.mark.parametrize(("index", "p"), [("banzhaf", 0.2), ("banzhaf", 0.8), ("shapley", 0.5), ("sii", 0.5)])
def test_lower_orders_are_those_of_order_two_and_one(sampled, index, p):
    found, second = sampled.explain(p, index, order=3), sampled.explain(p, index)
    assert second.second_order() is second and second.triples is None and second.pair_values is second.interactions
    for ours, theirs in (
        (found.second_order(), second),
        (found.first_order(), sampled.explain(p, index, order=1)),
        (found.second_order().first_order(), second.first_order()),
    ):
        assert ours.order == theirs.order and ours.constant == pytest.approx(theirs.constant, abs=1e-12)
        for name in ("attributions", "interactions", "values", "pair_values", "value_stderr", "pair_stderr"):
            if not (ours.order == 1 and name == "pair_stderr"):
                np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-12)
    if index != "banzhaf":
        assert found.totals(np.ones(12, bool))[0] == pytest.approx(second.full_value), "nothing is lost"


def test_a_contrast_has_triples_of_the_difference(tmp_path):
    one, other = SmoothGame(6, 2, seed=1), SmoothGame(6, 3, seed=2)
    other.image_map, other.mix = one.image_map, one.mix
    caption = fixlip.sample(one, 64, progress=False)
    found = Contrast.of(caption, caption.with_caption(other, progress=False), 0.3, order=3)
    truth = exact(ContrastGame(one, other), 0.3, order=3)
    np.testing.assert_allclose(found.triples, truth.triples, atol=1e-10)
    np.testing.assert_allclose(found.interactions, truth.interactions, atol=1e-10)
    again = Contrast.load(found.save(tmp_path / "contrast.npz"))
    np.testing.assert_array_equal(again.triples, found.triples)
    np.testing.assert_array_equal(again.second.triples, found.second.triples)
    fewer = fixlip.sample(one, 40, progress=False)
    errors = Contrast.of(fewer, fewer.with_caption(other, progress=False), order=3).triple_errors
    assert (errors[:6, 6, 7] > 0).all() and (errors[0, 1, 8] > 0) and not errors[6, 8].any()


# ---- what an explanation does with them


def test_predictions_are_sums_over_what_is_present(third):
    for mask, found in zip(MASKS[:512, :9], third.predict(MASKS[:512, :9]), strict=True):
        inside = np.flatnonzero(mask)
        expected = third.constant + third.attributions[inside].sum()
        expected += sum(third.interactions[two] for two in combinations(inside, 2))
        expected += sum(third.triples[three] for three in combinations(inside, 3))
        assert found == pytest.approx(expected)
    np.testing.assert_array_equal(third.totals(MASKS[:9, :9]), third.predict(MASKS[:9, :9]))


def test_views_show_averages_and_two_players_ask_for_triples(third):
    expected = third.interactions + 0.4 * third.triples.sum(axis=2)
    np.testing.assert_allclose(third.pair_values, expected)
    np.testing.assert_allclose(third.condition("black"), expected[6])
    np.testing.assert_allclose(third.crossmodal(), expected[:6, 6:])
    for asked in (third.condition("black", 8), third.condition((6, 8)), third.condition(["black", 8])):
        np.testing.assert_array_equal(asked, third.triples[6, 8])
    for players, order, message in (
        (("black", 8), 2, "got two players, which takes an explanation of order 3; this one is of order 2"),
        ((6, 6), 3, r"got players \[6, 6\], wanted one or two different ones"),
        (("red", 8), 3, "'red' is no player"),
    ):
        with pytest.raises(ValueError, match=message):
            (third if order == 3 else third.second_order()).condition(*players)
    some = third.restrict([0, 3, 6, 8])
    inside = np.isin(np.arange(9), [0, 3, 6, 8])
    np.testing.assert_allclose(some.predict(MASKS[:512, :9]), third.predict(MASKS[:512, :9] & inside))


def test_top_table_and_summary_tell_triples(third):
    by_size = sorted(combinations(range(9), 3), key=lambda three: -abs(third.triples[three]))
    assert [(t.players, t.value) for t in third.top(99, kind="triples")] == [(o, third.triples[o]) for o in by_size]
    words = [three for three in by_size if three[0] < 6 <= three[1]]
    assert [term.players for term in third.top(4, kind="word-pairs")] == words[:4]
    assert len(third.top(200, kind="all")) == 9 + 36 + 84
    assert abs(third.top(1, kind="pairs")[0].value) == np.abs(third.pair_values).max()
    assert abs(third.top(1)[0].value) == np.abs(third.crossmodal()).max()
    table = third.table("word-pairs")
    assert table["kind"][0] == "patch with token with token" and len(table["value"]) == 18
    assert (table["first_player"][0], table["third_token"][0]) == (words[0][0], words[0][2] - 5)
    assert "third_player" not in third.second_order().table() and third.second_order().top(3, kind="triples") == []
    told, labels = third.summary().split("strongest interactions of two words with a patch:\n")[1], third.labels
    patch, one, two = (labels[k] for k in words[0])
    assert f'"{one}" and "{two}" with {patch}' in told.splitlines()[0]


def test_files_and_differences_keep_them(third, sampled, tmp_path):
    for shown in (third, sampled.explain(0.3, order=3)):
        again = Explanation.load(shown.save(tmp_path / "third.npz"))
        for name in ("triples", "triple_errors", "pair_errors", "value_errors", "interactions"):
            np.testing.assert_array_equal(getattr(again, name), getattr(shown, name))
        assert again.order == 3
    np.testing.assert_array_equal(unpacked(packed(third.triples), 9), third.triples)
    other = make(seed=3)
    for difference, sign in ((third - other, 1), (other - third, -1)):
        assert difference.order == 3
        np.testing.assert_array_equal(difference.triples, sign * third.triples)
        np.testing.assert_allclose(difference.pair_values, sign * (third.pair_values - other.interactions))
        expected = sign * (third.predict(MASKS[:99, :9]) - other.predict(MASKS[:99, :9]))
        np.testing.assert_allclose(difference.predict(MASKS[:99, :9]), expected, atol=1e-12)
        assert difference.second_order().order == 2 and difference.condition(6, 8).any()
    assert not (third - third).triples.any()


def test_pictures_show_the_same_as_without_triples(third):
    """All but the caption that says how it came about: what they show are averages, which stay."""
    second = third.second_order()
    assert fixlip.pictures.draw(third, condition=7, edges=4).tobytes() == (
        fixlip.pictures.draw(second, condition=7, edges=4).tobytes()
    )
    assert fixlip.pictures.draw(third).tobytes() == fixlip.pictures.draw(second).tobytes()


# ---- subsets and metrics


def test_subsets_are_those_of_the_cubic(third):
    every = MASKS[:512, :9]
    values, sizes = third.predict(every), every.sum(axis=1)
    numbers = (third.constant, third.attributions, third.interactions)
    swaps, greedy = (subsets(*numbers, method, triples=third.triples) for method in ("swaps", "greedy"))
    for size in range(1, 10):
        of_size = values[sizes == size]
        assert third.predict(third.highest(size))[0] == pytest.approx(of_size.max())
        assert third.predict(third.lowest(size))[0] == pytest.approx(of_size.min())
        assert swaps.highest_values[size - 1] >= greedy.highest_values[size - 1] - 1e-12
        assert swaps.lowest_values[size - 1] <= greedy.lowest_values[size - 1] + 1e-12
    np.testing.assert_allclose(swaps.highest_values, third.predict(swaps.highest))
    np.testing.assert_allclose(swaps.lowest_values, third.predict(swaps.lowest))


def test_no_exchange_improves_what_the_search_finds(rng):
    n = 20
    pairs, first = np.triu(rng.normal(size=(n, n)), 1), rng.normal(size=n)
    triples = unpacked(rng.normal(size=1140), n)
    subject = fixlip.Subject(17, 3, tuple(map(str, range(n))))
    found = Explanation(0.0, first, pairs + pairs.T, subject, order=3, triples=triples)
    for size in (3, 10, 17):
        for best, sign in ((found.highest(size), 1), (found.lowest(size), -1)):
            exchanged = []
            for inside in np.flatnonzero(best):
                for outside in np.flatnonzero(~best):
                    other = best.copy()
                    other[[inside, outside]] = other[[outside, inside]]
                    exchanged.append(other)
            assert (sign * found.predict(np.array(exchanged)) <= sign * found.predict(best) + 1e-9).all()


def test_metrics_take_it(game, samples):
    second, third = samples.explain(0.3), samples.explain(0.3, order=3)
    assert faithfulness(third, game).r2 > faithfulness(second, game).r2
    cubic = TableGame(third.predict(MASKS), 8, 4)
    assert faithfulness(third, cubic).r2 == pytest.approx(1)
    for side in ("both", "image", "text"):
        curves = insertion_deletion(third, cubic, side=side, progress=False)
        players = np.arange(N)[{"both": slice(None), "image": slice(8), "text": slice(8, None)}[side]]
        given = np.isin(np.arange(N), players)
        among = MASKS[(MASKS | given).all(axis=1)]
        values, sizes = cubic(among), among[:, players].sum(axis=1)
        for point, size in enumerate(range(len(players), 0, -1)):
            assert curves.insert[point] == pytest.approx(values[sizes == size].max())
            assert curves.delete[point] == pytest.approx(values[sizes == size].min())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["emoji-clip", "emoji-clip-plain", "emoji-siglip", "emoji-clip-fine"])
def test_it_predicts_no_worse_than_second_order_on_fresh_masks(name):
    scene = fixlip.emoji.scene(3)
    pair = fixlip.Game(fixlip.load(name), scene.image, scene.caption)
    samples = fixlip.sample(pair, 512, progress=False)
    second, third = (faithfulness(samples.explain(order=order), pair, n_masks=300, seed=9).r2 for order in (2, 3))
    assert third >= second


# ---- what is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order": 3}, "order: got 3; wanted 3 with triples, and 1 or 2 without"),
        ({"triples": np.zeros((9, 9, 9))}, "order: got 2; wanted 3 with triples"),
        ({"order": 3, "triples": np.zeros((9, 9))}, r"triples: got shape \(9, 9\) of float64, wanted \(9, 9, 9\)"),
        ({"order": 3, "triples": np.ones((9, 9, 9))}, "zeros where two players are the same"),
        ({"order": 3, "triples": np.arange(729.0).reshape(9, 9, 9)}, "symmetric array"),
        ({"order": 3, "triples": np.full((9, 9, 9), np.nan)}, "triples: got values that are not finite"),
        ({"pair_errors": np.full((9, 9), -1.0)}, "pair_errors: got values that are not finite, or below 0"),
    ],
)
def test_triples_that_fit_nothing_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_too_many_players_are_refused_before_any_model_call():
    large = SmoothGame(MOST_PLAYERS, 4)
    method = method_named("kernel")
    with pytest.raises(ValueError, match="order: got 3 for 304 players, wanted at most 300"):
        method.for_game(large, method.check(Request(order=3)))
    assert not large.calls
    with pytest.raises(ValueError, match="order: got 4, wanted 1, 2 or 3"):
        exact(RandomBilinearGame(2, 1), order=4)
