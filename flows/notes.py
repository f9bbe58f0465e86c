"""DVC's notes of who reads and writes what, `.dvc/tmp/rwlock`: what a killed DVC leaves there stops the next one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from prefect.logging import get_run_logger


@contextmanager
def held(root: Path) -> Iterator[Path]:
    """Hold the notes, so that no DVC writes to them, and give their path; the file need not be there.

    Raises:
        dvc.lock.LockError: another DVC holds them for longer than a moment.
    """
    from dvc.lock import make_lock  # noqa: PLC0415 - slow
    from dvc.repo import Repo  # noqa: PLC0415 - slow

    with Repo(root) as repo:
        notes, hardlink = Path(repo.tmp_dir) / "rwlock", repo.config["core"]["hardlink_lock"]
        with make_lock(f"{notes}.lock", tmp_dir=repo.tmp_dir, hardlink_lock=hardlink):
            yield notes


def users(notes: Path) -> list[tuple[int, str]]:
    """Return number and command of each process that is noted and that exists; DVC forgets the others by itself.

    Raises:
        ValueError: DVC was killed while it wrote the notes.
    """
    content = json.loads(notes.read_text(encoding="utf-8")) if notes.exists() else {}
    noted = [*content.get("write", {}).values(), *(user for some in content.get("read", {}).values() for user in some)]
    return [(user["pid"], user["cmd"]) for user in noted if psutil.pid_exists(user["pid"])]


def leftover(notes: Path) -> str | None:
    """Say why DVC refuses these notes though nobody is at work; None where it does not."""
    try:
        found = users(notes)
    except ValueError as error:
        return f"{notes}: not JSON ({error}): DVC was killed while it wrote there"
    for number, _ in found:
        with suppress(psutil.NoSuchProcess):  # it may end while it is looked at
            process = psutil.Process(number)
            if process.create_time() > notes.stat().st_mtime + 1:
                return f"{notes} names process {number}, whose number {process.name()} has got since"
    return None


def clear(root: Path) -> None:
    """Remove notes that stop every DVC though nobody is at work, and say so."""
    with held(root) as notes:
        found = leftover(notes)
        if found:
            notes.unlink()
            get_run_logger().warning("%s; removed", found)
