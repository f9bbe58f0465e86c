"""Programs that may hang or crash are asked in a process of their own."""

import os
import signal
import subprocess
from dataclasses import dataclass
from typing import Final

LAST: Final = 3
"""Lines of what a program said last that are quoted where it failed."""


@dataclass(frozen=True)
class Answer:
    """What a program said on its standard output; `fault` is None where it ended well."""

    said: str
    fault: str | None = None


def ask(command: list[str], seconds: float) -> Answer:
    """Run a program to its end, or end it with all that it started after so many seconds."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return Answer("", f"{command[0]}: {error.strerror}")
    try:
        said, complaint = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return Answer("", f"no answer within {seconds:.0f} seconds")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return Answer(said, _fault(process.returncode, complaint or said))


def _fault(status: int, said: str) -> str | None:
    if status == 0:
        return None
    how = f"ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    last = [line.strip() for line in said.splitlines() if line.strip()][-LAST:]
    return ": ".join(filter(None, [how, " | ".join(last)]))
