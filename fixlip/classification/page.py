"""The page of a classification: it holds everything, opens offline, and needs no script."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..concepts.found import VisualConcept
from ..concepts.overlap import MEASURES
from ..gallery.maps import figure
from ..gallery.page import STYLE, jpeg, photo, terms
from ..masks import BoolArray, FloatArray
from ..pictures import alt_text, draw
from ..pictures.pair import FULL_TINT
from ..pictures.report import page, picture
from ..pictures.words import model_name
from .findings import Agreement, Findings

# Okabe and Ito's colours without red and blue, which say signs here: told apart by people with any colour vision.
COLOURS = ("#e69f00", "#009e73", "#cc79a7", "#8a8a8a", "#f0e442", "#56b4e9")
_CLASSES, _PATCHES = 8, 6  # rows of tables
_STYLE = f"""{STYLE}
body {{ max-width: 1080px; }}
.two {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr)); gap: 1.6rem;
  align-items: start; margin: 1rem 0; }} .two > * {{ min-width: 0; }}
.card {{ background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1rem; }}
.card h3 {{ margin: 0 0 .5rem; font-size: .92rem; font-weight: 600; }}
.parts {{ list-style: none; margin: 0; padding: 0; }} .parts li {{ display: flex; gap: .7rem; padding: .5rem 0;
  border-bottom: 1px solid var(--line); }} .parts li:last-child {{ border: 0; }}
.dot {{ flex: none; width: 1.5rem; height: 1.5rem; border-radius: 50%; color: #16181d; font-size: .82rem;
  line-height: 1.5rem; text-align: center; font-weight: 600; }}
.pill {{ display: inline-block; border: 1px solid var(--line); border-radius: 999px; padding: .05rem .6rem;
  margin: .12rem .2rem .12rem 0; font-size: .92rem; overflow-wrap: anywhere; }}
