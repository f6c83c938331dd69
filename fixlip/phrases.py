"""Text players that people think in: the tokens of a word, or of a phrase, together.

Words are runs of letters and digits, with hyphens and apostrophes inside; every other sign is a word of its own. So is
every Chinese and Japanese character, since these scripts do not say where words end; phrases can.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .masks import IntArray

_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_LETTERS = rf"(?:[^\W{_IDEOGRAPHS}]|[\u0300-\u036f])+"  # with accents that are signs of their own
_WORD = re.compile(rf"{_LETTERS}(?:[-'\u2019]{_LETTERS})*|[{_IDEOGRAPHS}]|[^\w\s]")
Span = tuple[int, int]
AnyTextPlayers = str | Sequence[str]


@dataclass(frozen=True, eq=False)
class TextPlayers:
    """Which tokens each text player stands for.

    Attributes:
        owners: (tokens,) the player of every token, in reading order; None where every token is one.
        labels: one name a player.
        unit: what a player is: "token", "word" or "phrase".
    """

    owners: IntArray | None
    labels: tuple[str, ...]
    unit: str


def check_text_players(players: Any) -> str | tuple[str, ...]:
    """What is asked for, phrases as a tuple; ValueError, in one sentence, if it is nothing of the kind."""
    if isinstance(players, str) and players in ("tokens", "words"):
        return players
    if isinstance(players, str) or not isinstance(players, Sequence) or not len(players):
        raise ValueError(f'text_players: got {players!r:.60}, wanted "tokens", "words" or a list of phrases.')
    for phrase in players:
        if not isinstance(phrase, str) or not _WORD.search(phrase):
            raise ValueError(f"text_players: got {phrase!r} in the list, wanted a phrase of the caption.")
    return tuple(players)


def grouped(text: str, spans: Sequence[Span], players: str | tuple[str, ...]) -> TextPlayers:
    """The players of a caption as words or phrases.

    Args:
        text: the caption.
        spans: of every token, where it begins and ends in the text; empty where it stands for nothing there.
        players: "words", or phrases of whole words, upper or lower case. A phrase stands for its first place that no
            phrase before it has taken; what is in no phrase is a player word by word.

    Raises:
        ValueError: one sentence, if a phrase is not in the caption, or overlaps with another.
    """
    words = [match.span() for match in _WORD.finditer(text)]
    groups = _words_of_tokens(words, spans)
    is_phrases = not isinstance(players, str)
    joined = _joined(text, words, groups, players) if not isinstance(players, str) else groups
    starts = [k for k in range(len(joined)) if k == 0 or joined[k] != joined[k - 1]]
    owners = np.cumsum([k in set(starts) for k in range(len(joined))]) - 1
    labels = []
    for k in range(len(starts)):
        tokens = np.flatnonzero(owners == k)
        inside = [words[w] for token in tokens for w in range(groups[token][0], groups[token][1] + 1)]
        labels.append(" ".join(text[inside[0][0] : inside[-1][1]].split()))
    return TextPlayers(owners.astype(np.intp), tuple(labels), "phrase" if is_phrases else "word")


def spans_of_labels(text: str, labels: Sequence[str]) -> list[Span]:
    """Where every token begins and ends in the text, for tokenizers that do not say it, from the tokens' labels.

    Raises:
        ValueError: one sentence, if the labels are not the text.
    """
    folded, at = "", []
    for k, character in enumerate(text):
        folded += character.casefold()
        at += [k] * len(character.casefold())
    spans, cursor = [], 0
    for label in labels:
        wanted = label.casefold()
        found = folded.find(wanted, cursor)
        if found >= 0 and not any(one.isalnum() for one in folded[cursor:found]):
            cursor = found + len(wanted)
            spans.append((at[found], at[cursor - 1] + 1))
        elif any(one.isalnum() for one in label):
            raise ValueError(
                f"text_players: the token {label!r} is not found in the caption {text!r:.60}, so its words are not "
                'known; wanted "tokens".'
            )
        else:  # the mark of a word's beginning, say
            spans.append((0, 0))
    return spans


def _words_of_tokens(words: list[Span], spans: Sequence[Span]) -> list[Span]:
    """Of every token the first and last word of its group; words that share a token are one."""
    touched = [[w for w, (start, end) in enumerate(words) if start < span[1] and span[0] < end] for span in spans]
    # Tokens that stand for nothing, or for a blank, go with what follows.
    for k in reversed(range(len(touched) - 1)):
        touched[k] = touched[k] or touched[k + 1][:1]
    for k in range(1, len(touched)):
        touched[k] = touched[k] or touched[k - 1][-1:]
    groups: list[list[int]] = []
    for found in touched:
        if groups and found[0] <= groups[-1][1]:
            groups[-1][1] = max(groups[-1][1], found[-1])
        else:
            groups.append([found[0], found[-1]])
    return [next((a, b) for a, b in groups if a <= found[0] <= b) for found in touched]


def _joined(text: str, words: list[Span], groups: list[Span], phrases: tuple[str, ...]) -> list[Span]:
    """The groups of the tokens, with those of one phrase made one."""
    folded = [text[start:end].casefold() for start, end in words]
    first, last = {a for a, _ in groups}, {b for _, b in groups}
    taken: dict[int, str] = {}
    found: list[Span] = []
    for phrase in phrases:
        wanted = [match.group().casefold() for match in _WORD.finditer(phrase)]
        places = [
            range(k, k + len(wanted))
            for k in range(len(folded) - len(wanted) + 1)
            if folded[k : k + len(wanted)] == wanted and k in first and k + len(wanted) - 1 in last
        ]
        if not places:
            raise ValueError(
                f"text_players: {phrase!r} is not in the caption {text!r:.80}; wanted phrases of whole words that are."
            )
        place = next((one for one in places if not taken.keys() & set(one)), None)
        if place is None:
            other = next(taken[k] for k in places[0] if k in taken)
            raise ValueError(f"text_players: {phrase!r} overlaps with {other!r}; wanted phrases that share no word.")
        taken |= dict.fromkeys(place, phrase)
        found.append((place[0], place[-1]))
    return [next((one for one in found if one[0] <= group[0] <= one[1]), group) for group in groups]
