import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from model.labels import LABELS
from tasks.scoring.scores import HEADLINES, Bootstrap, Scores, calibration_error, precision_recall_f1, score

QUICK = Bootstrap(resamples=100, confidence=0.95, seed=1)


def drawn(seed: int, faces: int, labels: int = 7) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(7, 0.4), faces).astype(np.float32)
    guided = np.where(random.random(faces) < 0.5, probabilities.argmax(axis=1), random.integers(7, size=faces))
    return np.minimum(guided, labels - 1).astype(np.int8), probabilities


def measured(label, probabilities, *, bins: int = 15, bootstrap: Bootstrap = QUICK) -> Scores:
    return score(np.asarray(label, np.int8), np.asarray(probabilities), bins=bins, bootstrap=bootstrap)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), faces=st.integers(1, 80), labels=st.integers(1, 7))
def test_every_figure_is_scikit_learns_also_where_labels_are_absent(seed: int, faces: int, labels: int):
    label, probabilities = drawn(seed, faces, labels)
    scores, said, every = measured(label, probabilities), probabilities.argmax(axis=1), range(7)

    assert scores.accuracy.value == pytest.approx(reference.accuracy_score(label, said))
    for average, got in (("macro", scores.macro), ("weighted", scores.weighted)):
        expected = reference.precision_recall_fscore_support(
            label, said, labels=every, average=average, zero_division=0
        )
        assert (got.precision, got.recall, got.f1) == pytest.approx(expected[:3])
        assert getattr(scores, f"{average}_f1").value == pytest.approx(got.f1)
        assert got.support == faces
    each = reference.precision_recall_fscore_support(label, said, labels=every, zero_division=0)
    assert [row.name for row in scores.labels] == list(LABELS)
    np.testing.assert_allclose([[r.precision, r.recall, r.f1, r.support] for r in scores.labels], np.transpose(each))
    np.testing.assert_array_equal(scores.confusion, reference.confusion_matrix(label, said, labels=every))
    assert scores.top2_accuracy.value == pytest.approx(
        reference.top_k_accuracy_score(label, probabilities, k=2, labels=every)
    )
    clipped = np.maximum(probabilities[np.arange(faces), label].astype(float), np.finfo(np.float32).eps)
    assert scores.nll.value == pytest.approx(-np.log(clipped).mean())


def test_brier_and_calibration_by_hand():
    # Two faces at confidence 0.8, one right; one at 0.6, right. With five bins: (0.6, 0.8] and (0.4, 0.6].
    probabilities = [[0.8, 0.2, 0, 0, 0, 0, 0], [0.8, 0, 0.2, 0, 0, 0, 0], [0, 0.4, 0, 0.6, 0, 0, 0]]
    scores = measured([0, 2, 3], probabilities, bins=5)

    assert scores.brier.value == pytest.approx((0.08 + 1.28 + 0.32) / 3)
    assert scores.ece.value == pytest.approx((abs(1.6 - 1) + abs(0.6 - 1)) / 3)
    assert calibration_error(np.array([0, 2, 3]), np.array(probabilities), bins=5) == scores.ece.value
    assert [part.count for part in scores.reliability] == [0, 0, 1, 2, 0]
    filled = scores.reliability[3]
    assert (filled.lower, filled.upper) == pytest.approx((0.6, 0.8))
    assert (filled.confidence, filled.accuracy) == pytest.approx((0.8, 0.5))
    assert scores.reliability[0].accuracy is None


def test_a_tie_never_puts_top_2_below_top_1():
    scores = measured([0], [[1 / 7] * 7])
    assert (scores.accuracy.value, scores.top2_accuracy.value) == (1, 1)


def test_one_face_that_the_network_ruled_out_has_finite_scores():
    scores = measured([1], np.eye(7, dtype=np.float32)[[0]])
    assert scores.accuracy.value == scores.macro_f1.value == 0
    assert scores.brier.value == 2
    assert scores.nll.value == pytest.approx(-np.log(np.finfo(np.float32).eps))
    assert scores.nll.low == scores.nll.high == scores.nll.value


def test_no_face_is_refused():
    with pytest.raises(ValueError, match="0 labels"):
        measured([], np.zeros((0, 7)))


def test_precision_recall_f1_of_many_matrices_at_once():
    confusion = np.stack([np.eye(7) * 3, np.ones((7, 7))])
    precision, recall, f1 = precision_recall_f1(confusion)
    np.testing.assert_allclose(f1, np.stack([np.ones(7), np.full(7, 1 / 7)]))
    np.testing.assert_allclose(precision, recall)


def test_intervals_are_seeded_and_hold_their_figure():
    label, probabilities = drawn(3, 300)
    first, again = (measured(label, probabilities, bootstrap=Bootstrap(400, 0.95, 7)) for _ in range(2))
    other = measured(label, probabilities, bootstrap=Bootstrap(400, 0.95, 8))
    assert first == again
    assert first.accuracy != other.accuracy
    for name in set(HEADLINES) - {"ece"}:  # resampling adds noise to each bin: ece is biased upwards
        estimate = getattr(first, name)
        assert estimate.low < estimate.value < estimate.high


def test_the_interval_of_accuracy_covers_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(0)
    truth, faces, trials, covered = 0.6, 200, 200, 0
    probabilities = np.eye(7)[np.zeros(faces, int)]
    for trial in range(trials):
        label = np.where(random.random(faces) < truth, 0, 1)
        estimate = measured(label, probabilities, bootstrap=Bootstrap(200, 0.9, trial)).accuracy
        covered += estimate.low <= truth <= estimate.high
    assert 0.83 <= covered / trials <= 0.97  # 0.9, and three standard errors


def test_resampling_in_pieces_gives_what_it_gives_at_once(monkeypatch: pytest.MonkeyPatch):
    label, probabilities = drawn(5, 100)
    at_once = measured(label, probabilities)
    monkeypatch.setattr("tasks.scoring.scores._CHUNK", 1000)
    assert measured(label, probabilities) == at_once
