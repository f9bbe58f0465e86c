"""Tell somebody how a run ended, where `FACIAL_EMOTION_NOTIFY` has an address of Apprise: off without it.

Such an address (`slack://…`, `mailto://…`, `json://…`) holds secrets: it is read from the environment alone, and never
logged. https://github.com/caronc/apprise lists them.
"""

import logging
import os
from typing import Any, Final

import apprise
from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging import get_logger

ADDRESS: Final = "FACIAL_EMOTION_NOTIFY"

QUIET: Final = "sweep"
"""Tag of a run that is one of many, whose end the whole will tell."""


def tell(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Send the name of the run, the state in which it ended, and the reasons: a hook of Prefect's for any `flow`."""
    address = os.environ.get(ADDRESS)
    if not address or QUIET in flow_run.tags:
        return
    logging.getLogger("apprise").disabled = True  # of an address that it can't take, it would show the secrets
    service = apprise.Apprise()
    title = f"{flow.name}: {flow_run.name} ended as {state.name}"
    sent = service.add(address) and service.notify(title=title, body=state.message or title)
    if not sent:
        get_logger("notify").warning("%s: the message could not be sent", ADDRESS)
