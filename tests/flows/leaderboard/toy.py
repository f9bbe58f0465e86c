"""A repository whose stages write figures instead of training, and experiments in it."""

from pathlib import Path
from typing import Any

import yaml

from flows.sweep.experiments import read_runs
from tasks.leaderboard.runs import Run
from tests.workspaces import run

TOY = """
import json, pathlib, sys, yaml
params = yaml.safe_load(open("params.yaml"))
def write(path, value):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
def train(seed, epochs, learning_rate, filters):
    accuracy = [round(0.5 + 0.3 * (1 - 0.8 ** (epoch + 1)) + seed / 997 + learning_rate, 6) for epoch in range(epochs)]
    for part in ("train", "val"):
        for measure in ("accuracy", "loss"):
            lines = "".join(f"{step}\\t{value}\\n" for step, value in enumerate(accuracy))
            write(f"plots/training/plots/metrics/{part}/{measure}.tsv", f"step\\t{measure}\\n{lines}")
    write("outputs/model.keras", repr((seed, epochs, learning_rate, filters)))
    figures = {"epochs": epochs, "best_epoch": epochs, "val_loss": 1.0, "val_accuracy": accuracy[-1]}
    write("metrics/training.json", figures | {"val_macro_f1": accuracy[-1] - 0.05, "val_faces": 400})
    cost = {"device": "toy", "seconds": 90.0 * epochs, "gpu_hours": 0.025 * epochs, "faces_per_second": 1234.5}
    write("metrics/cost.json", cost | {"peak_memory_mb": 512.0})
def evaluate(flip):
    epochs = eval(open("outputs/model.keras").read())[1]
    scores = {"accuracy": round(0.6 + epochs / 100 + flip / 1000, 6), "macro_f1": 0.5, "accuracy_without_leaks": 0.4}
    write("metrics/scores.json", scores)
    interval = {"value": scores["accuracy"], "low": scores["accuracy"] - 0.02, "high": scores["accuracy"] + 0.02}
    write("outputs/evaluation.json", {"whole": {"accuracy": interval}})
def gate():
    write("metrics/verdict.json", {"verdict": "reject", "baseline_name": None, "synthetic": True, "reasons": []})
globals()[sys.argv[1]](**params.get(sys.argv[1], {}))
"""

PARAMS = {
    "train": {"seed": 42, "epochs": 2, "learning_rate": 0.01, "filters": [8, 16]},
    "evaluate": {"flip": False},
}

STAGES: dict[str, dict[str, Any]] = {
    "train": {
        "cmd": "python toy.py train",
        "params": ["train"],
        "outs": ["outputs/model.keras", "plots/training"],
        "metrics": [{"metrics/training.json": {"cache": False}}, {"metrics/cost.json": {"cache": False}}],
    },
    "evaluate": {
        "cmd": "python toy.py evaluate",
        "params": ["evaluate"],
        "deps": ["outputs/model.keras"],
        "outs": ["outputs/evaluation.json"],
        "metrics": [{"metrics/scores.json": {"cache": False}}],
    },
    "gate": {
        "cmd": "python toy.py gate",
        "deps": ["outputs/evaluation.json"],
        "metrics": [{"metrics/verdict.json": {"cache": False}}],
    },
}

RUNS = {
    "grid-long": ("train.epochs=5",),
    "grid-fast": ("train.epochs=3", "train.learning_rate=0.02", "train.filters=[4,8,16]"),
    "grid-unscored": ("train.epochs=9", "train.learning_rate=0.03"),
    "seeds-wide-s1": ("train.seed=1", "train.filters=[32]"),
    "seeds-wide-s2": ("train.seed=2", "train.filters=[32]"),
    "seeds-wide-s3": ("train.seed=3", "train.filters=[32]"),
}
"""Names of the experiments, and what each changes."""

UNTIL_TRAIN = ("grid-unscored", "seeds-wide-s1", "seeds-wide-s2", "seeds-wide-s3")
"""Those that end after the stage `train`."""


def make(folder: Path) -> Path:
    folder.mkdir()
    (folder / "toy.py").write_text(TOY)
    (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS, sort_keys=False))
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}, sort_keys=False))
    (folder / ".gitignore").write_text("/outputs\n/plots\n/reports\n")
    run(folder, "git", "init", "--quiet", "--initial-branch=main")
    run(folder, "dvc", "init", "--quiet")
    return folder


def experiment(folder: Path, name: str, *changed: str, until: str | None = None) -> None:
    """Run an experiment apart from the workspace, which stays as it is."""
    words = [word for one in changed for word in ("-S", one)]
    run(folder, "dvc", "exp", "run", "--temp", "--name", name, *words, *([until] if until else []))


def by_name(folder: Path, **how: Any) -> dict[str, Run]:
    return {one.name: one for one in read_runs(folder, **how).runs}
