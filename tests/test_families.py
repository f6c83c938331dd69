"""Every family of transformers: small models with tokenizers trained here, saved and loaded as a user's folder."""

import numpy as np
import pytest
import small_models
import torch
from PIL import Image

import fixlip
from fixlip.concepts import Study
from fixlip.metrics.randomisation import randomised

VITS = [family for family in small_models.FAMILIES if family != "align"]
BERTS = ("altclip", "chinese_clip", "align")
CAPTION = "a Cat next to the Ball"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a small model of a family, made once."""
    made = {}

    def make(family):
        if family not in made:
            made[family] = small_models.save(family, tmp_path_factory.mktemp(family))
        return made[family]

    return make


def photo(size=(90, 60)):
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))


def own_similarity(place, family, image, text):
    """What transformers alone says, by its Auto classes and the processor's own call."""
    from transformers import AutoModel, AutoProcessor

    model, processor = AutoModel.from_pretrained(place).eval(), AutoProcessor.from_pretrained(place, backend="pil")
    padded = {"padding": "max_length", "max_length": 28, "padding_side": "right"} if "siglip" in family else {}
    if family == "siglip2-fixed":
        text = text.lower()  # as it was trained; Gemma's tokenizer alone keeps capitals
    images = processor.image_processor(images=image, return_tensors="pt")
    texts = processor.tokenizer([text], return_tensors="pt", **padded)
    if padded:
        texts = {"input_ids": texts["input_ids"]}  # padding is attended to, as SigLIP was trained
    with torch.no_grad():
        return model(**images, **texts).logits_per_image.item()


@pytest.mark.parametrize("family", small_models.FAMILIES)
def test_a_saved_model_passes_the_check_and_gives_its_own_similarity(folder, family):
    encoder = fixlip.load(folder(family), device="cpu")
    report = fixlip.check_encoder(encoder)
    assert report.ok and not report.skipped, report
    game = fixlip.Game(encoder, photo(), CAPTION)
    assert game.full_value == pytest.approx(own_similarity(folder(family), family, photo(), CAPTION), abs=1e-4)
    assert game.grid == {"siglip2": (5, 7)}.get(family, (7, 7)) and all(label.strip() for label in game.labels)
    whole = next(encoder.embed_captions([encoder.prepare_text(CAPTION), encoder.prepare_text("a cat")]))
    np.testing.assert_allclose(whole[:1], game.embed_texts(np.ones((1, game.n_text), bool)), atol=1e-6)
    alone = next(encoder.embed_captions([encoder.prepare_text("a cat")]))
    np.testing.assert_allclose(whole[1:], alone, atol=1e-6)


@pytest.mark.parametrize("family", ["metaclip_2", *BERTS])
def test_a_removed_token_was_never_there(folder, family):
    encoder = fixlip.load(folder(family), device="cpu", text_masking="remove")
    caption = encoder.prepare_text(CAPTION)
    ids = torch.cat([caption.input_ids[:2], caption.input_ids[3:]])
    masks = np.ones((2, len(caption.labels)), bool)
    masks[0, 1] = False  # a shorter and a longer one in one batch
    removed = next(encoder.embed_texts(caption, masks))
    never = next(encoder.embed_texts(encoder.caption(ids), np.ones((1, len(ids) - 2), bool)))
    np.testing.assert_allclose(removed[:1], never, atol=1e-6)


@pytest.mark.parametrize("family", ["metaclip_2", "siglip2", *BERTS])
def test_tokenizers_with_an_unknown_token_may_put_it_for_a_removed_one(folder, family):
    encoder = fixlip.load(folder(family), device="cpu", text_masking="unknown")
    caption = encoder.prepare_text("a cat")
    assert caption.unknown_id == encoder.processor.tokenizer.unk_token_id
    hidden, whole = next(
        encoder.embed_texts(caption, np.array([[False] * len(caption.labels), [True] * len(caption.labels)]))
    )
    assert np.abs(hidden - whole).max() > 1e-4


