"""Sweeps on a real server, over a graph of toy stages: what is tried is which runs are made, and when."""

import shutil
import signal
from pathlib import Path

import psutil
import pytest
import yaml
from optuna.trial import TrialState

from flows.search import open_study
from flows.sweeps import Planned, Search
from flows.tune import best_of
from tests.flows.conftest import STAGES, Server, exps, until
from tests.flows.pool import Worker, deploy
from tests.workspaces import commit, run, start

TUNE = ("python", "-m", "flows.tune")

LEARNER = """
import json, pathlib, time, yaml
train = yaml.safe_load(open("params.yaml"))["train"]
epochs, rate, seed = train["epochs"], train["learning_rate"], train["seed"]
assert rate < 0.9, "error: diverged"
kept = pathlib.Path(".backup") / f"{rate}-{epochs}-{seed}"
kept.parent.mkdir(exist_ok=True)
first = int(kept.read_text()) + 1 if kept.exists() else 1
if first > 1:
    print(f"going on from epoch {first}", flush=True)
for epoch in range(first, epochs + 1):
    time.sleep(0.3)
    accuracy = (1 - rate + seed / 10000) * epoch / epochs
    print(f"epoch {epoch}/{epochs}: loss 1.0 accuracy 0.5 val_loss 1.0 val_accuracy {accuracy:.4f}", flush=True)
    kept.write_text(str(epoch))
for folder in ("outputs", "metrics"):
    pathlib.Path(folder).mkdir(exist_ok=True)
pathlib.Path("outputs/toy.txt").write_text(str(epochs))
json.dump({"epochs": epochs, "val_accuracy": accuracy}, open("metrics/training.json", "w"))
"""
"""The lower its rate, the better it does; it keeps what a killed one goes on from, as the real training does."""


