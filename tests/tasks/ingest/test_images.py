"""A folder of images by label: the layouts, the kinds of images, what is refused."""

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tasks.common.errors import UserError
from tasks.ingest.images import STRIP, to_face
from tasks.ingest.layout import emotion_of, place

from .helpers import assert_same, images_of, png_of, read, some_faces, write_tree, wrong_exif

FACES = some_faces()
FACE = FACES.pixels[0]
PNG = png_of(FACE)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("folder", "number"),
    [
        *[(name, 0) for name in ("angry", "anger", "0", "Angry", "0_angry", "0 - Anger")],
        *[(name, 1) for name in ("disgust", "disgusted", "1")],
        *[(name, 2) for name in ("fear", "Fearful", "2")],
        *[(name, 3) for name in ("happy", "HAPPINESS", "3")],
        *[(name, 4) for name in ("sad", "sadness", "4")],
        *[(name, 5) for name in ("surprise", "Surprised", "suprise", "5")],
        *[(name, 6) for name in ("neutral", "6", "6.neutral")],
        *[(name, None) for name in ("contempt", "7", "1_angry", "", "faces")],
    ],
)
def test_labels_by_their_usual_names(folder, number):
    assert emotion_of(folder) == number


@pytest.mark.parametrize(
    ("path", "usage"),
    [
        ("train/happy/a.png", "Training"),
        ("Training/happy/a.png", "Training"),
        ("validation/happy/a.png", "PublicTest"),
        ("val/happy/a.png", "PublicTest"),
        ("valid/happy/a.png", "PublicTest"),
        ("PublicTest/happy/a.png", "PublicTest"),
        ("test/happy/a.png", "PrivateTest"),
        ("private_test/happy/a.png", "PrivateTest"),
        ("happy/a.png", "Training"),
        ("archive/images/test/happy/a.png", "PrivateTest"),
        ("archive/happy/a.png", "Training"),
        ("test/happy/PublicTest_00000012.jpg", "PublicTest"),
        ("happy/PrivateTest_7.jpg", "PrivateTest"),
        ("test/happy/PrivateTest_7.jpg", "PrivateTest"),
        ("val/happy/Training_7.jpg", "PublicTest"),
        ("test/happy/Training_7.jpg", "PrivateTest"),
        ("val/happy/PrivateTest_7.jpg", "PublicTest"),
        ("train/happy/PublicTest_7.jpg", "Training"),
    ],
)
def test_parts_by_their_usual_names_and_the_file_name_where_it_says_more(path, usage):
    (found,), _ = place([path], "faces")
    assert (found.usage, found.emotion) == (usage, 3)


@pytest.mark.parametrize(
    ("name", "path", "usage"),
    [
        ("test", "happy/a.png", "PrivateTest"),
        ("test.zip", "images/happy/a.png", "PrivateTest"),
        ("validation.tar.gz", "happy/a.png", "PublicTest"),
        ("test.zip", "happy/PublicTest_7.png", "PublicTest"),
        ("val", "happy/Training_7.png", "PublicTest"),
        ("test.zip", "train/happy/a.png", "Training"),
        ("contest.zip", "happy/a.png", "Training"),
    ],
)
def test_a_source_that_is_itself_a_part(name, path, usage):
    (found,), _ = place([path], name)
    assert found.usage == usage


def test_names_of_several_parts_say_more_than_the_sources():
    paths = ["happy/Training_1.png", "happy/PublicTest_2.png", "happy/PrivateTest_3.png"]
    places, _ = place(paths, "train.zip")
    assert [image.usage for image in places] == ["Training", "PublicTest", "PrivateTest"]


def test_numbers_in_file_names_give_the_order_unless_one_stands_twice():
    paths = ["test/sad/PublicTest_9.jpg", "train/angry/Training_10.jpg", "train/sad/Training_2.jpg"]
    places, numbered = place(paths, "faces")
    assert numbered
    assert [found.path for found in places] == [paths[2], paths[0], paths[1]]
    places, numbered = place([*paths, "train/happy/Training_2.jpg"], "faces")
    assert not numbered
    assert [found.path for found in places] == sorted([*paths, "train/happy/Training_2.jpg"])


