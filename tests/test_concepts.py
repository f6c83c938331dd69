"""Mutual knowledge: the published code's results (tests/oracles), other people's libraries, and enumeration."""

import itertools
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from sklearn.metrics import adjusted_rand_score, mutual_info_score
from toys import ORACLES

import fixlip
from fixlip.concepts import MEASURES, Bank, Classes, Overlap, Settings, Study, Totals
from fixlip.concepts.embeddings import cache_folder, class_embeddings, embed_phrases
from fixlip.concepts.overlap import area, chance_curve, curve, deletion
from fixlip.concepts.patches import (
    components,
    ellipse_around,
    largest_components,
    part_components,
    parts_of,
    patch_features,
    prominent_patches,
)
from fixlip.concepts.regions import embed_regions, prompted
from fixlip.concepts.words import candidates, of_class, transport_plan, words_of_regions
from fixlip.encoders.huggingface import Encoder


@pytest.fixture(scope="module")
def published(oracle):
    return oracle("mutual_knowledge")


@pytest.fixture(scope="module", params=["emoji-clip", "emoji-siglip"])
def study(request):
    return Study(fixlip.load(request.param), Classes.emoji(), Bank.emoji(), cache=False)


# ---- measures of overlap


def test_the_overlap_score_is_the_published_number(published):
    for (one, other), value in zip(json.loads(str(published["mi_cases"])), published["mi_values"], strict=True):
        # The published code adds 1e-9 inside its logarithms.
        assert Overlap.of(one, other, 200).overlap_score == pytest.approx(value, abs=1e-7)


def test_deletion_and_its_area_are_the_published_ones(published):
    order = np.argsort(-published["del_scores"])
    ids = published["del_concept_ids"][order].tolist()
    for c, k in itertools.product(range(3), (8, 15)):
        similarities = published["del_weight_dissection"][c]
        steps = deletion(ids, of_class(similarities, k), len(similarities))
        found = curve(steps, "overlap score")
        np.testing.assert_allclose(found, published[f"del_curve_c{c}_k{k}"], atol=1e-7)
        assert area(found) == pytest.approx(float(published[f"del_auc_c{c}_k{k}"]), abs=1e-7)


def test_the_published_score_is_no_mutual_information():
    """Its sign error: it exceeds the entropy of either set's indicator, and what sets of this size can have."""
    same = Overlap.of(range(6), range(6), 40)
    assert same.overlap_score == pytest.approx(3 * np.log(6)) and same.information <= np.log(2)
    assert same.overlap_score > np.log(6)  # the most that formula (1) can give


