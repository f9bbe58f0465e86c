"""Images in Parquet files, as the Hugging Face Hub has them."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from model.labels import LABELS
from tasks.common import paths
from tasks.common.errors import UserError
from tasks.common.files import sha256
from tasks.common.tables import USAGES, Faces
from tasks.ingest.__main__ import ingest

from .helpers import assert_same, png_of, read, some_faces, write_tree, wrong_exif, zip_of

NAMES = ("neutral", "Happiness", "sad", "surprise", "fear", "disgust", "anger")
"""A set's own names, in its own order."""
NUMBER = {"angry": 6, "disgust": 5, "fear": 4, "happy": 1, "sad": 2, "surprise": 3, "neutral": 0}


def pictures(faces: Faces) -> list[dict[str, bytes | str | None]]:
    return [{"bytes": png_of(face), "path": f"{row}.png"} for row, face in enumerate(faces.pixels)]


def written(path: Path, faces: Faces, *, names=NAMES, image="image", label="label", labels=None, images=None) -> Path:
    """Write faces as the library `datasets` does: its notes on the columns stand in the file's metadata."""
    labels = [NUMBER[LABELS[emotion]] for emotion in faces.emotion] if labels is None else labels
    images = pictures(faces) if images is None else images
    table = pa.table({image: images, label: labels})
    if names is not None:
        features = {image: {"_type": "Image"}, label: {"names": list(names), "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path


def pixels_by_usage(faces: Faces) -> dict[str, list[bytes]]:
    return {usage: [face.tobytes() for face in faces.pixels[faces.usage == usage]] for usage in set(faces.usage)}


@pytest.mark.parametrize("where", ["data/{}-00000-of-00001.parquet", "default/{}/0000.parquet", "{}.parquet"])
def test_a_set_of_the_hub_comes_with_its_own_labels_and_parts(tmp_path, where):
    faces, folder = some_faces(300), tmp_path / "fer"
    for part, usage in (("train", "Training"), ("validation", "PublicTest"), ("test", "PrivateTest")):
        written(folder / where.format(part), faces.take(np.flatnonzero(faces.usage == usage)))
    (folder / "README.md").write_text("FER2013")
    (folder / "thumbnail.png").write_bytes(png_of(faces.pixels[0]))  # a picture of the page, and no face of the set
    source, _ = read(folder, tmp_path / "work")
    assert pixels_by_usage(source.faces) == pixels_by_usage(faces)
    found = {face.tobytes(): emotion for face, emotion in zip(source.faces.pixels, source.faces.emotion, strict=True)}
    assert [found[face.tobytes()] for face in faces.pixels] == faces.emotion.tolist()
    assert (source.layout, source.rows, source.name) == ("images in Parquet", 300, "fer")
    assert source.faces.row.tolist() == list(range(300))
    archive = tmp_path / "fer.zip"
    files = [path for path in folder.rglob("*") if path.is_file()]
    archive.write_bytes(zip_of({path.relative_to(folder).as_posix(): path.read_bytes() for path in files}))
    packed, _ = read(archive, tmp_path / "again")
    assert packed.faces.fingerprint() == source.faces.fingerprint()


@pytest.mark.parametrize("where", ["data/{}-00000-of-00001.parquet", "{}/0000.parquet", "fer2013_{}.parquet"])
@pytest.mark.parametrize("names", [("train", "public_test", "private_test"), ("Training", "PublicTest", "PrivateTest")])
def test_parts_in_the_challenges_own_words_are_told_apart(tmp_path, where, names):
    faces, folder = some_faces(30), tmp_path / "fer"
    for part, usage in zip(names, USAGES, strict=True):
        written(folder / where.format(part), faces.take(np.flatnonzero(faces.usage == usage)))
    source, _ = read(folder, tmp_path / "work")
    assert pixels_by_usage(source.faces) == pixels_by_usage(faces)


def test_a_part_of_an_unknown_name_beside_a_known_one_is_refused(tmp_path):
    folder = tmp_path / "fer"
    for part in ("train", "eval"):
        written(folder / f"data/{part}-00000-of-00001.parquet", some_faces(9))
    with pytest.raises(
        UserError, match=r"^fer: data/train-00000-of-00001\.parquet is named by a part, data/eval-.* by none; expected"
    ):
        read(folder, tmp_path / "work")


@pytest.mark.parametrize(("column", "names"), [("Usage", USAGES), ("split", ("train", "validation", "test"))])
@pytest.mark.parametrize("numbered", [False, True])
def test_a_column_of_parts_is_read(tmp_path, column, names, numbered):
    faces = some_faces(30)
    said = [USAGES.index(usage) if numbered else names[USAGES.index(usage)] for usage in faces.usage]
    path = with_column(written(tmp_path / "train.parquet", faces), column, said, names if numbered else None)
    source, _ = read(path, tmp_path / "work")
    assert_same(source.faces, faces)
    with_column(path, column, ["eval" if row == 4 else part for row, part in enumerate(map(str, said))])
    with pytest.raises(UserError, match=rf"^train\.parquet, row .*: {column} is '.*', expected Training, PublicTest"):
        read(path, tmp_path / "again")


def with_column(path: Path, column: str, values: list, names=None) -> Path:
    """Put a column into a file, in the place of one that is called so."""
    table = pq.read_table(path)
    notes = json.loads((table.schema.metadata or {})[b"huggingface"])
    notes["info"]["features"][column] = {"names": list(names)} if names else {"dtype": "string", "_type": "Value"}
    kept = [name for name in table.column_names if name != column]
    table = table.select(kept).append_column(column, pa.array(values))
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(notes)}), path)
    return path


