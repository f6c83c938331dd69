"""Draws `map.svg`, the map of the course's ideas: `python notebooks/figures/course_map.py`."""

from __future__ import annotations

from pathlib import Path

TARGET = Path(__file__).parent.parent / "map.svg"
WIDTH, MARGIN, GAP = 330, 10, 8
# Rows of boxes (title, what it says, chapters), each row with the question that leads to the next.
ROWS = (
    ([("One number for a pair", "scale × cosine of two embeddings", "00a")], "Why are these two similar?"),
    ([("A game", "remove patches and words, ask again", "00, 01")], "What is a part worth?"),
    ([("Value, interaction", "averages over others", "01, 02"), ("p", "how many others", "04")], "2⁵⁴ masks?"),
    ([("Estimates", "masked images × captions", "03"), ("Their errors", "bars", "05")], "What does it say?"),
    ([("Reading", "condition on a word, subsets, signs", "09")], "Is it true?"),
    ([("Keep parts", "AID", "06"), ("Point", "known truth", "07, 10"), ("Predict", "R²", "08")], "Beside what else?"),
    ([("Methods", "five maps", "11"), ("Models", "one scale", "12"), ("Words", "concepts", "13")], "What is it for?"),
    ([("Faults, and their proof", "cue · writing · binding; change the suspect alone", "14, 15, 16")], "And mine?"),
    ([("Your own", "model, photo", "17"), ("Quiz", "12 questions", "18"), ("Capstone", "one claim", "19")], ""),
)
HIGH, BETWEEN = 62, 30
STYLE = """
  .ground { fill: #ffffff } .box { fill: #eef1f7; stroke: #8a94a8 } .tip { fill: #5b6577 }
  text { font-family: system-ui, "Segoe UI", Helvetica, Arial, sans-serif; text-anchor: middle; fill: #1c2230 }
  .title { font-size: 14px; font-weight: 600 } .says { font-size: 11.5px } .asks { font-size: 12px; font-style: italic }
  .chapter { font-size: 12px; fill: #2f4f9e; font-weight: 600 } .asks, .says { fill: #414a5b }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #14171d } .box { fill: #232936; stroke: #76819a } .tip { fill: #9aa5ba } text { fill: #eef1f7 }
    .chapter { fill: #a9c0ff } .asks, .says { fill: #c8cfdd }
  }
"""


def svg() -> str:
    """The picture: it has a ground of its own, so that it can be read on any page."""
    height = 2 * MARGIN + len(ROWS) * HIGH + (len(ROWS) - 1) * BETWEEN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-labelledby="name">',
        '<title id="name">The ideas of the course, from one number for a pair to a claim of your own</title>',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}" rx="8"/>',
    ]
    top = MARGIN
    for boxes, question in ROWS:
        parts += _row(boxes, top)
        top += HIGH
        if question:
            parts.append(f'<text class="asks" x="{WIDTH / 2:g}" y="{top + 17}">{question}</text>')
            parts.append(f'<path class="tip" d="M{WIDTH / 2 - 5:g} {top + 22}h10l-5 6z"/>')
            top += BETWEEN
    return "\n".join([*parts, "</svg>\n"])


def _row(boxes: list[tuple[str, str, str]], top: int) -> list[str]:
    """Boxes side by side, each as wide as its longest line wants."""
    room = WIDTH - 2 * MARGIN - GAP * (len(boxes) - 1)
    wanted = [max(1.25 * len(title), len(says), 9) for title, says, _ in boxes]
    left, parts = float(MARGIN), []
    for (title, says, chapters), share in zip(boxes, wanted, strict=True):
        width = room * share / sum(wanted)
        middle = left + width / 2
        parts.append(f'<rect class="box" x="{left:.1f}" y="{top}" width="{width:.1f}" height="{HIGH}" rx="6"/>')
        for kind, text, down in (("title", title, 20), ("says", says, 37), ("chapter", chapters, 54)):
            parts.append(f'<text class="{kind}" x="{middle:.1f}" y="{top + down}">{text}</text>')
        left += width + GAP
    return parts


if __name__ == "__main__":
    TARGET.write_text(svg(), encoding="utf-8")
