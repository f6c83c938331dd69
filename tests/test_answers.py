"""What the model said keeps its own: the p it was drawn at, where it comes from, and what was fitted to it."""

import dataclasses
import pickle
import threading

import numpy as np
import pytest
from toys import RandomBilinearGame

import fixlip
from fixlip.answers import KEPT_FITS, Memo
from fixlip.estimators.exact import exact
from fixlip.estimators.least_squares import crossmodal_least_squares
from fixlip.metrics import faithfulness, insertion_deletion
from fixlip.samples import Samples


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip", device="cpu")


@pytest.fixture(scope="module")
def scene():
    return fixlip.emoji.scene(11)


def ask(encoder, scene, budget=24, text=None, **options):
    game = fixlip.Game(encoder, scene.image, scene.caption if text is None else text)
    return fixlip.sample(game, budget, progress=False, **options)


# ---- sides drawn at different p


def test_crossed_samples_weigh_each_side_by_the_p_it_was_drawn_at():
    """Twelve tokens, so that captions are drawn too: the average at p must be that of the game, on either side."""
    game = RandomBilinearGame(8, 12, dimension=3)
    at_3, at_7 = (fixlip.sample(game, 256, p=p) for p in (0.3, 0.7))
    crossed = at_3.cross(at_7, game)
    assert crossed.image_side.p == (0.3,) and crossed.text_side.p == (0.7,)
    present = {p: [side.weights_at(p) @ side.masks.mean(axis=1) for side in (crossed.text_side,)] for p in (0.6, 0.7)}
    assert present[0.7][0] == pytest.approx(0.7, abs=0.03)
    assert present[0.6][0] == pytest.approx(0.6, abs=0.06)


def test_least_squares_refuses_sides_that_were_not_drawn_at_its_p():
    game = RandomBilinearGame(12, 12, dimension=3)
    at_3, at_7 = (fixlip.sample(game, 256, p=p) for p in (0.3, 0.7))
    for p in (None, 0.3, 0.7):
        with pytest.raises(ValueError, match=r"p: least squares needs masks drawn at p = 0\.[37] alone; .* 0.3, 0.7"):
            crossmodal_least_squares(at_3.cross(at_7), p)
    assert crossmodal_least_squares(at_3.cross(fixlip.sample(game, 256, p=0.3, seed=1))).p == 0.3


class Interrupted(RandomBilinearGame):
    """Ctrl-C comes after 100 masked images."""

    def embed_images(self, masks, progress=False):
        if len(masks) > 100:
            raise KeyboardInterrupt
        return super().embed_images(masks)

    def known_images(self, masks):
        return np.arange(len(masks)) < 100


@pytest.mark.parametrize("how", ["first", "interrupted"])
@pytest.mark.parametrize("p", [0.3, 0.5, 0.7])
def test_part_of_all_masks_is_a_uniform_sample_of_them(how, p):
    """All 256 masks were to be encoded, with their exact weights at any p; of 100 the averages must still be those."""
    errors = []
    for seed in range(20):
        if how == "first":
            part = fixlip.sample(RandomBilinearGame(8, 2), 256, p=p, seed=seed).first(100).image_side
        else:
            with pytest.warns(UserWarning, match="going on with the 100 of 256"):
                part = fixlip.sample(Interrupted(8, 2), 256, p=p, seed=seed).image_side
        assert len(part.masks) == 100 and part.p == (0.5,) and part.weights.sum() == pytest.approx(1)
        for at in (0.3, 0.5, 0.7):
            weights, sizes = part.weights_at(at), part.masks.sum(axis=1)
            # The mean number of players, and how often none or all of them are there.
            wanted = (8 * at, (1 - at) ** 8, at**8)
            found = (weights @ sizes, weights[sizes == 0].sum(), weights[sizes == 8].sum())
            errors.append(np.subtract(found, wanted))
    assert abs(np.mean(errors, axis=0)).max() < 0.05 and abs(np.array(errors))[:, 1:].max() < 0.02


def test_a_side_that_holds_all_masks_serves_any_p():
    game = RandomBilinearGame(5, 4)
    crossed = fixlip.sample(game, 32, p=0.3).cross(fixlip.sample(game, 32, p=0.7))
    np.testing.assert_allclose(crossed.explain(0.4).interactions, exact(game, 0.4).interactions, atol=1e-9)
    found = crossmodal_least_squares(crossed, 0.4)
    np.testing.assert_allclose(found.attributions, exact(game, 0.4).attributions, atol=1e-9)


