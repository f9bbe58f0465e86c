"""A source in an object store: `s3://bucket/key`, or a prefix that holds a folder of images."""

import re
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Final

from botocore.exceptions import ClientError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError

from tasks.common.console import progress
from tasks.common.errors import UserError
from tasks.common.files import replacing
from tasks.common.provenance import Origin
from tasks.ingest.download import WORKERS, BrokenError, Remote, download, shelf, transfer
from tasks.ingest.source import Fetched
from tasks.object_store import BUSY, CHANGED, MISSING, check_bucket, code, connect, explained

CHUNK: Final = 1 << 20

MAX_OBJECTS: Final = 500_000
"""Most objects under a prefix, as of the members of an archive."""

_ADDRESS: Final = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<key>.+)", re.IGNORECASE)


def fetch(source: str) -> Fetched:
    """Bring an object here as a file, or all objects below a prefix as a folder.

    Credentials, region and endpoint are found as boto3 finds them (profile, environment, role of the instance,
    `AWS_ENDPOINT_URL`).

    Raises:
        UserError: the store does not give it.
    """
    if bucket := source.partition(":")[2].lstrip("/").partition("/")[0]:
        check_bucket(bucket)  # before anything is said that shows the address
    match = _ADDRESS.fullmatch(source)
    if not match:
        raise UserError(f"{source}: expected s3://bucket/key, the key of an object or the prefix of a folder of images")
    with explained(source):
        store = _Store(source, match["bucket"], match["key"])
        found = None if store.key.endswith("/") else store.head()
        path, origin = store.object(found) if found else store.folder()
    return Fetched(path, origin)


class _Store:
    """The bucket, and what is asked for in it."""

    def __init__(self, address: str, bucket: str, key: str) -> None:
        self.address, self.bucket, self.key = address, bucket, key
        self.client = connect(WORKERS)

    def head(self) -> dict[str, Any] | None:
        """Return what the store says of the object; None where there is none."""
        try:
            found: dict[str, Any] = self.client.head_object(Bucket=self.bucket, Key=self.key)
        except ClientError as error:
            if code(error) in MISSING:
                return None
            raise
        return found

    def remote(self, key: str, size: int, etag: str, version: str | None = None) -> Remote:
        """Return an object as something to download, held to what was found of it."""
        wanted = {"Bucket": self.bucket, "Key": key, "IfMatch": etag} | ({"VersionId": version} if version else {})
        address = f"s3://{self.bucket}/{key}"

        def read(start: int, end: int) -> Generator[bytes]:
            with _transfer(address):
                found = self.client.get_object(**wanted, Range=f"bytes={start}-{end - 1}")
                with closing(found["Body"]) as body:
                    # Some stores take no notice of If-Match, and some list ETags without their quotes.
                    if found.get("ETag", etag).strip('"') != etag.strip('"'):
                        raise _replaced(address)
                    yield from body.iter_chunks(CHUNK)

        return Remote(address, PurePosixPath(key).name, size, f"{etag} {version or ''}", read)

    def object(self, found: dict[str, Any]) -> tuple[Path, Origin]:
        """Bring the object here."""
        version = found.get("VersionId")
        version = None if version == "null" else version
        path = download(self.remote(self.key, found["ContentLength"], found["ETag"], version))
        return path, Origin(url=self.address, etag=found["ETag"].strip('"'), version=version)

    def folder(self) -> tuple[Path, Origin]:
        """Bring all objects below the prefix here; those that an earlier try has brought are not fetched again."""
        listed = self._list()
        tag = sha256("\n".join(f"{name} {one.size} {one.tag}" for name, one in listed.items()).encode()).hexdigest()
        root = shelf(self.address, tag) / PurePosixPath(self.key.rstrip("/")).name
        missing = {name: one for name, one in listed.items() if not (root / name).exists()}
        with ThreadPoolExecutor(WORKERS) as pool, progress("download", len(listed), "objects") as bar:
            bar.advance(len(listed) - len(missing))
            futures = [pool.submit(_bring, one, root / name) for name, one in missing.items()]
            try:
                for future in as_completed(futures):
                    future.result()
                    bar.advance()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        return root, Origin(url=self.address, etag=tag, version=None)

    def _list(self) -> dict[str, Remote]:
        """Return the objects below the prefix by the rest of their keys, sorted."""
        prefix = self.key.rstrip("/") + "/"
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        listed: dict[str, Remote] = {}
        for one in (one for page in pages for one in page.get("Contents", ())):
            name = one["Key"].removeprefix(prefix)
            if not name or name.endswith("/"):
                continue  # what stands for a folder in a console
            if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts:
                raise UserError(f"{self.address}: object {one['Key']!r} climbs out of the folder; refused")
            listed[name] = self.remote(one["Key"], one["Size"], one["ETag"])
            if len(listed) > MAX_OBJECTS:
                raise UserError(f"{self.address}: holds more than the {MAX_OBJECTS:,} objects accepted; pack them")
        if not listed:
            raise UserError(f"{self.address}: there is no such object, and nothing below {prefix}")
        return dict(sorted(listed.items()))


def _bring(remote: Remote, path: Path) -> None:
    with replacing(path) as beside, beside.open("wb") as file:
        transfer(remote, file.fileno(), 0, remote.size)


@contextmanager
def _transfer(address: str) -> Iterator[None]:
    """Tell what may go through at another try from what may not."""
    try:
        yield
    except (IncompleteReadError, ReadTimeoutError, ResponseStreamingError) as error:
        raise BrokenError(str(error)) from error
    except ClientError as error:
        if code(error) in BUSY:
            raise BrokenError(str(error)) from error
        if code(error) in CHANGED:
            raise _replaced(address) from error
        raise


def _replaced(address: str) -> UserError:
    return UserError(f"{address}: it was replaced while it came; the same command brings the new one")
