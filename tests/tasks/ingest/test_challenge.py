"""The challenge's CSV: what is accepted, what is refused and how that is said."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.common.errors import UserError
from tasks.common.tables import USAGES, Faces

from .helpers import assert_same, csv_of, gz_of, lines_of, read, some_faces, zip_of

FACES = some_faces()
LINES = lines_of(FACES)


def write(folder: Path, content: bytes | str, name: str = "fer2013.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def with_line(number: int, line: str) -> str:
    """Return the CSV with one line (from 1) replaced."""
    lines = LINES.copy()
    lines[number - 1] = line
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "columns",
    [
        ("emotion", "pixels", "Usage"),
        ("emotion", " Usage", " pixels"),
        ("Usage", "pixels", "emotion"),
        ("Unnamed: 0", "pixels", "emotion", "Usage"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gz_of])
def test_columns_in_any_order(tmp_path, columns, pack):
    path = write(tmp_path, pack(csv_of(FACES, columns)))
    source, _ = read(path, tmp_path / "work")
    assert_same(source.faces, FACES)
    assert source.layout == ("icml_face_data.csv" if columns[1] == " Usage" else "fer2013.csv")
    assert (source.rows, source.challenge_order) == (len(FACES), True)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + "\n",
        lambda text: text + "\r\n \n",
        lambda text: text.rstrip("\n"),
        lambda text: text.replace(",", ", "),
        lambda text: "\n".join(",".join(f'"{field}"' for field in line.split(",")) for line in text.splitlines()),
        lambda text: text.replace(" ", "  "),
        lambda text: text.replace("emotion,pixels,Usage", "EMOTION,Pixels,usage"),
        lambda text: text.replace("Training\n", "TRAINING\n").replace("PublicTest\n", "publictest\n"),
        lambda text: re.sub(r"^(\d),", r"\1.0,", text, flags=re.MULTILINE),
        lambda text: re.sub(r"^(\d),([0-9 ]*),", r"\1,[ \2],", text, flags=re.MULTILINE),
    ],
    ids=[
        *("BOM", "CRLF", "blank line", "blank lines", "no last newline", "blanks", "quotes", "wide gaps"),
        *("header in other case", "Usage in other case", "labels with a decimal", "brackets"),
    ],
)
def test_harmless_differences_give_the_same_table(tmp_path, change):
    source, _ = read(write(tmp_path, change("\n".join(LINES) + "\n")), tmp_path / "work")
    assert_same(source.faces, FACES)


def test_without_usage_all_faces_are_for_training(tmp_path):
    source, _ = read(write(tmp_path, csv_of(FACES, ("emotion", "pixels")), "train.csv"), tmp_path / "work")
    assert set(source.faces.usage) == {"Training"}
    assert source.layout == "train.csv"
    np.testing.assert_array_equal(source.faces.pixels, FACES.pixels)


PIXELS = LINES[1].split(",")[1]
BAD_LINES = {
    "label": (f"7,{PIXELS},Training", r"emotion is '7', expected 0 to 6"),
    "label word": (f"happy,{PIXELS},Training", r"emotion is 'happy'"),
    "label empty": (f",{PIXELS},Training", r"emotion is ''"),
    "usage": (f"0,{PIXELS},Train", r"Usage is 'Train', expected Training, PublicTest, PrivateTest"),
    "count": (f"0,{PIXELS} 1,Training", r"found 2,305 pixel values, expected 2,304"),
    "no pixels": ("0,,Training", r"found 0 pixel values"),
    "too large": (f"0,256 {PIXELS.split(' ', 1)[1]},Training", r"pixel 1 is '256', expected a whole number"),
    "negative": (f"0,-1 {PIXELS.split(' ', 1)[1]},Training", r"pixel 1 is '-1'"),
    "decimal": (f"0,1.0 {PIXELS.split(' ', 1)[1]},Training", r"pixel 1 is '1.0'"),
    "letters": (f"0,abc {PIXELS.split(' ', 1)[1]},Training", r"pixel 1 is 'abc'"),
    "cut": (f"0,{PIXELS[:100]}", r"found 2 fields, expected 3; the line may be cut"),
    "header": (LINES[0], r"found the header again"),
    "half a label": (f"3.5,{PIXELS},Training", r"emotion is '3.5'"),
    "half a bracket": (f"0,[{PIXELS},Training", r"pixel 1 is '\["),
    "header in capitals": (LINES[0].upper(), r"found the header again"),
    "open quote": (f'0,"{PIXELS},Training', r"found an unfinished quoted field"),
}


@pytest.mark.parametrize(("line", "sentence"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_row_is_named_and_can_be_let_go(tmp_path, line, sentence):
    path = write(tmp_path, with_line(5, line))
    with pytest.raises(UserError, match=rf"^fer2013.csv, line 5 \(row 3\): {sentence}.*--skip-bad-rows"):
        read(path, tmp_path / "strict")
    source, bad = read(path, tmp_path / "work", skip=1)
    assert_same(source.faces, FACES.take(FACES.row != 3))
    assert source.rows == len(FACES)
    assert [left.where for left in bad.left_out] == ["line 5 (row 3)"]


def test_one_more_bad_row_than_allowed_is_too_many(tmp_path):
    lines = LINES.copy()
    for number in (2, 4, 6):
        lines[number - 1] = "9" + lines[number - 1][1:]
    path = write(tmp_path, "\n".join(lines))
    with pytest.raises(UserError, match=r"line 6 \(row 4\).*at least 3 bad rows, --skip-bad-rows allows 2"):
        read(path, tmp_path / "two", skip=2)
    _, bad = read(path, tmp_path / "three", skip=3)
    assert [left.where for left in bad.left_out] == ["line 2 (row 0)", "line 4 (row 2)", "line 6 (row 4)"]


def test_the_row_is_right_beyond_the_first_block_of_lines(tmp_path):
    many = some_faces(150)
    lines = lines_of(many)
    lines[140] = lines[140].replace("PrivateTest", "Other")
    with pytest.raises(UserError, match=r"line 141 \(row 139\): Usage is 'Other'"):
        read(write(tmp_path, "\r\n".join(lines)), tmp_path / "work")


BAD_FILES = {
    "empty": (b"", "the file is empty"),
    "blank": (b"\n\n", "the file is empty"),
    "header only": (b"emotion,pixels,Usage\n", "a header and no row"),
    "semicolons": (
        csv_of(FACES).replace(b",", b";"),
        "a header separated by semicolons, expected commas; write all lines so",
    ),
    "tabs": (csv_of(FACES).replace(b",", b"\t"), "a header separated by tabs, expected commas"),
    "quoted semicolons": (b'\xef\xbb\xbf"emotion";"pixels";"Usage"\n', "a header separated by semicolons"),
    "case twice": (csv_of(FACES, ("emotion", "pixels", "Usage", "USAGE")), "column Usage stands twice"),
    "missing column": (csv_of(FACES, ("emotion", "Usage", "other")), "column pixels is missing from the header, found"),
    "renamed column": (csv_of(FACES).replace(b"Usage", b"Split", 1), "column Usage is missing"),
    "two columns": (b"emotion,Usage\n0,Training\n", "column pixels is missing"),
    "column twice": (csv_of(FACES, ("emotion", "pixels", "Usage", "emotion")), "column emotion stands twice"),
    "no header": (csv_of(FACES).split(b"\n", 1)[1], "column emotion is missing"),
    "rubbish": (bytes(range(256)) * 300, "column emotion is missing"),
    "noise": (np.random.default_rng(5).bytes(100_000), "no header in UTF-8"),
    "UTF-16": ("\n".join(LINES).encode("utf-16"), "no header in UTF-8"),
    "one long line": (b"emotion,pixels,Usage\n" + b"1" * (3 << 20), "line 2: longer than"),
    "cut last line": (csv_of(FACES)[:-400], r"line 10 \(row 8\): found 2 fields"),
    "not UTF-8": (csv_of(FACES).replace(b"PublicTest", b"\xff\xfe", 1), r"line 5 \(row 3\): Usage is '"),
    "cut gzip": (gz_of(csv_of(FACES))[:-50], "truncated or damaged"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(99), "found a 7z archive, expected a CSV.*; unpack it, and give what was in"),
    "RAR": (b"Rar!\x1a\x07\x00" + bytes(99), "found a RAR archive, .*; unpack it, and give what was in"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(99), "found a file packed by zstd, .*; unpack it, and give what was in"),
    "Parquet": (b"PAR1" + bytes(99), "damaged Parquet file .*; fetch it again"),
    "cut gzip header": (b"\x1f\x8b\x08", "truncated or damaged"),
}


@pytest.mark.parametrize(("content", "sentence"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_gets_a_sentence(tmp_path, content, sentence):
    with pytest.raises(UserError, match=rf"^fer2013.csv.*{sentence}"):
        read(write(tmp_path, content), tmp_path / "work")


def test_a_gzip_bomb_is_refused(tmp_path):
    with pytest.raises(UserError, match="unpack to more"):
        read(write(tmp_path, gz_of(b"emotion,pixels,Usage\n" + (b" " * 999 + b"\n") * 80_000)), tmp_path / "work")


def slowly(content: bytes) -> Faces | None:
    """Read a CSV the plain way; None where it is bad."""
    try:
        rows = [
            row for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")) if any(map(str.strip, row))
        ]
        names = [name.strip() for name in rows[0]]
        emotion, usage, faces = [], [], []
        for row in rows[1:]:
            values = dict(zip(names, map(str.strip, row), strict=True))
            numbers = values["pixels"].split()
            assert all(number.isascii() and number.isdigit() and len(number) <= 3 for number in numbers)
            faces.append(np.array([int(number) for number in numbers]).reshape(48, 48))
            assert 0 <= faces[-1].min() <= faces[-1].max() <= 255
            assert values["emotion"] in set("0123456")
            assert values["Usage"] in USAGES
            emotion.append(int(values["emotion"]))
            usage.append(values["Usage"])
        assert faces
    except (ValueError, KeyError, IndexError, AssertionError, csv.Error):
        return None
    return Faces(
        np.arange(len(faces), dtype=np.int32),
        np.array(emotion, np.int8),
        np.array(usage, object),
        np.array(faces, np.uint8),
    )


QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(
    rows=st.integers(1, 40),
    seed=st.integers(0, 1000),
    columns=st.permutations(["emotion", "pixels", "Usage", "extra"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    pack=st.sampled_from([bytes, gz_of, lambda content: zip_of({"a/fer2013.csv": content})]),
)
def test_what_is_written_is_read(tmp_path_factory, rows, seed, columns, newline, pack):
    faces = some_faces(rows, seed)
    folder = tmp_path_factory.mktemp("round")
    content = newline.join(lines_of(faces, columns)).encode()
    source, _ = read(write(folder, pack(content)), folder / "work")
    assert_same(source.faces, faces)


SMALL = csv_of(some_faces(3))
MUTATIONS = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True), st.sampled_from([b"", b",", b" ", b"\n", b'"', b"9", b"-", b"\xff", b"\0"])
    ),
    min_size=1,
    max_size=3,
)


@QUICK
@given(mutations=MUTATIONS, pack=st.sampled_from([bytes, gz_of, lambda content: zip_of({"fer2013.csv": content})]))
def test_damage_is_an_error_of_the_user_or_none_at_all(tmp_path_factory, mutations, pack):
    content = bytearray(pack(SMALL))
    for place, patch in mutations:
        start = int(place * len(content))
        content[start : start + 1] = patch
    folder = tmp_path_factory.mktemp("damage")
    path = write(folder, bytes(content))
    expected = slowly(bytes(content) if pack is bytes else SMALL)
    try:
        source, _ = read(path, folder / "work")
    except UserError:
        assert pack is not bytes or expected is None
    else:
        assert expected is not None
        assert_same(source.faces, expected)
