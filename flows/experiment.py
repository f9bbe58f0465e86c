"""A run as a DVC experiment: saved under its name, and pushed where there are remotes."""

import re
import subprocess
from pathlib import Path
from typing import Final

from dvc.config import ConfigError
from dvc.repo import Repo

from flows.leash import Leash
from flows.stage import follow
from flows.workspace import prepared
from tasks.common.errors import UserError

GIT_REMOTE: Final = "origin"

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


def experiments(root: Path) -> list[str]:
    """Return the names of all experiments that the repository has."""
    names = git(root, "for-each-ref", "--format=%(refname:lstrip=-1)", "refs/exps/*/*/*")
    return names.split()


def git(root: Path, *arguments: str) -> str:
    """Return what a git command says.

    Raises:
        UserError: it failed; in git's words.
    """
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"git {arguments[0]}: {done.stderr.strip() or 'failed'}")
    return done.stdout.strip()


def dvc_remote(root: Path) -> str | None:
    """Return the name of DVC's default remote; None where there is none."""
    try:
        with Repo(str(root)) as repo:
            return repo.config["core"].get("remote")
    except ConfigError as error:
        raise UserError(f".dvc/config: {error}") from error


def save(leash: Leash, name: str) -> None:
    """Save the workspace as an experiment; one of that name is replaced."""
    follow(leash, ["dvc", "exp", "save", "--force", "--name", name], "save")


def push(root: Path, leash: Leash, name: str) -> None:
    """Bring experiment and outputs to the remotes, with the outputs of earlier runs that did not get there.

    The experiment, a few kilobytes in git, goes first: it says what is to be found in the DVC remote. Without a DVC
    remote nothing is pushed, but out of a clone that is gone after its run.
    """
    remote = dvc_remote(root)
    if (remote or prepared(root)) and GIT_REMOTE in git(root, "remote").split():
        follow(leash, ["dvc", "exp", "push", "--force", "--no-cache", GIT_REMOTE, name], "push")
    if remote:
        # Every run that DVC knows, not this alone: also what an earlier push left behind.
        follow(leash, ["dvc", "push", "--run-cache"], "push")
