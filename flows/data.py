"""The data that a run works on: ingested anew, or what `data.dvc` pins."""

import argparse
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from flows.experiment import dvc_remote
from flows.graph import unreadable
from flows.leash import Leash
from flows.stage import StageError, follow
from tasks.common import paths
from tasks.common.errors import UserError

PIN: Final = "data.dvc"

_OPTION: Final = re.compile(r"(?!no-pin)[a-z]+(-[a-z]+)*(=.+)?")


def check_options(source: str | None, options: Sequence[str]) -> None:
    """Check the form of options; whether `python -m tasks.ingest` knows them, it says itself.

    Args:
        source: what is ingested; None is nothing.
        options: those of `python -m tasks.ingest` without their dashes, as in `votes=fer2013new.csv` or `crowd-labels`.

    Raises:
        UserError: one is not of this form, or would leave the data unpinned; or there is no source that they are for.
    """
    if options and source is None:
        raise UserError(f"ingest options: found {options[0]!r} without a source to ingest; name the source as well")
    for option in options:
        if not _OPTION.fullmatch(option):
            raise UserError(
                f"ingest options: found {option!r}, expected an option of `python -m tasks.ingest` without its dashes, "
                "as in votes=fer2013new.csv"
            )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let a command take such options."""
    parser.add_argument(
        "-I",
        "--ingest-option",
        dest="ingest_options",
        action="append",
        metavar="NAME[=VALUE]",
        help="of `python -m tasks.ingest`, as in -I votes=fer2013new.csv -I add=ck48.zip",
    )


def ingest(leash: Leash, source: str, options: Sequence[str] = ()) -> State[None]:
    """Take a source in and pin it.

    Args:
        leash: that runs it.
        source: as `python -m tasks.ingest` takes it.
        options: of `check_options`.
    """
    words = [f"--{option}" for option in options]
    ended = follow(leash, [sys.executable, "-m", "tasks.ingest", *words, "--", source], "ingest")
    return Completed(message=ended.lines[-1])


def pull(root: Path, leash: Leash) -> State[None]:
    """Bring the pinned data into the workspace, from where it is.

    Where it is neither in a cache nor in a remote, the sample is drawn: it is what the repository pins as it comes.
    Data in the workspace that is not pinned is never touched.

    Raises:
        UserError: the pinned data is nowhere, other data lies in its place, or DVC can't read what is pinned.
        StageError: the remote did not give it.
    """
    if not (root / PIN).exists():
        raise UserError(f"{PIN}: no such file; name a source (`--source /path/to/fer2013.csv`, or sample)")
    if fault := unreadable(root, PIN):
        raise UserError(f"{fault}; `git checkout HEAD {PIN}` brings back that of the last commit")
    if leash.run(["dvc", "status", "--quiet", PIN]) == 0:
        return Completed(name="Unchanged", message=f"{paths.DATA}/ is what {PIN} pins")
    if leash.run(["dvc", "checkout", "--quiet", PIN]) == 0:
        return Completed(message="from the cache")
    if dvc_remote(root) and _has(leash):
        return Completed(message="from the remote")
    if (root / paths.FACES).exists():
        raise UserError(
            f"{paths.DATA}/: it is not what {PIN} pins; `dvc commit {PIN}` pins what lies there, `dvc checkout --force "
            f"{PIN}` brings back what is pinned"
        )
    return _draw(root, leash)


def _has(leash: Leash) -> bool:
    """Return whether the remote gives what is pinned: one that a user has for all projects may never have had it."""
    try:
        follow(leash, ["dvc", "pull", PIN], "pull")
    except StageError as error:
        if "missing-files" in str(error):  # the address of the page that DVC names
            return False
        raise
    return True


def _draw(root: Path, leash: Leash) -> State[None]:
    pin = root / PIN
    pinned = pin.read_bytes()
    get_run_logger().info("what %s pins is in no remote: drawing the sample, to see whether it is that", PIN)
    follow(leash, [sys.executable, "-m", "tasks.ingest", "sample"], "ingest")
    if pin.read_bytes() != pinned:
        pin.write_bytes(pinned)
        shutil.rmtree(root / paths.DATA)
        raise UserError(
            f"{PIN}: it pins data that is neither here nor in a remote; set the remote (`dvc remote add -d …`), or "
            "name the source that it was ingested from"
        )
    return Completed(message="the sample, drawn")
