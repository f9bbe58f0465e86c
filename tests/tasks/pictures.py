"""Pictures that stand for faces in tests: smooth, different from one another, and drawn in no time."""

import numpy as np
from scipy.ndimage import gaussian_filter

from model.labels import LABELS
from tasks.common.tables import USAGES, Faces


def pictures(n: int, seed: int = 0) -> np.ndarray:
    """Return uint8 [n, 48, 48]: noise blurred to shapes, grey levels 128 ± 40."""
    noise = np.random.default_rng(seed).normal(size=(n, 48, 48))
    smooth = gaussian_filter(noise, sigma=(0, 4, 4), mode="wrap")
    smooth /= smooth.std(axis=(1, 2), keepdims=True)
    return np.clip(128 + 40 * smooth, 0, 255).astype(np.uint8)


def brighter(face: np.ndarray) -> np.ndarray:
    """Return a near copy: the same face in other light."""
    return np.clip(face * 0.9 + 20, 0, 255).astype(np.uint8)


def some_faces(n: int = 400, seed: int = 0) -> Faces:
    """Return different faces in which each part has every label, in about FER2013's shares: 8 in 10 are Training."""
    counts = np.array([4953, 547, 5121, 8989, 6077, 4002, 6198]) * n / 35887
    emotion = np.repeat(np.arange(len(LABELS), dtype=np.int8), np.ceil(counts).astype(int))[:n]
    usage = np.array(USAGES, object)[np.array([0, 1, 2, 0, 0, 0, 0, 0, 0, 0])[np.arange(n) % 10]]
    return Faces(np.arange(n, dtype=np.int32), emotion, usage, pictures(n, seed))
