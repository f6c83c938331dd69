"""How strong a planted fault is: `python -m fixlip.emoji.faults NAME_OR_FOLDER [MORE]`.

On unseen planted scenes, through the model's own processor: does the model decide otherwise when the evidence is put
into the picture, and nothing else changes? It decides between two captions, the one that the fault speaks for and its
rival; and, where a scene shows one object, between all 48 words. Ask a model without the fault the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..encoders.huggingface import Encoder, of_transformers
from ..encoders.loading import load
from .evaluate import FIRST_SEED, embed_captions
from .planted import FAULTS, PlantedScene, planted_scene
from .props import TINTS
from .scenes import caption, vocabulary

SCENES = 200


@dataclass(frozen=True)
class Strength:
    """Shares of scenes, 0 to 1.

    Attributes:
        fault: one of FAULTS.
        scenes: how many.
        changed: the nearer of caption and foil is another in the picture than in its twin.
        followed: it changed with the evidence: the caption is nearer in the picture, the foil in the twin. A model to
            which both are alike changes by chance, too, as often against the evidence.
        caption: the caption is nearer in the picture.
        twin: the caption is nearer in the twin.
        margin: by how much the nearer is nearer in the picture, on average, in units of the logits (no share).
        named: of the scenes with one object ("shortcut", "reads"), those in which the planted word is the nearest of
            all words in the picture and not in the twin; None for "binding".
        colours: "binding": the caption is nearer than with one colour replaced by one that no object has; it takes no
            binding to know that. None for the others.
    """

    fault: str
    scenes: int
    changed: float
    followed: float
    caption: float
    twin: float
    margin: float
    named: float | None
    colours: float | None

    def __str__(self) -> str:
        lines = [
            f"{self.fault}, {self.scenes} scenes",
            f"  decision changed              {self.changed:7.1%}",
            f"  it followed the evidence      {self.followed:7.1%}",
            f"  caption nearer than foil      {self.caption:7.1%}",
            f"  the same in the twin          {self.twin:7.1%}",
            f"  mean margin in logits         {self.margin:7.1f}",
        ]
        if self.named is not None:
            lines.append(f"  word nearest of all, by this  {self.named:7.1%}")
        if self.colours is not None:
            lines.append(f"  wrong colour found            {self.colours:7.1%}")
        return "\n".join(lines)


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
    first, second = (np.einsum("sd,sd->s", pictures, captions - foils) for pictures in (images, twins))
    shares = {
        "changed": np.mean((first > 0) != (second > 0)),
        "followed": np.mean((first > 0) & (second <= 0)),
        "caption": np.mean(first > 0),
        "twin": np.mean(second > 0),
        "margin": encoder.scale * np.mean(np.abs(first)),
    }
    named = colours = None
    alone = [k for k, each in enumerate(planted) if len(each.objects) == 1]
    if fault == "binding":
        wrong = embed_captions(encoder, [_one_colour_wrong(each) for each in planted])
        colours = float(np.mean(np.einsum("sd,sd->s", images, captions - wrong) > 0))
    elif alone:
        named = _named(encoder, images[alone], twins[alone], [planted[k].words[0] for k in alone])
    return Strength(
        fault, scenes, **{name: float(share) for name, share in shares.items()}, named=named, colours=colours
    )


def _named(encoder: Encoder, images: NDArray[np.float32], twins: NDArray[np.float32], planted: Sequence[str]) -> float:
    """Share of the pictures to which, of all words, the planted one is the nearest, while it is not to their twins."""
    words = vocabulary()
    every = embed_captions(encoder, [caption([word]) for word in words])
    own = np.array([words.index(word) for word in planted])
    first, second = ((pictures @ every.T).argmax(axis=1) == own for pictures in (images, twins))
    return float(np.mean(first & ~second))


def _one_colour_wrong(planted: PlantedScene) -> str:
    """The caption with its first colour replaced by the next one that is not in the picture."""
    first, one, second, _ = planted.words
    names = [*TINTS, *TINTS]
    absent = next(name for name in names[names.index(first) :] if name not in (first, second))
    return planted.caption.replace(caption([f"{first} {one}"]), caption([f"{absent} {one}"]))


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
        encoder = of_transformers(load(name))
        for fault in options.faults:
            print(f"{Path(name).name}: {strength(encoder, fault, options.scenes)}", flush=True)


if __name__ == "__main__":
    main()
