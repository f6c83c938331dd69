"""What an experiment is run with, and which rows it gives for every item."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..encoders.huggingface import Encoder
from ..estimators.budgets import MAX_SAMPLES
from ..masks import check_count, check_p, check_seed
from ..metrics.pointing_game import CELLS

EXPERIMENTS = ("insertion-deletion", "pointing-game", "faithfulness", "runtime")
SHAPLEY_P = 0.5  # what the p column says of Shapley indices, which have none
LEAST_RUNTIME_BUDGET = 64
# The masks of another seed must not be those of another item.
ITEMS_PER_SEED = 10**7


@dataclass(frozen=True)
class Candidate:
    """A method that is compared with others: arguments of `Samples.explain`."""

    estimator: str
    index: str
    order: int


# All are scored on one and the same game; the published comparison scores its baselines on another one than FIxLIP, in
# which removed words are replaced by a letter instead of hidden.
METHODS = {
    "FIxLIP (weighted Banzhaf interactions)": Candidate("kernel", "banzhaf", 2),
    "weighted Banzhaf values": Candidate("kernel", "banzhaf", 1),
    "FIxLIP (Shapley interactions)": Candidate("kernel", "shapley", 2),
    "Shapley values": Candidate("kernel", "shapley", 1),
}
# The fair rival in a pointing game: one map cannot point at four objects, but every word may have a map of its own, of
# the same masked images with this word as the whole caption.
WORD_BY_WORD = "weighted Banzhaf values, one word at a time"


@dataclass(frozen=True)
class Settings:
    """What is the same for all items of a run.

    Attributes:
        experiment: one of EXPERIMENTS.
        model: as `fixlip.load` takes it.
        ps: presence probabilities; sorted, and none twice.
        budget: masked images to encode for each set of samples; with "runtime" the largest number that is tried.
        masks: fresh masks that faithfulness is measured on.
        device, dtype, batch_size: as `fixlip.load` takes them.
        seed: of the masks. The items stay the same.

    Raises:
        ValueError: one sentence, if a value does not fit.
    """

    experiment: str
    model: str = "emoji-clip"
    ps: tuple[float, ...] = (0.3, 0.5, 0.7)
    budget: int = 512
    masks: int = 1000
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int | str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.experiment not in EXPERIMENTS:
            raise ValueError(f"experiment: got {self.experiment!r}, wanted one of {', '.join(EXPERIMENTS)}.")
        if not isinstance(self.ps, tuple | list) or not self.ps:
            raise ValueError(f"ps: got {self.ps!r}, wanted one presence probability or more, as in (0.3, 0.5).")
        ps = tuple(sorted({check_p(p) for p in self.ps}))
        object.__setattr__(self, "ps", ps)
        least = LEAST_RUNTIME_BUDGET if self.experiment == "runtime" else 2
        if check_count(self.budget, "budget", least) > MAX_SAMPLES:
            raise ValueError(f"budget: got {self.budget:,}, but the kernel estimator takes {MAX_SAMPLES:,} at most.")
        check_count(self.masks, "masks", 2)
        check_seed(self.seed)

    def item_seed(self, number: int) -> int:
        """Seed of the masks of the item with this number."""
        return self.seed * ITEMS_PER_SEED + number

    def describe(self, dataset: str, encoder: Encoder) -> dict[str, str]:
        """All that a table depends on, by name: "auto" resolved, methods included."""
        facts = {field.name: getattr(self, field.name) for field in fields(self)}
        facts |= {"device": encoder.device.type, "dtype": str(encoder.dtype).removeprefix("torch.")}
        facts |= {"dataset": dataset, "methods": "; ".join(methods(self.experiment)), "weights": encoder.fingerprint}
        return {name: repr(value) for name, value in facts.items()}


def methods(experiment: str) -> tuple[str, ...]:
    """Names of all that an experiment compares."""
    return (*METHODS, WORD_BY_WORD) if experiment == "pointing-game" else tuple(METHODS)


def explained(settings: Settings) -> list[tuple[str, float]]:
    """Method and p of every explanation of one image and caption, in the order in which they are made."""
    found = []
    for index, ps in (("banzhaf", settings.ps), ("shapley", (SHAPLEY_P,))):
        found += [(name, p) for p in ps for name, one in METHODS.items() if one.index == index]
    return found


def measured_at(settings: Settings) -> tuple[float | str, ...]:
    """Where faithfulness is measured: at every p, and on masks as Shapley values weigh them."""
    return (*settings.ps, "shapley")


def timed(settings: Settings, n_image: int) -> list[tuple[str, float, int]]:
    """Estimator, p and budget of every run that is timed: powers of two, from what an estimator needs."""
    # Least squares has to determine a constant, and a coefficient per patch and per pair of patches.
    needed = {"kernel": LEAST_RUNTIME_BUDGET, "crossmodal": 1 + n_image + n_image * (n_image - 1) // 2}
    budgets = [2**k for k in range(64) if LEAST_RUNTIME_BUDGET <= 2**k <= settings.budget]
    return [(name, p, b) for p in settings.ps for name, least in needed.items() for b in budgets if b >= least]


def row_keys(settings: Settings, n_image: int) -> list[tuple[str | float, ...]]:
    """What tells the rows of one item apart, in their order: a table's item is whole if it has exactly these.

    Returns:
        method and p, and with some experiments a third value (see `tables.KEYS`).
    """
    explanations = explained(settings)
    if settings.experiment == "pointing-game":
        word_by_word = [(WORD_BY_WORD, p) for p in settings.ps]
        return [(*one, objects) for objects in range(1, len(CELLS) + 1) for one in (*explanations, *word_by_word)]
    if settings.experiment == "faithfulness":
        return [(*one, at) for one in explanations for at in measured_at(settings)]
    if settings.experiment == "runtime":
        return list(timed(settings, n_image))
    return list(explanations)
