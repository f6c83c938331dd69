"""What a widget says in numbers: tables, bars with error bars, a gauge, a key; HTML, styled by pair.css."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from fixlip.pictures.drawing import INTERVAL, NEGATIVE, POSITIVE, hex_of, signed

_WIDTH, _HEIGHT = 150, 16  # of a bar with its room, in CSS pixels


def number(value: float) -> str:
    """A value with its sign, a real minus."""
    return signed(value).replace("-", "−")


def deviation(error: float | None) -> str:
    """A standard error, in as many digits as `number` gives a value of that size; empty where there is none."""
    return "" if error is None else f"± {signed(error).lstrip('+')}"


def readout(*parts: str) -> str:
    """The parts, which are HTML, one below the other."""
    return f'<div class="fixlip-readout">{"".join(parts)}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], figures: int = 1) -> str:
    """A table; cells are HTML. All columns from `figures` on are set as figures, to the right."""

    def row(cells: Sequence[str], kind: str) -> str:
        classes = ("" if k < figures else ' class="figure"' for k in range(len(cells)))
        return "".join(f"<{kind}{name}>{cell}</{kind}>" for name, cell in zip(classes, cells, strict=True))

    body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in rows)
    return f"<table><tr>{row(head, 'th')}</tr>{body}</table>"


def bars(rows: Sequence[tuple[str, float, float | None]], name: str) -> str:
    """A table of named values with bars from zero; a whisker is the 90 % interval.

    Args:
        rows: name, value and standard error, in logits.
        name: of the table.
    """
    longest = max((abs(value) + INTERVAL * (error or 0.0) for _, value, error in rows), default=1.0) or 1.0
    cells = [
        (html.escape(name), _bar(value, error, longest), number(value), deviation(error)) for name, value, error in rows
    ]
    return table((html.escape(name), "", "logits", "standard error"), cells, figures=2)


def _bar(value: float, error: float | None, longest: float) -> str:
    def at(x: float) -> float:
        return (1 + x / longest) * (_WIDTH / 2 - 4) + 4

    zero, end = at(0.0), at(value)
    colour = hex_of(POSITIVE if value > 0 else NEGATIVE)
    marks = [
        f'<line x1="{zero}" x2="{zero}" y1="0" y2="{_HEIGHT}" stroke="currentColor" opacity="0.4"/>',
        f'<rect x="{min(zero, end):.1f}" y="4" width="{abs(end - zero):.1f}" height="8" fill="{colour}"/>',
    ]
    if error is not None:
        low, high = at(value - INTERVAL * error), at(value + INTERVAL * error)
        path = f"M{low:.1f},8H{high:.1f}M{low:.1f},5V11M{high:.1f},5V11"
        marks.append(f'<path d="{path}" stroke="currentColor" stroke-width="1.5" fill="none"/>')
    return f'<svg width="{_WIDTH}" height="{_HEIGHT}" aria-hidden="true">{"".join(marks)}</svg>'


def gauge(share: float, words: str) -> str:
    """A bar filled to a share between 0 and 1, with words for who cannot see it."""
    filled = 100 * min(1.0, max(0.0, share))
    bar = f'<span style="width:{filled:.1f}%;background:{hex_of(POSITIVE)}"></span>'
    return f'<div class="fixlip-gauge" role="img" aria-label="{html.escape(words)}">{bar}</div>'


def key(lines: Sequence[dict[str, str]]) -> str:
    """What the curves are called: name, colour and dash of each."""
    marks = "".join(
        f'<span><svg width="26" height="8"><line x1="0" x2="26" y1="4" y2="4" stroke="{line["colour"]}" '
        f'stroke-width="2.5" stroke-dasharray="{line["dash"] or "none"}"/></svg>{html.escape(line["name"])}</span>'
        for line in lines
    )
    return f'<div class="fixlip-key">{marks}</div>'
