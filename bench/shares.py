"""What sharing out the cores gives a sweep: several trainings at once, each on its share, beside one on all cores.

    python -m bench.shares [--runs 2] [--rounds 3]

The training is that of `bench.throughput` with Muon, on `compact`. The two ways take turns, so that the machine's mood
meets both.
"""

import argparse
import os
import statistics
import subprocess
import sys

from flows.locks import AT_ONCE, devices
from tasks.common.errors import command

TRAINING = [sys.executable, "-m", "bench.throughput", "--way", "ours with Muon", "--network", "compact"]


def rate(runs: int) -> float:
    """Return faces a second of so many trainings at once, all together."""
    os.environ[AT_ONCE] = str(runs)
    at_work = [subprocess.Popen([*one.sees, *TRAINING], stdout=subprocess.PIPE, text=True) for one in devices()]
    said = [process.communicate()[0] for process in at_work]
    if any(process.returncode for process in at_work):
        sys.exit("a training failed: what it said stands above")
    return sum(float(lines.split()[-1]) for lines in said)


@command
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    pairs = [(rate(asked.runs), rate(1)) for _ in range(asked.rounds)]
    shared, alone = (statistics.median(rates) for rates in zip(*pairs, strict=True))
    print(
        f"{asked.runs} at once {shared:.0f} faces a second, one on all cores {alone:.0f}: "
        f"{shared / alone:.2f} times as fast (medians of {asked.rounds})"
    )


if __name__ == "__main__":
    main()
