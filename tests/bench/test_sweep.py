"""All runs of a sweep, on a machine that has neither DVC nor Prefect."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import yaml

from bench.gpu import split_of
from bench.sweep import COMPILED, asked, make, start
from flows.sweep.definition import Planned
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.reading import changed, check_params, read_values
from tasks.common.tables import Faces, read_split, write_faces, write_split
from tasks.ingest.sample import draw_sample
from tasks.split import split
from tests.workspaces import ROOT, environment

BARE = """
import sys
class Bare:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"dvc", "dvclive", "great_expectations", "matplotlib", "optuna", "prefect"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Bare())
"""

SWEEP = {
    "set": {
        "split.strategy": "random",
        "model.filters": [8],
        "model.kernel_sizes": [3],
        "train.epochs": 1,
        "train.start_side": None,
        "train.mixed_precision": False,
        "train.vote_weight": 0.0,
        "train.canary": False,
        "augment.flip": False,
        "augment.shift": 0.0,
        "augment.rotation": 0.0,
        "augment.zoom": 0.0,
        "evaluate.flip": False,
        "evaluate.turn": 0.0,
    },
    "runs": [{"name": "misfit", "set": {"model.blocks": [1, 1]}}, {"name": "fit"}],
}


@pytest.fixture(scope="module")
def faces() -> Faces:
    """Few faces, and small ones."""
    sample = draw_sample()
    few = sample.take(np.arange(0, len(sample), 20))
    return replace(few, pixels=few.pixels[:, ::2, ::2])


@pytest.fixture
def lent(faces: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with parameters, a sweep and some faces; there, Python finds our code and no DVC."""
    (tmp_path / "sitecustomize.py").write_text(BARE)
    (tmp_path / "params.yaml").write_text((ROOT / paths.PARAMS).read_text())
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "tiny.yaml").write_text(yaml.safe_dump(SWEEP))
    write_faces(tmp_path / "prepared" / "faces.parquet", faces)
    # Another split than the sweep asks for, which is not used.
    params = check_params(read_values(ROOT / paths.PARAMS), "").split
    write_split(tmp_path / "prepared" / "split.parquet", split(faces, params))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sweep(folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.sweep", "prepared", "--sweep", "tiny", "--out", "far", "--at-once", "2"],
        cwd=folder,
        env={**environment(), "KERAS_BACKEND": "tensorflow", "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_what_can_be_trained_is_trained_once_and_the_others_are_named(lent):
    status, said = sweep(lent)
    assert status == 1, said
    assert "tiny-fit: done after" in said
    assert "tiny-misfit: failed with status 1 after" in said
    assert "tiny-misfit: error: params.yaml: model: compact takes equally many" in said
    assert said.splitlines()[-1].startswith("error: 1 of 2 runs failed: tiny-misfit;")
    assert "\nrun       validation accuracy  minutes\ntiny-fit" in said
    network = lent / "far" / "tiny-fit" / "model.keras"
    trained = network.stat().st_mtime_ns
    (lent / "sweeps" / "tiny.yaml").write_text(yaml.safe_dump({**SWEEP, "runs": [{"name": "fit"}]}))
    status, said = sweep(lent)
    assert (status, network.stat().st_mtime_ns) == (0, trained), said
    assert (lent / "far" / "tiny-fit" / "log.txt").read_text().endswith("tiny-fit: this training is done\n")


def test_what_jax_compiled_for_one_run_serves_the_next(lent, monkeypatch):
    for name in [name for name in os.environ if name.startswith("JAX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("PYTHONPATH", f"{lent}{os.pathsep}{ROOT}")
    runs = [
        {"name": str(rate), "set": {"train.schedule": "constant", "train.learning_rate": rate / 100}} for rate in (1, 2)
    ]
    (lent / "sweeps" / "tiny.yaml").write_text(yaml.safe_dump({**SWEEP, "runs": runs}))
    kept = []
    for planned in asked("tiny"):
        assert start(lent / "prepared", lent / "far", 1, planned).wait() == 0
        kept.append({path.name for path in (lent / "far" / COMPILED).iterdir()})
    assert len(kept[0]) > 10
    assert kept[1] == kept[0]


def test_the_split_is_the_one_that_lies_there_or_that_of_the_stage(lent, faces):
    lies = lent / "prepared" / "split.parquet"
    params = check_params(changed(read_values(ROOT / paths.PARAMS), {"split.strategy": "random"}), "")
    made = split_of(faces, params, None).subset
    np.testing.assert_array_equal(made, split(faces, params.split).subset)
    np.testing.assert_array_equal(made, split_of(faces, params, lent / "none.parquet").subset)
    np.testing.assert_array_equal(read_split(lies).subset, split_of(faces, params, lies).subset)
    assert (made != read_split(lies).subset).any()


def test_a_search_is_refused_with_a_sentence(lent):
    search = {"search": {"trials": 2, "space": {"train.learning_rate": {"low": 0.1, "high": 0.2}}}}
    (lent / "sweeps" / "tiny.yaml").write_text(yaml.safe_dump(search))
    with pytest.raises(UserError, match=r"a search proposes each trial by those before it.*make tune SWEEP=tiny"):
        asked("tiny")


def test_no_run_outlives_the_sweep():
    begun, let_go = [], Event()

    def begin(one: Planned) -> subprocess.Popen[bytes]:
        begun.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        if one.name == "b":
            let_go.set()
        return begun[-1]

    with pytest.raises(UserError, match="the sweep was let go of; the same command goes on"):
        make([Planned(name, {}, name, ()) for name in ("a", "b", "c")], begin, 2, let_go)
    assert [process.returncode for process in begun] == [-signal.SIGTERM] * 2
