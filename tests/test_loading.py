"""Loading: what is refused, in which words, and that nothing of a model's folder is run."""

import json
import os
import pickle
import shutil
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from toys import ORACLES

import fixlip
from fixlip import Game
from fixlip.encoders.sources import Source

MODELS = Path(fixlip.__file__).parent / "emoji" / "models"


@pytest.fixture(scope="module")
def encoder():
    return fixlip.load("emoji-clip", device="cpu")


@pytest.fixture
def folder(tmp_path):
    """A copy of an embedded model's folder, its weights and configuration changed as wished."""

    def make(base="emoji-clip", weights=None, config=None):
        place = tmp_path / base
        shutil.copytree(MODELS / base, place)
        if weights:
            tensors = load_file(place / "model.safetensors")
            weights(tensors)
            save_file(tensors, place / "model.safetensors", metadata={"format": "pt"})
        if config:
            values = json.loads((place / "config.json").read_text())
            config(values)
            (place / "config.json").write_text(json.dumps(values))
        return place

    return make


def refusal(place):
    with pytest.raises(ValueError) as caught:
        fixlip.load(place, device="cpu")
    sentence = str(caught.value)
    assert sentence.startswith("model: ") and sentence.endswith((".", "?")) and "\n" not in sentence
    return sentence


def similarity(encoder):
    return Game(encoder, fixlip.emoji.scene(0).image, "a cat").full_value


# ---- weights


@pytest.mark.parametrize("base", ["emoji-clip", "emoji-siglip"])
@pytest.mark.parametrize("part", ["vision_model.", "text_model.", "logit_scale"])
def test_incomplete_weights_are_refused(folder, base, part):
    gone = []

    def cut(tensors):
        gone.extend(key for key in list(tensors) if key.startswith(part))
        for key in gone:
            del tensors[key]

    sentence = refusal(folder(base, weights=cut))
    assert f"{len(gone)} weights are missing" in sentence and sorted(gone)[0] in sentence


def test_siglip_without_its_bias_is_refused(folder):
    assert "1 weights are missing" in refusal(folder("emoji-siglip", weights=lambda w: w.pop("logit_bias")))


def test_a_single_tower_is_no_dual_encoder(tiny_clip, encoder, tmp_path):
    encoder.processor.save_pretrained(tmp_path)
    encoder.model.vision_model.save_pretrained(tmp_path)
    assert "supported are CLIP, SigLIP" in refusal(tmp_path)


def test_weights_of_other_sizes_are_refused_with_both_shapes(folder):
    def widen(config):
        config["vision_config"]["hidden_size"] *= 2

    sentence = refusal(folder(config=widen))
    assert "vision_model.embeddings.class_embedding: (112,) for (224,)" in sentence and "report" not in sentence


def test_what_is_too_much_does_no_harm(folder, encoder, capfd):
    def add(tensors):
        tensors["text_model.embeddings.position_ids"] = torch.arange(16)[None]
        tensors["classifier.weight"] = torch.zeros(3, 3)

    assert similarity(fixlip.load(folder(weights=add), device="cpu")) == similarity(encoder)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["tiny_clip", "tiny_siglip"])
