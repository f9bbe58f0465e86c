"""What a `dvc repro` with nothing to do costs here, against one in a project of one empty stage.

    python -m bench.noop [--rounds 5]

Run it after `make run`. The two take turns, so that the machine's mood meets both.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STAGE = "stages:\n  one:\n    cmd: echo > out\n    outs: [out]\n"


def repro(folder: Path) -> float:
    """Return the seconds of one `dvc repro`, which must find nothing to do."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "dvc", "repro"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if "up to date" not in done.stdout:
        sys.exit(f"{folder.resolve()}: `dvc repro` had something to do, or failed; run `make run` first")
    return seconds


def empty(folder: Path) -> Path:
    """Make a project with one stage, run once, in `folder`."""
    (folder / "dvc.yaml").write_text(STAGE, encoding="utf-8")
    for command in (["git", "init"], [sys.executable, "-m", "dvc", "init"], [sys.executable, "-m", "dvc", "repro"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        other = empty(Path(folder))
        pairs = [(repro(Path()), repro(other)) for _ in range(rounds)]
    here, there = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
    print(f"here {here:.2f} s, empty project {there:.2f} s, ratio {here / there:.2f} (medians of {rounds})")


if __name__ == "__main__":
    main()
