"""Widgets for notebooks: move a slider, see the explanation change.

    fixlip_widgets.Explorer(samples)

Every widget is one line to show, works offline, and leaves a picture behind where no kernel runs.
"""

from .compare import Compare
from .explorer import Explorer
from .insertion_deletion import InsertionDeletion
from .masking_game import MaskingGame
from .pointing_game import PointingGameBuilder

__all__ = ["Compare", "Explorer", "InsertionDeletion", "MaskingGame", "PointingGameBuilder"]
