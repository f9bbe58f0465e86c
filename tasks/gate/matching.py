"""Which baseline matches: the one that was measured on the same faces and the same split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.labels import LABELS
from tasks.common.params import SplitParams
from tasks.common.provenance import Provenance
from tasks.common.tables import Faces, Predictions, Split
from tasks.gate.baselines import Baseline, Dataset, Division


def dataset(faces: Faces, provenance: Provenance) -> Dataset:
    """Describe the faces as they lie in the table; only whether they are drawn is taken from their provenance."""
    counts = np.bincount(faces.emotion, minlength=len(LABELS)).tolist()
    return Dataset(
        name=provenance.source,
        synthetic=provenance.synthetic,
        labels=dict(zip(LABELS, counts, strict=True)),
        fingerprint=faces.fingerprint(),
    )


def division(split: Split, params: SplitParams) -> Division:
    """Describe a split by its parameters and its sizes."""
    train, validation, test = (len(split.index(name)) for name in ("train", "validation", "test"))
    return Division(strategy=params.strategy, leaks=params.leaks, train=train, validation=validation, test=test)


@dataclass(frozen=True)
class Measured:
    """What a candidate was measured on.

    Attributes:
        data: the faces.
        split: their split.
        row: int32 [n], the rows of the test subset.
        label: int8 [n], their labels.
    """

    data: Dataset
    split: Division
    row: np.ndarray
    label: np.ndarray


def mismatches(baseline: Baseline, measured: Measured) -> tuple[str, ...]:
    """Say why a baseline does not match, and what to change; an empty tuple means that it matches."""
    theirs, ours = baseline.record, measured
    faults = []
    if (fault := _other_data(theirs.data, ours.data)) is not None:
        faults.append(fault)
    if theirs.split.strategy != ours.split.strategy:
        faults.append(
            f"it was measured on the {theirs.split.strategy} split, this is the {ours.split.strategy} one "
            f"(set `split.strategy: {theirs.split.strategy}`)"
        )
    if theirs.split.leaks != ours.split.leaks:
        faults.append(
            f"its split has `leaks: {theirs.split.leaks}`, this one `{ours.split.leaks}` "
            f"(set `split.leaks: {theirs.split.leaks}`)"
        )
    if not faults and theirs.split.sizes != ours.split.sizes:
        faults.append(
            f"its split has {theirs.split.sizes}, this one {ours.split.sizes} "
            "(see `split.test_share` and `split.validation_share`)"
        )
    if not faults and baseline.predictions is not None and not _same_faces(baseline.predictions, measured):
        faults.append("its test faces are others (see `split.seed`)")
    return tuple(faults)


def _other_data(theirs: Dataset, ours: Dataset) -> str | None:
    if theirs.synthetic != ours.synthetic or theirs.labels != ours.labels:
        kinds = {True: "drawn", False: "real"}
        return (
            f"it was measured on {theirs.name} ({theirs.rows:,} {kinds[theirs.synthetic]} faces), these are "
            f"{ours.rows:,} {kinds[ours.synthetic]} faces of {ours.name}, in other numbers by label "
            f"(ingest {theirs.name})"
        )
    if theirs.fingerprint not in (None, ours.fingerprint):
        return f"it was measured on other faces of {theirs.name}, equal in number alone (ingest {theirs.name} anew)"
    return None


def _same_faces(predictions: Predictions, measured: Measured) -> bool:
    return np.array_equal(predictions.row, measured.row) and np.array_equal(predictions.label, measured.label)


def choose(matching: Sequence[Baseline]) -> Baseline:
    """Return the one to compare with: one with predictions if there is any, then that of the highest accuracy."""
    return min(matching, key=lambda b: (b.predictions is None, -b.record.figures.accuracy, b.record.name))
