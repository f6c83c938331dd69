"""open_clip: small models of random weights, saved and loaded as a user's folder, beside the same in transformers."""

import json
import warnings

import numpy as np
import pytest
import small_models
import torch
from PIL import Image
from safetensors.torch import save_file

import fixlip
from fixlip.encoders import openclip_names

CAPTION = "A cat, next to the butterfly!"
TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 4, "layers": 2}
VIT = {"layers": 2, "width": 32, "head_width": 8, "patch_size": 8, "image_size": 32}
SIGLIP_TEXT = {"no_causal_mask": True, "pool_type": "last", "proj_bias": True, "hf_tokenizer_name": "x", "pad_id": 1}
CONVNEXT = {"timm_model_name": "test_convnext", "timm_pool": "", "timm_proj": "mlp", "image_size": 64}
MODELS = {
    "vit": {"vision_cfg": VIT, "text_cfg": TEXT},
    "vit, own text tower": {"vision_cfg": VIT, "text_cfg": TEXT | {"embed_cls": True}, "custom_text": True},
    "resnet": {"vision_cfg": {"layers": [1, 1, 1, 1], "width": 8, "head_width": 8, "image_size": 64}, "text_cfg": TEXT},
    "convnext": {"vision_cfg": CONVNEXT, "text_cfg": TEXT},
    "siglip": {
        "vision_cfg": VIT | {"pool_type": "avg"},
        "text_cfg": TEXT | SIGLIP_TEXT | {"context_length": 24},
        "custom_text": True,
        "init_logit_bias": -10.0,
    },
    "bert": {
        "vision_cfg": VIT,
        "text_cfg": {"hf_model_name": "FOLDER", "hf_tokenizer_name": "x", "context_length": 24},
    },
}


PADDED = ("siglip", "bert")  # with tokenizers of transformers


@pytest.fixture(scope="module")
def open_clip():
    """The package; it cannot be imported where torchvision was built for another torch than the installed one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the packages below say of each other
            import open_clip
    except Exception as error:
        pytest.skip(f"open_clip cannot be imported ({type(error).__name__}: {str(error).splitlines()[0]})")
    return open_clip


@pytest.fixture(scope="module")
def make(open_clip, tmp_path_factory):
    """Save a small model with random weights, as open_clip reads it; return its folder and the model."""

    known = {}

    def made(kind, preprocess=None, again=False):
        if again or preprocess:
            return new(kind, preprocess)
        if kind not in known:
            known[kind] = new(kind)
        return known[kind]

    def new(kind, preprocess=None):
        folder, config = tmp_path_factory.mktemp("model"), json.loads(json.dumps(MODELS[kind]))
        config |= {"embed_dim": 12}
        if "hf_tokenizer_name" in config["text_cfg"]:
            tokenizer = small_models.siglip() if kind == "siglip" else small_models.word_piece()
            tokenizer.save_pretrained(folder)
        if kind == "bert":
            config["text_cfg"]["hf_model_name"] = str(folder)
            bert_config(folder)
        settings = {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]} | (preprocess or {})
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": settings}))
        torch.manual_seed(0)
        model = open_clip.create_model(f"local-dir:{folder}", pretrained_text=False).eval()
        for name, values in model.named_parameters():
            if values.ndim == 1:  # biases of nothing would make a blank picture's embedding nothing
                torch.nn.init.normal_(values, mean=float("bias" not in name), std=0.3)
        tensors = {name: values.contiguous() for name, values in model.state_dict().items()}
        save_file(tensors, folder / "open_clip_model.safetensors")
        return folder, model

    return made


def bert_config(folder):
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2}
    config = {"model_type": "bert", "vocab_size": 200, "max_position_embeddings": 24} | sizes
    (folder / "config.json").write_text(json.dumps(config))


def photo(size=(90, 60)):
    x, y = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=2).astype(np.uint8))


def masks_of(n, m=40):
    masks = np.random.default_rng(0).random((m, n)) < 0.5
    masks[0], masks[1] = True, False
    return masks


# ---- every kind passes the check


@pytest.mark.parametrize(
    ("kind", "text_masking"), [(kind, "attention") for kind in MODELS] + [(kind, "remove") for kind in ("vit", *PADDED)]
)
def test_a_saved_model_passes_the_check(make, kind, text_masking):
    encoder = fixlip.load(f"local-dir:{make(kind)[0]}", device="cpu", text_masking=text_masking)
    report = fixlip.check_encoder(encoder)
    assert report.ok and not report.skipped, report
    assert encoder.grid == ((7, 7) if kind in ("resnet", "convnext") else (4, 4))
    assert (encoder.bias != 0) == (kind == "siglip")
    caption = encoder.prepare_text("a cat next to a banana")
    assert "".join(caption.labels).replace("_", "") == "acatnexttoabanana"
    game = fixlip.Game(encoder, photo(), caption.text)
    whole = next(encoder.embed_captions([caption, encoder.prepare_text("a cat")]))
    np.testing.assert_allclose(whole[:1], game.embed_texts(np.ones((1, game.n_text), bool)), atol=1e-6)
    shown = next(encoder.embed_pictures(game.inputs[0][None]))
    np.testing.assert_allclose(shown, game.embed_images(np.ones((1, game.n_image), bool)), atol=1e-6)


# ---- the same weights in transformers


def in_transformers(model, open_clip):
    """The same CLIP in transformers, weight by weight, with open_clip's own vocabulary."""
    import transformers as t
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    simple = open_clip.get_tokenizer("ViT-B-32")
    marks = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    vocabulary = {marks.get(token, token): number for token, number in simple.encoder.items()}
    tokenizer = t.CLIPTokenizer(vocabulary, list(simple.bpe_ranks))
    common = {"num_hidden_layers": 2, "hidden_act": "gelu", "num_attention_heads": 4}
    text = common | {"hidden_size": 16, "intermediate_size": 64, "max_position_embeddings": 16, "eos_token_id": 49407}
    vision = common | {"hidden_size": 32, "intermediate_size": 128, "image_size": 32, "patch_size": 8}
    twin = t.CLIPModel(t.CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)).eval()
    state = renamed(model)
    missing, unexpected = twin.load_state_dict(state, strict=False)
    assert not unexpected and all("position_ids" in name for name in missing)
    side = {"height": 32, "width": 32}
    settings = {"image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]}
    images = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=side, **settings)
    return fixlip.Encoder(twin, t.CLIPProcessor(image_processor=images, tokenizer=tokenizer), name="twin")


