"""The statistics: is a candidate better than a baseline, beyond chance?

A comparison speaks of these weights on faces like these. It does not cover what another training seed would give.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from model.labels import LABELS
from tasks.scoring.scores import Bootstrap, precision_recall_f1

_CLASSES: Final = len(LABELS)


@dataclass(frozen=True)
class Difference:
    """A figure of the candidate less that of the baseline, with its interval from `low` to `high`."""

    ours: float
    theirs: float
    low: float
    high: float

    @property
    def value(self) -> float:
        """The candidate's less the baseline's."""
        return self.ours - self.theirs


@dataclass(frozen=True)
class Discordance:
    """Faces on which one is right and the other wrong, and McNemar's exact two-sided p."""

    won: int
    lost: int
    p: float


@dataclass(frozen=True)
class LabelChange:
    """What became of one label.

    Attributes:
        support: faces of the label in the smaller of the two measurements.
        recall: of the candidate and of the baseline.
        f1: of the candidate and of the baseline.
        p: one-sided, of finding so many fewer of its faces if the candidate were no worse.
    """

    name: str
    support: int
    recall: tuple[float, float]
    f1: tuple[float, float]
    p: float


@dataclass(frozen=True)
class Comparison:
    """A candidate against a baseline; `discordance` is None where the baseline's predictions are not known."""

    accuracy: Difference
    macro_f1: Difference
    discordance: Discordance | None
    labels: tuple[LabelChange, ...]


@dataclass(frozen=True)
class Summary:
    """What a publication tells of a model: arrays [7] by label."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    accuracy: float
    macro_f1: float


def confusion_matrix(label: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return int64 [7, 7], faces by true label (row) and predicted label (column)."""
    cells = label.astype(np.int64) * _CLASSES + predicted
    return np.bincount(cells, minlength=_CLASSES**2).reshape(_CLASSES, _CLASSES)


def paired(label: np.ndarray, ours: np.ndarray, theirs: np.ndarray, bootstrap: Bootstrap) -> Comparison:
    """Compare two sets of predictions on the same faces.

    The intervals are percentiles of a bootstrap (Efron 1979) that draws faces within each label. A face counts only
    through its label and its two predictions, so a resample is a multinomial draw of those 49 cells for each label:
    the same distribution as drawing faces one by one, at a hundredth of the cost.

    Args:
        label: integers [n], true labels, 0 to 6; n at least 1.
        ours: integers [n], the candidate's predictions.
        theirs: integers [n], the baseline's.
        bootstrap: how the intervals are drawn.
    """
    cells = (label.astype(np.int64) * _CLASSES + ours) * _CLASSES + theirs
    counts = np.bincount(cells, minlength=_CLASSES**3).reshape(_CLASSES, _CLASSES**2)
    random = np.random.default_rng(bootstrap.seed)
    drawn = np.stack([_resample(random, row, bootstrap.resamples) for row in counts], axis=1)
    drawn = drawn.reshape(-1, _CLASSES, _CLASSES, _CLASSES)
    our_draws, their_draws = drawn.sum(axis=3), drawn.sum(axis=2)
    our_confusion, their_confusion = confusion_matrix(label, ours), confusion_matrix(label, theirs)
    tail = (1 - bootstrap.confidence) / 2
    accuracy, macro_f1 = (
        _difference(measure(our_confusion), measure(their_confusion), measure(our_draws) - measure(their_draws), tail)
        for measure in (_accuracy, _macro_f1)
    )
    return Comparison(
        accuracy=accuracy,
        macro_f1=macro_f1,
        discordance=mcnemar(ours == label, theirs == label),
        labels=_paired_labels(label, ours, theirs),
    )


def against_summary(label: np.ndarray, ours: np.ndarray, summary: Summary, bootstrap: Bootstrap) -> Comparison:
    """Compare predictions with published figures, measured on other faces of the same kind.

    Both sides vary: the candidate's faces are drawn with replacement, and the published figures are drawn anew from
    what the table says of each label: faces found and missed (multinomial over the labels), and wrong alarms
    (binomial). The table does not tell which label was taken for which, so wrong alarms are drawn on their own.

    Args:
        label: integers [n], true labels, 0 to 6; n at least 1.
        ours: integers [n], the candidate's predictions.
        summary: the published figures.
        bootstrap: how the intervals are drawn.
    """
    confusion = confusion_matrix(label, ours)
    random = np.random.default_rng(bootstrap.seed)
    drawn = _resample(random, confusion.ravel(), bootstrap.resamples).reshape(-1, _CLASSES, _CLASSES)
    their_accuracy, their_macro_f1 = _redraw(random, summary, bootstrap.resamples)
    tail = (1 - bootstrap.confidence) / 2
    return Comparison(
        accuracy=_difference(_accuracy(confusion), summary.accuracy, _accuracy(drawn) - their_accuracy, tail),
        macro_f1=_difference(_macro_f1(confusion), summary.macro_f1, _macro_f1(drawn) - their_macro_f1, tail),
        discordance=None,
        labels=_summary_labels(confusion, summary),
    )


