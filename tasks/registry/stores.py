"""Where a registry lies: a folder of this machine, or an object store. Both write at once and on a condition."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError

from tasks.common.errors import UserError
from tasks.common.files import replacing
from tasks.object_store import CHANGED, MISSING, code, connect, explained

_ADDRESS: Final = re.compile(r"s3://(?P<bucket>[^/]+)/?(?P<prefix>.*)", re.IGNORECASE)


_PROOF: Final = ".conditions"
"""An empty object: a store that heeds conditions lets it be written once."""

_TRIES: Final = 4
"""Of reading one file whose body breaks off."""


class ChangedError(Exception):
    """Somebody else wrote in between."""


@dataclass(frozen=True)
class Stored:
    """Bytes as they lie in a store, and a tag that changes with them."""

    content: bytes
    tag: str


class Store(Protocol):
    """Files by name, such as `versions/v1/model.keras`."""

    @property
    def address(self) -> str:
        """Where it is, as a person writes it."""

    def read(self, name: str) -> Stored | None:
        """Return a file; None where there is none."""

    def write(self, name: str, content: bytes, expected: str | None) -> None:
        """Write a file that has this tag now, or, for None, that is not there yet.

        Raises:
            ChangedError: it has another tag, or is there.
        """

    def names(self, prefix: str) -> list[str]:
        """Return the names of all files that begin so, sorted."""


def open_store(address: str) -> Store:
    """Return the store at `s3://bucket/prefix` or in a folder.

    Raises:
        UserError: it is neither.
    """
    match = _ADDRESS.fullmatch(address)
    if match:
        return Bucket(match["bucket"], match["prefix"].strip("/"))
    if "://" in address:
        raise UserError(f"{address}: expected s3://bucket/prefix or a folder")
    return Folder(Path(address))


@dataclass(frozen=True)
class Folder:
    """A folder of a file system; writers take turns by a lock."""

    root: Path

    @property
    def address(self) -> str:
        return str(self.root)

    def read(self, name: str) -> Stored | None:
        try:
            content = (self.root / name).read_bytes()
        except FileNotFoundError:
            return None
        return Stored(content, sha256(content).hexdigest())

    def write(self, name: str, content: bytes, expected: str | None) -> None:
        with self._turn():
            found = self.read(name)
            if (found.tag if found else None) != expected:
                raise ChangedError(name)
            with replacing(self.root / name) as beside:
                beside.write_bytes(content)

    def names(self, prefix: str) -> list[str]:
        files = (path.relative_to(self.root) for path in self.root.rglob("*") if path.is_file())
        visible = (path.as_posix() for path in files if not any(part.startswith(".") for part in path.parts))
        return sorted(name for name in visible if name.startswith(prefix))

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self.root.resolve().mkdir(parents=True, exist_ok=True)  # in a clone for one run, `root` is a link
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # it goes with the process, however that ends
            yield
        finally:
            os.close(descriptor)


class Bucket:
    """A prefix of a bucket; the store itself refuses a write whose condition does not hold (`If-Match`)."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        self._client = connect()
        self._proved = False

    @property
    def address(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def read(self, name: str) -> Stored | None:
        try:
            with self._explained():
                return self._read(name)
        except FileNotFoundError:
            return None

    def _read(self, name: str) -> Stored:
        tried = 0
        while True:  # boto3 repeats a request that fails, but not a body that breaks off
            found = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
            try:
                return Stored(found["Body"].read(), found["ETag"])
            except (IncompleteReadError, ResponseStreamingError):
                tried += 1
                if tried == _TRIES:
                    raise

    def write(self, name: str, content: bytes, expected: str | None) -> None:
        condition = {"IfMatch": expected} if expected else {"IfNoneMatch": "*"}
        self._prove()
        try:
            with self._explained():
                self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=content, **condition)
        except FileNotFoundError as error:  # what a condition on an object that is gone gives
            raise ChangedError(name) from error
        except ChangedError:
            # Where the answer to a write was lost, boto3 writes again, and finds what it has written itself.
            found = self.read(name)
            if found is None or found.content != content:
                raise

    def _prove(self) -> None:
        """Refuse a store that takes no notice of conditions, before anything is written that relies on them.

        Raises:
            UserError: it wrote twice what was to be written once.
        """
        try:
            for _ in range(0 if self._proved else 2):
                with self._explained():
                    self._client.put_object(Bucket=self._bucket, Key=self._prefix + _PROOF, Body=b"", IfNoneMatch="*")
        except ChangedError:
            self._proved = True
        if not self._proved:
            raise UserError(
                f"{self.address}: this store ignores the condition of a write (If-None-Match), so that of two "
                "promotions at once both would win; take one that heeds it, such as AWS, MinIO or Ceph, or a folder"
            )

    def names(self, prefix: str) -> list[str]:
        with self._explained():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            return sorted(one["Key"].removeprefix(self._prefix) for page in pages for one in page.get("Contents", ()))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            with explained(self.address), _sorted():
                yield
        except UserError as error:
            raise UserError(f"{error}; the champion is as it was") from error


@contextmanager
def _sorted() -> Iterator[None]:
    """Tell the two ends that are no faults from those that are."""
    try:
        yield
    except ClientError as error:
        if code(error) in MISSING:
            raise FileNotFoundError from error
        if code(error) in CHANGED:
            raise ChangedError from error
        raise
