"""The whole way of a network, on real faces of the sample: from a sweep to the baseline that the next run must beat."""

import json

import yaml

from tasks.common import paths
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
    assert (verdict["verdict"], verdict["baseline"]) == ("promote", "start")
    assert "tagged: facial-emotion@v1.0.0" in run(workspace, "python", "-m", "flows.promote")
    promoted = yaml.safe_load(run(workspace, "git", "show", "facial-emotion@v1.0.0:params.yaml"))
    assert promoted["train"]["epochs"] == 5
    assert run(workspace, "git", "status", "--porcelain") == ""

    run(workspace, "python", "-m", "flows.train", "-S", "evaluate.flip=false", "--experiment", "next")
    verdict = json.loads((workspace / paths.VERDICT).read_text())
    checks = {check["name"]: check for check in verdict["checks"]}
    assert verdict["baseline"] == "v1"
    assert "faces are right that v1 has wrong" in checks["McNemar's p"]["sentence"]
