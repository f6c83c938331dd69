"""The embedded models' tokenizer: CLIP's byte-pair encoding with a vocabulary made for emoji scenes.

Every word of the scenes is one token, but for SPLIT, which is two, as happens to longer words in real tokenizers. All
256 byte symbols are in the vocabulary, so any text can be read. End of text has the largest id, as in CLIP:
transformers takes id 2 for a historic mistake and would then read only part of the caption.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

from .scenes import COLOURS, vocabulary

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

MAX_LENGTH = 16  # tokens, begin and end of text included
SPLIT = "butterfly"
_PARTS = ("butter", "fly")
_FUNCTION_WORDS = ("a", "an", "and", "the", "of", "on", "in", "with", "next", "to", "photo", "picture", "background")
_BEGIN, _END = "<|startoftext|>", "<|endoftext|>"
_END_OF_WORD = "</w>"


def clip_tokenizer() -> CLIPTokenizer:
    """Build the tokenizer from the words alone; the same every time."""
    from transformers import CLIPTokenizer

    symbols, merges = _symbols(), _merges()
    tokens = [*symbols, *(symbol + _END_OF_WORD for symbol in symbols), *(left + right for left, right in merges)]
    # Two merges may make the same token; it is listed once.
    tokens = [*dict.fromkeys(tokens), _BEGIN, _END]
    ids = {token: i for i, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=ids, merges=merges, model_max_length=MAX_LENGTH)


def _symbols() -> list[str]:
    """The 256 printable stand-ins for bytes that byte-level encodings use."""
    from tokenizers.pre_tokenizers import ByteLevel

    return sorted(ByteLevel.alphabet())


def _merges() -> list[tuple[str, str]]:
    """Merges that make every word one token, and SPLIT two, learned as byte-pair encoding learns them.

    The `tokenizers` library could train this too, but breaks ties by chance, so that no two builds would agree.
    """
    words = {(*word[:-1], word[-1] + _END_OF_WORD) for word in (*vocabulary(), *COLOURS, *_FUNCTION_WORDS, _PARTS[1])}
    words.discard((*SPLIT[:-1], SPLIT[-1] + _END_OF_WORD))
    words.add(tuple(_PARTS[0]))  # ends no word: a second part follows
    merges: list[tuple[str, str]] = []
    while pairs := Counter(pair for word in words for pair in itertools.pairwise(word)):
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = {_merge(word, best) for word in words}
    return merges


def _merge(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """The word with every occurrence of `pair` joined."""
    joined: list[str] = []
    for symbol in word:
        if joined and (joined[-1], symbol) == pair:
            joined[-1] += symbol
        else:
            joined.append(symbol)
    return tuple(joined)
