"""Images and labels as rows of Parquet files, as the Hugging Face Hub hands data sets around.

    data/train-00000-of-00001.parquet, data/test-00000-of-00001.parquet; or train/0000.parquet, test/0000.parquet

A row has an image file's bytes, alone or beside its path, and a label: a name, a number that the file's own notes name,
or one of FER2013's numbers. Its part stands in a column, or else in the names of file and folder.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, repeat
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from model.labels import LABELS
from tasks.common import spill
from tasks.common.console import progress
from tasks.common.errors import UserError
from tasks.common.files import sha256
from tasks.common.tables import USAGES, Faces
from tasks.ingest.images import BATCH, MAX_BYTES, digest_of, to_face
from tasks.ingest.layout import emotion_of, usage_of, usage_of_source
from tasks.ingest.source import BadRows, Source
from tasks.ingest.streams import FOREIGN, LFS, check_size

PARQUET: Final = b"PAR1"
"""First bytes of such a file."""

LAYOUT: Final = "images in Parquet"

_IMAGES: Final = ("image", "img", "face", "img_bytes", "image_bytes", "bytes")
_LABELS: Final = ("label", "labels", "emotion", "emotions", "expression", "class", "target")
_USAGES: Final = ("usage", "split")
_NOTES: Final = b"huggingface"


@dataclass(frozen=True)
class _Table:
    """One file, whose rows have an image and a label.

    Attributes:
        path: relative to the source, with `/`.
        where: the same for errors, with the source's name.
        file: opened.
        image: the column with images.
        label: the column with labels.
        names: of the labels by number; None where the file names none.
        part: the column with parts; None where there is none.
        parts: names of these by number, as `names`.
        usage: of all rows where no column says it, by the names of file and folder; None where those name no part.
    """

    path: str
    where: str
    file: pq.ParquetFile
    image: str
    label: str
    names: Sequence[str] | None
    part: str | None
    parts: Sequence[str] | None
    usage: str | None

    @property
    def rows(self) -> int:
        return int(self.file.metadata.num_rows)


def read_tables(files: Mapping[str, Path], name: str, bad: BadRows, side: int) -> Source:
    """Read Parquet files as one source.

    Args:
        files: by their paths relative to the source, with `/`, in the source's order; a lone one by the source's name.
        name: of the source.
        bad: takes each row without a label or a face.
        side: height and width of the faces, in pixels.

    Raises:
        UserError: a file is damaged or has no images or labels, or there are more bad rows than `bad` allows.
    """
    tables = [_open(path, file, name) for path, file in files.items()]
    _check_parts(tables, name)
    total = sum(table.rows for table in tables)
    faces = spill.empty((total, side, side))
    kept: list[tuple[int, int | None, str]] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool, progress(f"reading {name}", total, "images") as bar:
        read = ((table, row, one) for table in tables for row, one in enumerate(_read(table, side, pool)))
        for at, (table, row, (emotion, usage, face)) in enumerate(read):
            if isinstance(face, str):
                bad.add(name, f"row {row}" if table.path == name else f"{table.path}, row {row}", face)
            else:
                faces[len(kept)] = face
                kept.append((at, emotion, usage or usage_of_source(name) or USAGES[0]))
            bar.advance()
    return Source(
        name=name,
        layout=LAYOUT,
        sha256=digest_of({path: sha256(file) for path, file in files.items()}),
        faces=_faces(kept, faces[: len(kept)]),
        rows=total,
        challenge_order=False,
    )


def _faces(kept: list[tuple[int, int | None, str]], pixels: np.ndarray) -> Faces:
    """Return faces of which row, emotion and Usage are known."""
    return Faces(
        row=np.array([row for row, _, _ in kept], np.int32),
        emotion=np.array([emotion for _, emotion, _ in kept], np.int8),
        usage=np.array([usage for _, _, usage in kept], object),
        pixels=pixels,
    )


@contextmanager
def _whole(where: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{where}: damaged Parquet file ({' '.join(str(error).split())}); fetch it again") from error


def _open(path: str, file: Path, name: str) -> _Table:
    where = name if path == name else f"{name}/{path}"
    with file.open("rb") as start:
        if start.read(len(LFS)) == LFS:
            kind, mend = FOREIGN[LFS]
            raise UserError(f"{where}: found {kind}, expected a Parquet file; {mend}")
    with _whole(where):
        opened = pq.ParquetFile(file)
        schema = opened.schema_arrow
    groups = (opened.metadata.row_group(group) for group in range(opened.metadata.num_row_groups))
    check_size(where, sum(group.total_byte_size for group in groups), file.stat().st_size)
    image = _column(schema, _IMAGES, _holds_images, where)
    label = _column(schema, _LABELS, _holds_labels, where)
    if image is None or label is None:
        raise UserError(
            f"{where}: found the columns {', '.join(schema.names)[:200]}, expected one of image files (as image) and "
            "one of labels (as label); make a CSV of it, or images in folders by label"
        )
    part = _column(schema, _USAGES, lambda _: True, where)
    parts = _names(schema, part, where) if part else None
    return _Table(path, where, opened, image, label, _names(schema, label, where), part, parts, _usage(path))


def _column(schema: pa.Schema, names: Sequence[str], holds: Callable[[pa.DataType], bool], where: str) -> str | None:
    """Return the first of the usual names under which there is such a column; UserError where several are called so."""
    columns = [field.name for field in schema if holds(field.type)]
    called = next((name for name in names if name in map(str.lower, columns)), None)
    found = [column for column in columns if column.lower() == called]
    if len(found) > 1 or (found and schema.names.count(found[0]) > 1):
        raise UserError(f"{where}: found several columns called {called}, expected one; leave out or rename the others")
    return found[0] if found else None


def _holds_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        kind = kind.field("bytes").type if kind.get_field_index("bytes") >= 0 else pa.null()
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _holds_labels(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _names(schema: pa.Schema, label: str, where: str) -> list[str] | None:
    """Return the names of the labels, where the Hub's notes in the file have them."""
    note = (schema.metadata or {}).get(_NOTES)
    if note is None:
        return None
    try:
        names = json.loads(note)["info"]["features"][label].get("names")
        if isinstance(names, dict):  # as the Hub's own page has them: by number, which is a text there
            names = [names[str(number)] for number in range(len(names))]
        return [str(name) for name in names] if names is not None else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{where}: its notes on {label} can't be read ({error}); fetch it again") from error


