"""The course of a training, as DVCLive leaves it."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PARTS: Final = ("train", "val")
MEASURES: Final = ("loss", "accuracy")


@dataclass(frozen=True)
class Curve:
    """One measure of one part by epoch.

    Attributes:
        part: one of `PARTS`.
        measure: one of `MEASURES`.
        epochs: counted from 1, ascending.
        values: as many.
    """

    part: str
    measure: str
    epochs: tuple[int, ...]
    values: tuple[float, ...]


def read_history(folder: Path) -> list[Curve]:
    """Return the curves that lie under a DVCLive folder: none for a network that was not trained here."""
    curves = [_read(folder, part, measure) for part in PARTS for measure in MEASURES]
    return [curve for curve in curves if curve.epochs]


def _read(folder: Path, part: str, measure: str) -> Curve:
    path = folder / "plots" / "metrics" / part / f"{measure}.tsv"
    if not path.exists():
        return Curve(part, measure, (), ())
    with path.open(newline="", encoding="utf-8") as file:
        points = [(int(line["step"]) + 1, float(line[measure])) for line in csv.DictReader(file, delimiter="\t")]
    return Curve(part, measure, tuple(epoch for epoch, _ in points), tuple(value for _, value in points))
