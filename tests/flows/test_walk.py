"""The whole way of a network, on real faces of the sample: from a sweep to the baseline that the next run must beat."""

import json

import numpy as np
import yaml

from model.exporting import onnx_probabilities
from model.predicting import turns
from tasks.common import paths
from tasks.common.tables import read_faces, read_predictions
from tests.flows.learner import sweep, tuned
from tests.workspaces import change, commit, run

LENIENT = {"ridge_alpha": 1e9, "min_accuracy": 0.25, "min_above_majority": 0.0, "max_ece": 1.0, "confidence": 0.6}
"""What a network of seconds can pass: the ridge classifier, the first baseline too, knows next to nothing."""

LEARNING = {
    "model.filters": [8, 16, 32], "model.kernel_sizes": [3, 3, 3], "model.dropout": 0.0, "train.epochs": 5,
    "train.optimizer": "adam", "train.learning_rate": 0.01, "train.batch_size": 32, "train.label_smoothing": 0.0,
    "augment.shift": 0.0, "augment.rotation": 0.0, "augment.zoom": 0.0, "augment.erasing": 0.0,
}  # fmt: skip


def test_the_best_of_a_sweep_becomes_the_baseline_that_the_next_run_is_held_against(workspace, server):
    change(workspace, {"gate": LENIENT})
    run(workspace, "python", "-m", "tasks.gate.linear", "start")
    (workspace / "sweeps").mkdir()
    sweep(workspace, "short", score="all", set=LEARNING, runs=[{"name": "learnt"}])
    commit(workspace, "a first baseline, and a sweep")
    status, said = tuned(workspace, "short")
    assert status == 0, said
    run(workspace, "dvc", "exp", "apply", "short-learnt")
    verdict = json.loads((workspace / paths.VERDICT).read_text())
    assert (verdict["verdict"], verdict["baseline_name"]) == ("promote", "start")
    assert "tagged: facial-emotion@v1.0.0" in run(workspace, "python", "-m", "flows.promote")
    promoted = yaml.safe_load(run(workspace, "git", "show", "facial-emotion@v1.0.0:params.yaml"))
    assert promoted["train"]["epochs"] == 5
    assert run(workspace, "git", "status", "--porcelain") == ""
    its_version_is_the_champion(workspace)

    run(workspace, "python", "-m", "flows.train", "-S", "evaluate.flip=false", "--experiment", "next")
    verdict = json.loads((workspace / paths.VERDICT).read_text())
    checks = {check["name"]: check for check in verdict["checks"]}
    assert verdict["baseline_name"] == "v1"
    assert "faces are right that v1 has wrong" in checks["McNemar's p"]["sentence"]


def its_version_is_the_champion(workspace):
    """The registry has all of the version, and the network that it has says what was evaluated."""
    champion = json.loads((workspace / "registry" / "champion.json").read_text())
    assert (champion["version"], champion["number"], champion["kind"]) == ("v1", 1, "promotion")
    assert champion["reason"] == json.loads((workspace / paths.VERDICT).read_text())["reasons"][0]
    assert "v1, 9 files, all as the manifest says" in run(workspace, "python", "-m", "tasks.registry", "check")
    assert "* " in run(workspace, "python", "-m", "tasks.registry", "history")
    version = workspace / "registry" / "versions" / "v1"
    card = (version / "model-card.md").read_text()
    assert card.startswith("# Model card: v1\n\n> **Trained on drawn faces.**")
    assert "not at what somebody feels" in card
    assert "`model-int8.onnx` (" in card
    accuracy = json.loads((workspace / paths.SCORES).read_text())["accuracy"]
    assert f"| accuracy | {accuracy:.3f} [" in card
    predictions = read_predictions(version / "predictions.parquet")
    faces = read_faces(workspace / paths.FACES)
    test = faces.take(np.searchsorted(faces.row, predictions.row))
    views = [view for turned in turns(test.pixels, 8.0) for view in (turned, turned[:, :, ::-1])]
    each = [onnx_probabilities(version / "model.onnx", view) for view in views]
    np.testing.assert_allclose(np.mean(each, axis=0), predictions.probabilities, atol=1e-4)
    quick, exact = (onnx_probabilities(version / name, test.pixels) for name in ("model-int8.onnx", "model.onnx"))
    right, quickly = ((said.argmax(axis=1) == test.emotion).mean() for said in (exact, quick))
    once = f"on all test faces is {right:.3f} in float32, and {quickly:.3f} in 8-bit integers"
    assert f"Served, it sees a face once: so its accuracy {once}" in card
    assert "Each face was seen in six views" in card
    same = (quick.argmax(axis=1) == exact.argmax(axis=1)).mean()
    assert f"it gives {same:.1%} of the test faces the same label" in card
    said = run(workspace, "python", "-m", "tasks.registry", "rollback", "v7", "--reason", "r", ok=False)
    assert said.endswith("registry: v7 was never champion; `make promote` makes one, after the gate\n")
