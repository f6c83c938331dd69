"""Widgets for notebooks: move a slider, see the explanation change.

    fixlip_widgets.Explorer(samples)

Every widget is one line to show, works offline, and leaves a picture behind where no kernel runs.
"""

try:
    from .compare import Compare
    from .concepts import Concepts
    from .explorer import Explorer
    from .insertion_deletion import InsertionDeletion
    from .masking_game import MaskingGame
    from .plant_a_fault import PlantAFault
    from .pointing_game import PointingGameBuilder
except ModuleNotFoundError as error:
    if error.name not in ("anywidget", "ipywidgets", "traitlets"):
        raise
    raise ImportError(
        f'fixlip_widgets: {error.name} is not installed; `pip install "fixlip-lab[notebooks]"` brings all it needs.'
    ) from None

__all__ = ["Compare", "Concepts", "Explorer", "InsertionDeletion", "MaskingGame", "PlantAFault", "PointingGameBuilder"]
