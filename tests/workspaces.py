"""A copy of the project in a folder of its own, under a real git and a real DVC."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from model.labels import LABELS
from tasks.common import paths
from tasks.common.files import sha256
from tasks.common.provenance import Provenance, write_provenance
from tasks.common.tables import USAGES, read_faces, write_faces
from tasks.gate.verdict import Hash, Verdict, write_verdict
from tasks.ingest.sample import draw_sample

ROOT = Path(__file__).parents[1]

CODE = ("model", "tasks", "flows", "baseline", "dvc.yaml", "prefect.yaml", "pyproject.toml", ".dvcignore", ".gitignore")

SHRUNK: dict[str, dict[str, Any]] = {
    "validate": {"min_rows": 500},
    "model": {"filters": [8], "kernel_sizes": [3]},
    "train": {"epochs": 1, "start_side": None, "canary": False},
    "gate": {"resamples": 200},
}
"""The parameters of a run that takes seconds."""


def run(workspace: Path, *command: str, ok: bool = True) -> str:
    """Run a command of the project's environment in the workspace and return all that it said."""
    done = subprocess.run(
        command, cwd=workspace, env=environment(), capture_output=True, text=True, check=False, timeout=500
    )
    said = done.stdout + done.stderr
    assert (done.returncode == 0) is ok, said
    return said


def start(workspace: Path, *command: str) -> subprocess.Popen[str]:
    """Start a command of the project's environment in the workspace; what it says comes line by line."""
    return subprocess.Popen(
        command, cwd=workspace, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def environment() -> dict[str, str]:
    """Return the variables under which `python`, `dvc` and `git` are the project's, whoever runs the tests."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    who = {f"GIT_{role}_{key}": "tester" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    return {
        **os.environ,
        **who,
        "SHELL": "/bin/sh",
        "PATH": path,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "PYTHONUNBUFFERED": "1",
    }


def change(workspace: Path, changes: dict[str, dict[str, Any]]) -> None:
    """Change parameters, by section."""
    path = workspace / paths.PARAMS
    values = yaml.safe_load(path.read_text())
    for section, knobs in changes.items():
        values[section] |= knobs
    path.write_text(yaml.safe_dump(values, sort_keys=False))


def commit(workspace: Path, message: str) -> None:
    """Commit all that git does not ignore."""
    run(workspace, "git", "add", "--all")
    run(workspace, "git", "commit", "--quiet", f"--message={message}")


def promotable_at(folder: Path) -> None:
    """Have the verdict be *promote*, on the very files that lie there."""
    verdict = Verdict(
        verdict="promote", baseline_name=None, synthetic=True, reasons=("it is better",), checks=(),
        hashes=(
            Hash(of="model", sha256=sha256(folder / paths.MODEL)),
            Hash(of="predictions", sha256=sha256(folder / paths.PREDICTIONS)),
            Hash(of="data", sha256=read_faces(folder / paths.FACES).fingerprint()),
            Hash(of="split", sha256=sha256(folder / paths.SPLIT)),
        ),
    )  # fmt: skip
    write_verdict(folder / paths.VERDICT, verdict)
    commit(folder, "a verdict")


def finished(folder: Path) -> Path:
    """Make a workspace with every fourth face of the sample, shrunk parameters and one full run, and commit it."""
    make(folder, SHRUNK)
    sample = draw_sample()
    rare = np.flatnonzero(sample.emotion == LABELS.index("disgust"))
    faces = sample.take(np.union1d(np.arange(0, len(sample), 4), rare))
    write_faces(folder / paths.FACES, faces)
    counts = {usage: int((faces.usage == usage).sum()) for usage in USAGES}
    provenance = Provenance(
        source="sample", layout="sample", sha256="0" * 64, synthetic=True, fingerprint=faces.fingerprint(),
        rows=len(faces), labels={}, usages=counts,
    )  # fmt: skip
    write_provenance(folder / paths.PROVENANCE, provenance)
    run(folder, "dvc", "add", "--quiet", "data")
    run(folder, "dvc", "repro")
    commit(folder, "one run")
    return folder


def make(folder: Path, changes: dict[str, dict[str, Any]]) -> Path:
    """Copy the code and the real parameters, changed, into `folder`; one commit, no data."""
    for name in CODE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    shutil.copy(ROOT / paths.PARAMS, folder)
    change(folder, changes)
    run(folder, "git", "init", "--quiet", "--initial-branch=main")
    run(folder, "dvc", "init", "--quiet")
    commit(folder, "code")
    return folder
