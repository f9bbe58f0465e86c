"""Prepare a fresh clone for one run: `python -m flows.workspace`.

DVC's cache, the backups of trainings and the model registry lie in one store of the machine, so that a clone neither
downloads what an earlier one had nor starts a killed training anew nor takes a promoted network with it; backups that
nobody goes on from are removed after a month.
`FACIAL_EMOTION_STORE` names another place for it.
"""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from dvc.config import Config

from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.common.processes import exclusive

STORE: Final = "FACIAL_EMOTION_STORE"

KEPT_DAYS: Final = 30
"""Days for which the store keeps what a training could go on from."""


def store() -> Path:
    """Return the folder that the clones of this machine share."""
    return Path(os.environ.get(STORE) or Path.home() / ".cache" / "facial-emotion").resolve()


def prepare(root: Path, *, cache: Path, backups: Path, registry: Path) -> None:
    """Have DVC's cache, the backups of trainings and the model registry lie outside of the repository at `root`."""
    with Config(str(root / ".dvc")).edit("local") as local:  # as `dvc cache dir --local` does, without its start
        local["cache"]["dir"] = str(cache)
    backups.mkdir(parents=True, exist_ok=True)
    for name, outside in ((paths.BACKUPS, backups), (paths.REGISTRY, registry)):  # a first promotion makes the registry
        if not os.path.lexists(root / name):
            (root / name).symlink_to(outside, target_is_directory=True)


def clear(backups: Path) -> None:
    """Remove the backups of trainings that nobody has gone on from for a long time: cancelled ones, hopeless ones."""
    before = time.time() - KEPT_DAYS * 86400
    for state in [one for one in backups.glob("*/state.npz") if one.stat().st_mtime < before]:
        lock = state.parent.with_suffix(".lock")
        with suppress(UserError), exclusive(lock, "a training", patience=0):
            shutil.rmtree(state.parent)
            lock.unlink(missing_ok=True)


def prepared(root: Path) -> bool:
    """Return whether the repository is such a clone, which is gone after its run."""
    return (root / paths.BACKUPS).is_symlink()


@command
def main() -> None:
    prepare(Path.cwd(), cache=store() / "cache", backups=store() / "backup", registry=store() / "registry")
    clear(store() / "backup")
    say(f"DVC's cache, the backups of trainings and the model registry lie in {store()}")


if __name__ == "__main__":
    main()
