"""A source on the web: `https://…`, fetched with care for where the address leads."""

import ipaddress
import os
import re
import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import httpx

from tasks.common.errors import UserError
from tasks.common.provenance import Origin
from tasks.ingest.download import BrokenError, Remote, download, patiently
from tasks.ingest.source import Fetched

ALLOW_PRIVATE: Final = "FACIAL_EMOTION_ALLOW_PRIVATE"
"""Set to 1, this variable lets addresses lead into private networks."""

MAX_BYTES: Final = 50 * 10**9
"""Largest file that is fetched."""

REDIRECTS: Final = 5
CHUNK: Final = 1 << 20

_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which another try may go through."""


def fetch(source: str) -> Fetched:
    """Bring a file from the web here.

    Raises:
        UserError: it can't be had, or leads into a private network.
    """
    shown = without_secrets(source)
    with httpx.Client(timeout=httpx.Timeout(60, connect=10), headers={"Accept-Encoding": "identity"}) as client:
        try:
            found = patiently(lambda: _find(client, source))
            path = download(_remote(client, found, shown))
        except BrokenError as error:
            raise UserError(f"{shown}: {error}; check the address and the network, then run it again") from error
    return Fetched(path, Origin(url=shown, etag=found.etag, version=None))


def without_secrets(url: str) -> str:
    """Return an address without user, password, query and fragment, in which secrets may be.

    Raises:
        UserError: it can't be taken apart.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is looked at no sooner
    except ValueError:
        shown = re.split(r"[?#]", url.rpartition("@")[2])[0]
        # Without the cause, whose words may show a password.
        raise UserError(f"{shown}: no address; expected https://host/path, or https://host:443/path") from None
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@dataclass(frozen=True)
class _Found:
    """Where an address leads in the end, and what lies there.

    Attributes:
        url: after all redirects.
        size: bytes.
        etag: the server's tag of this version, or when it was changed last; None where it tells neither.
        ranged: whether the server gives parts.
    """

    url: str
    size: int
    etag: str | None
    ranged: bool


def _find(client: httpx.Client, url: str) -> _Found:
    shown = without_secrets(url)
    for _ in range(REDIRECTS + 1):
        _check_address(url, shown)
        with _sent(client, url, {"Range": "bytes=0-0"}, shown) as answer:
            if answer.is_redirect:
                url = _next(url, answer.headers.get("Location", ""), shown)
                continue
            return _described(url, answer, shown)
    raise UserError(f"{shown}: leads on more than {REDIRECTS} times; give the address where it ends")


def _next(url: str, location: str, shown: str) -> str:
    try:
        url = urljoin(url, location)
        scheme = urlsplit(url).scheme
    except ValueError as error:
        raise UserError(f"{shown}: leads on to what is no address ({error}); fetch it yourself") from error
    if scheme not in ("http", "https") or (scheme == "http" and shown.startswith("https:")):
        raise UserError(f"{shown}: leads to {without_secrets(url)}, which is not https; refused")
    return url


def _described(url: str, answer: httpx.Response, shown: str) -> _Found:
    whole = re.fullmatch(r"bytes 0-0/(\d+)", answer.headers.get("Content-Range", ""))
    ranged = answer.status_code == httpx.codes.PARTIAL_CONTENT and whole is not None
    length = whole[1] if ranged and whole else answer.headers.get("Content-Length", "")
    if not length.isdigit():
        raise UserError(f"{shown}: the server does not tell its size; fetch it yourself, and give the file")
    if int(length) > MAX_BYTES:
        raise UserError(f"{shown}: {int(length):,} bytes, more than the {MAX_BYTES:,} accepted")
    etag = answer.headers.get("ETag", "")
    strong = etag and not etag.startswith("W/")  # with a weak one, a server has to send the whole (RFC 9110, 13.1.5)
    return _Found(url, int(length), etag if strong else answer.headers.get("Last-Modified"), ranged)


def _remote(client: httpx.Client, found: _Found, shown: str) -> Remote:
    def read(start: int, end: int) -> Generator[bytes]:
        headers = {"Range": f"bytes={start}-{end - 1}"} if found.ranged else {}
        if found.ranged and found.etag:
            headers["If-Range"] = found.etag
        with _sent(client, found.url, headers, shown) as answer:
            if found.ranged and answer.status_code != httpx.codes.PARTIAL_CONTENT:
                raise UserError(f"{shown}: it was replaced while it came; the same command brings the new one")
            skipped = 0 if found.ranged else start
            for chunk in answer.iter_raw(CHUNK):
                kept = chunk[skipped:]
                skipped = max(skipped - len(chunk), 0)
                if kept:
                    yield kept

    name = unquote(PurePosixPath(urlsplit(found.url).path).name) or "download"
    name = re.sub(r"[^\w.-]", "_", name).lstrip(".") or "download"
    # Without a tag, equal sizes would be taken for equal bytes: such a file is fetched each time.
    tag = found.etag or os.urandom(8).hex()
    if not tag.startswith('"'):  # a time, which two files of one path may share that a query tells apart
        tag += f" {sha256(urlsplit(found.url).query.encode()).hexdigest()}"
    return Remote(shown, name, found.size, tag, read, whole=not found.ranged)


@contextmanager
def _sent(client: httpx.Client, url: str, headers: dict[str, str], shown: str) -> Iterator[httpx.Response]:
    """Ask for an address, and check who answers and how."""
    try:
        with client.stream("GET", url, headers=headers) as answer:
            stream = answer.extensions.get("network_stream")
            peer = stream.get_extra_info("server_addr") if stream else None
            if peer:
                _check_ip(peer[0], shown)  # a name may lead elsewhere than a moment ago
            if answer.status_code in _BUSY:
                raise BrokenError(f"{answer.status_code} {answer.reason_phrase}")
            if answer.is_error:
                raise UserError(
                    f"{shown}: {answer.status_code} {answer.reason_phrase}; open it in a browser to see why"
                )
            yield answer
    except httpx.InvalidURL as error:
        raise UserError(
            f"{shown}: no address ({error}); expected https://host/path, or https://host:443/path"
        ) from error
    except httpx.HTTPError as error:
        raise BrokenError(str(error) or type(error).__name__) from error


def _check_address(url: str, shown: str) -> None:
    host = urlsplit(url).hostname
    if not host:
        raise UserError(f"{shown}: no host in it; expected https://host/path")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UserError(f"{shown}: no such host ({error}); check the address and the network") from error
    for _, _, _, _, address in found:
        _check_ip(str(address[0]), shown)


def _check_ip(ip: str, shown: str) -> None:
    if not ipaddress.ip_address(ip.partition("%")[0]).is_global and os.environ.get(ALLOW_PRIVATE) != "1":
        raise UserError(f"{shown}: leads to {ip}, a private address; set {ALLOW_PRIVATE}=1 if you mean it")
