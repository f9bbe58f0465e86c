"""What one run holds alone: its workspace, and the device of the machine. The system lets go of both when it dies."""

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from prefect.logging import get_run_logger

from tasks.common.errors import UserError
from tasks.common.processes import exclusive

DEVICE_LOCK: Final = Path(tempfile.gettempdir()) / f"facial-emotion-{os.getuid()}.lock"
"""Held by the stage that computes: one at a time on a machine, whatever clone or server it belongs to."""


@contextmanager
def alone(lock: Path, what: str) -> Iterator[None]:
    """Hold a lock of this machine, waiting for as long as another process holds it, and saying so."""
    try:
        with exclusive(lock, what, patience=0):
            pass
    except UserError as error:
        get_run_logger().info("waiting: %s", error)
    with exclusive(lock, what, patience=math.inf):
        yield


@contextmanager
def device() -> Iterator[None]:
    """Hold the device of this machine."""
    with alone(DEVICE_LOCK, "another training or evaluation on this machine"):
        yield
