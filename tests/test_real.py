"""The real FER2013 through every stage: all rows as far as the split, a part of them to the verdict."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tasks.common import paths
from tasks.common.provenance import read_provenance
from tasks.common.tables import read_faces, read_split
from tests.conftest import REAL, ROOT
from tests.workspaces import change, make, run

pytestmark = pytest.mark.skipif(not (REAL / "export.py").exists(), reason=f"the real FER2013 is not at {REAL}")


def export(folder, *options):
    path = folder / "fer2013.csv"
    subprocess.run([sys.executable, REAL / "export.py", "csv", path, *options], check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    source = export(tmp_path_factory.mktemp("source"))
    folder = make(tmp_path_factory.mktemp("whole"), {})
    run(folder, "python", "-m", "tasks.ingest", str(source))
    source.unlink()
    return folder


def test_all_rows_are_ingested_and_pinned(whole, real_faces):
    faces, provenance = read_faces(whole / paths.FACES), read_provenance(whole / paths.PROVENANCE)
    assert faces.fingerprint() == real_faces.fingerprint() == provenance.fingerprint
    assert provenance.usages == {"Training": 28_709, "PublicTest": 3_589, "PrivateTest": 3_589}
    assert provenance.labels["disgust"] == 547
    assert not provenance.synthetic
    assert (whole / "data.dvc").exists()


def test_validation_finds_what_is_known_of_it(whole):
    run(whole, "python", "-m", "tasks.validate")
    found = json.loads((whole / paths.VALIDATION).read_text())
    assert found["success"]
    assert (found["rows"], found["duplicates"], found["leaked"]) == (35_887, 1_851, 288 + 280)


@pytest.mark.parametrize(
    ("strategy", "sizes"), [("official", [28_709, 3_589, 3_589]), ("random", [29_068, 3_230, 3_589])]
)
def test_both_splits_have_their_exact_counts(whole, strategy, sizes):
    change(whole, {"split": {"strategy": strategy}})
    run(whole, "python", "-m", "tasks.split")
    split = read_split(whole / paths.SPLIT)
    assert [len(split.index(subset)) for subset in ("train", "validation", "test")] == sizes
    if strategy == "official":
        assert np.count_nonzero(split.leak[split.index("test")] == "exact") == 288
        what_is_claimed_is_what_the_networks_said(whole)


def what_is_claimed_is_what_the_networks_said(workspace):
    """The table in docs/results.md is the one that the predictions give on the faces here."""
    code = f"import sys; sys.path.insert(1, {str(ROOT)!r}); from bench.claims import main; main()"
    said = run(workspace, "python", "-c", code)
    rows = [line for line in said.splitlines() if line.startswith("| ")]
    assert len(rows) == 9
    claimed = (ROOT / "docs" / "results.md").read_text()
    assert "\n".join(rows) in claimed


def test_four_thousand_faces_go_from_source_to_verdict(tmp_path):
    source = export(tmp_path, "--rows", "4000")
    folder = tmp_path / "workspace"
    folder.mkdir()
    make(folder, {"model": {"filters": [16, 32, 64]}, "train": {"epochs": 4}})
    run(folder, "python", "-m", "tasks.ingest", str(source))
    run(folder, "dvc", "repro")
    scores = json.loads((folder / paths.SCORES).read_text())
    verdict = json.loads((folder / paths.VERDICT).read_text())
    assert scores["accuracy"] > 0.25  # more than always saying happy
    assert verdict["verdict"] == "not comparable"
    assert any("capstone" in reason and "split.strategy" in reason for reason in verdict["reasons"])
    assert json.loads((folder / paths.TRAINING).read_text())["epochs"] == 4
