"""Compare all experiments: `python -m flows.leaderboard [--sweep NAME] [--by accuracy|cost]`.

Prints the table, and writes the page `reports/leaderboard.html`.
"""

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from flows.sweep.definition import SWEEPS, read_sweep
from flows.sweep.experiments import Found, read_runs
from tasks.common import paths
from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.common.files import write_text
from tasks.leaderboard.page import leaderboard_page
from tasks.leaderboard.runs import of_sweep
from tasks.leaderboard.table import show

PAGE: Final = paths.REPORTS / "leaderboard.html"


def compare(
    root: Path,
    sweep: str | None = None,
    *,
    by: str = "accuracy",
    sweeps: Sequence[str] = (),
    published: Mapping[str, float] | None = None,
) -> Found:
    """Read the experiments and write the page.

    Args:
        root: of the repository.
        sweep: whose runs alone to take; None for all experiments.
        by: what puts the best first: validation `accuracy`, or `cost`.
        sweeps: names of all sweeps, so that those of `a-b` aren't taken for those of `a`.
        published: accuracies that somebody else measured on the test faces, by the name of the experiment, without its
            seed.

    Raises:
        UserError: there is no such experiment.
    """
    wanted = partial(of_sweep, sweep=sweep, sweeps=sweeps) if sweep else bool
    found = read_runs(root, published, wanted)
    if not found.runs:
        left = f" (left out: {', '.join(found.left_out)})" if found.left_out else ""
        if sweep:
            raise UserError(
                f"there is no experiment of the sweep {sweep} yet{left}; make them with `make tune SWEEP={sweep}`"
            )
        raise UserError(f"there is no experiment yet{left}; make one with `make run`")
    write_text(root / PAGE, leaderboard_page(found.runs, by, sweep=sweep, left_out=found.left_out))
    return found


def read_published(folder: Path) -> dict[str, float]:
    """Return the accuracies that sweep files give as published, by the name of the experiment without its seed.

    Raises:
        UserError: a file is no YAML, or no sweep.
    """
    return {
        f"{path.stem}-{run.name}": run.published["accuracy"]
        for path in sorted(folder.glob("*.yaml"))
        for run in read_sweep(path).runs or ()
        if "accuracy" in run.published
    }


@command
def main() -> None:
    """Print the table and write the page."""
    parser = argparse.ArgumentParser(prog="python -m flows.leaderboard", description=__doc__.splitlines()[0])
    parser.add_argument("--sweep", metavar="NAME", help="only the runs of this sweep")
    parser.add_argument("--by", choices=("accuracy", "cost"), default="accuracy", help="what puts the best first")
    options = parser.parse_args()
    sweeps = [path.stem for path in SWEEPS.glob("*.yaml")]
    found = compare(Path.cwd(), options.sweep, by=options.by, sweeps=sweeps, published=read_published(SWEEPS))
    show(found.runs, options.by)
    if found.left_out:
        say(f"Left out: {', '.join(found.left_out)}.")
    say(f"The page: {PAGE}")


if __name__ == "__main__":
    main()
