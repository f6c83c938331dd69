"""How open_clip's tokenizers read captions: CLIP's own, which it ships, and those of transformers that it wraps."""

from __future__ import annotations

from typing import Any

import torch

from .captions import Caption, check_length, check_special, labels_of, strangers, unknown_of

# Where a text tower pools, if not at a fixed position: at the largest token, or at the end of text.
_AT_THE_END = ("argmax", "eos")


class OpenClipReader:
    """From texts to captions, padded to the model's fixed length.

    Args:
        tokenizer: from `open_clip.get_tokenizer`.
        model: of open_clip.

    Attributes:
        max_tokens: how many tokens a caption may have, those around it not counted.
        ends_with_class: whether a token of the last position is read, behind padding.
    """

    def __init__(self, tokenizer: Any, model: Any):
        self._tokenizer = tokenizer
        self._words = getattr(tokenizer, "tokenizer", None) or _SimpleWords(tokenizer)
        self._unknown_id = unknown_of(self._words)
        self._special = set(self._words.all_special_ids) - {self._unknown_id}
        self._padding_id = int(getattr(self._words, "pad_token_id", None) or 0)
        self._inside = "##" if getattr(self._words, "cls_token", None) == "[CLS]" else ""
        tower = getattr(model, "text", model)
        self._vocab_size = int(getattr(model, "vocab_size", 0) or getattr(tower, "vocab_size", 0))
        self.ends_with_class = getattr(tokenizer, "tokenizer_mode", "") == "clips"
        around = 3 if self.ends_with_class else self._words.num_special_tokens_to_add()
        self.max_tokens = int(tokenizer.context_length) - around
        pools = getattr(model, "text_pool_type", None) or getattr(tower, "pool_type", "")
        causal = getattr(tower, "attn_mask", None) is not None and getattr(tower, "cls_emb", None) is None
        self._reads_to_the_end = pools in _AT_THE_END and causal

    def read(self, text: str, name: str) -> Caption:
        """Tokenise a caption; ValueError if it has no token, too many, or special ones."""
        bare = self._words.encode(self._tokenizer.clean_fn(text), add_special_tokens=False)
        check_special(bare, self._special, self._words, name)
        check_length(len(bare), self.max_tokens, text, name)
        ids = self._tokenizer([text])[0]
        n, all_ids = len(bare), ids.tolist()
        start = next((k for k in range(len(all_ids) - n + 1) if all_ids[k : k + n] == bare), None)
        if start is None or (self._vocab_size and max(all_ids) >= self._vocab_size):
            raise ValueError(strangers(name))
        positions, labels = torch.arange(start, start + n), labels_of(self._words, bare, self._inside)
        return Caption(text, ids, positions, labels, self._padding_id, self._unknown_id)

    def read_length(self, ids: torch.Tensor) -> int | None:
        """How many positions of these captions (m, length) matter; None if all do.

        With causal attention and an embedding that is read at the end of text, padding behind it does not.
        """
        if not self._reads_to_the_end:
            return None
        behind = (ids != self._padding_id).flip(1).int().argmax(1)
        return int(ids.shape[1] - behind.min())


class _SimpleWords:
    """CLIP's own tokenizer, with the methods that those of transformers have."""

    unk_token_id = None

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer
        self.all_special_ids = tokenizer.all_special_ids

    def num_special_tokens_to_add(self) -> int:
        return 2

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return list(self._tokenizer.encode(text))

    def convert_ids_to_tokens(self, token_id: int) -> str:
        return str(self._tokenizer.decoder[token_id])

    def decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids))
