"""How long a face and a frame take on one core, beside the package `fer` where there is a Python that has it.

    python -m bench.serve [--model model.onnx] [--fer /path/to/a/python/with/fer] [--rounds 3]

`pip install fer "opencv-contrib-python<5" "setuptools<81"` makes such a Python.

The frame is 640×480 and shows one face: the astronaut of scikit-image. Each measurement is a process of its own on one
core, and the ways take turns.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FACES, FRAMES, WARM = 300, 60, 10

FER = """
import sys, time
import numpy as np
from fer.fer import FER
picture, warm, count = np.load(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
detector = FER()
times = []
for _ in range(warm + count):
    start = time.perf_counter()
    found = detector.detect_emotions(picture)
    times.append(time.perf_counter() - start)
assert len(found) == 1, found
print(sorted(times[warm:])[count // 2] * 1000)
"""


def frame() -> Any:
    """Return a frame, uint8 [480, 640, 3], with one face."""
    import cv2  # noqa: PLC0415 - each way imports what it needs
    import numpy as np  # noqa: PLC0415
    from skimage.data import astronaut  # noqa: PLC0415

    picture = np.full((480, 640, 3), 90, np.uint8)
    picture[:, 80:560] = cv2.resize(astronaut()[:300, 60:360, ::-1], (480, 480))
    return picture


def ours(model: Path | None) -> None:
    """Print the median milliseconds of a face, and of a frame."""
    import numpy as np  # noqa: PLC0415

    from serve.detector import Haar  # noqa: PLC0415
    from serve.looking import Watcher  # noqa: PLC0415
    from serve.predictor import open_predictor  # noqa: PLC0415

    predictor, picture = open_predictor(model), frame()
    face = np.random.default_rng(0).integers(0, 256, (1, predictor.side, predictor.side), dtype=np.uint8)
    watcher = Watcher(predictor, Haar(48))
    if len(watcher.look(picture, 0.0)) != 1:
        sys.exit("the frame's one face is not found")
    print(median(lambda: predictor.predict(face), FACES), median(lambda: watcher.look(picture, 0.0), FRAMES))


def median(what: Any, count: int) -> float:
    """Return the median milliseconds of a call, after some that warm up."""
    times = []
    for _ in range(WARM + count):
        start = time.perf_counter()
        what()
        times.append(time.perf_counter() - start)
    return statistics.median(times[WARM:]) * 1000


def measured(command: list[str]) -> list[float]:
    """Run a way on one core, and return what it printed."""
    one = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    core = min(os.sched_getaffinity(0))
    done = subprocess.run(
        ["taskset", "--cpu-list", str(core), *command], cwd=ROOT, env={**os.environ, **one}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{command[0]}: failed\n{done.stdout}{done.stderr}")
    return [float(number) for number in done.stdout.split()[-2:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a model.onnx; by default the registry's champion")
    parser.add_argument("--fer", metavar="PYTHON", help="a Python that has the package fer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--here", action="store_true", help="measure ours in this process, and print it")
    options = parser.parse_args()
    if options.here:
        ours(options.model)
        return
    model = ["--model", str(options.model.resolve())] if options.model else []
    mine = [measured([sys.executable, "-m", "bench.serve", "--here", *model]) for _ in range(options.rounds)]
    face, whole = (statistics.median(one) for one in zip(*mine, strict=True))
    print(f"the network, batch 1: {face:.2f} ms a face; detection and network: {whole:.1f} ms a frame of 640x480")
    if options.fer:
        print(beside(options.fer, whole, options.rounds))


def beside(python: str, whole: float, rounds: int) -> str:
    """Measure the package on the same frame, and say the ratio."""
    import tempfile  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file, frame())
        file.flush()
        command = [python, "-c", FER, file.name, str(WARM), str(FRAMES)]
        theirs = statistics.median(measured(command)[-1] for _ in range(rounds))
    return f"fer: {theirs:.1f} ms a frame; ours is {theirs / whole:.1f} times as fast"


if __name__ == "__main__":
    main()
