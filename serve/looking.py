"""From a frame to what is seen in it."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from model.labels import LABELS
from serve.detector import Box, Detector
from serve.predictor import Predictor, fit
from serve.tracking import Tracker


@dataclass(frozen=True)
class Seen:
    """A face in a frame.

    Attributes:
        number: the same as long as the face is followed; from 1.
        box: where it is.
        probabilities: float32 [7] in the order of `LABELS`, smoothed over the frames before.
        brightness: mean grey level of the face, 0 to 255.
    """

    number: int
    box: Box
    probabilities: np.ndarray
    brightness: float

    @property
    def label(self) -> str:
        """The likeliest label."""
        return LABELS[int(self.probabilities.argmax())]

    def scaled(self, factor: float) -> "Seen":
        """Return the same in a picture that is so many times larger."""
        return self if factor == 1 else replace(self, box=Box(*(round(value * factor) for value in self.box)))

    @property
    def confidence(self) -> float:
        """Its probability."""
        return float(self.probabilities.max())


class Watcher:
    """Looks at one frame after the other."""

    def __init__(self, predictor: Predictor, detector: Detector, tracker: Tracker | None = None) -> None:
        self.predictor, self.detector, self.tracker = predictor, detector, tracker or Tracker()

    def look(self, picture: np.ndarray, time: float) -> list[Seen]:
        """Return the faces of a frame, uint8 [h, w, 3] in OpenCV's order of colours, at a time in seconds."""
        boxes = self.detector.find(picture)
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        side = self.predictor.side
        faces = np.empty((len(boxes), side, side), np.uint8)
        for index, box in enumerate(boxes):
            faces[index] = fit(box.cut(grey), side)
        tracks = self.tracker.follow(boxes, self.predictor.predict(faces), time)
        return [
            Seen(track.number, box, track.probabilities, float(face.mean()))
            for track, box, face in zip(tracks, boxes, faces, strict=True)
        ]
