"""What a training on another machine leaves, and what is refused of it."""

import json
from pathlib import Path

import pytest

from model.training.backup import Epoch
from tasks.common.errors import UserError
from tasks.train.handover import check_identity, read_history, read_run, write_history, write_run

IDENTITY = {"parameters": "a", "keras": "3 jax", "faces": "b", "split": "c", "code": "d"}
TRAINING = {"epochs": 2, "best_epoch": 2, "val_loss": 2.5, "val_accuracy": 0.4, "val_macro_f1": 0.3}
HISTORY = [Epoch(1.25, 0.5, 1.5, 1 / 3, 0.05, 32), Epoch(1e-9, 1.0, 2.5, 0.4, 0.0, 48)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.keras").write_bytes(b"a network")
    (tmp_path / "params.yaml").write_text("train: {}")
    write_history(tmp_path, HISTORY)
    write_run(tmp_path, IDENTITY, TRAINING, {"device": "GPU", "seconds": 1.5})
    return tmp_path


def test_what_is_written_is_read(folder):
    run = read_run(folder)
    assert run.identity == IDENTITY
    assert run.training == TRAINING
    assert run.cost == {"device": "GPU", "seconds": 1.5}
    assert read_history(folder) == HISTORY


@pytest.mark.parametrize("name", ["metrics.json", "model.keras", "history.csv", "params.yaml"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(UserError, match=rf"found no {name}; name a folder that `python -m bench\.gpu` has filled"):
        read_run(folder)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("metrics.json", "{}", r"metrics\.json: .*identity: Field required\); copy the folder again"),
        ("metrics.json", "{", r"metrics\.json: not a training's figures \(Invalid JSON.*; copy the folder again"),
        ("model.keras", "another network", r"not the network that metrics\.json was written for"),
        ("history.csv", "loss\nhigh\n", r"history\.csv: no history of epochs"),
        ("history.csv", "loss,accuracy,val_loss\n1,2\n", r"history\.csv: no history of epochs"),
    ],
)
def test_a_damaged_file_is_refused(folder, name, content, sentence):
    (folder / name).write_text(content)
    with pytest.raises(UserError, match=sentence):
        read_history(folder) and read_run(folder)


def test_a_history_that_lacks_its_end_is_refused(folder):
    history = folder / "history.csv"
    history.write_text("".join(history.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(UserError, match=r"history\.csv: not the history that metrics\.json was written for; copy"):
        read_run(folder)


@pytest.mark.parametrize(
    ("section", "name", "value", "sentence"),
    [
        ("training", "val_accuracy", None, "training: Value error, found no val_accuracy"),
        ("training", "val_loss", float("nan"), "training.val_loss"),
        ("cost", "device", None, "cost: Value error, found no device"),
    ],
)
def test_figures_that_are_missing_or_no_numbers_are_refused(folder, section, name, value, sentence):
    content = json.loads((folder / "metrics.json").read_text())
    content[section] |= {name: value}
    if value is None:
        del content[section][name]
    (folder / "metrics.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"metrics\.json: .*{sentence}.*; copy the folder again"):
        read_run(folder)


@pytest.mark.parametrize("what", ["parameters", "faces", "split", "code"])
def test_a_training_of_something_else_is_refused(what):
    with pytest.raises(UserError, match=f"far: trained with other {what} than lie here; "):
        check_identity(Path("far"), IDENTITY, IDENTITY | {what: "z"})


def test_a_training_by_another_keras_is_the_same():
    check_identity(Path("far"), IDENTITY, IDENTITY | {"keras": "4 tensorflow"})
