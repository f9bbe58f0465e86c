"""Drawing faces of given labels, from random traits to pixels."""

from typing import Final

import numpy as np

from tasks.ingest.sample.canvas import SIDE, Sheet, pose_sheet
from tasks.ingest.sample.expressions import ActionUnits, draw_action_units
from tasks.ingest.sample.features import draw_brows, draw_cheeks, draw_eyes, draw_forehead, draw_nose
from tasks.ingest.sample.head import draw_glasses, draw_hair, draw_hand, draw_hat, draw_head
from tasks.ingest.sample.mouth import draw_mouth
from tasks.ingest.sample.people import Head, Pose, Shot, draw_heads, draw_poses, draw_shots, part
from tasks.ingest.sample.photograph import photograph
from tasks.ingest.sample.randomness import Array, Stream

CACHED: Final = 16
"""Faces drawn at once: so few that their sheets stay in a core's cache. Has no influence on the pixels."""


def draw_faces(emotion: np.ndarray, stream: Stream) -> np.ndarray:
    """Draw one face, each of another person, for each label.

    Args:
        emotion: int [n], 0 to 6.
        stream: what decides everything else.

    Returns:
        uint8 [n, 48, 48].
    """
    n = len(emotion)
    heads, poses, shots = draw_heads(stream, n), draw_poses(stream, n), draw_shots(stream, n)
    units = draw_action_units(stream, emotion)
    mottling = stream.uniform(-1, 1, n, 13, 13)
    pixels = np.empty((n, SIDE, SIDE), np.uint8)
    for start in range(0, n, CACHED):
        where = slice(start, start + CACHED)
        head, pose, shot = part(heads, where), part(poses, where), part(shots, where)
        sheet = pose_sheet(pose, mottling[where])
        lit = _draw(sheet, head, pose, shot, units.part(where))
        pixels[where] = photograph(sheet, lit, shot, stream.bell(0, 1, *sheet.tone.shape))
    return pixels


def _draw(sheet: Sheet, head: Head, pose: Pose, shot: Shot, au: ActionUnits) -> Array:
    """Put everything on the sheet, from back to front, and return the mask of what the light models."""
    face = draw_head(sheet, head, shot, au)
    draw_forehead(sheet, head, au)
    draw_cheeks(sheet, head, au)
    draw_hair(sheet, head, face)
    draw_brows(sheet, head, au)
    draw_eyes(sheet, head, pose, au)
    draw_nose(sheet, head, pose, au)
    draw_mouth(sheet, head, au)
    draw_glasses(sheet, head)
    draw_hat(sheet, head, shot)
    draw_hand(sheet, head, shot)
    return face
