"""On a GPU: the same embeddings, the same fit, the same explanation; and on any machine, what of it can be tested."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from toys import SmoothGame

import fixlip
from fixlip.estimators.bars import Check, Contribution
from fixlip.estimators.fits import relevances_of

NAMES = ("constant", "attributions", "interactions", "values", "value_stderr", "pair_stderr", "expected_faithfulness")
on_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device: what runs there is compared with the processor."
)


def moved(samples, device):
    """The same samples, to be fitted on another device."""
    sides = {name: replace(getattr(samples, name), device=device) for name in ("image_side", "text_side")}
    return replace(samples, **sides)


def check_same(found, right, tolerance):
    for name in NAMES:
        there, here = getattr(found, name), getattr(right, name)
        assert (there is None) == (here is None), name
        if here is not None:
            np.testing.assert_allclose(there, here, rtol=tolerance, atol=tolerance, err_msg=name)


@on_gpu
@pytest.mark.parametrize("budget", [128, 1300])  # of which 1,024 are centres
def test_a_fit_on_the_gpu_is_that_of_the_processor(budget):
    samples = fixlip.sample(SmoothGame(n_image=16, n_text=12, seed=3), budget, progress=False)
    there, masks = moved(samples, "cuda"), np.random.default_rng(0).random((40, 28)) < 0.5
    for side, right in ((there.image_side, samples.image_side), (there.text_side, samples.text_side)):
        # The search for relevances ends after 25 steps, which add up what rounding changes; so it is compared below.
        side.fits.get("relevances", partial(relevances_of, right))
    assert there.readout().image.derivatives(0.5)[0].device.type == "cuda"
    for asked in ({"p": 0.5}, {"p": 0.3, "order": 3}, {"index": "shapley"}):
        check_same(there.explain(**asked), samples.explain(**asked), 1e-6)
    both = [one.predict(masks, with_errors=True) for one in (there, samples)]
    np.testing.assert_allclose(*both, rtol=1e-6, atol=1e-6)


@on_gpu
def test_relevances_found_on_the_gpu_are_those_of_the_processor():
    samples = fixlip.sample(SmoothGame(n_image=16, n_text=12, seed=3), 128, progress=False)
    here, there = (relevances_of(one.image_side) for one in (samples, moved(samples, "cuda")))
    np.testing.assert_allclose(there.rho, here.rho, rtol=1e-3, atol=1e-6)
    assert there.noise == pytest.approx(here.noise, rel=1e-3)
    check_same(moved(samples, "cuda").explain(), samples.explain(), 1e-4)


@on_gpu
@pytest.mark.parametrize("image_masking", ["zero", "blur", "drop"])
def test_embeddings_on_the_gpu_are_those_of_the_processor(image_masking):
    scene, found = fixlip.emoji.scene(3), []
    for device in ("cpu", "cuda"):
        encoder = fixlip.load("emoji-clip", device=device, image_masking=image_masking, batch_size=32)
        game = fixlip.Game(encoder, scene.image, scene.caption)
        masks = [np.random.default_rng(n).random((100, n)) < 0.5 for n in (game.n_image, game.n_text)]
        found.append((game.embed_images(masks[0]), game.embed_texts(masks[1])))
    for here, there in zip(*found, strict=True):
        # cuDNN cuts patches with 10 bits of precision (TF32), unless it is told not to.
        np.testing.assert_allclose(there, here, atol=2e-3)


@on_gpu
def test_an_explanation_on_the_gpu_from_picture_to_report():
    scene, found = fixlip.emoji.scene(3), {}
    for device in ("cpu", "cuda"):
        encoder = fixlip.load("emoji-clip", device=device)
        assert encoder.device.type == device and encoder.batch_size == {"cpu": 64, "cuda": 512}[device]
        found[device] = fixlip.explain(encoder, scene.image, scene.caption, budget=256, progress=False)
    assert all(np.isfinite(getattr(found["cuda"], name)).all() for name in NAMES)
    assert np.corrcoef(found["cuda"].values, found["cpu"].values)[0, 1] > 0.999
    assert found["cuda"].expected_faithfulness == pytest.approx(found["cpu"].expected_faithfulness, abs=0.01)


# ---- on any machine


def test_memory_that_runs_out_while_patches_are_dropped_costs_no_mask(monkeypatch):
    scene = fixlip.emoji.scene(3)
    first, second = (fixlip.load("emoji-clip", device="cpu", image_masking="drop", batch_size=4) for _ in range(2))
    masks = np.random.default_rng(0).random((40, 49)) < 0.5
    pixels = first.prepare_image(scene.image)[0]
    right = np.concatenate(list(first.embed_images(pixels, masks)))
    forward, calls = second.model.vision_model.encoder.forward, []

    def scarce(*given, **named):
        calls.append(len(named["inputs_embeds"]))
        if len(calls) == 15:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(*given, **named)

    monkeypatch.setattr(second.model.vision_model.encoder, "forward", scarce)
    found = list(second.embed_images(pixels, masks))
    assert second.batch_size == 2 and max(calls[:15]) > 2 >= max(calls[15:])
    # As many at a time came over as before, whatever the number of groups: a GPU is asked once for each of these.
    assert [len(batch) for batch in found] == [16, 16, 8]
    np.testing.assert_allclose(np.concatenate(found), right, atol=1e-6)


def test_factors_of_pairs_with_each_word_are_those_of_one_word_after_the_other():
    """All at once as products of matrices, which a GPU does without being asked for every word."""
    samples = fixlip.sample(SmoothGame(n_image=16, n_text=5, seed=3), 64, progress=False)
    readout = samples.readout()
    own, other, weights = readout.image, readout.text, readout.weights_at(0.5, 0)
    added, of_single, found = Contribution(own, other, 0.5, 0.5, weights), own.influence(0.5)[1], []
    h = (torch.as_tensor(own.masks, dtype=torch.float64) - 0.5) / 0.25
    for direction in other.derivatives(0.5)[1]:
        missed, check = (own.left_out @ direction)[:, None], Check(weights)
        form = direction @ own.covariance @ direction
        expected = (own.expected @ of_single.square()).sum() * form
        posterior = own.variances(0.5).single.sum() * form
        check.add(of_single * missed, expected, weights[:, None] * h * missed, posterior)
        found.append(check.factor())
    np.testing.assert_allclose(added._cross_factors(), found, rtol=1e-12)
    assert len(set(found)) == 5
