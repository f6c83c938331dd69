"""Terms: the entries of an `Expansion` by strength, and as the columns of a table."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .masks import FloatArray
from .triples import triple_indices

KINDS = ("crossmodal", "pairs", "players", "all", "coefficients", "triples", "word-pairs")
_OF_TRIPLES = ("triples", "word-pairs")
_PLACES = ("first", "second", "third")


class Term(NamedTuple):
    """One entry of an expansion: one to three players, their names, value and standard error, in the expansion's unit.

    Values are averages over what else is present, as `values`, `pair_values` and `triples` are.
    """

    players: tuple[int, ...]
    labels: tuple[str, ...]
    value: float
    stderr: float | None = None


def strongest(expansion: Any, k: int, kind: str) -> list[Term]:
    """The `k` strongest terms of a kind that are not zero.

    Raises:
        ValueError: if there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: got {kind!r}, wanted one of {', '.join(KINDS)}.")
    terms: list[tuple[float, tuple[int, ...]]] = []
    if kind in ("players", "all", "coefficients"):
        single = expansion.attributions if kind == "coefficients" else expansion.values
        terms += [(float(value), (i,)) for i, value in enumerate(single)]
    if kind in ("crossmodal", "pairs", "all"):
        first, second = np.triu_indices(expansion.n_players, 1)
        if kind == "crossmodal":
            crosses = (first < expansion.n_image) & (second >= expansion.n_image)
            first, second = first[crosses], second[crosses]
        terms += _largest(expansion.pair_values, (first, second), k)
    if expansion.triples is not None and kind in ("all", *_OF_TRIPLES):
        at = triple_indices(expansion.n_players)
        if kind == "word-pairs":
            crosses = (at[0] < expansion.n_image) & (at[1] >= expansion.n_image)
            at = (at[0][crosses], at[1][crosses], at[2][crosses])
        terms += _largest(expansion.triples, at, k)
    terms.sort(key=lambda term: -abs(term[0]))
    coefficients = expansion.stderr[0] if expansion.stderr is not None else None
    single_errors = coefficients if kind == "coefficients" else expansion.value_stderr
    errors = (single_errors, expansion.pair_stderr, expansion.triple_errors)
    return [_term(expansion, players, value, errors[len(players) - 1]) for value, players in terms[:k] if value]


def _largest(numbers: FloatArray, at: tuple[Any, ...], k: int) -> list[tuple[float, tuple[int, ...]]]:
    """The `k` entries of largest absolute value among those at some places, and these places."""
    values = numbers[at]
    chosen = np.argsort(-np.abs(values), kind="stable")[:k]
    places = np.stack([players[chosen] for players in at], axis=1)
    return [(float(value), tuple(one)) for value, one in zip(values[chosen], places.tolist(), strict=True)]


def _term(expansion: Any, players: tuple[int, ...], value: float, errors: FloatArray | None) -> Term:
    error = None if errors is None else float(errors[players])
    return Term(players, tuple(expansion.labels[i] for i in players), value, error)


def columns_of(expansion: Any, kind: str) -> dict[str, list[Any]]:
    """All terms but zeros as columns, strongest first; see `Expansion.table`."""
    n = expansion.n_players
    most = 1 + n * (n + 1) // 2 + (0 if expansion.triples is None else n * (n - 1) * (n - 2) // 6)
    terms = strongest(expansion, most, kind)
    columns: dict[str, list[Any]] = {"kind": []}
    for term in terms:
        columns["kind"].append(" with ".join(expansion.subject.units[i >= expansion.n_image] for i in term.players))
    for place, suffix in enumerate(_PLACES[: 2 if expansion.triples is None else 3]):
        at = [term.players[place] if place < len(term.players) else None for term in terms]
        columns |= {f"{suffix}_{name}": values for name, values in _describe(expansion, at).items()}
    columns["value"] = [term.value for term in terms]
    columns["stderr"] = [term.stderr for term in terms]
    columns["unit"] = [expansion.unit_name for _ in terms]
    return columns


def _describe(expansion: Any, players: list[int | None]) -> dict[str, list[Any]]:
    """Columns that tell players apart, also where two have one label."""
    rows: list[tuple[Any, ...]] = []
    for i in players:
        is_patch = i is not None and i < expansion.n_image
        row, column = divmod(i, expansion.grid[1]) if is_patch and expansion.grid and i is not None else (None, None)
        counted = [None if one is None else one + 1 for one in (row, column)]
        token = None if i is None or is_patch else i - expansion.n_image + 1
        rows.append((i, None if i is None else expansion.labels[i], *counted, token))
    names = ("player", "label", "row", "column", "token")
    return {name: [row[k] for row in rows] for k, name in enumerate(names)}
