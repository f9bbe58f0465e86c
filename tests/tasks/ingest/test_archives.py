"""Archives: of every kind, damaged ones, and those made to do harm."""

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.common.errors import UserError
from tasks.ingest import archives

from .helpers import assert_same, csv_of, gz_of, images_of, read, some_faces, tar_of, write_tree, zip_of

FACES = some_faces()
IMAGES = images_of(FACES)
CSV = {"fer2013/fer2013.csv": csv_of(FACES), "fer2013/README": b"read me", "fer2013/fer2013.bib": b"cite me"}


def write(folder: Path, content: bytes, name: str = "archive.bin") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def with_members(*members: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return buffer.getvalue()


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    member.size = 1 if kind == tarfile.REGTYPE else 0
    return member


def zip_member(name: str, mode: int = 0, flags: int = 0) -> bytes:
    """Return a zip whose member has what zipfile would not write by itself."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        archive.writestr(member, b"/etc/passwd")
        member.flag_bits |= flags
    return buffer.getvalue()


@pytest.mark.parametrize(
    "files", [IMAGES, CSV, {"a/b/icml_face_data.csv.gz": gz_of(csv_of(FACES))}, {"x.csv": csv_of(FACES)}]
)
@pytest.mark.parametrize(
    "pack",
    [
        zip_of,
        tar_of,
        lambda files: tar_of(files, "w:gz"),
        lambda files: tar_of(files, "w:bz2"),
        lambda files: tar_of(files, "w:xz"),
    ],
    ids=["zip", "tar", "gz", "bz2", "xz"],
)
def test_every_kind_of_archive_gives_the_same_table(tmp_path, files, pack):
    source, _ = read(write(tmp_path, pack(files)), tmp_path / "work")
    assert_same(source.faces, FACES)
    assert source.name == "archive.bin"
    assert source.challenge_order


def test_a_wrapping_folder_and_litter_are_passed_over(tmp_path):
    wrapped = {f"archive/{path}": content for path, content in IMAGES.items()}
    litter = {f"__MACOSX/archive/{path.replace('Training', '._Training')}": b"litter" for path in IMAGES}
    source, _ = read(write(tmp_path, zip_of({**wrapped, **litter})), tmp_path / "work")
    assert_same(source.faces, FACES)


HARMFUL = {
    "zip up": (zip_of({"../evil.png": b"x"}), "'../evil.png' climbs out"),
    "zip up within": (zip_of({"sad/../../evil.png": b"x"}), "climbs out"),
    "zip absolute": (zip_of({"/etc/evil.png": b"x"}), "climbs out"),
    "zip backslashes": (zip_of({"..\\evil.png": b"x"}), "climbs out"),
    "zip drive": (zip_of({"C:\\evil.png": b"x"}), "climbs out"),
    "zip link": (zip_member("sad/a.png", stat.S_IFLNK | 0o777), "is a link"),
    "zip encrypted": (zip_member("sad/a.png", flags=1), "is encrypted"),
    "tar up": (with_members(tar_member("../evil.png")), "climbs out"),
    "tar absolute": (with_members(tar_member("/etc/evil.png")), "climbs out"),
    "tar folder up": (with_members(tar_member("../evil", tarfile.DIRTYPE)), "climbs out"),
    "tar symlink": (with_members(tar_member("sad", tarfile.SYMTYPE, "/etc")), "is a link or a device"),
    "tar link": (with_members(tar_member("a.png", tarfile.LNKTYPE, "/etc/passwd")), "is a link or a device"),
    "tar device": (with_members(tar_member("null", tarfile.CHRTYPE)), "is a link or a device"),
    "tar pipe": (with_members(tar_member("pipe", tarfile.FIFOTYPE)), "is a link or a device"),
    "twice": (with_members(tar_member("sad/a.png"), tar_member("sad/a.png")), "can't be unpacked \\(File exists\\)"),
    "file as folder": (with_members(tar_member("sad"), tar_member("sad/a.png")), "can't be unpacked"),
    "long name": (zip_of({"a" * 300: b"x"}), "can't be unpacked"),
}


@pytest.mark.parametrize(("content", "sentence"), HARMFUL.values(), ids=HARMFUL)
def test_a_harmful_archive_is_refused_and_writes_nothing_outside(tmp_path, content, sentence):
    inner = tmp_path / "inner"
    inner.mkdir()
    path = write(tmp_path, content)
    with pytest.raises(UserError, match=f"^archive.bin: member .*{sentence}"):
        read(path, inner / "work")
    assert {path.name for path in tmp_path.iterdir()} == {"archive.bin", "inner"}
    assert {path.name for path in inner.iterdir()} == {"work"}


@pytest.mark.parametrize("pack", [zip_of, lambda files: tar_of(files, "w:gz")])
def test_a_bomb_is_refused(tmp_path, pack):
    with pytest.raises(UserError, match=r"refused, .* bytes unpack to more than"):
        read(write(tmp_path, pack({"sad/a.png": bytes(80 << 20)})), tmp_path / "work")
    assert sum(path.stat().st_size for path in (tmp_path / "work").rglob("*")) < 70 << 20


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBERS", len(IMAGES))
    assert_same(read(write(tmp_path, zip_of(IMAGES)), tmp_path / "enough")[0].faces, FACES)
    with pytest.raises(UserError, match=r"is one more than the 9 accepted"):
        read(write(tmp_path, zip_of({**IMAGES, "more": b""})), tmp_path / "work")


@pytest.mark.parametrize("content", [zip_of({}), tar_of({}, "w:gz")], ids=["zip", "tar"])
def test_an_archive_without_faces_gets_a_sentence(tmp_path, content):
    with pytest.raises(UserError, match=r"^empty.tar.gz: "):
        read(write(tmp_path, content, "empty.tar.gz"), tmp_path / "work")


WHOLE = {
    "zip": zip_of(IMAGES),
    "tar": tar_of(IMAGES),
    "tar.gz": tar_of(IMAGES, "w:gz"),
    "tar.bz2": tar_of(IMAGES, "w:bz2"),
    "tar.xz": tar_of(IMAGES, "w:xz"),
}


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_archive_is_refused(tmp_path, kind, part):
    content = WHOLE[kind].rstrip(b"\0")  # the end of a tar is a few thousand zeros
    with pytest.raises(UserError, match=r"^archive.bin"):
        read(write(tmp_path, content[: int(len(content) * part)]), tmp_path / "work")


def test_a_tar_that_ends_after_a_whole_member_is_truncated_all_the_same(tmp_path):
    buffer = io.BytesIO(WHOLE["tar"])
    with tarfile.open(fileobj=buffer) as archive:
        members = archive.getmembers()
    with pytest.raises(UserError, match=r"truncated or damaged archive"):
        read(write(tmp_path, WHOLE["tar"][: members[5].offset]), tmp_path / "work")


def test_a_damaged_header_inside_a_tar_is_no_end(tmp_path):
    with tarfile.open(fileobj=io.BytesIO(WHOLE["tar"])) as archive:
        offset = archive.getmembers()[5].offset
    content = bytearray(WHOLE["tar"])
    content[offset + 1] ^= 1
    with pytest.raises(UserError, match=r"truncated or damaged archive"):
        read(write(tmp_path, bytes(content)), tmp_path / "work")


@settings(max_examples=80, deadline=None)
@given(
    kind=st.sampled_from(["zip", "tar.gz", "tar.bz2", "tar.xz"]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_damage_is_an_error_of_the_user_or_changes_no_face(tmp_path_factory, kind, changes):
    content = bytearray(WHOLE[kind])
    for place, byte in changes:
        content[int(place * len(content))] = byte
    folder = tmp_path_factory.mktemp("damage")
    path = write(folder, bytes(content))
    try:
        source, _ = read(path, folder / "work")
    except UserError:
        return
    assert_same(source.faces, FACES)


def test_a_folder_holding_the_csv_is_as_good_as_the_csv(tmp_path):
    source, _ = read(write_tree(tmp_path / "download", CSV), tmp_path / "work")
    assert_same(source.faces, FACES)
    assert source.layout == "fer2013.csv"


KAGGLES = {
    "train.csv": csv_of(FACES, ("emotion", "pixels")),
    "test.csv": b"pixels\n1 2\n",
    "example_submission.csv": b"emotion\n0\n",
}
"""What Kaggle's competition has beside the challenge's own files."""


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize(
    ("more", "layout"),
    [
        ({}, "train.csv"),
        ({"fer2013.tar.gz": tar_of(CSV, "w:gz")}, "train.csv"),
        ({"icml_face_data.csv": csv_of(FACES, ("emotion", " Usage", " pixels"))}, "icml_face_data.csv"),
        (CSV, "fer2013.csv"),
    ],
    ids=["train.csv", "train.csv and a tar", "icml_face_data.csv", "fer2013.csv"],
)
def test_of_kaggles_files_the_one_that_tells_most_is_read(tmp_path, packed, more, layout):
    files = {**KAGGLES, **more}
    path = write(tmp_path, zip_of(files)) if packed else write_tree(tmp_path / "kaggle", files)
    source, _ = read(path, tmp_path / "work")
    assert source.layout == layout
    np.testing.assert_array_equal(source.faces.pixels, FACES.pixels)


def test_an_archive_beside_what_has_no_labels_is_named(tmp_path):
    files = {"example_submission.csv": b"emotion\n0\n", "fer2013.tar.gz": tar_of(CSV, "w:gz")}
    with pytest.raises(UserError, match=r"^kaggle: .*, and the archive fer2013.tar.gz; give that instead$"):
        read(write_tree(tmp_path / "kaggle", files), tmp_path / "work")


def test_a_list_of_images_that_is_called_train_csv_is_passed_over(tmp_path):
    source, _ = read(write_tree(tmp_path / "fer", {**IMAGES, "train.csv": b"path,label\n"}), tmp_path / "work")
    assert_same(source.faces, FACES)


@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_what_is_passed_over_beside_the_csv_is_said(tmp_path, capsys, pack):
    files = {**CSV, **dict.fromkeys(map("part {}.csv".format, range(7)), b"x"), "set/faces.parquet": b"", **IMAGES}
    source, _ = read(write(tmp_path, pack(files)), tmp_path / "work")
    assert_same(source.faces, FACES)
    said = ", ".join(f"part {number}.csv" for number in range(5))
    assert (
        f"archive.bin: read {next(iter(CSV))}; passed over: {said}, 3 more, {len(IMAGES)} images\n"
        in capsys.readouterr().out
    )


def test_a_csv_alone_passes_nothing_over(tmp_path, capsys):
    read(write(tmp_path, zip_of({**CSV, "README.md": b"read me"})), tmp_path / "work")
    assert "passed over" not in capsys.readouterr().out


def test_two_csvs_of_one_name_are_refused(tmp_path):
    files = {"a/fer2013.csv": csv_of(FACES), "b/FER2013.csv": csv_of(some_faces(3))}
    with pytest.raises(
        UserError, match=r"^archive\.bin: found 2 files called fer2013\.csv, expected one; give one set"
    ):
        read(write(tmp_path, zip_of(files)), tmp_path / "work")
