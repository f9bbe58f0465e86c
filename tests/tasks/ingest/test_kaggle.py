"""Sources at Kaggle: Kaggle's own client, and a server where that client looks for one under test."""

import io
import json
import socket
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from tasks.common.errors import UserError
from tasks.ingest.registry import read_source
from tasks.ingest.source import BadRows, Source

from .helpers import assert_same, csv_of, some_faces

FACES = some_faces(9)
PORT = 7777  # of kagglesdk's environment TEST


def archive() -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as packed:
        packed.writestr("fer2013.csv", csv_of(FACES))
    return memory.getvalue()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[tuple[str, dict]]] = []

    def do_POST(self) -> None:
        call = self.path.rsplit("/", 1)[-1]
        what = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((call, what))
        name = what.get("datasetSlug") or what.get("competitionName")
        if name == "gone":
            self._send(404, b'{"message": "Not found"}', "application/json")
        elif name == "closed":
            self._send(403, b'{"message": "Forbidden"}', "application/json")
        elif name == "busy":
            self._send(503, b"", "text/plain")
        elif call == "GetDataset":
            self._send(200, b'{"currentVersionNumber": 3}', "application/json")
        else:
            self._send(200, archive(), "application/zip")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    with suppress(OSError), socket.create_connection(("127.0.0.1", PORT), timeout=0.2):
        pytest.skip(f"somebody listens on port {PORT}")
    one = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    Thread(target=one.serve_forever, daemon=True).start()
    yield
    one.shutdown()
    one.server_close()


@pytest.fixture
def kaggle(server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict]]:
    """Return what is asked of the server."""
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    Handler.asked.clear()
    return Handler.asked


def read(source: str) -> Source:
    return read_source(source, BadRows(0), Path("work"))


def test_a_data_set_is_fetched_once_and_its_version_is_known(kaggle):
    source = read("kaggle:somebody/fer2013")
    assert_same(source.faces, FACES)
    assert (source.name, source.layout) == ("fer2013", "fer2013.csv")
    assert (source.origin.url, source.origin.version) == ("kaggle:somebody/fer2013", "3")
    assert [call for call, _ in kaggle] == ["GetDataset", "DownloadDataset"]
    read("kaggle:somebody/fer2013")
    assert [call for call, _ in kaggle].count("DownloadDataset") == 1


def test_the_data_of_a_competition_needs_a_token(kaggle, monkeypatch):
    with pytest.raises(UserError, match=r"Kaggle wants to know who asks; make a token at https://www\.kaggle\.com"):
        read("kaggle:competition/faces")
    monkeypatch.setenv("KAGGLE_USERNAME", "somebody")
    monkeypatch.setenv("KAGGLE_KEY", "planted-secret")
    source = read("kaggle:competition/faces")
    assert_same(source.faces, FACES)
    assert source.origin.version is None
    assert "planted" not in repr(source)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("kaggle:somebody/gone", "there is no such data set at Kaggle"),
        ("kaggle:somebody/closed", r"Kaggle refuses it \(403\); make a token"),
        ("kaggle:somebody/busy", "Kaggle answers 503; try again later"),
        ("kaggle:fer2013", "expected kaggle:owner/dataset, or kaggle:competition/name"),
    ],
)
def test_what_kaggle_does_not_give_is_said(kaggle, source, sentence):
    with pytest.raises(UserError, match=sentence) as raised:
        read(source)
    assert "\n" not in str(raised.value)
