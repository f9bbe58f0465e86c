"""The page's server as users start it, in a process of its own."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from playwright.sync_api import Error, sync_playwright

from tests.conftest import ROOT
from tests.tasks.ingest.stores import free_port


@contextmanager
def serving(*words: object, port: int | None = None) -> Iterator[str]:
    """Run `python -m serve.web`; yield its address once it answers."""
    port = port or free_port()
    command = [sys.executable, "-m", "serve.web", "--port", str(port), *map(str, words)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            with suppress(httpx.TransportError):
                httpx.get(f"{address}/healthz")
                break
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=20)


def browser() -> str | None:
    """Return the path of a Chromium: the system's, or else Playwright's own; None where there is none."""
    found = shutil.which("chromium") or os.environ.get("CHROMIUM")
    if found:
        return found
    with suppress(Error), sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        return own if Path(own).exists() else None
    return None
