"""What the drawing is made of: soft edges, soft bumps, and the sheet that they are put on.

Pixels are computed with +, −, ×, ÷, √ and comparisons alone. IEEE 754 fixes each of these to the last bit, where exp,
sin or a matrix product may differ from machine to machine; so the sample is equal everywhere. That holds of float32 as
of float64, and float32 takes half the time.
"""

from dataclasses import dataclass

import numpy as np

from tasks.ingest.sample.people import Pose
from tasks.ingest.sample.randomness import Array

SIDE = 48
PIXEL = 2 / SIDE
"""The picture spans −1 to 1, x to the right and y down."""


@dataclass
class Sheet:
    """A batch of pictures in the making; every array is float32 [n, 48, 48].

    Attributes:
        x, y: position relative to the head's middle, upright and at the head's scale.
        u, v: position on the face's surface: where a face seen from the front would show what is seen here.
        side: −1 on the left half of the face, 1 on the right, steep between.
        tone: reflectance, 0 black to 1 white.
        relief: height of the surface towards the viewer, in units of x; the light makes shades of its slopes.
        grain: slow random mottling, −1 to 1.
    """

    x: Array
    y: Array
    u: Array
    v: Array
    side: Array
    tone: Array
    relief: Array
    grain: Array

    def paint(self, mask: Array, tone: Array | float) -> None:
        """Cover what is there with `tone`, as far as `mask` (0 to 1) says."""
        self.tone += mask * (tone - self.tone)


def soft(distance: Array, width: float = 1.3 * PIXEL) -> Array:
    """Return the cover, 0 to 1, of a shape at a signed distance (positive inside) from its edge: antialiasing."""
    return np.clip(distance * (1 / width) + 0.5, 0, 1)


def bump(squared: Array) -> Array:
    """Return (1 − r²)² inside the unit circle and 0 outside: a bell with an end, of the squared distance r²."""
    rest = np.maximum(1 - squared, 0)
    return rest * rest


def spot(x: Array, y: Array, radius_x: Array | float, radius_y: Array | float) -> Array:
    """Return an elliptic `bump` about the origin of x, y."""
    across, down = x / radius_x, y / radius_y
    return bump(across * across + down * down)


def line(distance: Array, width: Array | float) -> Array:
    """Return a soft line: a `bump` of the distance from it."""
    across = distance / width
    return bump(across * across)


def cycle(x: Array) -> Array:
    """Return how far x is from the nearest whole number, −0.5 to 0.5: what stripes are made of."""
    return x - np.floor(x + 0.5)


def upsample(coarse: Array) -> Array:
    """Return random [n, 13, 13] as [n, 48, 48], linear between its points."""
    fraction = ((np.arange(SIDE) % 4 + 0.5) / 4).astype(np.float32)
    cell = np.arange(SIDE) // 4
    rows = coarse[:, cell] + fraction[:, None] * (coarse[:, cell + 1] - coarse[:, cell])
    return rows[:, :, cell] + fraction * (rows[:, :, cell + 1] - rows[:, :, cell])


def pose_sheet(pose: Pose, coarse: Array) -> Sheet:
    """Return an empty sheet for heads in these poses.

    The face lies on an ellipsoid that is turned (yaw) and nodded (pitch); each pixel finds the point that it sees.
    """
    axis = ((np.arange(SIDE) + 0.5) * PIXEL - 1).astype(np.float32)
    right = axis - pose.shift_x
    down = axis[:, None] - pose.shift_y
    x = (right * pose.roll_cos + down * pose.roll_sin) / pose.scale
    y = (down * pose.roll_cos - right * pose.roll_sin) / pose.scale
    nearness = np.sqrt(np.maximum(1 - x * x * (1 / 0.95**2) - y * y * (1 / 1.35**2), 0))
    u = x * pose.yaw_cos - 0.8 * nearness * pose.yaw_sin
    v = y * pose.pitch_cos - 0.8 * nearness * pose.pitch_sin
    return Sheet(
        x=x,
        y=y,
        u=u,
        v=v,
        side=np.clip(u * 6, -1, 1),
        tone=np.zeros_like(u),
        relief=0.45 * nearness,
        grain=upsample(coarse),
    )