def test_the_p_of_both_sides_is_saved(tmp_path):
    game = RandomBilinearGame(6, 12, dimension=3)
    crossed = fixlip.sample(game, 20, p=0.3).cross(fixlip.sample(game, 20, p=(0.6, 0.7)))
    loaded = Samples.load(crossed.save(tmp_path / "crossed"))
    assert (loaded.image_side.p, loaded.text_side.p) == ((0.3,), (0.6, 0.7))
    np.testing.assert_array_equal(loaded.explain(0.5).interactions, crossed.explain(0.5).interactions)


# ---- where answers come from


def other_games(encoder, scene):
    blurred = fixlip.load("emoji-clip", device="cpu", image_masking="blur")
    removing = fixlip.load("emoji-clip", device="cpu", text_masking="remove")
    plain = fixlip.load("emoji-clip-plain", device="cpu")
    words = scene.caption.split()
    swapped = " ".join([*words[:-1], "cat" if words[-1] != "cat" else "dog"])
    return {
        "another image": fixlip.Game(encoder, fixlip.emoji.scene(12).image, scene.caption),
        "another caption": fixlip.Game(encoder, scene.image, swapped),
        r"another image masking \('blur' instead of 'zero'\)": fixlip.Game(blurred, scene.image, scene.caption),
        r"another caption masking \('remove' instead of 'attention'\)": fixlip.Game(
            removing, scene.image, scene.caption
        ),
        r"another model \('emoji-clip-plain' instead of 'emoji-clip'\)": fixlip.Game(plain, scene.image, scene.caption),
    }


@pytest.mark.slow
def test_no_other_game_extends_samples_or_scores_an_explanation(encoder, scene, monkeypatch):
    samples = ask(encoder, scene)
    explanation = samples.explain()
    games = other_games(encoder, scene)
    monkeypatch.setattr(fixlip.Game, "embed_images", lambda *_, **__: pytest.fail("the model was called"))
    for difference, game in games.items():
        with pytest.raises(ValueError, match=f"game: it has {difference} than this set of samples"):
            samples.extend(8, game, progress=False)
        for score in (faithfulness, insertion_deletion):
            with pytest.raises(ValueError, match=f"game: it has {difference} than this explanation"):
                score(explanation, game)


def test_the_same_input_read_again_extends_saved_samples(encoder, scene, tmp_path):
    loaded = Samples.load(ask(encoder, scene).save(tmp_path / "samples"))
    same = fixlip.Game(fixlip.load("emoji-clip", device="cpu", batch_size=7), scene.image, scene.caption)
    assert loaded.extend(8, same, progress=False).budget == 32
    assert np.isfinite(faithfulness(loaded.explain(), same, n_masks=20).r2)
    with pytest.raises(ValueError, match="it has another image"):
        loaded.extend(8, fixlip.Game(encoder, fixlip.emoji.scene(12).image, scene.caption), progress=False)


def test_captions_are_crossed_within_one_model_and_one_image(encoder, scene):
    samples = ask(encoder, scene)
    plain = ask(fixlip.load("emoji-clip-plain", device="cpu"), scene)
    with pytest.raises(ValueError, match="got an image under 'emoji-clip' and a caption under 'emoji-clip-plain'"):
        samples.cross(plain)
    with pytest.raises(ValueError, match="it is of another image or image masking"):
        samples.with_caption(fixlip.Game(encoder, fixlip.emoji.scene(12).image, "a cat"))
    other = samples.with_caption(samples.game.with_text("a cat"), progress=False)
    assert other.extend(8, progress=False).budget == 32
    with pytest.raises(ValueError, match="other: got NoneType, wanted the Samples whose caption to take"):
        samples.cross(None)
    with pytest.raises(ValueError, match="game: got str, wanted a game"):
        samples.with_caption("a dog")


def test_another_models_explanation_is_scored_only_when_asked_for(encoder, scene):
    explanation = ask(fixlip.load("emoji-clip-plain", device="cpu"), scene).explain()
    game = fixlip.Game(encoder, scene.image, scene.caption)
    there = dataclasses.replace(explanation, subject=game.subject)
    assert np.isfinite(faithfulness(there, game, n_masks=20).r2)


# ---- what was fitted is kept, but not everything


