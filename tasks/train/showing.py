"""What a training shows while it goes on: a bar, a line an epoch, and DVCLive's figures."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from dvclive import Live
from scmrepo.exceptions import SCMError

from model.training.backup import Epoch
from model.training.guard import Watch
from tasks.common.console import Bar, progress, say
from tasks.common.errors import UserError


@contextmanager
def shown(folder: Path, faces: int, epochs: int) -> Iterator[Watch]:
    """Show a training of so many faces an epoch, in the console and, by DVCLive, in a folder.

    Raises:
        UserError: the repository has no commit yet.
    """
    with recorded(folder) as live, progress("training", epochs * faces, "faces") as bar:
        reporter = _Reporter(live, bar, faces, epochs)
        yield Watch(reporter.batch, reporter.epoch)


@contextmanager
def recorded(folder: Path) -> Iterator[Live]:
    """Have DVCLive write figures by epoch into a folder, in place of those that are there; `record` gives them.

    Raises:
        UserError: the repository has no commit yet.
    """
    try:
        live = Live(str(folder), dvcyaml=None, save_dvc_exp=False)
    except SCMError as error:
        raise UserError(f"git: {error}: DVCLive needs a commit to exist; commit once, then try again") from error
    with live:
        yield live


def record(live: Live, figures: Epoch) -> None:
    """Give the figures of the next epoch."""
    for name, value in asdict(figures).items():
        live.log_metric(f"val/{name[4:]}" if name.startswith("val_") else f"train/{name}", value)
    live.next_step()


class _Reporter:
    """Shows each batch on the bar, says each epoch, and writes it through DVCLive."""

    def __init__(self, live: Live, bar: Bar, faces: int, epochs: int) -> None:
        self._live, self._bar, self._faces, self._epochs = live, bar, faces, epochs
        self._start: tuple[float, int] | None = None

    def batch(self, index: int, seen: int, loss: float, accuracy: float) -> None:
        now, place = time.monotonic(), index * self._faces + seen
        # The first batch of a process compiles the network: speed is counted from its end.
        since, start = self._start = self._start or (now, place)
        speed = f"{(place - start) / (now - since):,.0f} faces/s" if now > since else ""
        self._bar.advance(place - self._bar.done, f"loss {loss:.3f} accuracy {accuracy:.3f} {speed}")

    def epoch(self, index: int, figures: Epoch) -> None:
        self._bar.advance((index + 1) * self._faces - self._bar.done)
        say(f"epoch {index + 1}/{self._epochs}: {figures}")
        record(self._live, figures)
