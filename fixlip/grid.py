"""Many images with many captions: N x M explanations from N + M encodings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .encoders.huggingface import Encoder
from .encoders.images import ImageSource
from .explanation import Explanation
from .game import Game
from .masks import FloatArray, check_count, check_p
from .progress import progress_bar
from .samples import MIXTURE, Samples, Side
from .sampling import check_ps, sample_image, sample_text


@dataclass(frozen=True, eq=False)
class ExplanationGrid:
    """Explanations of every image with every caption, made when asked for: `grid[i, j]`.

    Attributes:
        images: one set of samples an image.
        texts: one set of samples a caption.
        p, index: of the explanations that `grid[i, j]` gives; `grid.samples(i, j)` serves every other.
    """

    images: list[Samples]
    texts: list[Samples]
    p: float
    index: str = "banzhaf"

    @property
    def shape(self) -> tuple[int, int]:
        """Number of images, number of captions."""
        return len(self.images), len(self.texts)

    def samples(self, i: int, j: int) -> Samples:
        """Samples of image i with caption j; both sides are fitted once, whatever they are paired with."""
        if not (0 <= i < self.shape[0] and 0 <= j < self.shape[1]):
            raise IndexError(f"grid: got [{i}, {j}], wanted indices within {self.shape[0]} x {self.shape[1]}.")
        image, text = self.images[i], self.texts[j]
        image.fit("image")
        text.fit("text")
        return image.cross(text)

    def __getitem__(self, pair: tuple[int, int]) -> Explanation:
        return self.samples(*pair).explain(self.p, self.index)

    def __iter__(self) -> Iterator[tuple[tuple[int, int], Explanation]]:
        """Pairs of indices with their explanations, image by image."""
        for i, j in np.ndindex(*self.shape):
            yield (i, j), self[i, j]

    def __len__(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def values(self) -> FloatArray:
        """Similarity of every whole image with every whole caption, logits of shape (N, M)."""
        return np.array([[a.cross(b).players.full_value for b in self.texts] for a in self.images])

    def __repr__(self) -> str:
        return f"ExplanationGrid({self.shape[0]} images x {self.shape[1]} captions, {self.index}, p={self.p:g})"


def explain_all(
    encoder: Encoder,
    images: Sequence[ImageSource],
    texts: Sequence[str],
    *,
    p: float | None = None,
    budget: int = 512,
    index: str = "banzhaf",
    seed: int = 0,
    progress: bool = True,
) -> ExplanationGrid:
    """Explain every image with every caption, encoding each image's masks and each caption's masks once.

    Because the encoders are independent and the kernel estimator fits them separately, N images and M captions cost
    N * budget masked images and M times up to 1,024 masked captions, whatever N * M is.

    Interrupting keeps the images that were done.

    Args:
        encoder: from `fixlip.load`.
        images: N files, Pillow images or arrays.
        texts: M captions.
        p: presence probability; by default one half, and masks spread from 0.2 to 0.7, so that it can be changed later.
        budget: masked images to encode, for each image.
        index: "banzhaf", "shapley" or "sii" (see `Samples.explain`).
        seed: of the masks.
        progress: show a bar if it takes long.

    Returns:
        the grid; `grid[i, j]` is an Explanation, `grid.samples(i, j)` gives others without calling the model.

    Raises:
        ValueError: one sentence, before any masked input is encoded, if an image or a caption cannot be used.
    """
    from .estimators.indices import check_index

    budget, index = check_count(budget, "budget", 2), check_index(index)
    if isinstance(texts, str) or not len(texts) or not len(images):
        raise ValueError("explain_all: wanted a list of at least one image and a list of at least one caption.")
    ps = MIXTURE if p is None else check_ps(check_p(p))
    # One game an image and one a caption: every one of them is read before anything is encoded.
    by_image = [Game(encoder, image, texts[0]) for image in images]
    by_text = [Game(encoder, images[0], text) for text in texts]
    sides: list[Side] = []
    with progress_bar(len(images) + len(texts), "images and captions" if progress else None) as advance:
        captions = []
        for game in by_text:
            captions.append(sample_text(game, ps, seed))
            advance(1)
        try:
            for game in by_image:
                sides.append(sample_image(game, budget, ps, seed))
                advance(1)
        except KeyboardInterrupt:
            if not sides:
                raise
            warnings.warn(f"interrupted: going on with the first {len(sides)} of {len(images)} images.", stacklevel=2)

    def samples(game: Game, image: Side, text: Side) -> Samples:
        return Samples(game.unvalued_players, image, text, game.scale, game.bias, ps, seed)

    columns = [samples(game, sides[0], text) for game, text in zip(by_text, captions, strict=True)]
    rows = [samples(game, side, captions[0]).cross(columns[0]) for game, side in zip(by_image, sides, strict=False)]
    return ExplanationGrid(rows, columns, 0.5 if p is None else p, index)