@pytest.mark.parametrize("family", ["siglip2-fixed", "siglip2"])
def test_siglip_2_reads_small_letters_as_it_was_trained(folder, family):
    from transformers import Siglip2Tokenizer

    encoder = fixlip.load(folder(family), device="cpu")
    caption = encoder.prepare_text("A Dog and two Cats")
    tokenizer = small_models.gemma(Siglip2Tokenizer)
    expected = tokenizer("a dog and two cats", padding="max_length", max_length=28, padding_side="right")["input_ids"]
    assert caption.input_ids.tolist() == expected and caption.text == "A Dog and two Cats"
    assert caption.input_ids[len(caption.labels)] == 1 and not caption.input_ids[len(caption.labels) + 1 :].any()
    assert "".join(caption.labels) == "adogandtwocats"


def test_labels_are_what_readers_call_tokens(folder):
    encoder = fixlip.load(folder("chinese_clip"), device="cpu")
    assert encoder.prepare_text("\u7ea2\u8272\u732b").labels == ("\u7ea2", "\u8272", "\u732b")
    assert "".join(encoder.prepare_text("butterflies").labels) == "butterflies"
    with pytest.raises(ValueError, match=r"the caption holds '\[SEP\]', a special token"):
        encoder.prepare_text("a [SEP] cat")
    with pytest.raises(ValueError, match="has 30 tokens, .* reads at most 26"):
        encoder.prepare_text("cat " * 30)


@pytest.mark.parametrize("ids", [[2, 9], [2, 0, 9, 3], [[2, 9, 3]], [2, *[9] * 30, 3]])
def test_token_ids_that_bert_does_not_read_are_refused(folder, ids):
    encoder = fixlip.load(folder("chinese_clip"), device="cpu")
    assert encoder.caption(torch.tensor([2, 9, 3, 0, 0])).input_ids.tolist() == [2, 9, 3]
    with pytest.raises(ValueError, match="input_ids: got shape"):
        encoder.caption(torch.tensor(ids))


# ---- any resolution


@pytest.mark.parametrize("size", [(60, 60), (160, 40), (40, 160), (3, 90)])
def test_pictures_of_any_resolution_have_grids_of_their_own(folder, size):
    encoder = fixlip.load(folder("siglip2"), device="cpu")
    game = fixlip.Game(encoder, photo(size), "a cat")
    rows, columns = game.grid
    assert rows * columns == game.n_image <= 36 and (rows > columns) == (size[1] > size[0])
    assert game.labels[game.n_image - 1] == f"patch {rows},{columns}" and game.subject.grid == game.grid
    height, width = game.image.shape[:2]
    assert width / height == pytest.approx(columns / rows, rel=0.03)
    assert game.full_value == pytest.approx(
        own_similarity(folder("siglip2"), "siglip2", photo(size), "a cat"), abs=1e-4
    )
    again = fixlip.Game.from_inputs(encoder, game.inputs[0], game.inputs[1].input_ids)
    assert again.grid == game.grid and again.full_value == pytest.approx(game.full_value, abs=1e-5)
    with pytest.raises(
        ValueError, match=r"pixel_values: got shape .*, wanted \(3, height, width\) in whole patches of 8"
    ):
        fixlip.Game.from_inputs(encoder, torch.zeros(3, 8, 9), game.inputs[1].input_ids)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["siglip2", "align"])
def test_other_towers_are_explained_from_end_to_end(folder, family, tmp_path):
    encoder = fixlip.load(folder(family), device="cpu")
    explanation = fixlip.explain(encoder, photo(), "a cat", budget=16, progress=False)
    assert explanation.subject.grid == fixlip.Game(encoder, photo(), "a cat").grid
    assert explanation._repr_mimebundle_() and explanation.n_image == explanation.grid[0] * explanation.grid[1]


@pytest.mark.parametrize("family", ["siglip2", "align", "altclip"])
def test_methods_that_look_inside_refuse_what_they_do_not_know(folder, family):
    encoder = fixlip.load(folder(family), device="cpu")
    for method in ("game", "metagame-grad-eclip"):
        with pytest.raises(ValueError, match=rf"^encoder: .* \({family}\) cannot be looked into; this method knows"):
            fixlip.explain(encoder, photo(), "a cat", estimator=method)
    with pytest.raises(ValueError, match="cannot be looked into"):
        randomised(encoder)
    with pytest.raises(ValueError, match="cannot be looked into"):
        Study(encoder, ["cat", "dog"], ["red", "old"])
    assert fixlip.explain(encoder, photo(), "a cat", estimator="occlusion").order == 1


