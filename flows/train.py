"""From data to verdict as a Prefect flow over DVC's graph: `python -m flows.train`.

Without a server, the run brings its own; with `PREFECT_API_URL` the run reports there. Each run becomes a DVC
experiment of the run's name.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    from flows import temporary

    temporary.begin()  # before the imports that take seconds

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from flows.artifacts import show_run
from flows.data import add_options, ingest, pull
from flows.experiment import push, save
from flows.graph import read_graph, stages_until
from flows.leash import Leash
from flows.notify import tell
from flows.overrides import overridden
from flows.runs import NOT_PUSHED, TRANSFERS, reason, refuse, run_name, workspace
from flows.server import check_server
from flows.stage import follow, step, task_of
from tasks.common import paths
from tasks.common.errors import UserError, command
from tasks.gate.verdict import EXIT_STATUS, Decision, Verdict, read_verdict

ENDS: Final[dict[Decision, str]] = {
    "promote": "Completed",
    "reject": "Rejected",
    "inconclusive": "Inconclusive",
    "not comparable": "NotComparable",
}
"""Names of the states in which a run with a verdict ends."""


@flow(
    name="train",
    description="From data to verdict, over the graph of dvc.yaml; a DVC experiment for each run.",
    flow_run_name=run_name,
    on_completion=[tell],
    on_failure=[tell],
    on_crashed=[tell],
    on_cancellation=[tell],
)
def train(
    source: str | None = None,
    overrides: list[str] | None = None,
    experiment: str | None = None,
    promote: bool = False,
    until: str | None = None,
    ingest_options: list[str] | None = None,
) -> State[None]:
    """Run every stage that is stale, in DVC's order, and end as the gate says.

    Args:
        source: what to ingest first, as `python -m tasks.ingest` takes it; without it, the data that `data.dvc` pins.
        overrides: changed parameters, such as `train.learning_rate=0.0002`, for this run alone.
        experiment: name of the DVC experiment and of the run; without it, the name that Prefect gives.
        promote: make the network the baseline where the verdict is *promote*.
        until: the last stage to run, such as `train`: the test faces stay unseen, and there is no verdict.
        ingest_options: of `python -m tasks.ingest`, without their dashes, such as `votes=fer2013new.csv`.
    """
    root, name = Path.cwd(), flow_run.name
    refused = refuse(root, overrides or [], until, source, ingest_options or [])
    if refused:
        return refused
    with workspace(root) as leash:
        if source:
            step("ingest", lambda: ingest(leash, source, ingest_options or []))()  # bad data stays bad
        else:
            step("pull", lambda: pull(root, leash), TRANSFERS)()
        with overridden(root, overrides or []):
            ended = _reach(root, leash, until) if until else end_of(_reach_verdict(root, leash, promote=promote))
        pushed = step("push", lambda: push(root, leash, name), TRANSFERS)(return_state=True)
    return ended if pushed.is_completed() else unpushed(ended)


def _reach(root: Path, leash: Leash, until: str) -> State[None]:
    """Bring the stages up to one of them up to date, and keep them as an experiment."""
    stages = stages_until(root, until)
    for stage in stages[:-1]:
        task_of(stage, leash)()
    last = task_of(stages[-1], leash)(return_state=True)
    last.result()
    step("save", lambda: save(leash, flow_run.name, only=[stage.name for stage in stages]))()
    return Completed(message=last.message)


def _reach_verdict(root: Path, leash: Leash, *, promote: bool) -> Verdict:
    """Bring every stage up to date, show what came of it, and keep it as an experiment."""
    name = flow_run.name
    for stage in read_graph(root):
        task_of(stage, leash)()
    verdict = read_verdict(root / paths.VERDICT)
    baseline: list[Path] = []
    if promote and verdict.verdict == "promote":
        step("promote", lambda: follow(leash, [sys.executable, "-m", "tasks.promote", name], "promote"))()
        baseline = [paths.BASELINES / f"{name}.json", paths.BASELINES / f"{name}.parquet"]
    step("show", lambda: show_run(root, name))()
    step("save", lambda: save(leash, name, new=baseline))()
    return verdict


def end_of(verdict: Verdict) -> State[None]:
    """Return the state in which a run with a verdict ends, with the gate's reasons."""
    state = Completed if verdict.verdict in ("promote", "not comparable") else Failed
    return state(name=ENDS[verdict.verdict], message="\n".join(verdict.reasons))


def unpushed(ended: State[None]) -> State[None]:
    """Return the end of a run whose outputs did not reach the remote."""
    late = "Not pushed: the outputs lie in the local cache, and the push of the next run brings them up."
    name = NOT_PUSHED if ended.name == "Completed" else ended.name
    return ended.model_copy(update={"name": name, "message": f"{ended.message}\n{late}"})


@command
def main() -> None:
    """Run the flow here and now."""
    parser = argparse.ArgumentParser(prog="python -m flows.train", description=__doc__.splitlines()[0])
    parser.add_argument("--source", help="what to ingest first; without it, what data.dvc pins")
    add_options(parser)
    parser.add_argument(
        "-S", "--set-param", dest="overrides", action="append", metavar="NAME=VALUE", help="a changed parameter"
    )
    parser.add_argument("--experiment", metavar="NAME", help="of the DVC experiment")
    parser.add_argument("--promote", action="store_true", help="make the network the baseline, if the gate says so")
    parser.add_argument("--until", metavar="STAGE", help="the last stage to run; without it, all of them")
    parser.add_argument("--enforce", action="store_true", help="exit as the verdict says, like `tasks.gate --enforce`")
    options = vars(parser.parse_args())
    enforce = options.pop("enforce")
    if enforce and options["until"]:
        raise UserError("--enforce: a run that ends before the gate has no verdict; leave out --until, or --enforce")
    check_server()
    state = train(**options, return_state=True)
    names = {name: decision for decision, name in ENDS.items()} | {NOT_PUSHED: "promote"}
    if state.name not in names:
        raise UserError(reason(state))
    sys.exit(EXIT_STATUS[names[state.name]] if enforce else 0)


if __name__ == "__main__":
    main()
