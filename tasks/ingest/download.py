"""Bringing what lies in a store here: in parts, several at once, and, after a kill, only the parts that are missing."""

import json
import os
import random
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar

from tasks.common import paths
from tasks.common.console import progress
from tasks.common.errors import UserError

PART: Final = 8 << 20
"""Bytes of a part: lost at most, each, when a download is killed."""

WORKERS: Final = 8
"""Parts under way at once."""

TRIES: Final = 5
"""Times that a part is begun or taken up again after it broke off."""

Answer = TypeVar("Answer")

PAUSE: Final = 0.5
"""Seconds before the second try; each further pause is about twice as long."""

_JOURNAL: Final = "parts.json"


class BrokenError(Exception):
    """A transfer broke off, and another try may go through."""


@dataclass(frozen=True)
class Remote:
    """An object in a store.

    Attributes:
        address: as the user gave it.
        file: the last part of its name.
        size: bytes.
        tag: what changes whenever its bytes do, such as an ETag.
        read: gives its bytes from one place to before another, in pieces of any size; raises BrokenError, or UserError
            where another try is no use.
        whole: it comes in one piece, or not at all.
    """

    address: str
    file: str
    size: int
    tag: str
    read: Callable[[int, int], Generator[bytes]]
    whole: bool = False

    @property
    def part(self) -> int:
        """Bytes to fetch at once."""
        return max(self.size, 1) if self.whole else PART


def download(remote: Remote) -> Path:
    """Return the path of an object's bytes on this machine; what is here already is not fetched again.

    Raises:
        UserError: it can't be had, or there is no room for it; what has come so far stays for the next try.
    """
    folder = shelf(remote.address, remote.tag)
    done = folder / remote.file
    if done.exists():
        return done
    part = folder / ".part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _opened(part, remote.size) as descriptor, _Journal(folder / _JOURNAL, remote) as journal:
            _fetch(remote, descriptor, journal)
            os.fsync(descriptor)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            f"{folder}: can't be written ({reason}); put that right, and the same command goes on"
        ) from error
    part.rename(done)
    (folder / _JOURNAL).unlink()
    return done


def shelf(address: str, tag: str) -> Path:
    """Return the folder for what lay at an address under a tag; what lay there under other tags is removed."""
    place = paths.DOWNLOADS / sha256(address.encode()).hexdigest()[:16]
    own = place / sha256(tag.encode()).hexdigest()[:16]
    for other in place.glob("*"):
        if other != own:
            shutil.rmtree(other)
    return own


class _Journal:
    """Which parts of a file are here: the file's own facts, then a line a part."""

    def __init__(self, path: Path, remote: Remote) -> None:
        self._path = path
        self._facts = json.dumps({"size": remote.size, "tag": remote.tag, "part": remote.part})
        lines = path.read_text(encoding="ascii").split("\n") if path.exists() else []
        # A line that a kill cut short has no end, and is the last one here.
        self.done = {int(line) for line in lines[1:-1]} if lines[:1] == [self._facts] else set()

    def __enter__(self) -> "_Journal":
        self._file = self._path.open("w", encoding="ascii")
        self._file.writelines(f"{line}\n" for line in [self._facts, *sorted(self.done)])
        self._file.flush()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def note(self, part: int) -> None:
        """Note that a part is on the disk."""
        self._file.write(f"{part}\n")
        self._file.flush()


@contextmanager
def _opened(path: Path, size: int) -> Iterator[int]:
    """Open a file for writing at any place, with room for all of it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if size and hasattr(os, "posix_fallocate"):  # macOS has none: there a full disk shows later
            os.posix_fallocate(descriptor, 0, size)
        os.ftruncate(descriptor, size)
        yield descriptor
    finally:
        os.close(descriptor)


def _fetch(remote: Remote, descriptor: int, journal: _Journal) -> None:
    count = -(-remote.size // remote.part)
    missing = [part for part in range(count) if part not in journal.done]
    with ThreadPoolExecutor(WORKERS) as pool, progress("download", count, "parts") as bar:
        bar.advance(count - len(missing), "here already" if len(missing) < count else "")
        futures = {pool.submit(_part, remote, descriptor, part): part for part in missing}
        try:
            for future in as_completed(futures):
                future.result()
                os.fsync(descriptor)
                journal.note(futures[future])
                bar.advance()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _part(remote: Remote, descriptor: int, part: int) -> None:
    transfer(remote, descriptor, part * remote.part, min((part + 1) * remote.part, remote.size))


def transfer(remote: Remote, descriptor: int, start: int, end: int) -> None:
    """Write an object's bytes from one place to before another into the same places of a file.

    What breaks off is taken up where it stopped.

    Raises:
        UserError: it can't be had.
        OSError: the file can't be written.
    """
    at, reason = start, "it ended too early"
    for attempt in range(TRIES):
        if at == end:
            return
        if attempt:
            _pause(attempt)
        try:
            with closing(remote.read(at, end)) as pieces:
                for piece in pieces:
                    if at + len(piece) > end:
                        raise UserError(f"{remote.address}: sent more than was asked for; is there a proxy in between?")
                    os.pwrite(descriptor, piece, at)
                    at += len(piece)
        except BrokenError as error:
            reason = str(error)
    if at == end:
        return
    raise UserError(
        f"{remote.address}: broke off {TRIES} times, at last after {at:,} of {remote.size:,} bytes ({reason}); try "
        "again later, and the same command goes on from there"
    )


def patiently(ask: Callable[[], Answer]) -> Answer:
    """Ask again where what is raised shows that another try may go through; the last try raises as `ask` does."""
    for attempt in range(1, TRIES):
        try:
            return ask()
        except BrokenError:
            _pause(attempt)
    return ask()


def _pause(attempt: int) -> None:
    """Wait before a try, from 1, twice as long as before the one before, but not all at the same time."""
    time.sleep(PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