def test_one_file_alone_is_a_source_that_can_be_pinned(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path / "train-00000-of-00001.parquet", some_faces(20))
    provenance = ingest(str(path), side=64)
    assert (provenance.source, provenance.layout, provenance.sha256) == (path.name, "images in Parquet", sha256(path))
    assert provenance.usages == {"Training": 20, "PublicTest": 0, "PrivateTest": 0}
    assert paths.FACES.exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"names": None, "labels": lambda faces: [LABELS[emotion].upper() for emotion in faces.emotion]},
        {"names": None, "labels": lambda faces: faces.emotion.tolist()},
        {"names": [str(number) for number in range(7)], "labels": lambda faces: faces.emotion.tolist()},
        {
            "names": None,
            "labels": lambda faces: pa.array([LABELS[emotion] for emotion in faces.emotion]).dictionary_encode(),
        },
        {"image": "img_bytes", "label": "Labels", "images": lambda faces: [png_of(face) for face in faces.pixels]},
    ],
    ids=["names", "numbers of FER2013", "folders that were named by number", "a dictionary", "bytes alone"],
)
def test_images_and_labels_come_in_several_forms(tmp_path, changed):
    faces = some_faces(30)
    changed = {name: value(faces) if callable(value) else value for name, value in changed.items()}
    source, _ = read(written(tmp_path / "all.parquet", faces, **changed), tmp_path / "work")
    np.testing.assert_array_equal(source.faces.emotion, faces.emotion)
    np.testing.assert_array_equal(source.faces.pixels, faces.pixels)
    assert set(source.faces.usage) == {"Training"}


def test_names_may_stand_by_number(tmp_path):
    faces = some_faces(30)
    path = written(tmp_path / "all.parquet", faces)
    notes = {"label": {"names": {str(number): NAMES[number] for number in (6, 0, 1, 2, 3, 4, 5)}}}
    note(path, notes)
    source, _ = read(path, tmp_path / "work")
    np.testing.assert_array_equal(source.faces.emotion, faces.emotion)
    note(path, {"label": {"names": {"1": "angry", "2": "disgust"}}})
    with pytest.raises(UserError, match=r"^all\.parquet: its notes on label can't be read"):
        read(path, tmp_path / "again")


def note(path: Path, features: dict) -> None:
    """Put other notes into a file."""
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})}), path)


