"""Dropping: absent patches are taken out of a vision transformer's sequence, instead of being painted over.

What is left keeps its positions and its class token. So a patch that is absent costs nothing, and is nothing: no blank
square that the model was trained to see as a picture. Masks with the same number of patches make a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from ..masks import BoolArray
from .devices import sent


def dropped(model: Any, inputs: dict[str, torch.Tensor], n: int) -> Callable[[BoolArray], torch.Tensor]:
    """A function from masks (m, n) of one count, True = present, to what the model makes of those patches, (m, d).

    Without any patch CLIP reads its class token alone. SigLIP has none: its pooling attends to nothing, so that what it
    gathers is zero, and the embedding is the same for every picture.

    Args:
        model: a dual encoder of transformers with a vision transformer.
        inputs: what its `get_image_features` takes for the whole picture.
        n: number of patches.
    """
    vision = model.vision_model
    with torch.inference_mode():
        # The attention mask of a flexible resolution says where padding is; there is none.
        given = {name: part for name, part in inputs.items() if name != "pixel_attention_mask"}
        embedded = vision.embeddings(**given)[0]
    leading = len(embedded) - n
    enter = getattr(vision, "pre_layrnorm", None)

    def features(masks: BoolArray) -> torch.Tensor:
        count = int(masks[0].sum())
        patches = torch.from_numpy(np.nonzero(masks)[1].reshape(len(masks), count) + leading)
        kept = torch.cat([torch.arange(leading).expand(len(masks), -1), patches], 1)
        states = embedded[sent(kept, embedded.device)]
        if enter is not None:
            states = enter(states)
        if leading + count:
            states = vision.encoder(inputs_embeds=states).last_hidden_state
        if leading:
            found = model.visual_projection(vision.post_layernorm(states[:, 0]))
        elif count:
            found = vision.head(vision.post_layernorm(states))
        else:
            found = _pooled_nothing(vision.head, len(masks))
        assert isinstance(found, torch.Tensor)
        return found

    return features


def _pooled_nothing(head: Any, m: int) -> torch.Tensor:
    """What SigLIP's attention pooling makes of no patches at all, (m, d): the weighted sum of nothing is zero."""
    bias: torch.Tensor = head.attention.out_proj.bias
    gathered = bias.expand(m, -1)
    found: torch.Tensor = gathered + head.mlp(head.layernorm(gathered))
    return found


def by_count(masks: BoolArray, embed: Callable[[BoolArray], Iterable[torch.Tensor]]) -> torch.Tensor:
    """Embeddings (m, d) of masks (m, n), asked for in groups of one count, and returned in the order of the masks.

    They stay on their device: there are many small groups, and fetching each would let a GPU run dry in between.
    """
    counts = masks.sum(axis=1)
    order = np.argsort(counts, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(counts[order])) + 1)
    found = torch.cat([batch for group in groups for batch in embed(masks[group])])
    return found[sent(torch.from_numpy(np.argsort(order)), found.device)]
