"""Arrays above a size lie on the disk: nothing but the place changes."""

import numpy as np
import pytest

from tasks.common import spill
from tasks.common.reading import load_params
from tasks.common.tables import Faces, read_faces, write_faces
from tasks.duplicates import find_copies
from tasks.ingest.registry import read_source
from tasks.ingest.source import BadRows, Wanted
from tasks.split import split
from tests.conftest import ROOT
from tests.tasks.ingest.helpers import assert_same, csv_of, images_of, some_faces, write_tree


@pytest.fixture(params=[True, False], ids=["disk", "memory"])
def on_disk(request, tmp_path, monkeypatch):
    """Have every array above two faces lie on the disk, or none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(spill, "LARGEST", 5000 if request.param else 1 << 40)
    return request.param


def lies_on_disk(array: np.ndarray | None) -> bool:
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


@pytest.mark.parametrize("blocks", [[], [1], [3, 0, 40], [1] * 50])
def test_what_grows_is_what_was_added(on_disk, tmp_path, blocks):
    random = np.random.default_rng(0)
    added = [random.integers(0, 256, (n, 7, 11), dtype=np.uint8) for n in blocks]
    growing = spill.Growing((7, 11))
    for block in added:
        growing.append(block)
    found = growing.finish()
    assert found.shape == (sum(blocks), 7, 11)
    np.testing.assert_array_equal(found, np.concatenate([np.empty((0, 7, 11), np.uint8), *added]))
    assert not list(tmp_path.iterdir())


def test_what_is_taken_or_stacked_is_what_numpy_gives(on_disk):
    array = np.random.default_rng(0).integers(0, 256, (9000, 2, 3), dtype=np.uint8)
    index = np.random.default_rng(1).permutation(9000)[:8500]
    mask = array[:, 0, 0] > 9
    for found, expected in (
        (spill.taken(array, index), array[index]),
        (spill.taken(array, mask), array[mask]),
        (spill.stacked([array, array[:1]]), np.concatenate([array, array[:1]])),
    ):
        np.testing.assert_array_equal(found, expected)
        assert lies_on_disk(found) is on_disk


def test_faces_come_the_same_through_every_step(on_disk, tmp_path):
    faces = some_faces(60)
    (tmp_path / "fer2013.csv").write_bytes(csv_of(faces))
    write_tree(tmp_path / "images", images_of(faces))
    for source in ("fer2013.csv", "images"):
        read = read_source(source, BadRows(0), tmp_path / "work", Wanted()).faces
        assert_same(read, faces)
        assert lies_on_disk(read.pixels) is on_disk
    write_faces(tmp_path / "faces.parquet", faces)
    read = read_faces(tmp_path / "faces.parquet")
    assert_same(read, faces)
    assert lies_on_disk(read.pixels) is on_disk
    params = load_params(ROOT / "params.yaml").split.model_copy(update={"strategy": "random"})
    reversed_ = Faces(read.row[::-1], read.emotion[::-1], read.usage[::-1], read.pixels[::-1])
    np.testing.assert_array_equal(split(reversed_, params).subset[::-1], split(read, params).subset)
    assert len(find_copies(read.pixels, 8, 0.9).near) == 0


def test_equal_faces_give_equal_files_wherever_they_lay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fer2013.csv").write_bytes(csv_of(some_faces(60)))
    contents = []
    for largest in (5000, 1 << 40):
        monkeypatch.setattr(spill, "LARGEST", largest)
        write_faces(tmp_path / "faces.parquet", read_source("fer2013.csv", BadRows(0), tmp_path / "work").faces)
        contents.append((tmp_path / "faces.parquet").read_bytes())
    assert contents[0] == contents[1]
