"""Are these predictions what they are taken for? Where they are not, nothing else is worth computing."""

from typing import Final

import numpy as np

from model.labels import LABELS
from tasks.common.provenance import Provenance
from tasks.common.tables import Faces, Predictions, Split
from tasks.gate.verdict import Check, Outcome

TOLERANCE: Final = 1e-3
"""Most by which the float32 probabilities of a face may miss a sum of 1."""


def integrity(predictions: Predictions, split: Split, faces: Faces, provenance: Provenance) -> list[Check]:
    """Check data, split, rows, labels and probabilities; the figure of each check is the number of faults."""
    return [
        _check("data", *_data(faces, provenance)),
        _check("split", *_split(split, faces)),
        _check("rows", *_rows(predictions, split)),
        _check("labels", *_labels(predictions, faces)),
        _check("probabilities", *_probabilities(predictions)),
    ]


def _check(name: str, faults: int, fault: str, fine: str) -> Check:
    outcome: Outcome = "fail" if faults else "pass"
    return Check(name=name, outcome=outcome, figure=faults, threshold=0, sentence=fault if faults else fine)


def _data(faces: Faces, provenance: Provenance) -> tuple[int, str, str]:
    differs = int(faces.fingerprint() != provenance.fingerprint)
    return differs, "The faces are not those that their provenance names; ingest them again.", "The faces are whole."


def _split(split: Split, faces: Faces) -> tuple[int, str, str]:
    differs = int(not np.array_equal(split.row, faces.row))
    return differs, "The split lists other rows than the faces table; split again.", "The split fits the faces."


def _rows(predictions: Predictions, split: Split) -> tuple[int, str, str]:
    expected, found = split.row[split.index("test")], predictions.row
    fine = f"All {len(expected):,} test faces are predicted, in their order."
    if len(expected) == 0:
        return 1, "The split has no test face; change the split.", fine
    twice = len(found) - len(np.unique(found))
    missing = len(np.setdiff1d(expected, found))
    foreign = len(np.setdiff1d(found, expected))
    if twice or missing or foreign:
        said = f"{missing:,} test rows are missing, {foreign:,} are no test rows and {twice:,} are there again"
        return twice + missing + foreign, f"Of the predictions, {said}; evaluate again.", fine
    moved = int((found != expected).sum())
    return moved, f"{moved:,} predictions stand in another order than the split; evaluate again.", fine


def _labels(predictions: Predictions, faces: Faces) -> tuple[int, str, str]:
    place = np.searchsorted(faces.row, predictions.row).clip(max=len(faces) - 1)
    known = faces.row[place] == predictions.row
    # Labels outside 0 to 6 can't equal a face's own, unless that is wrong itself.
    valid = np.isin(predictions.label, np.arange(len(LABELS)))
    wrong = int((~known | ~valid | (faces.emotion[place] != predictions.label)).sum())
    return (
        wrong,
        f"{wrong:,} predictions bear another label than the faces table; evaluate again.",
        "The labels are those of the faces.",
    )


def _probabilities(predictions: Predictions) -> tuple[int, str, str]:
    values = predictions.probabilities.astype(np.float64)
    # Said so that NaN, of which every comparison is false, counts as wrong.
    right = (values >= 0).all(axis=1) & (np.abs(values.sum(axis=1) - 1) <= TOLERANCE)
    wrong = int((~right).sum())
    return (
        wrong,
        f"{wrong:,} predictions have a probability that is NaN or negative, or a sum other than 1; evaluate again.",
        "All probabilities are at least 0 and sum to 1.",
    )
