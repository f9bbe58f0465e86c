import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model.labels import LABELS
from tasks import evaluate
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.provenance import Provenance, write_provenance
from tasks.common.reading import load_params
from tasks.common.tables import Faces, Predictions, Split, read_predictions, write_faces, write_split
from tasks.scoring.evaluation import Cost, read_evaluation, write_headlines
from tasks.scoring.scores import HEADLINES
from tests.model.tiny import noise, tiny

ROOT = Path(__file__).parents[2]
TEST = 60
OUTPUTS = (paths.PREDICTIONS, paths.SCORES, paths.EVALUATION, paths.CONFUSION, paths.RELIABILITY, paths.REPORT)


def prepare(folder: Path, *, synthetic: bool = False, side: int = 48) -> None:
    """Write what the steps before would have left: 200 faces of noise and an untrained network."""
    random = np.random.default_rng(0)
    faces = Faces(
        row=np.arange(200, dtype=np.int32) * 2,
        emotion=random.integers(0, 6, 200).astype(np.int8),  # none is neutral
        usage=np.full(200, "Training", object),
        pixels=noise(200, side),
    )
    subset = np.repeat(["train", "test", "validation"], [100, TEST, 40]).astype(object)
    kinds = np.full(200, "none", object)
    kinds[100:110], kinds[110:115] = "exact", "near"
    write_faces(folder / paths.FACES, faces)
    write_split(folder / paths.SPLIT, Split(faces.row, subset, kinds))
    provenance = Provenance(
        source="<b>faces</b>.csv",
        layout="fer2013.csv",
        sha256="0" * 64,
        synthetic=synthetic,
        fingerprint=faces.fingerprint(),
        rows=200,
        labels={},
        usages={},
    )
    write_provenance(folder / paths.PROVENANCE, provenance)
    tiny().save(folder / paths.MODEL)
    shutil.copy(ROOT / paths.PARAMS, folder)


def history(folder: Path) -> None:
    for part in ("train", "val"):
        for measure in ("loss", "accuracy"):
            path = folder / paths.HISTORY / "plots" / "metrics" / part / f"{measure}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"step\t{measure}\n0\t0.5\n1\t0.25\n")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_everything_is_written_and_agrees(workspace: Path, capsys: pytest.CaptureFixture):
    history(workspace)
    shutil.copytree(ROOT / paths.BASELINES, workspace / paths.BASELINES)
    evaluate.main()
    evaluation, predictions = read_evaluation(paths.EVALUATION), read_predictions(paths.PREDICTIONS)

    np.testing.assert_array_equal(predictions.row, np.arange(100, 160) * 2)
    assert {kind: part.faces for kind, part in evaluation.leaks.items()} == {"none": 45, "exact": 10, "near": 5}
    assert evaluation.whole.faces == TEST
    assert evaluation.without_leaks is not None
    assert evaluation.without_leaks.faces == 45
    hits = predictions.probabilities.argmax(axis=1) == predictions.label
    assert evaluation.leaks["none"].right == hits[15:].sum()
    assert sum(part.right for part in evaluation.leaks.values()) == hits.sum()
    scores = json.loads(paths.SCORES.read_text())
    assert list(scores) == [*HEADLINES, "accuracy_without_leaks"]
    assert scores["accuracy"] == pytest.approx(hits.mean(), abs=1e-6)
    assert scores["accuracy_without_leaks"] == pytest.approx(hits[15:].mean(), abs=1e-6)
    assert evaluation.cost.model_bytes == paths.MODEL.stat().st_size
    assert evaluation.cost.parameters == 5 * 5 * 8 + 8 + 8 * 7 + 7

    confusion = pd.read_csv(paths.CONFUSION)
    counts = pd.crosstab(confusion["actual"], confusion["predicted"]).reindex(index=LABELS, columns=LABELS).fillna(0)
    np.testing.assert_array_equal(counts, evaluation.whole.confusion)
    reliability = pd.read_csv(paths.RELIABILITY)
    assert reliability["count"].sum() == TEST
    gap = (reliability["confidence"] - reliability["accuracy"]).abs() * reliability["count"]
    assert gap.sum() / TEST == pytest.approx(scores["ece"], abs=1e-5)
    assert "60 test faces: accuracy" in capsys.readouterr().out
    assert "capstone (another split)" in paths.REPORT.read_text()


