"""The mouth, which most action units move."""

from dataclasses import dataclass

import numpy as np

from tasks.ingest.sample.canvas import Sheet, bump, line, soft, spot
from tasks.ingest.sample.expressions import ActionUnits
from tasks.ingest.sample.people import Head
from tasks.ingest.sample.randomness import Array


@dataclass(frozen=True)
class Lips:
    """Where the lips run, at each pixel's u: heights float32 [n, 48, 48], top to bottom."""

    along: Array
    arc: Array
    top: Array
    upper: Array
    lower: Array
    bottom: Array
    inside: Array


def draw_mouth(sheet: Sheet, head: Head, au: ActionUnits) -> None:
    """Draw lips, the opening with teeth and tongue, and the shades around; AU10 to AU26 move them."""
    lips = _lips(sheet, head, au)
    v = sheet.v
    skin = soft(np.minimum(v - lips.top, lips.bottom - v)) * lips.inside
    sheet.relief += 0.02 * skin * lips.arc + 0.02 * line(v - 0.5 * (lips.lower + lips.bottom), 0.07) * lips.arc
    sheet.paint(0.9 * skin, head.skin * head.mouth.tone)
    sheet.tone *= 1 - 0.15 * skin * soft(lips.upper - v)
    depth = np.minimum(v - lips.upper, lips.lower - v)
    sheet.paint(0.9 * soft(depth) * lips.inside, 0.05)  # of closed lips, the seam remains
    opening = soft(depth - 0.02) * lips.inside
    show = np.clip(au[25] * (0.35 + au[12] + au[10] + 0.8 * au[20] + 0.4 * au[16]) - 0.1, 0, 1)
    teeth = opening * soft(lips.upper + 0.055 + 0.04 * au[12] + 0.04 * au[10] - v) * soft(0.85 - np.abs(lips.along))
    sheet.paint(teeth * show, 0.82)
    sheet.paint(opening * soft(v - lips.lower + 0.05) * np.clip(au[16] + au[10] * au[26] - 0.3, 0, 1), 0.75)
    sheet.paint(opening * spot(lips.along, v - lips.lower, 0.6, 0.09) * 0.6, 0.35 * head.skin)
    _around(sheet, au, lips)


def _lips(sheet: Sheet, head: Head, au: ActionUnits) -> Lips:
    stretch = 0.35 * au[12] + 0.3 * au[20] + 0.05 * au[15] - 0.15 * au[23] - 0.3 * au[26] - 0.08 * au[17]
    along = sheet.u / (head.mouth.width * (1 + stretch))
    squared = np.minimum(along * along, 1)
    arc = 1 - squared
    pulled = 0.17 * au.leaning(15, sheet.side) - 0.2 * au.leaning(12, sheet.side)
    corner = head.mouth.corner + pulled + 0.05 * au[20] + 0.03 * (au[17] - au[16])
    middle = head.mouth.y - 0.05 * au[17] - 0.03 * au[10] - 0.02 * au[9] + 0.015 * au[12]
    seam = middle + corner * squared
    rounded = arc * (1.75 - 0.75 * arc)
    parted = np.minimum(1.0, au[25] + au[26])
    upper = seam - rounded * (0.035 * au[25] + parted * (0.05 * au[10] + 0.03 * au[9] + 0.02 * au[12]) + 0.03 * au[26])
    lower = seam + rounded * (0.08 * au[25] + 0.3 * au[26] + 0.06 * au[16] * parted + 0.05 * au[12] * au[25])
    thin = 1 - 0.55 * au[23] - 0.65 * au[24] - 0.2 * au[12] - 0.2 * au[20]
    bow = 1 - 0.3 * bump(squared * (1 / 0.3**2))
    top = upper - head.mouth.upper * np.maximum(thin + 0.15 * au[10], 0.15) * arc * bow - 0.03 * au[10] * arc
    bottom = lower + head.mouth.lower * np.maximum(thin + 0.25 * au[17] + 0.2 * au[16], 0.15) * arc
    inside = soft((1 - np.abs(along)) * head.mouth.width + 0.02)
    return Lips(along, arc, top, upper, lower, bottom, inside)


def _around(sheet: Sheet, au: ActionUnits, lips: Lips) -> None:
    shade = line(sheet.v - lips.bottom - 0.06, 0.06) * bump(lips.along * lips.along * 0.8)
    amount = 0.35 + 0.5 * au[17] + 0.4 * au[24] + 0.3 * au[15]
    sheet.relief -= 0.02 * amount * shade
    sheet.tone *= 1 - 0.22 * amount * shade
    corner = np.abs(lips.along) - 1.03
    dimple = spot(corner, sheet.v - lips.upper, 0.2, 0.07)
    droop = spot(corner, sheet.v - lips.upper - 0.07, 0.22, 0.12)
    sheet.tone *= 1 - (0.12 + 0.3 * np.minimum(au[12], 1)) * dimple - 0.25 * au[15] * droop - 0.2 * au[20] * dimple
    groove = spot(sheet.u, sheet.v - lips.top + 0.07, 0.05, 0.08)
    sheet.relief -= 0.01 * groove