@pytest.mark.parametrize("bank", [3, 8, 40])
def test_information_is_that_of_two_indicators(bank, rng):
    for _ in range(20):
        one, other = rng.random((2, bank)) < rng.random((2, 1))
        found = Overlap.of(np.flatnonzero(one).tolist(), np.flatnonzero(other).tolist(), bank)
        assert found.information == pytest.approx(mutual_info_score(one, other), abs=1e-12)
        union = (one | other).sum()
        assert found.jaccard == pytest.approx((one & other).sum() / union if union else 0)
    assert Overlap(bank // 2, bank // 2, bank // 2, bank).information > 0
    assert Overlap(4, 4, 2, 8).information == pytest.approx(0, abs=1e-12)  # as many as chance gives


@pytest.mark.parametrize("measure", MEASURES)
def test_chance_counts_every_permutation(measure):
    bank, language, visual = 7, {0, 2, 5}, (0, 1, 2, 6)
    values = [Overlap.of(one, language, bank).measured(measure) for one in itertools.combinations(range(bank), 4)]
    chance = Overlap.of(visual, language, bank).chance(measure)
    assert (chance.mean, chance.std) == pytest.approx((np.mean(values), np.std(values)))
    shared = [len(language & set(one)) for one in itertools.combinations(range(bank), 4)]
    assert chance.p_value == pytest.approx(np.mean(np.array(shared) >= 2))
    orders = [curve(deletion(one, language, bank), measure) for one in itertools.permutations(range(bank), 4)]
    np.testing.assert_allclose(chance_curve(deletion(visual, language, bank), measure), np.mean(orders, axis=0))


def test_overlaps_that_no_two_sets_have_are_refused():
    for numbers in ((3, 3, 4, 10), (3, 3, 0, 5), (11, 3, 3, 10), (-1, 3, 0, 10)):
        with pytest.raises(ValueError, match="overlap: got"):
            Overlap(*numbers)
    with pytest.raises(ValueError, match="got concept 9, wanted numbers from 0 to 8"):
        Overlap.of([9], [1], 9)
    with pytest.raises(ValueError, match="each concept once"):
        deletion([1, 1], [1], 9)
    with pytest.raises(ValueError, match="measure: got 'mi', wanted one of information, overlap score, jaccard"):
        Overlap(1, 1, 1, 2).measured("mi")
    assert Overlap(0, 3, 0, 9).measured("jaccard") == 0 and Overlap(0, 0, 0, 9).jaccard == 0


# ---- patches


def test_tokens_are_the_published_ones(published, tiny_clip, oracle):
    encoder, inputs = Encoder(tiny_clip), oracle("inputs")
    for i, pixels in enumerate(inputs["pixel_values"]):
        features, embedding = patch_features(encoder, torch.from_numpy(pixels))
        np.testing.assert_allclose(features, published["tokens"][i], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(embedding, inputs["image_embeds"][i], atol=1e-5)


def test_components_and_prominent_patches_are_the_published_ones(published):
    tokens = published["tokens"].astype(float)
    flat = tokens.reshape(-1, tokens.shape[-1])
    np.testing.assert_allclose(components(flat, "pca", 3, scaled=True), published["pca_feat_neg0"], atol=1e-5)
    np.testing.assert_allclose(components(flat, "pca", 3), published["pca_feat_neg1"], atol=1e-3)
    found, wanted = components(flat, "svd", 3, scaled=True), published["svd_feat"]
    np.testing.assert_allclose(found[:, 1:], wanted[:, 1:], atol=1e-5)
    # The first has one sign everywhere, which is by chance; nothing is read off it.
    assert min(np.abs(found - wanted)[:, 0].max(), np.abs(1 - found - wanted)[:, 0].max()) < 1e-5
    for threshold, name in ((None, "fg_neg1"), (0.5, "fg_neg0")):
        masks = prominent_patches(tokens, (7, 7), "pca", threshold, together=True)
        np.testing.assert_array_equal(masks.reshape(3, 7, 7), published[name])


def test_parts_are_the_published_ones(published):
    tokens, prominent = published["tokens"].astype(float), published["fg_neg1"].reshape(3, 49)
    np.testing.assert_allclose(part_components(tokens[prominent], 4), published["part_feats"], atol=1e-4)
    parts = parts_of(tokens, prominent, 4)
    np.testing.assert_array_equal(parts[prominent], published["part_argmax"])
    assert (parts[~prominent] == -1).all()


def test_prominent_patches_by_svd_are_the_second_eigenvector_of_the_affinity(rng):
    """As the paper says it: of f f^T, with features of length one, and its sign."""
    features = rng.normal(size=(1, 35, 8)) + np.where(np.arange(35) < 9, 3.0, -1.0)[:, None] * rng.normal(size=8)
    unit = features[0] / np.linalg.norm(features[0], axis=1, keepdims=True)
    vector = np.linalg.eigh(unit @ unit.T)[1][:, -2]
    side = vector > 0 if (vector > 0).mean() <= 0.5 else vector < 0
    wanted = largest_components(side.reshape(5, 7)).ravel()
    np.testing.assert_array_equal(prominent_patches(features, (5, 7))[0], wanted)


def test_kmeans_finds_what_there_is_up_to_relabelling(rng):
    centres, labels = rng.normal(size=(3, 10)) * 5, rng.integers(0, 3, size=(2, 20))
    features = centres[labels] + 0.05 * rng.normal(size=(2, 20, 10))
    everywhere = np.ones((2, 20), bool)
    for seed in range(3):
        found = parts_of(features, everywhere, 3, "kmeans", seed)
        assert adjusted_rand_score(labels.ravel(), found.ravel()) == 1


def test_components_touch_at_corners_and_a_small_second_one_is_left_out():
    mask = np.array([[1, 0, 0, 1, 1], [0, 1, 0, 1, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 0]], bool)
    np.testing.assert_array_equal(largest_components(mask), mask & (np.arange(5)[:, None] < 4))
    larger = mask.copy()
    larger[4, 4] = True
    np.testing.assert_array_equal(largest_components(larger), larger)
    assert not largest_components(np.zeros((3, 4), bool)).any()


@pytest.mark.parametrize("architecture", ["tiny_clip", "tiny_siglip"])
def test_keys_have_no_bias_and_no_class_token(architecture, oracle):
    from transformers import AutoModel

    model = AutoModel.from_pretrained(ORACLES / architecture).eval()
    pixels = torch.from_numpy(oracle("inputs" if architecture == "tiny_clip" else "siglip_game")["pixel_values"])
    pixels = pixels.reshape(-1, *pixels.shape[-3:])[0]
    last, seen = model.vision_model.encoder.layers[-1].self_attn, []
    hook = last.k_proj.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    with torch.no_grad():
        output = model.vision_model(pixel_values=pixels[None])
    hook.remove()
    wanted = (seen[0][0] @ last.k_proj.weight.T).detach().numpy()
    encoder = Encoder(model)
    n = encoder.grid[0] * encoder.grid[1]
    features, _ = patch_features(encoder, pixels, "keys")
    np.testing.assert_allclose(features, wanted[-n:], atol=2e-5)
    tokens, _ = patch_features(encoder, pixels)
    if architecture == "tiny_siglip":  # its last normalised states are an output of the model
        normalised = model.vision_model.post_layernorm(torch.from_numpy(tokens).float())
        torch.testing.assert_close(normalised, output.last_hidden_state[0], atol=2e-5, rtol=1e-4)


# ---- regions


def test_an_ellipse_is_found_again():
    rows, columns = np.mgrid[:40, :60] + 0.5
    x, y, turn = columns - 33, rows - 18, 0.5
    along, across = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    found = ellipse_around((along / 20) ** 2 + (across / 9) ** 2 <= 1)
    np.testing.assert_allclose(found.centre * (60, 40), (33, 18), atol=0.1)
    lengths = np.sort(np.linalg.norm(found.axes * (60, 40), axis=1))
    np.testing.assert_allclose(lengths, (9, 20), atol=0.2)
    with pytest.raises(ValueError, match="wanted at least one"):
        ellipse_around(np.zeros((3, 3), bool))


def test_prompts_leave_the_inside_as_it_is(rng):
    picture = Image.fromarray(rng.integers(0, 255, (112, 112, 3), dtype=np.uint8))
    region = np.zeros((7, 7), bool)
    region[2:4, 1:5] = True
    ellipse, grey, blur = (np.asarray(one) for one in prompted(picture, ellipse_around(region)))
    original = np.asarray(picture)
    red = (ellipse == (255, 0, 0)).all(2)
    assert 60 < red.sum() < 300  # a closed line, one pixel wide
    assert (ellipse[~red] == original[~red]).all()
    labels, count = ndimage.label(~red)
    assert count == 2
    inside = labels == labels[48, 48]
    for one in (grey, blur):
        assert (one[inside] == original[inside]).all()
    assert (np.ptp(grey[~inside & ~red], axis=1) == 0).all()
    assert blur[~inside & ~red].std() < 0.7 * original[~inside & ~red].std()
    assert abs(np.argwhere(inside)[:, 1].mean() - 48) < 2 and abs(np.argwhere(inside)[:, 0].mean() - 48) < 2


def test_regions_are_embedded_in_both_ways(study):
    encoder = study.encoder
    pixels, shown = encoder.prepare_image(fixlip.emoji.scene(3).image)
    regions = [np.arange(49) < 10, np.arange(49) > 40]
    alone = embed_regions(encoder, shown, pixels, regions, "patches")
    np.testing.assert_allclose(alone, np.concatenate(list(encoder.embed_images(pixels, np.array(regions)))), atol=1e-6)
    side = encoder.image_size
    drawn = prompted(Image.fromarray(shown).resize((side, side), 1), ellipse_around(regions[0].reshape(7, 7)))
    everything = np.ones((1, 49), bool)
    each = [list(encoder.embed_images(encoder.prepare_image(one)[0], everything))[0][0] for one in drawn]
    np.testing.assert_allclose(embed_regions(encoder, shown, pixels, regions)[0], np.mean(each, axis=0), atol=1e-5)


# ---- words


@pytest.mark.parametrize("regularisation", [1.0, 0.1])
def test_the_transport_is_the_published_one(published, regularisation):
    found = transport_plan(published["sinkhorn_logits"].astype(float), regularisation)
    np.testing.assert_allclose(found, published[f"sinkhorn_lam{regularisation}"], atol=1e-5)
    assert np.isfinite(transport_plan(1000 * published["sinkhorn_logits"].astype(float), 0.01)).all()


def test_candidates_are_in_all_lists_or_in_any():
    similarities = np.array([[0.9, 0.8, 0.7, 0.1, 0.0], [0.1, 0.8, 0.9, 0.7, 0.0]])
    assert candidates(similarities, 3, 2).tolist() == [1, 2]
    assert candidates(similarities, 3, 3).tolist() == [0, 1, 2, 3]  # too few are in both
    assert candidates(similarities, 100, 3).tolist() == [0, 1, 2, 3, 4]
    relevance = np.array([0.1, 0.5, 0.5, 0.1, 0.9])
    assert candidates(similarities, 3, 2, relevance).tolist() == [1, 2]
    assert candidates(similarities, 3, 3, relevance).tolist() == [0, 1, 2, 3]  # it would leave two
    assert candidates(similarities, 5, 3, relevance).tolist() == [1, 2, 4]


def test_transport_gives_a_word_to_the_region_that_it_tells_apart():
    similarities = np.array([[0.9, 0.85, 0.1], [0.9, 0.2, 0.3]])
    assert words_of_regions(similarities, 1, transport=False) == ((0,), (0,))
    assert words_of_regions(similarities, 1, most=3) == ((1,), (2,))
    assert words_of_regions(similarities[:1], 2) == ((0, 1),)  # with one region there is nothing to share out
    assert words_of_regions(np.zeros((0, 3)), 2) == ()
    assert words_of_regions(similarities, 9, transport=False)[0] == (0, 1, 2)


# ---- banks and classes


def test_a_bank_is_a_plain_text_file(tmp_path):
    path = tmp_path / "bank.txt"
    path.write_text("\ufeff# mine\n\nstripes\n[colours]\n  red   fur \nblue\n#x\nstripes\n", encoding="utf-8")
    bank = Bank.read(path)
    assert bank == Bank(("stripes", "red fur", "blue"), ("", "colours", "colours"), "bank")
    assert (bank.group("colours"), len(bank)) == ((1, 2), 3)
    assert Bank(["a fox", "foxglove", "Fox tail", "leaf"]).without(Classes(["fox"])).phrases == ("foxglove", "leaf")
    assert bank.digest != Bank(("blue", "red fur", "stripes")).digest


def test_the_embedded_bank_and_classes_hold_words_that_the_models_know():
    from fixlip.emoji.notes import unknown_words
    from fixlip.emoji.scenes import COLOURS, vocabulary

    bank, classes = Bank.emoji(), Classes.emoji()
    assert tuple(bank.phrases[k] for k in bank.group("objects")) == vocabulary()
    assert len(bank.group("backgrounds")) == len(COLOURS) and len(bank) == 56
    named = [word for (one,) in classes.prompts for word in one.split() if word in vocabulary()]
    assert sorted(named) == sorted(vocabulary())
    assert not any(unknown_words(one) for one in (*bank.phrases, *(p for (p,) in classes.prompts)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "bank: it is empty; wanted two different phrases at least"),
        ("# nothing\n[here]\n", "bank: it is empty"),
        ("stripes\nstripes\n", "bank: it holds 'stripes' alone"),
        (b"\xff\xfe\x00", "is no text in UTF-8"),
        (None, "bank: cannot read .* \\(No such file"),
    ],
)
def test_banks_of_nothing_are_refused(tmp_path, content, message):
    path = tmp_path / "bank.txt"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        Bank.read(path)


def test_classes_repeat_or_are_none(tmp_path):
    for given, message in (
        (["cat", " cat "], "classes: 'cat' appears twice"),
        ([], "classes: there is none"),
        ("cat", "got the string 'cat', wanted a list"),
        (["cat", ""], "wanted strings with a word at least"),
    ):
        with pytest.raises(ValueError, match=message):
            Classes.of(given)
    with pytest.raises(ValueError, match="templates: got 'a photo', wanted one {} where"):
        Classes.of(["cat"], ["a photo"])
    path = tmp_path / "classes.txt"
    path.write_text("cat\npets = a cat; a husky and a cat \n", encoding="utf-8")
    classes = Classes.read(path, ["a {}", "one {}"])
    assert classes == Classes(("cat", "pets"), (("a cat", "one cat"), ("a cat", "a husky and a cat")))
    path.write_text("pets = ;\n", encoding="utf-8")
    with pytest.raises(ValueError, match="prompts: 'pets' has none"):
        Classes.read(path)


def test_phrases_in_batches_are_those_one_by_one(study):
    encoder, phrases = study.encoder, ("cat", "a photo of a cat and a banana", "red background", "butterfly")
    found = embed_phrases(encoder, phrases, cache=False)
    for row, phrase in zip(found, phrases, strict=True):
        caption = encoder.prepare_text(phrase)
        alone = list(encoder.embed_texts(caption, np.ones((1, len(caption.labels)), bool)))[0][0]
        np.testing.assert_allclose(row, alone, atol=1e-6)
    mean = found[:2].mean(0)
    both = class_embeddings(encoder, Classes(["x", "y"], [phrases[:2], phrases[2:3]]), cache=False)
    np.testing.assert_allclose(both, [mean / np.linalg.norm(mean), found[2]], atol=1e-6)


def test_embeddings_are_kept_for_this_model_and_these_phrases(study, tmp_path, monkeypatch):
    encoder, asked = study.encoder, []
    original = type(encoder).embed_captions
    monkeypatch.setattr(type(encoder), "embed_captions", lambda *a: asked.append(1) or original(*a))
    first = embed_phrases(encoder, ["cat", "banana"], cache=tmp_path)
    np.testing.assert_array_equal(embed_phrases(encoder, ["cat", "banana"], cache=tmp_path), first)
    assert len(asked) == 1
    embed_phrases(encoder, ["banana", "cat"], cache=tmp_path)
    assert len(asked) == 2 and len(list(tmp_path.iterdir())) == 2
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:100])  # cut by a full disk
    np.testing.assert_array_equal(embed_phrases(encoder, ["cat", "banana"], cache=tmp_path), first)
    assert len(asked) == 3
    (tmp_path / "file").write_text("")
    np.testing.assert_array_equal(embed_phrases(encoder, ["cat", "banana"], cache=tmp_path / "file"), first)
    embed_phrases(encoder, ["cat", "banana"], cache=False)
    assert len(asked) == 5


