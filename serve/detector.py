"""Where the faces are in a picture."""

from pathlib import Path
from typing import Final, NamedTuple, Protocol

import cv2
import numpy as np

from tasks.common.errors import UserError

CASCADE: Final = "alt2"
"""Of OpenCV's cascades for frontal faces; with the two numbers below, `python -m bench.detector` chose it."""
WINDOWS: Final = {"default": 24, "alt": 20, "alt2": 20}
"""Pixels of the smallest face that each cascade can find."""
STEP: Final = 1.25
"""Between two sizes of face that the cascade looks for."""
NEIGHBOURS: Final = 2
"""Further hits around one that make a face."""
SURE: Final = 0.7
"""Score from which on YuNet's find is a face."""


class Box(NamedTuple):
    """A face in a picture: its upper left corner and its size, in pixels."""

    left: int
    top: int
    width: int
    height: int

    def overlap(self, other: "Box") -> float:
        """Return the intersection over the union, 0 to 1."""
        width = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        height = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        both = max(width, 0) * max(height, 0)
        return both / (self.width * self.height + other.width * other.height - both)

    def cut(self, grey: np.ndarray) -> np.ndarray:
        """Return what of a grey picture, [h, w], is in the box, [height, width]; of a box that is off it, nothing.

        Beyond the rim, the picture's edge is repeated: cut there, a face would be stretched by whoever makes it square.
        """
        height, width = grey.shape
        if not self.overlap(Box(0, 0, width, height)):
            return grey[:0, :0]
        rows = np.arange(self.top, self.top + self.height).clip(0, height - 1)
        columns = np.arange(self.left, self.left + self.width).clip(0, width - 1)
        return grey[np.ix_(rows, columns)]


class Detector(Protocol):
    """Whatever finds faces."""

    def find(self, picture: np.ndarray) -> list[Box]:
        """Return the faces of a picture, uint8 [h, w, 3] in OpenCV's order of colours, the largest first."""


class Haar:
    """OpenCV's cascade of Haar features (Viola & Jones 2001; the stages of Lienhart et al. 2003)."""

    def __init__(self, min_face: int, cascade: str = CASCADE, step: float = STEP, neighbours: int = NEIGHBOURS) -> None:
        file = Path(cv2.__file__).parent / "data" / f"haarcascade_frontalface_{cascade}.xml"
        self._cascade = cv2.CascadeClassifier(str(file))
        # The cascade's own window is small: where faces are larger, a smaller picture shows as much of them.
        window = WINDOWS[cascade]
        self._shrink = max(1.0, min_face / window)
        self._least = (max(window, round(min_face / self._shrink)),) * 2
        self._step, self._neighbours = step, neighbours

    def find(self, picture: np.ndarray) -> list[Box]:
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        if self._shrink > 1:
            size = max(1, round(grey.shape[1] / self._shrink)), max(1, round(grey.shape[0] / self._shrink))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        found = self._cascade.detectMultiScale(grey, self._step, self._neighbours, minSize=self._least)
        return _largest_first([Box(*(round(value * self._shrink) for value in box)) for box in found])


class YuNet:
    """A small network (Wu, Peng & Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector") from a file."""

    def __init__(self, path: Path, min_face: int) -> None:
        if not path.is_file():
            raise UserError(f"{path}: no such file; expected `haar`, or YuNet as face_detection_yunet_2023mar.onnx")
        try:
            self._network = cv2.FaceDetectorYN.create(str(path), "", (320, 320), SURE)
            self._network.detect(np.zeros((320, 320, 3), np.uint8))  # that it is no YuNet shows in use alone
        except cv2.error as error:
            raise UserError(f"{path}: not a YuNet that OpenCV can load ({' '.join(str(error).split())})") from error
        self._least = min_face

    def find(self, picture: np.ndarray) -> list[Box]:
        height, width = picture.shape[:2]
        self._network.setInputSize((width, height))
        _, found = self._network.detect(picture)
        boxes = [] if found is None else [_square(*map(float, face[:4])) for face in found]
        return _largest_first([box for box in boxes if box.width >= self._least])


def open_detector(name: str, min_face: int) -> Detector:
    """Return the detector of a name, `haar`, or of a file; smaller faces than `min_face` pixels are left out.

    Raises:
        UserError: there is none, or the size is none.
    """
    if min_face < 1:
        raise UserError(f"--min-face: found {min_face}, expected 1 pixel or more")
    return Haar(min_face) if name == "haar" else YuNet(Path(name), min_face)


def _square(left: float, top: float, width: float, height: float) -> Box:
    """Return a square around the middle of a box, as wide as it is high: what networks here have learnt on."""
    side = max(width, height)
    return Box(round(left + (width - side) / 2), round(top + (height - side) / 2), round(side), round(side))


def _largest_first(boxes: list[Box]) -> list[Box]:
    return sorted(boxes, key=lambda box: -box.width * box.height)