@pytest.mark.parametrize(
    "paths",
    [
        ["a/train/sad/1.png", "b/train/sad/1.png"],
        ["training_set/sad/1.png", "test_set/sad/1.png"],
        ["train/sad/1.png", "sad/1.png"],
    ],
)
def test_two_sets_in_one_folder_are_refused(paths):
    with pytest.raises(UserError, match=r"faces: .* expected "):
        place(paths, "faces")


def test_a_folder_gives_the_table_and_litter_is_passed_over(tmp_path):
    litter = dict.fromkeys(
        ("train/.DS_Store", "test/happy/Thumbs.db", "train/happy/Icon\r", "__MACOSX/train/sad/._a.png"), b"litter"
    )
    folder = write_tree(
        tmp_path / "fer", {**images_of(FACES), **litter, ".git/sad/a.png": b"", "README.md": b"read me"}
    )
    source, _ = read(folder, tmp_path / "work")
    assert_same(source.faces, FACES)
    assert (source.name, source.layout, source.challenge_order) == ("fer", "image folder", True)


@pytest.mark.parametrize(("form", "said"), [("{}", True), ("{}_{label}", False), ("{label}", False)])
def test_what_numbers_of_folders_are_taken_for_is_said(tmp_path, capsys, form, said):
    labels = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    files = {f"train/{form.format(number, label=label)}/a.png": PNG for number, label in enumerate(labels)}
    source, _ = read(write_tree(tmp_path / "fer", files), tmp_path / "work")
    assert sorted(source.faces.emotion) == list(range(7))
    line = (
        "fer: folders are numbers, read as FER2013's: 0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral"
    )
    assert (line in capsys.readouterr().out) == said


def test_links_to_folders_are_followed_and_loops_end(tmp_path):
    folder = write_tree(tmp_path / "fer", images_of(FACES))
    for moved in ("train/angry", "test"):
        (folder / moved).rename(tmp_path / "elsewhere")
        (tmp_path / "elsewhere").rename(tmp_path / moved.replace("/", "-"))
        (folder / moved).symlink_to(tmp_path / moved.replace("/", "-"))
    (folder / "train/happy").mkdir(exist_ok=True)
    (folder / "train/happy/up").symlink_to(folder)
    (tmp_path / "test/around").symlink_to(tmp_path / "test")
    source, _ = read(folder, tmp_path / "work")
    assert_same(source.faces, FACES)


def test_a_folder_that_two_links_lead_to_is_refused_at_once(tmp_path):
    """Two links on each of many levels were read twice as often on each."""
    for level in range(16):
        (tmp_path / f"{level}").mkdir()
        for link in "ab":
            (tmp_path / f"{level}" / link).symlink_to(tmp_path / f"{level + 1}")
    write_tree(tmp_path / "16", {"happy/a.png": PNG})
    deep = "/".join("a" * 15)
    with pytest.raises(
        UserError, match=rf"^0: {deep}/a and {deep}/b lead to the same folder, expected one way; remove a link"
    ):
        read(tmp_path / "0", tmp_path / "work")
    folder = write_tree(tmp_path / "fer", images_of(FACES))
    (folder / "test/joy").symlink_to(folder / "train/angry")
    with pytest.raises(UserError, match=r"^fer: test/joy and train/angry lead to the same folder"):
        read(folder, tmp_path / "again")