def test_the_cache_lies_where_the_system_has_caches(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "fixlip" / "embeddings"


def test_phrases_that_the_model_cannot_read(study):
    encoder, name = study.encoder, study.encoder.name
    long = "a cat and a banana and a dog " * 4
    with pytest.raises(ValueError, match=r"^bank: 'a cat .* cannot be used \(the caption has \d+ tokens, .*\)\.$"):
        Study(encoder, ["cat"], ["cat", long], cache=False)
    with pytest.raises(
        ValueError, match=re.escape(f"bank: {name} has words for none of its 2 phrases (“собака”, “кот”)")
    ):
        Study(encoder, ["cat"], ["собака", "кот"], cache=False)
    noted = Study(encoder, ["cat", "banana"], ["cat", "собака", "zebra"], cache=False)
    assert noted.notes == (f"{name} has no words for 2 of 3 phrases of the bank: “собака”, “zebra”.",)
    assert noted.image(fixlip.emoji.scene(1).image).notes == noted.notes


def test_strange_scripts_are_noticed_by_the_tokenizer_alone():
    """A model that is not embedded has no list of its words; what its tokenizer cuts into letters shows."""
    embedded = fixlip.load("emoji-clip")
    encoder = Encoder(embedded.model, embedded.processor, name="mine")
    assert Study(encoder, ["cat", "hat"], ["cat", "banana"], cache=False).notes == ()
    with pytest.raises(ValueError, match="mine has words for none"):
        Study(encoder, ["cat"], ["собака", "犬と猫"], cache=False)


# ---- all of it


def test_a_scene_of_two_objects_is_known_to_both_sides(study):
    shown = fixlip.emoji.scene(102, words=["owl", "frog"])
    found = study.image(shown.image)
    assert found.class_name == "forest" == study.classes.names[found.prediction]
    assert set(found.shared) <= set(found.visual) & set(found.language)
    assert {"owl", "frog"} <= set(found.phrases(found.visual))
    assert {"owl", "frog"} <= set(found.phrases(found.language)) and len(found.language) == 4
    assert found.overlap == Overlap.of(found.visual, found.language, 56)
    for measure in MEASURES:
        assert found.overlap.measured(measure) > found.overlap.chance(measure).mean
        assert len(found.curve(measure)) == len(found.visual) + 1 and found.curve(measure)[-1] == 0
    assert list(found.importance) == sorted(found.importance, reverse=True)
    assert found.parts.shape == (7, 7) and set(np.unique(found.parts)) <= {-1, 0, 1, 2}
    for concept in found.concepts:
        np.testing.assert_array_equal(found.parts.ravel() == concept.part, concept.patches)
    other = study.towards(found, "fruit")
    fruit = {"banana", "apple", "pineapple", "watermelon", "carrot"}  # what the models take for one is not always one
    assert len(fruit & set(other.phrases(other.language))) >= 3
    assert other.prediction == found.prediction and not other.shared and other.overlap.overlap_score == 0
    json.dumps(found.facts())


def test_logits_are_the_models_own(study):
    shown = fixlip.emoji.scene(5)
    game = fixlip.Game(study.encoder, shown.image, study.classes.prompts[2][0])
    assert study.image(shown.image).logits[2] == pytest.approx(game.full_value, abs=1e-3)


@pytest.mark.parametrize("parts", ["pca", "kmeans"])
@pytest.mark.parametrize("prominent", ["svd", "pca"])
@pytest.mark.parametrize("features", ["tokens", "keys"])
def test_every_choice_finds_something(study, features, prominent, parts):
    settings = Settings(features=features, prominent=prominent, parts=parts, prompt="patches", transport=False)
    chosen = Study(study.encoder, study.classes, study.bank, settings, cache=False)
    found = chosen.images([fixlip.emoji.scene(k).image for k in range(2)])
    assert all(1 <= len(one.concepts) <= 3 and len(one.visual) >= 3 for one in found)
    assert all(len(set(concept.words)) == 3 for one in found for concept in one.concepts)


def test_stacked_pictures_may_be_told_apart_instead_of_their_patches():
    """The published code's way; the paper's, and the default here, looks at each picture on its own."""
    encoder = fixlip.load("emoji-clip")
    features = [patch_features(encoder, encoder.prepare_image(fixlip.emoji.scene(k).image)[0])[0] for k in range(2)]
    apart = prominent_patches(np.stack(features), (7, 7), together=True)
    assert not apart[0].any() and apart[1].all()
    each = prominent_patches(np.stack(features), (7, 7))
    assert (each.sum(1) >= 5).all() and (each.mean(1) <= 0.5).all()
    np.testing.assert_array_equal(each[1], prominent_patches(features[1][None], (7, 7), together=True)[0])


def test_parts_of_a_group_are_found_together(study):
    """Part numbers mean the same in every picture: as if all patches were of one."""
    pictures = [fixlip.emoji.scene(k, objects=1).image for k in range(3)]
    found = study.images(pictures)
    features = np.stack([patch_features(study.encoder, study.encoder.prepare_image(one)[0])[0] for one in pictures])
    parts = parts_of(features, prominent_patches(features, (7, 7)), 3)
    np.testing.assert_array_equal([one.parts.ravel() for one in found], parts)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_picture_without_parts_has_no_visual_concepts(study, value):
    blank = np.full((50, 70, 3), value)
    found = study.image(blank)
    assert found.concepts == () and found.visual == () and (found.parts == -1).all()
    assert found.overlap == Overlap(0, 4, 0, 56) and found.curve().tolist() == [0.0]
    assert "no visual concepts" in found.notes[0]
    together = study.images([blank, fixlip.emoji.scene(3).image])
    assert together[0].visual == () and together[1].visual == study.image(fixlip.emoji.scene(3).image).visual
    assert not prominent_patches(np.ones((1, 49, 8)), (7, 7)).any()


def test_a_data_set_is_a_stream_that_is_added_up(study):
    pictures = [fixlip.emoji.scene(k, objects=1 + k % 3).image for k in range(5)]
    one_by_one, asked = [study.image(one) for one in pictures], []

    def lazily():
        for k, one in enumerate(pictures):
            asked.append(k)
            yield one

    stream = study.stream(lazily(), group=1)
    first = next(stream)
    assert asked == [0] and first.shown is None
    streamed = [first, *stream]
    assert [one.visual for one in streamed] == [one.visual for one in one_by_one]
    total, halves = Totals(), (Totals(), Totals())
    for k, one in enumerate(streamed):
        label = study.classes.names[one.prediction] if k else "fruit"
        total.add(one, label)
        halves[k % 2].add(one, label)
    both = halves[0] + halves[1]
    longest = max(len(one.visual) for one in streamed) + 1
    for measure in MEASURES:
        padded = [np.pad(one.curve(measure), (0, longest - len(one.visual) - 1)) for one in one_by_one]
        np.testing.assert_allclose(total.curve(measure), np.mean(padded, axis=0))
        np.testing.assert_allclose(both.curve(measure), total.curve(measure))
        assert total.area(measure) == pytest.approx(np.mean(padded))
        spread = np.sqrt(sum(one.overlap.chance(measure).std ** 2 for one in one_by_one)) / 5
        assert (total.chance_std(measure), both.chance_std(measure)) == pytest.approx((spread, spread))
        assert total.area(measure) > total.chance_area(measure) > 0
    assert total.shared == both.shared == sum((both.shared for both in halves), start=type(total.shared)())
    predicted_fruit = study.classes.names[streamed[0].prediction] == "fruit"
    assert (total.count, total.labelled, total.correct) == (5, 5, 4 + predicted_fruit)
    with pytest.raises(ValueError, match="label: got 'zoo'"):
        total.add(first, "zoo")
    assert Totals().accuracy is None and Totals().area() == 0 == Totals().chance_std()
    assert Totals.of(streamed, "fruit").correct == sum(one.class_name == "fruit" for one in streamed)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": "values"}, "features: got 'values', wanted one of tokens, keys"),
        ({"prompt": "box"}, "prompt: got 'box', wanted one of ellipse, patches"),
        ({"n_parts": 0}, "n_parts: got 0, wanted a whole number of at least 1"),
        ({"threshold": 1.5}, "threshold: got 1.5, wanted a number between 0 and 1, or None"),
        ({"regularisation": 0}, "regularisation: got 0, wanted a number of at least 0.01"),
    ],
)
def test_settings_that_are_none(changes, message):
    with pytest.raises(ValueError, match=message):
        Settings(**changes)


