"""Encoders of one's own: the example of the docstring, what the check finds, and that everything takes them."""

import re
import textwrap
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import fixlip
from fixlip.encoders import protocol
from fixlip.encoders.images import read_image
from fixlip.encoders.masking import grid_regions, masked_pictures

TABLE = torch.from_numpy(np.random.default_rng(0).normal(size=(9, 300))).float()


def see(pictures):
    """A vision tower: mean colours of 7 x 7 cells, mixed; a blank picture has an embedding, too."""
    cells = torch.nn.functional.adaptive_avg_pool2d(pictures, 7).flatten(1)
    return torch.tanh(cells @ TABLE[:, : cells.shape[1]].T) + TABLE[:, 299]


def read(texts):
    """A text tower: words by their letters and places."""
    words = [[TABLE[:, (sum(map(ord, word)) + 7 * k) % 200] for k, word in enumerate(text.split())] for text in texts]
    return torch.stack([sum(found, start=TABLE[:, 298]) for found in words])


def unit(rows):
    return torch.nn.functional.normalize(rows, dim=1).numpy()


def example():
    """The class that the module's docstring shows, as it stands there."""
    code = re.search(r"    class Mine:.*?(?=\n    fixlip\.explain)", protocol.__doc__, re.DOTALL).group()
    scope = {"np": np, "torch": torch, "SimpleNamespace": SimpleNamespace, "see": see, "read": read, "unit": unit}
    scope |= {"read_image": read_image, "grid_regions": grid_regions, "masked_pictures": masked_pictures}
    exec(textwrap.dedent(code), scope)
    return scope["Mine"]


Mine = example()


@pytest.fixture(scope="module")
def image():
    return fixlip.emoji.scene(1).image


def test_the_example_passes_the_check():
    report = fixlip.check_encoder(Mine())
    assert report.ok and str(report).startswith("mine: all is well.\n  right: ")
    assert report.skipped == ("scale and bias: the encoder has no similarity(image, text) of the model's own.",)


def test_the_example_is_explained(image, tmp_path):
    samples = fixlip.sample(fixlip.Game(Mine(), image, "a cat next to it"), 64, progress=False)
    explanation = samples.explain()
    assert explanation.labels[48:51] == ("patch 7,7", "a", "cat") and explanation.subject.model == "mine"
    assert explanation.subject.image.shape == (224, 224, 3) and explanation._repr_mimebundle_()
    game = samples.game
    masks = np.random.default_rng(1).random((64, game.n_players)) < 0.5
    assert np.corrcoef(explanation.predict(masks), game(masks))[0, 1] > 0.7
    explanation.save(tmp_path / "mine.npz")
    assert fixlip.Explanation.load(tmp_path / "mine.npz").subject.text == "a cat next to it"


def test_grids_and_costs_take_the_example(image):
    from fixlip.api import cost

    grid = fixlip.explain_all(Mine(), [image], ["a cat", "two dogs"], budget=16, progress=False)
    assert grid.shape == (1, 2) and np.isfinite(grid.values).all()
    assert cost(Mine(), image, "a cat", budget=16).images == 16


def test_methods_that_look_inside_refuse_the_example_in_a_sentence(image):
    sentence = r"^encoder: mine \(Mine\) cannot be looked into; this method knows the layers of CLIP.* only\.$"
    for method in ("game", "grad-eclip", "gradient-input", "exclip", "metagame-game", "maskclip", "rollout"):
        with pytest.raises(ValueError, match=sentence):
            fixlip.explain(Mine(), image, "a cat", estimator=method)
    occlusion = fixlip.explain(Mine(), image, "a cat", estimator="occlusion")
    game = fixlip.Game(Mine(), image, "a cat")
    without = ~np.eye(game.n_players, dtype=bool)
    np.testing.assert_allclose(occlusion.attributions, game.full_value - game(without), atol=1e-3)


def test_inputs_of_the_example_are_told_apart(image):
    one, other = fixlip.Game(Mine(), image, "a cat"), fixlip.Game(Mine(), image, "a dog")
    assert one.subject.origins[0] == other.subject.origins[0] and one.subject.origins[1] != other.subject.origins[1]
    samples = fixlip.sample(one, 8, progress=False)
    with pytest.raises(ValueError, match="another caption"):
        samples.explain(order=1).subject.check_same(other)


def test_what_is_no_encoder_is_refused_in_a_sentence(image):
    class Half:
        name, scale, bias = "half", 1.0, 0.0

    with pytest.raises(
        TypeError, match=r"^encoder: got Half, wanted .*; it has no prepare_image, prepare_text, grid_of"
    ):
        fixlip.Game(Half(), image, "a cat")
    report = fixlip.check_encoder(Half())
    assert not report.ok and "has no prepare_image, prepare_text" in report.problems[0]


def changed(**parts):
    return type("Changed", (Mine,), parts)()


