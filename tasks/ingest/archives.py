"""Unpacking zip and tar archives that may be damaged, or made to do harm."""

import re
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from stat import S_ISLNK
from typing import IO, Final, Self, cast

from tasks.common.console import progress
from tasks.common.errors import UserError
from tasks.ingest.streams import DAMAGE, Stream, check_size

MAX_MEMBERS: Final = 500_000
"""Most files and folders of an archive."""
CHUNK: Final = 1 << 20

ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
"""First bytes of a zip with members, and of one without."""
ENCRYPTED: Final = 0x1

DAMAGED: Final = (
    *DAMAGE,
    zipfile.BadZipFile,
    tarfile.TarError,
    struct.error,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)
"""What zipfile and tarfile raise on a truncated or damaged archive."""


class _Folder:
    """A new folder that members of an archive are written into, within limits."""

    def __init__(self, root: Path, archive: str, packed: int) -> None:
        self._root, self._archive, self._packed = root, archive, packed
        self._members = self._bytes = 0
        root.mkdir(parents=True)

    def refused(self, member: str, reason: str) -> UserError:
        return UserError(f"{self._archive}: member {member!r} {reason}; refused, unpack it yourself if you trust it")

    def check(self, member: str) -> Path:
        """Count a member and return where it goes; UserError where it is one too many or climbs out."""
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise self.refused(member, f"is one more than the {MAX_MEMBERS:,} accepted of an archive")
        path = PurePosixPath(member.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", member):
            raise self.refused(member, "climbs out of the archive's folder")
        return self._root / path

    def write(self, member: str, content: IO[bytes]) -> None:
        """Write the file that a member holds."""
        path = self.check(member)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                while chunk := self._read(content):
                    file.write(chunk)
        except OSError as error:
            raise UserError(f"{self._archive}: member {member!r} can't be unpacked ({error.strerror})") from error

    def _read(self, content: IO[bytes]) -> bytes:
        with _whole(self._archive):
            chunk = content.read(CHUNK)
        self._bytes += len(chunk)
        check_size(self._archive, self._bytes, self._packed)
        return chunk


class _Strict(tarfile.TarInfo):
    """A tar's member. Where a header is damaged or missing, tarfile alone would take the archive for ended."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header; only a whole block of zeros may end the archive."""
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf == bytes(tarfile.BLOCKSIZE):
                raise
            raise tarfile.ReadError(str(error)) from error


@contextmanager
def _whole(archive: str) -> Iterator[None]:
    """Turn what the libraries raise on a damaged archive into a sentence."""
    try:
        yield
    except DAMAGED as error:
        raise UserError(f"{archive}: truncated or damaged archive ({error}); fetch it again") from error


def unpack_zip(path: Path, name: str, folder: Path) -> None:
    """Unpack a zip into `folder`, which is made; `name` is the zip's, for errors.

    Raises:
        UserError: a member climbs out, is a link or encrypted, or stands twice; it unpacks to too much; it is damaged.
    """
    target = _Folder(folder, name, path.stat().st_size)
    with _whole(name), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        with progress(f"unpacking {name}", len(members), "files") as bar:
            for member in members:
                _unpack_zipped(archive, member, target)
                bar.advance()


def _unpack_zipped(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: _Folder) -> None:
    if member.flag_bits & ENCRYPTED:
        raise target.refused(member.filename, "is encrypted")
    if S_ISLNK(member.external_attr >> 16):
        raise target.refused(member.filename, "is a link")
    if member.is_dir():
        target.check(member.filename)
        return
    with archive.open(member) as content:
        target.write(member.filename, content)


def is_tar(stream: Stream) -> bool:
    """Tell whether a file is a tar by its first header, whose checksum no other file has by chance."""
    try:
        tarfile.TarInfo.frombuf(stream.peek(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def unpack_tar(stream: Stream, packed: int, folder: Path) -> None:
    """Unpack a tar into `folder`, which is made; `packed` is the bytes of its file.

    Raises:
        UserError: a member climbs out, is no file or folder, or stands twice; it unpacks to too much; it is damaged.
    """
    target = _Folder(folder, stream.name, packed)
    readable = cast("IO[bytes]", stream)  # tarfile's stream mode needs `read` alone
    with _whole(stream.name), tarfile.open(fileobj=readable, mode="r|", tarinfo=_Strict) as archive:
        for member in archive:
            if member.isdir():
                target.check(member.name)
            elif member.isfile() and (content := archive.extractfile(member)):
                target.write(member.name, content)
            else:
                raise target.refused(member.name, "is a link or a device")
    while stream.read(CHUNK):  # to the end, where the checksum of a compressed file stands
        pass
