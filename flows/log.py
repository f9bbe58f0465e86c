"""The lines of a run: without a traceback where a sentence says all, and kept for a server that is away for long.

Prefect tries for about a minute to deliver a batch of lines, and then forgets it.
"""

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import LogFilter
from prefect.logging.handlers import APILogHandler

from flows.stage import StageError
from tasks.common.errors import UserError

MOST: Final = 50_000
"""Lines that are kept; of more, the last."""

PAGE: Final = 200
"""Most lines that the server gives or takes at once."""

_LOGGERS: Final = ("prefect.flow_runs", "prefect.task_runs")


class _Plain(logging.Filter):
    """Leaves the traceback away that Prefect logs with an error which is a sentence for people."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], UserError | StageError):
            record.exc_info = record.exc_text = None
        return True


_PLAIN = _Plain()


def speak_plainly() -> None:
    """Have the runs of this process say a sentence alone where one says all; other errors keep their traceback."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_PLAIN)


class Kept(APILogHandler):
    """The lines of one run, as Prefect would send them."""

    def __init__(self, run: str) -> None:
        """Keep the lines of the flow run of this number."""
        super().__init__()
        self._run = run
        self._lines: deque[dict[str, Any]] = deque(maxlen=MOST)

    def emit(self, record: logging.LogRecord) -> None:
        if str(getattr(record, "flow_run_id", "")) == self._run:
            line = self.prepare(record)
            line.pop("__payload_size__", None)  # which Prefect does not send either
            self._lines.append(line)

    def bring(self) -> int:
        """Bring to the server what it has not got, and return how many lines that were.

        Raises:
            httpx.TransportError, PrefectHTTPStatusError: it went away again.
        """
        APILogHandler.flush(self)  # what is under way need not be brought
        with get_client(sync_client=True) as client:
            there = _there(client, self._run)
            lost = [line for line in self._lines if (line["message"], _moment(line["timestamp"])) not in there]
            for start in range(0, len(lost), PAGE):
                client.create_logs(lost[start : start + PAGE])
        return len(lost)


@contextmanager
def kept(run: str) -> Iterator[Kept]:
    """Keep the lines of a flow run, by its number."""
    handler = Kept(run)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield handler
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


def _there(client: SyncPrefectClient, run: str) -> set[tuple[str, datetime]]:
    which = LogFilter.model_validate({"flow_run_id": {"any_": [run]}})
    found: set[tuple[str, datetime]] = set()
    offset = 0
    while page := client.read_logs(which, limit=PAGE, offset=offset):
        found |= {(line.message, line.timestamp) for line in page}
        offset += len(page)
    return found


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
