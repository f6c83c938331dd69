"""The published protocol on a model and data of one's own, in one run that can be interrupted and goes on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from ..api import seconds_each, seconds_per_pass
from ..encoders.huggingface import Encoder
from ..game import Game
from ..masks import check_count
from ..progress import duration
from . import runner
from .datasets import COCO_IMAGES, Captioned, Dataset, Item, Source, captioned, mosaics
from .forecast import Work, work_of_item
from .published import GAMES
from .ranking import rank
from .report import Measured, Part, page
from .settings import Settings
from .tables import one_line, write_whole
from .tasks import encoder_of

# The pairs of the paper's code: the most similar 1,000, and with SigLIP-2 the last hundred of them.
RANKS = {"clip": (0, 1000), "siglip": (900, 1000)}
# A trial chooses among so many times the pairs that it keeps: the share that 1,000 of COCO's 5,000 are.
CANDIDATES_EACH = COCO_IMAGES // 1000
EXPERIMENTS = {
    "pairs": ("insertion-deletion", "faithfulness"),
    "published": ("pointing-game",),
    "metagame": ("pointing-game",),
}
_TYPICAL = "a photo of two people who wait for a bus in the rain"


def reproduce(
    settings: Settings,
    data: str = "emoji",
    classes: str | None = None,
    limit: int | None = None,
    out: str | os.PathLike[str] = "reproduce",
    workers: int = 1,
    dask: Any = None,
    progress: bool = True,
    tell: Callable[[str], object] | None = None,
) -> Path:
    """Run the published protocol and set what was measured beside what was published; return the page.

    Three parts: insertion, deletion and faithfulness on the 1,000 pairs of highest similarity; the paper's pointing
    game, and that of the metagame paper (arXiv 2605.06295), each on 50 mosaics of ten four-tuples. A part without data
    is left out, and the page says so. All of it goes on where an earlier run was stopped.

    Args:
        settings: model, p's, budget, ...; the same for all parts, so that the experiment they name does not count.
        data: images with captions, as `datasets.pairs` takes them.
        classes: pictures by class, as `datasets.mosaics` takes them; by default "imagenet" if `data` is "coco", else
            the same as `data`.
        limit: for a trial, so many pairs and so many mosaics of each game at most; its tables have a folder of their
            own, since other pairs would be the most similar ones.
        out: folder for tables and page.
        workers: processes side by side, as in `runner.run`.
        dask: a Dask cluster, likewise.
        progress: show bars, or log lines, if it takes long.
        tell: is told, before the work, what it will cost.

    Returns:
        reproduce-MODEL.md.

    Raises:
        ValueError: one sentence: before any work if an argument does not fit or there is no data for any part; later if
            a table cannot be written, or no part could be run.
        KeyboardInterrupt: if the run was interrupted.
    """
    classes = classes or ("imagenet" if data == "coco" else data)
    limit = None if limit is None else check_count(limit, "limit")
    folder = Path(out) if limit is None else Path(out) / f"limit-{limit}"
    encoder = encoder_of(settings)
    parts = _parts(encoder, data, classes, limit)
    if all(part.missing for part in parts):
        raise ValueError(f"dataset: there is none for any part; {'; '.join(part.missing for part in parts)}")
    if tell is not None:
        for line in forecast(settings, encoder, parts, _candidates(data, limit)):
            tell(line)
    work = partial(runner.run, workers=workers, dask=dask, progress=progress)
    for part in (part for part in parts if not part.missing):
        try:
            source = _source(part, settings, encoder, limit, Path(out), progress)
        except ValueError as error:
            _missing(part, error)
        else:
            _run(part, settings, source, folder / part.name, work)
    if not any(part.measured for part in parts):
        raise ValueError(f"dataset: no part could be run; {'; '.join(part.missing for part in parts)}")
    path = folder / f"reproduce-{_name(settings)}.md"
    write_whole(path, [page(settings, encoder, parts, limit).encode("utf-8", "backslashreplace")])
    return path


def _name(settings: Settings) -> str:
    return one_line(Path(settings.model).name)


def _parts(encoder: Encoder, data: str, classes: str, limit: int | None) -> list[Part]:
    """The parts of the protocol; those without data say why."""
    first, last = _ranks(encoder, limit)
    parts = [Part("pairs", data, last - first)]
    try:
        captioned(data, 1)
    except ValueError as error:
        parts[0].missing = str(error)
    for name, games in GAMES.items():
        part = Part(name, classes, limit or games.each * len(games.tuples))
        try:
            found = mosaics(classes, part.count, name)
            part.count = found.count
        except ValueError as error:
            part.missing = str(error)
        parts.append(part)
    return parts


def _ranks(encoder: Encoder, limit: int | None, images: int = 1000) -> tuple[int, int]:
    """Which of the pairs are taken, by rank; with fewer than 1,000 images, or in a trial, from the first on."""
    family = "siglip" if str(encoder.model.config.model_type).startswith("siglip") else "clip"
    first, last = RANKS[family]
    if limit is None and images >= last:
        return first, last
    return 0, min(limit or last, last - first)


def _candidates(data: str, limit: int | None) -> int | None:
    """How many images are ranked; None for all that there are."""
    if limit is not None:
        return CANDIDATES_EACH * limit
    return COCO_IMAGES if data == "emoji" else None


# ---- cost


def forecast(settings: Settings, encoder: Encoder, parts: list[Part], candidates: int | None) -> Iterator[str]:
    """A line for every part that can be run, and one for all: encodings, and about how long they take.

    Args:
        settings: of the run.
        encoder: the model, which encodes two small batches for it.
        parts: of the protocol.
        candidates: how many images are ranked at most; None for all.
    """
    total = Work()
    game, n_pairs, n_captions = _first_game(encoder, parts[0], candidates)
    for part in (part for part in parts if not part.missing):
        work, what, count = Work(), "mosaics", part.count
        if part.name == "pairs":
            count, what = min(count, n_pairs), "pairs"
            work += Work(n_pairs, n_pairs * n_captions)
        n_text = game.n_text if part.name == "pairs" else _longest(encoder, GAMES[part.name].tuples)
        for experiment in EXPERIMENTS[part.name]:
            # Shorter captions cost less, and longer ones not less.
            cost = game.caption_cost and game.caption_cost * min(1, n_text / game.n_text)
            one = work_of_item(replace(settings, experiment=experiment), game.n_image, n_text, cost)
            work += one.times(count)
        total += work
        ranked = f" (the most similar of {n_pairs:,}, which are ranked first)" if part.name == "pairs" else ""
        what = what if count != 1 else what.removesuffix("s")
        experiments = " and ".join(EXPERIMENTS[part.name])
        yield f"{part.name}: {experiments} on {count:,} {what}{ranked}, at most {work}."
    seconds = duration(total.seconds(*seconds_each(game), seconds_per_pass(game)))
    yield (
        f"In all at most {total}, or about {seconds} on {encoder.device} in one process, fits and searches for subsets "
        "not counted. What earlier runs finished is not done again."
    )


def _first_game(encoder: Encoder, pairs: Part, candidates: int | None) -> tuple[Game, int, int]:
    """A game to take the time of, how many images are ranked, and how many captions each has."""
    blank = Image.new("RGB", (encoder.image_size, encoder.image_size))
    if pairs.missing or pairs.data == "coco":  # the hub need not be asked for a caption
        return _game(encoder, blank, _TYPICAL), candidates or COCO_IMAGES, 5
    found = captioned(pairs.data, candidates)
    first = next(iter(found.items))
    assert isinstance(first, Captioned)
    return _game(encoder, blank, first.captions[0]), found.count, len(first.captions)


def _game(encoder: Encoder, image: Image.Image, caption: str) -> Game:
    try:
        return Game(encoder, image, caption)
    except ValueError:  # too long for the model
        return Game(encoder, image, "cat")


def _longest(encoder: Encoder, tuples: tuple[tuple[str, ...], ...]) -> int:
    """Tokens of the longest caption of a pointing game."""
    lengths = [len(labels) for labels in tuples]
    for labels in tuples:
        try:
            lengths.append(len(encoder.prepare_text(" ".join(labels)).labels))
        except ValueError:  # too long; the item will be left out
            lengths.append(encoder.max_tokens)
    return max(lengths)


# ---- running


def _run(part: Part, settings: Settings, source: Source, place: Path, work: Callable[..., Path]) -> None:
    """Run the experiments of a part."""
    for experiment in EXPERIMENTS[part.name]:
        names: list[str] = []
        try:
            noted = Source(source.name, partial(_noted, source, names))
            path = work(replace(settings, experiment=experiment), noted, part.count, place)
        except ValueError as error:
            _missing(part, error)
        else:
            part.measured.append(Measured(experiment, path, frozenset(names)))


def _missing(part: Part, error: ValueError) -> None:
    """Say in the part what its data lack; anything else, such as a full disk, ends the run."""
    if not str(error).startswith("dataset: "):
        raise error
    part.missing = str(error)


def _source(part: Part, settings: Settings, encoder: Encoder, limit: int | None, out: Path, progress: bool) -> Source:
    """Where the items of a part come from; pairs are ranked for that."""
    if part.name != "pairs":
        return Source(f"{part.data}: games {part.name}", partial(_games, part))
    runner.make_folder(out)
    candidates = _candidates(part.data, limit)
    # A trial's candidates are the first of all, so that one table serves every run.
    ranking = rank(encoder, part.data, candidates, out / f"similarities-{_name(settings)}.csv", progress)
    part.left_out += ranking.left_out
    first, last = _ranks(encoder, limit, len(ranking.names))
    part.count = last - first
    return ranking.source(part.data, candidates, first, last)


def _games(part: Part, limit: int) -> Dataset:
    return mosaics(part.data, limit, part.name)


def _noted(source: Source, names: list[str], limit: int) -> Dataset:
    """The items of a source, their names noted down as they come."""
    found = source.find(limit)
    if isinstance(found.items, list):
        names += [item.name for item in found.items]
        return found
    return replace(found, items=_passing(iter(found.items), names))


def _passing(items: Iterator[Item], names: list[str]) -> Iterator[Item]:
    for item in items:
        names.append(item.name)
        yield item
