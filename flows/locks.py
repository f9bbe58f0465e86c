"""What one run holds alone: its workspace, and a device of the machine. The system lets go of both when it dies."""

import math
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prefect.logging import get_run_logger

from tasks.common.errors import UserError
from tasks.common.processes import cores, exclusive

AT_ONCE: Final = "FACIAL_EMOTION_AT_ONCE"
"""Name of the variable that says among how many runs the cores of a machine without a GPU are shared out."""

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


@dataclass(frozen=True)
class Device:
    """What one stage that computes has alone, whatever clone or server it belongs to.

    Attributes:
        parts: a GPU, or cores, by names that every process of this machine gives them.
        sees: what a command begins with, to see them alone.
    """

    parts: tuple[str, ...]
    sees: tuple[str, ...] = ()


@contextmanager
def device() -> Iterator[list[str]]:
    """Hold one device of this machine, and give what a command must begin with to see that one alone."""
    choice, told = devices(), False
    with ExitStack() as held:
        while not isinstance(found := _first_free(held, choice), Device):
            if not told:
                get_run_logger().info("waiting: %s", found)
                told = True
            time.sleep(1)
        yield list(found.sees)


def devices() -> list[Device]:
    """Return what stages that compute may have here: each GPU, or else all cores, or each run's share of them.

    Raises:
        UserError: GPUs and a number of runs that share them, or fewer cores than runs.
    """
    cards, runs = gpus(), os.environ.get(AT_ONCE, "1")
    if not runs.isdecimal() or runs == "0":
        raise UserError(f"--at-once, or {AT_ONCE}: {runs!r} is no number of runs; 1 or more is")
    if cards and runs != "1":
        raise UserError(f"{runs} runs at once: that shares out a CPU's cores, and here each GPU takes one run")
    if cards:
        several = len(cards) > 1
        return [Device((f"gpu-{card}",), ("env", f"CUDA_VISIBLE_DEVICES={card}") if several else ()) for card in cards]
    return [_of_cores(share, alone=runs == "1") for share in _shares(cores(), int(runs))]


def _of_cores(share: Sequence[int], *, alone: bool) -> Device:
    sees = () if alone else ("taskset", "--cpu-list", ",".join(map(str, share)))
    return Device(tuple(f"core-{core}" for core in share), sees)


def _shares(cores: Sequence[int], runs: int) -> list[Sequence[int]]:
    """Share out cores evenly; those that are left over do nothing, so that all runs are as fast."""
    each = len(cores) // runs
    if not each:
        raise UserError(f"{runs} runs at once: there are {len(cores)} cores for them; ask for no more")
    if runs > 1 and not shutil.which("taskset"):
        raise UserError("several runs at once need `taskset`, of the package util-linux, which shares out the cores")
    return [cores[index * each : (index + 1) * each] for index in range(runs)]


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


def _first_free(held: ExitStack, choice: Sequence[Device]) -> Device | UserError:
    """Hold the first device that nobody holds; where there is none, return the sentence that says who does."""
    busy = UserError(BUSY)
    for one in choice:
        with ExitStack() as parts:
            try:
                for part in one.parts:
                    parts.enter_context(exclusive(_lock_of(part), BUSY, patience=0))
            except UserError as error:
                busy = error
                continue
            held.push(parts.pop_all())
            return one
    return busy


def _lock_of(part: str) -> Path:
    return Path(tempfile.gettempdir()) / f"facial-emotion-{os.getuid()}-{part}.lock"
