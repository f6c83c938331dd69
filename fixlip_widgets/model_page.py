"""What a saved page holds of a small model and of a game of its, so that the page can play it; `model.js` runs it."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import numpy as np

from fixlip.encoders.huggingface import Encoder
from fixlip.masks import FloatArray

from .live import Numbers

MOST_WEIGHTS = 5_000_000  # a page holds two bytes and two thirds of each
EXACT = 1e-6  # step of normalised pixels that are no whole numbers


def model_facts(encoder: Any) -> dict[str, Any]:
    """Architecture and weights, as `model.js` wants them.

    Raises:
        ValueError: one sentence, if the page could not run this model, or not as it is used here.
    """
    name = getattr(encoder, "name", type(encoder).__name__)
    if not isinstance(encoder, Encoder) or encoder.model.config.model_type not in ("clip", "siglip"):
        raise ValueError(f"model: {name} does not run in a page; CLIP and SigLIP models of transformers do.")
    if encoder.image_masking == "drop" or encoder.text_masking != "attention":
        raise ValueError(
            f"model: {name} masks by {encoder.image_masking!r} and {encoder.text_masking!r}; in a page words are "
            'masked by "attention", and patches by anything but "drop".'
        )
    weights = {
        k: v.detach().cpu().float().numpy() for k, v in encoder.model.state_dict().items() if v.is_floating_point()
    }
    halves = {key: array.astype("<f2") for key, array in weights.items()}
    count = sum(array.size for array in halves.values())
    if count > MOST_WEIGHTS or any(not np.array_equal(halves[k].astype(np.float32), w) for k, w in weights.items()):
        raise ValueError(
            f"model: {name} does not fit into a page: wanted at most 5 million weights, in half precision."
        )
    bytes_of = np.concatenate([array.ravel() for array in halves.values()]).view(np.uint8).reshape(-1, 2).T
    packed = base64.b64encode(gzip.compress(bytes_of.tobytes(), 9, mtime=0)).decode("ascii")
    return {"config": _config(encoder), "tensors": [[k, array.size] for k, array in halves.items()], "packed": packed}


def _config(encoder: Encoder) -> dict[str, Any]:
    config: Any = encoder.model.config
    vision, text = config.vision_config, config.text_config
    same = ("hidden_size", "num_attention_heads", "layer_norm_eps", "hidden_act", "intermediate_size")
    towers = [tuple(getattr(one, name) for name in same) for one in (vision, text)]
    if towers[0] != towers[1] or vision.intermediate_size != 2 * vision.hidden_size:
        raise ValueError(f"model: {encoder.name} does not run in a page, which wants two towers of one width.")
    return {
        "width": vision.hidden_size,
        "heads": vision.num_attention_heads,
        "epsilon": vision.layer_norm_eps,
        "activation": vision.hidden_act,
        "layers": [vision.num_hidden_layers, text.num_hidden_layers],
        "patch": vision.patch_size,
        "size": encoder.image_size,
        "siglip": config.model_type == "siglip",
    }


def game_facts(game: Any, numbers: Numbers) -> dict[str, Any]:
    """The prepared picture and caption of a `fixlip.Game`, and its players.

    Args:
        game: a game of a model that `model_facts` takes.
        numbers: where arrays are put.
    """
    pixels, caption = game.inputs
    encoder, array = game.encoder, pixels.cpu().float().numpy()
    masker = encoder.masker(pixels)
    regions = game._image_players.regions
    baseline = None if masker.how == "zero" else numbers.add(masker.baseline(pixels).cpu().numpy(), EXACT)
    normalised, stored = _whole_numbers(array, encoder)
    owners = np.full(len(caption.input_ids), -1)
    owners[caption.positions.numpy()] = np.arange(len(caption.positions))
    if game._text_players.owners is not None:
        owners[caption.positions.numpy()] = game._text_players.owners
    arrays = {
        "pixels": numbers.add(stored, 1.0 if normalised else EXACT),
        "regions": numbers.add(masker.regions(pixels) if regions is None else regions, 1.0),
        "baseline": baseline,
    }
    facts = {"labels": list(game.labels), "n_image": game.n_image, "scale": game.scale, "bias": game.bias}
    facts |= {"ids": caption.input_ids.tolist(), "owners": owners.tolist(), "normalised": normalised}
    return facts | {"arrays": arrays, "empty": game.empty_value, "full": game.full_value}


def _whole_numbers(pixels: FloatArray, encoder: Encoder) -> tuple[dict[str, Any] | None, FloatArray]:
    """Pixels as they were before they were normalised, 0 to 255, and how; or as they are, and None."""
    processor = getattr(encoder.processor, "image_processor", None)
    mean, std = (getattr(processor, name, None) for name in ("image_mean", "image_std"))
    if mean is None or std is None:
        return None, pixels
    means, stds = (np.asarray(one)[:, None, None] for one in (mean, std))
    whole = np.rint((pixels * stds + means) * 255)
    if np.abs((whole / 255 - means) / stds - pixels).max() > EXACT:
        return None, pixels
    return {"mean": [float(one) for one in mean], "std": [float(one) for one in std]}, whole
