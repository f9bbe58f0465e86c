"""The three tables that travel between the steps: faces, split, predictions."""

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from model.labels import LABELS
from tasks.common import spill
from tasks.common.errors import UserError, unusable
from tasks.common.files import replacing

USAGES: Final = ("Training", "PublicTest", "PrivateTest")
"""FER2013's three parts, in its own words."""

VOTES: Final = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
"""FER+'s ten columns of crowd votes, in its own order."""

VOTED: Final = [
    VOTES.index(vote) for vote in ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
]
"""The column of `VOTES` that is each of `model.labels.LABELS`; contempt, unknown and NF are none."""

SUBSETS: Final = ("train", "validation", "test", "dropped")
"""Where a split puts a row; `dropped` rows are used nowhere."""

LEAKS: Final = ("none", "exact", "near")
"""Whether a validation or test face has a copy in the training subset, and of which kind."""

_VOTES: Final = [f"votes_{name.lower()}" for name in VOTES]
_TEACHER: Final = [f"teacher_{label}" for label in LABELS]


@dataclass(frozen=True)
class Faces:
    """Faces with their labels, one entry a face, in the order of the source.

    Attributes:
        row: int32 [n], the face's number in its source, ascending and unique.
        emotion: int8 [n], 0 to 6, an index of `model.labels.LABELS`.
        usage: str object [n], one of `USAGES`.
        pixels: uint8 [n, side, side], grey.
        votes: uint8 [n, 10] in the order of `VOTES`, or None where the source has no crowd votes.
        teacher: float32 [n, 7], rows that sum to 1, what trained networks say of each face; None where none was asked.
        subject: str object [n], who is seen, empty where that is not known; None where it is known of no face.
        source: str object [n], the source of each face; None where there is one source.
    """

    row: np.ndarray
    emotion: np.ndarray
    usage: np.ndarray
    pixels: np.ndarray
    votes: np.ndarray | None = None
    teacher: np.ndarray | None = None
    subject: np.ndarray | None = None
    source: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.row)

    def take(self, index: np.ndarray) -> "Faces":
        """Return the faces at `index` (positions or a boolean mask), in that order."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        taken = {name: column[index] for name, column in columns.items() if column is not None and name != "pixels"}
        return Faces(pixels=spill.taken(self.pixels, index), **taken)

    def fingerprint(self) -> str:
        """Return a SHA-256 over rows, labels and pixels: equal for equal faces, however they are stored."""
        digest = hashlib.sha256()
        for array, dtype in ((self.row, "<i4"), (self.emotion, "i1"), (self.pixels, "u1")):
            digest.update(np.ascontiguousarray(array, dtype=dtype).data)
        return digest.hexdigest()


def write_faces(path: Path, faces: Faces) -> None:
    """Write faces: row, emotion, usage, pixels (bytes); votes_*, teacher_*, subject, source if known."""
    side = faces.pixels.shape[1]
    flat = np.ascontiguousarray(faces.pixels, dtype=np.uint8)
    pixels = pa.FixedSizeBinaryArray.from_buffers(pa.binary(side * side), len(faces), [None, pa.py_buffer(flat)])
    columns = {
        "row": pa.array(faces.row, pa.int32()),
        "emotion": pa.array(faces.emotion, pa.int8()),
        "usage": pa.array(faces.usage, pa.string()),
        "pixels": pixels,
    }
    if faces.votes is not None:
        columns |= {name: pa.array(faces.votes[:, i], pa.uint8()) for i, name in enumerate(_VOTES)}
    if faces.teacher is not None:
        columns |= {name: pa.array(faces.teacher[:, i], pa.float32()) for i, name in enumerate(_TEACHER)}
    for name, column in (("subject", faces.subject), ("source", faces.source)):
        if column is not None:
            columns[name] = pa.array(column, pa.string())
    _write(path, pa.table(columns))


def read_faces(path: Path) -> Faces:
    """Read what `write_faces` wrote.

    Raises:
        UserError: the file is missing, is no Parquet, lacks a column or has faces that are not square.
    """
    remedy = "run `python -m tasks.ingest SOURCE`"
    needed = ("row", "emotion", "usage")
    columns = _read(path, (*needed, "pixels"), remedy, without="pixels")
    return Faces(
        **{name: columns[name] for name in needed},
        pixels=_read_pixels(path, len(columns["row"]), remedy),
        votes=_stacked(columns, _VOTES, np.uint8),
        teacher=_stacked(columns, _TEACHER, np.float32),
        **{name: columns[name] for name in ("subject", "source") if name in columns},
    )


def _stacked(columns: dict[str, np.ndarray], names: Sequence[str], dtype: type) -> np.ndarray | None:
    """Return columns side by side, [n, names], or None where one of them is not there."""
    there = [columns[name] for name in names if name in columns]
    return np.stack(there, axis=1).astype(dtype) if len(there) == len(names) else None


def _read_pixels(path: Path, faces: int, remedy: str) -> np.ndarray:
    """Read the pixels of a file that is a faces table, a few at a time: whole, they would be there twice."""
    # Neither is the file read ahead: it would be there once more.
    with pq.ParquetFile(path, memory_map=True, pre_buffer=False) as file:
        kind = file.schema_arrow.field("pixels").type
        if not pa.types.is_fixed_size_binary(kind):
            raise UserError(f"{path}: found pixels of type {kind}, expected bytes of one fixed size; {remedy}")
        width = kind.byte_width
        side = math.isqrt(width)
        if side * side != width:
            raise UserError(f"{path}: found {width} bytes a face, expected a square; {remedy}")
        pixels, at = spill.empty((faces, side, side)), 0
        with _refusing(path, remedy):
            for batch in file.iter_batches(1024, columns=["pixels"], use_threads=False):
                column = batch.column(0)
                found = np.frombuffer(column.buffers()[1], np.uint8)[column.offset * width :][: len(column) * width]
                pixels[at : at + len(column)] = found.reshape(-1, side, side)
                at += len(column)
    return pixels


@dataclass(frozen=True)
class Split:
    """Where each row of the faces table goes, in the order of that table.

    Attributes:
        row: int32 [n], every row of the faces table.
        subset: str object [n], one of `SUBSETS`.
        leak: str object [n], one of `LEAKS`: the copy that a validation or test face has in the training subset.
    """

    row: np.ndarray
    subset: np.ndarray
    leak: np.ndarray

    def index(self, subset: str) -> np.ndarray:
        """Return the positions, int64 [k], of the rows of one subset."""
        return np.flatnonzero(self.subset == subset)


def write_split(path: Path, split: Split) -> None:
    """Write a split as Parquet: row, subset, leak."""
    columns = {
        "row": pa.array(split.row, pa.int32()),
        "subset": pa.array(split.subset, pa.string()),
        "leak": pa.array(split.leak, pa.string()),
    }
    _write(path, pa.table(columns))


def read_split(path: Path) -> Split:
    """Read what `write_split` wrote; raises UserError as `read_faces` does."""
    columns = _read(path, ("row", "subset", "leak"), "run `dvc repro split`")
    return Split(columns["row"], columns["subset"], columns["leak"])


@dataclass(frozen=True)
class Predictions:
    """What a network said of each test face.

    Attributes:
        row: int32 [n], rows of the faces table.
        label: int8 [n], the true label, 0 to 6.
        probabilities: float32 [n, 7], each row summing to 1.
    """

    row: np.ndarray
    label: np.ndarray
    probabilities: np.ndarray

    def __len__(self) -> int:
        return len(self.row)


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write predictions as Parquet: row, label and one float32 column a label name."""
    columns = {"row": pa.array(predictions.row, pa.int32()), "label": pa.array(predictions.label, pa.int8())}
    for i, name in enumerate(LABELS):
        columns[name] = pa.array(predictions.probabilities[:, i], pa.float32())
    _write(path, pa.table(columns))


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote; raises UserError as `read_faces` does."""
    columns = _read(path, ("row", "label", *LABELS), "run `dvc repro evaluate`")
    probabilities = np.stack([columns[name] for name in LABELS], axis=1)
    return Predictions(columns["row"], columns["label"], probabilities)


def _write(path: Path, table: pa.Table) -> None:
    with replacing(path) as beside:
        pq.write_table(table, beside, compression="zstd", row_group_size=8192)


def _read(path: Path, needed: tuple[str, ...], remedy: str, *, without: str | None = None) -> dict[str, np.ndarray]:
    """Read all columns of a file but `without`; all of `needed` must be there."""
    with _refusing(path, remedy):
        found = pq.read_schema(path).names
        missing = [name for name in needed if name not in found]
        if missing:
            raise UserError(f"{path}: column {missing[0]!r} is missing, found {', '.join(found)}; {remedy}")
        table = pq.read_table(path, columns=[name for name in found if name != without])
        return {name: table[name].to_numpy() for name in table.column_names}


@contextmanager
def _refusing(path: Path, remedy: str) -> Iterator[None]:
    """Say in a sentence what Arrow raises on a file that is missing, cut short or damaged."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; {remedy}") from error
    except PermissionError as error:
        raise UserError(unusable(OSError(error.errno, os.strerror(error.errno or 0), str(path)))) from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not a whole Parquet file ({reason}); {remedy}") from error
