"""Writing files so that a reader sees the old one or the new one, never a part of it."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.common.errors import RIGHTS, is_of_file


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; when the block ends well, rename it to `path`.

    When the block raises, what was written is removed and `path` is as it was. Missing parent folders are made.
    """
    make_parent(path)
    with _named(path):
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        beside = folder / path.name
        try:
            yield beside
            with beside.open("rb") as file:
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def make_parent(path: Path) -> None:
    """Make the folder of a file where it is missing.

    Raises:
        OSError: it can't be made; that a file is in its place, or that the system makes none there, is said so.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), error.filename) from error
    except FileNotFoundError as error:  # so /proc has it
        raise PermissionError(errno.EPERM, "no folder can be made there", str(path.parent)) from error


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Have what the system says of writing name the file that was to be written, and not the one beside it."""
    try:
        yield
    except OSError as error:
        beside = str(error.filename).startswith(str(path.with_name(f".{path.name}.")))
        nameless = error.filename is None and error.errno not in RIGHTS
        if is_of_file(error) and (beside or nameless):
            raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from error
        raise


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 with one rename."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with one rename; NaN and infinity are refused with ValueError."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
