"""Training as DVC runs it: a process of its own that may be killed at any moment."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score

import model
from model.kernels import computes_bfloat16
from model.labels import LABELS
from model.predicting import load_network, predict
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.params import Params
from tasks.common.reading import check_params
from tasks.common.tables import VOTES, Faces, Split, read_faces, read_split, write_faces, write_split
from tasks.train.learning import identity, run_key
from tasks.train.subsets import labelled, soft_targets, vote_shares
from tests.conftest import ROOT


def params(**train):
    """The project's own parameters, shrunk."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["model"] |= {"filters": [8], "kernel_sizes": [3]}
    quick = {"epochs": 3, "start_side": None, "batch_size": 16, "canary": False, "mixed_precision": False}
    values["train"] |= quick | train
    return values


def checked(**train) -> Params:
    return check_params(params(**train), "here")


def table(emotion, votes):
    n = len(emotion)
    pixels = np.zeros((n, 48, 48), np.uint8)
    return Faces(np.arange(n, dtype=np.int32), emotion, np.array(["Training"] * n, object), pixels, votes)


def workspace(folder, votes=None, **train):
    n = 160
    rng = np.random.default_rng(0)
    emotion = (np.arange(n) % 7).astype(np.int8)
    pixels = rng.integers(0, 100, (n, 48, 48), dtype=np.uint8)
    pixels += (np.arange(48) // (emotion[:, None] + 1) % 2 * 100).astype(np.uint8)[:, None, :]
    usage = np.array(["Training"] * 128 + ["PublicTest"] * 32, object)
    row = np.arange(n, dtype=np.int32)
    write_faces(folder / paths.FACES, Faces(row, emotion, usage, pixels, votes))
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


def test_half_precision_is_what_trains_and_what_is_left_computes_in_single_precision(uninterrupted, tmp_path):
    folder = workspace(tmp_path, mixed_precision=True)
    code, said = finish(folder)
    assert code == 0, said
    assert f"this CPU computes in {'bfloat16' if computes_bfloat16() else 'float32 alone'}" in said
    losses = [(one / paths.HISTORY / "plots/metrics/train/loss.tsv").read_bytes() for one in (uninterrupted, folder)]
    assert (losses[0] != losses[1]) is computes_bfloat16()
    network = load_network(folder / paths.MODEL)
    assert {layer.compute_dtype for layer in network.layers if layer.weights} == {"float32"}
    faces, split = read_faces(folder / paths.FACES), read_split(folder / paths.SPLIT)
    own = labelled(faces, split, "validation")
    said = predict(network, own.faces, batch_size=32).argmax(axis=1)
    f1 = json.loads((folder / paths.TRAINING).read_text())["val_macro_f1"]
    assert f1_score(own.labels, said, labels=range(7), average="macro", zero_division=0) == pytest.approx(f1)


def cost(folder):
    return json.loads((folder / paths.COST).read_text())


def spend(folder, seconds):
    """Add to the time that a killed training notes as spent."""
    (path,) = (folder / paths.BACKUPS).glob("*/state.npz")
    with np.load(path) as saved:
        arrays = dict(saved)
    note = json.loads(arrays["note"].tobytes())
    note["spent"]["training"] += seconds
    arrays["note"] = np.frombuffer(json.dumps(note).encode(), np.uint8)
    np.savez(path, **arrays)


def test_a_run_tells_its_figures_and_its_cost(uninterrupted):
    figures = json.loads((uninterrupted / paths.TRAINING).read_text())
    assert list(figures) == ["epochs", "best_epoch", "val_loss", "val_accuracy", "val_macro_f1", "val_faces"]
    assert figures["val_faces"] == 32
    assert 0 <= figures["val_macro_f1"] <= 1
    spent = cost(uninterrupted)
    assert list(spent) == ["device", "seconds", "gpu_hours", "faces_per_second", "peak_memory_mb"]
    assert spent["device"].startswith("CPU, ")
    assert spent["gpu_hours"] == 0
    # Three epochs of 128 faces, and the validation's time on top.
    assert spent["seconds"] > 3 * 128 / spent["faces_per_second"] > 0
    assert spent["peak_memory_mb"] > 100


def test_killed_in_mid_training_it_loses_at_most_one_epoch_and_ends_the_same(tmp_path, uninterrupted):
    folder = workspace(tmp_path)
    process = start(folder)
    for line in process.stdout:
        if line.startswith("epoch 2"):
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / paths.MODEL).exists()
    spend(folder, 5000)
    code, said = finish(folder)
    assert code == 0, said
    assert "going on from .backup/" in said
    assert outputs(folder) == outputs(uninterrupted)
    assert 5000 < cost(folder)["seconds"] < 5000 + 300
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
        (
            {"vote_share": 0.5},
            "train.vote_share: found 0.5, and no training face in data/faces.parquet has crowd votes",
        ),
        (
            {"teacher_share": 0.5},
            "train.teacher_share: found 0.5, and no network was asked about the faces in data/faces.parquet; run",
        ),
        ({"epohcs": 3}, "train.epohcs is not a parameter; did you mean train.epochs?"),
    ],
)
def test_what_cannot_go_well_ends_with_one_sentence(tmp_path, change, sentence):
    code, said = finish(workspace(tmp_path, **change))
    assert code == 1
    assert said.splitlines()[-1].startswith("error: ")
    assert sentence in said
    assert "Traceback" not in said


NAMED = {"anger": "angry", "happiness": "happy", "sadness": "sad"}
"""FER+'s emotions that FER2013 calls by another name."""