def test_metaclip_2_can_be_looked_into(folder):
    encoder = fixlip.load(folder("metaclip_2"), device="cpu")
    for method in ("game", "grad-eclip", "gradient-input"):
        assert np.isfinite(fixlip.explain(encoder, photo(), "a cat", estimator=method).attributions).all()


# ---- dropping


def eager(model, pixels, mask):
    """A vision transformer by hand, absent patches masked out of every attention: its embedding, of any length."""
    vision = model.vision_model
    flexible = hasattr(vision.embeddings, "num_patches") and not hasattr(vision.embeddings, "num_positions")
    if flexible:
        rows, columns = pixels.shape[1] // 8, pixels.shape[2] // 8
        cut = [
            pixels[:, 8 * r : 8 * r + 8, 8 * c : 8 * c + 8].permute(1, 2, 0).flatten()
            for r in range(rows)
            for c in range(columns)
        ]
        x = vision.embeddings(torch.stack(cut)[None], torch.tensor([[rows, columns]]))[0]
    else:
        x = vision.embeddings(pixels[None])[0]
    leading = len(x) - len(mask)
    absent = torch.cat([torch.zeros(leading, dtype=torch.bool), ~torch.from_numpy(mask)])
    hide = torch.where(absent, -torch.inf, 0.0)
    if leading:
        x = vision.pre_layrnorm(x)
    for layer in vision.encoder.layers:
        normed, att = layer.layer_norm1(x), layer.self_attn
        heads = [
            part.unflatten(-1, (4, -1)).transpose(0, 1)
            for part in (att.q_proj(normed), att.k_proj(normed), att.v_proj(normed))
        ]
        weights = (heads[0] @ heads[1].transpose(1, 2) / heads[0].shape[-1] ** 0.5 + hide).softmax(-1)
        x = x + att.out_proj((weights @ heads[2]).transpose(0, 1).flatten(1))
        x = x + layer.mlp(layer.layer_norm2(x))
    if leading:
        return model.visual_projection(vision.post_layernorm(x[0]))
    x, head = vision.post_layernorm(x), vision.head
    q, k, v = (
        torch.nn.functional.linear(part, w, b).unflatten(-1, (4, -1)).transpose(0, 1)
        for part, w, b in zip(
            (head.probe[0], x, x),
            head.attention.in_proj_weight.chunk(3),
            head.attention.in_proj_bias.chunk(3),
            strict=True,
        )
    )
    weights = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5 + hide).softmax(-1)
    x = head.attention.out_proj((weights @ v).transpose(0, 1).flatten(1))
    return (x + head.mlp(head.layernorm(x)))[0]


@pytest.mark.parametrize("family", VITS)
def test_dropping_is_masking_attention(folder, family, rng):
    encoder = fixlip.load(folder(family), device="cpu", image_masking="drop", batch_size=3)
    pixels, _ = encoder.prepare_image(photo())
    n = int(np.prod(encoder.grid_of(pixels)))
    masks = rng.random((17, n)) < rng.random((17, 1))
    masks[:, 5], masks[0], masks[1] = True, True, np.arange(n) == 3
    found = np.concatenate(list(encoder.embed_images(pixels, masks)))
    with torch.no_grad():
        expected = torch.nn.functional.normalize(
            torch.stack([eager(encoder.model, pixels, mask) for mask in masks]), dim=-1
        )
    np.testing.assert_allclose(found, expected, atol=1e-5)
    whole = next(fixlip.load(folder(family), device="cpu").embed_images(pixels, masks[:1]))
    np.testing.assert_allclose(found[:1], whole, atol=1e-5)


