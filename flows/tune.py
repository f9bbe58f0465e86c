"""All runs of a sweep, as many at once as there are devices: `python -m flows.tune capstone`, or `make tune`.

Each becomes a DVC experiment. What is there already is not run again, and a training that was killed goes on from its
last epoch: the same command, given again, takes a sweep up where it stopped.
"""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

if __name__ == "__main__" and "--pool" not in sys.argv:  # the workers of a pool need a server that stays
    from flows import temporary

    temporary.begin()  # before Prefect is imported

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState
from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, wait
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.leaderboard import compare, read_published
from flows.locks import AT_ONCE, devices
from flows.log import speak_plainly
from flows.notify import tell
from flows.repository import check_repository
from flows.runs import reason
from flows.server import check_server, patiently
from flows.stage import StageError, step
from flows.sweep.attempt import Here, Pool, Way, machines
from flows.sweep.choice import best_of, validation
from flows.sweep.definition import SWEEPS, Planned, Search, Sweep, check_search, overrides, path_of, plan, read_sweep
from flows.sweep.made import Asked, check_code, forget, is_there, listed, other_code, refs
from flows.sweep.search import PrunedError, best, finished, open_study, propose, repeat, reporting, settings_of, trials
from tasks.common import paths
from tasks.common.errors import UserError, command
from tasks.common.processes import exclusive
from tasks.common.reading import read_values
from tasks.leaderboard.table import honesty, rows
from tasks.leaderboard.table import show as print_table

LAST: Final = "train"
"""The stage with which a run ends that is not to see the test faces."""

WIDTH: Final = 64
"""Runs of a pool that are followed at once; how many of them are at work, its limit says."""

INCOMPLETE: Final = "Incomplete"
"""Name of the state in which a sweep ends some of whose runs failed."""


LEFT: Final = {
    False: "its runs have ended; the same command takes them up, each training from its last epoch",
    True: "its runs go on at their workers; the same command follows them again, `prefect flow-run cancel` ends one",
}
"""What becomes of the runs after Ctrl-C; by whether the pool makes them."""


@dataclass(frozen=True)
class Tuning:
    """A sweep at work."""

    root: Path
    name: str
    sweep: Sweep
    way: Way

    def make(self, asked: Asked, hear: Callable[[str], None]) -> State[None]:
        """Make one run, where it is not there already."""
        if is_there(self.root, asked):
            other = other_code(self.root, asked)
            if not other:
                return Completed(name="Unchanged", message=f"the experiment {asked.name} is there")
            hear(f"{asked.name} is run again: the code has changed since its experiment was made ({listed(other)})")
        self.way.run(asked, hear)
        return Completed(message=f"the experiment {asked.name}")

    def asked(self, one: Planned) -> Asked:
        """Return a run of a list or a grid as what is to be run."""
        return Asked(one.name, one.settings, self.until)

    def trial(self, search: Search, trial: Trial | FrozenTrial) -> Asked:
        """Return a trial of a search, whose parameters are proposed, as what is to be run."""
        name = f"{self.name}-t{trial.number:03d}"
        return Asked(name, {**self.sweep.set, **settings_of(trial, search)}, self.until)

    def is_made(self, asked: Asked) -> bool:
        """Return whether a run is there, made by the code that lies here."""
        return is_there(self.root, asked) and not other_code(self.root, asked)

    @property
    def until(self) -> str | None:
        """The last stage of each run."""
        return None if self.sweep.score == "all" else LAST


@flow(
    name="tune",
    description="All runs of a file of sweeps/, each a DVC experiment.",
    flow_run_name=lambda: f"tune-{flow_run.parameters['sweep']}",
    on_completion=[tell],
    on_failure=[tell],
    on_crashed=[tell],
    on_cancellation=[tell],
)
def tune(sweep: str, pool: bool = False) -> State[None]:
    """Make every run of a sweep that is not there yet; where asked for, score the chosen one on the test faces.

    Args:
        sweep: name of a file of `sweeps/`.
        pool: by the workers of the pool, not on this machine.
    """
    speak_plainly()
    root = Path.cwd()
    way = Pool(root) if pool else Here(root)
    way.fetch()
    described = check(root, sweep, pool=pool)
    tuning = Tuning(root, sweep, described, way)
    with exclusive(root / f".dvc/tmp/tune-{sweep}.lock", f"the sweep {sweep}", patience=0):
        try:
            failed = _search(tuning, described.search) if described.search else _list(tuning)
            if described.score == "chosen":
                failed += _score_chosen(tuning)
        except BaseException:  # Ctrl-C too: the threads of the runs would be waited for
            tuning.way.let_go()
            raise
        show(root, sweep)
    if failed:
        return Failed(name=INCOMPLETE, message="\n".join(failed))
    return Completed(message=f"sweep {sweep}: every run is a DVC experiment")


def check(root: Path, name: str, *, pool: bool) -> Sweep:
    """Read a sweep and check all of it before anything runs.

    Raises:
        UserError: it can't be run as it is.
    """
    check_repository(root)
    path = path_of(name)
    sweep, params = read_sweep(path), read_values(root / paths.PARAMS)
    tuning = Tuning(root, name, sweep, Pool(root) if pool else Here(root))
    check_code(root, pool=pool)
    if sweep.search:
        check_search(path, sweep, sweep.search, params)
        asked = [tuning.trial(sweep.search, one) for one in finished(root, name)]
    else:
        asked = [tuning.asked(one) for one in plan(path, sweep, params)]
    for one in asked:
        is_there(root, one)
    return sweep


