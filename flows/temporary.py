"""A Prefect server for one run, where none is named: started at once, while the run still imports Prefect and DVC.

Prefect brings such a server too, but only once it is imported itself, out of a process that has to import the server
as well, and the run's end then waits for the server's. This one ends when the pipe to it is closed, as the system does
when the run's process ends, however it ends. What it was told lies in Prefect's own database.
"""

import gc
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Final

from tasks.common.errors import UserError, command

PATIENCE: Final = 120.0
"""Seconds that it may take to start; its database is made at the first start."""

_NAMING: Final = ("PREFECT_API_", "PREFECT_CLOUD_", "PREFECT_PROFILE", "PREFECT_SERVER_")
"""How variables begin that may name another server, or have a say in this one."""

_held: list[subprocess.Popen[bytes]] = []  # who lets go of the process closes the pipe to it


@command
def begin() -> None:
    """Start a server, unless something may name another one: Prefect then does what it says.

    It has to be called before Prefect is imported, which reads once where its server is. Where the server could keep no
    database, the process ends with a sentence.
    """
    if any(name.startswith(_NAMING) for name in os.environ):
        return
    home = _home()
    if any(path.exists() for path in (home / "profiles.toml", Path("prefect.toml"), Path(".env"))):
        return
    _reach_directly()
    with socket.create_server(("127.0.0.1", 0)) as listener:  # who calls before the server is up waits in line
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.temporary", str(listener.fileno())],
            stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()],
            start_new_session=True,  # a terminal's Ctrl-C is for the run alone, which still has to say how it ended
        )
        port = listener.getsockname()[1]
    _held.append(process)
    os.environ |= {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_UI_URL": ""}  # it has no pages


def _home() -> Path:
    """Return Prefect's folder, in which the server keeps its database.

    Raises:
        UserError: nobody has said where it is, or it can't be written to.
    """
    try:
        home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect").expanduser()
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            return home
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"Prefect's folder can't be written to ({error}); name another, as in `export PREFECT_HOME=/tmp/prefect`"
        ) from error


def _reach_directly() -> None:
    """Have this process, and what it starts, ask no proxy that the environment names for what is on this machine."""
    excepted = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    named = [name for name in os.environ if name.lower().endswith("_proxy") and name.lower() != "no_proxy"]
    if named and excepted != "*":
        excepted = ",".join(filter(None, [excepted, "127.0.0.1", "localhost"]))
        os.environ |= {"no_proxy": excepted, "NO_PROXY": excepted}


def wait() -> None:
    """Wait until the server that `begin` started answers, and say that there is one; without one, return at once.

    Raises:
        UserError: it ended, or took too long.
    """
    if not _held:
        return
    import httpx  # noqa: PLC0415 - before `begin`, every import is time lost

    from tasks.common.console import say  # noqa: PLC0415

    try:
        httpx.get(f"{os.environ['PREFECT_API_URL']}/health", timeout=PATIENCE).raise_for_status()
    except httpx.HTTPError as error:
        raise UserError(
            f"the run's own Prefect server did not start ({error}); what it said stands above, and `make server` "
            "starts one that stays"
        ) from error
    say("no Prefect server is named (PREFECT_API_URL): the run brings its own, which ends with it")


def main() -> None:
    """Serve at the socket that is handed over, until standard input is closed."""
    serving: list[Any] = []
    threading.Thread(target=_end_with_holder, args=(serving,), daemon=True).start()
    gc.disable()  # nothing of what is imported is ever collected; looking for it takes a fifth of the time
    import uvicorn  # noqa: PLC0415 - slow, and the holder may be gone before it is done
    from prefect.server.api.server import create_app  # noqa: PLC0415

    app = create_app(ephemeral=True, final=True)
    gc.freeze()
    gc.enable()
    serving.append(uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=5)))
    serving[0].run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


def _end_with_holder(serving: list[Any]) -> None:
    while os.read(0, 1024):
        pass
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nothing, stream)  # who reads what the run wrote need not wait for this end
    if not serving:
        os._exit(0)
    serving[0].should_exit = True


if __name__ == "__main__":
    main()
