"""Training as DVC runs it: a process of its own that may be killed at any moment."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml

from tasks.common import paths
from tasks.common.tables import Faces, Split, write_faces, write_split
from tests.conftest import ROOT


def params(**train):
    """The project's own parameters, shrunk."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["model"] |= {"filters": [8], "kernel_sizes": [3]}
    values["train"] |= {"epochs": 3, "batch_size": 16, "canary": False} | train
    return values


def workspace(folder, **train):
    n = 160
    rng = np.random.default_rng(0)
    emotion = (np.arange(n) % 7).astype(np.int8)
    pixels = rng.integers(0, 100, (n, 48, 48), dtype=np.uint8)
    pixels += (np.arange(48) // (emotion[:, None] + 1) % 2 * 100).astype(np.uint8)[:, None, :]
    usage = np.array(["Training"] * 128 + ["PublicTest"] * 32, object)
    row = np.arange(n, dtype=np.int32)
    write_faces(folder / paths.FACES, Faces(row, emotion, usage, pixels))
    subset = np.where(usage == "Training", "train", "validation").astype(object)
    write_split(folder / paths.SPLIT, Split(row, subset, np.array(["none"] * n, object)))
    (folder / paths.PARAMS).write_text(yaml.safe_dump(params(**train)))
    return folder


def start(folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-u", "-m", "tasks.train"]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(folder):
    process = start(folder)
    said, _ = process.communicate(timeout=300)
    return process.returncode, said


def outputs(folder):
    kept = [*(folder / paths.HISTORY / "plots").rglob("*.tsv"), folder / paths.MODEL, folder / paths.TRAINING]
    return {path.relative_to(folder): path.read_bytes() for path in kept if path.exists()}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = workspace(tmp_path_factory.mktemp("whole"))
    code, said = finish(folder)
    assert code == 0, said
    return folder


def test_a_run_leaves_model_history_and_figures_and_no_backup(uninterrupted):
    files = {str(path) for path in outputs(uninterrupted)}
    curves = {
        f"plots/training/plots/metrics/{p}.tsv" for p in ("train/loss", "train/accuracy", "val/loss", "val/accuracy")
    }
    assert curves | {"outputs/model.keras", "metrics/training.json"} <= files
    assert not list((uninterrupted / paths.BACKUPS).iterdir())


def test_killed_in_mid_training_it_loses_at_most_one_epoch_and_ends_the_same(tmp_path, uninterrupted):
    folder = workspace(tmp_path)
    process = start(folder)
    for line in process.stdout:
        if line.startswith("epoch 2"):
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / paths.MODEL).exists()
    code, said = finish(folder)
    assert code == 0, said
    assert "going on from .backup/" in said
    assert outputs(folder) == outputs(uninterrupted)
    assert not list((folder / paths.BACKUPS).iterdir())


def test_a_changed_parameter_never_goes_on_from_anothers_backup(tmp_path):
    folder = workspace(tmp_path)
    process = start(folder)
    for line in process.stdout:
        if line.startswith("epoch 1"):
            break
    process.kill()
    process.wait()
    (folder / paths.PARAMS).write_text(yaml.safe_dump(params(epochs=1, learning_rate=0.01)))
    code, said = finish(folder)
    assert code == 0, said
    assert "going on" not in said
    assert len(list((folder / paths.BACKUPS).glob("*/state.npz"))) == 1


def test_a_second_training_of_the_same_run_is_told_of_the_first(tmp_path):
    folder = workspace(tmp_path, epochs=5000)
    first = start(folder)
    deadline = time.monotonic() + 120
    while not list((folder / paths.BACKUPS).glob("*/state.npz")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    code, said = finish(folder)
    first.kill()
    first.wait()
    assert code == 1
    assert f"this very training is still at work in process {first.pid}" in said


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"device": "gpu"}, "train.device is gpu, and tensorflow sees none"),
        ({"learning_rate": 1e30, "optimizer": "sgd"}, "lower train.learning_rate"),
        ({"epohcs": 3}, "train.epohcs is not a parameter; did you mean train.epochs?"),
    ],
)
def test_what_cannot_go_well_ends_with_one_sentence(tmp_path, change, sentence):
    code, said = finish(workspace(tmp_path, **change))
    assert code == 1
    assert said.splitlines()[-1].startswith("error: ")
    assert sentence in said
    assert "Traceback" not in said
