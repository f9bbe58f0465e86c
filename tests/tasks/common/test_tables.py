"""The faces table: what is written is read, and what is damaged is refused in a sentence."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.common.errors import UserError
from tasks.common.tables import VOTES, Faces, read_faces, write_faces

FACES = 2500
"""More than are read at once."""


def some(more: bool) -> Faces:
    random = np.random.default_rng(0)
    return Faces(
        row=np.arange(FACES, dtype=np.int32) * 2,
        emotion=random.integers(0, 7, FACES).astype(np.int8),
        usage=np.array(["Training", "PublicTest"] * (FACES // 2), object),
        pixels=random.integers(0, 256, (FACES, 8, 8), dtype=np.uint8),
        votes=random.integers(0, 11, (FACES, len(VOTES)), dtype=np.uint8) if more else None,
        teacher=random.dirichlet(np.ones(7), FACES).astype(np.float32) if more else None,
    )


@pytest.mark.parametrize("more", [True, False])
def test_what_is_written_is_read(tmp_path: Path, more: bool):
    faces, path = some(more), tmp_path / "faces.parquet"
    write_faces(path, faces)
    found = read_faces(path)
    for name in ("row", "emotion", "usage", "pixels", "votes", "teacher"):
        np.testing.assert_array_equal(getattr(found, name), getattr(faces, name), err_msg=name)
    assert found.fingerprint() == faces.fingerprint()
    assert found.pixels.flags.writeable


def table(pixels: pa.Array) -> pa.Table:
    return pa.table({"row": [0], "emotion": [1], "usage": ["Training"], "pixels": pixels})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (table(pa.array(["0 1 2 3"])), "found pixels of type string, expected bytes of one fixed size"),
        (table(pa.array([b"12345"], pa.binary(5))), "found 5 bytes a face, expected a square"),
        (table(pa.array([b"1234"], pa.binary(4))).drop_columns("usage"), "column 'usage' is missing, found row"),
    ],
)
def test_a_table_of_another_kind_is_refused(tmp_path: Path, content: pa.Table, sentence: str):
    pq.write_table(content, tmp_path / "faces.parquet")
    with pytest.raises(UserError, match=rf"faces\.parquet: {sentence}.*run `python -m tasks\.ingest SOURCE`"):
        read_faces(tmp_path / "faces.parquet")


@pytest.mark.parametrize("kept", [0, 1000, 100_000])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, kept: int):
    path = tmp_path / "faces.parquet"
    write_faces(path, some(more=False))
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    with pytest.raises(UserError, match=r"faces\.parquet: not a whole Parquet file .*run `python -m tasks\.ingest"):
        read_faces(path)


def test_a_missing_file_is_said(tmp_path: Path):
    with pytest.raises(UserError, match=r"faces\.parquet: no such file; run"):
        read_faces(tmp_path / "faces.parquet")
