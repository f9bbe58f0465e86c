from dataclasses import replace

import numpy as np
import pytest

from tasks.common.params import Gate
from tasks.common.tables import Predictions
from tasks.gate.judging import Cost, Evidence, judge
from tasks.gate.verdict import SYNTHETIC, Check, Verdict
from tests.tasks.gate.making import baseline, gate, guesses, labels, predictions, world


def verdict(evidence: Evidence, params: Gate | None = None) -> Verdict:
    return judge(evidence, params or gate(), bins=15)


def check(judged: Verdict, name: str) -> Check:
    return next(check for check in judged.checks if check.name == name)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def better(random: np.random.Generator) -> Evidence:
    label = labels(random, 800)
    return world(label, guesses(random, label, 0.75), guesses(random, label, 0.55))


def with_predictions(evidence: Evidence, **changes: np.ndarray) -> Evidence:
    return replace(evidence, predictions=replace(evidence.predictions, **changes))


def test_a_better_candidate_is_promoted(better: Evidence) -> None:
    judged = verdict(better)
    assert (judged.verdict, judged.baseline_name, judged.synthetic) == ("promote", "old", False)
    assert "The accuracy is 0.7" in judged.reasons[0]
    assert {c.outcome for c in judged.checks} <= {"pass", "warning", "not applicable"}
    assert [h.of for h in judged.hashes] == ["baseline"]
    assert judged == verdict(better), "the same evidence, the same verdict"


def test_identical_predictions_are_not_promoted(random: np.random.Generator) -> None:
    label = labels(random, 800)
    same = guesses(random, label, 0.7)
    judged = verdict(world(label, same, same))
    assert judged.verdict == "inconclusive"
    assert check(judged, "accuracy gain").figure == 0
    assert check(judged, "McNemar's p").figure == 1


def test_a_worse_candidate_is_rejected(better: Evidence) -> None:
    theirs = better.predictions.probabilities.argmax(axis=1)
    worse = guesses(np.random.default_rng(1), better.predictions.label, 0.6)
    judged = verdict(world(better.predictions.label, worse, theirs))
    assert judged.verdict == "reject"
    assert check(judged, "accuracy gain").outcome == check(judged, "McNemar's p").outcome == "fail"


@pytest.mark.parametrize("summary", [False, True])
def test_harm_to_one_label_is_caught_though_the_whole_is_better(random: np.random.Generator, summary: bool) -> None:
    label = labels(random, 1500)
    ours, theirs = guesses(random, label, np.where(label == 2, 0.3, 0.85)), guesses(random, label, 0.6)
    evidence = world(label, ours)
    judged = verdict(replace(evidence, baselines=(baseline(evidence, theirs, summary=summary),)))
    assert check(judged, "accuracy gain").outcome == "pass"
    assert [c.name for c in judged.checks if c.outcome == "fail"] == ["harm to fear"]
    assert judged.verdict == "reject"
    assert judged.reasons[0].startswith("Fear: recall 0.")


def test_harm_to_a_label_of_few_faces_is_reported_alone(random: np.random.Generator) -> None:
    label = labels(random, 800)
    evidence = world(label, guesses(random, label, np.where(label == 1, 0.0, 0.85)), guesses(random, label, 0.6))
    judged = verdict(evidence)
    harm = check(judged, "harm to disgust")
    assert (label == 1).sum() < gate().min_support
    assert harm.outcome == "not applicable"
    assert harm.figure is not None
    assert harm.figure < -0.3
    assert judged.verdict == "promote"


def test_recall_given_for_precision_is_a_warning(random: np.random.Generator) -> None:
    label = np.repeat([3, 4, 6], [400, 400, 400])
    theirs, ours = label.copy(), label.copy()
    theirs[800:1050] = 4  # the baseline calls 250 neutral faces sad
    ours[400:480] = 6  # the candidate misses 80 sad faces, with no wrong alarm
    judged = verdict(world(label, ours, theirs))
    assert check(judged, "harm to sad").outcome == "warning"
    assert judged.verdict == "promote"


@pytest.mark.parametrize(
    "parameter",
    [
        "min_accuracy",
        "min_above_majority",
        "min_above_ridge",
        "min_gain",
        "max_macro_f1_loss",
        "max_label_loss",
        "max_ece",
        "max_megabytes",
        "max_ms_per_face",
    ],
)
def test_without_a_threshold_there_is_no_promotion(better: Evidence, parameter: str) -> None:
    judged = verdict(better, gate(**{parameter: None}))
    assert judged.verdict == "inconclusive"
    assert f"gate.{parameter} is null, and without a threshold there is no promotion." in judged.reasons


