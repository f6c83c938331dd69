"""open_clip's own names of models, from a name to an encoder, and in one sentence why there is none.

The names are those that `open_clip.create_model` and `open_clip.list_pretrained(as_str=True)` know:

    ViT-B-32:laion2b_s34b_b79k      an architecture and its weights: a tag, or a file
    hf-hub:org/name                 a model on the Hugging Face hub that was made for open_clip
    local-dir:folder                the same in a folder, with its open_clip_config.json

None of them can be the id of a hub model in transformers, which holds no colon. Nothing that lies beside a model's
weights is ever run: open_clip reads weights as tensors only; tokenizers and text towers that bring code are refused.
"""

from __future__ import annotations

import difflib
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .openclip import OpenClipEncoder
from .sources import EMBEDDED, Source, is_folder, why_offline

SCHEMAS = ("hf-hub:", "local-dir:")
# What open_clip's architectures look like, for those who have not installed it.
_LOOKS = re.compile(r"(ViT-[A-Za-z0-9]+-\d|RN\d+|convnext_|coca_|EVA0\d-|MobileCLIP|PE-Core-|ViTamin-)")


def is_open_clip(name: str) -> bool:
    """Whether this is one of open_clip's names, and no embedded model or folder."""
    if name.startswith(SCHEMAS):
        return True
    if name in EMBEDDED or is_folder(Path(name)) or "/" in name.partition(":")[0]:
        return False
    architecture, colon, weights = name.partition(":")
    if colon:
        return len(architecture) > 1 and not weights.startswith("//")  # no drive, and no address
    return name in architectures() or bool(_LOOKS.match(name))


def architectures() -> tuple[str, ...]:
    """The architectures that the installed open_clip knows by name, without importing it; none if there is none."""
    found = find_spec("open_clip")
    places = (found.submodule_search_locations if found else None) or ()
    return tuple(sorted(file.stem for place in places for file in Path(place).glob("model_configs/*.json")))


def load_open_clip(name: str, **options: Any) -> OpenClipEncoder:
    """The encoder of a model of open_clip.

    Args:
        name: one of open_clip's names.
        options: of `OpenClipEncoder`.

    Raises:
        ValueError: one sentence, if open_clip is not installed, there is no such model, it is incomplete, or an option
            is not available.
    """
    open_clip = _imported(name)
    architecture, tag = (name, None) if name.startswith(SCHEMAS) else _with_weights(open_clip, name)
    source = _source(open_clip, name, architecture, tag)
    with _quiet(), _cache_only(source.offline):
        try:
            config = _config(open_clip, architecture)
            model, preprocess = open_clip.create_model_from_pretrained(architecture, tag, weights_only=True)
            # A configuration may hold options for the tokenizer; ours win.
            wraps = bool(config.get("text_cfg", {}).get("hf_tokenizer_name"))
            tokenizer = open_clip.get_tokenizer(architecture, **({"trust_remote_code": False} if wraps else {}))
        except Exception as error:  # damaged files make the libraries below raise anything
            raise ValueError(_failure(source, error)) from error
    return OpenClipEncoder(model, preprocess, tokenizer, name=name, **options)


def _source(open_clip: Any, name: str, architecture: str, tag: str | None) -> Source:
    """Where the model comes from; the hub is asked once, quickly, since its client would retry for half a minute."""
    for schema in SCHEMAS:
        if name.startswith(schema):
            place = name.removeprefix(schema)
            folder = schema == "local-dir:"
            return Source(name, place, folder, "" if folder else why_offline(place))
    hub = str(open_clip.get_pretrained_cfg(architecture, tag).get("hf_hub") or "").strip("/")
    return Source(name, hub or architecture, False, why_offline("/".join(hub.split("/")[:2])) if hub else "")


