import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from tasks.gate.ridge import decisions, fit_ridge, sharpness


def faces(seed: int, n: int, classes: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a bright spot that tells the label, mostly."""
    random = np.random.default_rng(seed)
    label = random.integers(0, classes, n)
    pixels = random.integers(0, 200, (n, 6, 6), np.uint8)
    pixels.reshape(n, -1)[np.arange(n), label] += random.integers(0, 55, n, np.uint8)
    return pixels, label


def test_it_predicts_as_scikit_learn_s_classifier_does() -> None:
    pixels, label = faces(0, 500)
    ridge = fit_ridge(pixels, label, alpha=10, most=1000)
    flat = pixels.reshape(500, -1).astype(np.float64) / 255
    reference = RidgeClassifier(alpha=10).fit(flat, label)
    assert decisions(ridge, pixels) == pytest.approx(reference.decision_function(flat), abs=1e-3)


def test_a_label_without_a_training_face_is_not_predicted() -> None:
    pixels, label = faces(1, 300, classes=5)
    scores = decisions(fit_ridge(pixels, label, alpha=10, most=1000), pixels)
    assert scores.shape == (300, 7)
    assert scores.argmax(axis=1).max() < 5


def test_of_more_faces_so_many_are_used_spread_evenly() -> None:
    pixels, label = faces(2, 400)
    few = np.linspace(0, 399, 100).astype(int)
    capped = decisions(fit_ridge(pixels, label, alpha=10, most=100), pixels)
    assert np.array_equal(capped, decisions(fit_ridge(pixels[few], label[few], alpha=10, most=100), pixels))


def test_sharpness_finds_the_factor_that_made_the_labels() -> None:
    random = np.random.default_rng(3)
    scores = random.normal(size=(20_000, 7))
    chances = np.exp(3 * scores)
    chances /= chances.sum(axis=1, keepdims=True)
    label = (chances.cumsum(axis=1) > random.random((20_000, 1))).argmax(axis=1)
    assert sharpness(scores, label) == pytest.approx(3, rel=0.03)
