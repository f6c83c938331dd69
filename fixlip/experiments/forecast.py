"""What a run will cost, before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from ..answers import captions_beside, text_budget
from ..methods import METHODS as KNOWN
from ..metrics.curves import GRID_POINTS, MOST_PLAYERS_ONE_BY_ONE
from ..metrics.pointing_game import CELLS
from ..samples import FEWEST_MASKS
from .settings import FEW, METAGAME, METHODS, NONE, WORDS, Settings, explained, measured_at


@dataclass(frozen=True)
class Work:
    """What is to be computed, at most: masked images, masked captions, forward and backward passes."""

    images: int = 0
    captions: int = 0
    passes: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.images + other.images, self.captions + other.captions, self.passes + other.passes)

    def times(self, count: int) -> Work:
        """The same for so many items."""
        return Work(self.images * count, self.captions * count, self.passes * count)

    def seconds(self, per_image: float, per_caption: float, per_pass: float) -> float:
        """How long that takes."""
        return self.images * per_image + self.captions * per_caption + self.passes * per_pass

    def __str__(self) -> str:
        text = f"{self.images:,} masked images and {self.captions:,} masked captions"
        return f"{text}, and {self.passes:,} forward and backward passes" if self.passes else text


def work_of_item(settings: Settings, n_image: int, n_text: int, cost: float | None = None) -> Work:
    """What one item of an experiment takes.

    Args:
        settings: of the run: "insertion-deletion", "faithfulness" or "pointing-game".
        n_image: patches.
        n_text: tokens of the caption; with "pointing-game" of the one that names all four objects.
        cost: what a masked caption costs at least, as a share of a masked image, where that limits how many there are.
    """
    if settings.experiment == "pointing-game":
        # Every caption of one to four objects is asked about the same masked images, and has passes of its own.
        lengths = [max(1, n_text * k // len(CELLS)) for k in range(1, len(CELLS) + 1)]
        each = [_of_caption(settings, n_image, n, cost and cost * n / n_text) for n in lengths]
        images = max(one.images for one in each)
        return Work(images, sum(one.captions for one in each), sum(one.passes for one in each))
    one = _of_caption(settings, n_image, n_text, cost)
    if settings.experiment == "insertion-deletion":
        # Two subsets at every point, of the image alone and of both sides; first order ranks patches alike in both.
        orders = [METHODS[name].order for name, _ in explained(settings)]
        asked = 2 * sum(_points(n_image) + (order == 2) * _points(n_image + n_text) for order in orders)
    else:  # fresh masks are the same for all explanations
        asked = settings.masks * len(measured_at(settings))
    captions = min(one.captions + asked, (1 << n_text) + _of_words(n_text))
    return Work(one.images + min(asked, 1 << n_image), captions, one.passes)


def _of_caption(settings: Settings, n_image: int, n_text: int, cost: float | None) -> Work:
    """All methods at all p, for one caption."""
    kinds = {one.images for one in METHODS.values()}
    budgets = [min(settings.budget, 1 << n_image)]
    if FEW in kinds:  # as many masked images again as the metagame takes passes
        budgets.append(min(max(_passes(METAGAME, n_image, n_text), FEWEST_MASKS), 1 << n_image))
    images = sum(budgets)
    captions = min(sum(captions_beside(n_text, one, cost) for one in budgets), 1 << n_text)
    captions += _of_words(n_text) if WORDS in kinds else 0
    inside = [name for name, _ in explained(settings) if METHODS[name].images == NONE]
    return Work(images, captions, sum(_passes(name, n_image, n_text) for name in inside))


def _of_words(n_text: int) -> int:
    """Masked captions where each word is a caption of its own, none of them masked in more than a few ways."""
    return n_text * min(text_budget(1), 2)


def _passes(name: str, n_image: int, n_text: int) -> int:
    return KNOWN[METHODS[name].method].budget_of(n_image, n_text, "full") or 0


def _points(n_players: int) -> int:
    return n_players + 1 if n_players <= MOST_PLAYERS_ONE_BY_ONE else GRID_POINTS
