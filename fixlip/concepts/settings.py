"""Choices of the pipeline; defaults are the published ones, where these are known and suit a small bank."""

from __future__ import annotations

from dataclasses import dataclass

from ..masks import check_count, check_seed

FEATURES = ("tokens", "keys")
PROMINENT = ("svd", "pca")
PARTS = ("pca", "kmeans")
PROMPTS = ("ellipse", "patches")
# The published bank, and how many of its concepts each region proposes.
_PUBLISHED_BANK, _PUBLISHED_LIST = 4229, 100


@dataclass(frozen=True)
class Settings:
    """Choices of Sammani and Deligiannis (NeurIPS 2024, and its code), and ours where neither tells.

    Attributes:
        features: of patches, "tokens" of the last layer or "keys" of its attention.
        prominent: component that tells prominent patches, "svd" or "pca".
        together: take that component of all pictures of a group, as the published code does; False for one in each, as
            the paper says. For a single picture it is the same.
        threshold: of that component scaled to [0, 1]; None for its sign.
        parts: how prominent patches are parted, "pca" or "kmeans".
        n_parts: into how many at most. Not known of the paper; ours.
        prompt: how a region is shown to the encoder, "ellipse" (published) or "patches" (all others are removed, as the
            game removes them).
        words: of each visual concept.
        transport: words by optimal transport (published), or the most similar.
        regularisation: lambda of the transport.
        candidates: how many words each region proposes for the transport; None for 100 of the published 4,229, in
            proportion to the bank, at least `words`, at most 100. (With 100 of a bank of 56 every word would take part,
            and the transport, which tells regions apart and not right from wrong, would deal out words that fit none.)
        relevance: with transport, leave out candidates whose similarity with the whole picture is more than 0.01 below
            their mean.
        class_words: how many words the language side has for a class; None for 8 % of the bank. Not known of the paper;
            ours.
        seed: of K-means.

    Raises:
        ValueError: one sentence, if a choice is none.
    """

    features: str = FEATURES[0]
    prominent: str = PROMINENT[0]
    together: bool = False
    threshold: float | None = None
    parts: str = PARTS[0]
    n_parts: int = 3
    prompt: str = PROMPTS[0]
    words: int = 3
    transport: bool = True
    regularisation: float = 1.0
    candidates: int | None = None
    relevance: bool = True
    class_words: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        known = {"features": FEATURES, "prominent": PROMINENT, "parts": PARTS, "prompt": PROMPTS}
        for name, choices in known.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}: got {getattr(self, name)!r}, wanted one of {', '.join(choices)}.")
        for name in ("n_parts", "words", "candidates", "class_words"):
            if getattr(self, name) is not None:
                check_count(getattr(self, name), name)
        check_seed(self.seed)
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise ValueError(f"threshold: got {self.threshold!r}, wanted a number between 0 and 1, or None.")
        if not 0.01 <= self.regularisation < float("inf"):
            raise ValueError(f"regularisation: got {self.regularisation!r}, wanted a number of at least 0.01.")

    def candidates_of(self, bank: int) -> int:
        """How many words of a bank of this size each region proposes."""
        share = round(bank * _PUBLISHED_LIST / _PUBLISHED_BANK)
        return self.candidates or min(_PUBLISHED_LIST, max(self.words, share))

    def class_words_of(self, bank: int) -> int:
        """How many words of a bank of this size a class has, fewer than all."""
        return min(self.class_words or max(1, round(0.08 * bank)), bank - 1)
