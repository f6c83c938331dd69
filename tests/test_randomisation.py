"""Weights randomised from the top down, and how far maps agree."""

import dataclasses
import warnings

import numpy as np
import pytest
import torch
from scipy import stats
from toys import ORACLES, mosaic

import fixlip
from fixlip import Explanation
from fixlip.encoders.huggingface import Encoder
from fixlip.metrics import agreement_of_maps, randomised

HEADS = {
    "emoji-clip": (
        "visual_projection.",
        "text_projection.",
        "vision_model.post_layernorm.",
        "text_model.final_layer_norm.",
    ),
    "emoji-siglip": (
        "vision_model.head.",
        "text_model.head.",
        "vision_model.post_layernorm.",
        "text_model.final_layer_norm.",
    ),
}
SCALARS = {"logit_scale", "logit_bias"}


@pytest.fixture(scope="module", params=["emoji-clip", "emoji-siglip"])
def encoder(request):
    return fixlip.load(request.param, device="cpu")


def weights(encoder):
    return {name: values.detach().clone() for name, values in encoder.model.named_parameters()}


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_levels_are_randomised_from_the_top_in_both_towers_and_stay_so(encoder):
    before = original = weights(encoder)
    prefixes = {"heads": HEADS[encoder.name], "embeddings": ("vision_model.embeddings.", "text_model.embeddings.")}
    if encoder.name == "emoji-clip":
        prefixes["embeddings"] += ("vision_model.pre_layrnorm.",)
    # Four blocks for images, two for captions, aligned at the top.
    for k in (4, 3, 2, 1):
        blocks = [("vision_model", k - 1)] + ([("text_model", k - 3)] if k >= 3 else [])
        prefixes[f"block {k}"] = tuple(f"{tower}.encoder.layers.{at}." for tower, at in blocks)
    names = []
    for name, found in randomised(encoder):
        names.append(name)
        after = weights(found)
        different = changed(before, after)
        assert different and all(one.startswith(prefixes[name]) for one in different), name
        # Norms and biases start at one and zero: a trained one differs from that.
        assert {one for one in before if one.startswith(prefixes[name])} == different
        assert all(values.isfinite().all() for values in after.values())
        before = after
    assert names == ["heads", "block 4", "block 3", "block 2", "block 1", "embeddings"]
    assert changed(original, before) == set(original) - SCALARS


def test_the_encoder_given_stays_as_it_is(encoder):
    before, fingerprint, state = weights(encoder), encoder.fingerprint, torch.get_rng_state()
    flags = [getattr(values, "_is_hf_initialized", None) for values in encoder.model.parameters()]
    fingerprints = set()
    for _, found in randomised(encoder):
        assert found is not encoder and found.model is not encoder.model and not found.model.training
        fingerprints.add(found.fingerprint)
        with torch.no_grad():
            next(found.model.parameters()).zero_()  # nor do later levels depend on what was done to earlier ones
        if len(fingerprints) == 3:
            break
    assert not changed(before, weights(encoder)) and torch.equal(state, torch.get_rng_state())
    assert flags == [getattr(values, "_is_hf_initialized", None) for values in encoder.model.parameters()]
    assert encoder.fingerprint == fingerprint == fixlip.load(encoder.name, device="cpu").fingerprint
    assert fingerprint not in fingerprints and len(fingerprints) == 3
    assert all(values.grad is None and values.requires_grad for values in encoder.model.parameters())


def test_a_seed_gives_the_same_weights_every_time(encoder):
    first, same, other = ([weights(found) for _, found in randomised(encoder, seed)] for seed in (3, 3, 4))
    torch.manual_seed(99)
    for a, b, c in zip(first, same, other, strict=True):
        assert not changed(a, b) and changed(a, c)


