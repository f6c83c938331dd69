"""How good is an explanation? The measures of Baniecki et al., NeurIPS 2025, for any Explanation, whatever made it.

And one that asks whether an explanation looks at the model at all (Adebayo et al., NeurIPS 2018).
"""

from .curves import Curves, area_between_curves, insertion_deletion
from .faithfulness import Faithfulness, agreement, faithfulness
from .pointing_game import PointingGame, PointingScore, mosaic, pointing_game, quadrant
from .randomisation import MapAgreement, agreement_of_maps, randomised

__all__ = [
    "Curves",
    "Faithfulness",
    "MapAgreement",
    "PointingGame",
    "PointingScore",
    "agreement",
    "agreement_of_maps",
    "area_between_curves",
    "faithfulness",
    "insertion_deletion",
    "mosaic",
    "pointing_game",
    "quadrant",
    "randomised",
]
