"""Brows, eyes, nose, mouth and the folds between them, each moved by the action units that move it."""

import numpy as np

from tasks.ingest.sample.canvas import Sheet, bump, cycle, line, soft, spot
from tasks.ingest.sample.expressions import ActionUnits
from tasks.ingest.sample.people import Head, Pose
from tasks.ingest.sample.randomness import Array


def draw_brows(sheet: Sheet, head: Head, au: ActionUnits) -> None:
    """Draw the eyebrows; AU1 lifts their inner ends, AU2 the outer ones, AU4 lowers and gathers them."""
    eyes = head.eyes
    inner_x, outer_x = 0.13 - 0.05 * au[4] - 0.01 * au[9], eyes.x + 0.23
    lowered = 0.15 * au[4] * (1 - 0.6 * au[1]) + 0.09 * au[9]
    inner_y = eyes.brow_y + eyes.brow_tilt + lowered - 0.15 * au.leaning(1, sheet.side)
    outer_y = eyes.brow_y + 0.05 - eyes.brow_tilt + 0.03 * au[4] + 0.04 * au[9] - 0.17 * au.leaning(2, sheet.side)
    arch = eyes.brow_arch + 0.03 * au[2] + 0.02 * au[5] - 0.04 * au[4]
    along = (np.abs(sheet.u) - inner_x) / (outer_x - inner_x)
    within = np.clip(along, 0, 1)
    brow = inner_y + (outer_y - inner_y) * within - 4 * arch * within * (1 - within)
    thickness = eyes.brow_thickness * (1.15 - 0.7 * within * within)
    ends = soft(np.minimum(along, 1 - along) * (outer_x - inner_x))
    mask = soft(thickness - np.abs(sheet.v - brow), 0.07) * ends
    sheet.paint(mask * eyes.brow_strength, 0.8 * head.hair.tone)
    # The ridge under the brow, which shades the eye.
    ridge = line(sheet.v - brow - 0.02, 0.13) * bump(within * within * 0.6)
    sheet.relief += (0.03 + 0.02 * head.male + 0.03 * au[4]) * ridge


def draw_forehead(sheet: Sheet, head: Head, au: ActionUnits) -> None:
    """Draw the wrinkles of the forehead: across it for AU1 and AU2, upright between the brows for AU4."""
    level = cycle((sheet.v + 0.05 * sheet.u * sheet.u) * (1 / 0.11))
    height = spot(sheet.u, sheet.v + 0.62, 0.6, 0.22)
    middle = bump(sheet.u * sheet.u * (1 / 0.3**2))
    across = height * (0.25 * head.age + au[1] * middle + au[2] * (1 - 0.5 * middle)) * (0.4 + 0.6 * head.age)
    groove = across * line(level, 0.32)
    gather = spot(np.abs(sheet.u) - 0.065 + 0.01 * au[4], sheet.v + 0.36, 0.045, 0.15) * au[4]
    gather += 0.5 * au[4] * spot(sheet.u, sheet.v + 0.23, 0.13, 0.05)
    sheet.relief -= 0.012 * groove + 0.02 * gather
    sheet.tone *= 1 - 0.16 * groove - 0.35 * gather


def draw_eyes(sheet: Sheet, head: Head, pose: Pose, au: ActionUnits) -> None:
    """Draw sockets, lids and eyes; AU5 opens the upper lid, AU6 and AU7 narrow the eye."""
    x = np.abs(sheet.u) - head.eyes.x
    along = x / head.eyes.width
    arc = np.maximum(1 - along * along, 0)
    squeeze = 1 - 0.3 * au[6] - 0.35 * au[7] - 0.45 * au[9]
    up = head.eyes.height * np.maximum(squeeze + 0.75 * au[5] - 0.18 * au[4] + 0.1 * au[2], 0.12)
    low = 0.75 * head.eyes.height * np.maximum(squeeze - 0.1 * au[6] + 0.15 * au[5], 0.1)
    middle = head.eyes.y + (head.eyes.tilt + 0.02 * au[1]) * along + 0.03 * au[9]
    upper = middle - up * arc * (1 + 0.25 * au[1] * np.clip(-along, 0, 1))
    lower = middle + low * arc
    corner = soft(head.eyes.width - np.abs(x))
    socket = spot(x, sheet.v - head.eyes.y + 0.04, 0.27, 0.2)
    sheet.relief -= 0.05 * socket
    sheet.tone *= 1 - 0.14 * socket
    white = soft(np.minimum(sheet.v - upper, lower - sheet.v)) * corner
    sheet.paint(white, 0.3 + 0.55 * head.skin)
    across, down = x - pose.gaze_x * sheet.side, sheet.v - head.eyes.y - pose.gaze_y
    iris = soft(0.5 * (0.078 - (across * across + down * down) * (1 / 0.078)))
    sheet.paint(white * iris, head.eyes.iris * 0.7)
    sheet.paint(white * spot(across + 0.025, down + 0.02, 0.035, 0.035), 0.9)
    lash = line(sheet.v - upper, 0.05) * corner
    sheet.paint(lash * (0.8 - 0.2 * head.male), 0.06)
    sheet.paint(0.4 * line(sheet.v - lower, 0.035) * corner, 0.3 * head.skin)
    crease = line(sheet.v - upper + 0.06 - 0.02 * au[5], 0.035) * corner * (1 - 0.5 * np.minimum(au[7], 1))
    sheet.tone *= 1 - 0.3 * crease
    bag = line(sheet.v - lower - 0.07, 0.05) * bump(along * along * 0.5)
    amount = 0.25 * head.age + 0.5 * au[6] + 0.3 * au[7] + 0.3 * au[9]
    sheet.relief -= 0.02 * amount * bag
    sheet.tone *= 1 - 0.18 * amount * bag
    _crows_feet(sheet, head, au, x)


