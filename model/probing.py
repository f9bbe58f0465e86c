"""Does this machine's device compute rightly, and does a network learn on it?

`python -m model.probing [--device auto|cpu|gpu]` answers with one line of JSON. It is a program of its own, so that a
TensorFlow that crashes takes nothing else along.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass

import keras
import numpy as np

from model.devices import set_up
from model.networks import build
from model.training.batches import Labelled
from model.training.canary import prove_learning
from model.training.guard import TrainingError


@dataclass(frozen=True)
class Proof:
    """What was found, as far as it went.

    Attributes:
        device: in words.
        convolution_error: of `convolution_error`.
        steps: of `learns`.
        fault: what ended it too soon, in a sentence.
    """

    device: str
    convolution_error: float | None = None
    steps: int | None = None
    fault: str | None = None


def convolution_error() -> float:
    """Compare a convolution on Keras's device with the direct sum in NumPy.

    Small whole numbers are convolved: TF32, to which GPUs round what they multiply, holds them exactly, so that the
    result differs by float32's rounding at most, whichever algorithm the device takes.

    Returns:
        The largest difference, as a share of the largest right value.
    """
    rng = np.random.default_rng(0)
    maps = rng.integers(-8, 9, (8, 48, 48, 16)).astype(np.float32)
    kernels = rng.integers(-8, 9, (5, 5, 16, 32)).astype(np.float32)
    found = keras.ops.convert_to_numpy(keras.ops.conv(maps, kernels, padding="valid", data_format="channels_last"))
    windows = np.lib.stride_tricks.sliding_window_view(maps.astype(np.float64), (5, 5), axis=(1, 2))
    right = np.tensordot(windows, kernels.astype(np.float64), axes=([3, 4, 5], [2, 0, 1]))
    return float(np.abs(found - right).max() / np.abs(right).max())


def learns() -> int:
    """Return the number of steps in which a small network tells seven drawn gratings apart.

    Raises:
        TrainingError: it does not learn them.
    """
    keras.utils.set_random_seed(0)
    labels = np.arange(28) % 7
    network = build("compact", filters=[16], kernel_sizes=[3])
    return prove_learning(network, Labelled(_gratings(labels), labels), seed=0)


def prove(device: str) -> Proof:
    """Set up the device, convolve and learn on it.

    Args:
        device: `auto`, `cpu` or `gpu`.
    """
    _say("the device")
    chosen = set_up("cpu" if device == "cpu" else "auto", mixed_precision=False, deterministic=False)
    if device == "gpu" and chosen.kind == "cpu":
        return Proof(str(chosen), fault=f"{keras.backend.backend()} sees no GPU")
    with chosen.scope:
        _say("a convolution")
        error = convolution_error()
        _say("a network that learns")
        try:
            return Proof(str(chosen), error, learns())
        except TrainingError as fault:
            return Proof(str(chosen), error, fault=str(fault))


def _gratings(labels: np.ndarray) -> np.ndarray:
    """Draw waves, of a direction that the label gives, with noise: uint8 [n, 48, 48]."""
    y, x = np.mgrid[:48, :48]
    angles = labels[:, None, None] * np.pi / 7
    waves = 127 + 60 * np.sin(0.6 * (x * np.cos(angles) + y * np.sin(angles)))
    return (waves + np.random.default_rng(0).normal(0, 15, waves.shape)).clip(0, 255).astype(np.uint8)


def _say(what: str) -> None:
    """Leave a trace of what comes next, in case that it ends the process."""
    print(f"probing {what}", file=sys.stderr, flush=True)  # noqa: T201


def main() -> None:
    """Print the proof."""
    parser = argparse.ArgumentParser(prog="python -m model.probing", description=__doc__)
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    print(json.dumps(asdict(prove(parser.parse_args().device))))  # noqa: T201 - the line is the program's output


if __name__ == "__main__":
    main()
