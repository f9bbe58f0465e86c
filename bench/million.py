"""How long a million faces take through ingest, validation and split, and how much memory that needs.

    python -m bench.million [--faces 1000000] [--folder /where/there/are/25/GB]

The faces are drawn noise, written as the challenge's CSV (8.4 GB of text). Each step runs as users run it, in a
folder of its own, and is watched: `own memory` is what it holds that the system can't page out to a file, at its peak;
faces that lie in a file are not in it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from tasks.common import paths

ROOT = Path(__file__).parents[1]
BLOCK: Final = 1000
"""Faces drawn at once."""

STEPS: Final = {
    "ingest": ["tasks.ingest", "faces.csv", "--no-pin"],
    "validate": ["tasks.validate"],
    "split": ["tasks.split"],
}


def write_csv(path: Path, faces: int) -> None:
    """Write noise as the challenge's CSV: a tenth PublicTest, a tenth PrivateTest."""
    rng = np.random.default_rng(0)
    numbers = np.array([str(number).encode() for number in range(256)], object)
    with path.open("wb") as file:
        file.write(b"emotion,pixels,Usage\n")
        for start in range(0, faces, BLOCK):
            share = start / faces
            usage = b"Training" if share < 0.8 else b"PublicTest" if share < 0.9 else b"PrivateTest"
            drawn = numbers[rng.integers(0, 256, (BLOCK, 48 * 48), dtype=np.uint8)]
            file.writelines(b"%d,%b,%b\n" % (i % 7, b" ".join(face), usage) for i, face in enumerate(drawn))


def watched(folder: Path, command: list[str]) -> tuple[float, int]:
    """Run a step; return seconds, and the most of its own memory, in bytes."""
    start = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-m", *command], cwd=folder, env=environment) as step:
        process, most = psutil.Process(step.pid), 0
        while step.poll() is None:
            most = max(most, own_memory(process))
            time.sleep(0.05)
    if step.returncode:
        sys.exit(f"{' '.join(command)}: failed")
    return time.perf_counter() - start, most


def own_memory(process: psutil.Process) -> int:
    """Return the bytes of a process that lie in no file; 0 once it is over."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")), 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where to work; by default the system's folder for such")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        write_csv(folder / "faces.csv", options.faces)
        (folder / paths.PARAMS).write_bytes((ROOT / paths.PARAMS).read_bytes())
        for step, command in STEPS.items():
            seconds, most = watched(folder, command)
            print(f"{step:10} {options.faces:,} faces: {seconds:6.1f} s, own memory {most / 1e6:6.0f} MB", flush=True)


if __name__ == "__main__":
    main()