def test_the_models_of_the_oracles_are_complete(name, tmp_path):
    shutil.copytree(ORACLES / name, tmp_path / name)
    base = {"tiny_clip": "emoji-clip", "tiny_siglip": "emoji-siglip"}[name]
    for file in ("processor_config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(MODELS / base / file, tmp_path / name)
    assert fixlip.load(tmp_path / name, device="cpu").name == str(tmp_path / name)


def test_weights_that_are_no_numbers_are_not_explained(folder):
    def spoil(tensors):
        tensors["visual_projection.weight"][0, 0] = float("nan")

    spoilt = fixlip.load(folder(weights=spoil), device="cpu")
    with pytest.raises(ValueError, match=r"model: .* gives embeddings that are no numbers"):
        similarity(spoilt)


# ---- nothing in a folder is run

PLANTED = """
from pathlib import Path
Path(__file__).with_name("ran").write_text("the planted code ran")
Path({mark!r}).write_text("the planted code ran")
from transformers import CLIPConfig
class Own(CLIPConfig):
    model_type = "own"
"""


@pytest.mark.slow
def test_code_in_a_folder_is_never_run(folder, run_python, tmp_path):
    def plant(config):
        config |= {"model_type": "own", "auto_map": {"AutoConfig": "planted.Own", "AutoModel": "planted.Own"}}

    place, mark = folder(config=plant), tmp_path / "mark"
    (place / "planted.py").write_text(PLANTED.format(mark=str(mark)))
    environment = os.environ | {"HF_HOME": str(tmp_path / "home"), "PYTHONPATH": os.pathsep.join(["."])}
    command = f"import fixlip\ntry: fixlip.load({str(place)!r}, device='cpu')\nexcept ValueError as error: print(error)"
    done = run_python(command, input="y\ny\ny\n", env=environment, cwd=Path(fixlip.__file__).parents[1])
    assert not mark.exists() and "run the custom code" not in done.stdout
    assert "brings code of its own, which is never run here" in done.stdout, done.stdout + done.stderr
    assert "trust_remote_code" not in done.stdout + done.stderr


class Bomb:
    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return (Path.touch, (Path(self.mark),))


def test_pickled_weights_are_read_as_tensors_only(folder, encoder, tmp_path):
    place, mark = folder(), tmp_path / "mark"
    tensors = load_file(place / "model.safetensors")
    (place / "model.safetensors").unlink()
    torch.save(tensors, place / "pytorch_model.bin")
    assert similarity(fixlip.load(place, device="cpu")) == similarity(encoder)
    for content in (pickle.dumps(Bomb(mark)), b"no weights"):
        (place / "pytorch_model.bin").write_bytes(content)
        sentence = refusal(place)
        assert "wanted model.safetensors" in sentence and "weights_only" not in sentence
    torch.save(tensors | {"bomb": Bomb(mark)}, place / "pytorch_model.bin")
    assert "wanted model.safetensors" in refusal(place) and not mark.exists()


# ---- folders that do not fit


def test_folders_may_be_paths(folder):
    place = folder("emoji-siglip")
    assert fixlip.load(place, device="cpu").name == str(place)


@pytest.mark.parametrize("base", ["emoji-clip", "emoji-siglip"])
def test_a_folder_without_tokenizer_is_refused(folder, base):
    place = folder(base)
    (place / "tokenizer.json").unlink()
    assert "tokenizer.json" in refusal(place)


def test_a_tokenizer_of_another_model_is_refused(folder):
    place = folder()
    tokenizer = json.loads((place / "tokenizer.json").read_text())
    for entry in tokenizer["added_tokens"]:
        entry["id"] += 1000
    tokenizer["post_processor"] = json.loads(
        json.dumps(tokenizer["post_processor"]).replace("725", "1725").replace("726", "1726")
    )
    tokenizer["model"]["vocab"] |= {"<|startoftext|>": 1725, "<|endoftext|>": 1726}
    (place / "tokenizer.json").write_text(json.dumps(tokenizer))
    strange = fixlip.load(place, device="cpu")
    with pytest.raises(ValueError, match="tokenizer .* gives token ids that the model does not know"):
        strange.prepare_text("a cat")


@pytest.mark.parametrize(
    ("field", "value"),
    [("patch_size", 0), ("patch_size", -4), ("patch_size", 113), ("image_size", 0), ("image_size", [112, 112])],
)
def test_sizes_that_make_no_patches_are_refused(folder, field, value):
    sentence = refusal(folder(config=lambda config: config["vision_config"].update({field: value})))
    assert f"{field} {value}" in sentence


@pytest.mark.parametrize("model_type", ["bert", "clipseg"])
def test_other_families_are_named_in_words(folder, model_type):
    sentence = refusal(folder(config=lambda config: config.update(model_type=model_type)))
    assert (
        f"of type {model_type!r}, which is not supported; supported are CLIP, SigLIP, SigLIP-2, MetaCLIP-2" in sentence
    )


@pytest.mark.parametrize("model_type", ["siglip2", "align", "altclip"])
def test_weights_of_another_family_are_refused(folder, model_type):
    sentence = refusal(folder(config=lambda config: config.update(model_type=model_type)))
    assert "weights" in sentence or "configuration" in sentence


# ---- revisions


@pytest.mark.parametrize("revision", ["", 3])
def test_revisions_that_are_none_are_refused(revision):
    with pytest.raises(ValueError, match=f"^revision: got {revision!r}, wanted a branch, a tag or a commit"):
        fixlip.load("org/name", revision=revision)


def test_every_part_of_a_model_is_of_the_revision():
    class Auto:
        @staticmethod
        def from_pretrained(place, **options):
            return place, options

    source = Source("org/name", "org/name", False, "", "v2")
    place, options = source.fetch(Auto, output_loading_info=True)
    assert place == "org/name" and options.pop("output_loading_info")
    assert options == {"local_files_only": False, "trust_remote_code": False, "revision": "v2"}
    assert "revision" not in Source("org/name", "org/name", False).fetch(Auto)[1]


def test_a_folder_has_no_revision(folder):
    for place in ("emoji-clip", folder()):
        with pytest.raises(ValueError, match="^revision: got 'v2' for .*, which is a folder; only hub models have any"):
            fixlip.load(place, revision="v2")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "a/b/c", "../nowhere", "what is this?"])
