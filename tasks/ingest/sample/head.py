"""The head without its features: shoulders, neck, skull, ears, skin, and afterwards hair, beard, glasses and hat."""

import numpy as np

from tasks.ingest.sample.canvas import Sheet, cycle, line, soft, spot
from tasks.ingest.sample.expressions import ActionUnits
from tasks.ingest.sample.people import Head, Shot
from tasks.ingest.sample.randomness import Array

TEMPLE_Y = -0.05
"""Height at which a face is broadest."""


def draw_head(sheet: Sheet, head: Head, shot: Shot, au: ActionUnits) -> Array:
    """Draw backdrop, shoulders, neck, back hair, ears and the bare face; return the face's mask [n, 48, 48]."""
    sheet.tone += shot.backdrop + shot.backdrop_x * sheet.x + shot.backdrop_y * sheet.y
    sheet.tone += shot.backdrop_grain * sheet.grain
    hair = head.hair.tone * (1 + 0.35 * sheet.grain)
    _back_hair(sheet, head, hair)
    neck = soft(0.36 + 0.08 * head.male + 0.5 * np.maximum(sheet.y - 0.95, 0) - np.abs(sheet.x)) * soft(sheet.y - 0.4)
    sheet.paint(neck, 0.6 * head.skin)
    sheet.paint(soft(sheet.y - 1.18 - 0.35 * (0.7 - sheet.x * sheet.x)), shot.clothes * (1 + 0.3 * sheet.grain))
    ears = soft(0.35 * spot(np.abs(sheet.u) - head.width - 0.02, sheet.v + 0.08, 0.13, 0.26) - 0.08)
    sheet.paint(ears * soft(0.3 - head.hair.end_y), 0.85 * head.skin)
    face = _face(sheet, head, au)
    sheet.paint(face, head.skin * (1 + 0.05 * sheet.grain))
    return face


def _back_hair(sheet: Sheet, head: Head, hair: Array) -> None:
    width, height = head.width + 0.06 + head.hair.volume, 0.22 - head.crown_y + head.hair.volume
    across, down = sheet.x / width, (sheet.y + 0.2) / height
    cap = soft(0.4 * (1 - across * across - down * down)) * soft(0.15 + head.hair.end_y - sheet.y, 0.2)
    fall = soft(width * 0.98 + 0.1 * sheet.grain - np.abs(sheet.x)) * soft(head.hair.end_y - sheet.y, 0.2)
    sheet.paint(np.maximum(cap, fall * soft(sheet.y + 0.2)), 0.8 * hair)


def _face(sheet: Sheet, head: Head, au: ActionUnits) -> Array:
    chin_y = head.chin_y + 0.12 * au[26] - 0.02 * au[17]
    below, above = (sheet.v - TEMPLE_Y) / (chin_y - TEMPLE_Y), (sheet.v - TEMPLE_Y) / (head.crown_y - TEMPLE_Y)
    height = np.maximum(below, above)
    height *= height
    across = sheet.u / (head.width + 0.02 * au[6] + 0.02 * au[12])
    return soft(0.36 * (1 - across * across - height * (1 + head.jaw * (height - 1))))


def draw_hair(sheet: Sheet, head: Head, face: Array) -> None:
    """Draw the hair that lies on the face: hairline, fringe, temples, beard and moustache."""
    tone = head.hair.tone * (1 + 0.45 * sheet.grain)
    across = sheet.u - head.hair.parting_x
    hairline = head.hair.line_y + head.hair.curve * sheet.u * sheet.u + 0.3 * head.hair.fringe * across * across
    hairline += head.hair.fringe * (1 + 0.6 * sheet.grain)
    temples = soft(np.abs(sheet.u) - head.width + 0.09) * soft(np.minimum(head.hair.end_y, 0.1) - sheet.v, 0.1)
    top = soft(hairline - sheet.v, 0.09)
    # Hair also covers the blurred edge of the face, where a rim of skin would shine through.
    face = np.minimum(3 * face, 1)
    sheet.paint(face * np.maximum(top, temples), tone)
    jaw = soft(sheet.v - 0.28 - 0.6 * np.maximum(0.55 - np.abs(sheet.u), 0), 0.2)
    beard = jaw * (1 - 0.9 * spot(sheet.u, sheet.v - head.mouth.y, 0.36, 0.2))
    lip_y = head.mouth.y - 0.12 + 0.25 * sheet.u * sheet.u
    moustache = line(sheet.v - lip_y, 0.09) * soft(0.3 - np.abs(sheet.u), 0.1)
    cover = np.maximum(head.hair.beard * beard, np.maximum(head.hair.moustache, 0.8 * head.hair.beard) * moustache)
    sheet.paint(face * cover * (0.85 + 0.3 * sheet.grain), tone)


def draw_glasses(sheet: Sheet, head: Head) -> None:
    """Draw frames, dark lenses here and there, and the bridge; without effect where a head wears none."""
    across, down = np.abs(sheet.u) - head.eyes.x - 0.01, sheet.v - head.eyes.y - 0.02
    across, down = across / 0.25, down / 0.185
    across, down = across * across, down * down
    edge = 0.11 * (1 - 0.5 * (across + down) - 0.5 * np.maximum(across, down))  # between an ellipse and a rectangle
    lens = soft(edge)
    frame = line(edge, 0.05) + line(sheet.v - head.eyes.y + 0.045, 0.046) * soft(0.13 - np.abs(sheet.u))
    sheet.paint(head.shades * lens, 0.05)
    sheet.paint(head.glasses * (1 - head.shades) * lens * 0.12, 0.9)
    sheet.paint(head.glasses * np.clip(frame, 0, 1) * 0.85, 0.3 * head.hair.tone)


def draw_hat(sheet: Sheet, head: Head, shot: Shot) -> None:
    """Draw a hat or cap down to the forehead; without effect where a head wears none."""
    rim = -0.62 + 0.12 * sheet.u * sheet.u
    crown = soft(rim - sheet.v) * soft(head.width + 0.13 - np.abs(sheet.x)) * soft(sheet.y + 1.3)
    brim = line(sheet.v - rim, 0.1) * soft(head.width + 0.2 - np.abs(sheet.x))
    sheet.paint(head.hat * crown, shot.clothes * (1 + 0.2 * sheet.grain))
    sheet.paint(head.hat * brim, 0.5 * shot.clothes)


def draw_hand(sheet: Sheet, head: Head, shot: Shot) -> None:
    """Draw a hand of four fingers that comes from below and covers a part of the face, where a shot has one."""
    along = sheet.y - shot.hand_y
    across = sheet.x - shot.hand_x - shot.hand_slope * along
    finger = cycle(across * (1 / 0.13))
    reach = along - 0.8 * across * across - 0.3 * finger * finger
    cover = shot.hand * soft(0.26 - np.abs(across)) * soft(reach)
    sheet.paint(cover, head.skin * (1 - 1.2 * finger * finger))
    sheet.relief += cover * (0.25 - sheet.relief)
