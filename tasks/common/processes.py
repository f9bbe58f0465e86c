"""Two processes of one run must not get in each other's way, and none may outlive the run that it belongs to."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tasks.common.errors import UserError
from tasks.common.files import make_parent

if TYPE_CHECKING:
    import psutil

SHELLS: Final = frozenset({"sh", "ash", "dash", "bash", "zsh", "ksh", "fish"})


@contextmanager
def exclusive(path: Path, what: str, patience: float = 10.0) -> Iterator[None]:
    """Hold a lock on `path` for the block; the system lets go of it when this process ends, however it ends.

    The block may remove the file: whoever waits then locks the next one.

    Args:
        path: the lock's file, made where it is not there.
        what: what the holder does, for the sentence.
        patience: seconds to wait for a holder that is about to end.

    Raises:
        UserError: another process still holds it.
    """
    make_parent(path)
    deadline = time.monotonic() + patience
    while True:
        with path.open("a+", encoding="ascii") as file:
            _lock(file.fileno(), what, path, deadline)
            if not _is_at(path, file.fileno()):
                continue
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
            return


def cores() -> list[int]:
    """Return the cores that this process may use, by the system's numbers; all of them where it does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def end_with_dvc() -> None:
    """Under DVC, end this process soon after DVC itself is gone: a killed DVC leaves its stage running.

    Such an orphan would keep the device and write to outputs that are no longer its own.
    """
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_end_after, args=(_starter(),), daemon=True).start()


def _starter() -> "psutil.Process | None":
    """Return the nearest ancestor that is no shell: some shells stay between DVC and its stage, and outlive DVC."""
    import psutil  # noqa: PLC0415 - only where DVC is there; a machine without it trains too

    return next((process for process in psutil.Process().parents() if process.name() not in SHELLS), None)


def _end_after(process: "psutil.Process | None") -> None:
    try:
        while process and process.is_running() and process.status() != "zombie":
            time.sleep(0.5)
    finally:  # it may go between one question and the next
        os._exit(1)


def _is_at(path: Path, descriptor: int) -> bool:
    """Say whether a file still lies where it was opened; its holder may have removed it, and somebody made another."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _lock(descriptor: int, what: str, path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                process = path.read_text(encoding="ascii").strip()
                raise UserError(
                    f"{what} is still at work in process {process}; wait for it, or end it and try again"
                ) from error
            time.sleep(0.2)
        else:
            return
