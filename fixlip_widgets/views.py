"""What is drawn in the page: a pair of image and caption, and curves. The drawing is in the .js files beside this."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from PIL import Image

from fixlip.expansion import Expansion
from fixlip.pictures.areas import loops_of
from fixlip.pictures.conditions import TRIPLE
from fixlip.pictures.drawing import INTERVAL, NEGATIVE, NEUTRAL, POSITIVE
from fixlip.pictures.layout import SCALINGS
from fixlip.subject import Subject

from .triples import of_word_pairs

COEFFICIENTS = "coefficients at the empty input"
FOLDER = Path(__file__).parent
COLOURS = {"negative": list(NEGATIVE), "neutral": list(NEUTRAL), "positive": list(POSITIVE)}


class PairView(anywidget.AnyWidget):
    """Image patches and caption words with values, or present and absent.

    In the mode "explain" hovering conditions on a player (drawn in the page, without the kernel) and a click keeps it,
    whereafter hovering tells single interactions; in the mode "mask" a click takes a player away or brings it back,
    if the view is `live`. Where triples are shown, a click on a second word keeps both.
    Every player can be reached by keyboard: Tab, arrow keys among patches, Enter.

    Traits of what is drawn: `labels` of all players; `values` (n,), `interactions` (n, n; empty in first order, where
    nothing goes with a player and its own value is told) and their standard errors
    `errors` and `pair_errors` (empty where unknown), all float32 in the `unit`, which is said beside the colour scale
    and numbers; `relative` if they are scores, divided by the largest, of which two digits are told; `notes`, a list of
    [player, text] written on players in the mode "mask", and `words` below. Values closer to zero than `interval`
    standard errors are not written into patches; `scales` are the values of full colour for patches and for words
    (empty: the largest shown, on one scale or two as `scaling` says; see `fixlip.pictures.draw`); `quantity` names what
    is shown where it is not contributions; `triples` of two words with every player, (pairs of words, n), and their
    `triple_errors`, both empty where they are not shown, and `of_triples`, what they say of the two "{}"; `rulers`
    says whether rows and columns are numbered; `colours` are (red, green, blue) of lowest, middle and highest values.

    Where the image players are regions, `regions` are their outlines as paths of SVG, in a picture of `shape` (height,
    width), `points` where on them is written (x, y in shares of its sides), and `grid` is one row of them. `place` is
    what an image player is called.
    """

    _esm = FOLDER / "pair.js"
    _css = FOLDER / "pair.css"
    image = traitlets.Unicode().tag(sync=True)
    grid = traitlets.List([1, 1]).tag(sync=True)
    regions: traitlets.List[Any] = traitlets.List().tag(sync=True)
    shape = traitlets.List([1, 1]).tag(sync=True)
    points: traitlets.List[Any] = traitlets.List().tag(sync=True)
    place = traitlets.Unicode("patch").tag(sync=True)
    labels: traitlets.List[Any] = traitlets.List().tag(sync=True)
    values = traitlets.Bytes(b"").tag(sync=True)
    errors = traitlets.Bytes(b"").tag(sync=True)
    interactions = traitlets.Bytes(b"").tag(sync=True)
    pair_errors = traitlets.Bytes(b"").tag(sync=True)
    triples = traitlets.Bytes(b"").tag(sync=True)
    triple_errors = traitlets.Bytes(b"").tag(sync=True)
    of_triples = traitlets.Unicode().tag(sync=True)
    notes: traitlets.List[Any] = traitlets.List().tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)
    present: traitlets.List[Any] = traitlets.List().tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)
    second = traitlets.Int(-1).tag(sync=True)
    mode = traitlets.Enum(["explain", "mask"], "explain").tag(sync=True)
    live = traitlets.Bool(True).tag(sync=True)
    scales: traitlets.List[Any] = traitlets.List().tag(sync=True)
    scaling = traitlets.Enum(list(SCALINGS), "auto").tag(sync=True)
    quantity = traitlets.Unicode().tag(sync=True)
    unit = traitlets.Unicode("logits").tag(sync=True)
    relative = traitlets.Bool(False).tag(sync=True)
    rulers = traitlets.Bool(True).tag(sync=True)
    edges = traitlets.Int(6, min=0).tag(sync=True)
    interval = traitlets.Float(INTERVAL).tag(sync=True)
    colours = traitlets.Dict(COLOURS).tag(sync=True)

    _pixels: Any = None  # what `image` was made of
    _regions: Any = None  # what `regions` were made of

    @classmethod
    def of_subject(cls, subject: Subject, **traits: Any) -> PairView:
        """A view of a subject's image and caption without values.

        Raises:
            ValueError: if the image players are neither a grid nor regions, or there is no image to show.
        """
        values = np.zeros(subject.n_players, np.float32).tobytes()
        view = cls(values=values, present=[True] * subject.n_players, **traits)
        view.show_subject(subject)
        return view

    @property
    def tokens(self) -> list[str]:
        """Labels of the caption's players."""
        return list(self.labels[self.grid[0] * self.grid[1] :])

    @property
    def chosen(self) -> tuple[int, ...]:
        """The players that are kept: none, one, or two words where triples are shown."""
        both = self.second >= 0 and len(self.triples) > 0
        return () if self.selected < 0 else (self.selected, self.second) if both else (self.selected,)

    @traitlets.observe("selected")
    def _let_go(self, change: Any) -> None:
        if change["new"] < self.grid[0] * self.grid[1]:  # two are kept of words only
            self.second = -1

    def show_subject(self, subject: Subject) -> None:
        """Show an image and its caption.

        Raises:
            ValueError: if the image players are neither a grid nor regions, or there is no image to show.
        """
        if hasattr(subject, "second_image"):
            raise ValueError("subject: a widget shows an image and a caption; draw() shows two images or two texts.")
        if not subject.has_places or subject.image is None:
            raise ValueError(
                "subject: a widget wants image patches on a grid and the image itself, or regions of it; there is none."
            )
        if subject.image is not self._pixels:  # encoding a picture takes longer than all else here
            self.image, self._pixels = data_uri(subject.image), subject.image
        if self.labels != list(subject.labels) or self._regions is not subject.regions:
            grid = subject.grid or (1, subject.n_image)
            with self.hold_sync():
                self._show_regions(subject)
                self.grid, self.labels = list(grid), list(subject.labels)
                self.selected, self.second = -1, -1

    def _show_regions(self, subject: Subject) -> None:
        regions, self._regions, self.place = subject.regions, subject.regions, subject.units[0]
        if regions is None:
            self.regions, self.shape, self.points = [], [1, 1], []
        else:
            self.regions = [_path(regions, player) for player in range(subject.n_image)]
            self.shape, self.points = list(regions.shape), subject.region_points.tolist()

    def show(
        self,
        explanation: Expansion,
        coefficients: bool = False,
        largest: float | None = None,
        triples: bool = False,
    ) -> None:
        """Show an explanation's numbers, and its image and caption where they are others.

        Args:
            explanation: what to show; scores are shown relative to the largest.
            coefficients: attributions, the coefficients at the empty input, in place of the players' contributions.
            largest: the score that is told as 1.00, by default the explanation's own largest; logits have none.
            triples: whether two words can be chosen at once, in an explanation of third order.
        """
        largest = explanation.largest if largest is None else largest
        with self.hold_sync():
            self.show_subject(explanation.subject)
            none = np.zeros(0)
            single = None if explanation.stderr is None else explanation.stderr[0]
            errors, pair_errors = (
                none if one is None else one
                for one in (single if coefficients else explanation.value_stderr, explanation.pair_stderr)
            )
            shown = explanation.attributions if coefficients else explanation.values
            pairs = explanation.pair_values if explanation.order > 1 else none
            self.quantity = COEFFICIENTS if coefficients else ""
            self.unit, self.relative = unit_of(explanation), largest is not None
            self.of_triples = "" if explanation.names.rule else TRIPLE
            thirds = (explanation.triples, explanation.triple_errors) if triples else (None, None)
            sent = (shown, pairs, errors, pair_errors, *(of_word_pairs(explanation, one) for one in thirds))
            self.values, self.interactions, self.errors, self.pair_errors, self.triples, self.triple_errors = (
                (numbers / (largest or 1.0)).astype(np.float32).tobytes() for numbers in sent
            )


def _path(regions: Any, player: int) -> str:
    """The outline of a region as a path of SVG, in pixels of its label map."""
    height, width = regions.shape
    loops = [[f"{round(x * width)},{round(y * height)}" for x, y in loop] for loop in loops_of(regions, player)]
    return "".join(f"M{'L'.join(loop)}Z" for loop in loops)


def unit_of(explanation: Expansion) -> str:
    """What stands behind a number: logits, or that it is a score told relative to the largest."""
    return "logits" if explanation.predicts else "of the largest score"


class CurveView(anywidget.AnyWidget):
    """Curves over the share of the input removed.

    Traits: `curves`, a list of {name, y, colour, dash}, all of one length; `at`, the point that is marked; `words`,
    what the picture says.
    """

    _esm = FOLDER / "curves.js"
    curves: traitlets.List[Any] = traitlets.List().tag(sync=True)
    at = traitlets.Int(-1).tag(sync=True)
    words = traitlets.Unicode("curves").tag(sync=True)


def data_uri(image: Any) -> str:
    """A picture as a data URI, at most 448 pixels wide."""
    picture = Image.fromarray(np.asarray(image)).convert("RGB")
    picture.thumbnail((448, 448))
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
