"""From a drawn sheet to the picture that a camera would have taken: light, blur, exposure, noise."""

import numpy as np

from tasks.ingest.sample.canvas import PIXEL, Sheet
from tasks.ingest.sample.people import Shot
from tasks.ingest.sample.randomness import Array


def photograph(sheet: Sheet, head: Array, shot: Shot, noise: Array) -> np.ndarray:
    """Light and expose a sheet.

    Args:
        sheet: what is to be seen.
        head: float32 [n, 48, 48], 0 to 1, where there is a lit surface and not the backdrop.
        shot: the conditions.
        noise: float32 [n, 48, 48], mean 0 and standard deviation 1.

    Returns:
        uint8 [n, 48, 48].
    """
    shade = 1 + head * (_lambert(sheet.relief, shot) - 1)
    picture = _blurred(sheet.tone * shade, shot.blur)
    picture = np.clip(shot.gain * picture + shot.offset, 0, 1)
    picture += shot.curve * picture * (1 - picture)
    picture += shot.noise * noise
    return np.floor(np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def _lambert(relief: Array, shot: Shot) -> Array:
    """Shade a matt surface (Lambert 1760) by its slopes, relative to one that faces the camera under frontal light."""
    down, right = np.gradient(relief, PIXEL, axis=(1, 2))
    strength = 1 / np.sqrt(1 + shot.light_x * shot.light_x + shot.light_y * shot.light_y)
    facing = (1 - shot.light_x * right - shot.light_y * down) / np.sqrt(1 + right * right + down * down)
    return shot.ambient + (1 - shot.ambient) * np.maximum(facing, 0) * (0.35 + 0.75 * strength)


def _blurred(picture: Array, amount: Array) -> Array:
    """Mix in the picture under a 1-4-6-4-1 kernel, both ways."""
    padded = np.pad(picture, ((0, 0), (2, 2), (2, 2)), mode="edge")
    for axis in (1, 2):
        a, b, c, d, e = (_cut(padded, axis, start) for start in range(5))
        padded = (a + e + 4 * (b + d) + 6 * c) * (1 / 16)
    return picture + amount * (padded - picture)


def _cut(picture: Array, axis: int, start: int) -> Array:
    stop = start + picture.shape[axis] - 4
    return picture[:, start:stop] if axis == 1 else picture[:, :, start:stop]
