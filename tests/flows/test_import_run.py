"""A training on a machine that has Keras alone, brought back as an experiment."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from flows.experiment import experiments
from flows.import_run import differing, import_run
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.tables import read_predictions
from tests.workspaces import ROOT, commit, environment, run

BARE = """
import sys
LACKED = {"boto3", "dvc", "dvclive", "great_expectations", "matplotlib", "prefect", "psutil", "scmrepo", "tensorflow"}
class Bare:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in LACKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Bare())
import runpy
runpy.run_module("bench.gpu", run_name="__main__", alter_sys=True)
"""


def elsewhere(folder: Path, out: Path, *overrides: str) -> subprocess.Popen[str]:
    """Start a training as on a machine without DVC, Prefect and their kin, on another backend."""
    words = [word for override in overrides for word in ("-S", override)]
    return subprocess.Popen(
        [sys.executable, "-u", "-c", BARE, str(folder / "prepared"), "--out", str(out), *words],
        cwd=folder,
        env={**environment(), "KERAS_BACKEND": "jax"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@pytest.fixture(scope="module")
def workspace(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one run, and beside it the faces and the benchmarks."""
    folder = shutil.copytree(finished_workspace, tmp_path_factory.mktemp("import") / "here", symlinks=True)
    shutil.copytree(ROOT / "bench", folder / "bench")
    (folder / ".git" / "info" / "exclude").write_text("prepared\n")
    (folder / "prepared").mkdir()
    shutil.copy(folder / paths.FACES, folder / "prepared")
    commit(folder, "benchmarks")
    return folder


CHANGED = (
    "split.strategy=random",
    "evaluate.turn=0.0",
    "train.epochs=3",
    "train.start_side=null",
    "model.filters=[8, 12]",
    "model.kernel_sizes=[3, 3]",
)


@pytest.fixture(scope="module")
def trained(workspace: Path) -> Path:
    """A training that was killed in the middle and taken up again."""
    out = workspace.parent / "far"
    first = elsewhere(workspace, out, *CHANGED)
    assert first.stdout
    for line in first.stdout:
        if line.startswith("epoch 1/3"):
            break
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    said = elsewhere(workspace, out, *CHANGED).communicate()[0]
    assert "going on from" in said, said
    return out


def test_a_run_of_another_machine_becomes_an_experiment_like_any_other(workspace, trained):
    theirs = json.loads((trained / "metrics.json").read_text())
    run(workspace, "python", "-m", "flows.import_run", str(trained))
    assert run(workspace, "git", "status", "--porcelain") == ""
    tip = experiments(workspace)["far"]

    def file(path: Path) -> str:
        return run(workspace, "git", "show", f"{tip}:{path}")

    assert json.loads(file(paths.TRAINING)) == theirs["training"]
    assert json.loads(file(paths.COST)) == theirs["cost"]
    assert theirs["identity"]["keras"].endswith(" jax")
    params = yaml.safe_load(file(paths.PARAMS))
    assert (params["train"]["epochs"], params["model"]["filters"]) == (3, [8, 12])
    assert (params["split"]["strategy"], params["evaluate"]["turn"]) == ("random", 0.0)
    shown = json.loads(run(workspace, "dvc", "exp", "show", "--json", "--rev", tip))
    assert str(paths.VERDICT) in json.dumps(shown)
    # What jax said there is what TensorFlow says here.
    run(workspace, "dvc", "exp", "apply", "far")
    there, here = read_predictions(trained / "test.parquet"), read_predictions(workspace / paths.PREDICTIONS)
    np.testing.assert_array_equal(there.row, here.row)
    np.testing.assert_allclose(there.probabilities, here.probabilities, atol=1e-4)
    assert len((workspace / paths.HISTORY / "plots/metrics/val/loss.tsv").read_text().splitlines()) == 1 + 3
    assert "Data and pipelines are up to date" in run(workspace, "dvc", "repro")
    run(workspace, "git", "restore", ".")
    assert "far is there already" in run(workspace, "python", "-m", "flows.import_run", str(trained), ok=False)


def test_the_folder_of_a_training_is_not_trained_in_again(workspace, trained):
    before = (trained / "test.parquet").read_bytes()
    assert elsewhere(workspace, trained, *CHANGED).communicate()[0].endswith("far: this training is done\n")
    (trained / "test.parquet").unlink()
    assert elsewhere(workspace, trained, *CHANGED).communicate()[0].endswith("its network has predicted anew\n")
    assert (trained / "test.parquet").read_bytes() == before
    said = elsewhere(workspace, trained, "train.epochs=2").communicate()[0]
    assert said.splitlines()[-1].endswith("far: it holds another training; name another folder")
    said = elsewhere(workspace, trained, "train.epohcs=2").communicate()[0]
    assert "did you mean train.epochs?" in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder, out: recode(folder), "trained with other code than lie here; check out the commit"),
        (lambda folder, out: (out / "history.csv").unlink(), "found no history.csv"),
    ],
)
def test_what_is_no_training_of_this_repository_leaves_nothing(workspace, trained, tmp_path, damage, sentence):
    folder, out = (shutil.copytree(one, tmp_path / one.name, symlinks=True) for one in (workspace, trained))
    damage(folder, out)
    before = experiments(folder)
    said = run(folder, "python", "-m", "flows.import_run", str(out), "--experiment", "other", ok=False)
    assert said.splitlines()[-1].startswith(f"error: {out}")
    assert sentence in said.splitlines()[-1]
    assert experiments(folder) == before
    assert not list((folder / ".dvc" / "tmp" / "places").iterdir())


def test_a_folder_that_no_training_has_filled_is_refused_at_once(workspace, tmp_path):
    with pytest.raises(UserError, match=r"params\.yaml: no such file; name a folder that `python -m bench\.gpu` has"):
        import_run(workspace, tmp_path, "other")


def recode(folder: Path) -> None:
    with (folder / "model" / "training" / "growth.py").open("a") as file:
        file.write("\n")
    commit(folder, "other code")


def test_what_passes_and_what_is_promoted_is_not_taken_from_the_parameters_of_a_training():
    ours = {"model": {"name": "a", "filters": None}, "train": {"early_stopping": {"patience": 0}}, "gate": {"seed": 1}}
    theirs = {"model": {"name": "a", "filters": [1]}, "train": {"early_stopping": {"patience": 3}}, "gate": {"seed": 2}}
    ours |= {"split": {"strategy": "official"}, "evaluate": {"turn": 8.0}, "validate": {"min_rows": 1000}}
    theirs |= {"split": {"strategy": "random"}, "evaluate": {"turn": 0.0}, "validate": {"min_rows": 1}}
    assert differing(ours, theirs) == {
        "split.strategy": "random",
        "model.filters": [1],
        "train.early_stopping.patience": 3,
        "evaluate.turn": 0.0,
    }
