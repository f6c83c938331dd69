"""Any set function: explained by our estimators, and our games approximated by shapiq's."""

import copy
import doctest
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import shapiq
from toys import RandomBilinearGame, TableGame

import fixlip
from fixlip import Explanation, anygame
from fixlip.anygame import SetGame, explain_game
from fixlip.contrasts import ContrastGame
from fixlip.estimators.exact import exact
from fixlip.game_explanation import GameExplanation
from fixlip.interchange import game_to_shapiq
from fixlip.metrics import faithfulness
from fixlip.subject import Subject


def unanimity(terms, offset=0.0):
    """A sum of unanimity games: {players: dividend}."""
    return lambda masks: offset + sum(c * masks[:, list(players)].all(axis=1) for players, c in terms.items())


def truth(terms, n, p):
    """Weighted Banzhaf values and interactions by hand: of prod x_i over S, the derivative by T is p^(|S| - |T|)."""
    values, pairs = np.zeros(n), np.zeros((n, n))
    for players, c in terms.items():
        values[list(players)] += c * p ** (len(players) - 1)
        for i, j in combinations(players, 2):
            pairs[i, j] += c * p ** (len(players) - 2)
    return values, pairs + pairs.T


def shown_text(sheet):
    """All that is written on a picture."""
    return "\n".join(about[1] for name, about in sheet.marks if name == "text")


TERMS = {(0,): 1.0, (1, 2): -2.0, (0, 1, 3): 3.0, (2, 3, 4, 5): 1.5}


def larger(n=24, seed=1):
    """Players, and sets of two and of three of them, with dividends."""
    rng = np.random.default_rng(seed)
    terms = {(i,): float(rng.normal()) for i in range(n)}
    for size in (2, 2, 2, 2, 3, 3, 3):
        terms[tuple(sorted(rng.choice(n, size, replace=False).tolist()))] = float(2 * rng.normal())
    return terms


# ---- our estimators on their games


def test_the_example_of_the_docstring_is_so():
    found = doctest.DocTestFinder(recurse=False).find(anygame.explain_game, "explain_game", globs={})
    results = doctest.DocTestRunner().run(found[0])
    assert results.attempted >= 5 and not results.failed
    assert fixlip.explain_game is explain_game


@pytest.mark.parametrize("p", [0.5, 0.3])
def test_a_small_game_is_explained_as_by_hand(p):
    found = explain_game(unanimity(TERMS, 10.0), 6, p=p)
    values, pairs = truth(TERMS, 6, p)
    np.testing.assert_allclose(found.values, values, atol=1e-12)
    np.testing.assert_allclose(found.interactions, pairs, atol=1e-12)
    assert (found.empty_value, found.full_value) == (10.0, 13.5)
    assert (found.estimator, found.budget, found.counts) == ("exact", 64, "coalitions")


@pytest.mark.parametrize("index, theirs", [("banzhaf", "FBII"), ("shapley", "FSII"), ("sii", "k-SII")])
def test_every_estimator_that_sees_all_coalitions_agrees_with_shapiq(index, theirs):
    function = unanimity(TERMS, -1.0)
    computer = shapiq.ExactComputer(n_players=6, game=lambda masks: function(np.asarray(masks, bool)))
    wanted = Explanation.from_shapiq(computer(theirs, order=2), Subject(6, 0, tuple("abcdef")))
    for estimator in ("exact", "kernel", "agnostic")[: 2 if index == "sii" else 3]:
        budget = None if estimator == "exact" else 64
        found = explain_game(function, 6, index=index, estimator=estimator, budget=budget)
        np.testing.assert_allclose(found.interactions, wanted.interactions, atol=1e-9)
        np.testing.assert_allclose(found.attributions, wanted.attributions, atol=1e-9)


def test_the_kernel_comes_closer_to_a_larger_game_than_least_squares_and_knows_how_close():
    """The first three games of many: from 320 coalitions of 24 players, with 301 coefficients."""
    for seed in range(3):
        terms = larger(seed=seed)
        function, (values, pairs) = unanimity(terms, 1000.0), truth(terms, 24, 0.5)
        kernel = explain_game(function, 24, budget=320, seed=seed)
        assert kernel.estimator == "kernel" and kernel.budget == 320
        squares = explain_game(function, 24, budget=320, seed=seed, estimator="agnostic")

        def error(one, values=values, pairs=pairs):
            return np.hypot(np.linalg.norm(one.values - values), np.linalg.norm(one.interactions - pairs))

        assert error(kernel) < error(squares) / 2
        inside = np.abs(kernel.values - values) <= 1.645 * kernel.value_stderr
        assert inside.mean() > 0.7
        reached = faithfulness(kernel, SetGame(function, 24), n_masks=500, seed=9).r2
        assert abs(kernel.expected_faithfulness - reached) < 0.05


