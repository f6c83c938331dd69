"""Pictures: explanations drawn, compared, and as a page. Nothing in here knows a model."""

from .comparison import compare
from .pair import draw, picture
from .picture import Picture, to_png
from .words import alt_text

__all__ = ["Picture", "alt_text", "compare", "draw", "picture", "to_png"]
