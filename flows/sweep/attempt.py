"""One run of a sweep: made in a place of its own on this machine, or by any worker of the pool; here found again."""

import re
import sys
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Final, Protocol

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterName,
    FlowRunFilterState,
    FlowRunFilterStateType,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, State
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling

from flows.experiment import GIT_REMOTE, git
from flows.leash import Leash
from flows.notify import ADDRESS, QUIET
from flows.places import at_work, drop_backups, place
from flows.runs import reason
from flows.server import patiently
from flows.stage import LAST, StageError
from flows.sweep.definition import overrides
from flows.sweep.made import Asked, refs, supersede
from tasks.common.errors import UserError

DEPLOYMENT: Final = "train/clone"

POLL: Final = 5.0
"""Seconds between two looks at a run of the pool."""

_SAID: Final = re.compile(r"^\S+ \| \w+ +\| (?:Task|Flow) run '([^']+)' - (.*)$")
"""A line that Prefect logs: of which task, and what."""


class Way(Protocol):
    """How runs are made."""

    def run(self, asked: Asked, hear: Callable[[str], None]) -> None:
        """Make a run to its end; `hear` gets each line, and ends the run by raising.

        Raises:
            StageError: the run failed; the sentence has its last lines.
        """

    def fetch(self) -> None:
        """Bring here what was made elsewhere."""

    def let_go(self) -> None:
        """End what must not outlive this process."""


@dataclass(frozen=True)
class Here:
    """Runs on this machine, each in a clone of its own."""

    root: Path
    _leashes: set[Leash] = field(default_factory=set)
    _gone: Event = field(default_factory=Event)

    def run(self, asked: Asked, hear: Callable[[str], None]) -> None:
        """Make a run as `python -m flows.train` makes it."""
        call = [sys.executable, "-m", "flows.train", "--experiment", asked.name]
        call += ["--until", asked.until] if asked.until else []
        call += [word for one in overrides(asked.settings) for word in ("-S", one)]
        last: deque[str] = deque(maxlen=LAST)

        def sort(line: str) -> None:
            last.append(line)
            if said := _SAID.match(line):
                hear(f"{said[1]}: {said[2]}")

        before = refs(self.root, asked.name)
        with get_client(sync_client=True) as client:  # the temporary server too, where no other is
            variables = {"PREFECT_API_URL": str(client.api_url), ADDRESS: ""}  # the sweep's end is told, not each run's
        with place(self.root, asked.name) as folder, ExitStack() as after, Leash(folder, variables) as leash:
            self._leashes.add(leash)
            if self._gone.is_set():
                raise StopRunError("the sweep was ended")
            try:
                leash.run(call, sort)
            except StopRunError:  # it was hopeless: nobody will go on from its backup
                after.callback(drop_backups, at_work(folder))
                raise
            finally:
                self._leashes.discard(leash)
        if not supersede(self.root, asked.name, before):
            raise StageError(f"{asked.name}: {_why(list(last))}")

    def fetch(self) -> None:
        """All runs land here by themselves."""

    def let_go(self) -> None:
        """End all runs that are at work, and begin no other."""
        self._gone.set()
        for leash in list(self._leashes):
            leash.let_go()


@dataclass(frozen=True)
class Pool:
    """Runs of the deployment `train/clone`, on whatever worker of the pool is free; they outlive this process."""

    root: Path
    _gone: Event = field(default_factory=Event)

    def run(self, asked: Asked, hear: Callable[[str], None]) -> None:
        """Start a run, or take up one of this name that is at work, and follow it to its end."""
        if self._gone.is_set():
            raise LetGoError(f"{asked.name} was not begun")
        before = refs(self.root, asked.name)
        with get_client(sync_client=True) as client:
            started = patiently(lambda: _taken_up(client, asked))
            try:
                state = self._follow(client, started, hear)
            except StopRunError:
                client.set_flow_run_state(started.id, Cancelling(), force=True)
                raise
        self.fetch()
        if not supersede(self.root, asked.name, before, remote=self._remote):
            raise StageError(f"{asked.name}: {reason(state)}")

    def _follow(self, client: SyncPrefectClient, started: FlowRun, hear: Callable[[str], None]) -> State[Any]:
        """Pass on what a run says, and return the state in which it ends."""
        which, heard = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[started.id])), 0
        while True:
            state = patiently(lambda: client.read_flow_run(started.id)).state
            final = state if state and state.is_final() else None
            lines = patiently(lambda: client.read_logs(which, offset=heard))  # noqa: B023 - called at once
            heard += len(lines)
            with suppress(StopRunError) if final else nullcontext():  # what has ended can't be ended
                for line in lines:
                    hear(line.message)
            if final:
                return final
            if self._gone.wait(POLL):
                raise LetGoError(f"{started.name} goes on at its worker")

    @property
    def _remote(self) -> bool:
        return GIT_REMOTE in git(self.root, "remote").split()

    def fetch(self) -> None:
        """Bring here what workers have made, this time or before."""
        if self._remote:
            git(self.root, "fetch", "--quiet", GIT_REMOTE, "+refs/exps/*:refs/exps/*")

    def let_go(self) -> None:
        """Leave the runs to their workers, and start no other."""
        self._gone.set()


class StopRunError(Exception):
    """What `hear` raises to end a run."""


class LetGoError(Exception):
    """Nobody follows the run any more."""


def machines() -> int:
    """Return how many runs of the pool are at work at once, at most.

    Raises:
        UserError: the server knows no such deployment.
    """
    with get_client(sync_client=True) as client:
        pool = _deployment(client).work_pool_name
        limit = client.read_work_pool(pool).concurrency_limit if pool else None
    return limit or 1


def _deployment(client: SyncPrefectClient) -> DeploymentResponse:
    try:
        return client.read_deployment_by_name(DEPLOYMENT)
    except ObjectNotFound as error:
        raise UserError(f"the Prefect server has no deployment {DEPLOYMENT}; `make deploy` brings it there") from error


def _taken_up(client: SyncPrefectClient, asked: Asked) -> FlowRun:
    """Return the deployment's run of this name that has not ended, or start one.

    Raises:
        UserError: the server knows no such deployment.
    """
    deployment = _deployment(client)
    which = FlowRunFilter(
        name=FlowRunFilterName(any_=[asked.name]),
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id]),  # a run on this machine may have been killed
        state=FlowRunFilterState(type=FlowRunFilterStateType(not_any_=list(TERMINAL_STATES))),
    )
    at_work = client.read_flow_runs(flow_run_filter=which)
    if at_work:
        return at_work[0]
    given = {"experiment": asked.name, "overrides": overrides(asked.settings), "until": asked.until}
    return client.create_flow_run_from_deployment(deployment.id, parameters=given, name=asked.name, tags=[QUIET])


def _why(last: list[str]) -> str:
    """Return the sentence of a run that failed, out of its last lines."""
    sentence = next((line for line in reversed(last) if line.startswith("error: ")), None)
    return sentence.removeprefix("error: ") if sentence else "it failed; its last lines:\n" + "\n".join(last)
