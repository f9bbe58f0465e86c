"""`make audit` asks about every locked package, and fails where one has a known hole."""

import json
import os
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.conftest import ROOT


class Advisories(ThreadingHTTPServer):
    """Answers as OSV's API does; knows one hole, or none."""

    def __init__(self, holed):
        super().__init__(("127.0.0.1", 0), Answer)
        self.holed, self.asked = holed, set()


class Answer(BaseHTTPRequestHandler):
    def do_POST(self):
        package = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
        self.server.asked.add(package)
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9999"}]}]
        affected = {"package": {"name": package, "ecosystem": "PyPI"}, "ranges": ranges}
        hole = {"id": "DRAWN-2026-1", "summary": "a hole", "aliases": [], "affected": [affected]}
        content = json.dumps({"vulns": [hole]} if package == self.server.holed else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("holed", [None, "pillow"])
def test_each_locked_package_is_asked_about_and_a_known_hole_fails(holed):
    server = Advisories(holed)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    done = subprocess.run(
        ["make", "audit", f"ADVISORIES=http://127.0.0.1:{server.server_port}/v1/query"],
        cwd=ROOT, env={**os.environ, "NO_PROXY": "*"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    server.shutdown()
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert {"tensorflow-cpu", "prefect", "pillow"} <= server.asked <= locked
    assert len(server.asked) > 0.9 * len(locked)  # the others are for other systems
    if holed:
        assert done.returncode
        assert re.search(r"pillow +\S+ +DRAWN-2026-1 +9999", done.stdout)
    else:
        assert done.returncode == 0, done.stderr
        assert "No known vulnerabilities found" in done.stderr