BLOCK = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "attn.out_proj": "self_attn.out_proj"}
BLOCK |= {"mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
OTHERS = {
    "logit_scale": "logit_scale",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "ln_final": "text_model.final_layer_norm",
}


def renamed(model):
    """open_clip's weights by the names that transformers has for them."""
    state = {}
    for name, values in model.state_dict().items():
        if name in ("visual.proj", "text_projection"):
            state[{"visual.proj": "visual_projection", "text_projection": name}[name] + ".weight"] = values.T
        elif "resblocks" in name:
            tower = "vision_model" if name.startswith("visual.") else "text_model"
            number, rest = name.split("resblocks.")[1].split(".", 1)
            into = f"{tower}.encoder.layers.{number}."
            if rest.startswith("attn.in_proj"):
                for part, piece in zip("qkv", values.chunk(3), strict=True):
                    state[f"{into}self_attn.{part}_proj.{rest.removeprefix('attn.in_proj_')}"] = piece
            else:
                stem, kind = rest.rsplit(".", 1)
                state[f"{into}{BLOCK[stem]}.{kind}"] = values
        else:
            stem, _, kind = name.rpartition(".")
            state[OTHERS.get(name) or f"{OTHERS[stem]}.{kind}"] = values
    return state


@pytest.mark.parametrize("caption", [CAPTION, "a cat"])
def test_the_same_weights_in_transformers_give_the_same_game_and_picture(make, open_clip, caption):
    folder, model = make("vit")
    twin, encoder = in_transformers(model, open_clip), fixlip.load(f"local-dir:{folder}", device="cpu")
    theirs, ours = (fixlip.Game(one, photo(), caption) for one in (twin, encoder))
    masks = masks_of(ours.n_players)
    np.testing.assert_allclose(ours(masks), theirs(masks), atol=1e-4)
    np.testing.assert_array_equal(ours.image, theirs.image)
    if caption != CAPTION:
        return
    explained = [fixlip.explain(one, photo(), caption, budget=300, seed=0, progress=False) for one in (encoder, twin)]
    np.testing.assert_allclose(explained[0].values, explained[1].values, atol=1e-4)
    assert encoder.max_tokens == twin.max_tokens == 14


def test_siglips_text_tower_hides_tokens_as_in_transformers(make):
    import transformers as t

    folder, model = make("siglip")
    common = {"hidden_act": "gelu", "layer_norm_eps": 1e-5, "num_hidden_layers": 2, "num_attention_heads": 4}
    sizes = {"hidden_size": 16, "intermediate_size": 64, "projection_size": 12, "max_position_embeddings": 24}
    twin = t.SiglipTextModel(t.SiglipTextConfig(vocab_size=49408, **sizes, **common)).eval()
    text = {name.removeprefix("text."): part for name, part in model.state_dict().items() if name.startswith("text.")}
    head = {f"head.{kind}": text.pop(f"text_projection.{kind}") for kind in ("weight", "bias")}
    model_names = [name.removeprefix("text_model.") for name in twin.state_dict()]
    state = {name.removeprefix("text_model."): values for name, values in renamed(Holding(text)).items()} | head
    prefix = "text_model." if any(name.startswith("text_model.") for name in twin.state_dict()) else ""
    assert set(state) == set(model_names) - {"embeddings.position_ids"}
    twin.load_state_dict({prefix + name: values for name, values in state.items()}, strict=False)
    encoder = fixlip.load(f"local-dir:{folder}", device="cpu")
    caption = encoder.prepare_text("a cat next to a banana")
    masks = masks_of(len(caption.labels))
    ids, attention = caption.masked(masks, "attention")
    with torch.no_grad():
        wanted = twin(input_ids=ids, attention_mask=attention).pooler_output
    found = np.concatenate(list(encoder.embed_texts(caption, masks)))
    np.testing.assert_allclose(found, torch.nn.functional.normalize(wanted, dim=-1).numpy(), atol=1e-5)


class Holding:
    """Weights under the name that a model has them by."""

    def __init__(self, state):
        self.state_dict = lambda: state


# ---- what can be taken out


def test_dropped_patches_were_never_in_the_sequence(make):
    folder, model = make("vit")
    encoder = fixlip.load(f"local-dir:{folder}", device="cpu", image_masking="drop")
    assert fixlip.check_encoder(encoder).ok
    pixels, masks = encoder.prepare_image(photo())[0], masks_of(16, 6)
    found, visual = np.concatenate(list(encoder.embed_images(pixels, masks))), model.visual
    for row, mask in zip(found, masks, strict=True):
        with torch.no_grad():
            patches = visual.conv1(pixels[None]).flatten(2).transpose(1, 2)[0]
            states = torch.cat([visual.class_embedding[None], patches]) + visual.positional_embedding
            kept = visual.ln_pre(states)[[0, *(np.flatnonzero(mask) + 1)]]
            wanted = visual.ln_post(visual.transformer(kept[None])[0, 0]) @ visual.proj
        np.testing.assert_allclose(row, torch.nn.functional.normalize(wanted, dim=0).numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", ["resnet", "siglip"])
def test_what_a_model_cannot_leave_out_is_refused_in_a_sentence(make, kind):
    place = f"local-dir:{make(kind)[0]}"
    with pytest.raises(ValueError, match='image_masking: .* cannot be taken out as "drop" does'):
        fixlip.load(place, device="cpu", image_masking="drop")
    coarse = fixlip.load(place, device="cpu", text_masking="unknown")
    if kind == "siglip":
        assert coarse.prepare_text("a cat").unknown_id == 0
    else:
        with pytest.raises(ValueError, match="text_masking: the tokenizer of .* has no unknown token"):
            coarse.prepare_text("a cat")


# ---- pictures and captions


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("size", [(96, 48), (48, 96)])
def test_the_view_and_label_maps_show_what_the_model_sees(make, mode, size):
    encoder = fixlip.load(f"local-dir:{make('vit', {'resize_mode': mode})[0]}", device="cpu")
    pixels, view = encoder.prepare_image(photo(size))
    seen = (pixels.permute(1, 2, 0).numpy() * [0.27, 0.26, 0.28] + [0.48, 0.46, 0.41]) * 255
    shown = np.asarray(Image.fromarray(view).resize((32, 32), Image.Resampling.BICUBIC), dtype=float)
    assert np.abs(seen - shown).mean() < 4
    red = np.asarray(photo(size))[..., 0].astype(np.int64)
    labels = encoder.labels_on_pixels(red, pixels)
    inside = labels != -1
    assert np.abs(seen[..., 0] - labels)[inside].mean() < 6 and inside.all() == (mode != "longest")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a cat " * 8, "text: the caption has 16 tokens, .* reads at most 14"),
        ("a <end_of_text> cat", "text: the caption holds '<end_of_text>', a special token"),
        ("  ", "text: the caption is empty"),
        (3, "text: got int"),
    ],
)
def test_bad_captions_are_refused_in_a_sentence(make, text, message):
    with pytest.raises(ValueError, match=message):
        fixlip.load(f"local-dir:{make('vit')[0]}", device="cpu").prepare_text(text)


