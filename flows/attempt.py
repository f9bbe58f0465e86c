"""One run of a sweep: made in a place of its own on this machine, or by any worker of the pool; here found again."""

import re
import sys
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Final, Protocol

import yaml
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
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling

from flows.data import PIN
from flows.experiment import GIT_REMOTE, experiments, git
from flows.leash import Leash
from flows.places import place
from flows.runs import reason
from flows.server import patiently
from flows.stage import LAST, StageError
from flows.sweeps import changed, overrides
from tasks.common import paths
from tasks.common.errors import UserError

DEPLOYMENT: Final = "train/clone"

POLL: Final = 5.0
"""Seconds between two looks at a run of the pool."""

_SAID: Final = re.compile(r"^\S+ \| \w+ +\| (?:Task|Flow) run '([^']+)' - (.*)$")
"""A line that Prefect logs: of which task, and what."""


@dataclass(frozen=True)
class Asked:
    """What is to be run.

    Attributes:
        name: of the DVC experiment.
        settings: parameters that are not those of `params.yaml`.
        until: the last stage; None for all, to the verdict.
    """

    name: str
    settings: Mapping[str, Any]
    until: str | None


class Way(Protocol):
    """How runs are made."""

    def run(self, asked: Asked, hear: Callable[[str], None]) -> None:
        """Make a run to its end; `hear` gets each line, and ends the run by raising.

        Raises:
            StageError: the run failed; the sentence has its last lines.
        """

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

        with get_client(sync_client=True) as client:  # the temporary server too, where no other is
            server = str(client.api_url)
        with place(self.root, asked.name) as folder, Leash(folder, {"PREFECT_API_URL": server}) as leash:
            self._leashes.add(leash)
            if self._gone.is_set():
                raise StopRunError("the sweep was ended")
            leash.run(call, sort)
            self._leashes.discard(leash)
        if asked.name not in experiments(self.root):
            raise StageError(f"{asked.name}: {_why(list(last))}")

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
        with get_client(sync_client=True) as client:
            started = patiently(lambda: _taken_up(client, asked))
            state, heard = started.state, 0
            try:
                while not (state and state.is_final()):
                    if self._gone.wait(POLL):
                        raise LetGoError(f"{asked.name} goes on at its worker")
                    which = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[started.id]))
                    lines = patiently(lambda: client.read_logs(which, offset=heard))  # noqa: B023 - called at once
                    heard += len(lines)
                    for line in lines:
                        hear(line.message)
                    state = patiently(lambda: client.read_flow_run(started.id)).state
            except StopRunError:
                client.set_flow_run_state(started.id, Cancelling(), force=True)
                raise
        if GIT_REMOTE in git(self.root, "remote").split():
            git(self.root, "fetch", "--quiet", GIT_REMOTE, "+refs/exps/*:refs/exps/*")
        if asked.name not in experiments(self.root):
            raise StageError(f"{asked.name}: {reason(state)}")

    def let_go(self) -> None:
        """Leave the runs to their workers, and start no other."""
        self._gone.set()


class StopRunError(Exception):
    """What `hear` raises to end a run."""


class LetGoError(Exception):
    """Nobody follows the run any more."""


def _taken_up(client: SyncPrefectClient, asked: Asked) -> FlowRun:
    """Return the deployment's run of this name that has not ended, or start one.

    Raises:
        UserError: the server knows no such deployment.
    """
    try:
        deployment = client.read_deployment_by_name(DEPLOYMENT)
    except ObjectNotFound as error:
        raise UserError(f"the Prefect server has no deployment {DEPLOYMENT}; `make deploy` brings it there") from error
    which = FlowRunFilter(
        name=FlowRunFilterName(any_=[asked.name]),
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id]),  # a run on this machine may have been killed
        state=FlowRunFilterState(type=FlowRunFilterStateType(not_any_=list(TERMINAL_STATES))),
    )
    at_work = client.read_flow_runs(flow_run_filter=which)
    if at_work:
        return at_work[0]
    given = {"experiment": asked.name, "overrides": overrides(asked.settings), "until": asked.until}
    return client.create_flow_run_from_deployment(deployment.id, parameters=given, name=asked.name)


def _why(last: list[str]) -> str:
    """Return the sentence of a run that failed, out of its last lines."""
    sentence = next((line for line in reversed(last) if line.startswith("error: ")), None)
    return sentence.removeprefix("error: ") if sentence else "it failed; its last lines:\n" + "\n".join(last)


def is_made(root: Path, name: str, settings: Mapping[str, Any]) -> bool:
    """Return whether the experiment is there already, with these parameters and the data that is pinned now.

    Raises:
        UserError: one of that name is there, and it is another.
    """
    commit = experiments(root).get(name)
    if not commit:
        return False
    now = changed(yaml.safe_load((root / paths.PARAMS).read_text(encoding="utf-8")), settings)
    then = yaml.safe_load(git(root, "show", f"{commit}:{paths.PARAMS}"))
    pins = [yaml.safe_load(text)["outs"] for text in ((root / PIN).read_text(), git(root, "show", f"{commit}:{PIN}"))]
    differs = [*_differing(now, then), *([PIN] if pins[0] != pins[1] else [])]
    if differs:
        raise UserError(
            f"{name}: an experiment of that name is there, which differs in {', '.join(differs)}; remove it "
            f"(`dvc exp remove {name}`), or give the run another name"
        )
    return True


def _differing(now: Mapping[str, Any], then: Mapping[str, Any], prefix: str = "") -> list[str]:
    names: list[str] = []
    for name in sorted({*now, *then}):
        one, other = now.get(name), then.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            names += _differing(one, other, f"{prefix}{name}.")
        elif one != other:
            names.append(f"{prefix}{name}")
    return names
