"""Many images with many captions: N x M explanations from N + M encodings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .answers import Side, text_budget
from .encoders.images import ImageSource
from .encoders.protocol import AnyEncoder
from .estimators.indices import check_index
from .explanation import Explanation
from .game import Game
from .masks import FloatArray, check_budget, check_p, check_seed
from .phrases import AnyTextPlayers, check_text_players
from .progress import Progress, progress_bar
from .regions import AnyImagePlayers, check_image_players
from .samples import MIXTURE, Samples, check_ps, sample_image, sample_text


@dataclass(frozen=True, eq=False)
class ExplanationGrid:
    """Explanations of every image with every caption, made when asked for: `grid[i, j]`.

    Attributes:
        images: samples of every image with the first caption.
        texts: samples of the first image with every caption.
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
        return self.images[i].cross(self.texts[j])

    def __getitem__(self, pair: tuple[int, int]) -> Explanation:
        if not (isinstance(pair, tuple) and len(pair) == 2):
            raise IndexError(f"grid: got [{pair!r}], wanted the numbers of an image and a caption, as in grid[0, 2].")
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
        return np.array([[image.cross(text).full_value for text in self.texts] for image in self.images])

    def __repr__(self) -> str:
        return f"ExplanationGrid({self.shape[0]} images x {self.shape[1]} captions, {self.index}, p={self.p:g})"


def explain_all(
    encoder: AnyEncoder,
    images: Sequence[ImageSource],
    texts: Sequence[str],
    *,
    p: float | None = None,
    budget: int = 512,
    index: str = "banzhaf",
    image_players: str | tuple[int, int] | tuple[str, int] | None = None,
    text_players: str = "tokens",
    seed: int = 0,
    progress: bool = True,
) -> ExplanationGrid:
    """Explain every image with every caption, encoding each image's masks and each caption's masks once.

    Because the encoders are independent and the kernel estimator fits them separately, N images and M captions cost
    N * budget masked images and M times up to 1,024 masked captions, whatever N * M is.

    Interrupting keeps the images and captions that were done, and drops the one in work.

    Args:
        encoder: from `fixlip.load`, or one of your own (`fixlip.check_encoder`).
        images: N files, Pillow images or arrays.
        texts: M captions.
        p: presence probability; by default one half, and masks spread from 0.2 to 0.7, so that it can be changed later.
        budget: masked images to encode, for each image.
        index: "banzhaf", "shapley" or "sii" (see `Samples.explain`).
        image_players: patches, a grid or superpixels, see `fixlip.Game`; no label map and no boxes, which are of one
            image.
        text_players: "tokens" or "words".
        seed: of the masks.
        progress: show a bar if it takes long.

    Returns:
        the grid; `grid[i, j]` is an Explanation, `grid.samples(i, j)` gives others without calling the model.

    Raises:
        ValueError: one sentence, before any masked input is encoded, if an image or a caption cannot be used.
    """
    budget, index, seed = check_budget(budget), check_index(index), check_seed(seed)
    for name, given, what in (("images", images, "image"), ("texts", texts, "caption")):
        if isinstance(given, str) or not isinstance(given, Sequence) or not len(given):
            raise ValueError(f"{name}: got {given!r:.60}, wanted a list of at least one {what}.")
    ps = MIXTURE if p is None else check_ps(check_p(p))
    _check_players(image_players, text_players)
    # One game an image and one a caption: every one of them is read before anything is encoded.
    players: dict[str, Any] = {"image_players": image_players, "text_players": text_players}
    by_image = [Game(encoder, image, texts[0], **players) for image in images]
    by_text = [Game(encoder, images[0], text, **players) for text in texts]
    pictures, captions = _encode(by_image, by_text, budget, ps, seed, progress)

    def samples(game: Game, image: Side, text: Side) -> Samples:
        return Samples(game.subject, image, text, game.scale, game.bias, seed)

    rows = [samples(game, side, captions[0]) for game, side in zip(by_image, pictures, strict=False)]
    columns = [samples(game, pictures[0], side) for game, side in zip(by_text, captions, strict=False)]
    return ExplanationGrid(rows, columns, 0.5 if p is None else p, index)


def _check_players(image_players: AnyImagePlayers, text_players: AnyTextPlayers) -> None:
    """ValueError unless every image and every caption can have such players."""
    asked = check_image_players(image_players)
    if asked is not None and not (isinstance(asked, tuple) and isinstance(asked[0], int | str)):
        raise ValueError(
            'image_players: got regions of one image; wanted players of any, patches, a grid or "slic", for all images.'
        )
    if not isinstance(check_text_players(text_players), str):
        raise ValueError('text_players: got phrases, which are of one caption; wanted "tokens" or "words".')


def _encode(
    by_image: list[Game], by_text: list[Game], budget: int, ps: tuple[float, ...], seed: int, progress: bool
) -> tuple[list[Side], list[Side]]:
    """The sides of all images and captions; after an interruption those that were done, at least one of either."""
    pictures: list[Side] = []
    captions: list[Side] = []

    def encode_images(games: list[Game], advance: Progress) -> None:
        for game in games:
            pictures.append(sample_image(game, budget, ps, seed, progress=advance))

    # The first image first: from then on an interruption leaves a grid. Either bar counts encodings of one kind, since
    # an image takes much longer than a caption.
    try:
        with progress_bar(_encodings(by_image, budget), "masked images" if progress else None) as advance:
            encode_images(by_image[:1], advance)
            with progress_bar(_caption_encodings(by_text), "masked captions" if progress else None) as advance_captions:
                for game in by_text:
                    captions.append(sample_text(game, ps, seed, progress=advance_captions))
            encode_images(by_image[1:], advance)
    except KeyboardInterrupt:
        if not (pictures and captions):
            raise
        warnings.warn(
            f"interrupted: going on with {len(pictures)} of {len(by_image)} images and {len(captions)} of "
            f"{len(by_text)} captions.",
            stacklevel=3,
        )
    return pictures, captions


def _encodings(games: list[Game], budget: int) -> int:
    return sum(min(budget, 2**game.n_image) for game in games)


def _caption_encodings(games: list[Game]) -> int:
    return sum(min(text_budget(game.n_text), 2**game.n_text) for game in games)
