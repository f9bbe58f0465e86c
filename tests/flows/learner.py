"""A repository whose stage `train` takes a moment an epoch, and the sweeps over it: the lower a rate, the better."""

import json
import shutil
from pathlib import Path
from typing import Any

import psutil
import yaml

from flows.experiment import experiments, git
from tests.flows.conftest import STAGES
from tests.workspaces import commit, start

TUNE = ("python", "-m", "flows.tune")

LEARNER = """
import hashlib, json, pathlib, shutil, time, yaml
from parts.rule import accuracy_of
from tasks.common.processes import exclusive
train = yaml.safe_load(open("params.yaml"))["train"]
epochs, rate = train["epochs"], train["learning_rate"]
assert rate < 0.9, "error: diverged"
kept = pathlib.Path(".backup") / hashlib.md5(json.dumps(train).encode()).hexdigest()
lock = kept.with_suffix(".lock")
with exclusive(lock, "this very training"):
    kept.mkdir(exist_ok=True)
    first = int((kept / "state").read_text()) + 1 if (kept / "state").exists() else 1
    if first > 1:
        print(f"going on from epoch {first}", flush=True)
    for epoch in range(first, epochs + 1):
        time.sleep(0.3)
        accuracy = accuracy_of(rate) * epoch / epochs
        print(f"epoch {epoch}/{epochs}: loss 1.0 accuracy 0.5 val_loss 1.0 val_accuracy {accuracy:.4f}", flush=True)
        (kept / "state").write_text(str(epoch))
    shutil.rmtree(kept)
lock.unlink()
for folder in ("outputs", "metrics"):
    pathlib.Path(folder).mkdir(exist_ok=True)
pathlib.Path("outputs/toy.txt").write_text(str(epochs))
json.dump({"epochs": epochs, "val_accuracy": round(accuracy, 4)}, open("metrics/training.json", "w"))
"""
"""It keeps what a killed one goes on from, and holds it, as the real training does."""

RULE = "def accuracy_of(rate):\n    return 1 - rate\n"


def make(finished: Path, folder: Path) -> Path:
    """Make the repository out of a finished workspace, whose results lie there."""
    shutil.copytree(finished, folder)
    (folder / "toy.py").write_text(LEARNER)
    (folder / "parts").mkdir()
    (folder / "parts" / "rule.py").write_text(RULE)
    shutil.move(folder / "outputs" / "evaluation.json", folder)
    metrics = [{"metrics/training.json": {"cache": False}}]
    learns = {"deps": ["toy.py", "parts"], "params": ["train"], "metrics": metrics}
    scores: dict[str, Any] = {"cmd": "cp evaluation.json outputs/", "outs": ["outputs/evaluation.json"]}
    scores["deps"] = ["outputs/toy.txt", "evaluation.json", "baseline"]
    stages = STAGES | {"train": STAGES["train"] | learns, "evaluate": scores}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    (folder / "dvc.lock").unlink()
    (folder / "sweeps").mkdir()
    commit(folder, "a learner")
    return folder


def sweep(folder: Path, name: str, **content: object) -> None:
    """Write a sweep."""
    (folder / "sweeps" / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def listed(runs: dict[str, tuple[float, int]]) -> list[dict[str, object]]:
    """Return runs as a sweep lists them, of their learning rates and epochs."""
    return [
        {"name": name, "set": {"train.learning_rate": rate, "train.epochs": epochs}}
        for name, (rate, epochs) in runs.items()
    ]


def accuracies(folder: Path, prefix: str) -> dict[str, float]:
    """Return what each experiment of a sweep says of its accuracy."""
    found = {name: commit for name, commit in experiments(folder).items() if name.startswith(f"{prefix}-")}
    said = {name: json.loads(git(folder, "show", f"{at}:metrics/training.json")) for name, at in found.items()}
    return {name: one["val_accuracy"] for name, one in said.items()}


def tuned(folder: Path, *call: str) -> tuple[int, str]:
    """Run a sweep to its end; return its exit status and all that it said."""
    process = start(folder, *TUNE, *call)
    said, _ = process.communicate(timeout=480)
    return process.returncode, said


def gone(folder: Path) -> bool:
    """Return whether nothing is at work in a folder."""
    return not [one for one in psutil.process_iter(["cwd"]) if str(folder) in (one.info["cwd"] or "")]


def backups(folder: Path) -> set[str]:
    """Return the trainings that could go on from a backup in a folder."""
    return {path.name for path in folder.iterdir() if path.name != "unpushed"}
