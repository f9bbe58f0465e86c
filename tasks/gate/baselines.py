"""Baselines: what was measured before, and on which data and split.

A baseline is an input of the pipeline, tracked in `baseline/`: `NAME.json`, and beside it `NAME.parquet` where its
predictions are known.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from model.labels import LABELS
from tasks.common.errors import UserError
from tasks.common.files import sha256, write_json
from tasks.common.records import read_record
from tasks.common.tables import Predictions, read_predictions, write_predictions
from tasks.gate.comparison import Summary, confusion_matrix
from tasks.scoring.scores import precision_recall_f1

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Dataset(_Frozen):
    """The faces that something was measured on."""

    name: str
    synthetic: bool
    labels: dict[str, Count]
    """Faces by label name."""
    fingerprint: str | None = None
    """`Faces.fingerprint()`; None for a published data set, whose copies differ in a few pixels and in their order."""

    @property
    def rows(self) -> int:
        """Faces in all."""
        return sum(self.labels.values())


class Division(_Frozen):
    """How those faces were split."""

    strategy: Literal["official", "random", "stratified"]
    leaks: Literal["keep", "drop_from_train", "group"]
    train: Count
    validation: Count
    test: Count

    @property
    def sizes(self) -> str:
        """Return the three sizes as they are said in a sentence."""
        return f"{self.train:,} / {self.validation:,} / {self.test:,} faces to train, validate and test"


class LabelFigures(_Frozen):
    """Of one label."""

    precision: Share
    recall: Share
    f1: Share
    support: Count


class Figures(_Frozen):
    """What was measured on the whole test subset."""

    accuracy: Share
    macro_f1: Share
    weighted_f1: Share
    labels: dict[str, LabelFigures]

    @model_validator(mode="after")
    def _all_labels(self) -> "Figures":
        if tuple(self.labels) != LABELS:
            raise ValueError(f"labels: found {', '.join(self.labels)}, expected {', '.join(LABELS)}")
        return self

    def summary(self) -> Summary:
        """Return the figures as arrays."""
        rows = [(f.precision, f.recall, f.f1, f.support) for f in self.labels.values()]
        precision, recall, f1, support = np.array(rows).T
        return Summary(precision, recall, f1, support, self.accuracy, self.macro_f1)


class Record(_Frozen):
    """The content of `baseline/NAME.json`."""

    name: str
    description: str
    source: str
    """Where the figures come from: a publication, or the command that made them."""
    data: Dataset
    split: Division
    figures: Figures
    predictions_sha256: str | None
    """Of `NAME.parquet`; None where only the figures are known."""


@dataclass(frozen=True)
class Baseline:
    """A baseline as read.

    Attributes:
        record: its file's content.
        sha256: its file's hash, which covers the predictions' hash too.
        predictions: on the test subset, or None where only the figures are known.
    """

    record: Record
    sha256: str
    predictions: Predictions | None


def read_baselines(folder: Path) -> tuple[Baseline, ...]:
    """Read all baselines of a folder, by name.

    Raises:
        UserError: a file is no baseline or can't be read, or the predictions are not those that it names.
    """
    return tuple(_read(path) for path in sorted(folder.glob("*.json")))


def _read(path: Path) -> Baseline:
    record = read_record(Record, path, "a baseline", "restore it from git")
    if record.name != path.stem:
        raise UserError(f"{path}: found the name {record.name!r}, expected {path.stem!r}; rename the file")
    predictions = None
    if record.predictions_sha256 is not None:
        table = path.with_suffix(".parquet")
        predictions = read_predictions(table)
        if (found := sha256(table)) != record.predictions_sha256:
            raise UserError(
                f"{table}: found SHA-256 {found}, expected {record.predictions_sha256} of {path.name}; "
                "restore both from git"
            )
    return Baseline(record, sha256(path), predictions)


def write_baseline(folder: Path, record: Record, predictions: Predictions) -> None:
    """Write the predictions and then the record, with their hash in it."""
    table = folder / f"{record.name}.parquet"
    write_predictions(table, predictions)
    record = record.model_copy(update={"predictions_sha256": sha256(table)})
    write_json(folder / f"{record.name}.json", record.model_dump())


def figures(label: np.ndarray, predicted: np.ndarray) -> Figures:
    """Return the figures of predictions: two integer arrays [n], 0 to 6."""
    confusion = confusion_matrix(label, predicted)
    precision, recall, f1 = precision_recall_f1(confusion)
    support = confusion.sum(axis=1)
    return Figures(
        accuracy=float((label == predicted).mean()),
        macro_f1=float(f1.mean()),
        weighted_f1=float(np.average(f1, weights=support)),
        labels={
            name: LabelFigures(
                precision=float(precision[i]), recall=float(recall[i]), f1=float(f1[i]), support=int(support[i])
            )
            for i, name in enumerate(LABELS)
        },
    )
