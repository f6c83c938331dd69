"""The metagame against values of the game T -> phi(T) by enumeration, and by shapiq's exact computer."""

from itertools import combinations

import numpy as np
import pytest
import torch

import fixlip
from fixlip.baselines import meta, metagame, third_order
from fixlip.baselines.meta import BASES, captions, pair_weights, route_of, value_weights
from fixlip.baselines.routes import directions, maps_along, maps_of
from fixlip.masks import enumerate_masks


@pytest.fixture(scope="module")
def game():
    scene = fixlip.emoji.scene(7)
    return fixlip.Game(fixlip.load("emoji-clip"), scene.image, "a cat next to a banana")


@pytest.fixture(scope="module")
def long_game(oracle):
    from toys import ORACLES
    from transformers import AutoModel

    ids = np.concatenate([np.arange(20, 50), np.ones(34, int)])
    model = AutoModel.from_pretrained(ORACLES / "tiny_siglip")
    return fixlip.Game.from_inputs(model, oracle("siglip_game")["pixel_values"], ids)


def computed(values, n, index, order):
    """What shapiq's exact computer finds in a game given as a table of 2^n values, bit k for player k."""
    import shapiq

    computer = shapiq.ExactComputer(game=lambda masks: values[masks @ 2 ** np.arange(n)], n_players=n)
    return computer(index, order=order)


def triples_of(game, explanation):
    """Those of a patch with two tokens, which are all there are."""
    n, others = game.n_image, explanation.triples.copy()
    for axis in range(3):
        others[tuple(slice(0, n) if k == axis else slice(n, None) for k in range(3))] = 0
    assert not others.any() and (explanation.order, explanation.unit) == (3, "scores")
    assert not explanation.attributions.any() and not explanation.interactions.any()
    found = explanation.triples[:n, n:, n:]
    assert explanation.values.sum() == pytest.approx(found.sum() / 2), "nothing is lost or counted twice"
    return found


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(("index", "theirs"), [("shapley", ("SV", "SII")), ("banzhaf", ("BV", "BII"))])
def test_values_and_interactions_of_words_equal_shapiqs(game, base, index, theirs):
    n, n_image = game.n_text, game.n_image
    maps = maps_of(game, route_of(base), "image", enumerate_masks(n))
    second = metagame(game, base, index=index)
    third = triples_of(game, third_order(game, base, index=index))
    pairs = list(combinations(range(n), 2))
    # Logits of 30 in float32 leave so much, and interactions add up 32 of them.
    tolerance = 1e-5 * np.abs(maps).max() * 2**n
    for k in (0, 7, n_image // 2, n_image - 1):
        single, pair = (computed(maps[:, k], n, name, 1 + i) for i, name in enumerate(theirs))
        expected = [single[(i,)] for i in range(n)]
        np.testing.assert_allclose(second.interactions[k, n_image:], expected, atol=tolerance)
        expected = [pair[pair_of] for pair_of in pairs]
        np.testing.assert_allclose([third[k][pair_of] for pair_of in pairs], expected, atol=4 * tolerance)
    np.testing.assert_array_equal(third, third.transpose(0, 2, 1))
    assert not third[:, range(n), range(n)].any()


@pytest.mark.parametrize("p", [0.3, 0.8])
def test_weighted_banzhaf_values_and_interactions_by_definition(game, p):
    n, masks = game.n_text, enumerate_masks(game.n_text)
    maps = maps_of(game, route_of("game"), "image", masks)

    def average(among):
        """How much `among` do together, beyond what fewer of them do, every other player present with chance p."""
        others = [m for m in range(2**n) if not any(masks[m][i] for i in among)]
        weights = [p ** masks[m].sum() * (1 - p) ** (n - len(among) - masks[m].sum()) for m in others]
        total = np.zeros(game.n_image)
        for size in range(len(among) + 1):
            for some in combinations(among, size):
                rows = np.array(others) + sum(2**i for i in some)
                total += (-1) ** (len(among) - size) * np.array(weights) @ maps[rows]
        return total

    second, third = metagame(game, "game", p), triples_of(game, third_order(game, "game", p))
    for i in range(n):
        np.testing.assert_allclose(second.interactions[: game.n_image, game.n_image + i], average((i,)), atol=1e-9)
    for i, j in combinations(range(n), 2):
        np.testing.assert_allclose(third[:, i, j], average((i, j)), atol=1e-9)


def test_shapley_values_add_up_to_what_the_words_do_to_the_map(game):
    explanation = metagame(game, "game", index="shapley")
    ends = np.stack([np.zeros(game.n_text, bool), np.ones(game.n_text, bool)])
    empty, full = maps_of(game, route_of("game"), "image", ends)
    total = explanation.interactions[: game.n_image, game.n_image :].sum(axis=1)
    np.testing.assert_allclose(total, full - empty, atol=1e-5 * np.abs(full).max())


def test_what_it_says_of_itself(game):
    explanation = metagame(game, "game", 0.3)
    assert (explanation.order, explanation.unit, explanation.index) == (2, "scores", "scores")
    assert explanation.estimator == "metagame of GAME (p = 0.3)"
    assert metagame(game, "game", index="shapley").estimator == "metagame of GAME (Shapley values)"
    assert not explanation.attributions.any() and not explanation.predicts
    n = game.n_image
    assert not explanation.interactions[:n, :n].any() and not explanation.interactions[n:, n:].any()
    # All captions through the text encoder; one forward pass of the image encoder, and a backward pass a caption.
    assert explanation.budget == 2**game.n_text * 2 + 1
    assert metagame(game, "gradient-input").budget == 2**game.n_text + 1 + game.n_text
    assert metagame(game, "maskclip").budget == 2**game.n_text + 1
    assert metagame(game, "occlusion").budget == 2**game.n_text + 1 + game.n_image


@pytest.mark.parametrize("side", ["image", "text"])
@pytest.mark.parametrize("base", BASES)
def test_routes_that_are_called_linear_are(game, base, side):
    route = route_of(base)
    width = directions(game, side).shape[1]
    given = torch.nn.functional.normalize(torch.randn(2, width, generator=torch.Generator().manual_seed(0)), dim=1)
    one, two, both = maps_along(game, route, side, torch.stack([*given, 3 * given[0] - 2 * given[1]]))
    scale = np.abs(np.stack([one, two])).max()
    assert np.allclose(both, 3 * one - 2 * two, atol=1e-4 * scale) == route.linear


# ---- long captions


@pytest.mark.parametrize("index", ["banzhaf", "shapley"])
@pytest.mark.parametrize("p", [0.3, 0.5])
@pytest.mark.parametrize("order", [1, 2])
def test_drawn_captions_are_right_on_average(index, p, order):
    """300 draws of 40 of 512 captions, in a game that is far from a straight line."""
    n, rng = 9, np.random.default_rng(3)
    values = np.sin(3 * enumerate_masks(n) @ rng.normal(size=n)) + 4 * enumerate_masks(n) @ rng.normal(size=n)
    toy = type("Toy", (), {"n_text": n})()
    weigh = value_weights if order == 1 else pair_weights

    def found(budget, seed):
        masks, chances = captions(toy, route_of("game"), p, index, budget, seed, order)
        assert len(masks) <= (budget or 2**n) and not len({tuple(mask) for mask in masks}) < len(masks)
        return weigh(masks, chances, p, index) @ values[masks @ 2 ** np.arange(n)]

    exact = found(None, 0)
    drawn = np.stack([found(81, seed) for seed in range(300)])
    errors = drawn.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - exact) < 4.5 * errors + 1e-12).all()
    assert errors.max() > 0
    more = np.stack([found(401, seed) for seed in range(20)])
    assert ((more - exact) ** 2).mean() < ((drawn - exact) ** 2).mean() / 2


