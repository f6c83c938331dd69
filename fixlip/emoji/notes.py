"""What readers should know of explanations by the embedded models, which know emoji scenes and nothing else."""

from __future__ import annotations

import re
import string
from functools import cache

from .scenes import COLOURS, GRAMMAR, vocabulary

_MOST, _LONGEST = 6, 24  # words named, letters of each
# Signs of punctuation are read one by one; what else stands between spaces is one word.
_WORDS = re.compile(f"[{re.escape(string.punctuation)}]|[^\\s{re.escape(string.punctuation)}]+")


@cache
def known_words() -> frozenset[str]:
    """The words of all captions that the embedded models were trained on."""
    return frozenset((*vocabulary(), *COLOURS, *GRAMMAR))


def unknown_words(text: str) -> tuple[str, ...]:
    """The words and signs of a caption that are in no caption of the training, each once, in order.

    The tokenizers cut most of them into letters. Some ("next", "to") are a token of their own, which was never trained.
    """
    return tuple(dict.fromkeys(word for word in _WORDS.findall(text.lower()) if word not in known_words()))


def note_of_caption(model: str, text: str) -> str:
    """Which words of a caption the model does not know; empty if it knows them all."""
    unknown = unknown_words(text)
    if not unknown:
        return ""
    named = [f"\u201c{word if len(word) <= _LONGEST else word[:_LONGEST] + chr(0x2026)}\u201d" for word in unknown]
    more = len(named) - _MOST
    shown = ", ".join(named[:_MOST]) + (f" and {more} more" if more > 0 else "")
    return f"{model} is made for emoji scenes and their captions; it does not know {shown}."


def note_of_picture(model: str) -> str:
    """What the model is for, told where a picture may be of anything."""
    return f"{model} was trained on emoji scenes alone; its answers mean little for other pictures, photographs say."
