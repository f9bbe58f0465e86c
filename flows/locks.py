"""What one run holds alone: its workspace, and a device of the machine. The system lets go of both when it dies."""

import math
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from prefect.logging import get_run_logger

from tasks.common.errors import UserError
from tasks.common.processes import exclusive

DEVICE_LOCK: Final = Path(tempfile.gettempdir()) / f"facial-emotion-{os.getuid()}.lock"
"""Held by the stage that computes: one at a time on a device, whatever clone or server it belongs to."""

BUSY: Final = "another training or evaluation on this machine"


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
def device() -> Iterator[list[str]]:
    """Hold one device of this machine, and give what a command must begin with to see that one alone."""
    cards = gpus()
    if not cards:
        with alone(DEVICE_LOCK, BUSY):
            yield []
        return
    with ExitStack() as held:
        card = _first_free(held, cards)
        if not card:
            get_run_logger().info("waiting: %s is at work on each of its GPUs", BUSY)
        while not card:
            time.sleep(1)
            card = _first_free(held, cards)
        yield ["env", f"CUDA_VISIBLE_DEVICES={card}"] if len(cards) > 1 else []


def gpus() -> list[str]:
    """Return the GPUs that a command started here would see, by what `CUDA_VISIBLE_DEVICES` calls them.

    Raises:
        UserError: the driver does not answer.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [card for card in chosen.split(",") if card not in ("", "-1")]
    if not shutil.which("nvidia-smi"):
        return []
    call = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        listed = subprocess.run(call, capture_output=True, text=True, check=False, timeout=60)
    except subprocess.TimeoutExpired as error:
        raise UserError("nvidia-smi: no answer within 60 s; the driver hangs, see `make doctor`") from error
    return listed.stdout.split() if listed.returncode == 0 else []


def _first_free(held: ExitStack, cards: list[str]) -> str | None:
    for card in cards:
        with suppress(UserError):
            held.enter_context(exclusive(_lock_of(card), BUSY, patience=0))
            return card
    return None


def _lock_of(card: str) -> Path:
    return DEVICE_LOCK.with_name(f"{DEVICE_LOCK.stem}-{card}.lock")
