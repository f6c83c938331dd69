"""The report: one HTML page that holds everything, opens offline, and can be mailed or printed."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .. import __version__
from .drawing import NEGATIVE, POSITIVE, hex_of
from .pair import draw
from .picture import to_png
from .words import alt_text, model_name

if TYPE_CHECKING:
    from ..explanation import Explanation
    from ..terms import Term

_COLOURS = f"\n:root {{ --up: {hex_of(POSITIVE)}; --down: {hex_of(NEGATIVE)}; }}"
_STYLE = """
:root { color-scheme: light dark; --ink: #22242a; --muted: #686c76; --page: #f3f4f6; --card: #fcfcfc; --line: #d6d8dd; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e9ec; --muted: #a4a8b2; --page: #16181d; --card: #21242b;
  --line: #3a3e48; --up: #f0808c; --down: #7ab8f0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 780px; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem; }
p { margin: .5rem 0; } .remark { border-left: 3px solid var(--line); padding-left: .7rem; }
.muted { color: var(--muted); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .7rem; margin: 1.2rem 0; }
dl div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .55rem .8rem; }
dt { color: var(--muted); font-size: .82rem; } dd { margin: 0; font-size: 1.12rem; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; }
img { display: block; max-width: 100%; height: auto; border-radius: 12px; }
.maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(280px, 100%), 1fr)); gap: .8rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--muted); font-weight: 500; font-size: .85rem; }
th, td { padding: .32rem .6rem .32rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th.number, td.number { text-align: right; white-space: nowrap; width: 8rem; } td.bar { width: 40%; }
.up { color: var(--up); } .down { color: var(--down); }
.bar span { display: block; height: .7rem; border-radius: 3px; background: currentColor; }
@media print { body { background: white; } h2 { break-after: avoid; } img, tr { break-inside: avoid; } }
"""


def html(explanation: Explanation, title: str | None = None) -> str:
    """A self-contained page about an explanation: pictures, tables, how to read them; it loads nothing from anywhere.

    Args:
        explanation: what to report on.
        title: headline; by default the caption.
    """
    model = model_name(explanation.model) or "an encoder"
    heading = explanation.claims.heading("the model", f"\u201c{explanation.text}\u201d")
    heading = heading[:1].upper() + heading[1:]
    parts = [
        f"<h1>{escape(title or heading)}</h1>",
        f'<p class="muted">{escape(model)}, explained by FIxLIP-Lab {__version__}</p>',
        "".join(f'<p class="remark">{escape(remark)}</p>' for remark in explanation.remarks()),
        _facts(explanation),
        f'<p class="muted">{escape(explanation.ended)}</p>' if explanation.ended else "",
        picture(draw(explanation), alt_text(explanation), 720),
    ]
    if explanation.order > 1 or explanation.names.rule:
        parts.append(_how_to_read(explanation))
    parts.append(_contributions(explanation))
    if explanation.order > 1:
        parts += [_conditioned(explanation), _interactions(explanation)]
    body = "\n".join(part for part in parts if part)
    return page(title or explanation.text or "Explanation", body)


def page(title: str, body: str, style: str = "") -> str:
    """A page in the style of the report.

    Args:
        title: of the window.
        body: HTML.
        style: CSS beside the report's.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n"
        f"<style>{_COLOURS}{_STYLE}{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _facts(explanation: Explanation) -> str:
    facts = {
        f"{explanation.names.whole} (logit)": _number(explanation.full_value),
        "with everything removed": _number(explanation.empty_value),
        "presence probability p": explanation.at.removeprefix("p = "),
        "estimator": explanation.estimator or "not named",
        explanation.counts: f"{explanation.budget:,}" if explanation.budget else "not recorded",
    }
    if explanation.expected_faithfulness is not None:
        facts["expected faithfulness"] = f"{explanation.expected_faithfulness:.3f}"
    known = {name: value for name, value in facts.items() if value}
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in known.items())
    return f"<dl>{rows}</dl>"


def _number(value: float) -> str:
    return "not known" if np.isnan(value) else f"{value:.2f}"


