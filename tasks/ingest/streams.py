"""Reading a file that may be compressed, by what it holds and not by its name, with a limit to what comes out."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from tasks.common.console import Bar, progress
from tasks.common.errors import UserError

MAX_BYTES: Final = 8 << 30
"""Most bytes that a compressed file or an archive may unpack to."""
MAX_RATIO: Final = 100
"""Most times its own size that it may unpack to; FER2013's CSV shrinks to a third or a fifth."""
FREE_BYTES: Final = 64 << 20
"""Below this much, the ratio doesn't count: small tables of flat faces shrink a lot."""

DAMAGE: Final = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What the decompressors raise on a truncated or damaged file."""

COMPRESSIONS: Final[dict[bytes, Callable[[Any], Any]]] = {
    b"\x1f\x8b": lambda raw: gzip.GzipFile(fileobj=raw),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
"""How each compression opens, by its first bytes."""

LFS: Final = b"version https://git-lfs"
"""First bytes of what Git leaves in a file's place where Git LFS is not installed."""

FOREIGN: Final = {
    LFS: ("a pointer of Git LFS", "run `git lfs pull` where it was cloned, and give it again"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "unpack it, and give what was in it"),
    b"Rar!\x1a\x07": ("a RAR archive", "unpack it, and give what was in it"),
    b"\x28\xb5\x2f\xfd": ("a file packed by zstd", "unpack it, and give what was in it"),
    b"PAR1": ("a Parquet table", "make a CSV of it, or images in folders by label"),
}
"""What is told by its first bytes and can't be read, and what to do about it."""


def check_size(name: str, unpacked: int, packed: int) -> None:
    """Raise UserError where `packed` bytes of a file have become too many."""
    if unpacked > MAX_BYTES or (unpacked > FREE_BYTES and unpacked > MAX_RATIO * packed):
        raise UserError(
            f"{name}: refused, {packed:,} bytes unpack to more than {unpacked:,}; expected at most {MAX_RATIO} times "
            f"as much and {MAX_BYTES:,} in all; unpack it yourself if you trust it"
        )


class Stream:
    """The bytes of a file, decompressed."""

    def __init__(self, raw: BinaryIO, name: str, bar: Bar) -> None:
        self.name = name
        self._raw, self._bar = raw, bar
        first = raw.read(max(map(len, (*FOREIGN, *COMPRESSIONS))))
        raw.seek(0)
        for magic, (kind, mend) in FOREIGN.items():
            if first.startswith(magic):
                raise UserError(f"{name}: found {kind}, expected a CSV, plain or packed by gzip, bzip2 or xz; {mend}")
        opener = next((COMPRESSIONS[magic] for magic in COMPRESSIONS if first.startswith(magic)), None)
        self._file: BinaryIO = raw if opener is None else opener(raw)
        self._peeked = b""
        self._total = 0

    def peek(self, size: int) -> bytes:
        """Return the first `size` bytes, or what there is, and leave them to be read."""
        self._peeked = self.read(size)
        return self._peeked

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most `size`; none at the end.

        Raises:
            UserError: the file is truncated or damaged, or unpacks to too much.
        """
        if self._peeked:
            data, self._peeked = self._peeked[:size], self._peeked[size:]
            return data
        try:
            data = self._file.read(size)
        except DAMAGE as error:
            raise UserError(f"{self.name}: truncated or damaged ({error}); fetch it again") from error
        self._total += len(data)
        done = self._raw.tell()
        check_size(self.name, self._total, done)
        if done >> 20 > self._bar.done:
            self._bar.advance((done >> 20) - self._bar.done)
        return data


@contextmanager
def open_stream(path: Path, name: str) -> Iterator[Stream]:
    """Open a file for reading once through, with a progress bar; `name` stands in errors.

    Raises:
        UserError: it is packed, or a table, in a way that can't be read.
    """
    size = path.stat().st_size
    with path.open("rb") as raw, progress(f"reading {name}", size >> 20, "MB") as bar:
        yield Stream(raw, name, bar)
