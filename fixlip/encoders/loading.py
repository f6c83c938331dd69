"""Loading: from a model's name to an Encoder whose every weight was there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from .adapter import Adapter, check_maskings
from .devices import check_process, choose_batch_size, choose_device, choose_dtype
from .families import check_family
from .huggingface import Encoder
from .openclip import OpenClipEncoder
from .openclip_names import is_open_clip, load_open_clip
from .sources import Source
from .speed import choose_precision

AnyAdapter = TypeVar("AnyAdapter", bound=Adapter)


def load(
    name: str | os.PathLike[str],
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int | str = "auto",
    image_masking: str = "zero",
    text_masking: str = "attention",
    *,
    revision: str | None = None,
) -> Encoder | OpenClipEncoder:
    """Load an encoder. Nothing that lies beside a model's weights is ever run.

    Args:
        name: an embedded model ("emoji-clip", "emoji-siglip"), a local folder as `save_pretrained` writes it (model and
            processor), or the id of a model on the Hugging Face hub: CLIP, MetaCLIP-2, SigLIP, SigLIP-2 (also NaFlex),
            AltCLIP, Chinese-CLIP or ALIGN. Or a model of open_clip by its own names: "ViT-B-32:laion2b_s34b_b79k"
            (architecture and weights, a tag or a file), "hf-hub:org/name", "local-dir:folder".
        device: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1", "mps".
        dtype: "float32", "bfloat16", or "auto". That is float32 for embedded models and those of less than 20 million
            weights. Larger ones multiply matrices in bfloat16 (float16 on older GPUs), all else in float32, where the
            hardware has it and a check of 128 masked pairs finds the values moved by at most 5 % of their standard
            deviation, which is 0.0025 of R squared; `encoder.why_precision` says what was chosen. Numbers then depend
            on the machine: "float32" gives the same everywhere, to rounding. Measured on emoji-clip
            (`python tests/benchmarks/precision.py`, median of 10 scenes): all in bfloat16 moves interactions by 0.5 %
            of their standard deviation and single similarities by 0.03 logits, leaves the faithfulness as it is (0.8851
            against 0.8852) and takes 0.66 of the time.
        batch_size: masked inputs at a time, or "auto"; halved by itself when memory runs out.
        image_masking: what a removed patch becomes: "zero" in the normalised picture, the picture's own "mean" colour,
            or the same patch after a strong "blur". "drop" takes its token out of a vision transformer's sequence, the
            others keeping their positions (as masked autoencoders and FLIP do, He et al. and Li et al., CVPR 2022 and
            2023): faster, since what is absent is not computed, and another game, since the model sees no blank
            patches. Without any patch CLIP reads its class token alone; SigLIP's pooling attends to nothing, and what
            it has gathered is zero.
        text_masking: what a removed token becomes: hidden from "attention", taken out ("remove"), or replaced by the
            "unknown" token.
        revision: of a hub model: a branch, a tag or a commit; by default its main branch.

    Returns:
        the encoder, in evaluation mode.

    Raises:
        ValueError: one sentence, if there is no such model, it is incomplete or no supported dual encoder, or an option
            is not available.
        RuntimeError: in a process that was forked after a model was used.
    """
    target_device, target_dtype = choose_device(device), choose_dtype(dtype)
    choose_batch_size(batch_size, target_device)
    check_maskings(image_masking, text_masking)
    check_process()
    options: dict[str, Any] = {
        "device": target_device,
        "dtype": target_dtype,
        "batch_size": batch_size,
        "image_masking": image_masking,
        "text_masking": text_masking,
    }
    recipe = options | {"name": name, "device": device, "revision": revision}
    if isinstance(name, str) and is_open_clip(name):
        if revision is not None:
            raise ValueError(f"revision: got {revision!r} for {name!r}; open_clip has no revisions of its models.")
        return _settled(load_open_clip(name, **options), dtype, recipe)
    from transformers import AutoConfig, AutoModel, AutoProcessor

    with _quiet_transformers():
        source = Source.of(name, revision)
        config = source.fetch(AutoConfig)
        family = check_family(config.model_type, repr(source.name))
        if wrong := family.vision.wrong_size(config.vision_config):
            raise ValueError(f"model: the configuration of {source.name!r} has {wrong}.")
        # Else what a model reads, and so its explanation, would depend on whether torchvision is installed.
        processor = source.fetch(AutoProcessor, backend="pil")
        _check_processor(processor, source.name)
        # Sizes that do not fit are let through here, because the sentence about them is ours to write.
        model, info = source.fetch(AutoModel, output_loading_info=True, ignore_mismatched_sizes=True)
        _check_weights(info, source.name)
    encoder = Encoder(model, processor, name=source.name, embedded=source.is_embedded, **options)
    if source.is_folder and not source.is_embedded:  # another process may stand elsewhere
        recipe["name"] = os.path.abspath(source.place)
    return _settled(encoder, dtype, recipe)


def _settled(encoder: AnyAdapter, dtype: str, recipe: dict[str, Any]) -> AnyAdapter:
    """The encoder, which knows how to load it again, after a choice of precision where that was left to us."""
    encoder.recipe = recipe
    if dtype == "auto":
        choose_precision(encoder)
    return encoder


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Else every model without torchvision and every unused weight is announced."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _check_processor(processor: Any, name: str) -> None:
    if not (hasattr(processor, "image_processor") and hasattr(processor, "tokenizer")):
        raise ValueError(f"model: {name!r} has no processor with both an image processor and a tokenizer.")
    # Without its files, transformers makes a tokenizer that knows no word.
    tokenizer = processor.tokenizer
    if set(tokenizer("a photo of 1 cat")["input_ids"]) <= set(tokenizer.all_special_ids):
        raise ValueError(f"model: {name!r} has no tokenizer that knows any word; is its tokenizer.json missing?")


def _check_weights(info: dict[str, Any], name: str) -> None:
    """Transformers fills what is missing with random numbers, which must never be explained."""
    if missing := sorted(info["missing_keys"]):
        raise ValueError(
            f"model: {len(missing)} weights are missing in {name!r} ({_first(missing)}), and random ones would be "
            "explained; wanted all weights of the model."
        )
    if wrong := sorted(info["mismatched_keys"], key=lambda entry: str(entry[0])):
        shapes = [f"{key}: {tuple(found)} for {tuple(wanted)}" for key, found, wanted in wrong]
        raise ValueError(
            f"model: {len(wrong)} weights of {name!r} do not have the shapes of its configuration ({_first(shapes)})."
        )
    if errors := info.get("error_msgs"):
        raise ValueError(f"model: some weights of {name!r} cannot be read ({str(errors[0]).splitlines()[0]}).")


def _first(entries: list[str], most: int = 3) -> str:
    return ", ".join(entries[:most]) + (", …" if len(entries) > most else "")
