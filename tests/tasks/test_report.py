import re
from pathlib import Path

import numpy as np
import pytest

from model.labels import LABELS
from model.summary import Totals
from tasks.common.errors import UserError
from tasks.common.params import Evaluate
from tasks.common.tables import Faces, Predictions
from tasks.report.charts import by_label_chart, history_chart, label_chart, reliability_chart
from tasks.report.evaluation import Background, Drawn, Evaluated, Explained, evaluation_report
from tasks.report.history import read_history
from tasks.report.page import svg
from tasks.report.pictures import confusion_table, heated_faces, overlay
from tasks.report.published import read_published
from tasks.scoring.evaluation import Cost, Evaluation, Part
from tasks.scoring.scores import Bootstrap, score

PARAMS = Evaluate(
    flip=False,
    turn=0.0,
    ten_crop=False,
    batch_size=8,
    seed=1,
    resamples=100,
    confidence=0.9,
    calibration_bins=10,
    mistakes=2,
    timing_repeats=1,
)


def evaluated(ms_per_face: float = 1.0) -> Evaluated:
    """Return five faces; the last three are mistaken, face 3 with the highest confidence, then face 4."""
    label = np.array([0, 3, 1, 2, 4], np.int8)
    said, confidence = [0, 3, 2, 6, 5], [0.9, 0.8, 0.5, 0.97, 0.7]
    probabilities = np.repeat((1 - np.array(confidence, np.float32)[:, None]) / 6, 7, axis=1)
    probabilities[np.arange(5), said] = confidence
    row = np.arange(1000, 1005, dtype=np.int32)
    faces = Faces(row, label, np.full(5, "Training"), np.full((5, 48, 48), 90, np.uint8))
    evaluation = Evaluation(
        synthetic=False,
        leaks={kind: Part(faces=n, right=n // 2) for kind, n in {"none": 0, "exact": 4, "near": 1}.items()},
        whole=score(label, probabilities, bins=10, bootstrap=Bootstrap(100, 0.9, 1)),
        without_leaks=None,
        cost=Cost(parameters=10, model_bytes=10, ms_per_face=ms_per_face),
    )
    explained = Explained(np.array([0, 3]), np.zeros((2, 48, 48), np.float32))
    return Evaluated(evaluation, faces, Predictions(row, label, probabilities), explained)


def background(**changes) -> Background:
    subsets = {name: np.arange(1, 8) for name in ("train", "validation", "test")} | {"dropped": np.zeros(7, int)}
    network = Drawn("<svg></svg>", Totals(parameters=10, trainable=8, multiply_adds=1234))
    return Background(**{"subsets": subsets, "history": [], "published": None, "network": network} | changes)


def test_the_surest_mistakes_come_first_and_no_more_than_asked_for():
    page = evaluation_report(evaluated(), background(), PARAMS)
    part = page[page.index("<h2>The most confident mistakes") : page.index("<h2>Where the network looked")]
    assert "3 of 5 test faces are given a wrong label" in part
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", part)
    assert captions == ["neutral 97%<br>true: fear<br>row 1,003", "surprise 70%<br>true: sad<br>row 1,004"]


def test_all_leaked_says_so_and_the_time_is_no_part_of_the_page():
    page = evaluation_report(evaluated(), background(), PARAMS)
    assert "4 test faces have an exact copy in training, 1 a near one" in page
    assert "named right: 0.500 of 4 with an exact copy, 0.000 of 1 with a near one." in page
    assert page.count('<td class="number">–</td>') == 7
    assert evaluation_report(evaluated(ms_per_face=2.0), background(), PARAMS) == page
    assert "<td>dropped</td>" not in page


def test_history_is_read_as_dvclive_leaves_it_and_may_be_missing(tmp_path: Path):
    assert read_history(tmp_path) == []
    folder = tmp_path / "plots" / "metrics" / "val"
    folder.mkdir(parents=True)
    (folder / "loss.tsv").write_text("step\tloss\n0\t1.5\n1\t1.25\n")
    (curve,) = read_history(tmp_path)
    assert (curve.part, curve.measure, curve.epochs, curve.values) == ("val", "loss", (1, 2), (1.5, 1.25))
    assert "validation" in svg(history_chart([curve]))


def test_published_figures_are_told_apart_from_those_of_another_split(tmp_path: Path):
    published = read_published(Path(__file__).parents[2] / "baseline" / "capstone.json")
    assert published is not None
    assert published.by_label("recall")[3] == 0.872
    sizes = {"train": 29068, "validation": 3230, "test": 3589}
    same = {name: np.array([size]) for name, size in sizes.items()}
    assert published.title(same) == "capstone"
    assert published.title(same | {"test": np.array([3588])}) == "capstone (another split)"
    assert read_published(tmp_path / "none.json") is None
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(UserError, match="not a baseline"):
        read_published(tmp_path / "bad.json")


def test_the_confusion_table_shows_shares_of_rows_and_counts():
    confusion = np.zeros((7, 7), int)
    confusion[0, 0], confusion[0, 3], confusion[6, 6] = 30, 10, 1200
    table = confusion_table(confusion.tolist())
    assert "75%<br><small>30</small>" in table
    assert "25%<br><small>10</small>" in table
    assert "100%<br><small>1,200</small>" in table
    assert table.count("0%<br><small>0</small>") == 46


def test_heat_colours_a_face_where_it_is_and_leaves_the_rest():
    heat = np.zeros((4, 4))
    heat[0, 0] = 1
    seen = overlay(np.full((4, 4), 100, np.uint8), heat)
    assert (seen[1:] == 100).all()
    assert seen[0, 0, 0] > 180
    assert seen[0, 0, 2] < 100
    assert heated_faces([(np.zeros((4, 4), np.uint8), heat, "<i>")]).count("&lt;i&gt;") == 1


def test_charts_are_equal_for_equal_figures_and_name_what_they_show():
    bins = evaluated().evaluation.whole.reliability
    for draw in (
        lambda: label_chart({"train": np.arange(1, 8), "test": np.ones(7)}),
        lambda: by_label_chart({"recall": {"ours": np.ones(7), "theirs": np.zeros(7)}, "F1": {"ours": np.ones(7)}}),
        lambda: reliability_chart(bins),
    ):
        assert svg(draw()) == svg(draw())
    chart = svg(by_label_chart({"recall": {"ours": np.ones(7), "theirs": np.ones(7)}, "F1": {"ours": np.ones(7)}}))
    assert all(word in chart for word in (*LABELS, "ours", "theirs", "recall"))