@pytest.mark.parametrize("family", ["clip", "siglip", "siglip2"])
def test_nothing_is_left_when_every_patch_is_dropped(folder, family):
    encoder = fixlip.load(folder(family), device="cpu", image_masking="drop")
    report = fixlip.check_encoder(encoder)
    assert report.ok and "embed_images: an empty picture is empty." in report.passed
    pixels, _ = encoder.prepare_image(photo())
    n = int(np.prod(encoder.grid_of(pixels)))
    (empty,) = next(encoder.embed_images(pixels, np.zeros((1, n), bool)))
    if family == "clip":
        with torch.no_grad():
            expected = torch.nn.functional.normalize(eager(encoder.model, pixels, np.zeros(n, bool)), dim=0)
    else:  # the pooling's weighted sum of nothing is zero
        head = encoder.model.vision_model.head
        with torch.no_grad():
            pooled = head.attention.out_proj(torch.zeros(1, 32))
            expected = torch.nn.functional.normalize((pooled + head.mlp(head.layernorm(pooled)))[0], dim=0)
    np.testing.assert_allclose(empty, expected, atol=1e-5)


def test_a_convolutional_tower_has_no_patches_to_drop(folder):
    with pytest.raises(ValueError, match='^image_masking: .* has a convolutional vision tower, .*use "zero", "mean"'):
        fixlip.load(folder("align"), device="cpu", image_masking="drop")


# ---- regions


@pytest.mark.parametrize("how", ["zero", "mean", "blur", "drop"])
def test_a_label_map_of_patches_is_patches_bit_for_bit(how, rng):
    encoder = fixlip.load("emoji-clip", device="cpu", image_masking=how)
    pixels, _ = encoder.prepare_image(fixlip.emoji.scene(3).image)
    labels = np.arange(49).reshape(7, 7).repeat(16, 0).repeat(16, 1)
    masks = rng.random((9, 49)) < 0.5
    given, own = (np.concatenate(list(encoder.embed_images(pixels, masks, *more))) for more in ((labels,), ()))
    np.testing.assert_array_equal(given, own)
    # Players in any order, and one of them of several patches.
    coarse = np.where(labels < 14, 1, np.where(labels == 30, 2, 0))
    asked, patches = np.array([[True, False, True]]), np.ones((1, 49), bool)
    patches[:, :14] = False
    given, own = next(encoder.embed_images(pixels, asked, coarse)), next(encoder.embed_images(pixels, patches))
    np.testing.assert_array_equal(given, own)


def test_label_maps_that_do_not_fit_are_refused_in_a_sentence():
    encoder = fixlip.load("emoji-clip", device="cpu")
    pixels, _ = encoder.prepare_image(fixlip.emoji.scene(3).image)
    with pytest.raises(ValueError, match=r"^regions: got a label map of shape \(7, 7\), wanted \(112, 112\)"):
        next(encoder.embed_images(pixels, np.ones((1, 2), bool), np.zeros((7, 7), int)))
    with pytest.raises(ValueError, match="^regions: got labels from 0 to 5, wanted 0 to 1 or -1"):
        next(encoder.embed_images(pixels, np.ones((1, 2), bool), np.full((112, 112), 5) - np.eye(112, dtype=int) * 5))
    encoder = fixlip.load("emoji-clip", device="cpu", image_masking="drop")
    halves = (np.arange(112) > 40).astype(int) + np.zeros((112, 1), int)
    with pytest.raises(ValueError, match='^image_masking: with "drop" every region must be made of whole patches'):
        next(encoder.embed_images(pixels, np.ones((1, 2), bool), halves))


@pytest.mark.parametrize(
    ("family", "size"), [("clip", (90, 60)), ("siglip", (90, 60)), ("siglip2", (90, 60)), ("align", (64, 64))]
)
def test_a_label_map_of_a_picture_goes_where_its_pixels_go(folder, family, size):
    """A picture made of its own labels, prepared, shows the labels that were brought over."""
    encoder = fixlip.load(folder(family), device="cpu")
    labels = np.add.outer(np.arange(size[1]) * 6 // size[1], np.arange(size[0]) * 9 // size[0] * 6)
    pixels, _ = encoder.prepare_image(np.repeat((labels * 4)[..., None], 3, axis=2).astype(np.uint8))
    found = encoder.labels_on_pixels(labels, pixels)
    images = encoder.processor.image_processor
    shown = (pixels.numpy()[0] * images.image_std[0] + images.image_mean[0]) * 255 / 4
    assert found.shape == pixels.shape[1:] and np.mean(np.abs(shown - found) < 3) > 0.7
