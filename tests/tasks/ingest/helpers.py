"""What the tests of ingest share: small tables, and writers of the layouts that readers take."""

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from model.labels import LABELS
from tasks.common.tables import USAGES, Faces
from tasks.ingest.registry import read_source
from tasks.ingest.source import BadRows, Source

SIDE = 48


def some_faces(rows: int = 9, seed: int = 0) -> Faces:
    """Return random faces of all labels and parts."""
    random = np.random.default_rng(seed)
    return Faces(
        row=np.arange(rows, dtype=np.int32),
        emotion=(np.arange(rows) % 7).astype(np.int8),
        usage=np.array([USAGES[i * 3 // rows] for i in range(rows)], object),
        pixels=random.integers(0, 256, (rows, SIDE, SIDE), dtype=np.uint8),
    )


def lines_of(faces: Faces, columns: Iterable[str] = ("emotion", "pixels", "Usage")) -> list[str]:
    """Return the challenge's CSV, line by line."""
    lines = [",".join(columns)]
    for emotion, usage, face in zip(faces.emotion, faces.usage, faces.pixels, strict=True):
        fields = {"emotion": str(emotion), "Usage": usage, "pixels": " ".join(map(str, face.ravel()))}
        lines.append(",".join(fields.get(column.strip(), "extra") for column in columns))
    return lines


def csv_of(faces: Faces, columns: Iterable[str] = ("emotion", "pixels", "Usage")) -> bytes:
    """Return the challenge's CSV."""
    return ("\n".join(lines_of(faces, columns)) + "\n").encode()


def png_of(pixels: np.ndarray) -> bytes:
    """Return an image file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def wrong_exif(orientation: int = 6) -> bytes:
    """Return EXIF data of which one tag is a text and should be a number, as some software writes it."""
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0) + struct.pack("<HHI4s", 0x011A, 2, 3, b"72\0\0")
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + entries + struct.pack("<I", 0)


def images_of(faces: Faces) -> dict[str, bytes]:
    """Return files by path as the challenge's image releases have them."""
    return {
        f"{'train' if usage == 'Training' else 'test'}/{LABELS[emotion]}/{usage}_{row:08d}.png": png_of(face)
        for row, emotion, usage, face in zip(faces.row, faces.emotion, faces.usage, faces.pixels, strict=True)
    }


def write_tree(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files by path below a folder."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def zip_of(files: dict[str, bytes]) -> bytes:
    """Return a zip of files by path."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return buffer.getvalue()


def tar_of(files: dict[str, bytes], mode: str = "w") -> bytes:
    """Return a tar of files by path."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def gz_of(content: bytes) -> bytes:
    """Return content, gzipped."""
    return gzip.compress(content, 1)


def read(path: Path | str, work: Path, skip: int = 0) -> tuple[Source, BadRows]:
    """Read a source with `skip` bad rows allowed; `work` must not exist."""
    bad = BadRows(skip)
    work.mkdir()
    return read_source(str(path), bad, work), bad


def assert_same(found: Faces, expected: Faces) -> None:
    """Check that two tables are equal in every column."""
    np.testing.assert_array_equal(found.row, expected.row)
    np.testing.assert_array_equal(found.emotion, expected.emotion)
    np.testing.assert_array_equal(found.usage, expected.usage)
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert found.fingerprint() == expected.fingerprint()
    assert (found.pixels.dtype, found.emotion.dtype, found.row.dtype) == (np.uint8, np.int8, np.int32)