def mcnemar(ours: np.ndarray, theirs: np.ndarray) -> Discordance:
    """Test whether two models are right equally often on the same faces (McNemar 1947; exact: Edwards 1948).

    Args:
        ours: bool [n], where the candidate is right.
        theirs: bool [n], where the baseline is right.
    """
    won, lost = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    return Discordance(won, lost, float(stats.binomtest(won, won + lost).pvalue) if won + lost else 1.0)


def holm(p: np.ndarray) -> np.ndarray:
    """Return p values [k] corrected for being k tests (Holm 1979): reject where they are at most the level."""
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(steps, 1)
    return corrected


def _resample(random: np.random.Generator, counts: np.ndarray, resamples: int) -> np.ndarray:
    """Draw as many things as were counted, with replacement: int64 [resamples, cells]."""
    total = counts.sum()
    return random.multinomial(total, counts / max(total, 1), size=resamples)


def _redraw(random: np.random.Generator, summary: Summary, resamples: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the published accuracy and macro F1 anew: two arrays [resamples]."""
    faces = int(summary.support.sum())
    hits = summary.recall * summary.support
    # Where nothing was found, precision is 0 and tells nothing of the wrong alarms; none are assumed.
    alarms = np.where(hits > 0, hits / np.where(summary.precision > 0, summary.precision, 1) - hits, 0)
    cells = np.concatenate([hits, summary.support - hits])
    found, missed = np.split(random.multinomial(faces, cells / cells.sum(), size=resamples), 2, axis=1)
    wrong = random.binomial(faces, np.clip(alarms / faces, 0, 1), size=(resamples, _CLASSES))
    named = 2 * found + missed + wrong
    f1 = 2 * found / np.where(named == 0, 1, named)
    return found.sum(axis=1) / faces, f1.mean(axis=1)


def _accuracy(confusion: np.ndarray) -> np.ndarray:
    return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))


def _macro_f1(confusion: np.ndarray) -> np.ndarray:
    return precision_recall_f1(confusion)[2].mean(axis=-1)


def _difference(ours: np.ndarray | float, theirs: np.ndarray | float, drawn: np.ndarray, tail: float) -> Difference:
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Difference(float(ours), float(theirs), float(low), float(high))


def _paired_labels(label: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> tuple[LabelChange, ...]:
    """Per label: McNemar's exact test on its own faces, one-sided."""
    _, our_recall, our_f1 = precision_recall_f1(confusion_matrix(label, ours))
    _, their_recall, their_f1 = precision_recall_f1(confusion_matrix(label, theirs))
    support = np.bincount(label, minlength=_CLASSES)
    won = np.bincount(label[(ours == label) & (theirs != label)], minlength=_CLASSES)
    lost = np.bincount(label[(theirs == label) & (ours != label)], minlength=_CLASSES)
    p = stats.binom.sf(lost - 1, won + lost, 0.5)  # of at least so many lost
    return tuple(
        LabelChange(name, int(support[i]), (our_recall[i], their_recall[i]), (our_f1[i], their_f1[i]), float(p[i]))
        for i, name in enumerate(LABELS)
    )


def _summary_labels(confusion: np.ndarray, summary: Summary) -> tuple[LabelChange, ...]:
    """Per label: Fisher's exact test of two recalls, one-sided."""
    _, our_recall, our_f1 = precision_recall_f1(confusion)
    changes = []
    for i, name in enumerate(LABELS):
        support, their_support = int(confusion[i].sum()), int(summary.support[i])
        found, their_found = int(confusion[i, i]), round(summary.recall[i] * their_support)
        table = [[found, support - found], [their_found, their_support - their_found]]
        p = float(stats.fisher_exact(table, alternative="less").pvalue)
        recall, f1 = (our_recall[i], summary.recall[i]), (our_f1[i], summary.f1[i])
        changes.append(LabelChange(name, min(support, their_support), recall, f1, p))
    return tuple(changes)
