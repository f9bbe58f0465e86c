"""A run as a DVC experiment: saved under its name, and pushed where there are remotes."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from dvc.config import ConfigError
from dvc.repo import Repo

from flows.leash import Leash
from flows.stage import follow
from flows.workspace import prepared
from tasks.common import paths
from tasks.common.errors import UserError

GIT_REMOTE: Final = "origin"

UNPUSHED: Final = paths.BACKUPS / "unpushed"
"""Holds a file by the name of each experiment whose outputs have not reached the DVC remote yet."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def check_name(root: Path, name: str, *, replace: bool) -> None:
    """Check the name of an experiment that is to be made.

    Args:
        root: of the repository.
        name: letters, digits, `-` and `_`.
        replace: an experiment of that name may be there: it is of this very run, which was ended before.

    Raises:
        UserError: it is no name, or one that an experiment has.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"experiment: found {name!r}, expected letters, digits, - and _, as in wider-network")
    if name in experiments(root) and not replace:
        raise UserError(
            f"experiment: {name} is there already; choose another name, or remove it with `dvc exp remove {name}`"
        )


def experiments(root: Path) -> dict[str, str]:
    """Return the commits of all experiments that the repository has, by name."""
    lines = git(root, "for-each-ref", "--format=%(refname:lstrip=-1) %(objectname)", "refs/exps/*/*/*").splitlines()
    return dict(line.split() for line in lines)


def git(root: Path, *arguments: str, settings: Sequence[str] = ()) -> str:
    """Return what a git command says, under settings such as `core.hooksPath=/dev/null` for it alone.

    Raises:
        UserError: it failed; in git's words.
    """
    settled = [word for setting in settings for word in ("-c", setting)]
    done = subprocess.run(["git", *settled, *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"git {arguments[0]}: {done.stderr.strip() or 'failed'}")
    return done.stdout.strip()


def origin(root: Path) -> str | None:
    """Return the address of git's remote, without a secret that may be in it; None where there is none."""
    if GIT_REMOTE not in git(root, "remote").split():
        return None
    address = git(root, "remote", "get-url", GIT_REMOTE)
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if holds_secret(address) else address


def holds_secret(address: str) -> bool:
    """Return whether an address of git has a password in it, or a token: over HTTP, that may stand as the user."""
    parts = urlsplit(address)
    return bool(parts.password) or (parts.scheme in ("http", "https") and "@" in parts.netloc)


def dvc_remote(root: Path) -> str | None:
    """Return the name of DVC's default remote; None where there is none."""
    try:
        with Repo(str(root)) as repo:
            return repo.config["core"].get("remote")
    except ConfigError as error:
        raise UserError(f".dvc/config: {error}") from error


def save(leash: Leash, name: str, *, new: Sequence[Path] = (), only: Sequence[str] = ()) -> None:
    """Save the workspace as an experiment; one of that name is replaced.

    Args:
        leash: of the workspace.
        name: of the experiment.
        new: files that git does not know, and that belong to it.
        only: stages or `.dvc` files whose outputs are there; without any, those of all stages must be.
    """
    include = [word for path in new for word in ("--include-untracked", str(path))]
    follow(leash, ["dvc", "exp", "save", "--force", "--name", name, *include, *only], "save")


def push(root: Path, leash: Leash, name: str) -> None:
    """Bring experiment and outputs to the remotes, with the outputs of earlier runs that did not get there.

    The experiment, a few kilobytes in git, goes first: it says what is to be found in the DVC remote. Without a DVC
    remote nothing is pushed, but out of a clone that is gone after its run.
    """
    remote = dvc_remote(root)
    shared = (remote or prepared(root)) and GIT_REMOTE in git(root, "remote").split()
    if shared:
        follow(leash, ["dvc", "exp", "push", "--force", "--no-cache", GIT_REMOTE, name], "push")
    if not remote:
        return
    late = root / UNPUSHED
    late.mkdir(parents=True, exist_ok=True)
    (late / name).touch()
    waiting = [one.name for one in sorted(late.iterdir())]
    if shared and not set(waiting) <= set(experiments(root)):  # those of other clones
        follow(leash, ["git", "fetch", "--quiet", GIT_REMOTE, "+refs/exps/*:refs/exps/*"], "push")
    known = experiments(root)
    follow(leash, [sys.executable, "-m", "flows.upload", *(known[one] for one in waiting if one in known)], "push")
    for one in waiting:  # what is known nowhere was removed
        (late / one).unlink(missing_ok=True)  # another run may have brought it up meanwhile