.pill.both {{ border-color: var(--ink); box-shadow: inset 0 0 0 1px var(--ink); font-weight: 600; }}
.venn {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(200px, 100%), 1fr)); gap: .8rem; }}
svg.map .part {{ stroke: none; fill-opacity: .62; }} svg.map .edge {{ fill: none; stroke: #22242a; stroke-width: .07; }}
svg.map .rim {{ fill: none; stroke: #fcfcfc; stroke-width: .15; }}
.wide img {{ margin: 1rem 0; }} .venn {{ margin-bottom: 1.4rem; }}
.three {{ display: grid; grid-template-columns: repeat(3, 1fr); gap: .8rem; margin: 1rem 0; }}
.three .card {{ min-width: 0; }}
@media (max-width: 900px) {{ .three {{ grid-template-columns: 1fr 1fr; }}
  .three .difference {{ grid-column: 1 / -1; order: -1; }} .difference svg {{ max-width: 24rem; }} }}
@media (max-width: 480px) {{ .three {{ grid-template-columns: 1fr; }} }}
.agreed td:first-child {{ min-width: 11rem; overflow-wrap: normal; }}
.agreed th.number, .agreed td.number {{ width: 6rem; white-space: normal; }} .chosen td {{ font-weight: 600; }}
td.bar i {{ display: block; height: .7rem; border-radius: 3px; background: var(--muted); }}
td.bar i.on {{ background: var(--ink); }}
"""


def html(found: Findings) -> str:
    """The page.

    Args:
        found: what to report on.
    """
    subject, name = found.explanation.subject, f"\u201c{escape(found.class_name)}\u201d"
    original = "" if subject.image is None else f'<img class="original" src="{jpeg(subject.image)}" alt="the picture">'
    parts = [
        photo(subject),
        f'<div class="head">{original}<div>',
        f"<h1>Classified as {name}</h1>",
        f'<p class="muted">{escape(model_name(subject.model) or "a model")}, explained by FIxLIP-Lab {__version__}</p>',
        "".join(f'<p class="remark">{escape(note)}</p>' for note in found.notes),
        _facts(found),
        "</div></div>",
        _classes(found),
        _by_concepts(found),
        _by_interactions(found),
        _agreement(found),
        _by_contrast(found),
        _how_to_read(found),
    ]
    return page(f"Classified as {found.class_name}", "\n".join(part for part in parts if part), _STYLE)


def _facts(found: Findings) -> str:
    overlap = found.concepts.overlap
    return terms(
        {
            "similarity with the class (logit)": _minus(f"{found.concepts.logits[found.concepts.target]:.2f}"),
            f"more than \u201c{found.foil_name}\u201d": _minus(f"{found.margin:+.2f}"),
            "words of picture and class": f"{overlap.shared} shared, {overlap.expected:.1f} by chance",
            "presence probability p": f"{found.explanation.p:g}",
            "masked images": f"{found.explanation.budget:,}",
        }
    )


def _classes(found: Findings) -> str:
    """The most similar classes, with bars from the least similar of all."""
    logits, names = found.concepts.logits, found.concepts.classes.names
    shown = [*found.ranking[:_CLASSES]]
    shown += [found.against] if found.against not in shown else []
    least, most = float(logits.min()), float(logits.max())
    rows = []
    for number in shown:
        share = 100 * (float(logits[number]) - least) / (most - least) if most > least else 0.0
        bar = (
            f'<td class="bar"><i{" class=on" * (number == found.concepts.target)} style="width:{share:.1f}%"></i></td>'
        )
        kind = ' class="chosen"' * (number == found.concepts.target)
        figures = f'<td class="number">{_minus(f"{logits[number]:.2f}")}</td>'
        rows.append(f"<tr{kind}><td>{escape(names[number])}</td>{figures}{bar}</tr>")
    few = len(names) > len(shown)
    about = f"{len(shown)} of {len(names)} classes; " if few else ""
    table = _table(("class", "logit", ""), rows)
    return f'<h2>Similarity with the classes</h2>{table}<p class="small">{about}bars begin at the least similar.</p>'


# ---- concepts


def _by_concepts(found: Findings) -> str:
    concepts = found.concepts
    shared = set(concepts.shared)
    items = []
    for k, concept in enumerate(concepts.concepts):
        words = "".join(_pill(concepts.bank.phrases[word], word in shared) for word in concept.words)
        items.append(f"<li>{_dot(k)}<div>{words}</div></li>")
    listed = f'<ol class="parts">{"".join(items)}</ol>' if items else "<p>No part of this picture stands out.</p>"
    words = "".join(
        f'<div class="card"><h3>{escape(title[:1].upper() + title[1:])}</h3>'
        f"{''.join(_pill(word, title == 'both') for word in words) or '<span class=small>none</span>'}</div>"
        for title, words in found.words().items()
    )
    drawn = _map(found, [_part(found, k, concept) for k, concept in enumerate(concepts.concepts)], "Visual concepts")
    return (
        "<h2>By concepts: which words are close to the image, and to the class?</h2>"
        "<p>Patches that stand out are parted into visual concepts, and each gets the words that are closest to it. "
        "The class gets the words closest to its prompts. Words that both have are framed.</p>"
        f'<div class="two"><figure>{drawn}</figure>'
        f'<div class="card"><h3>Words of each visual concept</h3>{listed}</div></div>'
        f'<div class="venn">{words}</div>{_overlap(found)}'
    )


def _overlap(found: Findings) -> str:
    overlap, rows = found.concepts.overlap, []
    for measure in MEASURES:
        chance = overlap.chance(measure)
        name = "mutual information (nats)" if measure == "information" else measure
        cells = f'<td class="number">{overlap.measured(measure):.3f}</td><td class="number">{chance.mean:.3f}</td>'
        rows.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    told = (
        f"{overlap.visual} words of the picture and {overlap.language} of the class, from a bank of {overlap.bank}, "
        f"share {overlap.shared}. So many or more come about by chance with a probability of "
        f"{overlap.chance().p_value:.2g}. The overlap score is the number published as mutual "
        "information, which it is not."
    )
    return _table(("overlap", "measured", "by chance"), rows) + f'<p class="small">{told}</p>'


def _part(found: Findings, k: int, concept: VisualConcept) -> str:
    """A concept's patches, in its colour, with its number on the first of them."""
    columns, numbers = found.concepts.grid[1], np.flatnonzero(concept.patches)
    cells = "".join(
        f'<rect class="part" x="{i % columns}" y="{i // columns}" width="1" height="1" fill="{_colour(k)}"/>'
        for i in numbers
    )
    x, y = int(numbers[0]) % columns, int(numbers[0]) // columns
    size = columns / 12
    at = f'x="{x + 0.12 * size:.2f}" y="{y + 0.66 * size:.2f}" style="font-size:{0.62 * size:.2f}px;font-weight:600"'
    return f"{cells}{outline(concept.patches.reshape(found.concepts.grid))}<text {at}>{k + 1}</text>"


def outline(inside: BoolArray) -> str:
    """The rim of some patches (rows, columns) as SVG: dark on light, which shows on any picture."""
    padded = np.pad(inside, 1)
    steps = []
    for row, column in np.argwhere(inside):
        y, x = row + 1, column + 1
        sides = ((y - 1, x, "h1", 0, 0), (y + 1, x, "h1", 1, 0), (y, x - 1, "v1", 0, 0), (y, x + 1, "v1", 0, 1))
        steps += [f"M{column + right} {row + down}{line}" for v, u, line, down, right in sides if not padded[v, u]]
    path = "".join(steps)
    return f'<path class="rim" d="{path}"/><path class="edge" d="{path}"/>' if path else ""


# ---- interactions


def _by_interactions(found: Findings) -> str:
    shown = found.explanation
    told = (remark for remark in shown.remarks() if remark not in found.notes)  # the page says the notes once, above
    remarks = "".join(f'<p class="remark">{escape(remark)}</p>' for remark in told)
    return (
        "<h2>By interactions: which patches go with the words of the prompt?</h2>"
        "<p>Patches and words are removed at random, each kept with probability "
        f"{shown.p:g}. Colours say how much the similarity rises or falls on average when a patch or word is added, "
        "lines what a patch and a word change together.</p>"
        f'{remarks}<div class="wide">{picture(draw(shown), alt_text(shown), 720)}</div>'
    )


def _agreement(found: Findings) -> str:
    """The interactions' map with the concepts' rim, and the measured agreement."""
    drawn = _map(found, [*_tints(found.interactions, found.concepts.grid)], "Interactions of patches with the prompt")
    rim = outline(found.concept_patches.reshape(found.concepts.grid))
    drawn = drawn.replace("</svg>", f"{rim}</svg>")
    scale = float(np.abs(found.interactions).max())
    rows = [_agreed(name, one) for name, one in found.agreement.items()]
    head = ("on which patches", "of what is positive", "by area", "rank correlation")
    return (
        "<h2>Do concepts and interactions point to the same patches?</h2>"
        '<div class="two"><figure><b>Interactions with the prompt, and the rim of all concepts</b>'
        f"{drawn}<figcaption>sum over the prompt's words; full colour: \u00b1{scale:.2g} logits</figcaption></figure>"
        f"<div><p>{_verdict(found)}</p>"
        "<p class=small>The share that lies on the patches stands beside the share to be expected if the numbers knew "
        "nothing of them, which is their area. Neighbouring patches are alike in both, so that a small difference from "
        f"the area means nothing.</p></div></div><div class=agreed>{_table(head, rows)}</div>"
    )


def _verdict(found: Findings) -> str:
    """What was measured of all concepts, in a sentence."""
    one = next(iter(found.agreement.values()))
    if one is None:
        return "This cannot be measured here: there are no concepts, or no interaction is above zero."
    return (
        f"All concepts cover {one.area:.0%} of the patches, and {one.share:.0%} of the positive interactions with the "
        f"prompt lie there: {one.lift:.1f} times as much as by area."
    )


def _agreed(name: str, one: Agreement | None) -> str:
    cells = ["\u2013"] * 3
    if one is not None:
        cells = [f"{one.share:.0%}", f"{one.area:.0%}", _minus(f"{one.rank_correlation:+.2f}")]
    return f"<tr><td>{escape(name)}</td>{''.join(f'<td class=number>{cell}</td>' for cell in cells)}</tr>"


def _tints(values: FloatArray, grid: tuple[int, int]) -> list[str]:
    scale, columns = float(np.abs(values).max()) or 1.0, grid[1]
    return [
        f'<rect x="{k % columns}" y="{k // columns}" width="1" height="1" class="{"d" if value < 0 else "u"}" '
        f'fill-opacity="{FULL_TINT * abs(float(value)) / scale:.3f}"/>'
        for k, value in enumerate(values)
    ]


# ---- contrast


def _by_contrast(found: Findings) -> str:
    told = found.contrast
    name, foil = (f"\u201c{escape(one)}\u201d" for one in (found.class_name, found.foil_name))
    shown = (
        (f"A: {told.first.text}", told.first),
        ("A rather than B", told),
        (f"B: {told.second.text}", told.second),
    )
    maps = "".join(
        f'<div class="card{" difference" * (one is told)}"><h3>{escape(title)}</h3>{figure(one, None)}</div>'
        for title, one in shown
    )
    sentence = (
        f"The difference of two explanations from the same masked images: red speaks for {name}, blue for {foil}. What "
        "both prompts see alike cancels, and so do its errors. Each map has its own scale."
    )
    return (
        f"<h2>By contrast: why {name} and not {foil}?</h2><p>{sentence}</p>"
        f'<div class="three">{maps}</div>{_strongest(found)}'
    )


def _strongest(found: Findings) -> str:
    """The patches that tell the two apart most, with standard errors."""
    told = found.contrast
    errors: Sequence[float] | NDArray[np.float64] = (
        np.zeros(told.n_image) if told.patch_stderr is None else told.patch_stderr
    )
    order = np.argsort(-np.abs(told.patches), kind="stable")[:_PATCHES]
    largest = float(np.abs(told.patches).max()) or 1.0
    rows = []
    for k in order:
        value = float(told.patches[k])
        kind, share = ("up" if value > 0 else "down"), 100 * abs(value) / largest
        number = _minus(told.told(value, float(errors[k]) if errors[k] else None))
        rows.append(
            f'<tr><td>{escape(told.labels[k])}</td><td class="number {kind}">{number}</td>'
            f'<td class="bar {kind}"><span style="width:{share:.1f}%"></span></td></tr>'
        )
    return _table(("patch", "logits \u00b1 standard error", ""), rows)


# ---- pieces


def _how_to_read(found: Findings) -> str:
    lines = (
        "<b>Classes</b> are compared by the similarity of the picture with their prompts; a logit is no probability.",
        "<b>Concepts</b> are of one picture, whose parts are noisier than those of many pictures of a class. Their "
        "words are the closest ones of the bank: of what the bank does not hold, nothing is said.",
        "<b>Chance</b> is what sets of as many words, drawn at random from the bank, share.",
        "<b>Patches</b> are numbered by row and column: \u201cpatch 2,6\u201d is in row 2 and column 6.",
        "<b>One picture is one picture</b>: whether concepts and interactions agree in general is a question for many.",
    )
    return "<h2>How to read this</h2>" + "".join(f"<p>{line}</p>" for line in lines)


def _map(found: Findings, cells: Sequence[str], alt: str) -> str:
    rows, columns = found.concepts.grid
    shown = "" if found.explanation.image is None else '<use href="#photo"/>'
    box = f'viewBox="0 0 {columns} {rows}" role="img" aria-label="{escape(alt)}"'
    return f'<svg class="map" {box}>{shown}{"".join(cells)}</svg>'


def _table(head: Sequence[str], rows: Sequence[str]) -> str:
    cells = "".join(f"<th{' class=number' * (k > 0 and bool(name))}>{escape(name)}</th>" for k, name in enumerate(head))
    return f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _pill(word: str, is_shared: bool) -> str:
    return f'<span class="pill{" both" * is_shared}">{escape(word)}</span>'


def _dot(k: int) -> str:
    return f'<span class="dot" style="background:{_colour(k)}">{k + 1}</span>'


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]


def _minus(text: str) -> str:
    """With a real minus sign."""
    return text.replace("-", "\u2212")