@contextmanager
def _cache_only(offline: str) -> Iterator[None]:
    """Without a connection the hub's client looks into its cache alone: open_clip cannot tell it to."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or bool(offline)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _imported(name: str) -> Any:
    if find_spec("open_clip") is None:
        raise ValueError(
            f"model: {name!r} is a name of open_clip's, which is not installed; install it with "
            '`pip install "fixlip-lab[open-clip]"`.'
        )
    try:
        import open_clip
    except Exception as error:  # torchvision of another build raises a RuntimeError
        said = str(error).strip().split("\n")[0]
        raise ValueError(
            f"model: {name!r} needs open_clip, which cannot be imported ({said}); torch and torchvision must be of one "
            "build, both for CPUs or both for the same CUDA: install them together, from one place."
        ) from error
    return open_clip


def _with_weights(open_clip: Any, name: str) -> tuple[str, str]:
    """Architecture and weights of a name without a schema; ValueError if there is no such pair."""
    architecture, _, tag = name.partition(":")
    known = open_clip.list_models()
    if architecture not in known:
        close = difflib.get_close_matches(architecture, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else "see open_clip.list_models()."
        raise ValueError(f"model: open_clip has no architecture {architecture!r}; {hint}")
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if not tag:
        some = ", ".join(repr(f"{architecture}:{one}") for one in tags[:4]) + (", …" if len(tags) > 4 else "")
        hint = f"wanted one of {some}" if tags else f"wanted '{architecture}:' and a file of weights"
        raise ValueError(f"model: {architecture!r} is an architecture of open_clip's without weights; {hint}.")
    weights = open_clip.get_pretrained_cfg(architecture, tag)
    if not weights and not Path(tag).is_file():
        close = difflib.get_close_matches(tag, tags, n=1, cutoff=0.4)
        hint = (
            f"did you mean {architecture + ':' + close[0]!r}?"
            if close
            else f"wanted one of {', '.join(tags)}, or a file."
        )
        raise ValueError(f"model: open_clip has no weights {tag!r} of {architecture}; {hint}")
    quick = bool(open_clip.get_model_config(architecture).get("quick_gelu", False))
    if weights and quick != bool(weights.get("quick_gelu", False)):
        # open_clip only warns, and computes something that the weights were not trained for.
        other = architecture.removesuffix("-quickgelu") if quick else f"{architecture}-quickgelu"
        raise ValueError(
            f"model: the weights {tag!r} were trained {'without' if quick else 'with'} QuickGELU; wanted "
            f"{other + ':' + tag!r}."
        )
    return architecture, tag


def _config(open_clip: Any, architecture: str) -> dict[str, Any]:
    """The configuration of a model, after a text tower that brings code was refused, and not asked about."""
    config: dict[str, Any] = open_clip.get_model_config(architecture)
    if tower := config.get("text_cfg", {}).get("hf_model_name"):
        from transformers import AutoConfig

        AutoConfig.from_pretrained(tower, trust_remote_code=False)
    return config


@contextmanager
def _quiet() -> Iterator[None]:
    """open_clip tells the root logger what it does, and would set that logger up."""
    root, silent, before = logging.getLogger(), logging.NullHandler(), logging.root.manager.disable
    root.addHandler(silent)
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        root.removeHandler(silent)


def _failure(source: Source, error: Exception) -> str:
    said, name = str(error), source.name
    if source.is_folder and not (Path(source.place) / "open_clip_config.json").is_file():
        return f"model: the folder {source.place!r} of {name!r} holds no open_clip_config.json."
    if said.startswith("Required pretrained weights") and not source.offline:
        return (
            f"model: {name!r} has no weights that open_clip knows (open_clip_model.safetensors, say), and random ones "
            "would be explained; wanted all weights of the model."
        )
    if said.startswith("Error(s) in loading state_dict"):
        first = next((line.strip() for line in said.splitlines()[1:]), "").rstrip(" .")
        return f"model: the weights of {name!r} do not fit its configuration ({first[:200]})."
    return source.failure(error)