@pytest.mark.parametrize(
    "names", [("image", "label", "label"), ("image", "label", "Label"), ("image", "label", "image")]
)
def test_of_two_columns_of_one_name_neither_is_guessed(tmp_path, names):
    faces = some_faces(9)
    images, labels = pa.array([png_of(face) for face in faces.pixels]), pa.array(faces.emotion)
    third = images if names[2] == "image" else labels
    pq.write_table(pa.Table.from_arrays([images, labels, third], names=list(names)), tmp_path / "train.parquet")
    with pytest.raises(UserError, match=rf"^train\.parquet: found several columns called {names[2].lower()}, expected"):
        read(tmp_path / "train.parquet", tmp_path / "work")


BAD = {
    "a label that is none of the seven": ({"names": [*NAMES, "contempt"]}, 7, None, "found the label 'contempt'"),
    "a number without a name": ({}, 7, None, "found the label 'number 7'"),
    "a number below 0, of a part without labels": ({}, -1, None, "found the label 'number -1'"),
    "no label": ({}, None, None, "found the label 'None'"),
    "no image": ({}, 0, {"bytes": None, "path": "x.png"}, "found no image"),
    "a damaged image": ({}, 0, {"bytes": b"no image", "path": "x.png"}, "not an image; expected jpg"),
}


@pytest.mark.parametrize(("changed", "label", "image", "sentence"), BAD.values(), ids=BAD)
def test_a_bad_row_is_named_or_left_out(tmp_path, changed, label, image, sentence):
    faces = some_faces(12)
    labels = [NUMBER[LABELS[emotion]] for emotion in faces.emotion]
    images = pictures(faces)
    labels[5], images[5] = label, image or images[5]
    path = written(tmp_path / "test.parquet", faces, labels=labels, images=images, **changed)
    with pytest.raises(UserError, match=rf"test\.parquet, row 5: {sentence}"):
        read(path, tmp_path / "work")
    source, bad = read(path, tmp_path / "again", skip=1)
    assert source.faces.row.tolist() == [row for row in range(12) if row != 5]
    assert (source.rows, len(source.faces), bad.left_out[0].where) == (12, 11, "row 5")
    np.testing.assert_array_equal(source.faces.pixels, np.delete(faces.pixels, 5, axis=0))


def test_a_photograph_with_a_bad_tag_is_a_face_here_too(tmp_path):
    faces = some_faces(12)
    images = pictures(faces)
    buffer = io.BytesIO()
    Image.fromarray(faces.pixels[5]).save(buffer, "PNG", exif=wrong_exif(3))
    images[5]["bytes"] = buffer.getvalue()
    source, _ = read(written(tmp_path / "test.parquet", faces, images=images), tmp_path / "work")
    np.testing.assert_array_equal(source.faces.pixels[5], np.rot90(faces.pixels[5], 2))


def test_what_holds_no_images_or_is_damaged_is_refused_in_a_sentence(tmp_path):
    pq.write_table(pa.table({"text": ["a"], "label": [1]}), tmp_path / "texts.parquet")
    with pytest.raises(UserError, match=r"texts\.parquet: found the columns text, label, expected one of image files"):
        read(tmp_path / "texts.parquet", tmp_path / "1")
    path = written(tmp_path / "train.parquet", some_faces(12))
    table = pq.read_table(path).replace_schema_metadata({"huggingface": "{}"})
    pq.write_table(table, tmp_path / "notes.parquet")
    with pytest.raises(UserError, match=r"notes\.parquet: its notes on label can't be read"):
        read(tmp_path / "notes.parquet", tmp_path / "2")
    pointer = tmp_path / "clone" / "data" / "train-00000-of-00001.parquet"
    write_tree(
        tmp_path / "clone", {"data/train-00000-of-00001.parquet": b"version https://git-lfs.github.com/spec/v1\n"}
    )
    for source, work in ((pointer, "4"), (pointer.parents[1], "5")):
        with pytest.raises(
            UserError, match=r"parquet: found a pointer of Git LFS, .*; run `git lfs pull` where it was"
        ):
            read(source, tmp_path / work)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"train\.parquet: damaged Parquet file .*; fetch it again"):
        read(path, tmp_path / "3")
