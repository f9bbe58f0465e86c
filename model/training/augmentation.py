"""Changes to training faces, on a whole batch at once: flip, shift, rotation, zoom, erasing; and their size."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Augmentation:
    """How far a face may be changed; at its defaults it is not.

    Attributes:
        flip: mirror half of the faces, left to right.
        shift: most, as a share of the side, each way, in x and in y.
        rotation: most, in degrees, each way.
        zoom: most, as a share, in and out.
        erasing: chance that a rectangle of a face becomes noise.
        erasing_area: largest rectangle, as a share of the face.
        mixup: of `mixed`; 0 mixes nothing.
    """

    flip: bool = False
    shift: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0
    erasing: float = 0.0
    erasing_area: float = 0.1
    mixup: float = 0.0

    def __call__(self, faces: np.ndarray, rng: np.random.Generator, side: int | None = None) -> np.ndarray:
        """Return changed copies of `faces`, uint8 [n, side, side], each drawn on its own from `rng`.

        With `side`, the copies are that high and wide, in pixels; that costs nothing beside the moves.
        """
        if self.shift or self.rotation or self.zoom:
            faces = warp(faces, *self._moves(len(faces), faces.shape[1], rng), side=side)
        else:
            faces = resized(faces, side or faces.shape[1])
        if self.flip:
            mirrored = rng.random(len(faces)) < 0.5
            faces = np.where(mirrored[:, None, None], faces[:, :, ::-1], faces)
        if self.erasing:
            faces = self._erase(faces.copy(), rng)
        return faces

    def _moves(self, n: int, side: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        angle = np.radians(rng.uniform(-self.rotation, self.rotation, n))
        scale = 1 + rng.uniform(-self.zoom, self.zoom, n)
        shift = rng.uniform(-self.shift, self.shift, (n, 2)) * side
        return angle, scale, shift

    def _erase(self, faces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Zhong et al. 2017, "Random Erasing Data Augmentation": area and aspect at random, filled with noise."""
        side = faces.shape[1]
        for index in np.flatnonzero(rng.random(len(faces)) < self.erasing):
            area = rng.uniform(min(0.02, self.erasing_area), self.erasing_area) * side * side
            aspect = np.exp(rng.uniform(np.log(0.3), np.log(1 / 0.3)))
            height = min(side, max(1, int(np.sqrt(area * aspect))))
            width = min(side, max(1, int(area / height)))
            top, left = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
            noise = rng.integers(0, 256, (height, width), dtype=np.uint8)
            faces[index, top : top + height, left : left + width] = noise
        return faces


def mixed(
    faces: np.ndarray, targets: np.ndarray, weights: np.ndarray | None, alpha: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Mix each face with another one of the batch (Zhang et al. 2018, "mixup").

    A mixed face's weighted loss is the mixture of the weighted losses that the two would have with their own targets,
    for a loss that is linear in the targets, as the cross-entropy is.

    Args:
        faces: uint8 [n, side, side].
        targets: float32 [n, k].
        weights: float32 [n], each face's say in the loss, above 0; None is an equal one.
        alpha: above 0; the first face's share is drawn from Beta(alpha, alpha), once a batch.
        rng: draws the share and the partners.

    Returns:
        Faces, uint8, and targets and weights, float32, of the shapes given.
    """
    share = np.float32(rng.beta(alpha, alpha))
    partner = rng.permutation(len(faces))
    blend = np.rint(share * faces + (1 - share) * faces[partner]).astype(np.uint8)
    if weights is None:
        return blend, share * targets + (1 - share) * targets[partner], None
    own, others = share * weights, (1 - share) * weights[partner]
    both = own + others
    return blend, (own[:, None] * targets + others[:, None] * targets[partner]) / both[:, None], both


def resized(faces: np.ndarray, side: int) -> np.ndarray:
    """Return `faces`, uint8 [n, s, s], as uint8 [n, side, side], bilinearly; the same array where `side` is s."""
    if faces.shape[1] == side:
        return faces
    n = len(faces)
    return warp(faces, np.zeros(n), np.ones(n), np.zeros((n, 2)), side=side)


def warp(
    faces: np.ndarray, angle: np.ndarray, scale: np.ndarray, shift: np.ndarray, *, side: int | None = None
) -> np.ndarray:
    """Rotate, zoom and shift each face about its middle, bilinearly; beyond the rim its edge pixels go on.

    Args:
        faces: uint8 [n, s, s].
        angle: float [n], radians, counter-clockwise on the screen.
        scale: float [n], above 1 enlarges.
        shift: float [n, 2], pixels of `faces` to the right and down.
        side: height and width of the result, which shows as much of the face; s by default.

    Returns:
        uint8 [n, side, side].
    """
    side = side or faces.shape[1]
    warped = np.empty((len(faces), side, side), np.uint8)
    for start in range(0, len(faces), _CACHED):
        part = slice(start, start + _CACHED)
        warped[part] = _warp(faces[part], angle[part], scale[part], shift[part], side)
    return warped


_CACHED = 16
"""Faces warped at once: so few that all of the arithmetic stays in a core's cache."""


def _warp(faces: np.ndarray, angle: np.ndarray, scale: np.ndarray, shift: np.ndarray, result: int) -> np.ndarray:
    n, side = len(faces), faces.shape[1]
    cos, sin = ((f(angle) / scale).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
    # The middles of the result's pixels, measured from the middle of the face in pixels of the face.
    axis = (np.arange(result, dtype=np.float32) + np.float32(0.5)) * np.float32(side / result) - np.float32(side / 2)
    right = axis[None, None, :] - shift[:, 0].astype(np.float32)[:, None, None]
    down = axis[None, :, None] - shift[:, 1].astype(np.float32)[:, None, None]
    # Where each pixel of the result comes from, in 1/256 of a pixel: the rest is integer work.
    x = _fixed_point(cos * right - sin * down, side)
    y = _fixed_point(sin * right + cos * down, side)
    # One more line and column, so that the last pixel has a neighbour; its fraction there is 0.
    flat = np.pad(faces, ((0, 0), (0, 1), (0, 1)), mode="edge").reshape(-1)
    stride = side + 1
    at = (y >> 8) * stride + (x >> 8) + (np.arange(n, dtype=np.int32) * (stride * stride))[:, None, None]
    x &= 255
    y &= 255
    top = _between(flat, at, x)
    at += stride
    bottom = _between(flat, at, x)
    bottom -= top
    bottom *= y
    top <<= 8
    top += bottom
    top += 1 << 15
    top >>= 16
    return top.astype(np.uint8)


def _fixed_point(source: np.ndarray, side: int) -> np.ndarray:
    source += np.float32((side - 1) / 2)
    np.clip(source, 0, side - 1, out=source)
    source *= np.float32(256)
    source += np.float32(0.5)
    return source.astype(np.int32)


def _between(flat: np.ndarray, at: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    left = flat.take(at).astype(np.int32)
    right = flat.take(at + 1).astype(np.int32)
    right -= left
    right *= fraction
    left <<= 8
    left += right
    return left
