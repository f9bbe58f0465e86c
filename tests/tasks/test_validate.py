import json
import re
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.labels import LABELS
from tasks.common.params import Params
from tasks.common.paths import FACES, PARAMS, PROVENANCE, VALIDATION, VALIDATION_REPORT
from tasks.common.provenance import LeftOut, Provenance, write_provenance
from tasks.common.reading import load_params
from tasks.common.tables import Faces, write_faces
from tasks.duplicates import find_copies
from tasks.validate.__main__ import main
from tasks.validate.expectations import Outcome, run, suite
from tasks.validate.features import describe
from tests.tasks.pictures import brighter, pictures, some_faces

ROOT = Path(__file__).parents[2]
REAL = load_params(ROOT / PARAMS)
SMALL = REAL.model_copy(update={"validate_": REAL.validate_.model_copy(update={"min_rows": 300})})


def outcomes(faces: Faces, params: Params = SMALL) -> dict[str, Outcome]:
    copies = find_copies(faces.pixels, params.split.near_distance, params.split.near_correlation)
    features = describe(faces, copies, params.validate_.flat_below)
    return {outcome.name: outcome for outcome in run(suite(params.validate_), features)}


def failed(found: dict[str, Outcome]) -> set[str]:
    return {name for name, outcome in found.items() if not outcome.success}


def changed(name: str, at: object, value: object) -> Callable[[Faces], Faces]:
    """Return what sets the entries `at` of one array to a value."""

    def change(faces: Faces) -> Faces:
        array = getattr(faces, name).copy()
        array[at] = value
        return replace(faces, **{name: array})

    return change


def copied(source: int, targets: list[int]) -> Callable[[Faces], Faces]:
    return lambda faces: changed("pixels", targets, faces.pixels[source])(faces)


def without_disgust_in_public_test(faces: Faces) -> Faces:
    return faces.take((faces.usage != "PublicTest") | (faces.emotion != LABELS.index("disgust")))


