"""Several sources in one table, from the command's arguments to the columns."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.labels import LABELS
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.provenance import read_provenance
from tasks.common.tables import VOTES, read_faces
from tasks.ingest.__main__ import ingest

from .helpers import csv_of, png_of, some_faces, tar_of, write_tree, zip_of

LAB = {
    f"{folder}/S{10 + number % 2:03d}_{number:03d}_00000017.png": png_of(np.full((48, 48), 20 + number, np.uint8))
    for number, folder in enumerate(("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise"))
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the challenge's CSV, its votes and a set with subjects."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fer2013.csv").write_bytes(csv_of(some_faces(9)))
    write_tree(tmp_path / "lab", LAB)
    write_tree(tmp_path / "other", LAB)
    votes = np.zeros((9, 10), int)
    votes[:, VOTES.index("happiness")] = 9
    votes[3] = 1  # nobody's majority
    votes[4, :] = 0
    votes[4, VOTES.index("contempt")] = 7
    lines = [f"Usage,Image name,{','.join(VOTES)}"]
    for row, usage in enumerate(some_faces(9).usage):
        lines.append(f"{usage},fer{row:07d}.png,{','.join(map(str, votes[row]))}")
    (tmp_path / "fer2013new.csv").write_text("\n".join(lines))
    return tmp_path


def test_several_sources_make_one_table_that_says_which_face_is_whose(here):
    provenance = ingest("fer2013.csv", add=("lab", "other"), votes=str(here / "fer2013new.csv"))
    faces = read_faces(paths.FACES)
    assert len(faces) == provenance.rows == 9 + 6 + 6
    assert faces.row.tolist() == [*range(9), 9, *range(11, 16), 16, *range(18, 23)]  # contempt is a row, and no face
    assert faces.source.tolist() == ["fer2013.csv"] * 9 + ["lab"] * 6 + ["other"] * 6
    assert faces.subject[:10].tolist() == [""] * 9 + ["lab/S010"]
    assert len(set(faces.subject)) == 5  # two persons in each set, although both sets call them the same
    assert faces.votes[9:].sum() == 0 < faces.votes[:9].sum()
    np.testing.assert_array_equal(faces.pixels[:9], some_faces(9).pixels)
    assert provenance.source == "fer2013.csv + lab + other"
    assert provenance.dropped == {"contempt": 2}
    assert [(part.source, part.layout, part.rows) for part in provenance.parts] == [
        ("fer2013.csv", "fer2013.csv", 9),
        ("lab", "CK+48", 6),
        ("other", "CK+48", 6),
    ]
    assert read_provenance(paths.PROVENANCE) == provenance


def test_parts_that_are_sources_of_their_own_stay_parts(here):
    faces = some_faces(7)
    images = {f"{LABELS[emotion]}/{emotion}.png": png_of(face) for emotion, face in enumerate(faces.pixels)}
    for part in ("train", "validation", "test"):
        write_tree(here / "set" / part, images)
        (here / f"{part}.zip").write_bytes(zip_of(images))
        (here / f"{part}.csv").write_bytes(csv_of(faces, ("emotion", "pixels")))
        pictures = [{"bytes": content} for content in images.values()]
        pq.write_table(pa.table({"image": pictures, "label": range(7)}), here / "0000.parquet")
        (here / f"{part}.tar").write_bytes(tar_of({"0000.parquet": (here / "0000.parquet").read_bytes()}))
    for form in ("set/{}", "{}.zip", "{}.csv", "{}.tar"):
        usages = ingest(form.format("train"), add=(form.format("validation"), form.format("test"))).usages
        assert usages == {"Training": 7, "PublicTest": 7, "PrivateTest": 7}, form


def test_drawn_faces_among_others_make_the_table_synthetic(here):
    assert ingest("lab", add=("sample",)).synthetic
    assert not ingest("lab", add=("other",)).synthetic


def test_a_source_may_not_stand_twice_under_one_name_and_none_may_be_empty(here):
    ingest("lab")
    before = paths.FACES.read_bytes()
    (here / "twice").mkdir()
    write_tree(here / "twice" / "lab", LAB)
    with pytest.raises(UserError, match="--add: two sources are called lab; rename one"):
        ingest("lab", add=("twice/lab",))
    write_tree(here / "empty", {path: content for path, content in LAB.items() if "contempt" in path})
    with pytest.raises(UserError, match="empty: none of its 1 rows is a face"):
        ingest("lab", add=("empty",), layouts=["ck+48"])
    assert paths.FACES.read_bytes() == before


def test_the_crowd_s_majority_takes_the_place_of_the_label(here):
    provenance = ingest("fer2013.csv", votes=str(here / "fer2013new.csv"), crowd_labels=True)
    faces = read_faces(paths.FACES)
    assert faces.emotion.tolist() == [3] * 7
    assert faces.row.tolist() == [0, 1, 2, 5, 6, 7, 8]
    assert provenance.dropped == {"contempt": 1, "no majority": 1}
    assert read_provenance(paths.PROVENANCE).crowd_labels
    with pytest.raises(UserError, match=r"lab: has no crowd votes; give --votes"):
        ingest("lab", crowd_labels=True)


def test_all_sources_come_in_one_size(here):
    ingest("fer2013.csv", add=("lab",), side=64)
    assert read_faces(paths.FACES).pixels.shape == (15, 64, 64)
    with pytest.raises(UserError, match=r"--side: found 8, expected 16 to 512 pixels"):
        ingest("lab", side=8)


def test_each_source_may_have_a_layout_of_its_own(here):
    numbered = {f"train/{number}/{number}.png": png_of(np.full((48, 48), 90 + number, np.uint8)) for number in (1, 2)}
    write_tree(here / "raf", numbered)
    provenance = ingest("lab", add=("raf",), layouts=["auto", "raf-db"])
    assert [part.layout for part in provenance.parts] == ["CK+48", "RAF-DB"]
    with pytest.raises(UserError, match="--layout: found 3, expected one for all 2 sources, or one for each"):
        ingest("lab", add=("raf",), layouts=["auto", "raf-db", "auto"])


def test_what_was_pinned_before_there_were_parts_stays_the_same(here):
    ingest("fer2013.csv")
    said = paths.PROVENANCE.read_text()
    assert not {"parts", "dropped", "origin", "crowd_labels"} & set(said.replace('"', " ").split())
    faces = read_faces(paths.FACES)
    assert faces.subject is faces.source is None
