"""A real Prefect server on a free port, for all tests of this folder, and workspaces to run flows in."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from tests.flows.pool import Worker
from tests.workspaces import commit, environment

TOY = """
import os, sys, time, yaml
epochs = yaml.safe_load(open("params.yaml"))["train"]["epochs"]
for epoch in range(1, epochs + 1):
    time.sleep(0.5)
    print(f"epoch {epoch}/{epochs}: loss 1", flush=True)
os.makedirs("outputs", exist_ok=True)  # a clone has none
open("outputs/toy.txt", "w").write(str(epochs))
"""

STAGES: dict[str, dict[str, Any]] = {
    "prepare": {"cmd": "echo prepared", "deps": ["data/faces.parquet"], "outs": []},
    "train": {
        "cmd": "python toy.py",
        "deps": ["toy.py"],
        "params": ["train.epochs"],
        "outs": ["outputs/toy.txt"],
        "meta": {"device": True, "retries": 2},
    },
}
"""A graph that takes half a second an epoch: what is tried is what becomes of it, not what it computes."""


class Server:
    """A Prefect server that can go away and come back."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.home = home
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port)],
            env={**environment(), "PREFECT_HOME": str(self.home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(self._answers, 120)

    def stop(self) -> None:
        """End it, and wait until nobody listens."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/health").status_code == 200
        return False

    def ask(self, path: str, **what: Any) -> Any:
        """Post a question to the API and return its answer."""
        answer = httpx.post(f"{self.url}/{path}", json=what, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def flow_run(self, name: str) -> dict[str, Any]:
        """Return a flow run by its name."""
        return self.ask("flow_runs/filter", flow_runs={"name": {"any_": [name]}})[0]

    def task_runs(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the task runs of the flow runs of a name, by their own names; of several, the last."""
        runs = self.ask("task_runs/filter", flow_runs={"name": {"any_": [name]}}, sort="END_TIME_DESC")[::-1]
        return {run["name"]: run for run in runs}

    def artifacts(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the artifacts of a flow run, by their keys."""
        return {one["key"]: one for one in self.ask("artifacts/filter", flow_runs={"name": {"any_": [name]}})}

    def log(self, name: str) -> str:
        """Return all lines that the server has of a flow run; none where it does not know it yet."""
        runs = self.ask("flow_runs/filter", flow_runs={"name": {"any_": [name]}})
        if not runs:
            return ""
        which = {"flow_run_id": {"any_": [runs[0]["id"]]}}
        lines, offset = [], 0
        while page := self.ask("logs/filter", logs=which, sort="TIMESTAMP_ASC", limit=200, offset=offset):
            lines += [line["message"] for line in page]
            offset += len(page)
        return "\n".join(lines)

    def story(self, name: str) -> str:
        """Return all states of a flow run and all its lines, in their order."""
        run = self.flow_run(name)["id"]
        states = httpx.get(f"{self.url}/flow_run_states/", params={"flow_run_id": run}, timeout=30).json()
        said = [(state["timestamp"], f"state {state['name']}: {state['message']}") for state in states]
        which = {"flow_run_id": {"any_": [run]}}
        said += [(line["timestamp"], line["message"]) for line in self.ask("logs/filter", logs=which, limit=200)]
        return "\n".join(f"{when} {what}" for when, what in sorted(said))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
    """Show what became of the flow runs of a test that fails: all that is left of them, after the machine is gone."""
    report = yield
    server = getattr(item, "funcargs", {}).get("server")
    if call.when == "call" and report.failed and server:
        since = {"start_time": {"after_": datetime.fromtimestamp(call.start, UTC).isoformat()}}
        with suppress(httpx.HTTPError):
            for run in server.ask("flow_runs/filter", flow_runs=since):
                report.sections.append((f"flow run {run['name']}", server.story(run["name"])))
    return report


def until(true: Callable[[], Any], seconds: float) -> Any:
    """Wait until something is true, and return it."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.3)
    return found


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server; what tests start reports to it."""
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", server.url)
        yield server
    server.stop()


@pytest.fixture
def workers() -> Iterator[list[Worker]]:
    """A list for the workers of a test, which are ended after it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so would they
    started: list[Worker] = []
    yield started
    for worker in started:
        worker.stop()


@pytest.fixture
def messages() -> Iterator[tuple[int, list[dict[str, str]]]]:
    """A port on which somebody listens, and the messages that come."""
    came: list[dict[str, str]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, came
    server.shutdown()


@pytest.fixture(scope="module")
def workspace(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one full run on few faces."""
    return shutil.copytree(finished_workspace, tmp_path_factory.mktemp("flows") / "workspace")


@pytest.fixture
def toy(finished_workspace: Path, tmp_path: Path) -> Path:
    """The same with a graph of toy stages in the place of the real ones, whose results lie there."""
    folder = shutil.copytree(finished_workspace, tmp_path / "toy")
    (folder / "toy.py").write_text(TOY)
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}, sort_keys=False))
    (folder / "dvc.lock").unlink()
    commit(folder, "toy")
    return folder


def stages(folder: Path) -> list[psutil.Process]:
    """Return the processes of stages that run in a folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        line = " ".join(process.info["cmdline"] or [])
        if process.info["cwd"] == str(folder) and ("toy.py" in line or "tasks.train" in line) and "-c" not in line:
            found.append(process)
    return found


def servers(folder: Path) -> list[psutil.Process]:
    """Return the servers that runs in a folder have brought."""
    found = psutil.process_iter(["cmdline", "cwd"])
    return [one for one in found if one.info["cwd"] == str(folder) and "flows.temporary" in (one.info["cmdline"] or [])]


def exps(folder: Path) -> dict[str, Any]:
    """Return what `dvc exp show` knows of each experiment."""
    shown = json.loads(
        subprocess.run(
            ["dvc", "exp", "show", "--json"], cwd=folder, env=environment(), capture_output=True, text=True, check=True
        ).stdout
    )
    return {one["name"]: one["revs"][0]["data"] for line in shown for one in line["experiments"] or []}