def _list(tuning: Tuning) -> list[str]:
    """Make the runs of a list or a grid; return a sentence for each that failed."""

    def work(one: Planned) -> Callable[[], State[None]]:
        return lambda: tuning.make(tuning.asked(one), get_run_logger().info)

    return _gather({one.name: step(one.name, work(one)).submit() for one in _planned(tuning)})


def _planned(tuning: Tuning) -> list[Planned]:
    params = read_values(tuning.root / paths.PARAMS)
    return plan(path_of(tuning.name), tuning.sweep, params)


def _search(tuning: Tuning, search: Search) -> list[str]:
    """Make what is left of the trials of a search; return a sentence for each that failed."""
    study = study_of(tuning, search, get_run_logger().info)

    def work(left: Trial | None) -> Callable[[], State[None]]:
        return lambda: _try(tuning, search, left or study.ask())

    waiting = {
        f"trial {index}": step("trial", work(left)).submit() for index, left in enumerate(trials(study, search), 1)
    }
    return _gather(waiting)


def study_of(tuning: Tuning, search: Search, hear: Callable[[str], None]) -> optuna.Study:
    """Return the study of a search, begun anew with the same proposals where its trials were made by other code."""
    made = (tuning.trial(search, one) for one in finished(tuning.root, tuning.name))
    other = next((other for one in made if is_there(tuning.root, one) and (other := other_code(tuning.root, one))), [])
    if not other:
        return open_study(tuning.root, tuning.name, search)
    hear(f"all trials are run again: the code has changed since they were made ({listed(other)})")
    return repeat(tuning.root, tuning.name, search)


def _try(tuning: Tuning, search: Search, trial: Trial) -> State[None]:
    """Make one trial, and tell the study what came of it."""
    propose(trial, search)
    asked, log = tuning.trial(search, trial), get_run_logger()
    log.info("%s: %s", asked.name, " ".join(overrides(settings_of(trial, search))))
    try:
        ended = tuning.make(asked, reporting(trial, log.info))
    except PrunedError as pruned:
        forget(tuning.root, list(refs(tuning.root, asked.name)))  # made by other code, if at all
        trial.study.tell(trial, state=TrialState.PRUNED)
        return Completed(name="Pruned", message=f"{asked.name}: {pruned}")
    except StageError:
        trial.study.tell(trial, state=TrialState.FAIL)
        raise
    trial.study.tell(trial, validation(tuning.root, asked.name))
    return ended


def _gather(waiting: dict[str, PrefectFuture[Any]]) -> list[str]:
    """Wait for all runs, and return a sentence for each that failed."""
    wait(list(waiting.values()))
    return [reason(future.state) for future in waiting.values() if not future.state.is_completed()]


def _score_chosen(tuning: Tuning) -> list[str]:
    """Score the run that validation chooses on the test faces: the one look at them."""
    found = chosen(tuning)
    if not found:
        return []
    again = Asked(f"{found.name}-scored", found.settings, None)
    get_run_logger().info("chosen by validation accuracy: %s", found.name)
    work = step(again.name, lambda: tuning.make(again, get_run_logger().info))
    return _gather({again.name: work.submit()})


def chosen(tuning: Tuning) -> Asked | None:
    """Return the best run, of several seeds the best one of the best mean; None without any."""
    if tuning.sweep.search:
        trial = best(open_study(tuning.root, tuning.name, tuning.sweep.search))
        return tuning.trial(tuning.sweep.search, trial) if trial else None
    made = [one for one in _planned(tuning) if tuning.is_made(tuning.asked(one))]
    best_run = best_of(made, {one.name: validation(tuning.root, one.name) for one in made})
    return tuning.asked(best_run) if best_run else None


def show(root: Path, sweep: str) -> None:
    """Show the leaderboard of the sweep: here, as a page, and in Prefect's pages."""
    names = [path.stem for path in SWEEPS.glob("*.yaml")]
    try:
        found = compare(root, sweep, sweeps=names, published=read_published(SWEEPS))
    except UserError as error:
        get_run_logger().warning("%s", error)
        return
    print_table(found.runs)
    table = rows(found.runs)
    patiently(lambda: create_table_artifact(table, key=f"leaderboard-{sweep}", description=honesty(found.runs)))


@command
def main() -> None:
    """Run the flow here and now."""
    parser = argparse.ArgumentParser(
        prog="python -m flows.tune", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("sweep", help="name of a file of sweeps/")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--pool", action="store_true", help="by the workers of the Prefect server's pool")
    where.add_argument("--at-once", type=int, help="runs that share the cores of this machine, which has no GPU")
    options = parser.parse_args()
    if options.at_once is not None:
        os.environ[AT_ONCE] = str(options.at_once)  # for the runs too, which are processes of their own
    sweep = check(Path.cwd(), options.sweep, pool=options.pool)
    if options.pool and not PREFECT_API_URL.value():
        raise UserError("PREFECT_API_URL is not set; --pool needs the server that `make deploy` was run against")
    here = 0 if options.pool else len(devices())
    check_server()
    # A search that proposes more trials than are at work learns nothing from those that end.
    width = here or (machines() if sweep.search else WIDTH)
    runner = cast(TaskRunner[Any], ThreadPoolTaskRunner(max_workers=width))
    try:
        state = tune.with_options(task_runner=runner)(options.sweep, pool=options.pool, return_state=True)
    except KeyboardInterrupt:
        raise UserError(f"the sweep was let go of: {LEFT[options.pool]}") from None
    if not state.is_completed():
        raise UserError(reason(state))


if __name__ == "__main__":
    main()
