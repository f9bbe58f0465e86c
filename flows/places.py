"""A place of its own for a run on this machine: a clone that is gone after it, while what it made stays."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
from dvc.config import Config
from dvc.repo import Repo

from flows.experiment import GIT_REMOTE, git
from flows.workspace import prepare
from tasks.common import paths

PLACES: Final = Path(".dvc/tmp/places")

_NO_HOOKS: Final = ("core.hooksPath=/dev/null",)
"""For the clone alone: somebody's hooks are for where they work themselves."""

_PLAIN: Final = (
    *("--binary", "--no-ext-diff", "--no-textconv", "--no-color"),
    *("--unified=3", "--src-prefix=a/", "--dst-prefix=b/"),
)
"""What `git apply` reads, whatever somebody has set for their own eyes."""

GRACE: Final = 20.0
"""Seconds that a training may take to end, once it was let go of."""


@contextmanager
def place(root: Path, name: str) -> Iterator[Path]:
    """Have a clone of the repository at `root`, with its uncommitted changes, its DVC cache and its backups.

    Experiments that are pushed to the clone's origin land in `root`.

    Raises:
        UserError: git refused; in its words.
    """
    folder = root / PLACES / name
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        clone(root, folder)
        local = root / ".dvc" / "config.local"
        if local.exists():
            shutil.copy(local, folder / ".dvc")
        with Repo(str(root)) as repo:
            cache, remotes = Path(repo.cache.local_cache_dir), repo.config["remote"]
        with Config(str(folder / ".dvc")).edit("local") as here:
            for remote, settings in remotes.items():
                if Path(settings["url"]).is_absolute():  # DVC has resolved it: it may be written relative to the root
                    here["remote"].setdefault(remote, {})["url"] = str(settings["url"])
        prepare(folder, cache=cache, backups=root / paths.BACKUPS, registry=root / paths.REGISTRY)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clone(root: Path, folder: Path) -> None:
    """Clone the repository at `root`, with its uncommitted changes of what git tracks, as `folder`.

    Raises:
        UserError: git refused; in its words.
    """
    git(root, "clone", "--quiet", "--origin", GIT_REMOTE, str(root), str(folder), settings=_NO_HOOKS)
    changes = folder.resolve() / ".git" / "changes"
    git(root, "diff", *_PLAIN, f"--output={changes}", "HEAD")
    if changes.stat().st_size:
        git(folder, "apply", "--index", "--whitespace=nowarn", str(changes))


def at_work(folder: Path) -> dict[Path, psutil.Process]:
    """Return the backups of the trainings that are at work in a place, each with its process."""
    here = {str(one.pid): one for one in psutil.process_iter(["cwd"]) if one.info["cwd"] == str(folder)}
    holders = {lock: lock.read_text(encoding="ascii").strip() for lock in (folder / paths.BACKUPS).glob("*.lock")}
    return {lock.resolve().with_suffix(""): here[holder] for lock, holder in holders.items() if holder in here}


def drop_backups(backups: Mapping[Path, psutil.Process]) -> None:
    """Remove backups that nobody will go on from, as soon as the training that writes each has ended."""
    psutil.wait_procs(list(backups.values()), timeout=GRACE)
    for backup in backups:
        shutil.rmtree(backup, ignore_errors=True)
        backup.with_suffix(".lock").unlink(missing_ok=True)
