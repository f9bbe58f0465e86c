"""Bring pool, deployments and automations to a Prefect server: `make deploy`; a second time it changes nothing."""

import argparse
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from flows.experiment import GIT_REMOTE, git, holds_secret
from flows.runs import OTHER_ENDS, STARTS
from flows.train import ENDS
from tasks.common.console import say
from tasks.common.errors import UserError, command

POOL: Final = "gpu"

HEARTBEAT: Final = 180
"""Seconds between two signs of life of a run; Prefect's least are 30."""

MISSED: Final = 3
"""Signs of life that may fail to come before a run counts as crashed."""

SILENT: Final = "its heartbeat stopped: the machine or its worker died"

TAG: Final = "facial-emotion"
"""Of every deployment of `prefect.yaml`: the automations leave the other runs of a server alone."""

RUNS: Final = "prefect.flow-run.*"
OURS: Final = ResourceSpecification({"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"})

FINAL: Final = frozenset({"Failed", "Cancelled", "Crashed", *ENDS.values(), *OTHER_ENDS})
"""Names of the states in which a run of ours can end."""

PATIENCE: Final = 60.0
"""Seconds that a server may take to start."""


def automations(heartbeat: int, missed: int) -> list[AutomationCore]:
    """Return what brings a dead run back: one automation sees that it is dead, one starts it again.

    Args:
        heartbeat: seconds between two signs of life.
        missed: how many of them may fail to come.
    """
    return [
        AutomationCore(
            name="facial-emotion: a silent run has crashed",
            description="Marks a run as crashed whose signs of life stopped.",
            trigger=_silent(timedelta(seconds=heartbeat * missed)),
            actions=[ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message=SILENT, force=False)],
        ),
        AutomationCore(
            name="facial-emotion: a crashed run starts again",
            description="A training goes on from its last epoch.",
            trigger=_killed(),
            actions=[
                ChangeFlowRunState(
                    state=StateType.SCHEDULED, name="AwaitingRetry", message="started again after a crash", force=True
                )
            ],
        ),
    ]


def _silent(within: timedelta) -> EventTrigger:
    heartbeat = "prefect.flow-run.heartbeat"
    return EventTrigger(
        match=ResourceSpecification({"prefect.resource.id": RUNS}),
        match_related=OURS,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        after={heartbeat},
        expect={heartbeat, *(f"prefect.flow-run.{name}" for name in FINAL)},
        threshold=1,
        within=within,
    )


def _killed() -> EventTrigger:
    # What killed it must have come from outside; a flow that can't be loaded would crash forever.
    outside = [f"{SILENT}*", "*status code -*", "Execution was aborted*", "Execution was cancelled by the runtime*"]
    counts = [str(count) for count in range(1, STARTS)]
    return EventTrigger(
        match=ResourceSpecification(
            {"prefect.resource.id": RUNS, "prefect.state-message": outside, "prefect.run-count": counts}
        ),
        match_related=OURS,
        posture=Posture.Reactive,
        expect={"prefect.flow-run.Crashed"},
        threshold=1,
    )


def await_server(client: SyncPrefectClient, patience: float) -> None:
    """Wait for a server that has just been started.

    Raises:
        httpx.TransportError: none answers in time.
    """
    end = time.monotonic() + patience
    while True:
        try:
            client.hello()
        except httpx.TransportError:
            if time.monotonic() > end:
                raise
            time.sleep(1)
        else:
            return


def create_pool(client: SyncPrefectClient, limit: int) -> None:
    """Have the work pool on the server, with at most `limit` runs at once over all its workers."""
    try:
        pool = client.read_work_pool(POOL)
    except ObjectNotFound:
        client.create_work_pool(
            WorkPoolCreate(name=POOL, type="process", description="Machines that train", concurrency_limit=limit)
        )
        say(f"work pool {POOL}: made, at most {limit} at once")
        return
    say(f"work pool {pool.name}: is there, at most {pool.concurrency_limit} at once")


def create_automations(client: SyncPrefectClient, wanted: list[AutomationCore]) -> None:
    """Have the automations on the server, as they are wanted."""
    for automation in wanted:
        found = client.read_automations_by_name(automation.name)
        if found:
            client.update_automation(found[0].id, automation)
        else:
            client.create_automation(automation)
        say(f"automation {automation.name}: {'is there' if found else 'made'}")


def create_deployments(root: Path, heartbeat: int) -> None:
    """Have all deployments of `prefect.yaml` on the server.

    Raises:
        UserError: Prefect refused one.
    """
    values = {
        "FACIAL_EMOTION_CHECKOUT": str(root),
        "FACIAL_EMOTION_REPOSITORY": repository(root),
        "FACIAL_EMOTION_BRANCH": git(root, "rev-parse", "--abbrev-ref", "HEAD"),
        "FACIAL_EMOTION_HEARTBEAT": str(heartbeat),
    }
    call = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(call, cwd=root, env={**os.environ, **values}, check=False, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"prefect.yaml: {(done.stdout + done.stderr).strip().splitlines()[-1]}")
    say("deployments: those of prefect.yaml")


def repository(root: Path) -> str:
    """Return what workers clone: the origin of the checkout, or the checkout itself.

    Raises:
        UserError: the address has a password or a token in it, which the server would store.
    """
    if GIT_REMOTE not in git(root, "remote").split():
        return str(root)
    address = git(root, "remote", "get-url", GIT_REMOTE)
    if holds_secret(address):
        raise UserError(
            f"git remote {GIT_REMOTE}: its address has a password or a token in it, which Prefect's server would keep; "
            "take it out (`git remote set-url`) and let the worker's git credentials hold it"
        )
    return address


@command
def main() -> None:
    """Bring everything to the server that PREFECT_API_URL names."""
    parser = argparse.ArgumentParser(prog="python -m flows.deploy", description=__doc__)
    parser.add_argument("--limit", type=int, default=1, help="most runs at once, over all machines of the pool")
    parser.add_argument("--heartbeat", type=int, default=HEARTBEAT, help="seconds between two signs of life")
    parser.add_argument("--missed", type=int, default=MISSED, help="signs that may fail before a run counts as dead")
    options = parser.parse_args()
    address = PREFECT_API_URL.value()
    if not address:
        raise UserError("PREFECT_API_URL is not set; `make server` starts one at http://127.0.0.1:4200/api")
    try:
        with get_client(sync_client=True) as client:
            await_server(client, PATIENCE)
            create_pool(client, options.limit)
            create_automations(client, automations(options.heartbeat, options.missed))
    except httpx.TransportError as error:
        raise UserError(f"{address}: no Prefect server answers ({error}); `make server` starts one") from error
    create_deployments(Path.cwd(), options.heartbeat)


if __name__ == "__main__":
    main()
