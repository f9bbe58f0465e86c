"""What a step says while it works: lines, and a progress bar that becomes plain lines where there is no terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_SECONDS: Final = 15.0
"""Least time between two plain lines of one bar."""

console: Final = Console(highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """Print one line as it is."""
    console.print(line, markup=False)


class Bar:
    """A progress bar; `advance` moves it and replaces the note at its end."""

    def __init__(self, what: str, total: int, unit: str, bar: Progress | None) -> None:
        self.what, self.total, self.unit, self.done = what, total, unit, 0
        self._bar = bar
        self._task = None if bar is None else bar.add_task(what, total=total, note="")
        self._said = time.monotonic()

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Move on by `steps`; `note` is what to show beside the bar, such as `loss 1.23`."""
        self.done += steps
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=steps, note=note)
        elif steps and (time.monotonic() - self._said >= PLAIN_SECONDS or self.done == self.total):
            self._said = time.monotonic()
            say(" ".join(filter(None, [f"{self.what}: {self.done:,}/{self.total:,} {self.unit}", note])))


@contextmanager
def progress(what: str, total: int, unit: str) -> Iterator[Bar]:
    """Show how far a piece of work of `total` steps is, counted in `unit`."""
    if not console.is_terminal:
        yield Bar(what, total, unit, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit + " {task.fields[note]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        yield Bar(what, total, unit, bar)
