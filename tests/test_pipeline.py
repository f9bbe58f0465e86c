"""The whole pipeline under a real DVC and a real git, in a workspace of its own, on a few drawn faces."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tasks import paths
from tasks.ingest.sample import draw_sample
from tasks.provenance import Provenance, write_provenance
from tasks.tables import USAGES, write_faces
from tests.conftest import ROOT

CODE = ("model", "tasks", "baseline", "dvc.yaml", ".dvcignore", ".gitignore")
SHRUNK = {
    "train": {"epochs": 1, "canary": False},
    "model": {"filters": [8], "kernel_sizes": [3]},
    "gate": {"resamples": 200},
}


def run(workspace: Path, *command: str, ok: bool = True) -> str:
    """Run a command of the project's environment in the workspace and return all that it said."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    environment |= {
        f"GIT_{role}_{key}": "tester@example.org" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        command, cwd=workspace, env=environment, capture_output=True, text=True, check=False, timeout=500
    )
    said = done.stdout + done.stderr
    assert (done.returncode == 0) is ok, said
    return said


def change(workspace: Path, changes: dict) -> None:
    path = workspace / paths.PARAMS
    values = yaml.safe_load(path.read_text())
    for section, knobs in changes.items():
        values[section] |= knobs
    path.write_text(yaml.safe_dump(values, sort_keys=False))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A repository with the project's code, its parameters shrunk, every fourth face of the sample, one full run."""
    folder = tmp_path_factory.mktemp("workspace")
    for name in CODE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    shutil.copy(ROOT / paths.PARAMS, folder)
    change(folder, SHRUNK | {"validate": {"min_rows": 500}})
    sample = draw_sample()
    rare = np.flatnonzero(sample.emotion == 1)
    faces = sample.take(np.union1d(np.arange(0, len(sample), 4), rare))
    write_faces(folder / paths.FACES, faces)
    counts = {usage: int((faces.usage == usage).sum()) for usage in USAGES}
    provenance = Provenance(
        source="sample", layout="sample", sha256="0" * 64, synthetic=True, fingerprint=faces.fingerprint(),
        rows=len(faces), labels={}, usages=counts,
    )  # fmt: skip
    write_provenance(folder / paths.PROVENANCE, provenance)
    run(folder, "git", "init", "--quiet", "--initial-branch=main")
    run(folder, "dvc", "init", "--quiet")
    run(folder, "dvc", "add", "--quiet", "data")
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message=code and data")
    run(folder, "dvc", "repro")
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message=one run")
    return folder


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
    columns = run(workspace, "dvc", "exp", "show", "--only-changed", "--csv", "--hide-workspace").splitlines()[0]
    assert len(columns.split(",")) <= 30
    assert "train.epochs" in columns
    run(workspace, "dvc", "plots", "show")
    assert (workspace / "dvc_plots" / "index.html").exists()