@settings(max_examples=50, deadline=None)
@given(votes=arrays(np.uint8, (6, 10), elements=st.integers(0, 10)), share=st.floats(0, 1), seed=st.integers(0, 99))
def test_soft_targets_mix_each_label_with_its_own_votes(votes, share, seed):
    votes[0, VOTES.index("happiness")] = 1
    votes[1, :7] = 0
    emotion = np.random.default_rng(seed).integers(0, 7, 6).astype(np.int8)
    targets = soft_targets(table(emotion, votes), share)
    assert targets.dtype == np.float32
    assert targets.shape == (6, 7)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
    for label, counts, target in zip(emotion, votes, targets, strict=True):
        for vote, count in zip(VOTES[:7], counts, strict=False):
            at, total = LABELS.index(NAMED.get(vote, vote)), counts[:7].sum()
            own = float(at == label)
            expected = (1 - share) * own + share * count / total if total else own
            assert target[at] == pytest.approx(expected, abs=1e-6)


def test_votes_for_none_of_the_seven_are_no_votes():
    votes = np.zeros((3, 10), np.uint8)
    votes[:, 7:] = 3
    for faces in (table(np.zeros(3, np.int8), votes), table(np.zeros(3, np.int8), None)):
        with pytest.raises(UserError, match=r"train\.vote_share: found 1, .*`--votes fer2013new\.csv`, or set it to 0"):
            soft_targets(faces, 1.0)


def test_crowd_votes_reach_the_training_faces_alone_and_make_a_run_of_its_own(tmp_path):
    votes = np.random.default_rng(0).integers(0, 5, (160, 10), dtype=np.uint8)
    workspace(tmp_path, votes)
    faces, split = read_faces(tmp_path / paths.FACES), read_split(tmp_path / paths.SPLIT)
    shared = checked(vote_share=0.3, vote_weight=0.0)
    beside, plain = checked(vote_weight=1.0), checked(vote_weight=0.0)
    train, validation = labelled(faces, split, "train", shared.train), labelled(faces, split, "validation")
    np.testing.assert_array_equal(train.targets, soft_targets(faces, 0.3)[:128])
    assert train.votes is validation.targets is validation.votes is None
    train = labelled(faces, split, "train", beside.train)
    np.testing.assert_array_equal(train.votes, vote_shares(faces)[:128])
    assert train.targets is None
    assert labelled(faces, split, "train", plain.train).targets is None
    other = Faces(faces.row, faces.emotion, faces.usage, faces.pixels, votes[::-1])
    assert labelled(table(np.zeros(160, np.int8), None), split, "train", beside.train).votes is None
    for asked, differs in ((shared, True), (beside, True), (plain, False)):
        assert (run_key(identity(asked, faces, split)) != run_key(identity(asked, other, split))) is differs


def test_a_backup_of_another_precision_is_anothers():
    identified, before = {"parameters": "a"}, keras.config.dtype_policy()
    keys = set()
    try:
        for precision in ("float32", "mixed_bfloat16", "mixed_float16"):  # an older CPU's, a newer one's, a GPU's
            keras.config.set_dtype_policy(precision)
            keys.add(run_key(identified))
    finally:
        keras.config.set_dtype_policy(before)
    assert len(keys) == 3


@pytest.mark.parametrize("module", ["model/devices.py", "model/networks/compact.py", "tasks/train/subsets.py"])
def test_a_change_of_what_decides_a_training_makes_a_run_of_its_own(tmp_path, monkeypatch, module):
    workspace(tmp_path)
    asked, faces = checked(), read_faces(tmp_path / paths.FACES)
    for room in ("model", "tasks"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(model, "__file__", str(tmp_path / "model/__init__.py"))
    before = identity(asked, faces, read_split(tmp_path / paths.SPLIT))
    with (tmp_path / module).open("a") as file:
        file.write("# another way")
    after = identity(asked, faces, read_split(tmp_path / paths.SPLIT))
    assert {name for name in before if before[name] != after[name]} == {"code"}


def test_bad_parameters_are_said_before_keras_is_brought_in():
    code = "import sys, tasks.train.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"keras", "tensorflow"} & set(done.stdout.split())


def test_vote_shares_keep_the_answers_that_are_no_label_and_leave_out_faces_nobody_voted_on():
    votes = np.zeros((2, 10), np.uint8)
    votes[0, [VOTES.index("happiness"), VOTES.index("contempt")]] = 3, 1
    shares = vote_shares(table(np.zeros(2, np.int8), votes))
    assert shares.dtype == np.float32
    np.testing.assert_array_equal(shares, [[0, 0.75, 0, 0, 0, 0, 0, 0.25, 0, 0], [0] * 10])


def test_a_training_on_soft_targets_and_effective_weights_with_another_loss_ends_well(tmp_path):
    votes = np.random.default_rng(0).integers(0, 5, (160, 10), dtype=np.uint8)
    changed = {
        "loss": "focal",
        "class_weights": "effective",
        "vote_share": 0.5,
        "vote_weight": 0.5,
        "epochs": 1,
        "canary": True,
    }
    code, said = finish(workspace(tmp_path, votes, **changed))
    assert code == 0, said
    assert "canary: one batch learnt" in said


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"loss": "hinge"}, "train.loss: found 'hinge'"),
        ({"focal_gamma": -0.1}, "train.focal_gamma: found -0.1"),
        ({"dice_smooth": 0.0}, "train.dice_smooth: found 0.0"),
        ({"class_beta": 1.0}, "train.class_beta: found 1.0"),
        ({"vote_share": 1.5}, "train.vote_share: found 1.5"),
        ({"vote_weight": -1}, "train.vote_weight: found -1"),
    ],
)
def test_knobs_of_the_loss_have_their_ranges(change, sentence):
    with pytest.raises(UserError, match=sentence):
        checked(**change)
