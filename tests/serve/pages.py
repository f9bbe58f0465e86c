"""The page's server as users start it, in a process of its own."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from playwright.sync_api import Error, sync_playwright

from tests.conftest import ROOT
from tests.tasks.ingest.stores import free_port


@contextmanager
def serving(*words: object, port: int | None = None, log: Path | None = None) -> Iterator[str]:
    """Run `python -m serve.web`; yield its address once it answers; what it says lands in the log."""
    port = port or free_port()
    command = [sys.executable, "-m", "serve.web", "--port", str(port), *map(str, words)]
    said = log.open("w+") if log else tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed below
    process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            with suppress(httpx.TransportError):
                httpx.get(f"{address}/healthz")
                break
            if process.poll() is not None or time.monotonic() > deadline:
                said.seek(0)
                raise AssertionError(said.read())
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)
        said.close()


def browser() -> str | None:
    """Return the path of a Chromium: the system's, or else Playwright's own; None where there is none."""
    found = shutil.which("chromium") or os.environ.get("CHROMIUM")
    if found:
        return found
    with suppress(Error), sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        return own if Path(own).exists() else None
    return None