def _usage(path: str) -> str | None:
    """Return the part that a file's name has, in two words or in one, or else its folder; None where they name none."""
    file = PurePosixPath(path)
    words = re.split(r"[-_.]", file.stem)
    return next(filter(None, map(usage_of, [*map("".join, pairwise(words)), *words, *reversed(file.parts[:-1])])), None)


def _check_parts(tables: Sequence[_Table], name: str) -> None:
    """Refuse files that name a part beside others that name none: those would be for training unseen."""
    by_name = [table for table in tables if table.part is None]
    inside = next((table for table in by_name if table.usage), None)
    outside = next((table for table in by_name if not table.usage), None)
    if inside and outside:
        raise UserError(
            f"{name}: {inside.path} is named by a part, {outside.path} by none; expected train, validation or test in "
            "the names of all or none; rename them"
        )


_Row = tuple[int | None, str | None, np.ndarray | str]
"""Emotion, Usage and face of a row; for the face, the reason why there is none."""


def _read(table: _Table, side: int, pool: ThreadPoolExecutor) -> Iterator[_Row]:
    columns = [table.image, table.label, *([table.part] if table.part else [])]
    batches = table.file.iter_batches(BATCH, columns=columns)
    while True:
        with _whole(table.where):
            batch = next(batches, None)
            if batch is None:
                return
            images, labels, *parts = (batch.column(column).to_pylist() for column in columns)
        contents = [image["bytes"] if isinstance(image, dict) else image for image in images]
        faces = pool.map(partial(_face, side=side), contents)
        for label, part, face in zip(labels, parts[0] if parts else repeat(None, len(labels)), faces, strict=True):
            yield _row(table, label, part, face)


def _row(table: _Table, label: int | str | None, part: int | str | None, face: np.ndarray | str) -> _Row:
    named = _named(label, table.names)
    emotion = emotion_of(named)
    if emotion is None:
        face = f"found the label {named!r}, expected {', '.join(LABELS)}"
    if table.part is None:
        return emotion, table.usage, face
    said = _named(part, table.parts)
    usage = usage_of(said)
    return emotion, usage, face if usage else f"{table.part} is {said!r}, expected {', '.join(USAGES)}, or train, test"


def _named(label: int | str | None, names: Sequence[str] | None) -> str:
    """Return a label's or part's name, or its number where none is known."""
    if names is None or not isinstance(label, int):
        return str(label)
    return names[label] if 0 <= label < len(names) else f"number {label}"


def _face(content: bytes | None, side: int) -> np.ndarray | str:
    """Return a face, or the reason why it is none."""
    if content is None:
        return "found no image, expected a file's bytes"
    if len(content) > MAX_BYTES:
        return f"found more than the {MAX_BYTES:,} bytes that are accepted of an image"
    try:
        return to_face(content, side)
    except ValueError as error:
        return str(error)
