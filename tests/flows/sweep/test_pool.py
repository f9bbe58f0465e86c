"""Sweeps on the workers of a real server's pool, which outlive the command that asked for them."""

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from flows.deploy import SILENT
from flows.experiment import experiments
from flows.sweep.definition import Search
from flows.sweep.search import open_study
from tests.flows.conftest import Server, until
from tests.flows.learner import TUNE, accuracies, backups, listed, make, sweep, tuned
from tests.flows.pool import Worker, deploy
from tests.workspaces import start


@pytest.fixture(scope="module")
def learner(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[Path]:
    """A repository that is deployed, with the store of a machine that has its data."""
    folder = make(finished_workspace, tmp_path_factory.mktemp("pool") / "learner")
    shutil.copytree(folder / ".dvc" / "cache", folder.parent / "store" / "cache")
    deploy(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACIAL_EMOTION_STORE", str(folder.parent / "store"))
        yield folder


def named(server: Server, name: str) -> list[dict[str, Any]]:
    """Return all flow runs of a name."""
    return server.ask("flow_runs/filter", flow_runs={"name": {"any_": [name]}})


def test_a_sweep_on_the_pool_outlives_its_command_and_a_machine(learner, server: Server, workers):
    workers.append(Worker())
    sweep(learner, "far", score="all", runs=listed({"long": (0.1, 40), "b": (0.2, 1)}))
    process = start(learner, *TUNE, "far", "--pool")
    until(lambda: len(named(server, "far-b")) == 1 and "epoch 3/40" in server.log("far-long"), 120)
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert time.monotonic() - asked < 20
    assert said.splitlines()[-1].startswith("error: the sweep was let go of: its runs go on at their workers;")
    assert server.flow_run("far-long")["state_name"] == "Running"
    workers.pop().kill()
    state = {"type": "CRASHED", "name": "Crashed", "message": SILENT}  # as when its signs of life don't come
    server.ask(f"flow_runs/{server.flow_run('far-long')['id']}/set_state", state=state, force=True)
    until(lambda: server.flow_run("far-long")["state_name"] == "AwaitingRetry", 30)
    workers.append(Worker())
    status, said = tuned(learner, "far", "--pool")
    assert status == 0, said
    assert accuracies(learner, "far") == {"far-long": 0.9, "far-b": 0.8}
    assert "going on from epoch" in server.log("far-long")
    for name in ("far-long", "far-b"):
        assert [one["state_name"] for one in named(server, name)] == ["NotComparable"], "each was asked for once"
    assert not backups(learner.parent / "store" / "backup")


def test_a_hopeless_trial_is_cancelled_and_the_worker_goes_on(learner, server: Server, workers, messages, monkeypatch):
    port, came = messages
    monkeypatch.setenv("FACIAL_EMOTION_NOTIFY", f"json://127.0.0.1:{port}/")
    space = {"train.learning_rate": {"low": 0.01, "high": 0.8}}
    search = {"trials": 4, "startup": 2, "patience": 1, "space": space}
    sweep(learner, "vast", score="all", set={"train.epochs": 200}, search=search)
    study = open_study(learner, "vast", Search.model_validate(search))
    for rate in (0.1, 0.2):
        known = dict.fromkeys(range(1, 201), 1 - rate)
        study.add_trial(
            optuna.create_trial(
                params={"train.learning_rate": rate},
                distributions={"train.learning_rate": FloatDistribution(0.01, 0.8)},
                value=1 - rate,
                intermediate_values=known,
            )
        )
    study.enqueue_trial({"train.learning_rate": 0.7})
    study.enqueue_trial({"train.learning_rate": 0.6})
    workers.append(Worker())
    status, said = tuned(learner, "vast", "--pool")
    assert status == 0, said
    assert [one.state for one in study.get_trials()][2:] == [TrialState.PRUNED, TrialState.PRUNED]
    first, second = (server.flow_run(f"vast-t00{n}") for n in (2, 3))
    assert second["created"] > first["start_time"], "it was proposed before anything was known of the first"
    assert second["start_time"] > first["end_time"]
    until(lambda: {server.flow_run(f"vast-t00{n}")["state_name"] for n in (2, 3)} == {"Cancelled"}, 30)
    assert not [name for name in experiments(learner) if name.startswith("vast")]
    assert [message["title"] for message in came] == ["tune: tune-vast ended as Completed"]
