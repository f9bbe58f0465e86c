"""Small faces first, whole ones at the end."""

from dataclasses import dataclass
from typing import Final

_STEP: Final = 8
"""Sides are multiples of it, so that there are few, each of which is compiled once."""


@dataclass(frozen=True)
class Growth:
    """How the faces grow over the epochs: much of what there is to learn shows on small ones, at less cost.

    Tan & Le 2021, "EfficientNetV2: Smaller Models and Faster Training": progressive learning, whose regularization
    grows as well; here it stays.

    Attributes:
        start: side of the faces in the first epoch, in pixels; None for whole faces all along.
        share: of the epochs, 0 to 1, after which they are whole; they are so in the last one in any case.
    """

    start: int | None = None
    share: float = 0.0

    def side(self, epoch: int, epochs: int, whole: int) -> int:
        """Return the side of the faces in `epoch`, from 0, of `epochs`; `whole` is that of the data, in pixels."""
        if self.start is None or self.start >= whole or epoch >= min(self.share * epochs, epochs - 1):
            return whole
        grown = self.start + (whole - self.start) * epoch / (self.share * epochs)
        return max(self.start, int(grown / _STEP) * _STEP)


WHOLE: Final = Growth()
"""Whole faces all along."""