def picture(image: Image.Image, alt: str, width: int) -> str:
    """A picture that the page holds, `width` CSS pixels wide where there is room; `alt` is for who cannot see it."""
    data = base64.b64encode(to_png(image)).decode("ascii")
    return f'<img src="data:image/png;base64,{data}" width="{width}" alt="{escape(alt)}">'


def _how_to_read(explanation: Explanation) -> str:
    if explanation.names.rule:
        told = f"The colours and numbers are {explanation.names.rule}. Red is above zero, blue below."
        if explanation.largest is not None:
            told += f" They are told relative to the largest, which is {explanation.largest:.3g}: only within one map "
            told += "do they compare."
        return f"<h2>How to read this</h2><p>{escape(told)}</p>"
    return (
        "<h2>How to read this</h2>"
        f"<p>Patches and words are removed at random, each kept with probability {explanation.p:g}, and the model is "
        "asked how similar the rest of the image and of the caption still are. The colours and numbers are the "
        "simplest account of its answers: how much the similarity rises (red) or falls (blue) on average when a patch "
        "or word is added to what else is there, and for pairs how much more or less the two change it "
        "<em>together</em> than one by one.</p>"
    )


def _conditioned(explanation: Explanation) -> str:
    """One map for each token, all on one colour scale."""
    # The page says the notes once.
    explanation = replace(explanation, subject=replace(explanation.subject, origins=(None, None)))
    tokens = range(explanation.n_image, explanation.n_players)
    strongest = explanation.top(1)
    # Of two images there would be as many maps as patches.
    if not explanation.subject.has_places or not strongest or hasattr(explanation, "sheet"):
        return ""
    scale = abs(strongest[0].value)
    tiles = []
    for token in tokens:
        tile = draw(explanation, condition=token, scale=scale, width=480)
        tiles.append(picture(tile, alt_text(explanation, token), 360))
    return f'<h2>Word by word</h2><div class="maps">{"".join(tiles)}</div>'


def _interactions(explanation: Explanation) -> str:
    rows, unit = _rows(explanation, explanation.top(12)), explanation.names.unit
    if not rows:
        return ""
    what = "interactions" if explanation.predicts else "scores of pairs"
    column = explanation.names.together
    text = f"<h2>Strongest {what} of image and caption</h2>" + _table(column, rows, unit)
    words = explanation.second_order().restrict(range(explanation.n_image, explanation.n_players)).top(6, kind="pairs")
    if words:
        text += f"<h2>Strongest {what} within the caption</h2>" + _table(column, _rows(explanation, words), unit)
    return text


def _contributions(explanation: Explanation) -> str:
    """Values of all tokens and of the strongest patches."""
    terms = explanation.top(explanation.n_players, kind="players")
    patches = [term for term in terms if term.players[0] < explanation.n_image]
    shown = [term for term in terms if term not in patches] + patches[:8]
    if not shown:
        return ""
    meaning = (
        "How much the similarity changes on average when the word or patch is added, while every other one is present "
        f"with probability {explanation.p:g}."
    )
    table = _table("word or patch", _rows(explanation, shown), explanation.names.unit)
    if explanation.names.rule:
        what = "Values" if explanation.predicts else "Scores"
        return f"<h2>{what} of words and of the strongest patches</h2>{table}"
    return f'<h2>What words and the strongest patches contribute</h2><p class="muted">{meaning}</p>{table}'


def _rows(explanation: Explanation, terms: Iterable[Term]) -> list[str]:
    terms = list(terms)
    largest = max((abs(term.value) for term in terms), default=1.0)
    rows = []
    for term in terms:
        kind, share = ("up" if term.value > 0 else "down"), 100 * abs(term.value) / largest
        names = " with ".join(escape(label) for label in reversed(term.labels))
        rows.append(
            f'<tr><td>{names}</td><td class="number {kind}">{explanation.told(term.value, term.stderr)}</td>'
            f'<td class="bar {kind}"><span style="width:{share:.1f}%"></span></td></tr>'
        )
    return rows


def _table(name: str, rows: list[str], unit: str) -> str:
    head = f'<tr><th>{name}</th><th class="number">{unit}</th><th></th></tr>'
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'
