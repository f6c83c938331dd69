"""The gallery as a page that holds everything and opens offline: a tile a method, the word chosen in place, scores."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .. import __version__
from ..pictures.drawing import NEGATIVE, POSITIVE, hex_of
from ..pictures.pair import pale
from ..pictures.report import page
from ..pictures.words import model_name
from ..subject import Subject
from .entries import SCORES, Entry, Pair, brief, remarks_of
from .maps import figure

_NONE = "\u2013"
STYLE = f"""
body {{ max-width: 1180px; }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(310px, 100%), 1fr)); gap: 1rem;
  margin: 1rem 0; }}
.tile {{ background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1rem; min-width: 0; }}
@media (min-width: 700px) {{ .tile.second {{ grid-column: span 2; }} }}
.tile h3 {{ margin: 0; font-size: 1.05rem; overflow-wrap: anywhere; }} .tile p {{ margin: .1rem 0 .6rem; }}
.small {{ font-size: .84rem; color: var(--muted); }}
.maps {{ grid-template-columns: repeat(auto-fit, minmax(min(230px, 100%), 1fr)); gap: 1rem; }}
figure {{ margin: 0; min-width: 0; }} figcaption {{ font-size: .84rem; color: var(--muted); margin-top: .4rem; }}
figure b {{ display: block; font-weight: 600; font-size: .88rem; margin-bottom: .35rem; }}
svg.map {{ display: block; width: 100%; height: auto; border-radius: 8px; background: #ecedf0; }}
.map rect {{ stroke: #f0f0f2; stroke-width: .012; stroke-opacity: .6; }}
.map .u {{ fill: {hex_of(POSITIVE)}; }} .map .d {{ fill: {hex_of(NEGATIVE)}; }}
.map .plate {{ fill: #fcfcfc; stroke: none; }} .map text {{ fill: #22242a; font-size: .25px; }}
.chips {{ display: flex; flex-wrap: wrap; gap: .35rem; margin-top: .6rem; }}
.chip {{ border: 1px solid var(--line); border-radius: 7px; padding: .12rem .5rem; text-align: center;
  font-size: .92rem; overflow-wrap: anywhere; }} .chip.chosen {{ outline: 2px dashed var(--ink); outline-offset: 1px; }}
.chip small {{ display: block; font-size: .74rem; }}
.tile dl {{ grid-template-columns: repeat(auto-fit, minmax(88px, 1fr)); gap: .4rem; margin: .8rem 0 0; }}
.tile dl div {{ display: flex; flex-direction: column; justify-content: space-between;
  border: 0; border-top: 1px solid var(--line); border-radius: 0; padding: .3rem 0 0; background: none; }}
.tile dt {{ font-size: .74rem; line-height: 1.25; }} .tile dd {{ font-size: 1rem; }}
.tile .remark {{ font-size: .84rem; margin: .6rem 0 0; }}
fieldset {{ border: 0; padding: 0; margin: 1rem 0 0; display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; }}
legend {{ padding: 0; margin-bottom: .4rem; color: var(--muted); }}
fieldset label {{ border: 1px solid var(--line); border-radius: 999px; padding: .15rem .8rem; background: var(--card);
  cursor: pointer; }} fieldset input {{ position: absolute; opacity: 0; }}
fieldset label:has(:checked) {{ border-color: var(--ink); box-shadow: inset 0 0 0 1px var(--ink); }}
fieldset label:has(:focus-visible) {{ outline: 3px solid #4a90d9; outline-offset: 2px; }}
.word {{ display: none; }} .original {{ max-width: 190px; border-radius: 10px; flex: none; }}
.scores td, .scores th {{ padding-right: 1.1rem; overflow-wrap: normal; }} .scores td:first-child {{ min-width: 9rem; }}
.scores th.number, .scores td.number {{ width: auto; }}
.head {{ display: flex; flex-wrap: wrap; gap: 1.2rem; align-items: flex-start; }} .head > div {{ flex: 1 1 340px; }}
@media print {{ .tile {{ break-inside: avoid; }} }}
"""


def html(pair: Pair, entries: Sequence[Entry], word: int) -> str:
    """The page; it loads nothing from anywhere, and needs no script.

    Args:
        pair: what was explained.
        entries: the methods.
        word: the player that second-order methods show at first.
    """
    subject, done = pair.subject, [entry for entry in entries if entry.explanation is not None]
    words = range(subject.n_image, subject.n_players)
    is_second = any(entry.order > 1 for entry in done)
    parts = [
        photo(pair.subject),
        f'<div class="head">{_original(pair)}<div>',
        f"<h1>{len(entries)} method{'s' * (len(entries) != 1)} on one pair: \u201c{escape(subject.text)}\u201d</h1>",
        f'<p class="muted">{escape(model_name(subject.model) or "a model")}, compared by FIxLIP-Lab {__version__}</p>',
        "".join(f'<p class="remark">{escape(note)}</p>' for note in _notes(pair, entries)),
        _facts(pair),
        "</div></div>",
        _choice(subject.labels, words, word) if is_second else "",
        f'<div class="tiles">{"".join(_tile(entry, words) for entry in entries)}</div>',
        _table(entries),
        _how_to_read(pair, is_second),
    ]
    chosen = "".join(f"body:has(#word{k}:checked) .word{k} {{ display: block; }}\n" for k in words)
    return page(f"Methods compared: {subject.text}", "\n".join(part for part in parts if part), STYLE + chosen)


# ---- the pair


def photo(subject: Subject) -> str:
    """The picture once, pale, for all maps."""
    if subject.image is None or subject.grid is None:
        return ""
    rows, columns = subject.grid
    size = f'width="{columns}" height="{rows}" preserveAspectRatio="none"'
    return (
        '<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>'
        f'<image id="photo" {size} href="{jpeg(subject.image, is_pale=True)}"/></defs></svg>'
    )


def _original(pair: Pair) -> str:
    if pair.subject.image is None:
        return ""
    return f'<img class="original" src="{jpeg(pair.subject.image)}" alt="the picture as the model sees it">'


def jpeg(image: NDArray[np.uint8], is_pale: bool = False) -> str:
    """A picture, at most 448 pixels wide and high, as an address that holds it."""
    shown = pale(image) if is_pale else Image.fromarray(image)
    shown.thumbnail((448, 448))
    buffer = io.BytesIO()
    shown.save(buffer, format="JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _notes(pair: Pair, entries: Sequence[Entry]) -> list[str]:
    told = list(pair.subject.notes)
    if pair.full_value <= pair.empty_value:
        told.insert(0, "The pair is no more similar than nothing at all: no curve can be normalised, and no AID given.")
    if not all(entry.is_done for entry in entries):
        told.append("Interrupted: methods without a map were not run.")
    return told


def _facts(pair: Pair) -> str:
    facts = {
        "similarity of the pair (logit)": f"{pair.full_value:.2f}",
        "with everything removed": f"{pair.empty_value:.2f}",
        "presence probability p": f"{pair.p:g}",
        "masks that predictions are scored on": f"{pair.n_masks:,}",
    }
    return terms(facts)


def terms(facts: dict[str, str]) -> str:
    """Names and what they are, as tiles."""
    return f"<dl>{''.join(f'<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>' for k, v in facts.items())}</dl>"


def _choice(labels: Sequence[str], words: Iterable[int], word: int) -> str:
    options = "".join(
        f'<label><input type="radio" name="word" id="word{k}"{" checked" * (k == word)}>{escape(labels[k])}</label>'
        for k in words
    )
    return f"<fieldset><legend>What goes with which word? Second-order methods say so.</legend>{options}</fieldset>"


# ---- tiles


def _tile(entry: Entry, words: Iterable[int]) -> str:
    remarks = "".join(f'<p class="remark">{escape(remark)}</p>' for remark in entry.remarks)
    if entry.explanation is None:
        state = "failed" if entry.is_done else "not run"
        return f'<section class="tile"><h3>{escape(entry.title)}</h3><p class="small">{state}</p>{remarks}</section>'
    explanation = entry.explanation
    order = {1: "first order", 2: "second order", 3: "third order"}[entry.order]
    maps = [figure(explanation, word) for word in (None, *(words if entry.order > 1 else ()))]
    kind = "tile second" if entry.order > 1 else "tile"
    return (
        f'<section class="{kind}"><h3>{escape(entry.title)}</h3><p class="small">{order}, {explanation.unit_name}</p>'
        f'<div class="maps">{"".join(maps)}</div>{terms(_scores(entry))}{remarks}</section>'
    )


# ---- scores


def _scores(entry: Entry) -> dict[str, str]:
    told = {title: _told(entry, name) for name, title in SCORES.items()}
    told["passes"] = "not known" if entry.passes is None else f"{entry.passes:,}"
    return told | {"time": _NONE if entry.seconds is None else brief(entry.seconds)}


def _told(entry: Entry, name: str) -> str:
    return f"{entry.scores[name]:.2f}".replace("-", "\u2212") if name in entry.scores else _NONE


def _table(entries: Sequence[Entry]) -> str:
    names = [*SCORES.values(), "passes", "time"]
    head = "".join(f'<th class="number">{escape(name)}</th>' for name in names)
    rows = []
    for entry in entries:
        cells = _scores(entry) if entry.explanation is not None else dict.fromkeys(names, _NONE)
        figures = "".join(f'<td class="number">{escape(value)}</td>' for value in cells.values())
        kind = f"<td>{entry.order or _NONE}</td><td>{entry.unit or _NONE}</td>"
        rows.append(f"<tr><td>{escape(entry.title)}</td>{kind}{figures}</tr>")
    head = f"<thead><tr><th>method</th><th>order</th><th>unit</th>{head}</tr></thead>"
    table = f"<table>{head}<tbody>{''.join(rows)}</tbody></table>"
    told = remarks_of(entries)
    notes = "".join(f"<li><b>{escape(whose)}</b>: {escape(remark)}</li>" for remark, whose in told.items())
    return f'<h2>Scores</h2><div class="scroll scores">{table}</div>' + (
        f'<ul class="small">{notes}</ul>' if notes else ""
    )


def _how_to_read(pair: Pair, is_second: bool) -> str:
    lines = [
        "<b>Colours.</b> Red is above zero and blue below: of logits, what raises and what lowers the similarity. "
        "Every map has its own scale: full colour is its own largest value, of patches and of words. So compare places "
        "within a map, and never the strength of colour between two maps. Scores are numbers in a unit of the method's "
        "own, told relative to the largest: they are no logits and no contributions.",
        "<b>AID</b> is the area between insertion and deletion curves: what the method calls important keeps the "
        "similarity up, and what it calls unimportant does not. Once all players are removed, patches and words; once "
        "patches alone, with the caption whole, which is fair to methods that only map the image.",
        f"<b>Rank correlation</b> and <b>R\u00b2</b> compare the method's sums with the model's similarity on "
        f"{pair.n_masks:,} masks, each part present with probability {pair.p:g}: does it rank them right, and does it "
        "predict them? Sums of scores rank masks and predict nothing.",
        "<b>Passes</b> are forward and backward passes of one of the two encoders, <b>time</b> is measured on this "
        "machine, both as if the method were the only one.",
        "One pair is one pair: which method is better is a question for many.",
    ]
    if is_second:
        lines.insert(
            1,
            "<b>Second order</b> says what goes together: how much more, or less, a patch matters when a "
            "word is there too. A method of first order has one map for the whole caption.",
        )
    return "<h2>How to read this</h2>" + "".join(f"<p>{line}</p>" for line in lines)
