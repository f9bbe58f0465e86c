"""The Prefect server may go away for a while: what is only shown is then left out, what must arrive waits."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

import httpx
from prefect import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.logging import get_run_logger

T = TypeVar("T")

AWAY: Final = (httpx.TransportError, PrefectHTTPStatusError)

PATIENCE: Final = 600.0
"""Seconds that a finished run waits for the server to take its end."""


def briefly(call: Callable[[], T]) -> T | None:
    """Make a call that may be lost; say so where the server does not answer."""
    try:
        return call()
    except AWAY as error:
        get_run_logger().warning("the Prefect server does not answer (%s); the work goes on", error)
        return None


def patiently(call: Callable[[], T], patience: float = PATIENCE) -> T:
    """Make a call that must arrive, again and again for up to `patience` seconds.

    Raises:
        httpx.TransportError: the server stayed away.
    """
    end = time.monotonic() + patience
    while True:
        try:
            return call()
        except AWAY as error:
            if time.monotonic() > end:
                raise
            get_run_logger().warning("the Prefect server does not answer (%s); trying again", error)
            time.sleep(5)


def wait_for_server() -> None:
    """Wait until the server takes what the run has to say, so that its end is not lost."""
    with get_client(sync_client=True) as client:
        patiently(client.hello)
