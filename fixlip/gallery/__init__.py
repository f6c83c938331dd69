"""All methods on one pair, side by side, with their scores.

gallery = fixlip.compare_methods(encoder, image, "a cat next to a banana")
gallery.save("comparison.html")
"""

from .entries import SCORES, Entry
from .gallery import Gallery, compare_methods
from .plans import default_methods

__all__ = ["SCORES", "Entry", "Gallery", "compare_methods", "default_methods"]