def test_triples_of_more_players_than_are_enumerated():
    terms = larger(18)
    found = explain_game(unanimity(terms), 18, order=3, budget=256)
    for players, dividend in terms.items():
        if len(players) == 3:
            assert found.triples[players] == pytest.approx(dividend, abs=0.5)
    assert found.top(1, kind="triples")[0].players in terms


def test_a_unit_of_any_size_and_a_constant_are_told_as_they_are():
    small = explain_game(unanimity({(0,): 1e-7, (0, 1): 3e-7}, 5.0), 3)
    assert "+2.5e-07  player 0" in small.summary() and "+3e-07  player 0 with player 1" in small.summary()
    for n in (4, 20):
        flat = explain_game(lambda masks: np.full(len(masks), 0.1), n)
        np.testing.assert_allclose([*flat.values, *flat.interactions.ravel()], 0, atol=1e-15)
        assert "No player contributes" in flat.summary() and "no player contributes" in shown_text(flat.sheet())
    one = explain_game(lambda masks: 2.0 * masks[:, 0], 1)
    assert one.values == pytest.approx([2.0]) and "1 player)" in one.summary()


def test_auto_takes_what_the_budget_allows():
    function = unanimity({(0,): 1.0})
    assert explain_game(function, 12).budget == 4096
    assert explain_game(function, 13, budget=64).estimator == "kernel"
    assert explain_game(function, 13, budget=8192).estimator == "exact"
    assert "least squares" in explain_game(function, 18, order=1, budget=12_289).estimator


# ---- what is asked, and what is refused


def test_nothing_is_asked_twice_and_an_interruption_keeps_what_was_answered():
    asked = []

    def function(masks):
        asked.extend(map(bytes, masks))
        if len(asked) == 98:
            raise KeyboardInterrupt
        masks[:] = False  # what is done to them is no matter
        return np.arange(len(masks)) % 3

    game = SetGame(function, 20, batch_size=32)
    with pytest.warns(UserWarning, match="interrupted: going on with the 66 of 200 coalitions"):
        found = explain_game(game, budget=200, progress=False)
    assert found.budget == 66
    explain_game(game, budget=200, progress=False)
    assert len(set(asked)) == 200 and len(asked) == 200 + 32  # the batch that was lost
    np.testing.assert_array_equal(game.known(np.zeros((1, 20), bool)), [True])


