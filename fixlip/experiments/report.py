"""The page that sets what was measured beside what was published."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..encoders.huggingface import Encoder
from .published import ARCHITECTURES, FIGURES, SOURCES, Figure
from .settings import Settings
from .summary import Running, left_out

TITLES = {
    "pairs": "Insertion, deletion and faithfulness on the pairs of highest similarity",
    "published": "The pointing game on mosaics of ten ImageNet classes",
    "metagame": "The pointing game of the metagame paper (arXiv 2605.06295)",
}
_COLUMNS = ("figure", "method", "published", "for", "source", "measured here", "n")


@dataclass(frozen=True)
class Measured:
    """A table that was made.

    Attributes:
        experiment: its name.
        path: of the table.
        items: the items of this run; others in the table are of another.
    """

    experiment: str
    path: Path
    items: frozenset[str]


@dataclass
class Part:
    """A part of the protocol, and what became of it.

    Attributes:
        name: "pairs", or a key of `published.GAMES`.
        data: as `pairs` or `mosaics` take it.
        count: items at most.
        missing: why it cannot be run; empty if it can.
        left_out: sentences about single items that no table names.
        measured: what was found, one for each experiment.
    """

    name: str
    data: str
    count: int
    missing: str = ""
    left_out: list[str] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)


def page(settings: Settings, encoder: Encoder, parts: Sequence[Part], limit: int | None) -> str:
    """The whole page, as Markdown.

    Args:
        settings: of the run.
        encoder: the model.
        parts: of the protocol.
        limit: of a trial; None for the whole protocol.
    """
    text = f"# Published and measured: {Path(settings.model).name}\n\n{_model(settings, encoder)}\n\n"
    if limit is not None:
        text += f"**A trial** with {limit:,} items in each part at most; the protocol has more.\n\n"
    text += (
        "Measured: mean ± standard deviation over n items, always of the model above. A published figure is of the "
        "model named beside it: only where that is this model is the number beside it a reproduction.\n"
    )
    like = _architecture(encoder)
    for part in parts:
        text += f"\n## {TITLES[part.name]}\n\nData: {part.data}.\n\n"
        if part.missing:
            text += f"Left out: {part.missing}\n\n"
        text += _table([figure for figure in FIGURES if figure.part == part.name], part.measured, like)
        if part.measured:
            shown = ", ".join(f"`{part.name}/{one.path.with_suffix('.md').name}`" for one in part.measured)
            text += f"\nAll methods, and the items that were left out: {shown}.\n"
        text += "".join(f"\n{note}\n" for note in left_out(part.left_out))
    text += "\n## Sources\n\n" + "".join(f"- {key}: {value}.\n" for key, value in SOURCES.items())
    remarks = _remarks(settings, encoder, limit)
    return text + "\n## Where this protocol is not the published one\n\n" + "".join(f"- {one}\n" for one in remarks)


def _model(settings: Settings, encoder: Encoder) -> str:
    kind, precision, (rows, columns) = encoder.model.config.model_type, encoder.precision, encoder.grid
    wide: Any = np.zeros((3, encoder.image_size, 2 * encoder.image_size))
    by_picture = encoder.grid_of(wide) != encoder.grid
    grid = f"{rows} x {columns} patches" + " of a square picture, others in grids of their own" * by_picture
    ps = ", ".join(f"{p:g}" for p in settings.ps)
    return (
        f"Model: {settings.model} ({kind}, {grid}, weights {encoder.fingerprint}), {precision} on "
        f"{encoder.device}; p = {ps}, {settings.budget:,} masked images, {settings.masks:,} fresh masks, seed "
        f"{settings.seed}."
    )


def _architecture(encoder: Encoder) -> str:
    """Which of the published models has the architecture of this one; empty if none has."""
    config = encoder.model.config
    width = getattr(config.vision_config, "hidden_size", 0)
    return ARCHITECTURES.get((config.model_type, width, encoder.patch_size, encoder.image_size), "")


def _table(figures: Sequence[Figure], measured: Sequence[Measured], like: str) -> str:
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    rows = {one.experiment: _rows(one) for one in measured}
    for figure in figures:
        here, count = _here(figure, rows.get(figure.experiment))
        model = f"{figure.model} ({'this architecture' if figure.model == like else 'another model'})"
        cells = (figure.what, figure.method, figure.value, model, figure.source or "none", here, count)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _rows(measured: Measured) -> list[dict[str, str]]:
    with open(measured.path, newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["item"] in measured.items]


def _here(figure: Figure, rows: list[dict[str, str]] | None) -> tuple[str, str]:
    """What was measured, and from how many items."""
    if rows is None:
        return "not run", "0"
    method = next((name for name in figure.here if any(row["method"] == name for row in rows)), None)
    if method is None:
        return "this method was not run", "0"
    wanted = {"method": method, **figure.where}
    found = [row for row in rows if all(row[column] == value for column, value in wanted.items())]
    if not found:
        return "nothing at these settings", "0"
    running = Running()
    for row in found:
        running.add(float(row[figure.score]))
    if not running.count:
        return "no number in any item", f"0 of {len(found)}"
    named = "" if method == figure.method else f" ({method})"
    count = str(len(found)) if running.count == len(found) else f"{running.count} of {len(found)}"
    spread = f" ± {running.deviation:.3f}" if running.count > 1 else ""  # one item has none
    return f"{running.mean:.3f}{spread}{named}", count


def _remarks(settings: Settings, encoder: Encoder, limit: int | None) -> list[str]:
    """Where what was done here differs from what was published."""
    remarks = [
        f"Game: all methods are scored on one and the same game here (a removed patch becomes "
        f"{_masking(encoder.image_masking)}, a removed token is {_masking(encoder.text_masking)}). The published GAME, "
        "Grad-ECLIP and exCLIP are scored on another game than FIxLIP, in which removed words are replaced by a token "
        "that is no word.",
        f"Budget: one set of {settings.budget:,} masked images, each with every masked caption, serves all p and all "
        "methods that sample. The paper's code draws a set for every p, and spends 2^21 values on a pair (2^17 for "
        "Shapley interactions) and 2^20 in the pointing game (2^19 for Shapley interactions), with 64 masked captions "
        "at most: up to 32,768 masked images.",
        "Estimator: a Gaussian process over masks here, weighted least squares there.",
        "Subsets of insertion and deletion: found by exchanging players on top of the published greedy search.",
        "Pairs: each image with the most similar of its captions, as in the paper's code; CLIP has the 1,000 most "
        "similar pairs, SigLIP the ranks 901 to 1,000. With fewer than 1,000 images, or in a trial, the most similar "
        "ones are taken instead, and pairs chosen among fewer are less similar ones.",
        "Faithfulness: the published first order is Grad-ECLIP and its like on their own game. Scores are no logits "
        "and predict nothing, so the scores of those present are added up, which is enough for a rank correlation.",
        "Pointing game: a label of several tokens counts with all of them; the paper skips it. A model's tokens may "
        "leave out a mosaic, which its table then names. First-order maps are scored with the token's own value on "
        "both sides, as published.",
        "Metagame: captions are the class words alone. There, words that are absent are taken out of the text, players "
        "are whole words, FIxLIP is in its Shapley mode, and patches have no terms of their own.",
        "Pictures: the first of each class, by name or in the dataset's order; squeezed to squares for the paper's "
        "game, cut to their middle for the metagame's, as in their code.",
    ]
    if encoder.model.config.model_type == "clip":
        return remarks
    return [*remarks, "Nothing but one figure was found for SigLIP-2; the others are of CLIP."]


def _masking(how: str) -> str:
    named = {
        "zero": "zero in the normalised picture",
        "mean": "the picture's mean colour",
        "blur": "a blurred patch",
        "drop": "taken out of the sequence",
        "attention": "hidden from attention",
        "remove": "taken out of the caption",
        "unknown": "replaced by the unknown token",
    }
    return named.get(how, how)
