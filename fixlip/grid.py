"""Many images with many captions: N x M explanations from N + M encodings."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import gridfiles
from .answers import Side
from .cluster import connected
from .encoders.images import ImageSource
from .encoders.protocol import AnyEncoder
from .encoders.sent import Sent
from .estimators.indices import check_index
from .explanation import Explanation
from .game import Game
from .gridfiles import Kept
from .gridwork import Encoding
from .masks import FloatArray, check_budget, check_count, check_p, check_seed
from .phrases import AnyTextPlayers, check_text_players
from .regions import AnyImagePlayers, check_image_players
from .samples import MIXTURE, Samples, check_ps


@dataclass(frozen=True, eq=False)
class ExplanationGrid:
    """Explanations of every image with every caption, made when asked for: `grid[i, j]`.

    Attributes:
        images: samples of every image with the first caption.
        texts: samples of the first image with every caption.
        p, index: of the explanations that `grid[i, j]` gives; `grid.samples(i, j)` serves every other.
        names: of the images' files, empty where they are none.
    """

    images: list[Samples]
    texts: list[Samples]
    p: float
    index: str = "banzhaf"
    names: tuple[str, ...] = ()

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

    def table(self, word: str | None = None, *, patches: int = 3) -> dict[str, list[Any]]:
        """A row for every image and caption, as columns: pandas.DataFrame(grid.table(word="car")) makes a data frame.

        Columns: number and file name of the image, number and text of the caption (numbers as in `grid[i, j]`), the
        pair's similarity and what remains with everything removed (logits), expected faithfulness; then the word, its
        place in the caption (from one), its value with standard error (logits); then the strongest patches, by name,
        value and standard error: with a word its interactions with them, without one their own values. What is not
        known is None.

        Args:
            word: a token or word; captions without it have no row, and one that has it twice has two. Case does not
                matter.
            patches: how many of the strongest patches.

        Raises:
            ValueError: if no caption has the word.
        """
        if word is not None and (not isinstance(word, str) or not word.strip()):
            raise ValueError(f"word: got {word!r:.60}, wanted a word of the captions.")
        patches, rows = check_count(patches, "patches"), []
        places = [_places(samples, word) for samples in self.texts]
        if word is not None and not any(places):
            known = dict.fromkeys(label for one in self.texts for label in one.subject.labels[one.subject.n_image :])
            raise ValueError(f"word: {word!r} is in no caption; their words are {', '.join(known)}.")
        for i, j in np.ndindex(*self.shape):
            if places[j]:
                pair = {"image": i, "file": (self.names[i] if self.names else "") or None, "caption": j}
                told = self[i, j]
                rows += [pair | _row(told, player, patches) for player in places[j]]
        return {name: [row[name] for row in rows] for name in rows[0]}

    # ---- files

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the grid as a NumPy archive (.npz), every image and every caption once; the model is not saved.

        A failed save harms no earlier file.
        """
        how = {"p": self.p, "index": self.index, "names": list(self.names)}
        return gridfiles.write(path, self.images, self.texts, how)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ExplanationGrid:
        """Read what `save` wrote.

        Raises:
            ValueError: one sentence, if there is no such file or it holds no grid.
        """
        images, texts, how = gridfiles.read(path)
        return cls(images, texts, check_p(how["p"]), check_index(how["index"]), tuple(map(str, how["names"])))

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
    resume: str | os.PathLike[str] | None = None,
    dask: Any = None,
) -> ExplanationGrid:
    """Explain every image with every caption, encoding each image's masks and each caption's masks once.

    Because the encoders are independent and the kernel estimator fits them separately, N images and M captions cost
    N * budget masked images and M times up to 1,024 masked captions, whatever N * M is.

    Interrupting keeps the images and captions that were done, and drops the one in work. With `resume` nothing that was
    encoded is lost: the same call goes on where it was interrupted, and ends with the same numbers.

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
        progress: show a bar of all encodings if it takes long.
        resume: a folder in which every image and caption is kept as soon as it is done, the one in work too where it is
            interrupted; what is there already is not encoded again. It holds whatever was explained with it; images,
            captions and budget may differ from call to call.
        dask: encode on a Dask cluster, one image or caption at a time a worker: the address of its scheduler, "local:2"
            for two processes of this machine (in a script under `if __name__ == "__main__":`), or a
            `distributed.Client`. Workers load the encoder by its name, or get it pickled where it is one of your own;
            they need no images. What a dying worker had in work others do again, and the numbers are those without a
            cluster. An interruption leaves the images and captions up to the first that is not done; `resume` keeps all
            that are. See fixlip/experiments/many-machines.md.

    Returns:
        the grid; `grid[i, j]` is an Explanation, `grid.samples(i, j)` gives others without calling the model.

    Raises:
        ValueError: one sentence, before any masked input is encoded, if an image or a caption cannot be used, no
            scheduler answers, or the encoder cannot be sent to workers; later if the cluster is lost.
    """
    budget, index, seed = check_budget(budget), check_index(index), check_seed(seed)
    for name, given, what in (("images", images, "image"), ("texts", texts, "caption")):
        if isinstance(given, str) or not isinstance(given, Sequence) or not len(given):
            raise ValueError(f"{name}: got {given!r:.60}, wanted a list of at least one {what}.")
    ps = MIXTURE if p is None else check_ps(check_p(p))
    _check_players(image_players, text_players)
    # One game an image and one a caption: every one of them is read before anything is encoded.
    players: dict[str, Any] = {"image_players": image_players, "text_players": text_players}
    sent = None if dask is None else Sent.of(encoder)
    with nullcontext() if dask is None else connected(dask) as client:
        by_image = [Game(encoder, image, texts[0], **players) for image in images]
        by_text = [Game(encoder, images[0], text, **players) for text in texts]
        work = Encoding(Kept(resume), budget, ps, seed, client, sent)
        pictures, captions = work.run(by_image, by_text, progress)

    def samples(game: Game, image: Side, text: Side) -> Samples:
        return Samples(game.subject, image, text, game.scale, game.bias, seed)

    rows = [samples(game, side, captions[0]) for game, side in zip(by_image, pictures, strict=False)]
    columns = [samples(game, pictures[0], side) for game, side in zip(by_text, captions, strict=False)]
    return ExplanationGrid(rows, columns, 0.5 if p is None else p, index, gridfiles.names_of(images[: len(rows)]))


