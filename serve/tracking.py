"""Which face is which from frame to frame, and its probabilities without the flicker."""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from serve.detector import Box

OVERLAP: Final = 0.3
"""Least intersection over union of a face's boxes in two frames."""


@dataclass
class Track:
    """A face over time.

    Attributes:
        number: from 1, in the order in which faces came.
        box: where it was last seen.
        probabilities: float32 [7], smoothed.
        seen: when that was, in seconds.
    """

    number: int
    box: Box
    probabilities: np.ndarray
    seen: float


@dataclass
class Tracker:
    """Follows faces by the overlap of their boxes, and smooths what is said of each.

    A face's probabilities move towards the new ones by 1 - exp(-elapsed / settle): whatever the frame rate, a change
    shows to two thirds after `settle` seconds.

    Attributes:
        settle: seconds; 0 smooths nothing.
        patience: seconds after which a face that is not seen any more is forgotten; below 0, each face is a new one.
    """

    settle: float = 0.4
    patience: float = 1.0
    tracks: list[Track] = field(default_factory=list)
    _count: int = 0

    def follow(self, boxes: list[Box], probabilities: np.ndarray, time: float) -> list[Track]:
        """Take the faces of a frame, with probabilities float32 [n, 7]; return the track of each, in their order."""
        self.tracks = [track for track in self.tracks if time - track.seen <= self.patience]
        matched = self._matched(boxes)
        found = []
        for index, (box, new) in enumerate(zip(boxes, probabilities, strict=True)):
            track = matched.get(index)
            if track is None:
                self._count += 1
                track = Track(self._count, box, new, time)
                self.tracks.append(track)
            else:
                kept = math.exp(-max(time - track.seen, 0) / self.settle) if self.settle else 0.0
                track.box, track.seen = box, time
                track.probabilities = (kept * track.probabilities + (1 - kept) * new).astype(np.float32)
            found.append(track)
        return found

    def _matched(self, boxes: list[Box]) -> dict[int, Track]:
        """Return the track of each box that has one, those that overlap most first."""
        pairs = sorted(
            ((track.box.overlap(box), index, track) for track in self.tracks for index, box in enumerate(boxes)),
            key=lambda pair: -pair[0],
        )
        matched: dict[int, Track] = {}
        taken: set[int] = set()
        for overlap, index, track in pairs:
            if overlap >= OVERLAP and index not in matched and track.number not in taken:
                matched[index] = track
                taken.add(track.number)
        return matched