# ---- names


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ViT-B-32", "'ViT-B-32' is an architecture of open_clip's without weights; wanted one of 'ViT-B-32:openai'"),
        ("ViT-B-33:openai", "open_clip has no architecture 'ViT-B-33'; did you mean 'ViT-B-32'?"),
        (
            "ViT-B-32:laion2b_s34b",
            "open_clip has no weights 'laion2b_s34b' of ViT-B-32; did you mean 'ViT-B-32:laion2b",
        ),
        ("ViT-B-32:openai", "were trained with QuickGELU; wanted 'ViT-B-32-quickgelu:openai'"),
        ("local-dir:nowhere", "the folder 'nowhere' of 'local-dir:nowhere' holds no open_clip_config.json"),
    ],
)
def test_names_that_do_not_fit_are_answered_in_a_sentence(open_clip, name, message):
    with pytest.raises(ValueError) as caught:
        fixlip.load(name)
    sentence = str(caught.value)
    assert sentence.startswith("model: ") and message in sentence and sentence.endswith((".", "?"))


def test_without_a_connection_the_cache_is_asked_at_once(open_clip, monkeypatch):
    monkeypatch.setattr(openclip_names, "why_offline", lambda name: "the hub cannot be reached")
    for name in ("hf-hub:someone/some-clip", "ViT-B-32:laion2b_s34b_b79k"):
        with pytest.raises(
            ValueError, match=f"model: '{name}' cannot be loaded: the hub cannot be reached, and its local"
        ):
            fixlip.load(name)


