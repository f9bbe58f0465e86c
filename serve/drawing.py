"""What is seen, drawn on the picture: a box, the label, and seven bars beside it."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from model.labels import LABELS
from serve.looking import Seen

COLOURS: Final = {
    "angry": (60, 76, 231),
    "disgust": (96, 174, 39),
    "fear": (182, 89, 155),
    "happy": (18, 196, 241),
    "sad": (219, 152, 52),
    "surprise": (34, 126, 230),
    "neutral": (166, 165, 149),
}
"""Of each label, in OpenCV's order: blue, green, red."""

_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_DARK: Final = (32, 32, 32)
_LIGHT: Final = (245, 245, 245)


def draw(picture: np.ndarray, faces: Sequence[Seen]) -> np.ndarray:
    """Return a copy of a picture, uint8 [h, w, 3], with each face's box, label and bars."""
    drawn = picture.copy()
    scale = max(0.4, min(picture.shape[:2]) / 900)
    for face in faces:
        left, top, width, height = face.box
        colour = COLOURS[face.label]
        cv2.rectangle(drawn, (left, top), (left + width, top + height), colour, max(1, round(2 * scale)))
        _write(drawn, f"{face.label} {face.confidence:.0%}", (left, top), scale, colour)
        _bars(drawn, face, scale)
    return drawn


def _write(drawn: np.ndarray, text: str, corner: tuple[int, int], scale: float, colour: tuple[int, ...]) -> None:
    """Write on a plate above a corner, or below it where there is no room above."""
    thickness = max(1, round(1.5 * scale))
    (width, height), base = cv2.getTextSize(text, _FONT, scale, thickness)
    pad = round(4 * scale)
    left, bottom = max(0, corner[0]), corner[1]
    if bottom - height - base - 2 * pad < 0:
        bottom = corner[1] + height + base + 2 * pad
    cv2.rectangle(drawn, (left, bottom - height - base - 2 * pad), (left + width + 2 * pad, bottom), colour, cv2.FILLED)
    ink = _DARK if sum(colour) > 380 else _LIGHT
    cv2.putText(drawn, text, (left + pad, bottom - base - pad), _FONT, scale, ink, thickness, cv2.LINE_AA)


def _bars(drawn: np.ndarray, face: Seen, scale: float) -> None:
    """Draw a bar a label, to the right of the box, or to the left of it where there is no room."""
    line, longest, pad = round(22 * scale), round(90 * scale), round(6 * scale)
    names = max(cv2.getTextSize(label, _FONT, 0.7 * scale, 1)[0][0] for label in LABELS)
    width, height = names + longest + 3 * pad, line * len(LABELS) + pad
    left = face.box.left + face.box.width + pad
    if left + width > drawn.shape[1]:
        left = max(0, face.box.left - width - pad)
    top = min(max(0, face.box.top), max(0, drawn.shape[0] - height))
    panel = drawn[top : top + height, left : left + width]
    panel[:] = (panel * 0.35 + np.array(_DARK) * 0.65).astype(np.uint8)
    for index, (label, probability) in enumerate(zip(LABELS, face.probabilities, strict=True)):
        base = top + line * (index + 1) - pad // 2
        cv2.putText(drawn, label, (left + pad, base), _FONT, 0.7 * scale, _LIGHT, 1, cv2.LINE_AA)
        start = left + names + 2 * pad
        end = start + max(1, round(longest * float(probability)))
        cv2.rectangle(drawn, (start, base - line // 2), (end, base), COLOURS[label], cv2.FILLED)
