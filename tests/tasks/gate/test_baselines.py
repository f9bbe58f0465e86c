import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.labels import LABELS
from tasks.common.errors import UserError
from tasks.common.provenance import Provenance
from tasks.common.tables import Faces, Split
from tasks.gate.baselines import Baseline, Record, figures, read_baselines, write_baseline
from tasks.gate.matching import Measured, choose, dataset, division, mismatches
from tests.tasks.gate.making import ROOT, baseline, guesses, labels, official, world

# The capstone's own table: precision, recall, F1, support.
PUBLISHED = {
    "angry": (0.469, 0.463, 0.466, 501),
    "disgust": (0.000, 0.000, 0.000, 45),
    "fear": (0.336, 0.075, 0.123, 477),
    "happy": (0.754, 0.872, 0.809, 921),
    "sad": (0.405, 0.582, 0.477, 617),
    "surprise": (0.791, 0.586, 0.673, 406),
    "neutral": (0.510, 0.601, 0.552, 622),
}
ROUNDING = 0.0011
"""Of an average of figures that were each rounded to three digits, beside one rounded itself."""


@pytest.fixture
def capstone() -> Baseline:
    return next(b for b in read_baselines(ROOT / "baseline") if b.record.name == "capstone")


def measured(faces: Faces, split: Split, *, synthetic: bool = False, strategy: str = "official") -> Measured:
    provenance = Provenance(
        source="fer2013.csv", layout="fer2013.csv", sha256="0", synthetic=synthetic, fingerprint="", rows=len(faces),
        labels={}, usages={},
    )  # fmt: skip
    params = official().model_copy(update={"strategy": strategy})
    test = split.index("test")
    return Measured(dataset(faces, provenance), division(split, params), faces.row[test], faces.emotion[test])


def split_of(faces: Faces, sizes: tuple[int, int, int]) -> Split:
    subset = np.repeat(np.array(["train", "validation", "test"], object), sizes)
    return Split(faces.row, subset, np.full(len(faces), "none", object))


def test_capstone_is_the_published_table(capstone: Baseline) -> None:
    record = capstone.record
    assert {name: tuple(f.model_dump().values()) for name, f in record.figures.labels.items()} == PUBLISHED
    assert (record.figures.accuracy, record.figures.macro_f1, record.figures.weighted_f1) == (0.569, 0.443, 0.543)
    assert record.data.rows == 35_887
    assert list(record.data.labels.values()) == [4953, 547, 5121, 8989, 6077, 4002, 6198]
    assert (record.split.train, record.split.validation, record.split.test) == (29_068, 3_230, 3_589)
    assert (record.split.strategy, record.split.leaks) == ("random", "keep")
    assert capstone.predictions is None


def test_the_published_averages_follow_from_the_table(capstone: Baseline) -> None:
    summary = capstone.record.figures.summary()
    assert summary.support.sum() == capstone.record.split.test
    assert summary.f1.mean() == pytest.approx(0.443, abs=ROUNDING)
    assert summary.precision.mean() == pytest.approx(0.466, abs=ROUNDING)
    assert summary.recall.mean() == pytest.approx(0.454, abs=ROUNDING)
    assert np.average(summary.recall, weights=summary.support) == pytest.approx(0.569, abs=ROUNDING)
    assert np.average(summary.f1, weights=summary.support) == pytest.approx(0.543, abs=ROUNDING)
    assert np.average(summary.precision, weights=summary.support) == pytest.approx(0.551, abs=ROUNDING)


def test_capstone_fits_fer2013_on_its_split_alone(capstone: Baseline, real_faces: Faces) -> None:
    random = split_of(real_faces, (29_068, 3_230, 3_589))
    assert mismatches(capstone, measured(real_faces, random, strategy="random")) == ()
    touched = replace(real_faces, pixels=real_faces.pixels ^ (real_faces.row == 5)[:, None, None].astype(np.uint8))
    assert mismatches(capstone, measured(touched, random, strategy="random")) == ()
    (fault,) = mismatches(capstone, measured(real_faces, split_of(real_faces, (28_709, 3_589, 3_589))))
    assert fault.endswith("this is the official one (set `split.strategy: random`)")
    (fault,) = mismatches(capstone, measured(real_faces, random, strategy="random", synthetic=True))
    assert "35,887 real faces" in fault
    (fault,) = mismatches(
        capstone, measured(real_faces, split_of(real_faces, (29_000, 3_298, 3_589)), strategy="random")
    )
    assert "29,000 / 3,298 / 3,589" in fault


