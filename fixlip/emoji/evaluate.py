"""Measure an embedded model: `python -m fixlip.emoji.evaluate NAME_OR_FOLDER`.

Everything goes the way a user's picture goes: scenes at their default size, through the model's saved processor. The
seeds are far from those of any training run, and training never repeats a scene.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..encoders.huggingface import Encoder, of_transformers
from ..encoders.loading import load
from ..metrics import quadrant
from .scenes import Scene, caption, scene, vocabulary

FIRST_SEED = 10**9


@dataclass(frozen=True)
class Report:
    """Shares of right answers, 0 to 1.

    Attributes:
        zero_shot: single objects, named among all words ("a photo of a cat").
        quadrant: 2x2 scenes: removing an object's corner lowers its word's similarity more than any other corner does.
        retrieval_text: scenes of distinct objects: the caption of an image.
        retrieval_image: the same: the image of a caption.
        top4: share of the words of a four-object scene that are among the four most similar words.
    """

    zero_shot: float
    quadrant: float
    retrieval_text: float
    retrieval_image: float
    top4: float

    def __str__(self) -> str:
        rows = {
            "zero-shot, single objects": self.zero_shot,
            "quadrant test, 2x2 scenes": self.quadrant,
            "retrieval, caption of an image": self.retrieval_text,
            "retrieval, image of a caption": self.retrieval_image,
            "words of four-object scenes among the top four": self.top4,
        }
        return "\n".join(f"{name:<48}{share:7.1%}" for name, share in rows.items())


def evaluate(
    encoder: Encoder, *, singles: int = 960, mosaics: int = 200, gallery: int = 64, sprites: Path | None = None
) -> Report:
    """Run all tests on fresh scenes.

    Args:
        encoder: an embedded model.
        singles: number of scenes with one object.
        mosaics: number of 2x2 scenes with four.
        gallery: number of scenes, with one to four objects each, for retrieval.
        sprites: folder with another style of pictures (see `fixlip.emoji.scene`).
    """
    words = vocabulary()
    photo = embed_captions(encoder, [caption([word], "photo") for word in words])
    bare = embed_captions(encoder, list(words))
    alone = [scene(FIRST_SEED + i, words=[words[i % len(words)]], sprites=sprites) for i in range(singles)]
    named = (embed_scenes(encoder, alone) @ photo.T).argmax(axis=1)
    zero_shot = float(np.mean([words[k] == shown.objects[0] for k, shown in zip(named, alone, strict=True)]))

    four = [scene(FIRST_SEED + singles + i, objects=4, layout="grid", sprites=sprites) for i in range(mosaics)]
    # The four corners of the grid are removed one at a time; the last mask removes nothing.
    masks = np.stack(
        [~quadrant(encoder.grid, k) for k in range(4)] + [np.ones(encoder.grid[0] * encoder.grid[1], bool)]
    )
    embeddings = np.stack([_embed(encoder, shown, masks) for shown in four])
    truth = np.array([[words.index(word) for word in shown.objects] for shown in four])
    after = np.einsum("scd,swd->swc", embeddings[:, :4], bare[truth])
    shrinks = float(np.mean(after.argmin(axis=2) == np.arange(4)))
    best = np.argsort(-(embeddings[:, 4] @ bare.T), axis=1)[:, :4]
    top4 = float(np.mean([len(set(a) & set(b)) / 4 for a, b in zip(best, truth, strict=True)]))

    shown = _distinct(gallery, sprites)
    similarity = embed_scenes(encoder, shown) @ embed_captions(encoder, [s.caption for s in shown]).T
    right = np.arange(gallery)
    return Report(
        zero_shot=zero_shot,
        quadrant=shrinks,
        retrieval_text=float(np.mean(similarity.argmax(axis=1) == right)),
        retrieval_image=float(np.mean(similarity.argmax(axis=0) == right)),
        top4=top4,
    )


def embed_scenes(encoder: Encoder, scenes: list[Scene]) -> NDArray[np.float32]:
    """Unit-norm embeddings of whole scenes, (scenes, d)."""
    everything = np.ones((1, encoder.grid[0] * encoder.grid[1]), bool)
    return np.concatenate([_embed(encoder, shown, everything) for shown in scenes])


def embed_captions(encoder: Encoder, captions: list[str]) -> NDArray[np.float32]:
    """Unit-norm embeddings of whole captions, (captions, d)."""
    rows = []
    for text in captions:
        prepared = encoder.prepare_text(text)
        rows += list(encoder.embed_texts(prepared, np.ones((1, len(prepared.labels)), bool)))
    return np.concatenate(rows)


def _embed(encoder: Encoder, shown: Scene, masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.concatenate(list(encoder.embed_images(encoder.prepare_image(shown.image)[0], masks)))


def _distinct(count: int, sprites: Path | None) -> list[Scene]:
    scenes: dict[frozenset[str], Scene] = {}
    seed = FIRST_SEED + 10**6
    while len(scenes) < count:
        shown = scene(seed, objects=1 + seed % 4, sprites=sprites)
        scenes.setdefault(frozenset(shown.objects), shown)
        seed += 1
    return list(scenes.values())


def main() -> None:
    """Read the command line and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="an embedded model or a folder")
    parser.add_argument("--sprites", type=Path, help="folder that make_sprites wrote, for another style of emoji")
    options = parser.parse_args()
    print(evaluate(of_transformers(load(options.model)), sprites=options.sprites))


if __name__ == "__main__":
    main()
