"""The gallery: all methods on one pair, run one after the other, scored alike, shown side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ..atomic import replace_whole, replacing
from ..encoders.images import ImageSource
from ..encoders.protocol import AnyEncoder, is_encoder
from ..game import Game
from ..masks import check_count, check_p, check_seed
from ..pictures import Picture
from ..progress import progress_bar
from ..subject import AnyGame, Subject, end_values
from .entries import SCORES, Entry, Pair, brief, chosen_word, remarks_of
from .page import html
from .plans import Runner, plans_of
from .scoring import Judge
from .tiles import picture_of

KINDS = (".html", ".png")
NOT_RUN = "not run: interrupted before it was done."


@dataclass(frozen=True, eq=False)
class Gallery:
    """What all methods say of one pair, and how good that is.

    Attributes:
        entries: one a method, also where it failed or was not run.
        pair: what was explained, at which p, and how it was scored.
    """

    entries: tuple[Entry, ...]
    pair: Pair

    def __getitem__(self, name: str) -> Entry:
        """The entry of a method."""
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise KeyError(f"{name!r}; the methods are {', '.join(entry.name for entry in self.entries)}")

    @property
    def explanations(self) -> dict[str, Any]:
        """Explanations by the name of their method; without those that there are not."""
        return {entry.name: entry.explanation for entry in self.entries if entry.explanation is not None}

    @property
    def interrupted(self) -> bool:
        """Whether methods were left out since somebody interrupted."""
        return not all(entry.is_done for entry in self.entries)

    def table(self) -> dict[str, list[Any]]:
        """Scores as columns, one row a method: pandas.DataFrame(gallery.table()) makes a data frame.

        Columns: method, title, order, unit; aid, aid_image, spearman, r2 (see `compare_methods`), passes, seconds;
        remarks, sentences on what is missing and why. What there is not is None.
        """
        columns: dict[str, list[Any]] = {
            "method": [entry.name for entry in self.entries],
            "title": [entry.title for entry in self.entries],
            "order": [entry.order or None for entry in self.entries],
            "unit": [entry.unit or None for entry in self.entries],
        }
        columns |= {name: [entry.scores.get(name) for entry in self.entries] for name in SCORES}
        columns["passes"] = [entry.passes for entry in self.entries]
        columns["seconds"] = [entry.seconds for entry in self.entries]
        columns["remarks"] = [" ".join(entry.remarks) for entry in self.entries]
        return columns

    def summary(self) -> str:
        """The table of scores as lines of text, and what is to be said beside it."""
        rows = [["method", "order", *SCORES.values(), "passes", "time"]]
        for entry in self.entries:
            scores = [f"{entry.scores[name]:.2f}" if name in entry.scores else "\u2013" for name in SCORES]
            cost = ["\u2013" if entry.passes is None else f"{entry.passes:,}"]
            cost.append("\u2013" if entry.seconds is None else brief(entry.seconds))
            rows.append([entry.title, str(entry.order or "\u2013"), *scores, *cost])
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
            for row in rows
        ]
        told = [f"{whose}: {remark}" for remark, whose in remarks_of(self.entries).items()]
        return "\n".join([*lines, *told])

    def word(self, word: int | str | None = None) -> int:
        """The player whose interactions are shown: by default the word of largest value in the first second order.

        Args:
            word: a token's number among the players, or its label.

        Raises:
            ValueError: if it is no token of the caption.
        """
        return chosen_word(self.pair.subject, self.entries, word)

    def picture(self, word: int | str | None = None, columns: int = 4) -> Picture:
        """One tile a method, for a notebook or to save.

        Args:
            word: a token: second-order methods show its interactions beside the patches' values; by default that of the
                largest value.
            columns: maps in a row.
        """
        return picture_of(self.pair, self.entries, self.word(word), check_count(columns, "columns", 1), self.summary())

    def html(self, word: int | str | None = None) -> str:
        """A page that holds everything and opens offline; the word can be chosen in it."""
        return html(self.pair, self.entries, self.word(word))

    def save(self, path: str | os.PathLike[str], word: int | str | None = None) -> Path:
        """Write the page (.html) or the picture (.png).

        Raises:
            ValueError: if the name ends otherwise.
        """
        target = Path(path)
        if target.suffix.lower() not in KINDS:
            raise ValueError(f"path: got {str(target)!r}, wanted a name that ends in {' or '.join(KINDS)}.")
        if target.suffix.lower() == ".html":
            replace_whole(target, self.html(word).encode("utf-8", "replace"))
        else:
            picture = self.picture(word)
            with replacing(target) as partial:
                picture.save(partial)
        return target

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return self.picture()._repr_mimebundle_()

    def __repr__(self) -> str:
        return self.summary()


def compare_methods(
    source: AnyEncoder | AnyGame,
    image: ImageSource | None = None,
    text: str | None = None,
    methods: Sequence[str] | None = None,
    *,
    p: float = 0.5,
    budget: int | None = None,
    seed: int = 0,
    n_masks: int = 512,
    progress: bool = True,
) -> Gallery:
    """Explain one pair with all methods, and score each on the same game.

    A method that fails is named with its sentence, and the others go on. Interrupting keeps those that are done.

    Scores: "aid" and "aid_image" are the areas between insertion and deletion curves, of all players and of the patches
    alone with the caption whole; "spearman" is the rank correlation with the game on masks drawn at p, the same for
    all (p-faithfulness, Baniecki et al., NeurIPS 2025, Figure 4), and "r2" the share of the variance explained where
    the numbers are logits. The cost is counted in forward and backward passes of one tower, and in seconds, both as if
    a method were the only one.

    Args:
        source: an encoder with an image and a text, or a game.
        image: a file, a Pillow image or an array; with an encoder.
        text: the caption; with an encoder.
        methods: names of `fixlip.gallery.default_methods()`, which are all run by default, or other estimators of
            `fixlip.methods.METHODS`.
        p: presence probability, of FIxLIP and of the masks that scores are measured on.
        budget: masks for each method that asks the model about masks; by default its own, 512 for FIxLIP.
        seed: of the masks; those for scores are others.
        n_masks: masks for the rank correlation and R squared.
        progress: show bars if it takes long.

    Raises:
        ValueError: one sentence, before any model call, if an argument does not fit.
    """
    p, seed, n_masks = check_p(p), check_seed(seed), check_count(n_masks, "n_masks", 2)
    plans = plans_of(methods)
    requests = [plan.request(p, budget, seed, progress) for plan in plans]
    game = _game_of(source, image, text)
    empty, full = end_values(game)  # the first call, which sets things up, is no method's
    pair = Pair(Subject.of(game), p, empty, full, n_masks)
    runner, judge = Runner(game), Judge(game, p, n_masks, seed)
    entries: list[Entry] = []
    try:
        with progress_bar(len(plans), "methods" if progress else None) as advance:
            for plan, request in zip(plans, requests, strict=True):
                entries.append(judge.entry(plan, lambda plan=plan, request=request: runner.run(plan, request)))  # type: ignore[misc]
                advance(1)
    except KeyboardInterrupt:
        left = plans[len(entries) :]
        entries += [Entry(plan.name, plan.title or plan.name, error=NOT_RUN, is_done=False) for plan in left]
    return Gallery(tuple(entries), pair)


def _game_of(source: AnyEncoder | AnyGame, image: ImageSource | None, text: str | None) -> AnyGame:
    given = [name for name, value in (("image", image), ("text", text)) if value is not None]
    if is_encoder(source):
        if image is None or text is None:
            raise ValueError("image and text: wanted both, with an encoder.")
        return Game(source, image, text)
    if given:
        raise ValueError(f"{' and '.join(given)}: wanted with an encoder only; a game has its own.")
    game = cast(AnyGame, source)
    Subject.of(game)  # says so if it is no game
    return game
