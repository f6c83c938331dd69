"""The subject of an explanation: whose players take part, how to show them, and which input of which model it was."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .masks import BoolArray, FloatArray, IntArray
from .progress import Progress
from .regions import NOBODY, inner_points

# What players are, one and many.
PLURALS = {
    "patch": "patches",
    "region": "regions",
    "token": "tokens",
    "word": "words",
    "phrase": "phrases",
    "player": "players",
}


class AnyGame(Protocol):
    """What an estimator needs of a game: the number of players on either side, and the value of a mask."""

    @property
    def n_image(self) -> int:
        """Number of image players; they come first."""

    @property
    def n_text(self) -> int:
        """Number of text players."""

    def __call__(self, masks: BoolArray) -> NDArray[np.floating[Any]]:
        """Value of each mask: (m, n_image + n_text) booleans to (m,) numbers."""


@dataclass(frozen=True)
class Origin:
    """Where one side's embeddings come from: answers of different origins must not be mixed.

    Attributes:
        model: name of the model, for messages.
        weights: fingerprint of its architecture and weights, or "" where it has none.
        masking: what a removed player becomes.
        content: digest of the prepared input, pixels or token ids.
        note: what readers should know of this input, in a sentence: that the model does not know a word of it, say.
        players: digest of what its players are, or "" where they are the model's own patches or tokens.
        precision: in which the model ran, "float32" or "mixed bfloat16", say; "" where that is not known.
    """

    model: str
    weights: str
    masking: str
    content: str
    note: str = field(default="", compare=False)
    players: str = ""
    precision: str = field(default="", compare=False)

    @property
    def model_key(self) -> str:
        """What tells models apart: the weights, or the name where these are not known."""
        return self.weights or self.model

    def runs_apart(self, other: Origin) -> bool:
        """Whether the model is known to have run in another precision."""
        return bool(self.precision and other.precision and self.precision != other.precision)

    def difference(self, other: Origin, what: str) -> str:
        """What another origin has otherwise, in words; empty if nothing. Precision is `runs_apart`'s.

        Args:
            other: the origin that was met.
            what: what this side is called, "image" or "caption".
        """
        if self.model_key != other.model_key:
            return f"another model ({other.model!r} instead of {self.model!r})"
        if self.masking != other.masking:
            return f"another {what} masking ({other.masking!r} instead of {self.masking!r})"
        if self.content != other.content:
            return f"another {what}"
        return "" if self.players == other.players else f"other players of the {what}"


@dataclass(frozen=True, eq=False)
class Subject:
    """What is explained. Its players are image patches row by row first, then text tokens in reading order.

    Or regions of the image in place of patches, and words or phrases in place of tokens.

    Attributes:
        n_image: number of image players.
        n_text: number of text players.
        labels: one name per player.
        grid: (rows, columns) of the image patches, or None where image players are no grid.
        image: what the model sees of the image, uint8 of shape (height, width, 3), at any resolution; or None.
        text: the caption.
        model: name of the model.
        origins: where the embeddings of image and text come from; None where that is not known.
        regions: (height, width) label map, at any resolution, that covers the image: which player each place belongs to
            (-1: nobody's, always removed). None where image players are a grid, or their places are not known.
        units: what an image player and a text player are: "patch" or "region"; "token", "word" or "phrase".
    """

    n_image: int
    n_text: int
    labels: tuple[str, ...]
    grid: tuple[int, int] | None = None
    image: NDArray[np.uint8] | None = None
    text: str = ""
    model: str = ""
    origins: tuple[Origin | None, Origin | None] = (None, None)
    regions: IntArray | None = None
    units: tuple[str, str] = ("patch", "token")

    def __post_init__(self) -> None:
        if len(self.labels) != self.n_players:
            raise ValueError(f"labels: got {len(self.labels)}, wanted one for each of the {self.n_players} players.")
        if not all(isinstance(label, str) for label in self.labels):
            raise ValueError("labels: wanted strings.")
        if self.grid is not None and (min(self.grid) < 1 or self.grid[0] * self.grid[1] != self.n_image):
            raise ValueError(f"grid: got {self.grid}, wanted rows times columns to be {self.n_image} patches.")
        image = self.image
        if image is not None and (image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3):
            raise ValueError(f"image: got {image.dtype} of shape {image.shape}, wanted uint8 (height, width, 3).")
        if self.regions is not None:
            self._check_regions(self.regions)
        if not all(unit in PLURALS for unit in self.units):
            raise ValueError(f"units: got {self.units}, wanted two of {', '.join(PLURALS)}.")

    def _check_regions(self, regions: IntArray) -> None:
        if self.grid is not None:
            raise ValueError("regions: got a label map beside a grid, wanted one of the two.")
        if regions.ndim != 2 or regions.dtype.kind != "i" or regions.min(initial=NOBODY) < NOBODY:
            raise ValueError(f"regions: got {regions.dtype} of shape {regions.shape}, wanted labels (height, width).")
        if not np.array_equal(np.unique(regions[regions != NOBODY]), np.arange(self.n_image)):
            raise ValueError(f"regions: wanted each label from 0 to {self.n_image - 1} somewhere, and no other but -1.")

    @property
    def plurals(self) -> tuple[str, str]:
        """What image players and text players are called: "patches" and "tokens", say."""
        return PLURALS[self.units[0]], PLURALS[self.units[1]]

    @property
    def has_places(self) -> bool:
        """Whether it is known where in the image its players are."""
        return self.grid is not None or self.regions is not None

    def has_players_of(self, other: Subject) -> bool:
        """Whether players of the same number are each other's counterpart: as many, and no other regions."""
        if (self.n_image, self.n_text) != (other.n_image, other.n_text):
            return False
        mine, theirs = self.regions, other.regions
        if mine is None or theirs is None:
            return mine is theirs
        # The pixels of another model may be more or fewer; then the regions' names must do.
        same = np.array_equal(mine, theirs) if mine.shape == theirs.shape else True
        return same and self.labels[: self.n_image] == other.labels[: self.n_image]

    @cached_property
    def region_points(self) -> FloatArray:
        """A point well inside each region, (n_image, 2), as shares (x, y) of the image's width and height."""
        assert self.regions is not None
        return inner_points(self.regions, self.n_image)

    @property
    def n_players(self) -> int:
        """Number of players, image and text together."""
        return self.n_image + self.n_text

    @property
    def notes(self) -> tuple[str, ...]:
        """What readers should know of the image and of the caption, a sentence each."""
        return tuple(origin.note for origin in self.origins if origin is not None and origin.note)

    @classmethod
    def of(cls, game: AnyGame) -> Subject:
        """The subject of any game, with plain names for players that have none; the game is not asked.

        Raises:
            ValueError: if it is no game.
        """
        described = getattr(game, "subject", None)
        if isinstance(described, cls):
            return described
        if not callable(game) or not hasattr(game, "n_image") or not hasattr(game, "n_text"):
            raise ValueError(
                f"game: got {type(game).__name__}, wanted a game: something with n_image and n_text that gives the "
                "values of masks when called."
            )
        names = [f"image {i}" for i in range(game.n_image)] + [f"text {i}" for i in range(game.n_text)]
        labels = tuple(str(label) for label in getattr(game, "labels", names))
        return cls(game.n_image, game.n_text, labels, getattr(game, "grid", None))

    def check_same(self, game: AnyGame, owner: str = "explanation", in_one_precision: bool = False) -> None:
        """Raise ValueError unless a game has these players, and this input and model where both are known.

        With `in_one_precision` answers of the two are to stand side by side, so the model has to run as it did.
        """
        other = Subject.of(game)
        if (self.n_image, self.n_text) != (other.n_image, other.n_text):
            raise ValueError(
                f"game: got {other.n_image} + {other.n_text} players, wanted the {self.n_image} + {self.n_text} of "
                f"this {owner}."
            )
        for what, mine, theirs in zip(("image", "caption"), self.origins, other.origins, strict=True):
            difference = mine.difference(theirs, what) if mine and theirs else ""
            if in_one_precision and not difference and mine and theirs and mine.runs_apart(theirs):
                difference = f"another precision ({theirs.precision!r} instead of {mine.precision!r})"
            if difference:
                raise ValueError(f"game: it has {difference} than this {owner}; wanted the game that was explained.")

    def with_text_of(self, other: Subject, same_image: bool = False) -> Subject:
        """This image with the caption of another subject.

        Raises:
            ValueError: if the two are of different models or precisions or, where that is asked for, of different
                images.
        """
        image, text = self.origins[0], other.origins[1]
        if (image.model_key != text.model_key) if image and text else (self.model != other.model):
            raise ValueError(
                f"samples: got an image under {self.model!r} and a caption under {other.model!r}, wanted one model "
                "for both."
            )
        if image and text and image.runs_apart(text):
            raise ValueError(
                f"samples: got an image in {image.precision!r} and a caption in {text.precision!r}, wanted one "
                "precision for both."
            )
        if same_image and (self.n_image, self.origins[0]) != (other.n_image, other.origins[0]):
            raise ValueError("game: it is of another image or image masking; wanted game.with_text of the same game.")
        labels = self.labels[: self.n_image] + other.labels[other.n_image :]
        origins, units = (self.origins[0], other.origins[1]), (self.units[0], other.units[1])
        return replace(self, n_text=other.n_text, labels=labels, text=other.text, origins=origins, units=units)

    def facts(self) -> dict[str, Any]:
        """All but the picture and its regions, as JSON can hold it."""
        kept = ("n_image", "n_text", "labels", "grid", "text", "model", "units")
        origins = [None if origin is None else asdict(origin) for origin in self.origins]
        return {name: getattr(self, name) for name in kept} | {"origins": origins}

    @classmethod
    def from_facts(
        cls, facts: dict[str, Any], image: NDArray[np.uint8] | None, regions: IntArray | None = None
    ) -> Subject:
        """What `facts` gave, the picture, and its regions.

        Raises:
            ValueError, KeyError, TypeError: if something does not fit.
        """
        kept = {name: facts[name] for name in ("n_image", "n_text", "text", "model")}
        for name, kind in (("n_image", int), ("n_text", int), ("text", str), ("model", str)):
            if type(kept[name]) is not kind or (kind is int and kept[name] < 0):
                raise ValueError(f"{name} is {kept[name]!r}")
        first, second = (None if one is None else Origin(**one) for one in facts.get("origins", (None, None)))
        for origin in (first, second):
            if origin is not None and not isinstance(origin.note, str):
                raise ValueError(f"note is {origin.note!r}")
        of_image, of_text = facts.get("units", cls.units)
        grid = None if facts["grid"] is None else (int(facts["grid"][0]), int(facts["grid"][1]))
        shown: dict[str, Any] = {"grid": grid, "image": image, "regions": regions, "units": (of_image, of_text)}
        return cls(**kept, labels=tuple(facts["labels"]), origins=(first, second), **shown)


def ask(game: AnyGame, masks: BoolArray, progress: Progress = False) -> FloatArray:
    """The values of masks (m, n), as doubles of shape (m,).

    Args:
        game: any game.
        masks: booleans, image players first.
        progress: where the game can, show a bar if it takes long; or a function to call with how many masked inputs
            were just encoded, which may raise to end it.

    Raises:
        ValueError: if the game returns something else than one finite number per mask.
    """
    shows_progress = getattr(game, "shows_progress", False)
    returned = game(masks, progress) if shows_progress else game(masks)  # type: ignore[call-arg]
    try:
        values = np.asarray(returned, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):  # no numbers, ragged lists, a tensor that does not convert
        raise ValueError(
            f"game: returned {type(returned).__name__} that is no array of numbers, wanted one number per mask."
        ) from None
    if values.shape != (len(masks),):
        raise ValueError(
            f"game: returned shape {values.shape} for {len(masks)} masks, wanted ({len(masks)},), one number per mask."
        )
    wrong = np.count_nonzero(~np.isfinite(values))
    if wrong:
        raise ValueError(f"game: {wrong} of {len(masks)} values returned are not finite numbers.")
    return values


def end_values(game: AnyGame) -> tuple[float, float]:
    """Values of the empty and of the grand coalition."""
    n_players = game.n_image + game.n_text
    values = ask(game, np.stack([np.zeros(n_players, bool), np.ones(n_players, bool)]))
    return float(values[0]), float(values[1])


def patch_labels(grid: tuple[int, int]) -> tuple[str, ...]:
    """Names of the patches of a grid, counted from one as a reader counts: "patch 1,1" is at the top left."""
    return tuple(f"patch {row + 1},{column + 1}" for row in range(grid[0]) for column in range(grid[1]))
