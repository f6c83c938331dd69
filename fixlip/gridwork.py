"""The work of `explain_all`: each image's and each caption's masks are encoded once, here or on a cluster's workers."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .answers import Side, caption_budget
from .cluster import once, spread
from .encoders.sent import Sent
from .game import Game
from .gridfiles import Kept
from .progress import Progress, progress_bar
from .samples import image_masks, sample_image, sample_text


@dataclass(frozen=True)
class Job:
    """A side to be had.

    Attributes:
        side: "image" or "text".
        number: of the image or the caption.
        game: whose side it is.
        known: what was encoded of it before.
        missing: how many masks are still to be encoded, about.
    """

    side: str
    number: int
    game: Game
    known: Side | None
    missing: int


@dataclass(frozen=True)
class Encoding:
    """The work of `explain_all`.

    Attributes:
        kept: what was done before, and where to keep what is done.
        budget, ps, seed: of the masks.
        client: of the Dask cluster whose workers encode; None where this process does.
        sent: the encoder as the workers get it.
    """

    kept: Kept
    budget: int
    ps: tuple[float, ...]
    seed: int
    client: Any = None
    sent: Sent | None = None

    def run(self, by_image: list[Game], by_text: list[Game], progress: bool) -> tuple[list[Side], list[Side]]:
        """The sides of all images and captions; after an interruption those that were done, at least one of either."""
        images = [self._image_job(*one) for one in enumerate(by_image)]
        texts = [self._text_job(*one) for one in enumerate(by_text)]
        # The first image first: from then on an interruption leaves a grid.
        jobs = [images[0], *texts, *images[1:]]
        found: dict[str, dict[int, Side]] = {"image": {}, "text": {}}
        try:
            total = sum(job.missing for job in jobs)
            with progress_bar(total, "masked images and captions" if progress else None) as advance:
                with closing(self._here(jobs, advance) if self.client is None else self._there(jobs, advance)) as done:
                    for job, side in done:
                        found[job.side][job.number] = side
        except KeyboardInterrupt:
            if not (0 in found["image"] and 0 in found["text"]):
                raise
            pictures, captions = _first(found["image"]), _first(found["text"])
            warnings.warn(
                f"interrupted: going on with {len(pictures)} of {len(by_image)} images and {len(captions)} of "
                f"{len(by_text)} captions.",
                stacklevel=3,
            )
            return pictures, captions
        return _first(found["image"]), _first(found["text"])

    def _image_job(self, number: int, game: Game) -> Job:
        known = self.kept.find("image", game.subject, self.ps, self.seed)
        missing = max(0, int(min(self.budget, 2**game.n_image)) - (0 if known is None else len(known.masks)))
        return Job("image", number, game, known, missing)

    def _text_job(self, number: int, game: Game) -> Job:
        known = self.kept.find("text", game.subject, self.ps, self.seed)
        wanted = int(min(caption_budget(game, self.budget), 2**game.n_text))
        if known is not None and len(known.masks) < wanted:  # more is asked about now that the budget is larger
            known = None
        return Job("text", number, game, known, wanted if known is None else 0)

    # ---- in this process

    def _here(self, jobs: list[Job], advance: Progress) -> Generator[tuple[Job, Side], None, None]:
        for job in jobs:
            yield job, self._image(job, advance) if job.side == "image" else self._text(job, advance)

    def _image(self, job: Job, advance: Progress) -> Side:
        try:
            side = sample_image(job.game, self.budget, self.ps, self.seed, progress=advance, known=job.known)
        except KeyboardInterrupt:
            self._keep_what_there_is(job.game, job.known)
            raise
        self._keep(job, side)
        return side

    def _text(self, job: Job, advance: Progress) -> Side:
        if job.known is not None:
            return job.known
        side = sample_text(job.game, self.ps, self.seed, self.budget, progress=advance)
        self._keep(job, side)
        return side

    def _keep(self, job: Job, side: Side) -> None:
        if job.known is None or len(job.known.masks) < len(side.masks):
            self.kept.keep(job.side, job.game.subject, self.seed, side)

    def _keep_what_there_is(self, game: Game, known: Side | None) -> None:
        """Keep the masked images that were encoded before an interruption, and those that were known before."""
        masks, weights = image_masks(game, self.budget, self.ps, self.seed)
        at = game.known_images(masks)
        if self.kept.folder is None or not at.any():
            return
        found = Side(masks[at], weights[at], game.embed_images(masks[at]), self.ps)
        if known is not None:
            both = known, found
            found = Side(
                np.concatenate([side.masks for side in both]),
                np.concatenate([side.weights for side in both]),
                np.concatenate([side.embeddings for side in both]),
                self.ps,
            )
        self.kept.keep("image", game.subject, self.seed, found)

    # ---- on a cluster

    def _there(self, jobs: list[Job], advance: Any) -> Generator[tuple[Job, Side], None, None]:
        """The sides as they come; what needs no model is not sent."""
        yield from self._here([job for job in jobs if not job.missing], advance)
        away = [job for job in jobs if job.missing]
        with closing(spread(self.client, encode, self._calls(away))) as answers:
            for number, side in answers:
                job = away[number]
                # What is fitted to it is fitted here.
                side = replace(side, device=_device(job.game))
                self._keep(job, side)
                advance(job.missing)
                yield job, side

    def _calls(self, jobs: list[Job]) -> Iterator[tuple[Any, ...]]:
        sent = once(self.client, self.sent) if jobs else None
        for job in jobs:
            game = job.game.afresh()
            game.encoder = None  # type: ignore[assignment]  # the workers have it
            yield sent, job.side, game, self.budget, self.ps, self.seed, job.known


def encode(
    sent: Sent, side: str, game: Game, budget: int, ps: tuple[float, ...], seed: int, known: Side | None
) -> Side:
    """A side, encoded by a worker, which got the game without its encoder."""
    game = copy.copy(game)
    game.encoder = sent.open()
    if side == "image":
        return sample_image(game, budget, ps, seed, known=known)
    return sample_text(game, ps, seed, budget)


def _first(found: dict[int, Side]) -> list[Side]:
    """The sides from the first to the last without a gap: on a cluster the later may be done before the earlier."""
    sides: list[Side] = []
    while len(sides) in found:
        sides.append(found[len(sides)])
    return sides


def _device(game: Game) -> str:
    device = str(getattr(game.encoder, "device", "cpu"))
    return "cpu" if device.startswith("mps") else device  # MPS has no doubles
