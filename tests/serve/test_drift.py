"""What is seen live against what was learnt from."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.labels import LABELS
from serve.drift import FEWEST, LOOK, MOVED, Population, drift, read_log, seen, stability
from serve.records import records
from tasks.common import paths
from tasks.common.tables import Faces, Predictions, write_faces, write_predictions
from tests.conftest import ROOT


def people(n, seed=0, *, bright=120.0, happy=0.3):
    rng = np.random.default_rng(seed)
    label = np.where(rng.random(n) < happy, 3, rng.integers(0, 7, n))
    return Population(label, rng.uniform(0.3, 1.0, n), rng.normal(bright, 20, n))


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=9))
def test_the_index_is_symmetric_and_0_for_the_same_alone(counts):
    before, now = np.array(counts).T
    assert stability(before, before) == 0
    assert stability(before, now) == pytest.approx(stability(now, before))
    assert stability(before, now) >= 0


def test_the_index_by_hand():
    p, q = np.array([0.2, 0.8]), np.array([0.5, 0.5])
    expected = ((q - p) * np.log(q / p)).sum()
    assert stability(p * 1e6, q * 1e6) == pytest.approx(expected, rel=1e-4)


def test_the_same_people_have_not_moved_and_other_light_is_told():
    same = drift(people(3000), people(1000, seed=1))
    assert max(same.values()) < 0.1
    dark = drift(people(3000), people(1000, seed=1, bright=60.0))
    assert dark["brightness"] > LOOK > MOVED > dark["labels"]
    glad = drift(people(3000), people(1000, seed=1, happy=0.9))
    assert glad["labels"] > LOOK > MOVED > glad["brightness"]


def test_the_fewest_faces_that_are_compared_are_so_many_that_chance_moves_nothing():
    before = people(3589, seed=1000)
    highest = np.array([max(drift(before, people(FEWEST, seed)).values()) for seed in range(100)])
    assert (highest < LOOK).sum() >= 95
    assert (highest < MOVED).sum() >= 80


def written(path, n, grey, frames=3, version="model.onnx"):
    """A log of n faces, each in some frames."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        for face in range(n):
            label, sure = int(rng.integers(0, 7)), rng.uniform(0.4, 0.9)
            for frame in range(frames):
                shares = np.full(7, (1 - sure) / 6)
                shares[label] = sure
                row = {
                    "time": frame / 20,
                    "frame": frame,
                    "version": version,
                    "face": face,
                    "left": 0,
                    "top": 0,
                    "width": 9,
                    "height": 9,
                }
                row |= {"brightness": grey + frame - 1, "label": LABELS[label]}
                file.write(json.dumps(row | {"probabilities": dict(zip(LABELS, shares, strict=True))}) + "\n")
    return path


def test_the_frames_of_a_face_count_as_one(tmp_path):
    logs = [written(tmp_path / "a.jsonl", 5, 100.0), written(tmp_path / "b.jsonl", 4, 90.0)]
    other = written(tmp_path / "c.jsonl", 3, 50.0, version="v2")
    by_version = seen([read_log(path) for path in (*logs, other)])
    assert by_version.keys() == {"model.onnx", "v2"}
    assert len(by_version["v2"]) == 3
    one = by_version["model.onnx"]
    assert len(one) == 9
    np.testing.assert_allclose(one.brightness, [100.0] * 5 + [90.0] * 4)
    assert ((one.confidence > 0.4) & (one.confidence < 0.9)).all()


def command(folder, *words):
    done = subprocess.run(
        [sys.executable, "-m", "serve.drift", *words], cwd=folder, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_the_command_says_when_it_is_time_to_look(tmp_path):
    rng, rows = np.random.default_rng(1), np.arange(400, dtype=np.int32)
    label = rng.integers(0, 7, 400)
    sure = rng.uniform(0.4, 0.9, 400).astype(np.float32)
    probabilities = np.repeat((1 - sure)[:, None] / 6, 7, axis=1)
    probabilities[rows, label] = sure
    grey = np.repeat(rng.integers(80, 140, 400, dtype=np.uint8), 48 * 48).reshape(-1, 48, 48)
    usage = np.array(["PrivateTest"] * 400, object)
    write_faces(tmp_path / paths.FACES, Faces(rows, label.astype(np.int8), usage, grey))
    write_predictions(tmp_path / paths.PREDICTIONS, Predictions(rows, label.astype(np.int8), probabilities))
    written(tmp_path / "night.jsonl", 200, 20.0)
    code, said = command(tmp_path, "night.jsonl")
    assert code == 0, said
    assert "time to look at brightness: at the light" in said
    other = Predictions(rows, label.astype(np.int8), np.full((400, 7), 1 / 7, np.float32))  # v2 is sure of nothing
    write_predictions(tmp_path / "registry" / "versions" / "v2" / "predictions.parquet", other)
    written(tmp_path / "day.jsonl", 200, 110.0, version="v2")
    code, said = command(tmp_path, "day.jsonl", "night.jsonl")
    assert "model.onnx, 200 faces: time to look at brightness" in said
    assert "v2, 200 faces: time to look at labels and confidence" in said
    written(tmp_path / "few.jsonl", 5, 100.0)
    assert "model.onnx: 5 faces are too few to compare, expected 200" in command(tmp_path, "few.jsonl")[1]
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert "other.csv: not what --json or --csv of serve wrote" in command(tmp_path, "other.csv")[1]
    assert "none.jsonl: No such file" in command(tmp_path, "none.jsonl")[1]


@pytest.mark.filterwarnings("error")
def test_a_log_without_a_face_is_no_fault_beside_others_and_alone_is_said(tmp_path):
    for kind, name in (("--json", "none.jsonl"), ("--csv", "none.csv")):
        files = [tmp_path / name if kind == own else None for own in ("--json", "--csv")]
        with records(*files) as log:
            log.write(0.0, 0, [], "model.onnx")
        code, said = command(tmp_path, name)
        assert (code, said) == (1, f"error: {name}: no face in these logs; look for longer, or lower --min-face\n")
    logs = [tmp_path / "none.jsonl", written(tmp_path / "some.jsonl", 5, 100.0), tmp_path / "none.csv"]
    assert len(seen([read_log(path) for path in logs])["model.onnx"]) == 5
