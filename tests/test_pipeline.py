"""The whole pipeline under a real DVC and a real git, in a workspace of its own, on a few drawn faces."""

import json
import shlex
import shutil

import pytest

from tasks.common import paths
from tests.workspaces import ROOT, change, run, start


@pytest.fixture(scope="module")
def workspace(finished_workspace, tmp_path_factory):
    """A repository with the project's code, few faces, and one full run."""
    return shutil.copytree(finished_workspace, tmp_path_factory.mktemp("pipeline") / "workspace")


def test_a_run_ends_with_a_verdict_and_two_reports(workspace):
    verdict = json.loads((workspace / paths.VERDICT).read_text())
    assert verdict["verdict"] == "not comparable"  # a fourth of the sample is no baseline's data
    assert (workspace / paths.REPORT).exists()
    assert (workspace / paths.VALIDATION_REPORT).exists()
    said = run(workspace, "python", "-m", "tasks.summary")
    for word in ("accuracy", "macro F1", "not comparable", "reports/report.html", "drawn faces"):
        assert word in said


def test_git_sees_what_it_should(workspace):
    tracked = run(workspace, "git", "ls-files").split()
    assert {"data.dvc", "dvc.lock", "metrics/scores.json", "metrics/verdict.json"} <= set(tracked)
    assert not [name for name in tracked if name.startswith(("data/", "outputs/", "reports/", "plots/", ".backup/"))]
    assert run(workspace, "git", "status", "--porcelain") == ""


def test_a_second_repro_does_nothing(workspace):
    assert "up to date" in run(workspace, "dvc", "repro")
    assert run(workspace, "git", "status", "--porcelain") == ""


def test_the_same_training_again_gives_the_same_bytes(workspace):
    before = {name: (workspace / name).read_bytes() for name in (paths.MODEL, paths.PREDICTIONS)}
    run(workspace, "dvc", "repro", "--force", "--single-item", "train")
    assert (workspace / paths.MODEL).read_bytes() == before[paths.MODEL]
    # An unchanged network leaves nothing to do for the stages after it.
    assert "up to date" in run(workspace, "dvc", "repro")
    assert (workspace / paths.PREDICTIONS).read_bytes() == before[paths.PREDICTIONS]


def test_a_mistyped_parameter_stops_before_any_work(workspace):
    change(workspace, {"train": {"epohcs": 3}})
    before = (workspace / paths.MODEL).read_bytes()
    said = run(workspace, "dvc", "repro", ok=False)
    run(workspace, "git", "checkout", "--quiet", "params.yaml")
    run(workspace, "dvc", "checkout", "--quiet")
    assert "train.epohcs is not a parameter; did you mean train.epochs?" in said
    assert "epoch 1" not in said
    assert (workspace / paths.MODEL).read_bytes() == before


def test_a_repro_that_is_killed_in_mid_training_is_taken_up_by_the_next(workspace):
    change(workspace, {"train": {"epochs": 15, "learning_rate": 0.02}})
    process = start(workspace, "dvc", "repro")
    for line in process.stdout or ():
        if line.startswith("epoch 2/"):
            break
    process.kill()  # DVC alone: its child is left behind, and has to end by itself
    process.wait()
    said = run(workspace, "dvc", "repro")
    run(workspace, "git", "checkout", "--quiet", "--", "params.yaml", "dvc.lock", "metrics")
    run(workspace, "dvc", "checkout", "--quiet")
    assert "going on from .backup/" in said
    assert "epoch 15/15:" in said


def test_experiments_work_as_users_of_dvc_know_them(workspace):
    run(workspace, "dvc", "exp", "run", "--name", "two", "-S", "train.epochs=2")
    assert json.loads((workspace / paths.TRAINING).read_text())["epochs"] == 2
    shown = json.loads(run(workspace, "dvc", "exp", "show", "--json"))
    (two,) = [e for line in shown for e in line["experiments"] or []]
    assert two["name"] == "two"
    data = two["revs"][0]["data"]
    assert data["params"]["params.yaml"]["data"]["train"]["epochs"] == 2
    assert set(data["metrics"]["metrics/scores.json"]["data"]) >= {"accuracy", "macro_f1"}
    assert data["metrics"]["metrics/verdict.json"]["data"]["verdict"] == "not comparable"
    assert "epochs" in run(workspace, "dvc", "metrics", "diff")
    line = next(line for line in (ROOT / "Makefile").read_text().splitlines() if "dvc exp show" in line)
    columns = run(workspace, *shlex.split(line.strip("\t@").replace("$$", "$")), "--csv").splitlines()[0].split(",")
    assert len(columns) == len(set(columns)) <= 30
    assert {"train.epochs", "accuracy"} <= set(columns)
    run(workspace, "dvc", "plots", "show")
    assert (workspace / "dvc_plots" / "index.html").exists()