def test_only_open_clips_names_are_taken_for_such(tmp_path, monkeypatch):
    for name in ("hf-hub:org/name", "local-dir:folder", "ViT-B-32:openai", "ViT-B-32", "RN50:cc12m", "convnext_tiny"):
        assert openclip_names.is_open_clip(name), name
    for name in ("emoji-clip", "openai/clip-vit-base-patch32", "C:\\models\\mine", "https://a.b/c", str(tmp_path)):
        assert not openclip_names.is_open_clip(name), name
    monkeypatch.setattr(openclip_names, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'needs? open_clip|not installed; install it with `pip install "fixlip-lab\['):
        fixlip.load("ViT-B-32:openai")
    with pytest.raises(ValueError, match="revision: got 'main' for 'hf-hub:org/name'"):
        fixlip.load("hf-hub:org/name", revision="main")


# ---- nothing of a folder is run


def test_weights_that_are_missing_or_do_not_fit_are_refused(make):
    folder, model = make("vit", again=True)
    weights = folder / "open_clip_model.safetensors"
    few = {name: values.contiguous() for name, values in model.state_dict().items() if name != "visual.proj"}
    save_file(few, weights)
    with pytest.raises(ValueError, match=r'do not fit its configuration \(Missing key\(s\) .*"visual.proj"'):
        fixlip.load(f"local-dir:{folder}")
    weights.unlink()
    with pytest.raises(ValueError, match="has no weights that open_clip knows"):
        fixlip.load(f"local-dir:{folder}")


class Bomb:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


@pytest.mark.parametrize("where", ["weights", "tokenizer", "text tower"])
def test_code_in_a_folder_is_never_run(make, where):
    folder, model = make("bert" if where == "text tower" else "siglip", again=True)
    mark = folder / "was-run"
    (folder / "bad.py").write_text(f"open({str(mark)!r}, 'w')\nclass Bad: pass\n")
    if where == "weights":
        (folder / "open_clip_model.safetensors").unlink()
        torch.save(model.state_dict() | {"bomb": Bomb(mark)}, folder / "open_clip_pytorch_model.bin")
    else:
        kind, name = ("AutoConfig", "config") if where == "text tower" else ("AutoTokenizer", "tokenizer_config")
        file = folder / f"{name}.json"
        loader = ["bad.Bad", None] if where == "tokenizer" else "bad.Bad"
        unknown = {"model_type": "bad", "tokenizer_class": "Bad", "auto_map": {kind: loader}}
        file.write_text(json.dumps(json.loads(file.read_text()) | unknown))
        config = json.loads((folder / "open_clip_config.json").read_text())
        config["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {"trust_remote_code": True}
        (folder / "open_clip_config.json").write_text(json.dumps(config))
    try:
        fixlip.load(f"local-dir:{folder}")
    except ValueError as error:
        assert str(error).startswith("model: ") and "\n" not in str(error)
    assert not mark.exists()