def test_names_that_nothing_can_have_are_refused(name):
    sentence = refusal(name)
    assert "neither an embedded model" in sentence and len(sentence) < 400


# ---- devices


@pytest.mark.parametrize(
    "device", ["meta", "hpu", "privateuseone", "mkldnn", "vulkan", "gpu9", "cuda:99", "", None, 3.5]
)
def test_devices_that_cannot_compute_are_refused(device, tiny_clip):
    if device == "cuda:99" and torch.cuda.device_count() > 99:
        pytest.skip("a very large machine")
    for use in (lambda: fixlip.load("emoji-clip", device=device), lambda: fixlip.Encoder(tiny_clip, device=device)):
        with pytest.raises(ValueError, match="device: .* is not available on this machine.*; wanted one of auto") as it:
            use()
        assert "aten::" not in str(it.value) and "\n" not in str(it.value)


# ---- the hub


class FakeHub(BaseHTTPRequestHandler):
    """Answers as the hub does: with a status and the header X-Error-Code."""

    codes = {
        "v9": (404, "RevisionNotFound"),
        "gated": (403, "GatedRepo"),
        "unknown": (404, "RepoNotFound"),
        "empty": (404, "EntryNotFound"),
        "broken": (503, ""),
    }

    def do_GET(self):
        self.server.asked.append(self.path)
        status, code = next((value for word, value in self.codes.items() if word in self.path), (200, ""))
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_CONNECT = do_GET

    def log_message(self, *args):
        pass


@contextmanager
def serving():
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def address(server):
    return f"http://127.0.0.1:{server.server_port}"


ASK = """
import json, os, fixlip, huggingface_hub
for name, environment in json.loads({questions!r}):
    os.environ.update(environment)
    huggingface_hub.close_session()  # else the first proxy is remembered
    name, _, revision = name.partition("@")
    try:
        fixlip.load(name, device="cpu", revision=revision or None)
    except ValueError as error:
        print(error)
"""


