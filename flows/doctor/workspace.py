"""Git, DVC, parameters and data of this workspace."""

from pathlib import Path
from typing import Final

from flows.doctor.asking import ask
from flows.doctor.check import Check, Need
from flows.notes import held, leftover, users
from flows.repository import fault
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.reading import load_params

PIN: Final = Path("data.dvc")
LOCK: Final = "DVC's lock"


def git(_: Need) -> Check:
    """Check that there is a repository of this folder with a commit: DVCLive and experiments need one."""
    if wrong := fault(Path.cwd()):
        return Check("git", "fail", *wrong)
    answer = ask(["git", "log", "-1", "--format=commit %h of %cs"], 20)
    if answer.fault:
        return Check("git", "fail", answer.fault)
    return Check("git", "pass", answer.said.strip())


def dvc(_: Need) -> Check:
    """Check that there is a DVC repository, whose lock can be read."""
    from dvc import __version__  # noqa: PLC0415 - slow
    from dvc.exceptions import NotDvcRepoError  # noqa: PLC0415 - slow
    from dvc.repo import Repo  # noqa: PLC0415 - slow

    try:
        with Repo() as repo:
            found = f"DVC {__version__}, cache in {repo.cache.local.path}"
    except NotDvcRepoError as error:
        return Check("DVC", "fail", str(error), "`dvc init`")
    return _read("DVC", Path("dvc.lock")) or Check("DVC", "pass", found)


def params(_: Need) -> Check:
    """Check `params.yaml` against its description."""
    try:
        found = load_params(paths.PARAMS)
    except UserError as error:
        return Check("params", "fail", str(error), f"correct {paths.PARAMS}; `git diff {paths.PARAMS}` shows changes")
    return Check("params", "pass", f"{found.model.name} for {found.train.epochs} epochs, device {found.train.device}")


def data(_: Need) -> Check:
    """Check that what `data.dvc` pins is there, or can be had."""
    from dvc.dvcfile import load_file  # noqa: PLC0415 - slow
    from dvc.repo import Repo  # noqa: PLC0415 - slow

    if not PIN.exists():
        mend = "`make data DATA=/path/to/fer2013.csv`, or `make data` for the embedded sample"
        return Check("data", "fail", f"{PIN} is not there", mend)
    if unread := _read("data", PIN):
        return unread
    with Repo() as repo:
        pinned = load_file(repo, str(PIN)).stage.outs[0]
        there, cached = pinned.exists, not pinned.changed_cache()
        changed = there and pinned.changed_checksum()
        remote = repo.config["core"].get("remote")
        version = f"{pinned.hash_info.value:.7}"
    if there and not changed:
        return Check("data", "pass", f"{paths.DATA} is what {PIN} pins ({version})")
    return _lacking(there=there, cached=cached, remote=remote, version=version)


def _read(check: str, file: Path) -> Check | None:
    """Return the check of a file that DVC can't read; None where it can."""
    from flows.graph import unreadable  # noqa: PLC0415 - slow

    why = unreadable(Path.cwd(), str(file))
    return Check(check, "fail", why, f"`git checkout HEAD {file}` brings back that of the last commit") if why else None


def _lacking(*, there: bool, cached: bool, remote: str | None, version: str) -> Check:
    if there:
        found = f"{paths.DATA} is not what {PIN} pins ({version})"
        return Check("data", "warn", found, f"`dvc checkout {PIN}` brings that back; `dvc commit {PIN}` pins this")
    found = f"{paths.DATA} is not there; what {PIN} pins ({version}) is in"
    if cached:
        return Check("data", "warn", f"{found} the cache", f"`dvc checkout {PIN}`")
    if remote:
        return Check("data", "warn", f"{found} neither workspace nor cache", f"`dvc pull {PIN}` from {remote}")
    mend = "`make data DATA=/path/to/fer2013.csv`, or `make data` for the embedded sample"
    return Check("data", "fail", f"{found} neither workspace nor cache, and no remote is set", mend)


def lock(_: Need) -> Check:
    """Check that no other DVC is at work here: two at once in one workspace fail."""
    from dvc.lock import LockError  # noqa: PLC0415 - slow
    from dvc.repo import Repo  # noqa: PLC0415 - slow

    with Repo() as repo:
        try:
            with repo.lock, held(Path.cwd()) as notes:
                return users_left(notes)
        except LockError:
            found = f"{repo.lock.lockfile} is held by another DVC"
            return Check(LOCK, "warn", found, "wait for it; `ps -ef | grep dvc` shows which it is")


def users_left(notes: Path) -> Check:
    """Judge DVC's notes of who reads or writes what: `repro` lets go of its lock while a stage runs."""
    left = leftover(notes)
    if left:
        return Check(LOCK, "fail", f"{left}; DVC refuses to work", f"with no DVC at work, remove {notes}")
    for number, call in users(notes):
        return Check(LOCK, "warn", f"`{call}` is at work in process {number}", "wait for it, or end it")
    return Check(LOCK, "pass", "free")
