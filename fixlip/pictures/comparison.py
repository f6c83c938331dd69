"""Two explanations beside each other and their difference, on one colour scale."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from .conditions import Condition
from .drawing import DEVICE, Sheet
from .inches import NARROWEST
from .layout import Content, check_options, content_of, scales_of
from .pair import head_of, painted, plan_of
from .picture import Picture
from .words import alt_text, model_name

if TYPE_CHECKING:
    from ..expansion import Expansion

_GAP = 12  # CSS pixels
_INDICES = {"shapley": "faithful Shapley", "sii": "Shapley interactions"}
_ORDERS = {1: "first order", 2: "second order", 3: "third order"}


def compare(
    first: Expansion,
    second: Expansion,
    *,
    names: tuple[str, str] | None = None,
    condition: Condition = None,
    edges: int = 5,
    scaling: str = "auto",
    width: int = 420,
    difference: bool = True,
) -> Picture:
    """Draw two explanations and, where they have as many players, the first minus the second, all on one scale.

    The same colour then means the same number of logits: two models, two captions, two p's, two estimators. Where they
    are in different units, such as logits and the scores of a method, or scores of two methods, there is no difference,
    and each is on a scale of its own.

    Args:
        first: an explanation.
        second: another.
        names: what to call them; by default what they differ in, see `differing`.
        condition: a player of either, or two: show what goes with them instead of the players' values.
        edges: strongest interactions between image and caption drawn in each.
        scaling: patches and tokens on one scale ("joint"), each on its own ("separate"), or as they need it ("auto"),
            as in `fixlip.pictures.draw`; the same in all pictures.
        width: of each picture, in CSS pixels.
        difference: whether it is shown, too, where there is one.

    Returns:
        the pictures in a row, for a notebook or to `save`.

    Raises:
        ValueError: if an argument does not fit.
    """
    if not (first.n_text and second.n_text):
        raise ValueError("compare: wanted explanations of an image and a caption; `draw` the others one by one.")
    names = differing(first, second) if names is None else names
    shown = dict(zip(names, (first, second), strict=True))
    if len(shown) != 2:
        raise ValueError(f"names: got {names!r}, wanted two different names.")
    alike = first.subject.has_players_of(second.subject)
    one_unit = first.unit_name == second.unit_name
    if difference and alike and one_unit:
        shown[f"{names[0]} minus {names[1]}"] = first - second
    check_options(edges, scaling, None, width)
    values = [e.values if condition is None else e.condition(condition) for e in shown.values()]
    together = list(zip(shown.values(), values, strict=True))
    contents = [
        content_of(e, condition, None, edges, scaling, scales_of(together if one_unit else [(e, own)], scaling))
        for e, own in together
    ]
    if one_unit and not first.predicts:  # one colour, one number
        largest = largest_of(shown.values())
        contents = [replace(content, largest=largest) for content in contents]
    tiles = [sheet.finish() for sheet in _sheets(shown, contents, alike, width)]
    gap = DEVICE * _GAP
    row = Image.new("RGBA", (sum(t.width for t in tiles) + gap * (len(tiles) - 1), max(t.height for t in tiles)))
    left = 0
    for tile in tiles:
        row.paste(tile, (left, 0))
        left += tile.width + gap
    words = "\n".join(
        f"{name}: {alt_text(e, condition, content.largest if one_unit else None)}"
        for (name, e), content in zip(shown.items(), contents, strict=True)
    )
    return Picture(row, words, lambda whole: _row(shown, contents, alike, whole))


def _sheets(shown: Mapping[str, Expansion], contents: Sequence[Content], alike: bool, width: int) -> list[Sheet]:
    """The pictures one by one, each of this width."""
    heads = [head_of(e, content, width, name) for (name, e), content in zip(shown.items(), contents, strict=True)]
    top = max(head.height for head in heads)  # so that the pictures stand side by side
    return [
        painted(e, content, head, plan_of(e, content, top, width, contents if alike else ()))
        for e, content, head in zip(shown.values(), contents, heads, strict=True)
    ]


def _row(shown: Mapping[str, Expansion], contents: Sequence[Content], alike: bool, whole: int) -> Sheet:
    """The pictures on one sheet, of about this width in all."""
    each = (whole - _GAP * (len(shown) - 1)) // len(shown)
    sheets = _sheets(shown, contents, alike, max(NARROWEST, each))
    row = Sheet(sum(one.width + _GAP for one in sheets) - _GAP, max(one.height for one in sheets))
    left = 0.0
    for sheet in sheets:
        for name, (place, *rest) in sheet.marks:
            getattr(row, name)(_moved(place, left), *rest)
        left += sheet.width + _GAP
    return row


def _moved(place: Any, right: float) -> Any:
    """A point, a box, or several of them, farther to the right."""
    if np.ndim(place[0]) == 0:
        return tuple(float(one) + right * (k % 2 == 0) for k, one in enumerate(place))
    return [_moved(one, right) for one in place]


def largest_of(shown: Collection[Expansion]) -> float | None:
    """The score that is told as 1.00 in all that is shown together, which is in one unit; None for logits."""
    scores = [(e.largest, e.values.any() or e.pair_values.any()) for e in shown if e.largest is not None]
    # One that is zero everywhere, as the difference of a thing and itself is, has no largest.
    return max((largest for largest, says_something in scores if says_something), default=1.0) if scores else None


def differing(first: Expansion, second: Expansion) -> tuple[str, str]:
    """What two explanations differ in, as names for them: ("p = 0.3", "p = 0.7"), say.

    Model, caption, p or index, order and estimator are looked at, all that differ are named; failing these the budget,
    then the image. Where nothing differs they are "first" and "second".
    """
    sides = [_facts(e) for e in (first, second)]
    told = [(a, b) for a, b in zip(*sides, strict=True) if a != b and a and b]
    if not told:
        told = [(a, b) for a, b in [(_budget(first), _budget(second))] if a != b and a and b]
    if not told:
        same = first.image is None or second.image is None or np.array_equal(first.image, second.image)
        return ("first", "second") if same else ("first image", "second image")
    one, other = (", ".join(side) for side in zip(*told, strict=True))
    return one, other


def _facts(explanation: Expansion) -> list[str]:
    """What may differ, in words; empty where it is not known."""

    def get(name: str) -> Any:
        return getattr(explanation, name, "")

    index = _INDICES.get(get("index"), get("at"))
    quoted = f"\u201c{explanation.text}\u201d" if explanation.text else ""
    return [model_name(explanation.model), quoted, index, _ORDERS[explanation.order], get("estimator")]


def _budget(explanation: Expansion) -> str:
    budget = getattr(explanation, "budget", None)
    return f"{budget:,} {getattr(explanation, 'counts', '')}" if budget else ""
