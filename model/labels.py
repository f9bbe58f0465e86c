"""The seven emotions of FER2013, in the order of their numbers."""

from typing import Final

LABELS: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Name of each label; its index is FER2013's number for it, 0 to 6."""
