"""How long FER2013's CSV takes to come in: the usual notebook loop, and `tasks.ingest` with all its checks.

    python -m bench.ingest fer2013.csv [--rounds 3]

The two take turns, each in a fresh process. The notebook loop only reads; ours also checks every value, hashes the file
and writes the table. Pinning, which hands the result to DVC, is left out on both sides.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

NOTEBOOK = """
import sys
import numpy as np
import pandas as pd

frame = pd.read_csv(sys.argv[1])
faces = []
for pixels in frame["pixels"]:
    face = [int(pixel) for pixel in pixels.split(" ")]
    faces.append(np.asarray(face, dtype="uint8").reshape(48, 48))
faces = np.asarray(faces)
labels = frame["emotion"].to_numpy()
"""


@dataclass(frozen=True)
class Cost:
    """What one process took."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def measure(command: list[str], folder: str) -> Cost:
    """Run a command to its end; RuntimeError where it fails."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise RuntimeError(f"{command} ended with status {status}")
    unit = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss is in bytes there, in KiB elsewhere
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def main() -> None:
    """Measure both in turns, and print each round and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    path = str(arguments.csv.resolve())
    ways = {
        "notebook loop": [sys.executable, "-c", NOTEBOOK, path],
        "tasks.ingest": [sys.executable, "-m", "tasks.ingest", path, "--no-pin"],
    }
    costs: dict[str, list[Cost]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            for way, command in ways.items():
                cost = measure(command, folder)
                costs[way].append(cost)
                print(f"{way:14} {cost.seconds:6.2f} s, {cost.cpu_seconds:6.2f} s of CPU, peak {cost.peak_mb:6,.0f} MB")
    loop, ours = (statistics.median(cost.seconds for cost in costs[way]) for way in ways)
    print(f"median {loop:.2f} s against {ours:.2f} s: {loop / ours:.1f} times as fast")


if __name__ == "__main__":
    main()