def small() -> tuple[Baseline, Measured]:
    label = labels(np.random.default_rng(0), 100)
    evidence = world(label, label, guesses(np.random.default_rng(1), label, 0.5))
    ours = Measured(
        dataset(evidence.faces, evidence.provenance), evidence.division, evidence.predictions.row, label.astype(np.int8)
    )
    return evidence.baselines[0], ours


def test_each_misfit_says_what_to_change() -> None:
    rival, ours = small()
    assert mismatches(rival, ours) == ()
    data, split = ours.data, ours.split
    for changed, said in (
        (replace(ours, split=split.model_copy(update={"leaks": "group"})), "set `split.leaks: keep`"),
        (replace(ours, split=split.model_copy(update={"strategy": "random"})), "set `split.strategy: official`"),
        (replace(ours, split=split.model_copy(update={"test": 99})), "split.test_share"),
        (replace(ours, data=data.model_copy(update={"fingerprint": "1"})), "other faces of made-up"),
        (replace(ours, data=data.model_copy(update={"synthetic": True})), "180 drawn faces"),
        (replace(ours, row=ours.row[::-1]), "split.seed"),
    ):
        (fault,) = mismatches(rival, changed)
        assert said in fault


def test_the_choice_among_fitting_baselines_is_determined() -> None:
    label = labels(np.random.default_rng(0), 100)
    evidence = world(label, label)
    half, right = guesses(np.random.default_rng(1), label, 0.5), label.astype(int)
    weak, strong = baseline(evidence, half, name="weak"), baseline(evidence, right, name="strong")
    told = baseline(evidence, right, name="a", summary=True)
    twin = baseline(evidence, right, name="b", summary=True)
    assert choose([told, weak]) is weak
    assert choose([weak, strong]) is choose([strong, weak]) is strong
    assert choose([twin, told]) is told


def test_a_baseline_is_read_as_it_was_written(tmp_path: Path) -> None:
    rival, _ = small()
    assert rival.predictions is not None
    write_baseline(tmp_path, rival.record, rival.predictions)
    (read,) = read_baselines(tmp_path)
    assert read.predictions is not None
    assert read.record.model_copy(update={"predictions_sha256": None}) == rival.record
    assert np.array_equal(read.predictions.probabilities, rival.predictions.probabilities)


def test_a_touched_baseline_is_refused(tmp_path: Path) -> None:
    rival, _ = small()
    assert rival.predictions is not None
    write_baseline(tmp_path, rival.record, rival.predictions)
    flipped = replace(rival.predictions, probabilities=rival.predictions.probabilities[::-1])
    saved = (tmp_path / "old.json").read_text()
    write_baseline(tmp_path, rival.record, flipped)
    (tmp_path / "old.json").write_text(saved)
    with pytest.raises(UserError, match=r"old\.parquet: found SHA-256"):
        read_baselines(tmp_path)


def test_a_broken_record_is_refused_with_its_place(tmp_path: Path, capstone: Baseline) -> None:
    content = json.loads(capstone.record.model_dump_json())
    content["figures"]["accuracy"] = 56.9
    (tmp_path / "capstone.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"capstone\.json: not a baseline \(figures\.accuracy"):
        read_baselines(tmp_path)
    (tmp_path / "capstone.json").rename(tmp_path / "other.json")
    content["figures"]["accuracy"] = 0.569
    (tmp_path / "other.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="rename the file"):
        read_baselines(tmp_path)
    del content["figures"]["labels"]["fear"]
    (tmp_path / "other.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="expected angry, disgust, fear"):
        read_baselines(tmp_path)


def test_every_committed_baseline_agrees_with_its_predictions() -> None:
    for found in read_baselines(ROOT / "baseline"):
        assert Record.model_validate(found.record.model_dump()) == found.record
        if found.predictions is not None:
            predicted = found.predictions.probabilities.argmax(axis=1)
            again = figures(found.predictions.label, predicted)
            assert again.accuracy == pytest.approx(found.record.figures.accuracy)
            assert again.macro_f1 == pytest.approx(found.record.figures.macro_f1)
            assert len(found.predictions) == found.record.split.test


def test_labels_stand_in_the_order_of_their_numbers() -> None:
    rival, _ = small()
    assert tuple(rival.record.figures.labels) == tuple(rival.record.data.labels) == LABELS
