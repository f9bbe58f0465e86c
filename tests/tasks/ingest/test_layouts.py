"""Each layout of the same real faces gives the same table."""

import gzip
import importlib.util
import shutil
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from tasks.common.tables import Faces
from tasks.ingest.votes import join_votes

from .helpers import assert_same, read

REAL = Path(__file__).parents[4] / "shared" / "fer2013"
ROWS = 210


@pytest.fixture(scope="module")
def layouts(tmp_path_factory) -> Path:
    """Real rows, in each of the layouts in which users have them."""
    if not (REAL / "export.py").exists():
        pytest.skip(f"the real FER2013 is not at {REAL}")
    limit = Image.MAX_IMAGE_PIXELS
    export = _module(REAL / "export.py")
    faces, labels = export.load(ROWS)
    Image.MAX_IMAGE_PIXELS = limit  # which the script lifts for its own large picture
    folder = tmp_path_factory.mktemp("layouts")
    export.write_csv(folder / "fer2013.csv", faces, labels, "emotion,pixels,Usage", ["emotion", "pixels", "Usage"])
    header, order = "emotion, Usage, pixels", ["emotion", "Usage", "pixels"]
    export.write_csv(folder / "icml_face_data.csv", faces, labels, header, order)
    export.write_folder(folder / "images", faces, labels)
    export.write_ferplus(folder / "fer2013new.csv", labels)
    _pack(folder)
    return folder


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("export", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _pack(folder: Path) -> None:
    with (folder / "fer2013.csv").open("rb") as plain, gzip.open(folder / "fer2013.csv.gz", "wb") as packed:
        shutil.copyfileobj(plain, packed)
    shutil.make_archive(str(folder / "images"), "zip", folder / "images")
    shutil.make_archive(str(folder / "images"), "gztar", folder, "images")
    with zipfile.ZipFile(folder / "csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "icml_face_data.csv", "archive/icml_face_data.csv")
    with tarfile.open(folder / "fer2013.tar.gz", "w:gz") as archive:
        archive.add(folder / "fer2013.csv", "fer2013/fer2013.csv")


@pytest.fixture(scope="module")
def expected(real_faces: Faces) -> Faces:
    """The same rows from the fixture that the other rooms test with, numbered anew."""
    few = real_faces.take(np.linspace(0, len(real_faces) - 1, ROWS).astype(int))
    return Faces(np.arange(ROWS, dtype=np.int32), few.emotion, few.usage, few.pixels, few.votes)


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("fer2013.csv", "fer2013.csv"),
        ("icml_face_data.csv", "icml_face_data.csv"),
        ("fer2013.csv.gz", "fer2013.csv"),
        ("images", "image folder"),
        ("images.zip", "image folder"),
        ("images.tar.gz", "image folder"),
        ("csv.zip", "icml_face_data.csv"),
        ("fer2013.tar.gz", "fer2013.csv"),
    ],
)
def test_every_layout_gives_the_same_table_and_votes(layouts, expected, tmp_path, name, layout):
    source, _ = read(layouts / name, tmp_path / "work")
    assert_same(source.faces, expected)
    assert (source.name, source.layout, source.rows) == (name, layout, ROWS)
    joined, _ = join_votes(source, layouts / "fer2013new.csv")
    np.testing.assert_array_equal(joined.votes, expected.votes)
