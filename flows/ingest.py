"""A new data version as a Prefect flow: `python -m flows.ingest SOURCE`."""

import argparse
from pathlib import Path

if __name__ == "__main__":
    from flows import temporary

    temporary.begin()  # before Prefect is imported

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from flows import data
from flows.experiment import push, save
from flows.notify import tell
from flows.runs import TRANSFERS, reason, refuse, run_name, workspace
from flows.server import check_server
from flows.stage import step
from tasks.common.errors import UserError, command


@flow(
    name="ingest",
    description="A new data version, pinned, as a DVC experiment of the run's name.",
    flow_run_name=run_name,
    on_completion=[tell],
    on_failure=[tell],
    on_crashed=[tell],
    on_cancellation=[tell],
)
def ingest(source: str, experiment: str | None = None, ingest_options: list[str] | None = None) -> State[None]:
    """Take in a source, pin it, and keep the pin as an experiment: `dvc exp apply` takes it over.

    Args:
        source: as `python -m tasks.ingest` takes it.
        experiment: name of the DVC experiment and of the run; without it, the name that Prefect gives.
        ingest_options: of `python -m tasks.ingest`, without their dashes, such as `votes=fer2013new.csv`.
    """
    root, name, options = Path.cwd(), flow_run.name, ingest_options or []
    refused = refuse(root, [], source=source, options=options)
    if refused:
        return refused
    with workspace(root) as leash:
        taken = step("ingest", lambda: data.ingest(leash, source, options))(return_state=True)
        taken.result()
        step("save", lambda: save(leash, name, only=[data.PIN]))()
        step("push", lambda: push(root, leash, name), TRANSFERS)()
    return Completed(message=taken.message)


@command
def main() -> None:
    """Run the flow here and now."""
    parser = argparse.ArgumentParser(prog="python -m flows.ingest", description=__doc__)
    parser.add_argument("source", help="as `python -m tasks.ingest` takes it")
    parser.add_argument("--experiment", metavar="NAME", help="of the DVC experiment")
    data.add_options(parser)
    options = vars(parser.parse_args())
    check_server()
    state = ingest(**options, return_state=True)
    if not state.is_completed():
        raise UserError(reason(state))


if __name__ == "__main__":
    main()