def test_a_folders_hash_is_of_names_and_contents(tmp_path):
    files = images_of(FACES)
    hashes = set()
    moved = {path.replace("happy", "joy"): content for path, content in files.items()}
    touched = {**files, next(iter(files)): png_of(FACE ^ 1)}
    for name, tree in {"a": files, "b": files, "c": moved, "d": touched}.items():
        source, _ = read(write_tree(tmp_path / name, tree), tmp_path / f"{name}work")
        hashes.add(source.sha256)
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no image at all", "not an image"),
        (b"", "not an image"),
        (PNG[: len(PNG) // 2], "truncated or damaged image"),
        (encoded(Image.fromarray(np.tile(FACE, (9, 9))), "JPEG")[:4000], "truncated or damaged image"),
        (encoded(Image.fromarray(FACE), "GIF"), "not an image"),
        (encoded(Image.new("1", (10_000, 6_000))), "found 10000x6000 pixels, expected at most 50,000,000"),
        (encoded(Image.new("1", (20_000, 20_000))), "more pixels than the 50,000,000"),
        (encoded(Image.fromarray(FACE).convert("I"), "TIFF"), "found 32-bit or signed pixels, expected 8 or 16 bits"),
        (encoded(Image.fromarray(FACE).convert("F"), "TIFF"), "found 32-bit or signed pixels, expected 8 or 16 bits"),
    ],
    ids=["text", "empty", "cut PNG", "cut JPEG", "GIF", "large", "enormous", "32-bit integers", "floats"],
)
def test_a_bad_image_is_named_and_can_be_let_go(tmp_path, content, reason):
    files = images_of(FACES)
    victim = "train/disgust/Training_00000001.png"
    folder = write_tree(tmp_path / "fer", {**files, victim: content})
    with pytest.raises(UserError, match=rf"^fer, {victim}: .*{reason}"):
        read(folder, tmp_path / "strict")
    source, bad = read(folder, tmp_path / "work", skip=1)
    assert_same(source.faces, FACES.take(FACES.row != 1))
    assert [left.where for left in bad.left_out] == [victim]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("train/contempt/Training_00000010.png", "named by no label; expected angry"),
        ("Training_00000010.png", "named by no label"),
        ("train/sad/notes.txt", "not an image"),
    ],
)
def test_what_lies_in_the_wrong_place_is_a_bad_image(tmp_path, path, reason):
    content = b"notes" if path.endswith("txt") else PNG
    folder = write_tree(tmp_path / "fer", {**images_of(FACES), path: content})
    with pytest.raises(UserError, match=rf"^fer, {path}: .*{reason}"):
        read(folder, tmp_path / "strict")
    source, _ = read(folder, tmp_path / "work", skip=1)
    assert len(source.faces) == len(FACES)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"README.md": b""},
        {"a.csv": b"", "b.csv": b""},
        {"a/faces.csv": b"", "b/faces.csv": b""},
        {"test.csv": b"pixels\n"},
    ],
)
def test_a_folder_without_faces_gets_a_sentence(tmp_path, files):
    (tmp_path / "fer").mkdir()
    with pytest.raises(UserError, match=r"^fer: found no image and no CSV"):
        read(write_tree(tmp_path / "fer", files), tmp_path / "work")


@pytest.mark.parametrize(
    "content",
    [
        PNG,
        encoded(Image.fromarray(FACE), "BMP"),
        encoded(Image.fromarray(FACE).convert("RGB"), "WEBP", lossless=True),
        encoded(Image.fromarray(FACE).convert("RGB")),
        encoded(Image.fromarray(FACE).convert("RGBA")),
        encoded(Image.fromarray(FACE).convert("LA")),
        encoded(Image.fromarray(FACE).convert("P")),
        encoded(Image.fromarray(FACE.astype(np.uint16) * 257)),
        encoded(Image.fromarray(FACE.astype("<u2") * 257), "TIFF"),
        encoded(Image.fromarray(FACE.astype(">u2") * 257), "TIFF"),
    ],
    ids=["PNG", "BMP", "WebP", "RGB", "RGBA", "LA", "palette", "16 bit", "16-bit TIFF", "16-bit TIFF, big end first"],
)
def test_a_grey_face_in_any_clothes_stays_the_same(content):
    np.testing.assert_array_equal(to_face(content), FACE)


def test_colours_are_weighed_and_transparency_is_black():
    assert to_face(encoded(Image.new("RGB", (48, 48), (0, 255, 0))))[0, 0] == 150
    assert to_face(encoded(Image.new("RGBA", (48, 48), (255, 255, 255, 0))))[0, 0] == 0


def test_other_sizes_are_cut_to_a_square_and_resampled():
    wide = np.zeros((96, 192), np.uint8)
    wide[:, 48:144] = np.kron(np.tile(np.array([[40, 200]], np.uint8), (2, 1)), np.ones((48, 48), np.uint8))
    face = to_face(png_of(wide))
    assert face.shape == (48, 48)
    assert np.abs(face[:, 4:20] - 40.0).max() <= 2
    assert np.abs(face[:, 28:44] - 200.0).max() <= 2
    assert to_face(png_of(FACE[:7, :9])).shape == (48, 48)