@pytest.mark.parametrize("index", ["banzhaf", "shapley"])
def test_what_is_additive_needs_no_luck(index):
    """Where every word does the same, few captions are as good as all."""
    toy = type("Toy", (), {"n_text": 30})()
    masks, chances = captions(toy, route_of("game"), 0.5, index, 201, 0, 1)
    found = value_weights(masks, chances, 0.5, index) @ (2.0 + 0.5 * masks.sum(axis=1))
    np.testing.assert_allclose(found, 0.5, atol=1e-9)


@pytest.mark.parametrize("index", ["banzhaf", "shapley"])
def test_captions_of_thirty_tokens(long_game, index):
    explanation = metagame(long_game, "game", index=index, budget=201)
    assert long_game.n_text == 30 and 150 < explanation.budget <= 201
    again = metagame(long_game, "game", index=index, budget=201)
    np.testing.assert_array_equal(explanation.interactions, again.interactions)
    assert (metagame(long_game, "game", index=index, budget=201, seed=1).interactions != again.interactions).any()
    third = triples_of(long_game, third_order(long_game, "gradient-input", index=index, budget=600))
    assert third.shape == (long_game.n_image, 30, 30) and np.isfinite(third).all()


def test_small_chunks_give_the_same(game, monkeypatch):
    from fixlip.baselines import routes

    expected = metagame(game, "game").interactions
    monkeypatch.setattr(routes, "_MOST_NUMBERS", 1)
    np.testing.assert_allclose(metagame(game, "game").interactions, expected, atol=1e-5 * np.abs(expected).max())


def test_it_is_reached_by_name(game):
    shown = fixlip.emoji.scene(7)
    given = {"estimator": "metagame-game", "index": "shapley"}
    explanation = fixlip.explain(game.encoder, shown.image, "a cat next to a banana", **given)
    direct = metagame(game, "game", index="shapley")
    np.testing.assert_allclose(explanation.interactions, direct.interactions, atol=1e-6)
    given = {"estimator": "metagame-game", "p": 0.3, "budget": 31, "seed": 5}
    explanation = fixlip.explain(game.encoder, shown.image, "a cat next to a banana", **given)
    direct = metagame(game, "game", 0.3, budget=31, seed=5)
    # The two games encoded their captions in other batches.
    np.testing.assert_allclose(explanation.interactions, direct.interactions, atol=1e-6)
    assert explanation.budget <= 31


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"base": "rollout"}, "base: got 'rollout', whose map does not depend on the caption; wanted grad-eclip, game"),
        ({"base": "exclip"}, "base: got 'exclip', wanted one of grad-eclip, game"),
        ({"base": "game", "p": 1.0}, "p: got 1, wanted a probability"),
        ({"base": "game", "index": "sii"}, "index: got 'sii', wanted one of banzhaf, shapley"),
        ({"base": "game", "budget": 3}, "budget: got 3, wanted at least 17 forward and backward passes for 8 masked"),
        ({"base": "game", "seed": -1}, "seed: got -1, wanted a whole number"),
    ],
)
def test_bad_arguments_are_refused_before_any_model_call(game, monkeypatch, arguments, message):
    monkeypatch.setattr(game.encoder, "embed_texts", None)
    monkeypatch.setattr(meta, "maps_of", None)
    for function in (metagame, third_order):
        with pytest.raises(ValueError, match=message):
            function(game, **arguments)