def _crows_feet(sheet: Sheet, head: Head, au: ActionUnits, x: Array) -> None:
    out = x - head.eyes.width - 0.08
    fan = cycle((sheet.v - head.eyes.y) / np.maximum(0.12 + out, 0.04) * 1.6)
    where = spot(out, sheet.v - head.eyes.y - 0.01, 0.1, 0.12)
    sheet.tone *= 1 - 0.5 * where * line(fan, 0.3) * au[6] * (0.4 + 0.6 * head.age)


def draw_nose(sheet: Sheet, head: Head, pose: Pose, au: ActionUnits) -> None:
    """Draw the nose, which stands out and so shifts as the head turns; AU9 wrinkles its root, AU10 its wings."""
    top, tip = -0.28, head.nose_y - 0.02 * au[9]
    along = np.clip((sheet.v - top) / (tip - top), 0, 1)
    u = sheet.u - 0.22 * along * pose.yaw_sin
    end = soft(tip + 0.08 - sheet.v, 0.12) * soft(sheet.v - top, 0.2)
    width = head.nose_width * (0.55 + 0.55 * along)
    sheet.relief += (0.03 + 0.1 * along) * line(u, width) * end
    wing_x = head.nose_width * (0.95 + 0.2 * au[9] + 0.1 * au[10] + 0.05 * au[12])
    wings = spot(np.abs(u) - wing_x, sheet.v - tip - 0.02, 0.075, 0.075)
    sheet.relief += 0.05 * wings
    nostrils = spot(np.abs(u) - 0.55 * head.nose_width, sheet.v - tip - 0.07, 0.05, 0.038)
    sheet.tone *= 1 - 0.65 * nostrils - 0.2 * spot(u, sheet.v - tip - 0.1, 0.15, 0.05)
    level = cycle((sheet.v - 0.35 * np.abs(u)) * (1 / 0.085))
    wrinkle = au[9] * spot(u, sheet.v + 0.12, 0.16, 0.17) * line(level, 0.35)
    sheet.relief -= 0.025 * wrinkle
    sheet.tone *= 1 - 0.35 * wrinkle


def draw_cheeks(sheet: Sheet, head: Head, au: ActionUnits) -> None:
    """Draw cheekbones, the fold from nose to mouth, and the chin; AU6, 9, 10 and 12 deepen the fold, AU17 the chin."""
    x = np.abs(sheet.u)
    lift = 0.06 * au[6] + 0.04 * au[12]
    sheet.relief += (0.05 + 0.05 * au[6] + 0.03 * au[12]) * spot(x - 0.42, sheet.v - 0.16 + lift, 0.26, 0.22)
    start_y, start_x = head.nose_y - 0.02, head.nose_width + 0.05
    down = np.clip(sheet.v - start_y, 0, 1)
    bow = (0.55 + 0.35 * au[12] + 0.3 * au[20]) * down - 0.4 * (au[12] + 0.4 * au[10] + 0.4 * au[9]) * down * down
    length = 0.26 + 0.1 * au[12] + 0.12 * au[15] + 0.06 * head.age
    ends = soft(sheet.v - start_y + 0.04, 0.12) * soft(length - down, 0.16)
    fold = line(x - start_x - bow, 0.06) * ends
    depth = 0.1 + 0.35 * head.age + 0.7 * au[12] + 0.6 * au[10] + 0.6 * au[9] + 0.35 * au[15] + 0.3 * au[20]
    sheet.relief -= 0.018 * depth * fold
    sheet.tone *= 1 - 0.2 * depth * fold
    chin_y = head.chin_y - 0.16 + 0.1 * au[26] - 0.04 * au[17]
    sheet.relief += (0.05 + 0.04 * au[17]) * spot(sheet.u, sheet.v - chin_y, 0.24, 0.16)
    sheet.tone *= 1 - 0.25 * au[17] * spot(sheet.u, sheet.v - chin_y, 0.16, 0.09) * (0.5 + sheet.grain)