def test_files_and_settings_are_checked_without_torch(run_python):
    used = "from fixlip.concepts import Bank, Classes, Settings, Overlap; Bank.emoji(), Classes.emoji(), Settings()"
    result = run_python(f"{used}; import sys; print('torch' in sys.modules or 'sklearn' in sys.modules)")
    assert result.stdout.strip() == "False", result.stderr


def test_what_does_not_fit_is_told_in_a_sentence(study):
    with pytest.raises(ValueError, match="encoder: got str, wanted what fixlip.load gives"):
        Study("emoji-clip", ["cat"], ["cat", "hat"])
    with pytest.raises(ValueError, match="bank: got the string 'cat'"):
        Study(study.encoder, ["cat"], "cat")
    with pytest.raises(ValueError, match=r"class: got 'zoo', wanted a name or number of the 12 classes \(pets, "):
        study.language("zoo")
    assert Settings().candidates_of(4229) == 100 and Settings().candidates_of(56) == 3
    assert Settings().class_words_of(2) == 1 and Settings(class_words=99).class_words_of(56) == 55


def test_the_model_stays_as_it_was(study, monkeypatch):
    model = study.encoder.model
    before = {name: (one.clone(), one.requires_grad, one.grad) for name, one in model.named_parameters()}
    monkeypatch.setattr("fixlip.concepts.study.words_of_regions", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        study.image(fixlip.emoji.scene(1).image)
    for name, one in model.named_parameters():
        old, wants, grad = before[name]
        assert torch.equal(one, old) and one.requires_grad == wants and one.grad is grad is None
    assert not model.training and not any(module._forward_hooks for module in model.modules())
