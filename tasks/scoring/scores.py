"""The measures: what predictions are worth, each headline figure with a bootstrap interval.

Every headline figure is a function of sums over faces. So a face is a row of terms, a resample a row of weights, and
one matrix product gives the sums of all resamples.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from model.labels import LABELS

HEADLINES: Final = ("accuracy", "macro_f1", "weighted_f1", "top2_accuracy", "nll", "brier", "ece")
"""The figures that have an interval, in the order in which they are shown."""

NAMES: Final = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "top2_accuracy": "top-2 accuracy",
    "nll": "negative log-likelihood ↓",
    "brier": "Brier score ↓",
    "ece": "expected calibration error ↓",
}
"""How the headlines are called where a person reads them; ↓: lower is better."""

_CLASSES: Final = len(LABELS)
_CHUNK: Final = 4_000_000  # weights held in memory at once: 32 MB


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(_Frozen):
    """A figure and its percentile bootstrap interval (Efron 1979)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class LabelScores(_Frozen):
    """Precision, recall and F1, 0 to 1, of one label or averaged over labels, and how many faces bear it."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


class ReliabilityBin(_Frozen):
    """The faces whose highest probability lies in (lower, upper]; both means are None where there is no face."""

    lower: float
    upper: float
    confidence: float | None
    accuracy: float | None
    count: int


class Scores(_Frozen):
    """Everything that is measured of one set of faces."""

    faces: int
    accuracy: Estimate
    macro_f1: Estimate
    weighted_f1: Estimate
    top2_accuracy: Estimate
    nll: Estimate
    """Mean negative log-likelihood, in nats."""
    brier: Estimate
    """Mean squared distance of the probabilities from the one-hot label, 0 to 2 (Brier 1950)."""
    ece: Estimate
    """Expected calibration error over equal-width bins, 0 to 1 (Guo et al. 2017). Resampling adds noise to each bin, so
    its interval lies high, and may leave the figure of a well-calibrated network below itself."""
    labels: tuple[LabelScores, ...]
    """In the order of `model.labels.LABELS`."""
    macro: LabelScores
    weighted: LabelScores
    confusion: tuple[tuple[int, ...], ...]
    """Faces by true label (row) and predicted label (column)."""
    reliability: tuple[ReliabilityBin, ...]


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are drawn: faces with replacement, `resamples` times; `confidence` of the figures lie within."""

    resamples: int
    confidence: float
    seed: int


def score(label: np.ndarray, probabilities: np.ndarray, *, bins: int, bootstrap: Bootstrap) -> Scores:
    """Measure predictions.

    Args:
        label: integers [n], the true labels, 0 to 6; n at least 1.
        probabilities: float [n, 7], each row summing to 1.
        bins: equal-width bins of confidence for calibration.
        bootstrap: how the intervals are drawn.

    Raises:
        ValueError: there are no faces, or the two arrays don't fit together.
    """
    if len(label) == 0 or probabilities.shape != (len(label), _CLASSES):
        raise ValueError(f"found {len(label)} labels and probabilities of shape {probabilities.shape}")
    terms = _terms(label, probabilities, bins)
    whole = terms.sum(axis=0)
    confusion, _, calibration = _unpack(whole, bins)
    values = _headlines(whole, bins)
    tail = (1 - bootstrap.confidence) / 2
    low, high = np.quantile(_headlines(_resampled(terms, bootstrap), bins), [tail, 1 - tail], axis=0)
    figures = zip(HEADLINES, values.tolist(), low.tolist(), high.tolist(), strict=True)
    support = confusion.sum(axis=1)
    by_label = np.column_stack([*precision_recall_f1(confusion), support])
    averages = [np.append(np.average(by_label[:, :3], axis=0, weights=w), len(label)) for w in (None, support)]
    macro, weighted = (_label_scores(name, row) for name, row in zip(("macro", "weighted"), averages, strict=True))
    return Scores(
        faces=len(label),
        **{name: Estimate(value=value, low=least, high=most) for name, value, least, most in figures},
        labels=tuple(_label_scores(name, row) for name, row in zip(LABELS, by_label, strict=True)),
        macro=macro,
        weighted=weighted,
        confusion=tuple(tuple(row) for row in confusion.astype(int).tolist()),
        reliability=_reliability(calibration),
    )


def calibration_error(label: np.ndarray, probabilities: np.ndarray, *, bins: int) -> float:
    """Return the expected calibration error alone, as `score` has it, of the same arguments."""
    sums = _terms(label, probabilities, bins).sum(axis=0)
    return float(_headlines(sums, bins)[HEADLINES.index("ece")])


