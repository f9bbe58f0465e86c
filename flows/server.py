"""The Prefect server may go away for a while: what is only shown is then left out, what must arrive waits."""

import time
from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import urlsplit

import httpx
from prefect import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.logging import get_run_logger
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from flows import temporary
from tasks.common.errors import UserError

T = TypeVar("T")

AWAY: Final = (httpx.TransportError, PrefectHTTPStatusError)

PATIENCE: Final = 600.0
"""Seconds that a finished run waits for the server to take its end."""


def briefly(call: Callable[[], T]) -> T | None:
    """Make a call that may be lost, once; say so where the server does not answer."""
    try:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):  # Prefect would try for a minute, and the work wait
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


def check_server() -> None:
    """Check that the server answers that `PREFECT_API_URL` names, or the one that the run brings.

    Raises:
        UserError: it does not.
    """
    temporary.wait()
    address = PREFECT_API_URL.value()
    if not address:
        return
    try:
        with get_client(sync_client=True) as client:
            client.hello()
    except AWAY as error:
        place = urlsplit(address).netloc.rpartition("@")[2]  # what stands before it may be a password
        raise UserError(
            f"PREFECT_API_URL: no Prefect server answers at {place}; `make server` starts one, and where none is named "
            "the run brings its own"
        ) from error


def wait_for_server() -> None:
    """Wait until the server takes what the run has to say, so that its end is not lost."""
    with get_client(sync_client=True) as client:
        patiently(client.hello)
