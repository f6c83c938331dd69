"""Embeddings of many phrases, kept on disk: a bank is embedded once for each model."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..atomic import replacing
from ..encoders.captions import Caption
from ..encoders.huggingface import Encoder
from ..masks import FloatArray
from .bank import Classes

logger = logging.getLogger("fixlip")

Cache = bool | str | os.PathLike[str]
_NAMED = 5  # phrases in a note


def cache_folder() -> Path:
    """Where embeddings are kept by default: `fixlip` in the folder that the system has for caches."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "fixlip" / "embeddings"


def embed_phrases(encoder: Encoder, phrases: Sequence[str], what: str = "bank", cache: Cache = True) -> FloatArray:
    """Embeddings of length one, (phrases, d).

    Args:
        encoder: a CLIP or SigLIP.
        phrases: read as they are.
        what: what they are, for messages.
        cache: True for `cache_folder()`, a folder of your own, or False for none. A file is found by the model's
            fingerprint, its precision and the phrases' token ids. One that is damaged is made anew; where none can be
            written, none is kept.

    Raises:
        ValueError: one sentence, before any model call, if a phrase is too long, or is none to the model.
    """
    captions = read_phrases(encoder, phrases, what)
    if cache is False:
        return _embed(encoder, captions)
    folder = cache_folder() if cache is True else Path(cache)
    path = folder / f"{_key(encoder, captions)}.npz"
    found = _load(path, len(captions))
    if found is None:
        found = _embed(encoder, captions)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(path) as partial:
                np.savez(partial, embeddings=found.astype(np.float32))
        except OSError as error:
            logger.info("embeddings are not kept: cannot write %r (%s)", str(path), error.strerror or error)
    return found


def read_phrases(encoder: Encoder, phrases: Sequence[str], what: str) -> list[Caption]:
    """Tokenised phrases; ValueError, in one sentence that names the phrase, if one cannot be read."""
    captions = []
    for phrase in phrases:
        try:
            captions.append(encoder.prepare_text(phrase))
        except ValueError as error:
            shown = phrase if len(phrase) <= 60 else f"{phrase[:60]}…"
            raise ValueError(f"{what}: {shown!r} cannot be used ({str(error).removeprefix('text: ')[:-1]}).") from None
    return captions


def note_of_phrases(encoder: Encoder, phrases: Sequence[str], what: str = "bank") -> str:
    """Which phrases the model has no words for; empty if there are none.

    A phrase counts if its tokenizer reads a token of it as unknown, or cuts a word of it into single letters or bytes,
    as happens to other scripts; and for an embedded model, if it was not trained on a word of it. A tokenizer of many
    languages knows words that its model may not: this is about the tokenizer.

    Raises:
        ValueError: one sentence, if it has words for none of them.
    """
    captions = read_phrases(encoder, phrases, what)
    strange = [one for one, caption in zip(phrases, captions, strict=True) if _is_strange(encoder, caption)]
    if not strange:
        return ""
    named = ", ".join(f"\u201c{one}\u201d" for one in strange[:_NAMED])
    more = f" and {len(strange) - _NAMED} more" if len(strange) > _NAMED else ""
    if len(strange) == len(phrases):
        raise ValueError(
            f"{what}: {encoder.name} has words for none of its {len(phrases)} phrases ({named}{more}); wanted phrases "
            "in the language and script that it was trained on."
        )
    return f"{encoder.name} has no words for {len(strange)} of {len(phrases)} phrases of the {what}: {named}{more}."


def _is_strange(encoder: Encoder, caption: Caption) -> bool:
    if caption.unknown_id is not None and bool((caption.input_ids[caption.positions] == caption.unknown_id).any()):
        return True
    letters = sum(letter.isalpha() for letter in caption.text)
    cut = len(caption.labels) >= letters > 2 * len(caption.text.split())
    return cut or bool(encoder.note_of_text(caption.text))


def class_embeddings(encoder: Encoder, classes: Classes, cache: Cache = True) -> FloatArray:
    """The zero-shot classifier (classes, d): the mean of each class's prompts, of length one."""
    flat = [prompt for prompts in classes.prompts for prompt in prompts]
    embedded = embed_phrases(encoder, flat, "classes", cache)
    owner = np.repeat(np.arange(len(classes)), [len(prompts) for prompts in classes.prompts])
    sums = np.zeros((len(classes), embedded.shape[1]))
    np.add.at(sums, owner, embedded)
    return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True))


def _embed(encoder: Encoder, captions: Sequence[Caption]) -> FloatArray:
    return np.concatenate(list(encoder.embed_captions(captions))).astype(np.float64)


def _key(encoder: Encoder, captions: Sequence[Caption]) -> str:
    """What decides the embeddings: the weights, the precision, and what the tokenizer made of the phrases."""
    ids = "\n".join(",".join(map(str, caption.input_ids.tolist())) for caption in captions)
    return hashlib.sha256(f"{encoder.fingerprint} torch.{encoder.precision} {ids}".encode()).hexdigest()[:32]


def _load(path: Path, count: int) -> FloatArray | None:
    """What a file holds; None if there is none, or it is no such array."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            found = np.asarray(archive["embeddings"], np.float64)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    whole = found.ndim == 2 and len(found) == count and bool(np.isfinite(found).all())
    return found if whole and np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-2) else None
