"""All runs of a sweep on a machine that has a GPU and Keras, and neither DVC nor Prefect.

    python -m bench.sweep PREPARED --sweep capstone --out FOLDER [--at-once N]

Each run of `sweeps/capstone.yaml` is a `python -m bench.gpu` with its parameters, which fills a folder of its name in
FOLDER; what it says lies there in `log.txt`. Its split is made of PREPARED's `faces.parquet`, as its parameters say.
The same command takes up what was stopped or has failed, and leaves what is done. Nothing here scores the test faces:
`make import-run DIR=FOLDER/RUN` does.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from threading import Event
from typing import Final, NamedTuple

from flows.sweep.definition import Planned, path_of, plan, read_sweep
from tasks.common import paths
from tasks.common.errors import UserError, command
from tasks.common.reading import read_values
from tasks.common.tables import read_faces

LOG: Final = "log.txt"

COMPILED: Final = ".compiled"
"""The folder in which JAX keeps what it has compiled, for the other runs; what is damaged there it compiles anew."""

GRACE: Final = 10.0
"""Seconds that a run has to end by itself."""


class Made(NamedTuple):
    """A run that is done: its figures on the validation faces, and what it took."""

    name: str
    accuracy: float
    minutes: float


@command
def main() -> None:
    """Make the runs, and print what they came to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path, help="folder with faces.parquet")
    parser.add_argument("--sweep", required=True, help="name of a file of sweeps/")
    parser.add_argument("--out", type=Path, required=True, help="folder to fill, with one folder a run")
    parser.add_argument("--at-once", type=int, choices=range(1, 17), default=1, metavar="N", help="share the GPU")
    options = parser.parse_args()
    planned = asked(options.sweep)
    read_faces(options.prepared / "faces.parquet")  # what is wrong with them is said once, not by each run
    begin = partial(start, options.prepared, options.out, options.at_once)
    failed = make(planned, begin, options.at_once, letting_go())
    show([read(options.out / one.name) for one in planned if one.name not in failed])
    for name in failed:
        print(f"{name}: {last_line(options.out / name / LOG)}")
    if failed:
        raise UserError(f"{len(failed)} of {len(planned)} runs failed: {', '.join(failed)}; {LOG} of each says more")


def letting_go() -> Event:
    """Return what Ctrl-C and SIGTERM set from now on: an exception could come while a run is started, and lose it."""
    event = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: event.set())
    return event


def asked(name: str) -> list[Planned]:
    """Return the runs of a sweep, all of them checked.

    Raises:
        UserError: there is no such sweep, something in it is wrong, or it is a search.
    """
    path = path_of(name)
    sweep = read_sweep(path)
    if sweep.search:
        raise UserError(f"{path}: a search proposes each trial by those before it, and needs `make tune SWEEP={name}`")
    return plan(path, sweep, read_values(paths.PARAMS))


def start(prepared: Path, out: Path, at_once: int, one: Planned) -> subprocess.Popen[bytes]:
    """Start a run, which trains, goes on, or says that it is done."""
    words = [word for override in one.overrides for word in ("-S", override)]
    shared = {
        "JAX_COMPILATION_CACHE_DIR": str((out / COMPILED).absolute()),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",  # else it keeps only what took a second
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    if at_once > 1:  # else JAX takes most of a GPU's memory at its start
        shared["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    folder = out / one.name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "bench.gpu", str(prepared), "--make-split", "--out", str(folder), *words],
            env={**shared, **os.environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def make(
    planned: Sequence[Planned], begin: Callable[[Planned], subprocess.Popen[bytes]], at_once: int, let_go: Event
) -> list[str]:
    """Make all runs, so many at once, until they are let go of; return the names of those that failed.

    However this ends, no run is at work afterwards.

    Raises:
        UserError: they were let go of.
    """
    waiting, failed = deque(planned), list[str]()
    running: dict[str, subprocess.Popen[bytes]] = {}
    began: dict[str, float] = {}
    try:
        while (waiting or running) and not let_go.is_set():
            while waiting and len(running) < at_once:
                one = waiting.popleft()
                running[one.name], began[one.name] = begin(one), time.monotonic()
                print(f"{one.name}: started, {len(planned) - len(waiting)} of {len(planned)}", flush=True)
            time.sleep(0.2)
            for name in [name for name, process in running.items() if process.poll() is not None]:
                status, minutes = running.pop(name).returncode, (time.monotonic() - began[name]) / 60
                ended = f"failed with status {status}" if status else "done"
                print(f"{name}: {ended} after {minutes:.1f} minutes", flush=True)
                failed += [name] if status else []
    finally:
        end(running.values())
    if let_go.is_set():
        raise UserError("the sweep was let go of; the same command goes on, each training from its last epoch")
    return failed


def end(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """End processes: ask all of them, force those that don't."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + GRACE
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def last_line(log: Path) -> str:
    """Return the last line that a run has said."""
    return next(reversed(log.read_text(encoding="utf-8", errors="replace").splitlines()), "it said nothing")


def read(folder: Path) -> Made:
    """Read what a run that is done has left."""
    # `tasks.train.handover`, which checks all of it, would import Keras here too.
    figures = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return Made(folder.name, figures["training"]["val_accuracy"], figures["cost"]["seconds"] / 60)


def show(made: Sequence[Made]) -> None:
    """Print a table, the best first."""
    width = max((len(one.name) for one in made), default=0)
    print(f"{'run':{width}}  validation accuracy  minutes")
    for one in sorted(made, key=lambda one: one.accuracy, reverse=True):
        print(f"{one.name:{width}}  {one.accuracy:19.4f}  {one.minutes:7.1f}")


if __name__ == "__main__":
    main()
