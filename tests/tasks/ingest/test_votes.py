"""FER+'s crowd votes, joined by row."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks.common.errors import UserError
from tasks.common.files import sha256
from tasks.common.tables import VOTED, VOTES, Faces
from tasks.ingest.votes import join_votes

from .helpers import csv_of, gz_of, images_of, read, some_faces, write_tree

FACES = some_faces()
COUNTS = np.random.default_rng(3).integers(0, 11, (len(FACES), len(VOTES)), dtype=np.uint8)
HEADER = ["Usage", "Image name", *VOTES]
ROWS = [
    [usage, f"fer{row:07d}.png", *map(str, counts)]
    for row, usage, counts in zip(FACES.row, FACES.usage, COUNTS, strict=True)
]


def write(folder: Path, rows: list[list[str]] = ROWS, header: list[str] = HEADER, **dialect: str) -> Path:
    path = folder / "fer2013new.csv"
    with path.open("w", newline="", encoding=dialect.pop("encoding", "utf-8")) as file:
        csv.writer(file, **dialect).writerows([header, *rows])  # type: ignore[arg-type]
    return path


def join(folder: Path, votes: Path, faces: Faces = FACES, skip: int = 0) -> Faces:
    (folder / "fer2013.csv").write_bytes(csv_of(faces))
    source, _ = read(folder / "fer2013.csv", folder / "work", skip)
    joined, told = join_votes(source, votes)
    assert (told.source, told.sha256) == ("fer2013new.csv", sha256(votes))
    return joined


def without_names(rows: list[list[str]], *places: int) -> list[list[str]]:
    return [[row[0], "" if place in places else row[1], *row[2:]] for place, row in enumerate(rows)]


@pytest.mark.parametrize(
    "rows",
    [ROWS, ROWS[::-1], without_names(ROWS, 0, 4, 8), without_names(ROWS, *range(9))],
    ids=["in order", "reversed", "some without names", "none with a name"],
)
def test_votes_find_their_rows(tmp_path, rows):
    np.testing.assert_array_equal(join(tmp_path, write(tmp_path, rows)).votes, COUNTS)


def test_votes_may_be_compressed(tmp_path):
    path = write(tmp_path)
    path.write_bytes(gz_of(path.read_bytes()))
    np.testing.assert_array_equal(join(tmp_path, path).votes, COUNTS)


def test_columns_go_by_name(tmp_path):
    order = np.random.default_rng(2).permutation(len(HEADER))
    path = write(tmp_path, [[row[i] for i in order] for row in ROWS], [HEADER[i] for i in order], encoding="utf-8-sig")
    np.testing.assert_array_equal(join(tmp_path, path).votes, COUNTS)


def test_rows_left_out_of_the_faces_leave_their_votes_out(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_bytes(csv_of(FACES).replace(b"\n3,", b"\n9,"))  # row 3 alone is labelled 3
    source, _ = read(path, tmp_path / "work", skip=1)
    joined, _ = join_votes(source, write(tmp_path))
    np.testing.assert_array_equal(joined.votes, COUNTS[FACES.row != 3])


def test_images_named_by_row_get_their_votes_and_others_cannot(tmp_path):
    source, _ = read(write_tree(tmp_path / "named", images_of(FACES)), tmp_path / "work")
    joined, _ = join_votes(source, write(tmp_path))
    np.testing.assert_array_equal(joined.votes, COUNTS)
    renamed = {path.replace("_0", "-0"): content for path, content in images_of(FACES).items()}
    source, _ = read(write_tree(tmp_path / "other", renamed), tmp_path / "again")
    with pytest.raises(
        UserError, match=r"^fer2013new.csv: can't be joined to other, whose order isn't the challenge's"
    ):
        join_votes(source, write(tmp_path))


def crowd_of(faces: Faces, share: float) -> list[list[str]]:
    """Return votes whose first choice is the label of a share of the faces."""
    random = np.random.default_rng(4)
    counts = random.integers(0, 4, (len(faces), len(VOTES)))
    chosen = np.where(random.random(len(faces)) < share, faces.emotion, (faces.emotion + 3) % 7)
    counts[np.arange(len(faces)), np.array(VOTED)[chosen]] = 6
    counts[::9] = 0
    return [[usage, "", *map(str, row)] for usage, row in zip(faces.usage, counts, strict=True)]


def test_votes_of_other_faces_are_refused_by_what_they_say(tmp_path):
    """As by a CSV that was sorted by label, whose number of rows and Usage are right."""
    faces = some_faces(210)
    votes = write(tmp_path, crowd_of(faces, 0.6))
    assert np.asarray(join(tmp_path, votes, faces).votes).any()
    by_label = faces.take(np.lexsort((faces.emotion, np.arange(len(faces)) * 3 // len(faces))))
    by_label = replace(by_label, row=faces.row)
    sentence = (
        r"^fer2013new.csv: its first choice is the label of [12][0-9]\.[0-9]% of the faces in fer2013.csv, expected "
        r"about two thirds: the rows of fer2013.csv stand in another order than the challenge's; "
        r"give it as it was published$"
    )
    (tmp_path / "sorted").mkdir()
    with pytest.raises(UserError, match=sentence):
        join(tmp_path / "sorted", votes, by_label)
    images, _ = read(write_tree(tmp_path / "fer2013.csv.images", images_of(by_label)), tmp_path / "work2")
    with pytest.raises(UserError, match=r"its first choice is the label of .* another order"):
        join_votes(images, votes)


def test_few_votes_or_none_say_nothing_of_the_order(tmp_path):
    faces = some_faces(210)
    rows = [[*row[:2], *("0" if i > 40 else count for count in row[2:])] for i, row in enumerate(crowd_of(faces, 0))]
    assert len(join(tmp_path, write(tmp_path, rows), faces)) == 210


def changed(row: int, column: str, value: str) -> list[list[str]]:
    rows = [list(fields) for fields in ROWS]
    rows[row][HEADER.index(column)] = value
    return rows


BAD = {
    "row missing": (ROWS[:-1], r"found 8 rows, expected 9 as in fer2013.csv: row 8 has no votes"),
    "row too many": ([*ROWS, [*ROWS[0][:1], "", *ROWS[0][2:]]], r"found 10 rows, expected 9 .*: row 9 has no face"),
    "no rows": ([], r"found 0 rows, expected 9"),
    "usage": (changed(4, "Usage", "Training"), r"line 6 \(row 4\): Usage is 'Training', expected 'PublicTest'"),
    "count": (changed(2, "sadness", "ten"), r"line 4: sadness is 'ten', expected a whole number"),
    "negative": (changed(2, "NF", "-1"), r"line 4: NF is '-1'"),
    "name": (changed(2, "Image name", "face.png"), r"line 4: Image name is 'face.png'"),
    "name twice": (changed(2, "Image name", "fer0000001.png"), r"line 4: Image name 1 stands twice"),
    "cut": ([*ROWS[:-1], ROWS[-1][:4]], r"line 10: found 4 fields, expected 12"),
    "unnamed out of order": (without_names(ROWS[::-1], 0), r"line 4: Image name 6 follows 7"),
}


@pytest.mark.parametrize(("rows", "sentence"), BAD.values(), ids=BAD)
def test_votes_that_do_not_fit_are_refused_by_the_row(tmp_path, rows, sentence):
    with pytest.raises(UserError, match=rf"^fer2013new.csv[:,] {sentence}"):
        join(tmp_path, write(tmp_path, rows))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "column Usage is missing"),
        (b"Usage,Image name,neutral\n", "column happiness is missing"),
        (b"\xff\xfe\x00", "not a CSV in UTF-8"),
        (b"PAR1", "found a Parquet table"),
        (b"\x1f\x8b\x08", "truncated or damaged"),
        (None, "can't be read"),
    ],
)
def test_another_file_is_refused(tmp_path, content, sentence):
    path = tmp_path / "fer2013new.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf"fer2013new.csv: {sentence}"):
        join(tmp_path, path)
