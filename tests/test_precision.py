"""What makes large models fast: half precision after a check, and captions at a quarter of the images' cost."""

from types import SimpleNamespace

import numpy as np
import pytest
import small_models
import torch

import fixlip
from fixlip.answers import caption_budget, text_budget
from fixlip.encoders import speed
from fixlip.experiments.bench import images_within
from fixlip.experiments.forecast import work_of_item
from fixlip.experiments.runner import _open
from fixlip.experiments.settings import Settings
from fixlip.experiments.tables import Layout, Table, Tables

CAPTION = "a cat next to a banana on the table"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_models.save("clip", tmp_path_factory.mktemp("clip"))


@pytest.fixture
def as_if_large(monkeypatch):
    """A small model counts as large, on hardware that multiplies in bfloat16."""
    monkeypatch.setattr(speed, "LARGE", 1)
    monkeypatch.setattr(speed, "native_half", lambda device: torch.bfloat16)


def values(encoder, count=24):
    game, rng = fixlip.Game(encoder, fixlip.emoji.scene(3).image, CAPTION), np.random.default_rng(5)
    return game.crossmodal(*(rng.random((count, n)) < 0.5 for n in (game.n_image, game.n_text)))


# ---- precision


def test_a_large_model_multiplies_in_half_precision_and_says_so(folder, as_if_large):
    exact, auto = (fixlip.load(folder, device="cpu", dtype=dtype) for dtype in ("float32", "auto"))
    assert auto.precision == "mixed bfloat16" and "dtype=mixed bfloat16" in repr(auto)
    assert auto.why_precision.startswith("mixed bfloat16: matrix products in bfloat16 move the values of 128 masked")
    assert exact.precision == "float32" and exact.why_precision == ""
    # Weights stay as they are, and so does all that looks into the model.
    assert {weight.dtype for weight in auto.model.parameters()} == {torch.float32} == {auto.dtype}
    assert auto.similarity(fixlip.emoji.scene(3).image, CAPTION) == exact.similarity(
        fixlip.emoji.scene(3).image, CAPTION
    )
    assert auto.fingerprint == exact.fingerprint
    # The same masks by torch alone, and other masks than those of the check: the promised error holds there.
    found, right = values(auto), values(exact)
    with torch.autocast("cpu", torch.bfloat16):
        np.testing.assert_array_equal(values(exact), found)
    assert 0 < np.sqrt(np.mean((found - right) ** 2)) / right.std() < 2 * speed.MOST_ERROR
    game = fixlip.Game(auto, fixlip.emoji.scene(3).image, CAPTION)
    assert any("mixed bfloat16" in note for note in game.subject.notes)
    assert fixlip.check_encoder(auto).ok


def test_half_precision_that_moves_the_values_too_far_is_refused(folder, as_if_large, monkeypatch):
    monkeypatch.setattr(speed, "MOST_ERROR", 1e-6)
    refused, exact = fixlip.load(folder, device="cpu"), fixlip.load(folder, device="cpu", dtype="float32")
    assert refused.precision == "float32" and "at most 0% is allowed" in refused.why_precision
    np.testing.assert_array_equal(values(refused), values(exact))


def test_half_precision_that_fails_is_refused_and_the_error_told(folder, as_if_large, monkeypatch):
    asked = []

    def failing(encoder):
        asked.append(encoder.multiplies_in)
        if encoder.multiplies_in is not None:
            raise RuntimeError('"addmm" not implemented\nfor half')
        return np.ones((2, 2))

    monkeypatch.setattr(speed, "_values", failing)
    encoder = fixlip.load(folder, device="cpu")
    assert asked == [None, torch.bfloat16] and encoder.precision == "float32"
    assert encoder.why_precision == 'float32: the check of bfloat16 failed ("addmm" not implemented)'


def test_embedded_models_stay_in_float32_bit_for_bit(as_if_large):
    auto, exact = (fixlip.load("emoji-clip", device="cpu", dtype=dtype) for dtype in ("auto", "float32"))
    assert auto.why_precision == "float32: embedded models give the same numbers on every machine"
    np.testing.assert_array_equal(values(auto), values(exact))
    assert fixlip.Game(auto, fixlip.emoji.scene(3).image, CAPTION).caption_cost is None


def test_small_models_and_hardware_without_half_precision_stay_in_float32(folder, monkeypatch):
    assert fixlip.load(folder, device="cpu").why_precision == "float32: the model is small"
    monkeypatch.setattr(speed, "LARGE", 1)
    monkeypatch.setattr(speed, "native_half", lambda device: None)
    why = fixlip.load(folder, device="cpu").why_precision
    assert why == "float32: this cpu multiplies no faster in half precision"


# ---- captions


def test_the_cost_of_a_caption_counts_multiplications():
    """ViT-B/32 by hand: per layer four square matrices and two of the MLP, met by every position; 1.5 times."""
    from transformers import CLIPConfig, CLIPModel

    with torch.device("meta"):
        model = CLIPModel(CLIPConfig())
    text, vision = (12 * (4 * width**2 + 2 * width * 4 * width) for width in (512, 768))
    assert speed.caption_cost(model, "vision_model.", 50, 12) == pytest.approx(1.5 * text * 12 / (vision * 50))
    assert speed.caption_cost(model, "vision_model.", None, 12) == speed.CONVOLUTIONAL
    assert speed.is_large(model)


@pytest.mark.parametrize(
    ("cost", "images", "captions"),
    [(None, 64, 1024), (0.1, 512, 1024), (0.32, 512, 400), (0.32, 64, 112), (0.2, 10**6, 1024)],
)
def test_captions_cost_a_quarter_of_the_images_at_most(cost, images, captions):
    """But there are twice the 56 coefficients of ten tokens, whatever they cost."""
    game = SimpleNamespace(n_image=49, n_text=10, caption_cost=cost)
    assert caption_budget(game, images) == captions <= text_budget(10)
    few = SimpleNamespace(n_image=4, n_text=10, caption_cost=0.001)
    assert caption_budget(few, 512) == 1024  # 16 images are all that there are: 4,000 captions