@pytest.mark.parametrize("name", ["tiny_clip", "tiny_siglip"])
def test_weights_are_drawn_as_the_model_class_draws_them(name):
    """Spreads as transformers draws them for a new model of this configuration."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(ORACLES / name)
    torch.manual_seed(0)
    fresh = type(model)(model.config)
    for _, found in randomised(Encoder(model)):
        last = weights(found)
    for name, theirs in fresh.named_parameters():
        if theirs.numel() > 2000:
            assert float(last[name].std()) == pytest.approx(float(theirs.detach().std()), rel=0.1), name
        if name.endswith("bias") and theirs.detach().abs().max() == 0 and name not in SCALARS or "norm" in name:
            assert torch.equal(last[name], theirs), name


def test_what_the_class_does_not_initialise_is_drawn_with_its_own_spread(encoder):
    class Silent(type(encoder.model)):
        def _init_weights(self, module):
            pass

    model = Silent(encoder.model.config)
    model.load_state_dict(encoder.model.state_dict())
    silent = Encoder(model)
    for _, found in randomised(silent):
        last = weights(found)
    for name, values in weights(silent).items():
        if name not in SCALARS and values.numel() > 2000:
            assert float(last[name].std()) == pytest.approx(float(values.std(correction=0)), rel=0.1), name
            assert abs(np.corrcoef(last[name].ravel(), values.ravel())[0, 1]) < 0.1


def test_scale_and_precision_are_those_of_the_encoder():
    whole = fixlip.load("emoji-siglip", device="cpu")
    half = fixlip.load("emoji-siglip", device="cpu", dtype="bfloat16", text_masking="remove")
    _, found = next(randomised(half))
    assert found.scale == half.scale == whole.scale and found.bias == half.bias
    assert found.dtype == torch.bfloat16 == next(found.model.parameters()).dtype and found.text_masking == "remove"
    assert found.name == "emoji-siglip, randomised down to heads" and half.name == "emoji-siglip"


@pytest.mark.parametrize(("given", "message"), [("emoji-clip", "encoder: got str"), (None, "encoder: got NoneType")])
def test_what_is_no_encoder_is_refused_at_once(given, message):
    with pytest.raises(ValueError, match=message):
        randomised(given)


def test_a_wrong_seed_is_refused_at_once(encoder):
    with pytest.raises(ValueError, match="seed: got -1"):
        randomised(encoder, seed=-1)


# ---- agreement


def edges(game):
    """A map of the picture's edges, which looks at no model."""
    grey = game.image.astype(float).mean(axis=2)
    rows, columns = game.grid
    steep = np.hypot(*np.gradient(grey))
    cells = steep.reshape(rows, len(steep) // rows, columns, -1).mean(axis=(1, 3)).ravel()
    numbers = np.concatenate([cells, np.ones(game.n_text)]), np.zeros((game.n_players, game.n_players))
    return Explanation(0.0, *numbers, game.subject, order=1, index="scores", unit="scores")


def test_a_method_that_looks_at_the_model_loses_its_map_and_an_edge_detector_keeps_it(encoder):
    scenes = [fixlip.emoji.scene(seed) for seed in range(4)]
    looking = []
    for seed in range(2):
        *_, (_, destroyed) = randomised(encoder, seed)
        for shown in scenes:
            games = [fixlip.Game(one, shown.image, shown.caption) for one in (encoder, destroyed)]
            blind = agreement_of_maps(*map(edges, games))
            assert blind.patches == blind.patches_absolute == pytest.approx(1.0) and blind.interactions is None
            maps = [fixlip.baselines.occlusion(game) for game in games]
            assert agreement_of_maps(maps[0], maps[0]).patches == pytest.approx(1.0)
            looking.append(agreement_of_maps(*maps).patches)
    assert abs(np.mean(looking)) < 0.2 and np.std(looking) < 0.4


def test_correlations_are_spearmans(rng):
    first, second = mosaic(), mosaic(seed=1)
    found = agreement_of_maps(first, second)
    pairs = [one.interactions[:49, 49:].ravel() for one in (first, second)]
    assert found.patches == pytest.approx(stats.spearmanr(first.values[:49], second.values[:49])[0])
    absolute = stats.spearmanr(*(np.abs(one.values[:49]) for one in (first, second)))[0]
    assert found.patches_absolute == pytest.approx(absolute)
    assert found.interactions == pytest.approx(stats.spearmanr(*pairs)[0])
    assert found.interactions_absolute == pytest.approx(stats.spearmanr(*np.abs(pairs))[0])
    turned = dataclasses.replace(first, attributions=-first.attributions, interactions=-first.interactions)
    found = agreement_of_maps(first, turned)
    assert (found.patches, found.patches_absolute) == pytest.approx((-1.0, 1.0))
    assert (found.interactions, found.interactions_absolute) == pytest.approx((-1.0, 1.0))


def test_constant_maps_have_a_number_too():
    some = mosaic()
    nothing = dataclasses.replace(some, attributions=np.zeros(53), interactions=np.zeros((53, 53)))
    nearly = dataclasses.replace(nothing, attributions=1 + 1e-7 * np.random.default_rng(0).normal(size=53))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for constant in (nothing, nearly):
            for pair in ((some, constant), (constant, some)):
                found = agreement_of_maps(*pair)
                assert (found.patches, found.patches_absolute, found.interactions) == (0.0, 0.0, 0.0)
        found = agreement_of_maps(nothing, nearly)
        assert dataclasses.astuple(found) == (1.0, 1.0, 1.0, 1.0)


def test_maps_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r"second: got 64 \+ 4 players, wanted 49 \+ 4, as the first has"):
        agreement_of_maps(mosaic(), mosaic(grid=(8, 8)))
