"""What makes real models fast: matrix products in half precision, after a check, and what a caption costs.

Both are for large models that are none of the embedded ones: a small one is fast enough, and what it says should not
depend on the machine. Who wants the same of a large one says `fixlip.load(..., dtype="float32")`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..emoji.scenes import scene
from ..masks import FloatArray

# Models of fewer weights are not large. The embedded ones have a few million, CLIP's smallest 151 million.
LARGE = 20_000_000
# The check's masked pictures, each with each of its masked captions.
CHECK_IMAGES, CHECK_CAPTIONS = 8, 16
# Of the values' standard deviation: an error whose square takes 0.0025 of an explanation's R squared at most.
MOST_ERROR = 0.05
# A caption's cost as a share of a picture's where the vision tower is convolutional, and weights do not tell.
CONVOLUTIONAL = 1 / 8
# So many times the share of multiplications is what captions cost by the clock; see `caption_cost`.
OVERHEAD = 1.5


def is_large(model: torch.nn.Module) -> bool:
    """Whether a model has so many weights that precision and the number of captions are worth a thought."""
    return sum(weight.numel() for weight in model.parameters()) >= LARGE


# ---- precision


def native_half(device: torch.device) -> torch.dtype | None:
    """The half precision in which this device multiplies matrices faster than in float32; None if there is none."""
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return torch.bfloat16
        return torch.float16 if torch.cuda.get_device_capability(device) >= (7, 0) else None
    if device.type == "cpu":
        # torch has no public question for either.
        asked = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("amx_tile", "avx512_bf16"))
        return torch.bfloat16 if any(ask is not None and ask() for ask in asked) else None
    return None


def choose_precision(encoder: Any) -> None:
    """Settle what "auto" means for an encoder in float32, and let it say what was chosen and why.

    Half precision is for matrix products alone (`torch.autocast`): weights, sums over layers and what looks into the
    model stay in float32. It is chosen if a large model runs on a device that has it, and if on masks of a picture of
    the embedded kind the values' root mean square error is at most 5 % of their standard deviation.
    """
    half = native_half(encoder.device)
    if encoder.embedded:
        why = "embedded models give the same numbers on every machine"
    elif not is_large(encoder.model):
        why = "the model is small"
    elif half is None:
        why = f"this {encoder.device.type} multiplies no faster in half precision"
    else:
        why = _checked(encoder, half)
    encoder.why_precision = f"{encoder.precision}: {why}"


def _checked(encoder: Any, half: torch.dtype) -> str:
    """Let the encoder multiply in half precision if that is precise enough; why, or why not."""
    name = str(half).removeprefix("torch.")
    try:
        exact = _values(encoder)
        encoder.multiplies_in = half
        coarse = _values(encoder)
    except (ValueError, RuntimeError) as problem:  # numbers too large for float16, an operation that is not there
        encoder.multiplies_in = None
        return f"the check of {name} failed ({str(problem).splitlines()[0]})"
    error = float(np.sqrt(np.mean((coarse - exact) ** 2)) / exact.std()) if exact.std() > 0 else np.inf
    if not error <= MOST_ERROR:
        encoder.multiplies_in = None
    return (
        f"matrix products in {name} move the values of {exact.size} masked pairs by {error:.1%} of their standard "
        f"deviation (at most {MOST_ERROR:.0%} is allowed)"
    )


def _values(encoder: Any) -> FloatArray:
    """The similarity of each of a few masked pictures with each of a few masked captions."""
    shown, rng = scene(7), np.random.default_rng(0)
    pixels, caption = encoder.prepare_image(shown.image)[0], encoder.prepare_text(shown.caption)
    rows, columns = encoder.grid_of(pixels)
    images = encoder.embed_images(pixels, rng.random((CHECK_IMAGES, rows * columns)) < 0.5)
    texts = encoder.embed_texts(caption, rng.random((CHECK_CAPTIONS, len(caption.labels))) < 0.5)
    sides: list[NDArray[np.float64]] = [np.concatenate(list(side)).astype(np.float64) for side in (images, texts)]
    return np.asarray(encoder.scale * sides[0] @ sides[1].T)


# ---- captions


def caption_cost(model: torch.nn.Module, vision: str, image_positions: float | None, text_positions: int) -> float:
    """What encoding a caption costs as a share of what a picture costs, the same on every machine.

    Each position of a transformer's input meets each weight of its layers once. These multiplications are counted, and
    their share is taken `OVERHEAD` times: layers of a caption are small, so that starting them, their norms and their
    activations weigh more, and most of all where half precision makes multiplications cheap. Measured with ViT-B/32 and
    ten tokens, whose count is 0.107: 0.118 in float32 and 0.161 in bfloat16, there 1.5 times the count, and with
    `image_masking="drop"`, whose count is 0.213, about 0.32 (processor time, two cores, batches of 16). The largest is
    taken, so that captions come to cost rather less than they may. With the 196 patches of ViT-B/16 they do: attention,
    which is not counted, makes pictures dearer, and a caption was 0.021 of one, whose count is 0.027 (batches of 64).

    Args:
        model: a dual encoder.
        vision: how the names of the vision tower's weights begin.
        image_positions: patches and class token; None for a convolutional tower.
        text_positions: tokens, begin, end and padding.
    """
    if image_positions is None:
        return CONVOLUTIONAL
    weights = {True: 0, False: 0}
    for name, weight in model.named_parameters():
        if weight.ndim == 2 and "embed" not in name and "projection" not in name:
            weights[name.startswith(vision)] += weight.numel()
    return OVERHEAD * weights[False] * text_positions / max(1.0, weights[True] * image_positions)