def test_a_second_run_writes_the_same_bytes_but_for_the_time_a_face_takes(workspace: Path):
    history(workspace)
    runs = []
    for _ in range(2):
        evaluate.main()
        files = {path: path.read_bytes() for path in OUTPUTS}
        files[paths.EVALUATION] = re.sub(rb'"ms_per_face": [\d.]+', b"", files[paths.EVALUATION])
        runs.append(files)
    assert runs[0] == runs[1]


@pytest.mark.usefixtures("workspace")
def test_the_report_of_a_network_without_history_stands_alone():
    evaluate.main()
    page = paths.REPORT.read_text()
    assert "There is no history" in page
    assert "bootstrap" in page
    assert not re.findall(r'(?:src|href)\s*=\s*["\']?\s*(?:https?:)?//', page)
    assert not re.findall(r"@import|url\(\s*['\"]?http|<script|<link", page)
    assert "Drawn faces" not in page


def test_drawn_faces_are_marked_and_never_set_beside_published_figures(workspace: Path):
    prepare(workspace, synthetic=True)
    shutil.copytree(ROOT / paths.BASELINES, workspace / paths.BASELINES)
    evaluate.main()
    page = paths.REPORT.read_text()
    assert "Drawn faces: the figures say nothing of FER2013" in page
    assert "capstone" not in page
    assert read_evaluation(paths.EVALUATION).synthetic


def some_predictions(faces: int = 30) -> Predictions:
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(7), faces).astype(np.float32)
    return Predictions(np.arange(faces, dtype=np.int32), random.integers(0, 7, faces).astype(np.int8), probabilities)


COST = Cost(parameters=1, model_bytes=1, ms_per_face=1.0)


@pytest.mark.parametrize("kind", ["exact", "near"])
def test_where_every_face_is_leaked_there_are_no_clean_figures(kind: str, tmp_path: Path):
    params = load_params(ROOT / paths.PARAMS).evaluate
    evaluation = evaluate.evaluate(some_predictions(), np.full(30, kind), COST, params, synthetic=False)
    assert evaluation.without_leaks is None
    write_headlines(tmp_path / "scores.json", evaluation)
    assert json.loads((tmp_path / "scores.json").read_text())["accuracy_without_leaks"] is None


def test_where_no_face_is_leaked_both_figures_are_equal():
    params = load_params(ROOT / paths.PARAMS).evaluate
    evaluation = evaluate.evaluate(some_predictions(), np.full(30, "none"), COST, params, synthetic=False)
    assert evaluation.whole == evaluation.without_leaks


@pytest.mark.parametrize(("content", "sentence"), [(None, "no such file"), ("{}", "not an evaluation")])
def test_an_evaluation_that_cannot_be_read_is_one_sentence(tmp_path: Path, content: str | None, sentence: str):
    path = tmp_path / "evaluation.json"
    if content:
        path.write_text(content)
    with pytest.raises(UserError, match=f"{sentence}.*run `dvc repro evaluate`"):
        read_evaluation(path)


def no_model() -> None:
    paths.MODEL.unlink()


def broken_model() -> None:
    paths.MODEL.write_text("nonsense")


def small_faces() -> None:
    prepare(Path(), side=24)


def another_split() -> None:
    write_split(paths.SPLIT, Split(np.arange(3, dtype=np.int32), np.full(3, "test"), np.full(3, "none")))


def no_test_faces() -> None:
    row = np.arange(200, dtype=np.int32) * 2
    write_split(paths.SPLIT, Split(row, np.full(200, "train"), np.full(200, "none")))


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (no_model, "outputs/model.keras: no such file; run `dvc repro train`"),
        (broken_model, "outputs/model.keras: not a network that can be loaded"),
        (small_faces, "takes faces of 48 × 48 pixels, found 24 × 24"),
        (another_split, "its rows are not those of data/faces.parquet"),
        (no_test_faces, "found no test face"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(harm, sentence: str):
    harm()
    with pytest.raises(SystemExit) as stop:
        evaluate.main()
    assert sentence in str(stop.value)
    assert "\n" not in str(stop.value)
    assert not any(path.exists() for path in OUTPUTS)
