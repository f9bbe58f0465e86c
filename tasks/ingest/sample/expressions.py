"""The seven expressions as FACS action units (Ekman & Friesen 1978), in the combinations of EMFACS."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from model.labels import LABELS
from tasks.ingest.sample.randomness import Array, Stream

UNITS: Final = 27
"""Action units are indexed by their FACS number, here 1 to 26: 1 inner brow raiser, 2 outer brow raiser, 4 brow
lowerer, 5 upper lid raiser, 6 cheek raiser, 7 lid tightener, 9 nose wrinkler, 10 upper lip raiser, 12 lip corner
puller, 15 lip corner depressor, 16 lower lip depressor, 17 chin raiser, 20 lip stretcher, 23 lip tightener, 24 lip
pressor, 25 lips part, 26 jaw drop."""

PROTOTYPES: Final[dict[str, tuple[dict[int, float], ...]]] = {
    "angry": (
        {4: 1, 5: 0.6, 7: 0.7, 23: 1},
        {4: 1, 7: 0.8, 17: 0.5, 24: 1},
        {4: 1, 5: 0.6, 7: 0.6, 10: 0.7, 25: 0.9, 26: 0.6},
    ),
    "disgust": ({9: 1, 15: 0.7, 16: 0.7, 25: 0.5}, {9: 1, 10: 0.8, 17: 0.7}, {9: 0.9, 10: 1, 16: 0.7, 25: 0.8}),
    "fear": (
        {1: 1, 2: 0.5, 4: 0.7, 5: 1, 20: 1, 25: 0.7},
        {1: 0.9, 2: 0.5, 4: 0.7, 5: 0.9, 20: 0.8, 25: 1, 26: 0.6},
        {1: 0.9, 4: 0.8, 5: 0.8, 20: 0.7, 25: 0.3},
    ),
    "happy": ({6: 0.8, 12: 0.9}, {6: 1, 12: 1, 25: 0.8}, {6: 0.8, 12: 1, 25: 1, 26: 0.4}, {12: 0.8}),
    "sad": ({1: 1, 4: 0.5, 15: 1}, {1: 0.9, 4: 0.5, 15: 0.8, 17: 0.8}, {1: 0.7, 4: 0.6, 7: 0.4, 15: 0.9, 17: 0.5}),
    "surprise": (
        {1: 1, 2: 1, 5: 0.8, 25: 1, 26: 1},
        {1: 1, 2: 1, 5: 0.6, 25: 0.7, 26: 0.5},
        {1: 0.9, 2: 0.9, 5: 0.9, 25: 0.4},
    ),
    "neutral": ({},),
}
"""For each label, the combinations that it is shown by: unit and its weight."""


@dataclass(frozen=True)
class ActionUnits:
    """How far each face moves each unit: `au[12]`, say, float32 [n, 1, 1], 0 at rest to about 1.2.

    Attributes:
        intensity: float32 [27, n, 1, 1], by FACS number.
        lean: float32 [n, 1, 1], how much stronger the movement is on the right half than on the left, as a share.
    """

    intensity: Array
    lean: Array

    def __getitem__(self, number: int) -> Array:
        return self.intensity[number]

    def leaning(self, number: int, side: Array) -> Array:
        """Return a unit's intensity where `side` (−1 left to 1 right, [n, 48, 48]) is given: faces are lopsided."""
        return self.intensity[number] * (1 + self.lean * side)

    def part(self, where: slice) -> "ActionUnits":
        """Return the units of some faces of the batch."""
        return ActionUnits(self.intensity[:, where], self.lean[where])


def draw_action_units(stream: Stream, emotion: np.ndarray) -> ActionUnits:
    """Draw the intensity of each action unit for faces of these labels.

    A face takes one of its label's combinations at an intensity of its own, each unit varied about that and now and
    then missing; every face also has slight movements that mean nothing, as of someone who speaks.

    Args:
        stream: where the random numbers come from.
        emotion: int [n], 0 to 6.

    Returns:
        Units for n faces.
    """
    n = len(emotion)
    weights = np.zeros((UNITS, n), np.float32)
    which = stream.uniform(0, 1, n)
    for label, name in enumerate(LABELS):
        variants = PROTOTYPES[name]
        for index, variant in enumerate(variants):
            chosen = (emotion == label) & (np.floor(which * len(variants)) == index)
            for unit, weight in variant.items():
                weights[unit, chosen] = weight
    intensity = stream.uniform(0.7, 1.25, n) * stream.uniform(0.75, 1.2, UNITS, n)
    kept = 1 - stream.chance(0.05, UNITS, n)
    idle = np.maximum(stream.bell(0, 0.05, UNITS, n), 0)
    speaking = stream.chance(0.12, n) * stream.uniform(0.1, 0.4, n)
    units = weights * intensity * kept + idle
    units[25] += speaking
    units[26] += 0.4 * speaking
    return ActionUnits(np.clip(units, 0, 1.2)[:, :, None, None], stream.bell(0, 0.15, n, 1, 1))
