"""The embedded world: scenes of emoji whose truth is known, and small real encoders trained on them."""

from .planted import FAULTS as FAULTS
from .planted import PlantedScene as PlantedScene
from .planted import planted_scene as planted_scene
from .scenes import COLOURS as COLOURS
from .scenes import Scene as Scene
from .scenes import caption as caption
from .scenes import scene as scene
from .scenes import vocabulary as vocabulary
