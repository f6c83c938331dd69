"""Pictures: explanations drawn, compared, and as a page. Nothing in here knows a model."""

from .comparison import compare
from .pair import Picture, alt_text, draw, to_png

__all__ = ["Picture", "alt_text", "compare", "draw", "to_png"]