@pytest.fixture
def ask(run_python, tmp_path):
    """Load models by name in a process of its own, each in its environment, with a fresh cache."""

    def asking(endpoint, *questions):
        clean = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        clean |= {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": endpoint, "PYTHONPATH": "."}
        code = ASK.format(questions=json.dumps(questions))
        done = run_python(code, env=clean, cwd=Path(fixlip.__file__).parents[1])
        # Nothing on stderr: the hub's own client would announce each of its retries.
        assert done.returncode == 0 and done.stderr == ""
        return done.stdout.splitlines()

    return asking


@pytest.mark.slow
def test_the_hub_s_reasons_are_kept(ask):
    with serving() as hub:
        names = ("some/gated", "some/unknown", "some/empty", "some/model@v9", "some/broken")
        gated, unknown, empty, revised, broken = ask(address(hub), *((name, {}) for name in names))
    assert "'some/gated' is a gated repository; accept its terms" in gated and "hf auth login" in gated
    assert "the Hugging Face hub has no public model of that name; check the spelling" in unknown
    assert "cannot be loaded (Unrecognized model in some/empty)" in empty
    assert revised == "revision: 'some/model' on the Hugging Face hub has no branch, tag or commit 'v9'."
    assert "the Hugging Face hub cannot be reached (status 503), and its local cache does not have the model" in broken
    assert sum("some/broken" in path for path in hub.asked) == 1  # its own client would ask six times for each file


@pytest.mark.slow
def test_dead_proxies_are_not_asked_again_and_again(ask):
    with serving() as broken, serving() as gone:
        gone.shutdown()
        gone.server_close()
        proxies = [{"HTTPS_PROXY": address(server)} for server in (broken, gone)]
        said = ask("https://hub.invalid", *(("some/model", proxy) for proxy in proxies))
    assert len(said) == 2 and all("the Hugging Face hub cannot be reached (" in sentence for sentence in said)
    assert len(broken.asked) <= 2


def test_without_the_hub_the_reason_is_that_it_is_switched_off(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    off = "the Hugging Face hub is switched off (HF_HUB_OFFLINE), and its local cache does not have the model"
    assert off in refusal("some/model-of-nobody")
    assert "did you mean 'emoji-clip'?" in refusal("emoji_clip")


def test_a_missing_package_is_named(folder, monkeypatch):
    """As transformers says it where sentencepiece is not installed."""
    from transformers import AutoProcessor

    def lacking(*args, **options):
        raise ImportError(
            "\nSiglipTokenizer requires the SentencePiece library but it was not found in your environment. Check out"
            " the instructions on the\ninstallation page of its repo."
        )

    monkeypatch.setattr(AutoProcessor, "from_pretrained", lacking)
    assert "pip install sentencepiece protobuf" in refusal(folder("emoji-siglip"))


# ---- processes


FORK = """
import os, signal, torch, fixlip

def in_a_fork(threads):
    child = os.fork()
    if not child:
        signal.alarm(100)  # a process that waits for ever is killed by it
        torch.set_num_threads(threads)
        try:
            fixlip.explain(encoder, scene.image, "a dog", budget=32, progress=False)
            print("explained", flush=True)
        except RuntimeError as error:
            print(error, flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

torch.set_num_threads(2)
encoder, scene = fixlip.load("emoji-clip", device="cpu"), fixlip.emoji.scene(0)
in_a_fork(2)
fixlip.explain(encoder, scene.image, "a cat", budget=32, progress=False)
in_a_fork(2)
in_a_fork(1)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_process_forked_after_a_model_was_used_does_not_hang(run_python):
    done = run_python(FORK)
    assert done.returncode == 0, done.stdout + done.stderr
    loaded, ran, single = done.stdout.splitlines()
    assert loaded == ran and "this process was forked after a model had been used" in ran and "spawn" in ran
    assert single == "explained"


# ---- identity


def test_a_fingerprint_tells_models_apart(encoder):
    names = ("emoji-clip", "emoji-clip-fine", "emoji-clip-plain", "emoji-siglip")
    found = {fixlip.load(name, device="cpu").fingerprint for name in names}
    assert len(found) == 4 and encoder.fingerprint in found
    assert all(len(digest) == 16 and int(digest, 16) >= 0 for digest in found)


def test_copies_of_a_model_have_one_fingerprint(encoder, tmp_path, monkeypatch):
    options = {"batch_size": 3, "image_masking": "blur", "text_masking": "remove"}
    assert fixlip.load("emoji-clip", device="cpu", **options).fingerprint == encoder.fingerprint
    assert fixlip.load("emoji-clip", device="cpu", dtype="bfloat16").fingerprint == encoder.fingerprint
    encoder.processor.save_pretrained(tmp_path)
    fixlip.load("emoji-clip", device="cpu", dtype="bfloat16").model.save_pretrained(tmp_path)
    saved = fixlip.load(tmp_path, device="cpu")
    assert saved.fingerprint == encoder.fingerprint and saved.model.config.dtype != encoder.model.config.dtype
    if torch.cuda.is_available():
        assert fixlip.load("emoji-clip", device="cuda").fingerprint == encoder.fingerprint


@pytest.mark.parametrize("name", ["logit_scale", "visual_projection.weight", "text_model.final_layer_norm.bias"])
def test_one_changed_weight_changes_the_fingerprint(folder, encoder, name):
    def change(tensors):
        flat = tensors[name].reshape(-1)
        flat[min(63, len(flat) - 1)] += 0.5

    assert fixlip.load(folder(weights=change), device="cpu").fingerprint != encoder.fingerprint


def test_another_activation_changes_the_fingerprint(folder, encoder):
    def change(config):
        assert config["text_config"]["hidden_act"] != "relu"
        config["text_config"]["hidden_act"] = "relu"

    other = fixlip.load(folder(config=change), device="cpu")
    assert other.fingerprint != encoder.fingerprint
    assert not np.isclose(similarity(other), similarity(encoder))
