"""What an experiment is run with, and which rows it gives for every item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from ..encoders.huggingface import Encoder
from ..estimators.budgets import MAX_SAMPLES
from ..masks import check_count, check_p, check_seed
from ..methods import METHODS as KNOWN
from ..metrics.pointing_game import CELLS
from .planted_columns import BINDING
from .planted_columns import SCORES as PLANTED
from .tables import SCORES

EXPERIMENTS = tuple(SCORES)
# Those whose items are mosaics of four labelled pictures; the others take images with captions.
ON_MOSAICS = ("pointing-game", "context")
NO_P = 0.5  # what the p column says of methods that have none
LEAST_RUNTIME_BUDGET = 64
# The masks of another seed must not be those of another item.
ITEMS_PER_SEED = 10**7
# From which masked images a candidate is made: all of the budget; as many as the metagame took passes; so many that the
# cost, masked captions included, is the metagame's; all of them, for each word as a caption of its own; or none, since
# the method looks into the model.
ALL, FEW, FEWER, WORDS, NONE = "all", "few", "fewer", "words", "none"


@dataclass(frozen=True)
class Candidate:
    """A method that is compared with others.

    Attributes:
        method: its name in `fixlip.methods.METHODS`.
        index, order: what it is asked for.
        images: ALL, FEW, FEWER, WORDS or NONE.
        options: of the function in `fixlip.baselines`, where they are not its defaults.
    """

    method: str
    index: str
    order: int
    images: str = NONE
    options: tuple[tuple[str, int], ...] = ()

    @property
    def has_p(self) -> bool:
        """Whether it gives another explanation at every p."""
        return self.index == "banzhaf"

    @property
    def is_known(self) -> bool:
        """Whether the library has it."""
        return self.method in KNOWN


FIXLIP, VALUES = "FIxLIP (weighted Banzhaf interactions)", "weighted Banzhaf values"
AT_METAGAMES_COST = "FIxLIP at the metagame's cost"
WITH_ITS_PASSES = "FIxLIP, masked images as many as the metagame's passes"
# The fair rival of second order: one map cannot point at four objects, but every word may have a map of its own, of
# the same masked images with this word as the whole caption.
WORD_BY_WORD = "weighted Banzhaf values, one word at a time"
METAGAME = "metagame of Grad-ECLIP (Shapley values)"
# All are scored on one and the same game; the published comparison scores its baselines on another one than FIxLIP, in
# which removed words are replaced by a letter instead of hidden.
METHODS = {
    name: one
    for name, one in {
        FIXLIP: Candidate("kernel", "banzhaf", 2, ALL),
        VALUES: Candidate("kernel", "banzhaf", 1, ALL),
        WORD_BY_WORD: Candidate("kernel", "banzhaf", 2, WORDS),
        AT_METAGAMES_COST: Candidate("kernel", "banzhaf", 2, FEWER),
        WITH_ITS_PASSES: Candidate("kernel", "banzhaf", 2, FEW),
        "metagame of Grad-ECLIP (weighted Banzhaf values)": Candidate("metagame-grad-eclip", "banzhaf", 2),
        "FIxLIP (Shapley interactions)": Candidate("kernel", "shapley", 2, ALL),
        "Shapley values": Candidate("kernel", "shapley", 1, ALL),
        METAGAME: Candidate("metagame-grad-eclip", "shapley", 2),
        "metagame of GAME (Shapley values)": Candidate("metagame-game", "shapley", 2),
        "metagame of MaskCLIP (Shapley values)": Candidate("metagame-maskclip", "shapley", 2),
        "exCLIP": Candidate("exclip", "scores", 2),
        "Grad-ECLIP": Candidate("grad-eclip", "scores", 1),
        "GAME": Candidate("game", "scores", 1),
        "GAME, all layers": Candidate("game", "scores", 1, options=(("start", 0),)),
        "MaskCLIP": Candidate("maskclip", "scores", 1),
        "attention rollout": Candidate("rollout", "scores", 1),
        "gradient × input": Candidate("gradient-input", "scores", 1),
        "occlusion": Candidate("occlusion", "scores", 1),
        "a random map": Candidate("random", "scores", 1),
    }.items()
    if one.is_known
}
FIXLIP_3 = "FIxLIP, third order (weighted Banzhaf interactions)"
# Asked where a truth was planted: of one word and a patch, third order says what second order does; of two words more.
THIRD_ORDER = {
    FIXLIP_3: Candidate("kernel", "banzhaf", 3, ALL),
    "FIxLIP, third order, at the metagame's cost": Candidate("kernel", "banzhaf", 3, FEWER),
    "metagame of Grad-ECLIP, third order (weighted Banzhaf interactions)": Candidate(
        "metagame-grad-eclip", "banzhaf", 3
    ),
    "metagame of Grad-ECLIP, third order (Shapley interactions)": Candidate("metagame-grad-eclip", "shapley", 3),
    "metagame of GAME, third order (Shapley interactions)": Candidate("metagame-game", "shapley", 3),
    "metagame of MaskCLIP, third order (Shapley interactions)": Candidate("metagame-maskclip", "shapley", 3),
}


def methods_of(experiment: str) -> dict[str, Candidate]:
    """The methods that an experiment compares, by name."""
    third = THIRD_ORDER if experiment == BINDING else {FIXLIP_3: THIRD_ORDER[FIXLIP_3]}
    return METHODS | third if experiment in PLANTED else METHODS


def candidate(name: str) -> Candidate:
    """The method of a name, of any experiment."""
    return METHODS[name] if name in METHODS else THIRD_ORDER[name]


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
        facts |= {"device": encoder.device.type, "dtype": encoder.precision, "image_masking": encoder.image_masking}
        facts |= {"dataset": dataset, "methods": "; ".join(methods_of(self.experiment)), "weights": encoder.fingerprint}
        return {name: repr(value) for name, value in facts.items()}


def explained(settings: Settings) -> list[tuple[str, float]]:
    """Method and p of every explanation of one image and caption, in the order in which they are made."""
    methods = methods_of(settings.experiment)
    at_every_p = [(name, p) for p in settings.ps for name, one in methods.items() if one.has_p]
    return at_every_p + [(name, NO_P) for name, one in methods.items() if not one.has_p]


def measured_at(settings: Settings) -> tuple[float | str, ...]:
    """Where faithfulness is measured: at every p, and on masks as Shapley values weigh them."""
    return (*settings.ps, "shapley")


def timed(settings: Settings, n_image: int) -> list[tuple[str, float, int]]:
    """Method, p and budget of every run that is timed: powers of two, from what an estimator needs.

    Methods that look into the model take no budget, which is 0 here, and are timed once.
    """
    # Least squares has to determine a constant, and a coefficient per patch and per pair of patches.
    needed = {"kernel": LEAST_RUNTIME_BUDGET, "crossmodal": 1 + n_image + n_image * (n_image - 1) // 2}
    budgets = [2**k for k in range(64) if LEAST_RUNTIME_BUDGET <= 2**k <= settings.budget]
    sampled = [(name, p, b) for p in settings.ps for name, least in needed.items() for b in budgets if b >= least]
    return sampled + [(name, NO_P, 0) for name, one in METHODS.items() if one.images == NONE and not one.has_p]


def row_keys(settings: Settings, n_image: int, levels: Sequence[str] = ()) -> list[tuple[str | float, ...]]:
    """What tells the rows of one item apart, in their order: a table's item is whole if it has exactly these.

    Args:
        settings: of the run.
        n_image: how many patches the model has.
        levels: down to which its weights are randomised.

    Returns:
        method and p, and with some experiments a third value (see `tables.KEYS`).
    """
    explanations = explained(settings)
    if settings.experiment == "pointing-game":
        return [(*one, objects) for objects in range(1, len(CELLS) + 1) for one in explanations]
    if settings.experiment == "faithfulness":
        return [(*one, at) for one in explanations for at in measured_at(settings)]
    if settings.experiment == "runtime":
        return list(timed(settings, n_image))
    if settings.experiment == "randomisation":
        return [(*one, level) for level in levels for one in explanations]
    return list(explanations)
