"""The embedded sample: synthetic faces in FER2013's proportions and with its known flaws, drawn by the project."""

from typing import Final

import numpy as np

from tasks.common.tables import USAGES, Faces
from tasks.ingest.sample.drawing import draw_faces
from tasks.ingest.sample.randomness import Stream

SEED: Final = 2013
SIZE: Final = 2800
TEST_SIZE: Final = 280
"""Faces in PublicTest and in PrivateTest, each a tenth as in FER2013."""

FER2013_COUNTS: Final = (4953, 547, 5121, 8989, 6077, 4002, 6198)
"""FER2013's faces by label."""

LEAKED: Final = 10
"""Faces of either test part that are exact copies of a Training face."""
REPEATED: Final = 8
"""Training faces that are exact copies of another Training face."""
NEARLY_LEAKED: Final = 3
"""Faces of either test part that are a Training face in slightly other light."""
CONFLICTING: Final = ("Training", "PublicTest")
"""Parts in which one face is an exact copy of a Training face, under another label."""
FLAT: Final = ("Training", "PublicTest")
"""Parts in which one face is a single grey."""


def draw_sample() -> Faces:
    """Draw 2,800 synthetic faces, the same to the byte on every machine.

    The labels and Usage parts have FER2013's shares and its order (Training, PublicTest, PrivateTest; labels mixed
    within each). Expressions are composed from FACS action units (Ekman & Friesen 1978) on varied heads.

    Planted, as FER2013 has them: 20 test faces (10 a part) that are exact copies of Training faces, 8 exact copies
    within Training, 6 near-copies of Training faces (3 a test part), 2 exact copies of Training faces under another
    label (1 in Training, 1 in PublicTest), and 2 flat faces (1 in Training, 1 in PublicTest).

    Returns:
        Faces with pixels uint8 [2800, 48, 48], rows 0 to 2,799 and no votes. Scores on them say nothing of FER2013.
    """
    stream = Stream(SEED)
    emotion, usage = _labels(stream)
    pixels = draw_faces(emotion, stream)
    _plant(pixels, emotion, usage, stream)
    return Faces(np.arange(SIZE, dtype=np.int32), emotion, usage, pixels)


def _labels(stream: Stream) -> tuple[np.ndarray, np.ndarray]:
    tested = _shares(TEST_SIZE)
    counts = (_shares(SIZE) - 2 * tested, tested, tested)
    parts = [np.repeat(np.arange(7, dtype=np.int8), count)[stream.permutation(count.sum())] for count in counts]
    usage = np.repeat(np.array(USAGES, object), [len(part) for part in parts])
    return np.concatenate(parts), usage


def _shares(size: int) -> np.ndarray:
    """Share `size` faces out by label as FER2013 does, the largest remainders rounded up; int64 [7]."""
    exact = np.array(FER2013_COUNTS) * size
    counts, rest = np.divmod(exact, sum(FER2013_COUNTS))
    counts[np.argsort(-rest, kind="stable")[: size - counts.sum()]] += 1
    return counts


def _plant(pixels: np.ndarray, emotion: np.ndarray, usage: np.ndarray, stream: Stream) -> None:
    """Write the flaws over some of the faces; labels and Usage stay, and so do their counts."""
    free = {part: [int(row) for row in stream.permutation(SIZE) if usage[row] == part] for part in USAGES}

    def copy(part: str, conflict: bool = False) -> int:
        target = free[part].pop()
        source = next(row for row in free["Training"] if (emotion[row] != emotion[target]) == conflict)
        free["Training"].remove(source)
        pixels[target] = pixels[source]
        return target

    for part in ("PublicTest", "PrivateTest"):
        for _ in range(LEAKED):
            copy(part)
        for _ in range(NEARLY_LEAKED):
            target = copy(part)
            noise = stream.bell(0, 2, *pixels[target].shape)
            pixels[target] = np.floor(np.clip(pixels[target] * 0.93 + 8 + noise, 0, 255)).astype(np.uint8)
    for _ in range(REPEATED):
        copy("Training")
    for part in CONFLICTING:
        copy(part, conflict=True)
    for part in FLAT:
        pixels[free[part].pop()] = int(stream.uniform(0, 256, 1)[0])
