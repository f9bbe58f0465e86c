"""Sources on the web: a server on loopback, and the guards."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tasks.common import paths
from tasks.common.errors import UserError
from tasks.ingest import download
from tasks.ingest.__main__ import ingest
from tasks.ingest.registry import read_source
from tasks.ingest.source import BadRows, Source
from tasks.ingest.web import ALLOW_PRIVATE, without_secrets

from .helpers import assert_same, csv_of, some_faces

FACES = some_faces(60)
CONTENT = csv_of(FACES)


class Site:
    """What a server has, and how it gives it."""

    def __init__(self) -> None:
        self.content, self.etag, self.ranges, self.tells_size = CONTENT, '"one"', True, True
        self.modified = ""
        self.requests: list[str] = []
        self.before: Callable[[int], int | None] = lambda number: None
        """Takes the number of a request; may give a status to fail with."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        site = self.site
        site.requests.append(self.path)
        status = site.before(len(site.requests))
        if status:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("Location", self.path[4:])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")) if site.ranges else None
        asked = self.headers.get("If-Range")
        if span and (asked is None or (asked in (site.etag, site.modified) and not asked.startswith("W/"))):
            start, end = int(span[1]), int(span[2]) + 1
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(site.content)}")
            body = site.content[start:end]
        else:
            self.send_response(200)
            body = site.content
        for name, value in (("ETag", site.etag), ("Last-Modified", site.modified)):
            if value:
                self.send_header(name, value)
        if site.tells_size:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Site, str]]:
    """A site and its address; the loopback is allowed, and parts are small beside the file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    monkeypatch.setattr(download, "PART", 1 << 16)
    monkeypatch.setattr(download, "PAUSE", 0.01)
    one = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Handler,), {"site": one}))
    with ExitStack() as stack:
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        Thread(target=server.serve_forever, daemon=True).start()
        yield one, f"http://127.0.0.1:{server.server_address[1]}"


def read(address: str) -> Source:
    return read_source(address, BadRows(0), Path("work"))


def faults(*cases):
    """Return parameters, each with its place in the table of faults."""
    return [pytest.param(*rest, marks=pytest.mark.fault("ingest from the web", what), id=what) for what, *rest in cases]


def test_a_file_comes_in_parts_and_only_once(site):
    server, address = site
    source = read(f"{address}/sets/fer2013.csv")
    assert_same(source.faces, FACES)
    assert source.name == "fer2013.csv"
    parts = -(-len(CONTENT) // (1 << 16))
    assert len(server.requests) == 1 + parts
    assert read(f"{address}/sets/fer2013.csv").sha256 == source.sha256
    assert len(server.requests) == 1 + parts + 1
    other = some_faces(60, seed=1)
    server.content, server.etag = csv_of(other), '"two"'
    assert_same(read(f"{address}/sets/fer2013.csv").faces, other)


def test_a_server_without_parts_gives_the_whole(site):
    server, address = site
    server.ranges = False
    assert_same(read(f"{address}/fer2013.csv").faces, FACES)
    assert len(server.requests) == 2


def test_a_weak_tag_is_not_asked_for_again(site):
    # A server that keeps to RFC 9110 never finds a weak tag equal in If-Range, and sends the whole.
    server, address = site
    server.etag = 'W/"one"'
    assert_same(read(f"{address}/fer2013.csv").faces, FACES)


@pytest.mark.parametrize("tag", ["Wed, 21 Oct 2015 07:28:00 GMT", '"a-tag"'])
def test_files_that_only_a_query_tells_apart_are_not_taken_for_each_other(site, tag):
    server, address = site
    server.etag, server.modified = ("", tag) if tag.endswith("GMT") else (tag, "")
    assert_same(read(f"{address}/get?id=1").faces, FACES)
    before = len(server.requests)
    other = some_faces(60, seed=1)
    server.content = csv_of(other) if server.modified else CONTENT
    assert_same(read(f"{address}/get?id=2").faces, other if server.modified else FACES)
    # Equal tags are equal bytes: an address that was signed anew brings nothing anew.
    assert (len(server.requests) > before + 1) is bool(server.modified)


@pytest.mark.fault("ingest from the web", "the file is replaced while it comes")
def test_a_file_that_is_replaced_while_it_comes_is_never_mixed(site, seen):
    server, address = site
    other = some_faces(60, seed=1)

    def replace(number):
        if number == 4:
            server.content, server.etag = csv_of(other), '"two"'

    server.before = replace
    with pytest.raises(UserError, match="it was replaced while it came") as raised:
        read(f"{address}/fer2013.csv")
    seen(raised.value)
    assert_same(read(f"{address}/fer2013.csv").faces, other)


@pytest.mark.fault("ingest from the web", "503 Service Unavailable, three times")
def test_what_passes_is_waited_out(site, seen):
    server, address = site
    server.before = lambda number: 503 if number in (1, 3, 4, 5) else None
    assert_same(read(f"{address}/fer2013.csv").faces, FACES)
    seen("waited out")


@pytest.mark.parametrize(
    ("change", "path", "sentence"),
    faults(
        ("404 Not Found", {"before": lambda number: 404}, "/fer2013.csv", "404 Not Found; open it in a browser"),
        (
            "503 Service Unavailable at the first question",
            {"before": lambda number: 503},
            "/fer2013.csv",
            "503 Service Unavailable; check the address",
        ),
        (
            "503 Service Unavailable for all parts but two",
            {"before": lambda number: 503 if number > 3 else None},
            "/fer2013.csv",
            "broke off 5 times",
        ),
        (
            "the server does not tell the size",
            {"tells_size": False, "ranges": False},
            "/fer2013.csv",
            "does not tell its size; fetch it yourself",
        ),
        (
            "a redirection to another protocol",
            {},
            "/to?ftp://example.org/fer2013.csv",
            "leads to ftp://example.org/fer2013.csv, which is not https",
        ),
        ("redirections without end", {}, "/to?" + 9 * "/to?" + "/fer2013.csv", "leads on more than 5 times"),
    ),
)
def test_what_does_not_pass_is_said_and_leaves_what_was_there(site, change, path, sentence, seen):
    server, address = site
    Path("before.csv").write_bytes(csv_of(some_faces(9)))
    ingest("before.csv")
    before = paths.PROVENANCE.read_bytes()
    vars(server).update(change)
    with pytest.raises(UserError, match=re.escape(sentence)) as raised:
        ingest(f"{address}{path}")
    assert paths.PROVENANCE.read_bytes() == before
    seen(raised.value)


def test_a_redirection_is_followed(site):
    _, address = site
    assert_same(read(f"{address}/to?/fer2013.csv").faces, FACES)


@pytest.mark.parametrize(
    ("location", "sentence"),
    [("http://[bad/x.csv", "Invalid IPv6 URL|Invalid port"), ("http://127.0.0.1:abc/x.csv", "Invalid port: 'abc'")],
)
def test_a_redirection_to_what_is_no_address_is_said(site, location, sentence):
    _, address = site
    with pytest.raises(UserError, match=rf"^{address}/to: .*({sentence})"):
        read(f"{address}/to?{location}")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "192.168.1.1"])
def test_private_addresses_are_refused_unless_allowed(site, monkeypatch, host):
    server, _ = site
    monkeypatch.delenv(ALLOW_PRIVATE)
    with pytest.raises(UserError, match=rf"a private address; set {ALLOW_PRIVATE}=1 if you mean it"):
        read(f"https://{host}/fer2013.csv")
    assert not server.requests


def test_a_redirection_into_a_private_network_is_refused(site, monkeypatch):
    from tasks.ingest import web  # noqa: PLC0415

    _, address = site
    seen = []
    real = web._check_address  # the loopback stands for the world outside, once

    def check(url, shown):
        if seen:
            real(url, shown)
        seen.append(url)

    monkeypatch.setattr(web, "_check_address", check)
    monkeypatch.setattr(web, "_check_ip", lambda ip, shown, real=web._check_ip: seen[1:] and real(ip, shown))
    monkeypatch.delenv(ALLOW_PRIVATE)
    with pytest.raises(UserError, match=r"leads to 10\.1\.2\.3, a private address"):
        read(f"{address}/to?http://10.1.2.3/fer2013.csv")


def test_secrets_of_an_address_are_shown_nowhere(site, capsys):
    _, address = site
    secret = address.replace("http://", "http://user:planted-secret@") + "/fer2013.csv?token=planted-token#x"
    assert without_secrets(secret) == f"{address}/fer2013.csv"
    ingest(secret)
    left = b"".join(path.read_bytes() for path in Path().rglob("*") if path.is_file()).decode("latin-1")
    assert json.loads(paths.PROVENANCE.read_text())["origin"]["url"] == f"{address}/fer2013.csv"
    assert "planted" not in left + "".join(capsys.readouterr())


def test_hosts_that_are_none_are_said(site):
    with pytest.raises(UserError, match="no such host"):
        read("https://no-such-host.invalid/fer2013.csv")
    with pytest.raises(UserError, match="no host in it"):
        read("https:///fer2013.csv")


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:abc/x.csv",
        "http://127.0.0.1:99999/x.csv",
        "http://[bad/x.csv",
        "http://127.0.0.1/\x01.csv",
    ],
)
def test_addresses_that_are_none_are_said(site, address):
    with pytest.raises(UserError, match=rf"^{re.escape(address)}: no address.*; expected https://host/path"):
        read(address)