def _check_players(image_players: AnyImagePlayers, text_players: AnyTextPlayers) -> None:
    """ValueError unless every image and every caption can have such players."""
    asked = check_image_players(image_players)
    if asked is not None and not (isinstance(asked, tuple) and isinstance(asked[0], int | str)):
        raise ValueError(
            'image_players: got regions of one image; wanted players of any, patches, a grid or "slic", for all images.'
        )
    if not isinstance(check_text_players(text_players), str):
        raise ValueError('text_players: got phrases, which are of one caption; wanted "tokens" or "words".')


def _places(samples: Samples, word: str | None) -> list[int | None]:
    """The players of a caption that a word is; with no word one row for the pair."""
    if word is None:
        return [None]
    sought, n_image = word.strip().casefold(), samples.subject.n_image
    labels = samples.subject.labels[n_image:]
    return [n_image + k for k, label in enumerate(labels) if label.strip().casefold() == sought]


def _row(told: Explanation, player: int | None, patches: int) -> dict[str, Any]:
    """A row of the table, but for the numbers of image and caption."""
    row: dict[str, Any] = {"text": told.text, "similarity": told.full_value, "empty": told.empty_value}
    row |= {"faithfulness": told.expected_faithfulness}
    values, errors = told.values, told.value_stderr
    if player is not None:
        error = None if errors is None else float(errors[player])
        row |= {"word": told.labels[player], "token": player - told.n_image + 1}
        row |= {"value": float(values[player]), "stderr": error}
        values, errors = told.interactions[player], None if told.stderr is None else told.stderr[1][player]
    order = np.argsort(-np.abs(values[: told.n_image]), kind="stable")
    for k in range(patches):
        at = int(order[k]) if k < told.n_image else None
        row[f"patch_{k + 1}"] = None if at is None else told.labels[at]
        row[f"patch_{k + 1}_value"] = None if at is None else float(values[at])
        row[f"patch_{k + 1}_stderr"] = None if at is None or errors is None else float(errors[at])
    return row
