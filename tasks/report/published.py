"""The published figures that a report sets beside a network's own."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from model.labels import LABELS
from tasks.common.records import read_record


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # a baseline holds more than a chart needs


class _Label(_Part):
    precision: float
    recall: float
    f1: float


class _Figures(_Part):
    accuracy: float
    macro_f1: float
    weighted_f1: float
    labels: dict[str, _Label]


class _Split(_Part):
    train: int
    validation: int
    test: int


class Published(_Part):
    """What was measured elsewhere, and on how many faces."""

    name: str
    figures: _Figures
    split: _Split

    def by_label(self, measure: str) -> np.ndarray:
        """Return `precision`, `recall` or `f1`, float [7]."""
        return np.array([getattr(self.figures.labels[name], measure) for name in LABELS])

    def title(self, subsets: Mapping[str, np.ndarray]) -> str:
        """Return how to name it beside a network measured on these `subsets`, faces by label each."""
        same = self.split.model_dump() == {name: subsets[name].sum() for name in type(self.split).model_fields}
        return self.name if same else f"{self.name} (another split)"


def read_published(path: Path) -> Published | None:
    """Read the figures of a baseline; None where there is no such file.

    Raises:
        UserError: the file holds no such figures.
    """
    return read_record(Published, path, "a baseline", "restore it from git") if path.exists() else None