def images_as(change):
    """An encoder whose image embeddings are changed: `change(rows, pixels, masks)`."""

    def embed_images(self, pixels, masks, regions=None):
        yield change(next(Mine.embed_images(self, pixels, masks, regions)), pixels, masks)

    return changed(embed_images=embed_images)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows, *_: rows[:-1], "gave 1 embeddings for 2 masked images"),
        (lambda rows, *_: rows[0], r"gave a batch of shape \(9,\) for 2 masked images"),
        (lambda rows, *_: np.concatenate([rows, rows]), r"gave a batch of shape \(4, 9\) for 2 masked images"),
    ],
)
def test_a_game_says_which_embeddings_do_not_fit(image, change, told):
    game = fixlip.Game(images_as(change), image, "a cat")
    with pytest.raises(ValueError, match=f"^encoder: it {told}, wanted .*see fixlip.check_encoder"):
        game.embed_images(np.stack([np.zeros(49, bool), np.ones(49, bool)]))


# ---- what the check finds


def texts_as(change):
    def embed_texts(self, caption, masks):
        yield change(next(Mine.embed_texts(self, caption, masks)), caption, masks)

    return changed(embed_texts=embed_texts)


def normal(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def no_regions(self, pixels, masks):
    return Mine.embed_images(self, pixels, masks)


def columns_first(self, pixels, masks, regions=None):
    return Mine.embed_images(self, pixels, masks.reshape(-1, 7, 7).swapaxes(1, 2).reshape(-1, 49), regions)


def ignores_regions(self, pixels, masks, regions=None):
    if regions is not None:
        masks = masks[:, ::-1].copy()
    return Mine.embed_images(self, pixels, masks)


def breaks(self, caption, masks):
    raise RuntimeError("tower fell\nand more")


RANDOM = np.random.default_rng(0)
WRONG = {
    "scale": (changed(scale=float("nan")), "scale and bias are nan and 0, wanted finite numbers"),
    "one row": (images_as(lambda rows, *_: rows[:1]), r"embed_images: 5 masks gave shape \(1, 9\), wanted \(5, d\)"),
    "length": (images_as(lambda rows, *_: 2 * rows), "embed_images: embeddings have lengths from 2 to 2, wanted 1"),
    "almost": (
        texts_as(lambda rows, *_: 1.002 * rows),
        "lengths from 1.002 to 1.002, wanted 1 to within 0.001; divide",
    ),
    "finite": (texts_as(lambda rows, *_: rows * np.nan), "embed_texts: some embeddings are not finite"),
    "widths": (texts_as(lambda rows, *_: normal(rows[:, :8])), r"embeddings of different widths, \[8, 9\]"),
    "dropout": (
        images_as(lambda rows, *_: normal(rows + 0.01 * RANDOM.normal(size=rows.shape))),
        "embed_images: asked again, .* is dropout switched off",
    ),
    "batch": (
        texts_as(lambda rows, *_: normal(rows + 0.1 * rows.mean(0))),
        "embed_texts: a mask's embedding changes by .* with the others of its batch",
    ),
    "blind": (images_as(lambda rows, *_: rows * 0 + normal(np.ones((1, 9)))), "embed_images: masks change nothing"),
    "leak": (
        images_as(lambda rows, pixels, _: normal(rows + 0.1 * pixels.mean().item())),
        "embed_images: without any player two pictures still differ by",
    ),
    "text leak": (
        texts_as(lambda rows, caption, _: normal(rows + 0.01 * len(caption.text) + 0.1 * ("dog" in caption.text))),
        "embed_texts: without any player 'a cat next to a banana' and 'a dog next to a banana' still differ by",
    ),
    "columns first": (changed(embed_images=columns_first), "masks do not hide the pixels of their patch, row by row: "),
    "regions": (changed(embed_images=ignores_regions), "patches given as a label map differ from patches by"),
    "similarity": (changed(similarity=lambda self, image, text: 3.0), "but the model's own similarity is 3.0000"),
    "labels": (changed(prepare_text=lambda self, text: SimpleNamespace(text=text, labels=())), "prepare_text: wanted"),
    "view": (changed(prepare_image=lambda self, image: (torch.zeros(3, 9, 9), None)), "the view is no uint8 array"),
    "broken": (changed(embed_texts=breaks), "embed_texts raised RuntimeError: tower fell$"),
}


@pytest.mark.parametrize("what", WRONG)
def test_the_check_tells_what_is_wrong(what):
    encoder, sentence = WRONG[what]
    report = fixlip.check_encoder(encoder)
    assert not report.ok and any(re.search(sentence, problem) for problem in report.problems), report
    assert all("\n" not in problem for problem in report.problems) and "checks failed.\n  wrong: " in str(report)


def test_the_check_says_what_it_could_not_check():
    report = fixlip.check_encoder(changed(embed_images=no_regions, image_masking="blur"), texts=["a cat", "cat"])
    told = "\n".join(report.skipped)
    assert report.ok and "regions: embed_images takes none" in told
    assert '"blur" keeps colours' in told and "wanted two captions with as many tokens" in told


def test_an_encoder_in_training_is_found(tiny_clip):
    """A model whose dropout is on, as one may forget."""
    encoder = fixlip.load("emoji-clip", device="cpu")
    for layer in encoder.model.vision_model.encoder.layers:
        layer.self_attn.dropout = 0.3
    encoder.model.train()
    assert any("asked again" in problem for problem in fixlip.check_encoder(encoder).problems)
