"""Mutual knowledge: which concepts do both encoders know? After Sammani and Deligiannis, NeurIPS 2024.

    from fixlip.concepts import Bank, Classes, Study

    study = Study(fixlip.load("emoji-clip"), Classes.emoji(), Bank.emoji())
    found = study.image(picture)
    found.phrases(found.shared), found.overlap.information, found.overlap.chance()

Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bank import Bank as Bank
    from .bank import Classes as Classes
    from .embeddings import cache_folder as cache_folder
    from .found import ImageConcepts as ImageConcepts
    from .found import VisualConcept as VisualConcept
    from .overlap import MEASURES as MEASURES
    from .overlap import Overlap as Overlap
    from .settings import Settings as Settings
    from .study import Study as Study
    from .totals import Totals as Totals

_HOME = {
    "Bank": "bank",
    "Classes": "bank",
    "ImageConcepts": "found",
    "MEASURES": "overlap",
    "Overlap": "overlap",
    "Settings": "settings",
    "Study": "study",
    "Totals": "totals",
    "VisualConcept": "found",
    "cache_folder": "embeddings",
}
__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module 'fixlip.concepts' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
