"""A worker and the deployments that it serves, as a user has them."""

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from tests.workspaces import environment, run

HEARTBEAT, MISSED = 30, 2
"""Prefect's least heartbeat; two that fail to come are a crash."""


class Worker:
    """A Prefect worker in a session of its own, with all that it starts."""

    def __init__(self, limit: int = 1) -> None:
        call = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "gpu", "--limit", str(limit)]
        self._process = subprocess.Popen(
            call,
            env={**environment(), "PREFECT_WORKER_QUERY_SECONDS": "1"},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """End the worker and the flows' processes by SIGKILL, as a machine does that goes down."""
        processes = [psutil.Process(self._process.pid), *psutil.Process(self._process.pid).children(recursive=True)]
        for process in processes:
            with suppress(psutil.Error):  # it may have ended with the one before
                if "flows.leash" not in process.cmdline() and "tasks.train" not in process.cmdline():
                    process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End the worker as its user does."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


def deploy(folder: Path, limit: int = 1) -> None:
    """Deploy from a repository; the pool has this limit, whatever another test gave it."""
    options = ("--heartbeat", str(HEARTBEAT), "--missed", str(MISSED), "--limit", str(limit))
    run(folder, "python", "-m", "flows.deploy", *options)
    run(folder, "prefect", "work-pool", "update", "gpu", "--concurrency-limit", str(limit))


def schedule(folder: Path, deployment: str, name: str, *overrides: str, until: str | None = None) -> None:
    parameters = [f"overrides={list(overrides)}".replace("'", '"'), f'experiment="{name}"']
    parameters += [f'until="{until}"'] if until else []
    options = [option for parameter in parameters for option in ("--param", parameter)]
    run(folder, "prefect", "deployment", "run", deployment, "--flow-run-name", name, *options)
