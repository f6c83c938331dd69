"""Anytime: samples that arrive in rounds, each of twice as many masked images, so that a first picture is there soon.

A round holds those before it, and the last one is what `sample` would have given at once: nothing is asked twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .estimators.budgets import KERNEL_BUDGET, check_kernel
from .masks import check_budget, check_count, check_p
from .progress import Progress
from .samples import MIXTURE, BilinearGame, Samples, image_masks, sample

FIRST_ROUND = 32
# From fewer images than this the expected faithfulness is too unsure to end by.
FEWEST_TO_JUDGE = 64
# A round that raises the expected R squared by less than this is the last: the rest is of higher order.
LEAST_GAIN = 0.005
# What "auto" means, from these many images on, since the expectation from 64 is about 0.02 too high. A round that gains
# less than 0.02 is followed by one that gains less than half of that. Measured on three embedded models, eight scenes
# each, p = 0.5: 309 of 512 images on average (median 256), for an R squared 0.003 lower (median; at most 0.016).
AUTO, AUTO_TARGET, AUTO_FEWEST, AUTO_GAIN = "auto", 0.95, 128, 0.02

# What rounds are to reach: an expected R squared, "auto" for what is enough, or None for the whole budget.
Target = float | str | None


@dataclass(frozen=True)
class Rule:
    """When rounds end before their budget.

    Attributes:
        target: the expected R squared that is enough.
        fewest: masked images from which on it is looked at.
        least_gain: a round that raises it by less is the last.
        promised: whether the user has named the target, and is to be told if it is not reached.
    """

    target: float
    fewest: int = FEWEST_TO_JUDGE
    least_gain: float = LEAST_GAIN
    promised: bool = True

    @classmethod
    def of(cls, target: Target) -> Rule | None:
        """The rule of a target; ValueError, in one sentence, if it is none."""
        if target is None:
            return None
        if target == AUTO:
            return cls(AUTO_TARGET, AUTO_FEWEST, AUTO_GAIN, promised=False)
        return cls(check_p(target, "target_faithfulness"))  # type: ignore[arg-type]  # which refuses other words

    def ends(self, reached: float | None, before: float | None) -> bool:
        """Whether the expected R squared of this round, beside that of the one before, is enough."""
        return reached is None or reached >= self.target or self.stalls(reached, before)

    def stalls(self, reached: float, before: float | None) -> bool:
        """Whether the round gained too little for another one."""
        return before is not None and reached - before < self.least_gain

    def told(self, images: int, budget: int, reached: float | None, before: float | None) -> str:
        """What ended the rounds, in a sentence for people."""
        of = f"{images:,} of at most {budget:,}" if images < budget else f"all {budget:,}"
        if reached is None:
            return f"{of} masked images: no R squared to be expected"
        gained = "" if before is None else f", the last round gained {reached - before:.3f}"
        enough = f", {self.target:g} is enough" if reached >= self.target else gained
        return f"{of} masked images: expected R squared {reached:.3f}{enough}"


def rounds(
    game: BilinearGame,
    budget: int = KERNEL_BUDGET,
    p: float | tuple[float, ...] = MIXTURE,
    seed: int = 0,
    *,
    first: int = FIRST_ROUND,
    target_faithfulness: Target = None,
    order: int = 2,
    progress: Progress = True,
) -> Iterator[Samples]:
    """Ask the model in rounds of 32, 64, 128, ... masked images, and give the samples at hand after each.

    Whoever has seen enough leaves the loop; the samples in hand stay valid, and can be extended. After Ctrl-C while
    images are encoded, those that are done make the last round, with a warning.

    Args:
        game: as for `sample`.
        budget: masked images in the last round.
        p: as for `sample`.
        seed: of the masks; those of the first rounds are the first ones of `sample(game, budget, p, seed)`, and the
            last round is equal to it.
        first: masked images in the first round.
        target_faithfulness: end as soon as the kernel estimator expects this R squared, from 64 images on, or as soon
            as a round raises it by less than 0.005. It is looked at where the masks were drawn, or at p = 0.5 if they
            were drawn at several p. With "auto" end at 0.95, from 128 images on, or as soon as a round raises it by
            less than 0.02: measured, the next then gains less than half of that.
        order: of the explanation whose faithfulness is meant.
        progress: show a bar if a round takes long, or a function to tell how many inputs are done.

    Raises:
        ValueError: one sentence, before any model call, if an argument does not fit.
    """
    budget, first = check_budget(budget), check_count(first, "first", 2)
    if Rule.of(target_faithfulness):
        check_kernel(budget)

    def all_rounds() -> Iterator[Samples]:
        asked = min(first, budget)
        samples = sample(game, asked, p, seed, progress=progress)
        if _is_whole(samples, asked):
            yield from sharpen(samples, budget, target_faithfulness, order=order, progress=progress, asked=asked)
        else:
            yield samples

    return all_rounds()


def sharpen(
    samples: Samples,
    budget: int = KERNEL_BUDGET,
    target_faithfulness: Target = None,
    *,
    order: int = 2,
    progress: Progress = True,
    asked: int | None = None,
) -> Iterator[Samples]:
    """Give these samples, then the same with twice as many masked images in every round, as `rounds` does.

    Args:
        samples: with a game to ask.
        budget: masked images in the last round.
        target_faithfulness: as in `rounds`.
        order: likewise.
        progress: likewise.
        asked: how many masked images `samples` were asked for, if more than there are: at an extreme p fewer differ.

    Raises:
        ValueError: one sentence, if an argument does not fit or there is no game.
    """
    rule, asked, before = Rule.of(target_faithfulness), asked or samples.budget, None
    if rule:
        check_kernel(budget)
    while True:
        yield samples
        if asked >= budget or samples.image_side.exact:
            return
        if rule is not None and samples.budget >= rule.fewest:
            drawn = samples.image_side.p
            reached = samples.explain(drawn[0] if len(drawn) == 1 else 0.5, order=order).expected_faithfulness
            if rule.ends(reached, before):
                return
            before = reached
        asked, had = min(2 * asked, budget), samples.budget
        samples = samples.extend(asked - had, progress=progress)
        if not _is_whole(samples, asked):
            if samples.budget > had:
                yield samples
            return


def _is_whole(samples: Samples, asked: int) -> bool:
    """Whether all masked images of a round are there; False after an interruption."""
    if samples.budget >= asked or samples.image_side.exact:
        return True
    masks, _ = image_masks(samples.subject, asked, samples.image_side.p, samples.seed)
    return samples.budget >= len(masks)
