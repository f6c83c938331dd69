"""What a run will cost, before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from ..answers import text_budget
from ..metrics.pointing_game import CELLS
from .settings import METHODS, Settings, explained, measured_at


@dataclass(frozen=True)
class Work:
    """Masked images and masked captions to encode, at most."""

    images: int = 0
    captions: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.images + other.images, self.captions + other.captions)

    def times(self, count: int) -> Work:
        """The same for so many items."""
        return Work(self.images * count, self.captions * count)

    def seconds(self, per_image: float, per_caption: float) -> float:
        """How long that takes."""
        return self.images * per_image + self.captions * per_caption

    def __str__(self) -> str:
        return f"{self.images:,} masked images and {self.captions:,} masked captions"


def work_of_item(settings: Settings, n_image: int, n_text: int) -> Work:
    """What one item of an experiment takes.

    Args:
        settings: of the run; not of "runtime", which is there to find out.
        n_image: patches.
        n_text: tokens of the caption; with "pointing-game" of the one that names all four objects.
    """
    sets = len({one.index for one in METHODS.values()})
    samples = sets * min(settings.budget, 2**n_image)
    if settings.experiment == "pointing-game":
        # Every caption of one to four objects, and every word alone, is asked about the same masked images.
        lengths = [max(1, n_text * k // len(CELLS)) for k in range(1, len(CELLS) + 1)]
        captions = sum(sets * _captions(n) for n in lengths) + len(CELLS) * len(CELLS) * _captions(lengths[0])
        return Work(samples, captions)
    # Curves ask about two subsets of every size; fresh masks are the same for all explanations.
    asked = settings.masks * len(measured_at(settings))
    if settings.experiment == "insertion-deletion":
        asked = len(explained(settings)) * 2 * (n_image + n_text)
    return Work(samples + min(asked, 2**n_image), min(sets * _captions(n_text) + asked, 2**n_text))


def _captions(n_text: int) -> int:
    return min(text_budget(n_text), 1 << n_text)