@pytest.mark.parametrize("cost", [Cost(None, 1.0), Cost(1e6, None)])
def test_a_missing_metric_fails(better: Evidence, cost: Cost) -> None:
    judged = verdict(replace(better, cost=cost), gate(max_megabytes=None))
    assert judged.verdict == "reject"
    assert "was not measured" in judged.reasons[0]


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({"min_accuracy": 0.9}, "accuracy floor"),
        ({"min_above_majority": 0.9}, "majority floor"),
        ({"min_above_ridge": 0.9}, "ridge floor"),
        ({"max_ece": 0.01}, "calibration error"),
        ({"max_megabytes": 0.9}, "model size"),
        ({"max_ms_per_face": 0.9}, "time per face"),
    ],
)
def test_a_failed_check_rejects(better: Evidence, changes: dict[str, float], failing: str) -> None:
    judged = verdict(better, gate(**changes))
    assert judged.verdict == "reject"
    assert [c.name for c in judged.checks if c.outcome == "fail"] == [failing]
    assert check(judged, failing).sentence in judged.reasons


def test_the_floors_are_those_of_the_data(better: Evidence) -> None:
    # A picture that tells its label: the ridge classifier learns it from 60 faces, and the candidate lies below it.
    pixels = np.zeros_like(better.faces.pixels)
    pixels.reshape(len(pixels), -1)[np.arange(len(pixels)), better.faces.emotion] = 255
    faces = replace(better.faces, pixels=pixels)
    provenance = better.provenance.model_copy(update={"fingerprint": faces.fingerprint()})
    judged = verdict(replace(better, faces=faces, provenance=provenance), gate(ridge_alpha=1.0))
    assert check(judged, "ridge floor").threshold == 1
    assert check(judged, "ridge floor").outcome == "fail"
    majority = check(judged, "majority floor").threshold
    assert majority == pytest.approx((better.predictions.label == 0).mean() + gate().min_above_majority)


def test_no_margin_below_the_gain_that_is_asked_for(better: Evidence) -> None:
    low = check(verdict(better), "accuracy gain").figure
    assert low is not None
    assert verdict(better, gate(min_gain=low - 0.001)).verdict == "promote"
    assert verdict(better, gate(min_gain=low + 0.001)).verdict == "inconclusive"
    # Where even the upper end lies below what is asked for, there is nothing to wait for.
    assert check(verdict(better, gate(min_gain=0.99)), "accuracy gain").outcome == "fail"


def test_a_loss_that_may_be_within_what_is_allowed_is_no_failure(better: Evidence) -> None:
    theirs = better.predictions.probabilities.argmax(axis=1)
    worse = world(better.predictions.label, guesses(np.random.default_rng(1), better.predictions.label, 0.6), theirs)

    def outcome(allowed: float) -> str:
        return check(verdict(worse, gate(max_macro_f1_loss=allowed)), "macro F1 gain").outcome

    low = check(verdict(worse, gate(max_macro_f1_loss=1.0)), "macro F1 gain").figure
    assert low is not None
    assert low < 0
    assert outcome(-low + 0.001) == "pass"
    assert outcome(-low - 0.001) == "inconclusive"
    assert outcome(0.0) == "fail"


def nan(p: Predictions) -> dict[str, np.ndarray]:
    probabilities = p.probabilities.copy()
    probabilities[3, 4] = np.nan
    return {"probabilities": probabilities}


def negative(p: Predictions) -> dict[str, np.ndarray]:
    probabilities = p.probabilities.copy()
    probabilities[3, :2] += [-0.5, 0.5]
    return {"probabilities": probabilities}


def no_sum(p: Predictions) -> dict[str, np.ndarray]:
    return {"probabilities": p.probabilities * 1.01}


def cut(p: Predictions) -> dict[str, np.ndarray]:
    return {"row": p.row[1:], "label": p.label[1:], "probabilities": p.probabilities[1:]}


def twice(p: Predictions) -> dict[str, np.ndarray]:
    index = np.r_[0, np.arange(len(p) - 1)]
    return {"row": p.row[index], "label": p.label[index], "probabilities": p.probabilities[index]}


