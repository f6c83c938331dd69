"""What `PlantAFault` says and draws of what models say: decisions in words, and maps before and after."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from PIL import Image

from fixlip import Explanation
from fixlip.emoji.scenes import UNITS
from fixlip.pictures import Picture, compare
from fixlip.pictures.drawing import DEVICE
from fixlip.pictures.words import model_name

from .planting import SIDES, PlantState, Shown
from .readouts import number, readout, table

_PUT = "click in the picture to put it there; by keyboard: Tab to it, arrow keys, Enter, and Delete to take it away"
_PAINT = "click an object, or Tab to it and press Enter, to give it the next colour"
HINTS = {"shortcut": _PUT, "reads": _PUT, "binding": _PAINT}
_GAP, _WIDTH = 12, 330  # CSS pixels


def where(state: PlantState) -> str:
    """Where the thing lies; of painted objects their colours."""
    if state.fault == "binding":
        return ", ".join(
            f"{word}: {tint or 'its own colour'}" for word, tint in zip(state.objects, state.tints, strict=True)
        )
    thing, at = ("badge", state.badge) if state.fault == "shortcut" else (f"\u201c{state.word}\u201d", state.label)
    if not at:
        return "nothing is planted"
    rows, columns = state.grid
    row, column = (min(int(along * n / UNITS), n - 1) + 1 for along, n in ((at[1], rows), (at[0], columns)))
    return f"the {thing} lies around patch {row},{column}"


def decisions(shown: Shown, models: Sequence[str]) -> str:
    """A table of similarities, the winner's in bold, and a sentence for each model; HTML."""
    setting, rows, told = shown.setting, [], []
    for m, model in enumerate(models):
        name = html.escape(model_name(model))
        for k, side in enumerate(SIDES):
            wins = shown.wins(m, k)
            pair = [f"{value:.2f}".replace("-", "\u2212") for value in shown.scores[m, k]]
            marked = [f"<b>{text} ✓</b>" if won else text for text, won in zip(pair, (wins, not wins), strict=True)]
            rows.append([name if k == 0 else "", f'<span style="white-space:nowrap">{side}</span>', *marked])
        told.append(f"<p>{_decision(shown, m, name)}</p>")
    heads = [html.escape(f"\u201c{text}\u201d") for text in (setting.caption, setting.foil)]
    quiet = f"similarities in logits, ✓ the more similar caption; {_quality(shown.explanations[0][1])}"
    return readout("".join(told), table(["", "", *heads], rows, figures=2), f'<span class="quiet">{quiet}</span>')


def _decision(shown: Shown, m: int, name: str) -> str:
    """What planting did to a model's decision."""
    setting, (before, after) = shown.setting, (shown.wins(m, k) for k in range(2))
    texts = [html.escape(f"\u201c{text}\u201d") for text in (setting.foil, setting.caption)]
    if not setting.planted:
        return f"{name}: {texts[before]} wins; nothing is planted yet"
    change = number(float(shown.scores[m, 1, 0] - shown.scores[m, 0, 0]))
    moved = f"what was planted moves {texts[1]} by {change} logits"
    if before == after:
        return f"<b>{name}</b> stays with {texts[after]}; {moved}"
    return f"<b>{name}</b> goes over from {texts[before]} to {texts[after]}; {moved}"


def _quality(explanation: Explanation) -> str:
    faithful = explanation.expected_faithfulness
    known = "" if faithful is None else f", expected faithfulness (R²) {faithful:.2f}"
    return f"maps from {explanation.budget:,} masked images{known}"


def token_places(explanation: Explanation, words: Sequence[str]) -> list[int]:
    """Which tokens of the caption these words are, by their place; none if one of them is no single token."""
    tokens = [label.strip().lower() for label in explanation.labels[explanation.n_image :]]
    return [tokens.index(word) for word in words] if all(word in tokens for word in words) else []


def drawn_pairs(shown: Shown, models: Sequence[str], chosen: Sequence[tuple[int, ...]]) -> Picture:
    """The maps of every model before and after in a row, on one colour scale, with who wins above.

    Args:
        shown: what the models say.
        models: their names.
        chosen: of each model the players that its maps are conditioned on.
    """
    rows = []
    for m, (model, pair, kept) in enumerate(zip(models, shown.explanations, chosen, strict=True)):
        names = (f"{model_name(model)}, {side}: {_winner(shown, m, k)}" for k, side in enumerate(SIDES))
        options: dict[str, Any] = {"condition": kept or None, "edges": 0, "width": _WIDTH, "difference": False}
        rows.append(compare(*pair, names=(next(names), next(names)), **options))
    return Picture(_below_each_other([row.image for row in rows]), "\n".join(row.words for row in rows))


def _winner(shown: Shown, m: int, k: int) -> str:
    text = shown.setting.caption if shown.wins(m, k) else shown.setting.foil
    best, other = sorted(shown.scores[m, k], reverse=True)
    return f"\u201c{text}\u201d wins, {best:.2f} to {other:.2f}"


def _below_each_other(tiles: Sequence[Image.Image]) -> Image.Image:
    gap = DEVICE * _GAP
    both = Image.new("RGBA", (max(t.width for t in tiles), sum(t.height + gap for t in tiles) - gap))
    top = 0
    for tile in tiles:
        both.paste(tile, (0, top))
        top += tile.height + gap
    return both
