"""Prepare a fresh clone for one run: `python -m flows.workspace`.

DVC's cache and the backups of trainings lie in one store of the machine, so that a clone neither downloads what an
earlier one had nor starts a killed training anew. `FACIAL_EMOTION_STORE` names another place for it.
"""

import os
import subprocess
from pathlib import Path
from typing import Final

from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import command

STORE: Final = "FACIAL_EMOTION_STORE"


def store() -> Path:
    """Return the folder that the clones of this machine share."""
    return Path(os.environ.get(STORE) or Path.home() / ".cache" / "facial-emotion").resolve()


def prepare(root: Path, *, cache: Path, backups: Path) -> None:
    """Have DVC's cache and the backups of trainings lie outside of the repository at `root`."""
    backups.mkdir(parents=True, exist_ok=True)
    subprocess.run(["dvc", "cache", "dir", "--local", str(cache)], cwd=root, check=True)
    link = root / paths.BACKUPS
    if not link.exists():
        link.symlink_to(backups, target_is_directory=True)


def prepared(root: Path) -> bool:
    """Return whether the repository is such a clone, which is gone after its run."""
    return (root / paths.BACKUPS).is_symlink()


@command
def main() -> None:
    prepare(Path.cwd(), cache=store() / "cache", backups=store() / "backup")
    say(f"DVC's cache and the backups of trainings lie in {store()}")


if __name__ == "__main__":
    main()
