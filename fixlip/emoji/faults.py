"""How strong a planted fault is: `python -m fixlip.emoji.faults NAME_OR_FOLDER [MORE]`.

On unseen planted scenes, through the model's own processor: does the model decide otherwise when the evidence is put
into the picture, and nothing else changes? It decides between two captions, the one that the fault speaks for and its
rival; and, where a scene shows one object, between all 48 words. Ask a model without the fault the same.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..encoders.huggingface import Encoder
from ..encoders.loading import load
from .evaluate import FIRST_SEED, embed_captions
from .planted import FAULTS, planted_scene
from .scenes import caption, vocabulary

SCENES = 200


@dataclass(frozen=True)
class Strength:
    """Shares of scenes, 0 to 1.

    Attributes:
        fault: one of FAULTS.
        scenes: how many.
        changed: the nearer of caption and foil is another in the picture than in its twin.
        caption: the caption is nearer in the picture.
        twin: the caption is nearer in the twin.
        named: of the scenes with one object ("shortcut", "reads"), those in which the planted word is the nearest of
            all words in the picture and not in the twin; None for "binding".
    """

    fault: str
    scenes: int
    changed: float
    caption: float
    twin: float
    named: float | None

    def __str__(self) -> str:
        named = "" if self.named is None else f", nearest of all words {self.named:.1%}"
        nearer = f"caption nearer with {self.caption:.1%}, without {self.twin:.1%}{named}"
        return f"{self.fault:<9} decision changed {self.changed:6.1%} ({nearer}; {self.scenes} scenes)"


def strength(encoder: Encoder, fault: str, scenes: int = SCENES, first_seed: int = FIRST_SEED + 2 * 10**6) -> Strength:
    """Measure one fault of a model, by the decision between two captions.

    For "shortcut" no scene shows a boat; for "binding" the picture's two colours are swapped, and a model that binds
    is the one that changes.

    Args:
        encoder: an embedded model.
        fault: one of FAULTS.
        scenes: how many unseen scenes.
        first_seed: of the scenes.
    """
    options: dict[str, Any] = {"shown": False} if fault == "shortcut" else {}
    planted = [planted_scene(fault, first_seed + k, **options) for k in range(scenes)]
    images, twins = (
        np.concatenate([_embed(encoder, picture) for picture in pictures])
        for pictures in ([each.image for each in planted], [each.twin for each in planted])
    )
    captions, foils = (
        embed_captions(encoder, texts)
        for texts in ([each.caption for each in planted], [each.foil for each in planted])
    )
    with_it, without = (np.einsum("sd,sd->s", pictures, captions - foils) > 0 for pictures in (images, twins))
    named = None
    if fault != "binding":
        words = vocabulary()
        every = embed_captions(encoder, [caption([word]) for word in words])
        alone = np.array([len(each.objects) == 1 for each in planted])
        own = np.array([words.index(each.words[0]) for each in planted])
        first, second = ((pictures @ every.T).argmax(axis=1) == own for pictures in (images, twins))
        named = float(np.mean((first & ~second)[alone])) if alone.any() else None
    shares = (float(np.mean(each)) for each in (with_it != without, with_it, without))
    return Strength(fault, scenes, *shares, named)


def _embed(encoder: Encoder, picture: Image.Image) -> NDArray[np.float32]:
    everything = np.ones((1, encoder.grid[0] * encoder.grid[1]), bool)
    return np.concatenate(list(encoder.embed_images(encoder.prepare_image(picture)[0], everything)))


def main() -> None:
    """Read the command line and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", help="embedded models or folders")
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--scenes", type=int, default=SCENES, help=f"scenes a fault, {SCENES} by default")
    options = parser.parse_args()
    for name in options.models:
        encoder = load(name)
        for fault in options.faults:
            print(f"{Path(name).name:<20} {strength(encoder, fault, options.scenes)}", flush=True)


if __name__ == "__main__":
    main()
