"""How good is an explanation? The measures of Baniecki et al., NeurIPS 2025, for any Explanation, whatever made it."""

from .curves import Curves, area_between_curves, insertion_deletion
from .faithfulness import Faithfulness, agreement, faithfulness
from .pointing_game import PointingGame, PointingScore, mosaic, pointing_game, quadrant

__all__ = [
    "Curves",
    "Faithfulness",
    "PointingGame",
    "PointingScore",
    "agreement",
    "area_between_curves",
    "faithfulness",
    "insertion_deletion",
    "mosaic",
    "pointing_game",
    "quadrant",
]
