"""What `PlantAFault` says and draws of what models say: decisions in words, and maps before and after."""

from __future__ import annotations

import html
from collections.abc import Sequence

from PIL import Image

from fixlip import Explanation
from fixlip.emoji.scenes import UNITS
from fixlip.pictures import Picture
from fixlip.pictures.drawing import DEVICE
from fixlip.pictures.layout import scales_of
from fixlip.pictures.words import model_name

from .planting import SIDES, PlantState, Shown
from .readouts import number, readout, table

_GAP, _WIDTH = 12, 330  # CSS pixels


def hint(state: PlantState) -> str:
    """Where the thing lies, or how to put one down."""
    if state.fault == "binding":
        return "click an object, or Tab to it and press Enter, to give it the next colour"
    thing, at = ("badge", state.badge) if state.fault == "shortcut" else (f"\u201c{state.word}\u201d", state.label)
    if not at:
        return "click in the picture, or Tab to it, arrow keys and Enter, to put it there"
    rows, columns = state.encoders[0].grid
    row, column = (min(int(along * n / UNITS), n - 1) + 1 for along, n in ((at[1], rows), (at[0], columns)))
    return f"the {thing} lies around patch {row},{column}; click elsewhere to move it, Delete takes it away"


def decisions(shown: Shown, models: Sequence[str]) -> str:
    """A table of similarities, the winner's in bold, and a sentence for each model; HTML."""
    setting, rows, told = shown.setting, [], []
    for m, model in enumerate(models):
        name = html.escape(model_name(model))
        for k, side in enumerate(SIDES):
            wins = shown.wins(m, k)
            pair = [f"{value:.2f}".replace("-", "\u2212") for value in shown.scores[m, k]]
            marked = [f"<b>{text} ✓</b>" if won else text for text, won in zip(pair, (wins, not wins), strict=True)]
            rows.append([name if k == 0 else "", side, *marked])
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
    change = shown.scores[m, 1, 0] - shown.scores[m, 0, 0]
    moved = f"{texts[1]} {number(float(change))} logits"
    if before == after:
        return f"<b>{name}</b> stays with {texts[after]} ({moved})"
    return f"<b>{name}</b> goes over from {texts[before]} to {texts[after]} ({moved})"


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
    rows, words = [], []
    for m, (model, pair, kept) in enumerate(zip(models, shown.explanations, chosen, strict=True)):
        condition = kept or None
        scale = scales_of(((one, one.condition(kept) if kept else one.values) for one in pair), "auto")
        tiles = []
        for k, explanation in enumerate(pair):
            wins = shown.wins(m, k)
            text = shown.setting.caption if wins else shown.setting.foil
            ours, theirs = shown.scores[m, k]
            ahead = f"\u201c{text}\u201d wins, {max(ours, theirs):.2f} to {min(ours, theirs):.2f}"
            title = f"{model_name(model)}, {SIDES[k]}: {ahead}"
            drawn = explanation.draw(condition=condition, edges=0, width=_WIDTH, scale=scale, title=title)
            tiles.append(drawn.image)
            words.append(f"{title}. {drawn.words}")
        rows.append(_joined(tiles, across=True))
    return Picture(_joined(rows, across=False), "\n".join(words))


def _joined(tiles: Sequence[Image.Image], across: bool) -> Image.Image:
    """Pictures beside or below each other."""
    gap, along = DEVICE * _GAP, 0 if across else 1
    length = sum(tile.size[along] for tile in tiles) + gap * (len(tiles) - 1)
    breadth = max(tile.size[1 - along] for tile in tiles)
    both = Image.new("RGBA", (length, breadth) if across else (breadth, length))
    at = 0
    for tile in tiles:
        both.paste(tile, (at, 0) if across else (0, at))
        at += tile.size[along] + gap
    return both
