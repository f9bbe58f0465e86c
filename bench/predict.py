"""Faces a second of a trained network, as the evaluation asks it and as a plain Keras script does.

    python -m bench.predict [--faces 4096] [--rounds 3]

Run it after `make run`: the network is the one that lies in outputs/. Each measurement is a process of its own and
leaves out the first pass, which compiles; the two take turns. Neither averages over views of a face.
"""

import argparse
import os
import statistics
import subprocess
import sys

OURS = """
from pathlib import Path
from model.devices import set_up
from model.predicting import load_network, predict
from tasks.common.reading import load_params

params = load_params(Path("params.yaml"))
set_up("cpu", mixed_precision=False, deterministic=params.train.deterministic)
network = load_network(Path("outputs/model.keras"))
ask = lambda faces: predict(network, faces, batch_size=params.evaluate.batch_size)
"""

PLAIN = """
import keras

network = keras.models.load_model("outputs/model.keras")
ask = lambda faces: network.predict(faces, verbose=0)
"""

TIMED = """
import sys, time
import numpy as np

faces = np.random.default_rng(0).integers(0, 256, (int(sys.argv[1]), 48, 48), dtype=np.uint8)
ask(faces)
start = time.perf_counter()
ask(faces)
print(len(faces) / (time.perf_counter() - start))
"""


def rate(way: str, faces: int) -> float:
    """Return faces a second of one way, in a process of its own."""
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", way + TIMED, str(faces)]
    done = subprocess.run(command, env=quiet, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"prediction failed; is there a network in outputs/? `make run` makes one\n{done.stderr}")
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    turns = [(rate(OURS, asked.faces), rate(PLAIN, asked.faces)) for _ in range(asked.rounds)]
    ours, plain = (statistics.median(column) for column in zip(*turns, strict=True))
    print(f"ours {ours:,.0f} faces a second, plain Keras {plain:,.0f}: {ours / plain:.2f} times as fast")


if __name__ == "__main__":
    main()
