"""Randomisation: does an explanation change when the model that it explains is destroyed, layer by layer?

An explanation that stays the same when weights are replaced by random ones did not look at them: it shows the picture,
edges of it say, not the model (Adebayo et al., Sanity checks for saliency maps, NeurIPS 2018).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch

from ..claims import rounding
from ..encoders.huggingface import Encoder, of_transformers
from ..encoders.towers import check_inside
from ..expansion import Expansion
from ..masks import FloatArray, check_seed

HEADS, EMBEDDINGS = "heads", "embeddings"
_TOWERS = ("vision_model", "text_model")
# Below the heads of a tower; CLIP normalises embeddings of images once before the first block.
_BELOW_HEADS = ("embeddings", "pre_layrnorm", "encoder")


def randomised(encoder: Encoder, seed: int = 0) -> Iterator[tuple[str, Encoder]]:
    """Copies of an encoder with more and more random weights, from the top down (Adebayo et al., Section 3.1).

    Level by level, and each level in both towers at once, since an explanation here is of both: first the heads (norms
    after the last block, projections, and SigLIP's attention pooling), then the blocks from the last to the first, at
    the end the embeddings. Randomisation is cumulative. Towers of unequal depth are aligned at the top: "block 4" is
    the fourth block of the deeper one, and when the other has run out of blocks, it waits for the embeddings.

    Weights are drawn as the model class initialises them before training (its own `_init_weights`); parameters that it
    leaves out are normal with their own standard deviation. Scale and bias of the similarity stay: they are no layer,
    and only move and stretch all values. Random numbers are drawn on the CPU in single precision, so that a seed gives
    the same weights on every device.

    Args:
        encoder: from `fixlip.load`; it is left as it is.
        seed: of the weights.

    Yields:
        what was randomised last, "heads", "block 4", ... "block 1", "embeddings", and an encoder of its own; it takes
        two more copies of the model in memory, and one for every encoder that is kept.

    Raises:
        ValueError: at once, if this is no encoder, or the seed is none.
    """
    return _descend(check_inside(of_transformers(encoder)), check_seed(seed))


def _descend(encoder: Encoder, seed: int) -> Iterator[tuple[str, Encoder]]:
    model = copy.deepcopy(encoder.model).to(device="cpu", dtype=torch.float32)
    for level, (name, modules) in enumerate(_levels(model)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(np.random.SeedSequence([seed, level]).generate_state(1)[0]))
            _initialise(model, modules, whole=name == HEADS)
        # A shallow copy has the same processor, maskings, scale and bias; converting a model anew would round these.
        found = copy.copy(encoder)
        found.__dict__.pop("fingerprint", None)
        found.name = f"{encoder.name}, randomised down to {name}"
        found.recipe = None  # by its name another process would load other weights
        found.model = copy.deepcopy(model).to(device=encoder.device, dtype=encoder.dtype)
        yield name, found


def _levels(model: Any) -> Iterator[tuple[str, list[Any]]]:
    """Names and modules of the levels of a dual encoder, from the top down."""
    towers = [getattr(model, name) for name in _TOWERS]
    heads = [part for name, part in model.named_children() if name not in _TOWERS]
    yield HEADS, heads + [part for tower in towers for name, part in tower.named_children() if name not in _BELOW_HEADS]
    stacks = [list(tower.encoder.layers) for tower in towers]
    depth = max(map(len, stacks))
    for k in range(1, depth + 1):
        yield f"block {depth - k + 1}", [stack[-k] for stack in stacks if k <= len(stack)]
    lowest = ((tower, name) for tower in towers for name in _BELOW_HEADS[:2])
    yield EMBEDDINGS, [getattr(tower, name) for tower, name in lowest if hasattr(tower, name)]


@torch.no_grad()
def _initialise(model: Any, modules: list[Any], whole: bool) -> None:
    """Draw the weights of these modules anew; `whole` if some are initialised by the model as a whole."""
    drawn = list(chain.from_iterable(module.parameters() for module in modules))
    spreads = [float(values.std(correction=0)) for values in drawn]
    kept = [values for values in model.parameters() if not any(values is one for one in drawn)]
    for values, done in [(one, False) for one in drawn] + [(one, True) for one in kept]:
        values._is_hf_initialized = done  # what transformers goes by: it initialises what is missing, and no more
    for values in drawn:
        values.fill_(torch.nan)
    for module in modules:
        module.apply(model._init_weights)
    if whole:
        model._init_weights(model)
    for values, spread in zip(drawn, spreads, strict=True):
        values.copy_(torch.where(values.isnan(), torch.randn_like(values) * spread, values))


@dataclass(frozen=True)
class MapAgreement:
    """Rank correlations (Spearman) of two explanations, -1 to 1, never NaN.

    1 means that everything has kept its rank, 0 that ranks have nothing to do with each other. A map that is constant
    up to rounding ranks nothing: its correlation with another is 0 by definition, and that of two constant maps is 1,
    since nothing has changed.

    Attributes:
        patches: of the patches' values.
        patches_absolute: of their absolute values: maps are often looked at without signs, and a map that only changed
            its sign still shows the same (Adebayo et al. give both).
        interactions: of the interactions of patches with tokens; None where one of the two is of first order.
        interactions_absolute: likewise of their absolute values.
    """

    patches: float
    patches_absolute: float
    interactions: float | None = None
    interactions_absolute: float | None = None


def agreement_of_maps(first: Expansion, second: Expansion) -> MapAgreement:
    """How far two explanations agree about one picture and one caption, whatever models or methods they are of.

    Args:
        first: an explanation.
        second: another one, with as many patches and tokens.

    Raises:
        ValueError: if the numbers of players differ.
    """
    sides = [(one.n_image, one.n_text) for one in (first, second)]
    if sides[0] != sides[1]:
        (a, b), (c, d) = sides
        raise ValueError(f"second: got {c} + {d} players, wanted {a} + {b}, as the first has.")
    patches = [one.values[: one.n_image] for one in (first, second)]
    found = [_rank_correlation(*patches), _rank_correlation(*map(np.abs, patches))]
    if min(first.order, second.order) > 1:
        pairs = [one.crossmodal().ravel() for one in (first, second)]
        found += [_rank_correlation(*pairs), _rank_correlation(*map(np.abs, pairs))]
    return MapAgreement(*found)


def _rank_correlation(first: FloatArray, second: FloatArray) -> float:
    """Spearman's, and where one of the two is constant what `MapAgreement` says."""
    from scipy import stats

    constant = [len(one) < 2 or float(np.ptp(one)) <= rounding(one) for one in (first, second)]
    if any(constant):
        return float(all(constant))
    return float(stats.spearmanr(first, second).statistic)
