"""What every flow's run does alike: its name, its workspace, its experiment."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Failed

from flows.data import check_options
from flows.experiment import check_name
from flows.graph import stages_until
from flows.leash import Leash
from flows.locks import alone
from flows.log import kept, speak_plainly
from flows.notes import clear
from flows.overrides import check_overrides
from flows.repository import check_repository
from flows.server import patiently, wait_for_server
from tasks.common.errors import UserError

STARTS: Final = 4
"""Most often that one run is started, with those after a crash."""

GIVEN_UP, REFUSED, NOT_PUSHED = OTHER_ENDS = ("GivenUp", "Refused", "NotPushed")
"""Names of the states in which a run ends beside those that a verdict gives."""

LOCK: Final = Path(".dvc/tmp/flow.lock")

_AROUND: Final = re.compile(r"(?:Flow|Task) run encountered an exception:? (?:\w+: )?")

TRANSFERS: Final = (5.0, 30.0, 120.0)
"""Seconds before each new try to reach a remote."""


def run_name() -> str:
    """Return the name that the run's parameters give it, or that it has."""
    return flow_run.parameters.get("experiment") or flow_run.name


def refuse(
    root: Path,
    overrides: Sequence[str],
    until: str | None = None,
    source: str | None = None,
    options: Sequence[str] = (),
) -> State[None] | None:
    """Return the state in which a run ends that must not begin; None where it may."""
    starts = flow_run.run_count
    if starts > STARTS:
        return Failed(name=GIVEN_UP, message=f"started {STARTS} times without coming to an end")
    try:
        check_repository(root)
        check_overrides(root, overrides)
        check_options(source, options)
        if until:
            stages_until(root, until)
        check_name(root, flow_run.name, replace=starts > 1)
    except UserError as error:
        return Failed(name=REFUSED, message=str(error))
    return None


@contextmanager
def workspace(root: Path) -> Iterator[Leash]:
    """Have the workspace for one run alone; after it, wait until the server takes the run's end, and all its lines."""
    speak_plainly()
    with kept(flow_run.id) as lines:
        try:
            with alone(root / LOCK, "another run in this workspace"), Leash(root) as leash:
                clear(root)
                yield leash
        finally:
            wait_for_server()
            brought = patiently(lines.bring)
            if brought:
                get_run_logger().info("the Prefect server was away: it got %s lines afterwards", brought)


def reason(state: State[Any]) -> str:
    """Return why a run ended as it did, without what Prefect says around a sentence of ours."""
    message = state.message or ""
    while found := _AROUND.match(message):
        message = message[found.end() :]
    return message or f"it ended as {state.name}"