def shuffled(p: Predictions) -> dict[str, np.ndarray]:
    return {"row": p.row[::-1], "label": p.label[::-1], "probabilities": p.probabilities[::-1]}


def other_rows(p: Predictions) -> dict[str, np.ndarray]:
    return {"row": p.row - 1}


def wrong_label(p: Predictions) -> dict[str, np.ndarray]:
    label = p.label.copy()
    label[5] = (label[5] + 1) % 7
    return {"label": label}


def no_label(p: Predictions) -> dict[str, np.ndarray]:
    label = p.label.copy()
    label[5] = 7
    return {"label": label}


@pytest.mark.parametrize(
    ("spoil", "failing"),
    [
        (nan, "probabilities"),
        (negative, "probabilities"),
        (no_sum, "probabilities"),
        (cut, "rows"),
        (twice, "rows"),
        (shuffled, "rows"),
        (other_rows, "rows"),
        (wrong_label, "labels"),
        (no_label, "labels"),
    ],
)
def test_unsound_predictions_are_rejected(better: Evidence, spoil, failing: str) -> None:
    judged = verdict(with_predictions(better, **spoil(better.predictions)))
    assert judged.verdict == "reject"
    assert check(judged, failing).outcome == "fail"
    assert check(judged, failing).sentence in judged.reasons
    assert len(judged.checks) == 5, "nothing else is computed of what can't be trusted"


def test_faces_other_than_their_provenance_are_rejected(better: Evidence) -> None:
    pixels = better.faces.pixels.copy()
    pixels[0, 0, 0] ^= 1
    judged = verdict(replace(better, faces=replace(better.faces, pixels=pixels)))
    assert judged.verdict == "reject"
    assert check(judged, "data").outcome == "fail"


def test_a_split_of_other_rows_is_rejected(better: Evidence) -> None:
    judged = verdict(replace(better, split=replace(better.split, row=better.split.row[::-1])))
    assert judged.verdict == "reject"
    assert check(judged, "split").outcome == "fail"


def test_other_data_are_not_comparable(better: Evidence) -> None:
    emotion = better.faces.emotion.copy()
    emotion[0] = 3
    faces = replace(better.faces, emotion=emotion)
    provenance = better.provenance.model_copy(update={"fingerprint": faces.fingerprint(), "source": "others.csv"})
    judged = verdict(replace(better, faces=faces, provenance=provenance))
    assert (judged.verdict, judged.baseline_name) == ("not comparable", None)
    assert judged.reasons[1].startswith("old does not fit: it was measured on made-up (880 real faces)")


def test_no_baseline_is_not_comparable_even_where_a_floor_fails(better: Evidence) -> None:
    judged = verdict(replace(better, baselines=()), gate(min_accuracy=0.9))
    assert judged.verdict == "not comparable"
    assert "There is no baseline" in judged.reasons[0]
    assert "accuracy floor" in [c.name for c in judged.checks if c.outcome == "fail"]


def test_scores_without_leaked_faces_are_told(better: Evidence) -> None:
    leak = better.split.leak.copy()
    leak[-100:] = "exact"
    leaked = check(verdict(replace(better, split=replace(better.split, leak=leak))), "without leaked faces")
    p = better.predictions
    assert leaked.figure == pytest.approx((p.probabilities.argmax(axis=1) == p.label)[:-100].mean())
    assert leaked.sentence.startswith("100 of 800 test faces")
    assert check(verdict(better), "without leaked faces").outcome == "not applicable"


def test_drawn_faces_are_called_so(random: np.random.Generator) -> None:
    label = labels(random, 300)
    judged = verdict(world(label, guesses(random, label, 0.9), guesses(random, label, 0.5), synthetic=True))
    assert judged.synthetic
    assert judged.reasons[-1] == SYNTHETIC


def test_of_two_baselines_the_one_with_predictions_is_taken(better: Evidence) -> None:
    strong = baseline(better, better.predictions.label.astype(int), name="strong", summary=True)
    judged = verdict(replace(better, baselines=(strong, *better.baselines)))
    assert judged.baseline_name == "old"
    assert judged.reasons[0].startswith("2 baselines fit (strong, old): old is taken")


def test_always_the_same_label_is_rejected(better: Evidence) -> None:
    flat = predictions(better.predictions.row, better.predictions.label, np.zeros(len(better.predictions), int))
    judged = verdict(replace(better, predictions=flat))
    assert judged.verdict == "reject"
    assert check(judged, "majority floor").outcome == "fail"
