"""The simplest thing that learns from pixels: a ridge classifier, as floor and as baseline.

One regression on seven targets of +1 and -1, as `sklearn.linear_model.RidgeClassifier` does it; the regression itself
is used, since it keeps a column for every label, those without a training face included.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.linear_model import Ridge

from model.labels import LABELS


def fit_ridge(pixels: np.ndarray, label: np.ndarray, *, alpha: float, most: int) -> Ridge:
    """Fit to faces; deterministic.

    Args:
        pixels: uint8 [n, side, side].
        label: integers [n], 0 to 6.
        alpha: the penalty, for pixels scaled to 0..1.
        most: faces used; of more, so many spread evenly over the table.
    """
    used = np.arange(len(label)) if len(label) <= most else np.linspace(0, len(label) - 1, most).astype(np.int64)
    targets = 2 * np.eye(len(LABELS), dtype=np.float32)[label[used]] - 1
    return Ridge(alpha=alpha, solver="cholesky").fit(_flat(pixels[used]), targets)


def decisions(ridge: Ridge, pixels: np.ndarray) -> np.ndarray:
    """Return the regression's value by label, float32 [n, 7]; the highest is the predicted label."""
    return ridge.predict(_flat(pixels)).reshape(len(pixels), len(LABELS))


def sharpness(scores: np.ndarray, label: np.ndarray) -> float:
    """Return the factor that makes `softmax(factor * scores)` most likely (temperature scaling, Guo et al. 2017).

    Args:
        scores: float [n, 7], of faces that were not trained on.
        label: integers [n], their labels.
    """

    def loss(log_factor: float) -> float:
        return -float(log_softmax(np.exp(log_factor) * scores, axis=1)[np.arange(len(label)), label].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x))


def _flat(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(len(pixels), -1).astype(np.float32) / 255
