"""What a widget says in numbers: tables, bars with error bars, a gauge, a key; HTML, styled by pair.css."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

from fixlip.pictures.drawing import INTERVAL, NEGATIVE, POSITIVE, hex_of, tell

_WIDTH, _HEIGHT = 120, 16  # of a bar with its room, in CSS pixels


def number(value: float, largest: float | None = None) -> str:
    """A value with its sign, a real minus; in logits, or relative to the largest score."""
    return tell(value, None, largest).replace("-", "−")


def deviation(error: float | None, largest: float | None = None) -> str:
    """A standard error, in as many digits as `number` gives a value of that size; empty where there is none."""
    return "" if error is None else f"± {tell(error, None, largest).lstrip('+')}"


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


def bars(
    rows: Sequence[tuple[str, float, float | None]], name: str, unit: str = "logits", largest: float | None = None
) -> str:
    """A table of named values with bars from zero; a whisker is the 90 % interval.

    Args:
        rows: name, value and standard error, in one unit.
        name: of the table.
        unit: above the values.
        largest: what is told as 1.00; None for logits, which are told as they are.
    """
    whiskers = [value + sign * INTERVAL * (error or 0.0) for _, value, error in rows for sign in (-1, 1)]
    span = (min([0.0, *whiskers]), max([0.0, *whiskers]))
    cells = [
        (html.escape(name), _bar(value, error, span), number(value, largest), deviation(error, largest))
        for name, value, error in rows
    ]
    if largest is not None and all(error is None for _, _, error in rows):  # a column that would always be empty
        return table((html.escape(name), "", unit), [row[:3] for row in cells], figures=2)
    return table((html.escape(name), "", unit, "standard error"), cells, figures=2)


def _bar(value: float, error: float | None, span: tuple[float, float]) -> str:
    low, high = span

    def at(x: float) -> float:
        return 4 + (_WIDTH - 8) * (x - low) / ((high - low) or 1.0)

    zero, end = at(0.0), at(value)
    colour = hex_of(POSITIVE if value > 0 else NEGATIVE)
    marks = [
        f'<line x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="{_HEIGHT}" stroke="currentColor" opacity="0.4"/>',
        f'<rect x="{min(zero, end):.1f}" y="4" width="{abs(end - zero):.1f}" height="8" fill="{colour}"/>',
    ]
    if error is not None:
        ends = [at(value + sign * INTERVAL * error) for sign in (-1, 1)]
        path = f"M{ends[0]:.1f},8H{ends[1]:.1f}M{ends[0]:.1f},5V11M{ends[1]:.1f},5V11"
        marks.append(f'<path d="{path}" stroke="currentColor" stroke-width="1.5" fill="none"/>')
    shape = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none"'  # narrower where there is less room
    return f'<svg width="{_WIDTH}" height="{_HEIGHT}" {shape} aria-hidden="true">{"".join(marks)}</svg>'


def gauge(share: float, words: str) -> str:
    """A bar filled to a share between 0 and 1, with words for who cannot see it."""
    filled = 100 * min(1.0, max(0.0, share))
    bar = f'<span style="width:{filled:.1f}%;background:{hex_of(POSITIVE)}"></span>'
    return f'<div class="fixlip-gauge" role="img" aria-label="{html.escape(words)}">{bar}</div>'


def key(colours: Mapping[str, str], dashes: Mapping[str, str]) -> str:
    """What the curves' colours mean, and their dashes.

    Args:
        colours: by what they mean.
        dashes: as SVG writes them, by what they mean; empty for a solid line.
    """

    def entry(name: str, line: str) -> str:
        return f'<span><svg width="26" height="10" viewBox="0 0 26 10">{line}</svg>{html.escape(name)}</span>'

    swatches = (entry(name, f'<rect width="26" height="10" rx="3" fill="{c}"/>') for name, c in colours.items())
    lines = (
        entry(name, f'<path d="M0,5H26" stroke="currentColor" stroke-width="2.5" stroke-dasharray="{dash or "none"}"/>')
        for name, dash in dashes.items()
    )
    return f'<div class="fixlip-key">{"".join(swatches)}</div><div class="fixlip-key">{"".join(lines)}</div>'
