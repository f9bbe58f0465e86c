"""Putting new data in place of the old: both files at once, whole, or not at all.

`data/` is built anew beside the old one and the two folders change places in one step of the file system, so that a
kill at any moment leaves both old files or both new ones. Where a file system can't exchange folders, the old one is
renamed away and the new one in; a kill between the two leaves no `data/`, and the next ingest brings the old one back.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.provenance import Provenance, write_provenance
from tasks.common.tables import Faces, write_faces
from tasks.ingest.swap import exchange

WORK: Final = paths.DATA.with_name(f".{paths.DATA.name}.new")
"""Everything that an ingest makes before the exchange, unpacked archives included."""
NEW: Final = WORK / "new"
OLD: Final = WORK / "old"


@contextmanager
def workspace() -> Iterator[Path]:
    """Lend an empty folder beside `data/`, gone afterwards; also put right what a killed ingest left.

    Raises:
        UserError: another ingest is at work, or `data/` holds what ingest didn't write and would be lost.
    """
    with _alone(paths.DATA.parent):
        _recover()
        _check_ours()
        WORK.mkdir(parents=True)
        try:
            yield WORK
        finally:
            shutil.rmtree(WORK)


def publish(faces: Faces, provenance: Provenance) -> None:
    """Replace `data/` by a folder with these two files; to be called within `workspace()`."""
    write_faces(NEW / paths.FACES.name, faces)
    write_provenance(NEW / paths.PROVENANCE.name, provenance)
    _sync(NEW)
    _check_ours()
    if not paths.DATA.exists():
        NEW.rename(paths.DATA)
    elif not exchange(NEW, paths.DATA):
        paths.DATA.rename(OLD)
        NEW.rename(paths.DATA)
    _sync(paths.DATA.parent)


def pin() -> None:
    """Have DVC note which data this is, in `data.dvc`.

    Raises:
        UserError: DVC fails; the data is new then, and its pin is not.
    """
    command = [sys.executable, "-m", "dvc", "add", str(paths.DATA)]  # with --quiet it would keep its error back
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = errors[0] if errors else f"exit status {done.returncode}"
        raise UserError(f"{paths.DATA}: written, but DVC can't pin it: {reason}; put that right and run `dvc add data`")


def _recover() -> None:
    if OLD.exists() and not paths.DATA.exists():
        OLD.rename(paths.DATA)
    if WORK.exists():
        shutil.rmtree(WORK)


def _check_ours() -> None:
    """Refuse to replace a folder in which something else lies."""
    if not paths.DATA.exists():
        return
    if paths.DATA.is_symlink() or not paths.DATA.is_dir():
        raise UserError(f"{paths.DATA}: expected a folder of its own; move what is there away")
    ours = {paths.FACES.name, paths.PROVENANCE.name, ".DS_Store"}
    strange = sorted({path.name for path in paths.DATA.iterdir()} - ours)
    if strange:
        raise UserError(f"{paths.DATA / strange[0]}: {paths.DATA}/ is replaced as a whole; move this file elsewhere")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a lock, which goes with the process however it ends, on a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError("another ingest is at work here; wait until it is done") from error
        yield
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    """Have a folder's entries written to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
