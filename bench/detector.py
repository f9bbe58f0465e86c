"""How many faces each cascade finds, what else it takes for one, and how long it takes.

    python -m bench.detector [--scenes 240] [--model model.onnx]

Scenes of 640×480 on one core: two PublicTest faces of `data/faces.parquet` each, 60 to 220 pixels wide, set into
pictures of scikit-image that show nobody. Such faces have no head around them, so that all ways find fewer than in
photographs: only the order counts. With a network, also how often its label is that of the data, on the faces that were
found.
"""

import argparse
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import skimage.data

from serve.detector import CASCADE, NEIGHBOURS, STEP, Box, Haar
from serve.predictor import Predictor, fit, open_predictor
from tasks.common import paths
from tasks.common.errors import command
from tasks.common.tables import Faces, read_faces

GROUNDS: Final = ("brick", "grass", "gravel", "coins", "page", "coffee", "rocket")
SIZES: Final = (60, 220)
NEAR: Final = 0.4
"""Intersection over union from which on a find is the face."""

WAYS: Final = [
    *itertools.product(("default",), (1.2, 1.25, 1.3), (5, 3)),
    *itertools.product(("alt", "alt2"), (1.2, 1.25, 1.3), (3, 2, 1)),
]
"""Cascade, step between sizes, hits that make a face."""


def scenes(faces: Faces, count: int) -> Iterator[tuple[np.ndarray, list[Box], np.ndarray]]:
    """Yield scenes, uint8 [480, 640, 3], with where their faces are and what these show."""
    rng = np.random.default_rng(0)
    for number, pair in enumerate(rng.choice(len(faces), (count, 2), replace=False)):
        ground = getattr(skimage.data, GROUNDS[number % len(GROUNDS)])()
        grey = ground if ground.ndim == 2 else cv2.cvtColor(ground[..., :3], cv2.COLOR_RGB2GRAY)
        scene, boxes = cv2.resize(grey, (640, 480)), []
        for half, face in enumerate(pair):
            side = int(rng.integers(*SIZES))
            left, top = int(rng.integers(320 * half, 320 * half + 320 - side)), int(rng.integers(0, 480 - side))
            enlarged = cv2.resize(faces.pixels[face], (side, side), interpolation=cv2.INTER_CUBIC)
            scene[top : top + side, left : left + side] = enlarged
            boxes.append(Box(left, top, side, side))
        yield cv2.cvtColor(scene, cv2.COLOR_GRAY2BGR), boxes, faces.emotion[pair]


def measured(
    way: tuple[str, float, int], drawn: list[tuple[np.ndarray, list[Box], np.ndarray]], predictor: Predictor | None
) -> str:
    """Return a line of the table."""
    detector, found, wrong, right, times = Haar(48, *way), 0, 0, 0, []
    for scene, boxes, labels in drawn:
        start = time.perf_counter()
        finds = detector.find(scene)
        times.append(time.perf_counter() - start)
        wrong += sum(all(find.overlap(box) <= NEAR for box in boxes) for find in finds)
        for box, label in zip(boxes, labels, strict=True):
            best = max(finds, key=box.overlap, default=None)
            if best is None or box.overlap(best) <= NEAR:
                continue
            found += 1
            if predictor:
                face = fit(best.cut(cv2.cvtColor(scene, cv2.COLOR_BGR2GRAY)), predictor.side)
                right += int(predictor.predict(face[None]).argmax() == label)
    used = " (used)" if way == (CASCADE, STEP, NEIGHBOURS) else ""
    labelled = f"{right / max(found, 1):.3f}" if predictor else ""
    return (
        f"| {way[0]}, step {way[1]}, {way[2]} hits{used} | {found / (2 * len(drawn)):.3f} | {wrong / len(drawn):.2f} "
        f"| {labelled} | {1000 * float(np.median(times)):.1f} |"
    )


@command
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=240)
    parser.add_argument("--model", type=Path, help="a model.onnx that gives the faces their labels")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    faces = read_faces(paths.FACES)
    drawn = list(scenes(faces.take(np.flatnonzero(faces.usage == "PublicTest")), options.scenes))
    predictor = open_predictor(options.model) if options.model else None
    print("| cascade | faces found | found where none is, a scene | label right | ms a scene |")
    print("| --- | --- | --- | --- | --- |")
    for way in WAYS:
        print(measured(way, drawn, predictor), flush=True)


if __name__ == "__main__":
    main()
