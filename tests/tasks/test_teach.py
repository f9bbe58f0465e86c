"""What networks say of each face is put beside it, and teaches the next network."""

import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from model.networks import build, with_probabilities
from model.predicting import load_network, predict
from model.training.backup import Backup
from model.training.batches import one_hot
from model.training.guard import QUIET
from model.training.saving import save_network
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.files import sha256
from tasks.common.params import Params
from tasks.common.provenance import Teacher, read_provenance
from tasks.common.reading import check_params, load_params
from tasks.common.tables import Faces, read_faces, read_split
from tasks.teach import teach
from tasks.train.learning import device_for, identity, run_key, train_network
from tasks.train.subsets import labelled, taught_targets
from tests.tasks.test_train import params, workspace
from tests.workspaces import change, run


@pytest.fixture
def folder(finished_workspace: Path, tmp_path: Path) -> Path:
    """A repository with a finished run, to be changed."""
    return shutil.copytree(finished_workspace, tmp_path / "workspace", symlinks=True)


def network(path: Path, seed: int, side: int = 48) -> Path:
    keras.utils.set_random_seed(seed)
    built = build("compact", side=side, filters=[4], kernel_sizes=[3], blocks=None, dropout=None, l2=0.0)
    save_network(with_probabilities(built), path)
    return path


def asked(folder: Path, patch: pytest.MonkeyPatch, *models: Path) -> Faces:
    """Ask networks in this process, and return the faces afterwards."""
    with patch.context() as here:
        here.chdir(folder)
        teach(models, load_params(paths.PARAMS))
    return read_faces(folder / paths.FACES)


def test_a_trained_network_teaches_the_next_run_and_dvc_knows(folder: Path):
    before, pinned = read_faces(folder / paths.FACES), (folder / "data.dvc").read_text()
    said = run(folder, "python", "-m", "tasks.teach", str(paths.MODEL))
    after = read_faces(folder / paths.FACES)
    assert after.fingerprint() == before.fingerprint()
    expected = predict(load_network(folder / paths.MODEL), before.pixels, batch_size=64, flip=True)
    assert after.teacher is not None
    np.testing.assert_allclose(after.teacher, expected, atol=1e-5)
    right = (expected.argmax(axis=1) == before.emotion).mean()
    assert f"asked about {len(before):,} faces: 1; the likeliest label is the face's own for {right:.3f}" in said
    known = read_provenance(folder / paths.PROVENANCE)
    assert known.teachers == (Teacher(model="model.keras", sha256=sha256(folder / paths.MODEL)),)
    assert (folder / "data.dvc").read_text() != pinned
    taught = sha256(folder / paths.MODEL)
    change(folder, {"train": {"teacher_share": 0.5}})
    run(folder, "dvc", "repro", "train")
    assert sha256(folder / paths.MODEL) != taught
    assert "model.keras" in (folder / paths.VALIDATION_REPORT).read_text()


def test_several_are_averaged_and_take_the_place_of_those_before(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    models = [network(tmp_path / f"{seed}.keras", seed) for seed in (1, 2)]
    asked(folder, monkeypatch, models[0])
    faces = asked(folder, monkeypatch, *models)
    each = [predict(load_network(path), faces.pixels, batch_size=64, flip=True) for path in models]
    assert faces.teacher is not None
    np.testing.assert_allclose(faces.teacher, (each[0] + each[1]) / 2, atol=1e-5)
    assert abs(each[0] - each[1]).max() > 0.01
    assert [teacher.model for teacher in read_provenance(folder / paths.PROVENANCE).teachers] == ["1.keras", "2.keras"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing", "no such file"),
        ("cut", "not a network that can be loaded"),
        ("larger", "the network takes faces of 64 × 64 pixels, found 48 × 48"),
    ],
)
def test_what_is_no_network_for_these_faces_is_refused_and_the_data_stays(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, sentence: str
):
    good = network(tmp_path / "good.keras", 1)
    (tmp_path / "cut.keras").write_bytes(good.read_bytes()[:1000])
    network(tmp_path / "larger.keras", 1, side=64)
    before = sha256(folder / paths.FACES)
    with pytest.raises(UserError, match=f"{name}.keras: {sentence}"):
        asked(folder, monkeypatch, good, tmp_path / f"{name}.keras")
    assert sha256(folder / paths.FACES) == before
    assert not list(folder.glob(".data*"))


rows = arrays(np.float32, (5, 7), elements=st.floats(0.0625, 1, width=32)).map(lambda a: a / a.sum(1, keepdims=True))


@given(targets=rows, teacher=rows, share=st.floats(0, 1))
def test_the_teacher_has_its_share_of_each_target(targets: np.ndarray, teacher: np.ndarray, share: float):
    mixed = taught_targets(targets, teacher, share)
    assert mixed.dtype == np.float32
    np.testing.assert_allclose(mixed.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(mixed, (1 - share) * targets + share * teacher, atol=1e-6)


def checked(share: float, **train: object) -> Params:
    return check_params(params(teacher_share=share, vote_weight=0.0, **train), "here")


def test_a_teacher_reaches_the_training_faces_alone_and_makes_a_run_of_its_own(finished_workspace: Path):
    faces, split = read_faces(finished_workspace / paths.FACES), read_split(finished_workspace / paths.SPLIT)
    said = np.random.default_rng(0).dirichlet(np.ones(7), len(faces)).astype(np.float32)
    one, other = replace(faces, teacher=said), replace(faces, teacher=said[::-1])
    how = checked(0.5).train
    own = faces.take(split.index("train"))
    expected = 0.5 * one_hot(own.emotion) + 0.5 * said[split.index("train")]
    targets = labelled(one, split, "train", how).targets
    assert targets is not None
    np.testing.assert_allclose(targets, expected, atol=1e-6)
    assert labelled(one, split, "validation").targets is None
    for share, differs in ((0.5, True), (0.0, False)):
        one_key, other_key = (run_key(identity(checked(share), table, split)) for table in (one, other))
        assert (one_key != other_key) is differs


def test_a_student_learns_what_the_labels_do_not_tell(tmp_path: Path):
    """The training labels are shuffled, so that the teacher alone knows them; the validation labels are true."""
    folder = workspace(tmp_path)
    faces, split = read_faces(folder / paths.FACES), read_split(folder / paths.SPLIT)
    shuffled = faces.emotion.copy()
    shuffled[:128] = np.random.default_rng(0).permutation(shuffled[:128])
    blurred = replace(faces, emotion=shuffled, teacher=0.7 * one_hot(faces.emotion) + np.float32(0.3 / 7))
    validation, found = labelled(faces, split, "validation"), {}
    for share in (0.0, 1.0):
        how = checked(share, epochs=12, start_side=None)
        told = labelled(blurred, split, "train", how.train)
        backup = Backup(tmp_path / f"{share}.npz")
        trained = train_network(how, told, validation, device_for(how), backup, QUIET)
        found[share] = trained.progress.history[-1].val_accuracy
    assert found[1.0] > found[0.0] + 0.3, found
