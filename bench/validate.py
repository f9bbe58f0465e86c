"""What the validation of the data costs, beside the mere import of Great Expectations with all that it brings along.

    python -m bench.validate [--rounds 3]

Run it where data/faces.parquet is; the two take turns, each in a fresh process.
"""

import argparse
import statistics
import subprocess
import sys
import time

IMPORT = ["-c", "import great_expectations"]
VALIDATE = ["-m", "tasks.validate"]


def seconds(command: list[str]) -> float:
    """Return how long a fresh Python takes for it."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *command], check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"python {' '.join(command)}: failed\n{done.stderr}")
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    turns = [(seconds(VALIDATE), seconds(IMPORT)) for _ in range(parser.parse_args().rounds)]
    whole, alone = (statistics.median(column) for column in zip(*turns, strict=True))
    print(f"validation {whole:.1f} s, the import alone {alone:.1f} s, ratio {whole / alone:.2f}")


if __name__ == "__main__":
    main()
