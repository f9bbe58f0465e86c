"""One stage as one Prefect task: `dvc repro --single-item`, its lines as the task's log, its end as its state."""

import re
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from prefect import Task, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from flows.graph import Stage
from flows.leash import Leash
from flows.locks import device
from flows.server import briefly

RETRY_SECONDS: Final = 10

SHOW_SECONDS: Final = 5.0
"""Least time between two looks at the epochs; the last one is always shown."""

AWAY_SECONDS: Final = 30.0
"""The same while the server does not answer: each try takes its time, in which no line is read."""

LAST: Final = 20
"""Lines of a command that are kept for the sentence about its end."""

_ADVICE: Final = frozenset(
    {
        "To track the changes with git, run:",
        "git add dvc.lock",
        "To enable auto staging, run:",
        "dvc config core.autostage true",
        "Use `dvc push` to send your updates to remote storage.",
    }
)
"""What DVC says after each stage to somebody at a terminal."""

_OF_DVC: Final = ("Updating lock file", "Running stage", "> ", "WARNING: ")

_EPOCH: Final = re.compile(r"epoch (\d+)/(\d+): ")


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: its exit status; below 0 the signal that ended it.
        lines: the last `LAST` lines that it wrote.
    """

    status: int
    lines: tuple[str, ...]

    def signal(self) -> str | None:
        """Return the name of the signal that ended the command, or the stage that DVC ran for it: such as SIGKILL."""
        said = re.search(r"exited with (-?\d+)", " ".join(self.lines[-3:]))
        status = int(said[1]) if said else self.status
        number = -status if status < 0 else status - 128  # a shell adds 128
        return signal.Signals(number).name if number in set(signal.Signals) else None


class StageError(RuntimeError):
    """A command failed; trying it again as it is would fail again."""


class KilledError(StageError):
    """A signal ended the command: another try may go through, and a training goes on from its last epoch."""


def task_of(stage: Stage, leash: Leash) -> Task[[], State[None]]:
    """Return the task that brings one stage up to date.

    It ends as `Completed` by the name of *Unchanged* where DVC finds nothing to do, and *Restored* where DVC takes the
    outputs of an equal run out of its cache.
    """

    @task(
        name=stage.name,
        task_run_name=stage.name,
        description=stage.description,
        retries=stage.retries,
        retry_delay_seconds=RETRY_SECONDS,
        retry_condition_fn=_was_killed,
        cache_policy=NO_CACHE,  # what is stale is for DVC to say
    )
    def run() -> State[None]:
        place: AbstractContextManager[list[str]] = device() if stage.device else nullcontext([])
        with place as sees:
            ended = follow(leash, [*sees, "dvc", "repro", "--single-item", stage.name], stage.name)
        said = "\n".join(ended.lines)
        if f"Stage '{stage.name}' didn't change, skipping" in said:
            return Completed(name="Unchanged", message="DVC finds nothing changed")
        if f"Stage '{stage.name}' is cached - skipping run" in said:
            return Completed(name="Restored", message="DVC has the outputs of an equal run")
        return Completed(message=next((line for line in reversed(ended.lines) if not line.startswith(_OF_DVC)), None))

    return run


def follow(leash: Leash, command: list[str], name: str) -> Ended:
    """Run a command, its lines as they come in the log of the task, its epochs as a progress artifact.

    Raises:
        KilledError: a signal ended it.
        StageError: it failed; the sentence has its last lines.
    """
    progress = _Progress(name)
    log = get_run_logger()

    lines: deque[str] = deque(maxlen=LAST)

    def hear(line: str) -> None:
        if line.strip() and line.strip() not in _ADVICE:
            log.info("%s", line)
            lines.append(line)
            progress.hear(line)

    ended = Ended(leash.run(command, hear), tuple(lines))
    if ended.status == 0:
        return ended
    last = "\n".join(lines)
    number = ended.signal()
    if number:
        hint = " (the system ends what takes too much memory)" if number == "SIGKILL" else ""
        raise KilledError(f"{name} was ended by {number}{hint}; its last lines:\n{last}")
    sentence = next((line for line in lines if line.startswith("error: ")), "")
    raise StageError(sentence.removeprefix("error: ") or f"{name} failed; its last lines:\n{last}")


def step(name: str, work: Callable[[], object], retry_seconds: Sequence[float] = ()) -> Task[[], State[None]]:
    """Return a task for what is no stage; after a `StageError`, it is tried again after each of some seconds."""

    @task(
        name=name,
        task_run_name=name,
        retries=len(retry_seconds),
        retry_delay_seconds=list(retry_seconds),
        retry_condition_fn=_failed,
        cache_policy=NO_CACHE,
    )
    def run() -> State[None]:
        found = work()
        return found if isinstance(found, State) else Completed()

    return run


def _failed(_task: Any, _run: Any, state: State[Any]) -> bool:
    return isinstance(state.result(raise_on_failure=False), StageError)


def _was_killed(_task: Any, _run: Any, state: State[Any]) -> bool:
    return isinstance(state.result(raise_on_failure=False), KilledError)


class _Progress:
    """The epochs of a stage that has any, as a progress artifact."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._artifact: UUID | None = None
        self._next = 0.0

    def hear(self, line: str) -> None:
        found = _EPOCH.match(line)
        if not found:
            return
        share = 100 * int(found[1]) / int(found[2])
        if time.monotonic() < self._next and share < 100:
            return
        shown = briefly(self._show(share, line))
        self._artifact = shown or self._artifact
        self._next = time.monotonic() + (SHOW_SECONDS if shown else AWAY_SECONDS)

    def _show(self, share: float, line: str) -> Callable[[], Any]:
        if self._artifact is None:
            return lambda: create_progress_artifact(share, key=f"{self._name}-progress", description=line)
        artifact = self._artifact
        return lambda: update_progress_artifact(artifact, share, description=line)
