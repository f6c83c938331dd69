"""Families: what tells the supported architectures of transformers apart, by the `model_type` of a configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .captions import ClipReader, FramedReader, Reader, SiglipReader
from .vision import ConvolutionalVision, FixedVision, FlexibleVision

# What of a configuration, beside the weights, decides how a picture or a caption is embedded.
_ARCHITECTURE = ("hidden_act", "num_attention_heads", "layer_norm_eps", "patch_size", "image_size", "eos_token_id")
_CONVOLUTIONS = ("strides", "kernel_sizes", "depthwise_padding", "pooling_type", "batch_norm_eps")


@dataclass(frozen=True)
class Family:
    """One architecture.

    Attributes:
        reader: from a text configuration to how captions are read.
        vision: from a vision configuration to how pictures are read.
        architecture: the fields of both configurations that belong to a model's fingerprint.
    """

    reader: Callable[[Any], Reader]
    vision: type[FixedVision] | type[FlexibleVision] | type[ConvolutionalVision] = FixedVision
    architecture: tuple[str, ...] = _ARCHITECTURE


FAMILIES = {
    "clip": Family(ClipReader),
    "metaclip_2": Family(lambda config: ClipReader(config, first_end=True)),
    "siglip": Family(SiglipReader),
    "siglip2": Family(SiglipReader, FlexibleVision, (*_ARCHITECTURE, "num_patches")),
    # XLM-RoBERTa counts positions from behind the padding's number.
    "altclip": Family(lambda config: FramedReader(config, first_position=int(config.pad_token_id) + 1)),
    "chinese_clip": Family(FramedReader),
    "align": Family(FramedReader, ConvolutionalVision, (*_ARCHITECTURE, *_CONVOLUTIONS)),
}


def check_family(model_type: str, name: str) -> Family:
    """The family of models of this type; ValueError if the configuration of `name` has another."""
    if model_type not in FAMILIES:
        raise ValueError(
            f"model: {name} is of type {model_type!r}, which is not supported; supported are CLIP, SigLIP, SigLIP-2, "
            "MetaCLIP-2, AltCLIP, Chinese-CLIP and ALIGN."
        )
    return FAMILIES[model_type]
