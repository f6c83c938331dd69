"""FIxLIP-Lab: why does CLIP find an image and a caption similar?

    encoder = fixlip.load("emoji-clip")
    explanation = fixlip.explain(encoder, image, "a cat next to a banana")

Names are imported when they are first used, so that `import fixlip` is quick and loads no torch.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Threads that wait must sleep: by default each burns its core, and two processes on two cores slow each other down ten
# times and more. OpenMP reads this once, when torch is loaded; a choice of the user's own is kept. Whether torch was
# loaded before, so that it is too late, is what `doctor` asks.
_torch_came_first = "torch" in sys.modules and "OMP_WAIT_POLICY" not in os.environ
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from . import baselines as baselines
    from . import emoji as emoji
    from . import metrics as metrics
    from . import pairs as pairs
    from . import pictures as pictures
    from .anygame import explain_game as explain_game
    from .anytime import rounds as rounds
    from .api import explain as explain
    from .classification import classify as classify
    from .contrasts import contrast as contrast
    from .encoders.checking import check_encoder as check_encoder
    from .encoders.huggingface import Encoder as Encoder
    from .encoders.loading import load as load
    from .explanation import Explanation as Explanation
    from .gallery import compare_methods as compare_methods
    from .game import Game as Game
    from .grid import ExplanationGrid as ExplanationGrid
    from .grid import explain_all as explain_all
    from .regions import Regions as Regions
    from .samples import Samples as Samples
    from .samples import sample as sample
    from .subject import Subject as Subject

__version__ = "0.1.0"

_HOME = {
    "Encoder": "encoders.huggingface",
    "Explanation": "explanation",
    "ExplanationGrid": "grid",
    "Game": "game",
    "Regions": "regions",
    "Samples": "samples",
    "check_encoder": "encoders.checking",
    "classify": "classification",
    "compare_methods": "gallery",
    "contrast": "contrasts",
    "explain": "api",
    "explain_all": "grid",
    "explain_game": "anygame",
    "load": "encoders.loading",
    "rounds": "anytime",
    "sample": "samples",
    "Subject": "subject",
}

# Packages, for whoever writes `fixlip.metrics` without importing it; `from fixlip import *` brings names, no packages.
_ROOMS = ("baselines", "emoji", "metrics", "pairs", "pictures")
# There for whoever writes `fixlip.Regions`, and not among the few names of `import *`.
_BESIDE = ("Regions", "rounds")
__all__ = [name for name in _HOME if name not in _BESIDE]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module 'fixlip' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_ROOMS})