def test_fits_of_many_budgets_do_not_pile_up():
    game = RandomBilinearGame(12, 3)
    samples = fixlip.sample(game, 64, progress=False)
    first = samples.explain(0.4, budget=20).interactions
    for budget in range(21, 40):
        samples.explain(0.4, budget=budget)
    assert len(samples.image_side.fits) <= KEPT_FITS and len(samples.fits) <= KEPT_FITS
    np.testing.assert_array_equal(samples.explain(0.4, budget=20).interactions, first)


def test_an_extension_keeps_the_fit_of_the_caption(monkeypatch):
    from fixlip.estimators import fits

    samples = fixlip.sample(RandomBilinearGame(12, 12), 40, progress=False)
    samples.explain()
    fitted, whole = [], fits.fit_relevances
    monkeypatch.setattr(fits, "fit_relevances", lambda masks, *rest: fitted.append(masks.shape) or whole(masks, *rest))
    samples.extend(24, progress=False).explain()
    assert fitted == [(64, 12)], "the image's relevances alone"


def test_what_two_threads_ask_for_is_made_once():
    made, memo, gate = [], Memo(), threading.Barrier(4)

    def ask():
        gate.wait()
        memo.get("key", lambda: made.append(1) or "value")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1] and memo.get("key", lambda: "other") == "value"


def test_samples_travel_to_another_process():
    samples = fixlip.sample(RandomBilinearGame(8, 3), 30, progress=False)
    expected = samples.explain(0.4)
    again = pickle.loads(pickle.dumps(samples)).explain(0.4)
    np.testing.assert_array_equal(again.interactions, expected.interactions)


# ---- bad input, before any model call


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed: got -1, wanted a whole number of at least 0"),
        ({"seed": "a"}, "seed: got 'a'"),
        ({"seed": 1.5}, "seed: got 1.5"),
        ({"seed": None}, "seed: got None"),
        ({"budget": 10**9}, "budget: got 1,000,000,000, wanted at most 4,194,304 masks"),
        ({"p": 1e-12}, r"p: got 1e-12, where almost all masks of 30 players are alike \(only 2 different ones"),
        ({"on_interrupt": "stop"}, "on_interrupt: got 'stop', wanted one of keep, raise"),
    ],
)
def test_sampling_refuses_what_it_cannot_use(options, message):
    class Silent(RandomBilinearGame):
        def __init__(self):
            self.n_image, self.n_text, self.scale, self.bias = 30, 3, 1.0, 0.0

        def embed_texts(self, masks, progress=False):
            return np.ones((len(masks), 2))

        def embed_images(self, masks, progress=False):
            pytest.fail("the model was called")

    with pytest.raises(ValueError, match=message):
        fixlip.sample(Silent(), **({"budget": 16} | options))


def test_what_is_no_game_is_told():
    for wrong in (None, "emoji-clip", 3):
        with pytest.raises(ValueError, match="game: got .*, wanted a game"):
            fixlip.sample(wrong)
        with pytest.raises(ValueError, match="game: got .*, wanted a game"):
            exact(wrong)
    only_values = type("G", (), {"n_image": 3, "n_text": 2, "__call__": lambda self, masks: masks.sum(1)})()
    with pytest.raises(ValueError, match="has no embed_images and embed_texts"):
        fixlip.sample(only_values)
    assert exact(only_values).attributions == pytest.approx(1.0)


@pytest.mark.parametrize("estimator", ["kernel", "agnostic"])
def test_a_model_that_returns_nan_is_named(encoder, scene, estimator, monkeypatch):
    def broken(pixels, masks):
        yield np.full((len(masks), 64), np.nan, np.float32)

    monkeypatch.setattr(encoder, "embed_images", broken)
    with pytest.raises(ValueError, match="model: it returned embeddings that are not finite"):
        fixlip.explain(encoder, scene.image, scene.caption, estimator=estimator, basis="full", progress=False)


def test_a_budget_that_a_method_cannot_use_is_refused_before_the_work(encoder, scene, monkeypatch):
    monkeypatch.setattr(encoder, "embed_images", lambda *_: pytest.fail("the model was called"))
    with pytest.raises(ValueError, match=r'the kernel estimator takes 12,288 at most; .*estimator="crossmodal"'):
        fixlip.explain(encoder, scene.image, scene.caption, budget=20_000)
    with pytest.raises(ValueError, match="budget: got 10,000,000,000, wanted at most"):
        fixlip.explain(encoder, scene.image, scene.caption, budget=10**10, estimator="crossmodal")