def precision_recall_f1(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return three arrays [..., 7] of confusion matrices [..., 7, 7], true labels in rows.

    A figure that is undefined (no such face, none predicted) is 0, as in scikit-learn with `zero_division=0`.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    predicted, actual = confusion.sum(axis=-2), confusion.sum(axis=-1)
    return _ratio(hits, predicted), _ratio(hits, actual), _ratio(2 * hits, predicted + actual)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return part / np.where(whole == 0, 1, whole)


def _terms(label: np.ndarray, probabilities: np.ndarray, bins: int) -> np.ndarray:
    """Return one row a face, float64 [n, 49 + 3 + 3 * bins]; `_unpack` names the parts."""
    faces = np.arange(len(label))
    exact = probabilities.astype(np.float64)
    # Stable, so that ties fall as they do in argmax, and top-2 never lies below top-1.
    ranked = np.argsort(-exact, axis=1, kind="stable")
    predicted = ranked[:, 0]
    confusion = np.zeros((len(label), _CLASSES**2))
    confusion[faces, label * _CLASSES + predicted] = 1
    top2 = (ranked[:, :2] == label[:, None]).any(axis=1)
    # A float32 softmax can round to 0, whose logarithm would drown all others.
    nll = -np.log(np.maximum(exact[faces, label], np.finfo(np.float32).eps))
    brier = np.square(exact - np.eye(_CLASSES)[label]).sum(axis=1)
    confidence = exact[faces, predicted]
    position = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    calibration = np.zeros((len(label), 3, bins))
    calibration[faces, :, position] = np.column_stack([np.ones(len(label)), confidence, predicted == label])
    return np.hstack([confusion, np.column_stack([top2, nll, brier]), calibration.reshape(len(label), -1)])


def _unpack(sums: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return of sums [..., k] the confusion [..., 7, 7]; top-2, nll, brier [..., 3]; calibration [..., 3, bins]."""
    confusion, scalars, calibration = np.split(sums, [_CLASSES**2, _CLASSES**2 + 3], axis=-1)
    lead = sums.shape[:-1]
    return confusion.reshape(*lead, _CLASSES, _CLASSES), scalars, calibration.reshape(*lead, 3, bins)


def _headlines(sums: np.ndarray, bins: int) -> np.ndarray:
    """Return the figures [..., 7] of sums [..., k], in the order of `HEADLINES`."""
    confusion, scalars, calibration = _unpack(sums, bins)
    faces = confusion.sum(axis=(-2, -1))
    accuracy = np.trace(confusion, axis1=-2, axis2=-1) / faces
    f1 = precision_recall_f1(confusion)[2]
    weighted_f1 = (f1 * confusion.sum(axis=-1)).sum(axis=-1) / faces
    ece = np.abs(calibration[..., 1, :] - calibration[..., 2, :]).sum(axis=-1) / faces
    top2, nll, brier = np.moveaxis(scalars, -1, 0) / faces
    return np.stack([accuracy, f1.mean(axis=-1), weighted_f1, top2, nll, brier, ece], axis=-1)


def _resampled(terms: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Return the sums [resamples, k] of as many draws of n faces with replacement."""
    faces = len(terms)
    random = np.random.default_rng(bootstrap.seed)
    sums = []
    for start in range(0, bootstrap.resamples, step := max(1, _CHUNK // faces)):
        draws = min(step, bootstrap.resamples - start)
        drawn = random.integers(faces, size=(draws, faces)) + np.arange(draws)[:, None] * faces
        weights = np.bincount(drawn.ravel(), minlength=draws * faces).reshape(draws, faces)
        sums.append(weights.astype(np.float64) @ terms)
    return np.concatenate(sums)


def _label_scores(name: str, row: np.ndarray) -> LabelScores:
    precision, recall, f1, support = row.tolist()
    return LabelScores(name=name, precision=precision, recall=recall, f1=f1, support=int(support))


def _reliability(calibration: np.ndarray) -> tuple[ReliabilityBin, ...]:
    bins = calibration.shape[1]
    return tuple(
        ReliabilityBin(
            lower=i / bins,
            upper=(i + 1) / bins,
            confidence=confidence / count if count else None,
            accuracy=hits / count if count else None,
            count=int(count),
        )
        for i, (count, confidence, hits) in enumerate(calibration.T.tolist())
    )
