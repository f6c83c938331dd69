"""The embedded models' tokenizers: byte-pair encodings with a vocabulary made for emoji scenes.

Every word of the scenes is one token, but for SPLIT, which is two, as happens to longer words in real tokenizers. In
the CLIP tokenizer end of text has the largest id, as in CLIP's own: transformers takes id 2 for a historic mistake and
would then read only part of the caption.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

from .scenes import COLOURS, vocabulary

if TYPE_CHECKING:
    from transformers import CLIPTokenizer, PreTrainedTokenizerFast

MAX_LENGTH = 16  # tokens, begin and end of text included
SPLIT = "butterfly"
_PARTS = ("butter", "fly")
_FUNCTION_WORDS = ("a", "an", "and", "the", "of", "on", "in", "with", "next", "to", "photo", "picture", "background")
_BEGIN, _END = "<|startoftext|>", "<|endoftext|>"
_END_OF_WORD, _BEGIN_OF_WORD = "</w>", "\u2581"


def clip_tokenizer() -> CLIPTokenizer:
    """CLIP's conventions: words end with a mark, every byte has a symbol, so that any text can be read."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    words = {(*word[:-1], word[-1] + _END_OF_WORD) for word in (*_words(), _PARTS[1])}
    merges = _learn({*words, tuple(_PARTS[0])})
    symbols = sorted(ByteLevel.alphabet())
    tokens = [*symbols, *(symbol + _END_OF_WORD for symbol in symbols), *(left + right for left, right in merges)]
    # Two merges may make the same token; it is listed once.
    ids = {token: i for i, token in enumerate([*dict.fromkeys(tokens), _BEGIN, _END])}
    return CLIPTokenizer(vocab=ids, merges=merges, model_max_length=MAX_LENGTH)


def siglip_tokenizer() -> PreTrainedTokenizerFast:
    """SigLIP's conventions: words begin with a mark, and one token (id 1) is both end of text and padding.

    Characters that are in no word of the scenes are unknown (id 0), as SigLIP's own tokenizer has an unknown token.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    merges = _learn({*((_BEGIN_OF_WORD, *word) for word in (*_words(), _PARTS[0])), tuple(_PARTS[1])})
    letters = sorted({letter for word in (*_words(), *_PARTS) for letter in word})
    tokens = ["<unk>", "</s>", _BEGIN_OF_WORD, *letters, *(left + right for left, right in merges)]
    ids = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.BPE(ids, merges, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=_BEGIN_OF_WORD, prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement=_BEGIN_OF_WORD, prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        eos_token="</s>",
        pad_token="</s>",
        padding_side="right",
        model_max_length=MAX_LENGTH,
    )


def _words() -> list[str]:
    """All words that are to be one token."""
    return [word for word in (*vocabulary(), *COLOURS, *_FUNCTION_WORDS) if word != SPLIT]


def _learn(words: set[tuple[str, ...]]) -> list[tuple[str, str]]:
    """Merges that make each word, given as symbols, one token, learned as byte-pair encoding learns them.

    The `tokenizers` library could train this too, but breaks ties by chance, so that no two builds would agree.
    """
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