@pytest.fixture
def learner(toy: Path) -> Path:
    """A repository whose `train` takes a third of a second an epoch, with `sweep` to write sweeps into it."""
    (toy / "toy.py").write_text(LEARNER)
    metrics = [{"metrics/training.json": {"cache": False}}]
    shutil.move(toy / "outputs" / "evaluation.json", toy)
    score = {"cmd": "cp evaluation.json outputs/", "deps": ["outputs/toy.txt"], "outs": ["outputs/evaluation.json"]}
    stages = STAGES | {"train": STAGES["train"] | {"params": ["train"], "metrics": metrics}, "evaluate": score}
    (toy / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    (toy / "sweeps").mkdir()
    commit(toy, "a learner")
    return toy


def sweep(folder: Path, name: str, **content: object) -> None:
    (folder / "sweeps" / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def accuracies(folder: Path, prefix: str) -> dict[str, float]:
    found = {name: data for name, data in exps(folder).items() if name.startswith(f"{prefix}-")}
    return {name: one["metrics"]["metrics/training.json"]["data"]["val_accuracy"] for name, one in found.items()}


def ended(folder: Path, *call: str) -> tuple[int, str]:
    process = start(folder, *call)
    said, _ = process.communicate(timeout=240)
    return process.returncode, said


def listed(runs: dict[str, tuple[float, int]]) -> list[dict[str, object]]:
    """Return runs as a sweep lists them, of their learning rates and epochs."""
    return [
        {"name": name, "set": {"train.learning_rate": rate, "train.epochs": epochs}}
        for name, (rate, epochs) in runs.items()
    ]


def gone(folder: Path) -> bool:
    """Return whether nothing is at work in a folder."""
    return not [one for one in psutil.process_iter(["cwd"]) if str(folder) in (one.info["cwd"] or "")]


def test_a_sweep_that_is_killed_goes_on_and_a_failed_run_does_not_stop_the_others(learner, server: Server):
    run(learner, "dvc", "remote", "add", "--quiet", "--default", "store", "../remote")  # DVC keeps it relative
    commit(learner, "a remote")
    runs = {"bad": (0.95, 2), "a": (0.2, 2), "long": (0.1, 15), "b": (0.3, 2)}
    sweep(learner, "few", set={"train.seed": 0}, runs=listed(runs))
    process = start(learner, *TUNE, "few")
    until(lambda: "epoch 3/15" in server.log("few-long"), 180)
    process.kill()
    until(lambda: gone(learner), 30)
    assert set(accuracies(learner, "few")) == {"few-a"}
    status, said = ended(learner, *TUNE, "few")
    assert status == 1
    assert "error: few-bad: train failed" in said
    assert accuracies(learner, "few") == {"few-a": 0.8, "few-long": 0.9, "few-b": 0.7, "few-long-scored": 0.9}
    assert "going on from epoch" in said
    ends = {name: one["state_name"] for name, one in server.task_runs("tune-few").items()}
    assert ends == {
        "few-bad": "Failed", "few-a": "Unchanged", "few-long": "Completed", "few-b": "Completed",
        "few-long-scored": "Completed",
    }  # fmt: skip
    assert run(learner, "git", "status", "--porcelain") == "?? sweeps/\n"
    pushed = {path.read_bytes() for path in (learner.parent / "remote").rglob("*") if path.is_file()}
    assert {b"2", b"15"} <= pushed
    assert not list((learner / ".dvc/tmp/places").iterdir())
    sweep(learner, "few", set={"train.seed": 0}, runs=listed(runs | {"a": (0.2, 3)}))
    status, said = ended(learner, *TUNE, "few")
    assert status == 1
    assert "few-a: an experiment of that name is there, which differs in train.epochs" in said


def test_a_search_survives_a_kill_and_stops_what_is_hopeless(learner, server: Server):
    space = {"train.learning_rate": {"low": 0.01, "high": 0.8}, "train.optimizer": ["adam", "sgd"]}
    search = {"trials": 5, "startup": 2, "patience": 1, "space": space}
    sweep(learner, "wide", set={"train.epochs": 4}, search=search)
    process = start(learner, *TUNE, "wide")
    until(lambda: "wide-t001" in exps(learner), 120)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    until(lambda: gone(learner), 30)
    status, said = ended(learner, *TUNE, "wide")
    assert status == 0, said
    study = open_study(learner, "wide", Search.model_validate(search))
    known = study.get_trials()
    assert len(known) == 5
    assert {one.state for one in known} <= {TrialState.COMPLETE, TrialState.PRUNED}
    found = accuracies(learner, "wide")
    best, name = max((one.value or 0, f"wide-t{one.number:03d}-scored") for one in known)
    assert found[name] == best == max(found.values())
    pruned = [one.number for one in known if one.state is TrialState.PRUNED]
    assert all(f"wide-t{number:03d}" not in found for number in pruned)
    assert said.count("below the others' median") >= bool(pruned)
    proposed = [one.params["train.learning_rate"] for one in known]
    assert len(set(proposed)) == len(proposed)  # a sampler that begins anew does not repeat itself


def test_of_several_seeds_the_best_mean_is_chosen():
    runs = [Planned(f"{group}-s{seed}", {}, group, ()) for group in "ab" for seed in (1, 2)]
    scores = {"a-s1": 0.70, "a-s2": 0.60, "b-s1": 0.66, "b-s2": 0.67}
    assert best_of(runs, scores) == runs[3]
    assert best_of(runs, {"a-s1": 0.70}) == runs[0]
    assert best_of(runs, {}) is None


def test_the_workers_of_the_pool_make_the_runs(learner, server: Server, workers, tmp_path, monkeypatch):
    deploy(learner)
    monkeypatch.setenv("FACIAL_EMOTION_STORE", str(tmp_path / "store"))
    shutil.copytree(learner / ".dvc" / "cache", tmp_path / "store" / "cache")
    workers.append(Worker())
    sweep(
        learner, "far", score="all", set={"train.epochs": 2}, runs=[{"name": "a", "set": {"train.learning_rate": 0.1}}]
    )
    status, said = ended(learner, *TUNE, "far", "--pool")
    assert status == 0, said
    assert accuracies(learner, "far") == {"far-a": 0.9042}
    assert "epoch 2/2" in said
    assert server.flow_run("far-a")["deployment_id"]