def test_a_photograph_is_turned_as_its_camera_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held turned by a quarter
    turned = to_face(encoded(Image.fromarray(FACE), "PNG", exif=exif))
    np.testing.assert_array_equal(turned, np.rot90(FACE, -1))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_one_bad_tag_in_its_exif_data_leaves_a_photograph_whole(kind, orientation):
    photo, options = Image.fromarray(FACE).convert("RGB"), {"lossless": True} if kind == "WEBP" else {}
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = to_face(encoded(photo, kind, exif=exif, **options))
    np.testing.assert_array_equal(to_face(encoded(photo, kind, exif=wrong_exif(orientation), **options)), turned)
    assert (turned == to_face(encoded(photo, kind, **options))).all() == (orientation == 1)


def test_exif_data_that_is_no_data_at_all_turns_nothing():
    np.testing.assert_array_equal(to_face(encoded(Image.fromarray(FACE), "PNG", exif=b"Exif\0\0MM\0*rubbish")), FACE)


def test_a_pipe_and_a_link_to_nowhere_are_bad_images(tmp_path):
    folder = write_tree(tmp_path / "fer", images_of(FACES))
    os.mkfifo(folder / "train/angry/pipe.png")
    (folder / "train/angry/link.png").symlink_to("nowhere")
    with pytest.raises(UserError, match=r"^fer, train/angry/link.png: found a device or a link that leads nowhere"):
        read(folder, tmp_path / "strict")
    source, _ = read(folder, tmp_path / "work", skip=2)
    assert len(source.faces) == len(FACES)


EXIF = Image.Exif()
EXIF[0x0112] = 6
PHOTO = Image.fromarray(FACE).convert("RGB")
FILES = [
    PNG,
    encoded(PHOTO.convert("P"), "PNG", transparency=3, exif=EXIF),
    encoded(PHOTO, "JPEG", exif=EXIF),
    encoded(PHOTO, "BMP"),
    encoded(PHOTO, "WEBP", exif=EXIF),
    encoded(PHOTO, "TIFF", exif=EXIF),
    *(encoded(PHOTO, kind, exif=wrong_exif()) for kind in ("PNG", "JPEG", "WEBP")),
]


@settings(max_examples=250, deadline=None)
@given(
    content=st.sampled_from(FILES),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_a_damaged_image_is_a_face_or_a_sentence(content, changes):
    damaged = bytearray(content)
    for position, byte in changes:
        damaged[position] = byte
    try:
        face = to_face(bytes(damaged))
    except ValueError:
        return
    assert (face.shape, face.dtype) == ((48, 48), np.uint8)


def test_a_header_that_lies_about_its_size_costs_no_memory():
    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    with pytest.raises(ValueError, match=r"more pixels|expected at most|damaged"):
        to_face(PNG[:8] + chunk + PNG[33:])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc, which Linux has")
def test_a_large_photograph_lies_in_memory_not_much_more_than_once(tmp_path):
    """Each core reads one; of a small file that unpacks to a lot, there may be many."""
    Image.new("RGBA", (5000, 5000), (90, 90, 90, 255)).save(tmp_path / "large.png")  # 100 MB of pixels
    code = (
        "import pathlib, re, sys; from tasks.ingest.images import to_face; "
        "content = pathlib.Path(sys.argv[1]).read_bytes(); "
        "most = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1]); "
        "before = most(); assert (to_face(content) == 90).all(); print(most() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "large.png")], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 200_000  # kilobytes


def test_a_picture_of_many_strips_is_that_of_one():
    pixels = np.random.default_rng(0).integers(0, 256, (1500, 1300, 4), dtype=np.uint8)
    whole = Image.alpha_composite(Image.new("RGBA", (1300, 1500), "black"), Image.fromarray(pixels)).convert("L")
    expected = ImageOps.fit(whole, (48, 48), Image.Resampling.LANCZOS)
    assert STRIP < 1500 * 1300
    np.testing.assert_array_equal(to_face(encoded(Image.fromarray(pixels))), np.asarray(expected))
