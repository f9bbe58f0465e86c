"""Free disk and memory."""

import shutil
from pathlib import Path
from typing import Final

import psutil

from flows.doctor.check import Check, Need, Outcome

GB: Final = 1e9
DISK_WARN, DISK_FAIL, MEMORY_WARN = 5.0, 1.0, 2.0
"""In GB."""


def disk(_: Need) -> list[Check]:
    """Check the disks on which the workspace and DVC's cache lie: one line each, one where they share it."""
    places = {"the workspace": Path.cwd()} | _cache()
    by_disk: dict[int, list[str]] = {}
    for name, path in places.items():
        by_disk.setdefault(path.stat().st_dev, []).append(name)
    return [free_disk(" and ".join(names), shutil.disk_usage(places[names[0]]).free / GB) for names in by_disk.values()]


def free_disk(what: str, free: float) -> Check:
    """Judge `free` GB where `what` lies."""
    outcome: Outcome = "fail" if free < DISK_FAIL else "warn" if free < DISK_WARN else "pass"
    mend = "`dvc gc --workspace` removes what no longer belongs to this workspace; `dvc cache dir` moves the cache"
    return Check("disk", outcome, f"{free:,.1f} GB free for {what}", None if outcome == "pass" else mend)


def memory(_: Need) -> Check:
    """Check the memory that programs can still take."""
    return free_memory(psutil.virtual_memory().available / GB)


def free_memory(free: float) -> Check:
    """Judge `free` GB of memory."""
    if free < MEMORY_WARN:
        return Check("memory", "warn", f"{free:,.1f} GB free", "close other programs, or lower train.batch_size")
    return Check("memory", "pass", f"{free:,.1f} GB free")


def _cache() -> dict[str, Path]:
    """Return the folder of DVC's cache, or the nearest above it that is there already; none without DVC."""
    from dvc.exceptions import NotDvcRepoError  # noqa: PLC0415 - slow
    from dvc.repo import Repo  # noqa: PLC0415 - slow

    try:
        with Repo() as repo:
            path = Path(repo.cache.local.path)
    except NotDvcRepoError:
        return {}
    return {"DVC's cache": next(folder for folder in (path, *path.parents) if folder.exists())}