@pytest.mark.parametrize(
    "returned, message",
    [
        (lambda m: m.sum(), r"returned shape \(\) for 2 masks, wanted \(2,\)"),
        (lambda m: m * 1.0, r"returned shape \(2, 4\) for 2 masks"),
        (lambda m: np.full(len(m), np.nan), "2 of 2 values returned are not finite"),
        (lambda m: ["a"] * len(m), "returned list of <U1, wanted an array of real numbers"),
        (lambda m: np.array(["1"] * len(m)), "returned ndarray of <U1"),
        (lambda m: 1j * m.sum(1), "returned ndarray of complex128"),
        (lambda m: None, "returned NoneType, wanted"),
        (lambda m: [[1], [1, 2]], "returned list that is no array of numbers"),
    ],
)
def test_a_wrong_answer_is_named_after_the_first_small_call(returned, message):
    sizes = []
    with pytest.raises(ValueError, match=f"^game: {message}"):
        explain_game(lambda masks: sizes.append(len(masks)) or returned(masks), 4)
    assert sizes == [2]
    with pytest.raises(ValueError, match=r"\(2,\) for 3 masks"):  # as many as players is no luck
        explain_game(lambda masks: masks[0] * 1.0, 2)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"n_players": 2.5}, "n_players: got 2.5, wanted a whole number of at least 1"),
        ({"n_players": True}, "n_players: got True"),
        ({}, "n_players: got None, wanted how many"),
        ({"n_players": 10**6}, "n_players: got 1,000,000, wanted at most 4,096"),
        ({"n_players": 20, "budget": 10}, "budget: got 10 coalitions, wanted at least 22 for 20 players"),
        ({"n_players": 20, "budget": 99, "estimator": "agnostic"}, "budget: got 99 coalitions, wanted at least 211"),
        (
            {"n_players": 20, "budget": 20_000, "estimator": "kernel"},
            "budget: got 20,000 coalitions, wanted at most 12",
        ),
        ({"n_players": 20, "estimator": "exact"}, "game: got 20 players, wanted at most 16"),
        ({"n_players": 3, "estimator": "tree"}, "estimator: got 'tree', wanted one of auto, exact, kernel, agnostic"),
        ({"n_players": 3, "labels": "abc"}, "labels: got the text 'abc'"),
        ({"n_players": 3, "labels": ["a"]}, "labels: got 1, wanted one for each of the 3 players"),
        ({"n_players": 3, "order": 4}, "order: got 4"),
        ({"n_players": 30, "p": 1e-9}, "p: got 1e-09, where almost all masks"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_call(options, message):
    def never(masks):
        raise AssertionError("it was asked")

    with pytest.raises(ValueError, match=f"^{message}"):
        explain_game(never, **options)
    with pytest.raises(ValueError, match="game: got int, wanted a function"):
        explain_game(5, 3)


# ---- pictures, tables, files


def test_the_picture_is_bars_that_say_what_is_so(tmp_path):
    found = explain_game(unanimity(TERMS), 6, labels=["ann", "bob", "cid", "dot", "eve", "flo"])
    text = shown_text(found.sheet())
    assert "Value of all players 3.5: what each contributes" in text and "0 without any" in text
    assert "ann with bob" in text and "+1.69" not in text and "+1.75" in text
    everything = text + found.summary() + found.draw().words + repr(found)
    for word in ("logit", "similar", "image", "caption", "patch", "token", "removed"):
        assert word not in everything, word
    bundle, _ = found._repr_mimebundle_()
    assert bundle["text/plain"] == found.summary() and bundle["image/png"]
    of_one = found.draw(condition="bob")
    assert "What goes together with bob" in of_one.words and "cid -2" in of_one.words
    few = shown_text(found.sheet(players=["ann", "bob"], width=240))
    assert "2 of 6 players" in few and "cid" not in few
    found.draw().save(tmp_path / "bars.svg", width=3.3)
    with pytest.raises(ValueError, match="'zed' is no player; the players are: ann, bob"):
        found.draw(condition="zed")
    with pytest.raises(ValueError, match="compare: wanted explanations of an image and a caption"):
        fixlip.pictures.compare(found, found)
    many = explain_game(lambda masks: masks @ np.arange(20.0), 20, budget=64)
    assert "players: the 16 strongest of 20" in shown_text(many.sheet())


def test_bars_are_as_long_as_their_numbers_on_one_scale():
    marks = explain_game(unanimity({(0, 1): 4.0, (2,): -1.0}), 3).sheet().marks
    boxes = [about[0] for name, about in marks if name == "box"]
    lengths = [right - left for left, _, right, _ in boxes]
    np.testing.assert_allclose(np.array(lengths) / lengths[0], [1, 1, 0.5, 2], atol=1e-9)
    assert boxes[2][2] == pytest.approx(boxes[0][0])  # the negative one ends where the others begin


def test_tables_files_and_differences_keep_the_kind(tmp_path):
    game = SetGame(unanimity(TERMS), 6)
    found = explain_game(game, order=3, p=0.4)
    assert set(found.table()["kind"]) == {"player", "player with player", "player with player with player"}
    assert set(found.table()["unit"]) == {"units of the game"}
    again = GameExplanation.load(found.save(tmp_path / "game"))
    assert again.summary() == found.summary() and again.p == 0.4
    with pytest.raises(ValueError, match="which fixlip.game_explanation.GameExplanation.load reads"):
        Explanation.load(tmp_path / "game.npz")
    half = explain_game(lambda masks: game(masks) / 2, 6, order=3, p=0.4, labels=found.labels)
    np.testing.assert_allclose((found - half).triples, half.triples, atol=1e-12)
    with pytest.raises(ValueError, match="difference: wanted two explanations of the same players"):
        found - explain_game(game)


# ---- shapiq


def test_shapiqs_approximators_take_our_games():
    ours = RandomBilinearGame(4, 3)
    shared = game_to_shapiq(ours)
    wanted = exact(ours, index="shapley")
    assert isinstance(shared, shapiq.Game) and shared.n_players == 7
    assert shared.normalization_value == pytest.approx(wanted.empty_value) and shared.is_normalized
    assert shared.grand_coalition_value == pytest.approx(wanted.full_value - wanted.empty_value)
    assert shared([("image 0", "text 1")]) == pytest.approx(shared([(0, 5)]))

    players = Subject.of(ours)
    exactly = Explanation.from_shapiq(shapiq.ExactComputer(shared, 7)("FSII", order=2), players)
    np.testing.assert_allclose(exactly.interactions, wanted.interactions, atol=1e-8)
    fitted = shapiq.RegressionFBII(n=7, max_order=2, random_state=0).approximate(128, shared)
    np.testing.assert_allclose(fitted.get_n_order_values(2), exact(ours).interactions, atol=1e-6)
    of_kernel = shapiq.KernelSHAP(n=7, random_state=0).approximate(128, shared)
    np.testing.assert_allclose(of_kernel.get_n_order_values(1), wanted.values, atol=1e-6)


def test_wrapped_games_and_the_way_back():
    one, other = (RandomBilinearGame(3, 2, seed=seed) for seed in (0, 1))
    game = ContrastGame(one, other)
    shared = game_to_shapiq(game, normalize=False)
    assert shared.normalization_value == 0 and shared.n_players == 7
    found = explain_game(shared)
    np.testing.assert_allclose(found.interactions, exact(game).interactions, atol=1e-9)
    with pytest.raises(ValueError, match="game: got int, wanted a game"):
        game_to_shapiq(5)


def test_names_that_players_share_end_in_their_number():
    game = TableGame(np.arange(8.0), 1, 2)
    game.labels = ("patch", "dog", "dog")
    names = game_to_shapiq(game).player_name_lookup
    assert names == {"patch": 0, "dog (player 1)": 1, "dog (player 2)": 2}


class Colours:
    """An encoder without a model: mean colours of 2 x 2 cells, and lengths of words."""

    name, scale, bias = "colours", 10.0, -1.0

    def prepare_image(self, image):
        return np.asarray(image, float), np.asarray(image)

    def prepare_text(self, text):
        return SimpleNamespace(text=text, labels=tuple(text.split()))

    def grid_of(self, pixels):
        return 2, 2

    def embed_images(self, pixels, masks, regions=None):
        means = pixels.reshape(2, 4, 2, 4, 3).mean(axis=(1, 3, 4)).ravel()
        yield self.unit(masks * means)

    def embed_texts(self, caption, masks):
        yield self.unit(masks @ np.array([[len(label), k, 1, 2] for k, label in enumerate(caption.labels)]))

    def unit(self, rows):
        rows = rows + np.array([0.1, 0.2, 0.3, 0.4])
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_game_of_an_encoder_goes_to_shapiq(rng):
    game = fixlip.Game(Colours(), rng.integers(0, 255, (8, 8, 3), dtype=np.uint8), "dog and dog")
    shared = game.to_shapiq()
    assert list(shared.player_name_lookup)[3:] == ["patch 2,2", "dog (player 4)", "and", "dog (player 6)"]
    masks = rng.random((3, game.n_players)) < 0.5
    np.testing.assert_allclose(shared(masks.astype(int)), game(masks) - game.empty_value)
    assert game.encodings <= 10


def test_without_shapiq_a_sentence_says_so(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "shapiq", None)
    with pytest.raises(ValueError, match="^to_shapiq: needs shapiq"):
        game_to_shapiq(TableGame(np.zeros(4), 1, 1))


def test_values_of_shapiq_know_their_p(tmp_path):
    found = explain_game(unanimity(TERMS), 6, p=0.3)
    values = found.to_shapiq()
    assert isinstance(values, shapiq.InteractionValues) and values.p == 0.3 and "p=0.3" in repr(values)
    values.save(tmp_path / "values.json")
    for one in (values, copy.copy(values), copy.deepcopy(values), type(values).load(tmp_path / "values.json")):
        again = GameExplanation.from_shapiq(one, found.subject)
        assert again.p == 0.3 and one == values
        np.testing.assert_allclose(again.values, found.values)
    with pytest.raises(ValueError, match="p: got 0.5, but these values are of p = 0.3; leave it out"):
        GameExplanation.from_shapiq(values, found.subject, 0.5)
    assert explain_game(unanimity(TERMS), 6, index="shapley").to_shapiq().p is None
