"""Captions: how each architecture reads one, which of its tokens are players, and what removing a token means.

CLIP reads begin of text, tokens, end of text, and pools at the end; its attention is causal, so nothing behind the end
matters. SigLIP reads tokens and pads them to a fixed length; its attention goes everywhere, and it pools the last
position. BERT and RoBERTa (AltCLIP, Chinese-CLIP, ALIGN) read begin, tokens, end, and pool at the begin; their
attention goes everywhere but to padding. Begin, end and padding are not players and always stay (Baniecki et al.,
NeurIPS 2025, Section 3 and the published code).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch

from ..masks import BoolArray

TEXT_MASKINGS = ("attention", "remove", "unknown")


@dataclass(frozen=True, eq=False)
class Caption:
    """A tokenised caption.

    Attributes:
        text: the caption.
        input_ids: token ids as the model reads them, int64 of shape (length,), begin and end of text included.
        positions: where the players stand in `input_ids`, int64 of shape (n_text,).
        labels: what to call each player.
        padding_id: what fills up the places of tokens that are taken out, at the end.
        unknown_id: what stands for a token that is not known, where the tokenizer has one.
        sees_padding: whether the model attends to padding.
    """

    text: str
    input_ids: torch.Tensor
    positions: torch.Tensor
    labels: tuple[str, ...]
    padding_id: int
    unknown_id: int | None = None
    sees_padding: bool = True

    def masked(self, masks: BoolArray, how: str = "attention") -> tuple[torch.Tensor, torch.Tensor]:
        """The caption under each mask, as the model's inputs.

        Args:
            masks: (m, n_text), True = the token is present.
            how: "attention" (hidden from attention, its place kept: as published), "remove" (taken out, what follows
                moves up), or "unknown" (replaced by the tokenizer's unknown token).

        Returns:
            input ids and attention mask, int64 of shape (m, length).
        """
        present = torch.ones(len(masks), len(self.input_ids), dtype=torch.bool)
        present[:, self.positions] = torch.from_numpy(masks)
        ids = self.input_ids.expand(len(masks), -1)
        everywhere = torch.ones_like(ids)
        if how == "attention":
            return ids, present.to(torch.int64)
        if how == "unknown":
            if self.unknown_id is None:
                raise ValueError('text_masking: this tokenizer has no unknown token; use "attention" or "remove".')
            return torch.where(present, ids, self.unknown_id), everywhere
        # A stable sort brings what is present to the front, in order; the rest becomes padding.
        order = torch.argsort(~present, dim=1, stable=True)
        kept = torch.gather(ids, 1, order)
        behind = torch.arange(ids.shape[1]) >= present.sum(dim=1, keepdim=True)
        return torch.where(behind, self.padding_id, kept), (everywhere if self.sees_padding else (~behind).long())


def stacked(captions: Sequence[Caption]) -> tuple[torch.Tensor, torch.Tensor]:
    """Whole captions of one model side by side, as the model's inputs: ids and attention mask, (m, longest)."""
    longest = max(len(one.input_ids) for one in captions)
    pad = torch.nn.functional.pad
    rows = [(one, longest - len(one.input_ids)) for one in captions]
    ids = [pad(one.input_ids, (0, missing), value=one.padding_id) for one, missing in rows]
    # CLIP's captions differ in length; behind their end nothing is read, whatever it is.
    seen = [pad(torch.ones_like(one.input_ids), (0, missing), value=int(one.sees_padding)) for one, missing in rows]
    return torch.stack(ids), torch.stack(seen)


class Reader(Protocol):
    """How an architecture reads captions."""

    max_tokens: int

    def whole(self, text: str, tokenizer: Any) -> dict[str, torch.Tensor]:
        """What the model's own forward pass takes for a whole caption, by the tokenizer alone."""

    def read(self, text: str, tokenizer: Any, name: str) -> Caption:
        """Tokenise a caption; ValueError if it has no token, too many, or special ones."""

    def wrap(self, input_ids: torch.Tensor, text: str, labels: tuple[str, ...] | None) -> Caption:
        """A caption from token ids (length,) that were prepared elsewhere; ValueError if they are no such ids."""


class ClipReader:
    """Begin of text, tokens, end of text.

    Args:
        config: of the text model.
        first_end: whether the first end of text is read off whatever its number is, as in MetaCLIP-2.
    """

    def __init__(self, config: Any, first_end: bool = False):
        self.max_tokens = int(config.max_position_embeddings) - 2
        self._vocab_size = int(config.vocab_size)
        self._eos_id = int(config.eos_token_id)
        # Older CLIP configurations say 2 where the vocabulary says otherwise; transformers then takes the largest id.
        self._largest_ends = self._eos_id == 2 and not first_end

    def whole(self, text: str, tokenizer: Any) -> dict[str, torch.Tensor]:
        """What the model's own forward pass takes for a whole caption, by the tokenizer alone."""
        return dict(tokenizer(text, truncation=False, verbose=False, return_tensors="pt"))

    def read(self, text: str, tokenizer: Any, name: str) -> Caption:
        """Tokenise a caption; ValueError if it has no token, too many, or special ones."""
        ids = tokenizer(text, truncation=False, verbose=False)["input_ids"]
        check_special(ids[1:-1], {tokenizer.bos_token_id, tokenizer.eos_token_id}, tokenizer, name)
        check_length(len(ids) - 2, self.max_tokens, text, name)
        if max(ids) >= self._vocab_size or self._end(torch.tensor(ids)) != len(ids) - 1:
            raise ValueError(strangers(name))
        caption = self.wrap(torch.tensor(ids), text, labels_of(tokenizer, ids[1:-1]))
        return replace(caption, unknown_id=unknown_of(tokenizer))

    def wrap(self, input_ids: torch.Tensor, text: str, labels: tuple[str, ...] | None) -> Caption:
        """A caption from token ids (length,), begin and end of text included; padding is cut off."""
        ids = _check_ids(input_ids, self._vocab_size)
        if ids.ndim != 1 or len(ids) < 3 or len(ids) > self.max_tokens + 2:
            raise ValueError(
                f"input_ids: got shape {tuple(ids.shape)}, wanted (length,) with 3 to {self.max_tokens + 2} tokens, "
                "begin and end of text included."
            )
        end = self._end(ids)
        if end < 2:
            raise ValueError("input_ids: no end-of-text token after the first caption token.")
        positions = torch.arange(1, end)
        names = _names(labels, len(positions))
        return Caption(text or " ".join(names), ids[: end + 1], positions, names, padding_id=int(ids[end]))

    def _end(self, ids: torch.Tensor) -> int:
        """Where the first end of text stands; 0 if there is none."""
        return int(ids.argmax()) if self._largest_ends else int((ids == self._eos_id).int().argmax())


class SiglipReader:
    """Tokens, and where the tokenizer sets one an end of text, padded to the model's fixed length.

    SigLIP-2 was trained on lower-case captions. Its tokenizer is Gemma's, which keeps capitals; transformers makes them
    small where the processor is SigLIP-2's own, and not where a fixed resolution makes it a `siglip` to transformers.
    Here they are small for both. SigLIP's first tokenizer does that itself.
    """

    def __init__(self, config: Any):
        self.length = int(config.max_position_embeddings)
        self.max_tokens = self.length - 1
        self._vocab_size = int(config.vocab_size)
        self._full = {"padding": "max_length", "max_length": self.length, "padding_side": "right"}

    def whole(self, text: str, tokenizer: Any) -> dict[str, torch.Tensor]:
        """What the model's own forward pass takes for a whole caption: ids alone, so that padding is attended to."""
        read = self._as_trained(text, tokenizer)
        ids = tokenizer(read, truncation=False, verbose=False, return_tensors="pt", **self._full)["input_ids"]
        return {"input_ids": ids}

    @staticmethod
    def _as_trained(text: str, tokenizer: Any) -> str:
        is_gemma = (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == ("<bos>", "<eos>", "<pad>")
        return text.lower() if is_gemma else text

    def read(self, text: str, tokenizer: Any, name: str) -> Caption:
        """Tokenise a caption; ValueError if it has no token, too many, or special ones."""
        ends = {tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id}
        read = self._as_trained(text, tokenizer)
        bare = tokenizer(read, truncation=False, verbose=False, add_special_tokens=False)["input_ids"]
        check_special(bare, ends, tokenizer, name)
        ids = tokenizer(read, truncation=False, verbose=False, **self._full)["input_ids"]
        if max(ids) >= self._vocab_size:
            raise ValueError(strangers(name))
        positions = [k for k, token in enumerate(ids) if token not in ends]
        check_length(len(positions), self.max_tokens, text, name)
        return Caption(
            text,
            torch.tensor(ids),
            torch.tensor(positions),
            labels_of(tokenizer, [ids[k] for k in positions]),
            padding_id=int(tokenizer.pad_token_id),
            unknown_id=tokenizer.unk_token_id,
        )

    def wrap(self, input_ids: torch.Tensor, text: str, labels: tuple[str, ...] | None) -> Caption:
        """A caption from token ids of the model's length, padded at the end.

        The padding is whatever the sequence ends with. SigLIP pads with its end of text; SigLIP-2 with another token,
        and then one end of text stands between caption and padding.
        """
        ids = _check_ids(input_ids, self._vocab_size)
        if tuple(ids.shape) != (self.length,):
            raise ValueError(f"input_ids: got shape {tuple(ids.shape)}, wanted ({self.length},), padded at the end.")
        padding_id = int(ids[-1])
        count = int((ids != padding_id).sum())
        # Both SigLIP vocabularies have their end of text at 1 (SigLIP's own is the padding).
        count -= int(padding_id != 1 and count > 0 and int(ids[count - 1]) == 1)
        if count < 1 or bool((ids[:count] == padding_id).any()):
            raise ValueError("input_ids: wanted at least one caption token, and padding only at the end.")
        names = _names(labels, count)
        return Caption(text or " ".join(names), ids, torch.arange(count), names, padding_id=padding_id)


class FramedReader:
    """Begin, tokens, end, as BERT and RoBERTa read them; what pads a batch is hidden from attention.

    Args:
        config: of the text model.
        first_position: the number of the first position, where positions are not counted from 0.
    """

    def __init__(self, config: Any, first_position: int = 0):
        self.max_tokens = int(config.max_position_embeddings) - first_position - 2
        self._vocab_size, self._padding_id = int(config.vocab_size), int(config.pad_token_id or 0)

    def whole(self, text: str, tokenizer: Any) -> dict[str, torch.Tensor]:
        """What the model's own forward pass takes for a whole caption, by the tokenizer alone."""
        return dict(tokenizer(text, truncation=False, verbose=False, return_tensors="pt"))

    def read(self, text: str, tokenizer: Any, name: str) -> Caption:
        """Tokenise a caption; ValueError if it has no token, too many, or special ones."""
        ids = tokenizer(text, truncation=False, verbose=False)["input_ids"]
        ends = _ends(tokenizer)
        check_special(ids[1:-1], ends, tokenizer, name)
        check_length(len(ids) - 2, self.max_tokens, text, name)
        if max(ids) >= self._vocab_size or not {ids[0], ids[-1]} <= ends:
            raise ValueError(strangers(name))
        caption = self.wrap(torch.tensor(ids), text, labels_of(tokenizer, ids[1:-1], "##"))
        return replace(caption, unknown_id=unknown_of(tokenizer))

    def wrap(self, input_ids: torch.Tensor, text: str, labels: tuple[str, ...] | None) -> Caption:
        """A caption from token ids (length,), begin and end included; padding is cut off."""
        ids = _check_ids(input_ids, self._vocab_size)
        if ids.ndim == 1:
            ids = ids[: int((ids != self._padding_id).sum())]
        if ids.ndim != 1 or not 3 <= len(ids) <= self.max_tokens + 2 or bool((ids == self._padding_id).any()):
            raise ValueError(
                f"input_ids: got shape {tuple(input_ids.shape)}, wanted (length,) with 3 to {self.max_tokens + 2} "
                "tokens, begin and end included, and padding only behind them."
            )
        names = _names(labels, len(ids) - 2)
        positions = torch.arange(1, len(ids) - 1)
        return Caption(text or " ".join(names), ids, positions, names, self._padding_id, sees_padding=False)


def _check_ids(input_ids: torch.Tensor, vocab_size: int) -> torch.Tensor:
    if input_ids.is_floating_point() or input_ids.is_complex() or input_ids.dtype == torch.bool:
        raise ValueError(f"input_ids: got entries of type {input_ids.dtype}, wanted whole numbers (token ids).")
    ids = input_ids.to(torch.int64)
    outside = ids[(ids < 0) | (ids >= vocab_size)]
    if len(outside):
        raise ValueError(f"input_ids: got {int(outside[0])}, wanted token ids from 0 to {vocab_size - 1:,}.")
    return ids


def check_special(ids: list[int], special: set[int | None], tokenizer: Any, name: str) -> None:
    """Begin, end and padding belong around a caption; written inside one, they would cut it."""
    for token_id in ids:
        if token_id in special:
            token = str(tokenizer.convert_ids_to_tokens(token_id))
            raise ValueError(f"text: the caption holds {token!r}, a special token of {name}; leave it out.")


def strangers(name: str) -> str:
    """What to say of a tokenizer that belongs to another model."""
    return f"text: the tokenizer of {name} gives token ids that the model does not know; they do not belong together."


def check_length(count: int, most: int, text: str, name: str) -> None:
    """ValueError unless there are from 1 to `most` tokens."""
    if count > most:
        raise ValueError(f"text: the caption has {count} tokens, {name} reads at most {most}; shorten it.")
    if count < 1:
        raise ValueError(f"text: nothing of {text!r} is left after tokenisation; wanted at least one word.")


def _names(labels: tuple[str, ...] | None, count: int) -> tuple[str, ...]:
    names = tuple(labels) if labels else tuple(f"token {i + 1}" for i in range(count))
    if len(names) != count:
        raise ValueError(f"labels: got {len(names)}, wanted one for each of the {count} tokens.")
    return names


def _ends(tokenizer: Any) -> set[int | None]:
    """Numbers of the tokens that stand around captions."""
    kinds = ("bos", "eos", "cls", "sep", "pad")
    return {getattr(tokenizer, f"{kind}_token_id", None) for kind in kinds} - {None}


def unknown_of(tokenizer: Any) -> int | None:
    """The number of the unknown token; None where there is none, as with CLIP, which reads every text byte by byte."""
    found: int | None = tokenizer.unk_token_id
    return None if found in _ends(tokenizer) else found


def labels_of(tokenizer: Any, ids: list[int], inside: str = "") -> tuple[str, ...]:
    """What a reader would call each token: no word-boundary marks, bytes decoded where they are whole characters.

    `inside` marks a token that goes on with a word, as "##" does in BERT's vocabularies.
    """
    labels = []
    for token_id in ids:
        raw = str(tokenizer.convert_ids_to_tokens(token_id)).removesuffix("</w>").removeprefix("\u2581")
        text = str(tokenizer.decode([token_id])).strip()
        if inside and len(raw) > len(inside) and raw.startswith(inside):
            text = raw.removeprefix(inside)
        # A word-boundary mark can be a token of its own, before a word that the vocabulary lacks.
        labels.append((text if "\ufffd" not in text else "") or raw or "_")
    return tuple(labels)
