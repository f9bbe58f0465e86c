import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from tasks.common import paths
from tasks.common.files import sha256, write_json
from tasks.common.provenance import write_provenance
from tasks.common.tables import write_faces, write_predictions, write_split
from tasks.gate import linear
from tasks.gate.__main__ import main, read_cost
from tasks.gate.baselines import read_baselines, write_baseline
from tasks.gate.judging import Cost, Evidence
from tasks.gate.verdict import SYNTHETIC, read_verdict
from tests.tasks.gate.making import ROOT, guesses, labels, world


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that calls a `main` in the temporary folder, with arguments."""

    def run(main: Callable[[], None], *arguments: str) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["main", *arguments])
        main()

    return run


def lay(folder: Path, evidence: Evidence) -> Path:
    """Write what the gate reads, as the steps before it do."""
    write_faces(folder / paths.FACES, evidence.faces)
    write_provenance(folder / paths.PROVENANCE, evidence.provenance)
    write_split(folder / paths.SPLIT, evidence.split)
    write_predictions(folder / paths.PREDICTIONS, evidence.predictions)
    (folder / paths.MODEL).write_bytes(b"weights")
    write_json(folder / paths.EVALUATION, {"cost": {"parameters": 7, "model_bytes": 7, "ms_per_face": 1.5}})
    for baseline in evidence.baselines:
        assert baseline.predictions is not None
        write_baseline(folder / paths.BASELINES, baseline.record, baseline.predictions)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["gate"] |= {"max_ece": 1.0, "resamples": 200}
    (folder / paths.PARAMS).write_text(yaml.safe_dump(params))
    return folder


@pytest.fixture
def better() -> Evidence:
    random = np.random.default_rng(7)
    label = labels(random, 600)
    return world(label, guesses(random, label, 0.75), guesses(random, label, 0.55), synthetic=True)


def as_it_is(evidence: Evidence) -> Evidence:
    return evidence


def swapped(evidence: Evidence) -> Evidence:
    theirs = evidence.baselines[0].predictions
    assert theirs is not None
    return world(
        evidence.predictions.label.astype(int), theirs.probabilities.argmax(axis=1), evidence.predictions.label
    )


def equal(evidence: Evidence) -> Evidence:
    ours = evidence.predictions.probabilities.argmax(axis=1)
    return world(evidence.predictions.label.astype(int), ours, ours)


def alone(evidence: Evidence) -> Evidence:
    return replace(evidence, baselines=())


@pytest.mark.parametrize(
    ("change", "verdict", "status"),
    [(as_it_is, "promote", 0), (swapped, "reject", 2), (equal, "inconclusive", 3), (alone, "not comparable", 4)],
)
def test_enforce_exits_as_the_verdict_says(
    tmp_path: Path, better: Evidence, change: Callable[[Evidence], Evidence], verdict: str, status: int
) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tasks.gate", "--enforce"],
        cwd=lay(tmp_path, change(better)), env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (status, "")
    assert f"verdict: {verdict}" in ran.stdout
    assert not (tmp_path / paths.VERDICT).exists(), "enforcing writes nothing"


def test_in_the_pipeline_a_rejection_exits_0_and_is_written(
    tmp_path: Path, better: Evidence, call: Callable[..., None]
) -> None:
    lay(tmp_path, swapped(better))
    call(main)
    assert read_verdict(tmp_path / paths.VERDICT).verdict == "reject"


def test_the_verdict_names_what_it_speaks_of(tmp_path: Path, better: Evidence, call: Callable[..., None]) -> None:
    lay(tmp_path, better)
    call(main)
    first = (tmp_path / paths.VERDICT).read_bytes()
    verdict = read_verdict(tmp_path / paths.VERDICT)
    assert {h.of: h.sha256 for h in verdict.hashes} == {
        "model": sha256(tmp_path / paths.MODEL),
        "predictions": sha256(tmp_path / paths.PREDICTIONS),
        "data": better.faces.fingerprint(),
        "split": sha256(tmp_path / paths.SPLIT),
        "baseline": sha256(tmp_path / paths.BASELINES / "old.json"),
    }
    assert SYNTHETIC in verdict.reasons
    # DVC makes columns of scalars and of nested mappings, not of lists.
    columns = [name for name, value in json.loads(first).items() if not isinstance(value, list)]
    assert columns == ["verdict", "baseline_name", "synthetic"]
    call(main)
    assert (tmp_path / paths.VERDICT).read_bytes() == first


def test_a_missing_model_is_said_in_a_sentence(tmp_path: Path, better: Evidence, call: Callable[..., None]) -> None:
    (lay(tmp_path, better) / paths.MODEL).unlink()
    with pytest.raises(SystemExit, match=r"error: outputs/model\.keras: no such file; run `dvc repro`"):
        call(main, "--enforce")


@pytest.mark.parametrize(
    ("content", "cost"),
    [
        ({"cost": {"model_bytes": 7, "ms_per_face": 1.5}}, Cost(7.0, 1.5)),
        ({"cost": {"model_bytes": 7}}, Cost(7.0, None)),
        ({"cost": {"model_bytes": "7", "ms_per_face": True}}, Cost(None, None)),
        ({"cost": {"model_bytes": -1, "ms_per_face": None}}, Cost(None, None)),
        ({"cost": 3}, Cost(None, None)),
        ([], Cost(None, None)),
    ],
)
def test_a_cost_that_is_no_figure_is_missing(tmp_path: Path, content: object, cost: Cost) -> None:
    path = tmp_path / "evaluation.json"
    write_json(path, content)
    assert read_cost(path) == cost
    path.write_text('{"cost": {"model_bytes": NaN, "ms_per_face": Infinity}}')
    assert read_cost(path) == Cost(None, None)
    assert read_cost(tmp_path / "none.json") == Cost(None, None)


def test_a_folder_in_the_place_of_the_evaluation_is_refused_in_a_sentence(
    tmp_path: Path, better: Evidence, call: Callable[..., None]
) -> None:
    (lay(tmp_path, better) / paths.EVALUATION).unlink()
    (tmp_path / paths.EVALUATION).mkdir()
    with pytest.raises(SystemExit, match=r"^error: outputs/evaluation\.json: Is a directory; move that folder away"):
        call(main)


def test_linear_makes_a_baseline_that_fits(tmp_path: Path, better: Evidence, call: Callable[..., None]) -> None:
    lay(tmp_path, alone(better))
    call(linear.main, "my-linear")
    (made,) = read_baselines(tmp_path / paths.BASELINES)
    assert made.predictions is not None
    assert made.record.data.synthetic
    assert np.array_equal(made.predictions.row, better.predictions.row)
    assert made.predictions.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    call(main)
    verdict = read_verdict(tmp_path / paths.VERDICT)
    assert (verdict.verdict, verdict.baseline_name) == ("promote", "my-linear"), "the pixels are noise"
    with pytest.raises(SystemExit, match=r"error: NAME: found '\.\./x'"):
        call(linear.main, "../x")
