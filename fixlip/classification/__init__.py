"""Zero-shot classification of a picture, explained three ways: by concepts, by interactions, and by contrast.

    found = fixlip.classify(fixlip.load("emoji-clip"), picture)
    print(found.summary())
    found.save("report.html")

Concepts are words that image and class have in common (`fixlip.concepts`), FIxLIP says which patches interact with the
words of the prompt, and the contrast why it is this class and not the runner-up (`fixlip.contrasts`). Concepts and
interactions come about in different ways, so whether they point to the same patches is measured, and not assumed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .findings import Agreement as Agreement
    from .run import Classification as Classification
    from .run import classify as classify

_HOME = {"Agreement": "findings", "Classification": "run", "classify": "run"}
__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module 'fixlip.classification' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
