"""Commands on a leash: each in a process group of its own, which ends when the one who holds the leash ends.

`Leash` starts this module as a process and writes commands to its standard input, one JSON list a line. A pipe is
closed by the system when its writer dies, however it dies: that is what ends the group, so that no killed flow leaves a
training behind that keeps the device and DVC's lock. DVC itself is imported once and forked for each command, which
spares every stage its start.
"""

import gc
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

GRACE: Final = 3.0
"""Seconds from one signal to the next stronger one."""

NOBODY: Final = "facial-emotion"
"""Who commits experiments where git knows no user, as on a bare machine."""

_END: Final = "\x1e"  # begins the line that tells the exit status: no command writes this control character


class Leash:
    """A context manager inside which `run` runs commands in one folder, one at a time."""

    def __init__(self, folder: Path, variables: Mapping[str, str] = MappingProxyType({})) -> None:
        """Start the process that holds commands in `folder`, with some environment variables more."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flows.leash"],
            cwd=folder,
            env={**_environment(folder), **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # a terminal's Ctrl-C is for the holder alone
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End what still runs, and wait until it has ended."""
        self.let_go()
        self._process.wait()

    def let_go(self) -> None:
        """End what still runs; another thread may do it, while `run` waits."""
        if self._process.stdin:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def run(self, command: list[str], hear: Callable[[str], None] = lambda _: None) -> int:
        """Run a command to its end and return its exit status, below 0 for a signal; `hear` gets each line at once.

        Raises:
            RuntimeError: the process that holds the command was itself killed.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the leash has no pipes")
        stdin.write(json.dumps(command) + "\n")
        stdin.flush()
        for line in stdout:
            text, end, status = line.rstrip("\n").partition(_END)
            if text or not end:
                hear(text)
            if end:
                return int(status)
        raise RuntimeError(f"`{' '.join(command)}`: the process that ran it was killed")


def _environment(folder: Path) -> dict[str, str]:
    """Return the variables of a command: `python` and `dvc` are the project's, and git knows a name to commit by."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    known = (
        subprocess.run(["git", "config", "user.email"], cwd=folder, capture_output=True, check=False).returncode == 0
    )
    identity = {f"GIT_{who}_{what}": NOBODY for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return {**({} if known else identity), **os.environ, "PATH": path, "GIT_TERMINAL_PROMPT": "0"}


def main() -> None:
    """Serve commands from standard input until it is closed."""
    _load_dvc()
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    unread = b""
    while True:
        chunk = os.read(0, 65536)
        if not chunk:
            return
        unread += chunk
        while b"\n" in unread:
            command, _, unread = unread.partition(b"\n")
            status = _hold(_start(json.loads(command)), woken)
            os.write(1, f"{_END}{status}\n".encode())


def _load_dvc() -> None:
    """Import what every command of DVC needs: most of it comes only when one is run."""
    gc.disable()  # nothing of it is ever collected
    from dvc.cli import main as dvc  # noqa: PLC0415 - the holder of a leash does not need it

    with Path(os.devnull).open("w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
        dvc(["stage", "list", "--quiet"])
    gc.freeze()  # nor looked at by the commands, which share its memory
    gc.enable()


def _start(command: list[str]) -> int:
    """Fork a process for the command, the leader of a group of its own; return its number."""
    process = os.fork()
    if process:
        return process
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    if command[0] != "dvc":
        try:
            os.execvp(command[0], command)  # noqa: S606 - a list, no shell
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", flush=True)  # noqa: T201
            os._exit(127)
    from dvc.cli import main as dvc  # noqa: PLC0415

    sys.argv = command
    status = dvc(command[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _hold(process: int, woken: int) -> int:
    """Wait for the end of a command and return its status; where the leash is let go of, end its group first."""
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
        if 0 in ready:  # the holder writes nothing while a command runs: it has gone
            _end(process)
            os._exit(1)


def _end(group: int) -> None:
    """End all processes of a group: ask, tell, force."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + GRACE
        with suppress(ProcessLookupError):
            os.killpg(group, number)
            while time.monotonic() < deadline:
                with suppress(ChildProcessError):
                    os.waitpid(group, os.WNOHANG)  # a dead leader that nobody waits for would keep the group alive
                os.killpg(group, 0)
                time.sleep(0.05)


if __name__ == "__main__":
    main()
