"""The figures of the faces that the expectations are about, as the pandas frames that Great Expectations reads."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from model.labels import LABELS
from tasks.common.tables import USAGES, Faces
from tasks.duplicates import Copies

FER2013: Final = (4953, 547, 5121, 8989, 6077, 4002, 6198)
"""Faces of each label in FER2013: the reference for class shares."""

BATCH: Final = 4096
"""Faces worked on at once, which bounds the memory."""


@dataclass(frozen=True)
class Features:
    """What is checked.

    Attributes:
        faces: a row a face: row, emotion, usage, pixel_bytes, pixel_mean, pixel_std (grey levels), first_row (of the
            first face with the same pixels), and as bool: flat; copied (an earlier face has the same pixels);
            conflicting (a face of another label has the same pixels); near (another face is a near copy); leaked,
            near_leaked (not of Training, and an exact or else a near copy is).
        parts: a row for each label and each Usage part that the data has: usage, label, count.
        whole: one row: class_drift, the total variation distance between the class shares and FER2013's, 0 to 1.
    """

    faces: pd.DataFrame
    parts: pd.DataFrame
    whole: pd.DataFrame


def describe(faces: Faces, copies: Copies, flat_below: float) -> Features:
    """Compute the figures; a face whose grey levels deviate by less than `flat_below` is flat."""
    mean, std = _mean_and_std(faces.pixels)
    training = faces.usage == "Training"
    leaked = ~training & copies.exact_in(training)
    frame = pd.DataFrame(
        {
            "row": faces.row,
            "emotion": faces.emotion,
            "usage": faces.usage,
            "pixel_bytes": np.full(len(faces), faces.pixels[:1].nbytes),
            "pixel_mean": mean,
            "pixel_std": std,
            "flat": std < flat_below,
            "first_row": faces.row[copies.first],
            "copied": copies.first != np.arange(len(faces)),
            "conflicting": pd.Series(faces.emotion).groupby(copies.first).transform("nunique") > 1,
            "near": copies.near_in(np.ones(len(faces), bool)),
            "leaked": leaked,
            "near_leaked": ~training & ~leaked & copies.near_in(training),
        }
    )
    counts = pd.crosstab(frame["usage"], frame["emotion"])
    usages = [usage for usage in USAGES if usage in counts.index]
    counts = counts.reindex(index=usages, columns=range(len(LABELS)), fill_value=0)
    parts = pd.DataFrame(
        {"usage": np.repeat(usages, len(LABELS)), "label": LABELS * len(usages), "count": counts.to_numpy().ravel()}
    )
    drift = np.abs(class_shares(counts.to_numpy().sum(axis=0)) - class_shares(np.array(FER2013))).sum() / 2
    return Features(frame, parts, pd.DataFrame({"class_drift": [drift]}))


def class_shares(counts: np.ndarray) -> np.ndarray:
    """Return the share of each label, float64 [7], of faces by label, int64 [7]; zeros where there are none."""
    return counts / max(counts.sum(), 1)


def _mean_and_std(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = pixels.reshape(len(pixels), -1)
    mean, std = np.empty(len(flat), np.float32), np.empty(len(flat), np.float32)
    for start in range(0, len(flat), BATCH):
        batch = flat[start : start + BATCH].astype(np.float32)
        mean[start : start + BATCH], std[start : start + BATCH] = batch.mean(axis=1), batch.std(axis=1)
    return mean, std