def test_more_images_afford_more_captions_and_the_order_of_asking_is_the_same(folder, as_if_large):
    encoder = fixlip.load(folder, device="cpu", dtype="float32")
    game = fixlip.Game(encoder, fixlip.emoji.scene(3).image, CAPTION)
    assert game.n_text >= 8 and 0.05 < game.caption_cost < 1
    few, many = (fixlip.sample(game, budget, seed=2, progress=False) for budget in (32, 400))
    assert len(few.text_side.masks) < len(many.text_side.masks) == min(2**game.n_text, caption_budget(game, 400))
    extended = few.extend(368, progress=False)
    for side in ("image_side", "text_side"):
        for part in ("masks", "weights", "embeddings"):
            np.testing.assert_array_equal(getattr(getattr(extended, side), part), getattr(getattr(many, side), part))
    explanation = few.explain(0.5)
    assert np.isfinite(explanation.interactions).all() and np.isfinite(explanation.stderr[1]).all()
    captions = fixlip.explain_all(encoder, [fixlip.emoji.scene(3).image], [CAPTION], budget=32, progress=False)
    assert len(captions.samples(0, 0).text_side.masks) == len(few.text_side.masks)


def test_what_a_run_forecasts_and_compares_at_equal_cost_knows_how_many_captions_are_encoded(folder, as_if_large):
    encoder = fixlip.load(folder, device="cpu", dtype="float32")
    game = fixlip.Game(encoder, fixlip.emoji.scene(3).image, CAPTION)
    images = images_within(game, 120)
    samples = fixlip.sample(game, images, progress=False)
    assert samples.budget + len(samples.text_side.masks) <= 120 < 121 <= images + 1 + caption_budget(game, images + 1)
    assert len(samples.text_side.masks) < min(text_budget(game.n_text), 2**game.n_text)
    # 30 tokens have 466 coefficients, so 932 captions are the fewest; all methods' masked images are of two budgets.
    settings = Settings("faithfulness", budget=64, masks=2, ps=(0.5,))
    told, before = (work_of_item(settings, 49, 30, cost) for cost in (1.0, None))
    assert told.images == before.images and before.captions - told.captions == 2 * (1024 - 932)


# ---- answers of two precisions are not mixed


def test_answers_of_two_precisions_do_not_mix(folder, as_if_large, tmp_path):
    encoders = [fixlip.load(folder, device="cpu", dtype=dtype) for dtype in ("auto", "float32")]
    games = [fixlip.Game(encoder, fixlip.emoji.scene(3).image, CAPTION) for encoder in encoders]
    coarse, exact = (fixlip.sample(game, 16, progress=False) for game in games)
    loaded = type(coarse).load(coarse.save(tmp_path / "samples"))
    assert loaded.subject.origins[0].precision == "mixed bfloat16"
    with pytest.raises(ValueError, match=r"another precision \('float32' instead of 'mixed bfloat16'\) than this set"):
        loaded.extend(8, games[1], progress=False)
    with pytest.raises(ValueError, match="an image in 'mixed bfloat16' and a caption in 'float32', wanted one"):
        loaded.cross(exact)
    with pytest.raises(ValueError, match="wanted one precision for both"):
        exact.with_caption(games[0], progress=False)
    # An explanation may be held against the game in the other precision: that is how rounding is measured.
    assert np.isfinite(fixlip.metrics.faithfulness(coarse.explain(0.5), games[1], n_masks=20).r2)


def test_a_folder_to_go_on_from_keeps_precisions_apart(folder, as_if_large, tmp_path):
    encoders = [fixlip.load(folder, device="cpu", dtype=dtype) for dtype in ("auto", "float32")]
    asked = ([fixlip.emoji.scene(3).image], [CAPTION])
    grids = [
        fixlip.explain_all(encoder, *asked, budget=16, resume=tmp_path / "grid", progress=False)
        for encoder in (*encoders, encoders[1])
    ]
    alone = fixlip.explain_all(encoders[1], *asked, budget=16, progress=False).samples(0, 0)
    for grid in grids[1:]:
        for side in ("image_side", "text_side"):
            kept = getattr(grid.samples(0, 0), side).embeddings
            np.testing.assert_array_equal(kept, getattr(alone, side).embeddings)
            assert (kept != getattr(grids[0].samples(0, 0), side).embeddings).any()


def test_a_table_of_an_experiment_is_of_one_precision_and_masking(folder, as_if_large, tmp_path):
    encoders = [fixlip.load(folder, device="cpu", dtype=dtype) for dtype in ("auto", "float32")]
    encoders.append(fixlip.load(folder, device="cpu", dtype="float32", image_masking="mean"))
    path, how = tmp_path / "faithfulness-clip.csv", Settings("faithfulness", str(folder), ps=(0.5,))
    table = Table(path, Layout(("item", "score"), (), ("score",), ((),)))
    path.write_text("item,score\n", encoding="utf-8")
    notes = [how.describe("emoji", encoder) for encoder in encoders]
    for before, now, told in (
        (0, 1, "dtype='mixed bfloat16', not dtype='float32'"),
        (1, 2, "image_masking='zero', not "),
    ):
        path.with_suffix(".settings").write_text("".join(f"{k}={v}\n" for k, v in notes[before].items()), "utf-8")
        with pytest.raises(ValueError, match=f"was made with {told}.*choose another folder"):
            _open(Tables([table]), path, notes[now])