# Rows 0, 3 to 9, 10, 13 … of `some_faces` are Training, row 1, 11 … PublicTest, and rows 0 to 55 are angry.
FAULTS = {
    "label 9": (changed("emotion", 3, 9), {"emotion_known"}),
    "labels as int64": (lambda f: replace(f, emotion=f.emotion.astype(np.int64)), {"emotion_type"}),
    "labels as text": (lambda f: replace(f, emotion=f.emotion.astype(str)), {"emotion_type", "emotion_known"}),
    "rows as text": (lambda f: replace(f, row=f.row.astype(str)), {"row_type", "rows_ascending"}),
    "unknown Usage": (changed("usage", 3, "Test"), {"usage_known"}),
    "no Usage": (changed("usage", 3, None), {"usage_given"}),
    "a row twice": (changed("row", 7, 6), {"rows_ascending"}),
    "rows out of order": (changed("row", [7, 8], [8, 7]), {"rows_ascending"}),
    "too few": (lambda f: f.take(np.arange(0, 400, 2)), {"row_count"}),
    "faces of 40 x 40": (lambda f: replace(f, pixels=f.pixels[:, :40, :40]), {"face_bytes"}),
    "a label missing in a part": (without_disgust_in_public_test, {"class_counts"}),
    "too dark": (lambda f: replace(f, pixels=f.pixels // 8), {"pixel_mean", "pixel_std"}),
    "flat": (changed("pixels", [0, 100, 200, 300, 390], 90), {"flat_faces", "pixel_std"}),
    "many copies": (copied(0, [3, 4, 5, 6, 7]), {"exact_copies"}),
    "a copy with another label": (copied(0, [200]), {"conflicting_copies"}),
    "a Training face in PublicTest": (copied(0, [1]), {"leaked_faces"}),
    "labels drift": (changed("emotion", slice(300, 360), 0), {"class_drift"}),
}


def test_good_faces_pass():
    assert failed(outcomes(some_faces())) == set()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught_by_its_expectation(fault):
    plant, expected = FAULTS[fault]
    found = failed(outcomes(plant(some_faces())))
    assert expected <= found
    # One flat colour for several labels is a conflict and a leak as well; a label changed may be missing elsewhere.
    assert found - expected <= {"conflicting_copies", "leaked_faces", "class_counts", "class_drift"}


def test_near_copies_are_counted():
    faces = some_faces()
    pixels = faces.pixels.copy()
    pixels[10:13] = [brighter(face) for face in pixels[20:23]]
    near = outcomes(replace(faces, pixels=pixels))["near_copies"]
    assert not near.success
    assert near.observed.startswith("6 of 400 (1.5 %): row 10, 11, 12, 20, 21, …")


def test_an_outcome_names_row_and_value():
    known = outcomes(changed("emotion", [3, 8], [9, -1])(some_faces()))["emotion_known"]
    assert known.severity == "critical"
    assert known.observed == "2 of 400 (0.5 %): row 3 (9), 8 (-1)"


def test_a_part_and_its_label_are_named():
    counts = outcomes(without_disgust_in_public_test(some_faces()))["class_counts"]
    assert counts.observed == "1 of 21 (4.76 %): usage label PublicTest disgust (0)"


def test_thresholds_and_severities_are_parameters():
    faces = copied(0, [3, 4, 5, 6])(some_faces())
    for at_most, success in ((0.0099, False), (0.01, True)):
        section = SMALL.validate_.model_copy(update={"exact_copies": at_most, "critical": ["exact_copies"]})
        outcome = outcomes(faces, SMALL.model_copy(update={"validate_": section}))["exact_copies"]
        assert (outcome.success, outcome.severity) == (success, "critical")


def zeroed(content: bytes) -> bytes:
    """Return a file with 2,000 bytes in its middle zeroed, as a bad block of a disk leaves it."""
    middle = len(content) // 2
    return content[:middle] + bytes(2000) + content[middle + 2000 :]


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Callable[[Faces, bool], None]:
    """Go to an empty folder, and return what puts faces and parameters there."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / PARAMS).read_text()
    Path(PARAMS).write_text(re.sub(r"min_rows: \d+", "min_rows: 300", text))

    def put(faces: Faces, synthetic: bool) -> None:
        write_faces(FACES, faces)
        provenance = Provenance(
            source="<script>.csv",
            layout="fer2013.csv",
            sha256="ab" * 32,
            synthetic=synthetic,
            fingerprint=faces.fingerprint(),
            rows=len(faces),
            labels={},
            usages={},
            left_out=(LeftOut(where="row 7", reason="pixel 3 is 300, above 255"),),
        )
        write_provenance(PROVENANCE, provenance)

    return put


def test_the_step_warns_and_writes_metrics_and_report(workspace, capsys):
    workspace(copied(0, [1])(some_faces()), False)
    main()
    said = capsys.readouterr().out
    assert "400 faces, 17 of 18 expectations hold" in said
    assert "warnings: leaked_faces" in said
    metrics = json.loads(VALIDATION.read_text())
    scalars = {name: value for name, value in metrics.items() if name != "expectations"}
    assert scalars == {
        "success": True,
        "rows": 400,
        "duplicates": 1,
        "near_duplicates": 0,
        "leaked": 1,
        "warnings": 1,
    }
    leaked = next(one for one in metrics["expectations"] if one["name"] == "leaked_faces")
    assert (leaked["severity"], leaked["success"]) == ("warning", False)
    assert "0 %" in leaked["expected"]
    assert leaked["observed"] == "1 of 80 (1.25 %): row 1"


def test_a_critical_failure_stops_after_metrics_and_report_are_written(workspace):
    workspace(without_disgust_in_public_test(some_faces()), False)
    with pytest.raises(SystemExit) as stop:
        main()
    assert isinstance(stop.value.code, str)  # the sentence goes to stderr, with exit status 1
    assert stop.value.code.startswith("error: data/faces.parquet: class_counts: found 1 of 21")
    assert stop.value.code.count("\n") == 0
    assert json.loads(VALIDATION.read_text())["success"] is False
    assert "stops the pipeline" in VALIDATION_REPORT.read_text()


@pytest.mark.fault("validate", "data/faces.parquet is damaged in the middle")
def test_faces_that_ingest_did_not_write_are_refused(workspace, seen):
    workspace(some_faces(), False)
    parquet = pq.read_table(FACES)
    pq.write_table(parquet, FACES, compression="none")  # what is compressed does not hide the damage from its reader
    FACES.write_bytes(zeroed(FACES.read_bytes()))
    with pytest.raises(
        SystemExit, match=r"^error: data/faces\.parquet isn't what ingest wrote .* `dvc checkout`"
    ) as stop:
        main()
    seen(stop.value.code)
    assert not VALIDATION.exists()


def test_labels_that_are_words_are_named_by_their_expectation(workspace):
    workspace(some_faces(), False)
    parquet = pq.read_table(FACES)
    pq.write_table(parquet.set_column(1, "emotion", pa.array(["happy"] * 400)), FACES)
    with pytest.raises(SystemExit, match="emotion_type: found str, expected"):
        main()


def test_the_report_loads_nothing_escapes_everything_and_shows_the_faces_at_fault(workspace):
    workspace(copied(0, [1, 200])(some_faces()), True)
    main()
    page = VALIDATION_REPORT.read_text()
    assert "http" not in page
    assert "//" not in re.sub(r"base64,[^\"]*", "", page)
    assert "<script" not in page
    assert "&lt;script&gt;.csv" in page
    assert 'class="banner"' in page
    assert "Synthetic faces" in page
    assert "pixel 3 is 300, above 255" in page
    assert "row 200, fear, Training, pixels of row 0" in page or "row 200, happy, Training, pixels of row 0" in page
    assert page.count("data:image/png;base64,") == 4  # three conflicting copies, one leaked face


def test_real_photographs_are_not_called_synthetic(workspace):
    workspace(some_faces(), False)
    main()
    assert "Synthetic" not in VALIDATION_REPORT.read_text()


def test_two_runs_write_the_same_bytes(workspace):
    workspace(copied(0, [1, 200])(some_faces()), False)
    written = []
    for _ in range(2):
        main()
        written.append((VALIDATION.read_bytes(), VALIDATION_REPORT.read_bytes()))
    assert written[0] == written[1]


def test_nothing_is_sent(workspace, monkeypatch, capfd):
    reached = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: reached.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *asked, **_: reached.append(asked) or [])
    workspace(some_faces(), False)
    main()
    assert reached == []
    assert "Calculating Metrics" not in capfd.readouterr().err


def test_a_part_that_the_data_lacks_is_not_missed():
    faces = some_faces()
    faces = replace(faces, usage=np.full(len(faces), "Training", object))
    assert failed(outcomes(faces)) == set()


def test_a_data_set_may_lack_a_label_where_the_parameters_say_so():
    lenient = SMALL.model_copy(update={"validate_": SMALL.validate_.model_copy(update={"min_class_faces": 0})})
    faces = some_faces()
    faces = faces.take(faces.emotion != LABELS.index("disgust"))
    assert "class_counts" in failed(outcomes(faces))
    assert "class_counts" not in failed(outcomes(faces, lenient))


def test_one_face_is_described():
    faces = Faces(np.zeros(1, np.int32), np.zeros(1, np.int8), np.array(["Training"], object), pictures(1))
    assert {"row_count", "class_counts"} <= failed(outcomes(faces))


@pytest.mark.parametrize("rows", [35_887, 4_000])
def test_the_real_data_passes_with_warnings(real_faces, rows):
    few = np.linspace(0, len(real_faces) - 1, rows).astype(int)
    found = outcomes(real_faces.take(few), REAL)
    assert all(found[name].severity == "warning" for name in failed(found))
    if rows == len(real_faces):
        assert failed(found) == {"exact_copies", "conflicting_copies", "near_copies", "leaked_faces"}
        assert found["exact_copies"].observed.startswith("1,851 of 35,887 (5.16 %)")
        assert found["leaked_faces"].observed.startswith("568 of 7,178 (7.91 %)")
        assert found["flat_faces"].observed.startswith("13 of 35,887")
