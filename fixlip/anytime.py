"""Anytime: samples that arrive in rounds, each of twice as many masked images, so that a first picture is there soon.

A round holds those before it, and the last one is what `sample` would have given at once: nothing is asked twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .estimators.budgets import KERNEL_BUDGET, check_kernel
from .masks import check_budget, check_count, check_p
from .progress import Progress
from .samples import MIXTURE, BilinearGame, Samples, image_masks, sample

FIRST_ROUND = 32
# From fewer images than this the expected faithfulness is too unsure to end by.
FEWEST_TO_JUDGE = 64
# A round that raises the expected R squared by less than this is the last: the rest is of higher order.
LEAST_GAIN = 0.005


def rounds(
    game: BilinearGame,
    budget: int = KERNEL_BUDGET,
    p: float | tuple[float, ...] = MIXTURE,
    seed: int = 0,
    *,
    first: int = FIRST_ROUND,
    target_faithfulness: float | None = None,
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
            were drawn at several p.
        order: of the explanation whose faithfulness is meant.
        progress: show a bar if a round takes long, or a function to tell how many inputs are done.

    Raises:
        ValueError: one sentence, before any model call, if an argument does not fit.
    """
    budget, first = check_budget(budget), check_count(first, "first", 2)
    _check_target(target_faithfulness, budget)

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
    target_faithfulness: float | None = None,
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
    _check_target(target_faithfulness, budget)
    asked, before = asked or samples.budget, -np.inf
    while True:
        yield samples
        if asked >= budget or samples.image_side.exact:
            return
        if target_faithfulness is not None and samples.budget >= FEWEST_TO_JUDGE:
            drawn = samples.image_side.p
            reached = samples.explain(drawn[0] if len(drawn) == 1 else 0.5, order=order).expected_faithfulness
            if reached is None or reached >= target_faithfulness or reached - before < LEAST_GAIN:
                return
            before = reached
        asked, had = min(2 * asked, budget), samples.budget
        samples = samples.extend(asked - had, progress=progress)
        if not _is_whole(samples, asked):
            if samples.budget > had:
                yield samples
            return


def _check_target(target: float | None, budget: int) -> None:
    if target is not None:
        check_p(target, "target_faithfulness")
        check_kernel(budget)


def _is_whole(samples: Samples, asked: int) -> bool:
    """Whether all masked images of a round are there; False after an interruption."""
    if samples.budget >= asked or samples.image_side.exact:
        return True
    masks, _ = image_masks(samples.subject, asked, samples.image_side.p, samples.seed)
    return samples.budget >= len(masks)
