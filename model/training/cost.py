"""What a training costs: wall time, over all restarts, and memory."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Literal

from model.devices import Device, peak_bytes


@dataclass
class Spent:
    """Wall seconds of the epochs that are done; of one that a kill cut short, nothing is known.

    Attributes:
        training: passes over the training faces, with augmentation and, in a process's first epoch, compilation.
        validation: passes over the validation faces.
    """

    training: float = 0.0
    validation: float = 0.0

    @property
    def seconds(self) -> float:
        """All of them."""
        return self.training + self.validation

    @contextmanager
    def on(self, what: Literal["training", "validation"]) -> Iterator[None]:
        """Add the time that the block takes."""
        start = time.perf_counter()
        yield
        setattr(self, what, getattr(self, what) + time.perf_counter() - start)


@dataclass(frozen=True)
class Cost:
    """The content of `metrics/cost.json`.

    Attributes:
        device: in words.
        seconds: wall time of all epochs, training and validation, those before a restart included.
        gpu_hours: the same in hours, times the number of GPUs; 0 on a CPU.
        faces_per_second: training faces seen a second of training, validation left out; compilation counts as training.
        peak_memory_mb: most memory that the process had at once, in 10^6 bytes; of the last process after a restart.
        peak_gpu_memory_mb: most that its networks took on any one GPU, or None on a CPU or where the backend won't say.
    """

    device: str
    seconds: float
    gpu_hours: float
    faces_per_second: float
    peak_memory_mb: float
    peak_gpu_memory_mb: float | None = None

    def known(self) -> dict[str, str | float]:
        """Return the fields by name, without those that are None."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def cost(device: Device, spent: Spent, faces: int) -> Cost:
    """Measure a training that is over, in the process that ended it.

    Args:
        device: what it ran on.
        spent: of `Progress`.
        faces: training faces that were seen, each as often as it was.
    """
    gpus = device.count if device.kind == "gpu" else 0
    return Cost(
        device=str(device),
        seconds=round(spent.seconds, 3),
        gpu_hours=round(gpus * spent.seconds / 3600, 6),
        faces_per_second=round(faces / spent.training, 1) if spent.training else 0.0,
        peak_memory_mb=round(_peak_memory() / 1e6, 1),
        peak_gpu_memory_mb=_peak_gpu_memory(gpus),
    )


def _peak_memory() -> int:
    """Return bytes; Linux counts in KiB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _peak_gpu_memory(gpus: int) -> float | None:
    """Return megabytes of the fullest of the first `gpus` GPUs."""
    peaks = [peak_bytes(index) for index in range(gpus)]
    known = [peak for peak in peaks if peak is not None]
    return round(max(known) / 1e6, 1) if known else None
