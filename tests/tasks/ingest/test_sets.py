"""Other data sets, written here as their authors publish them."""

import io

import numpy as np
import pytest
from PIL import Image

from model.labels import LABELS
from tasks.common.errors import UserError
from tasks.common.tables import VOTES
from tasks.ingest.registry import read_source
from tasks.ingest.source import BadRows, Wanted

from .helpers import png_of, write_tree, zip_of

SEVEN = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def picture(number, side=48, kind="PNG"):
    """A grey picture that tells its number: the same grey all over."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((side, side), number * 20 % 256, np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def note_of(label):
    """An annotation of AffectNet: a file of NumPy's with one text in it."""
    buffer = io.BytesIO()
    np.save(buffer, np.array(label))
    return buffer.getvalue()


RAF_LIST = "basic/EmoLabel/list_patition_label.txt"
RAF_DB = {
    RAF_LIST: b"".join(
        f"{part}_{number:05d}.jpg {code}\n".encode()
        for number, (part, code) in enumerate(zip(("train", "test") * 4, (1, 2, 3, 4, 5, 6, 7), strict=False), 1)
    ),
    **{
        f"basic/Image/aligned/{part}_{number:05d}_aligned.jpg": picture(number, 100, "JPEG")
        for number, part in enumerate(("train", "test") * 3 + ("train",), 1)
    },
    "basic/Image/original/train_00001.jpg": picture(9, 200, "JPEG"),
}

AFFECTNET = {
    f"{part}/{path}": content
    for part in ("train_set", "val_set")
    for number in range(11)
    for path, content in (
        (f"images/{number}.jpg", picture(number, 224, "JPEG")),
        (f"annotations/{number}_exp.npy", note_of(str(number))),
        (f"annotations/{number}_aro.npy", note_of("0.25")),
        (f"annotations/{number}_lnd.npy", note_of([0.0, 1.0])),
    )
}

PHOTOGRAPH = np.zeros((90, 200), np.uint8)
PHOTOGRAPH[10:70, 30:90], PHOTOGRAPH[20:80, 120:180] = 100, 200
EXPW_LIST = "data/label/label.lst"
EXPW = {
    EXPW_LIST: b"two people.jpg 0 10 30 90 70 12.5 3\ntwo people.jpg 1 20 120 180 80 9.25 6\n",
    "data/image/origin/two people.jpg": png_of(PHOTOGRAPH),
}

CK48 = {
    f"CK+48/{folder}/S{10 + number % 2:03d}_{number:03d}_00000017.png": picture(number)
    for number, folder in enumerate(("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise"))
}

JAFFE = {
    f"jaffe/{who}.{code}1.{number}.tiff": picture(number, 256, "TIFF")
    for number, (who, code) in enumerate(
        zip(("KA", "KL") * 4, ("AN", "DI", "FE", "HA", "SA", "SU", "NE"), strict=False)
    )
}

KDEF = {
    f"KDEF/{session}{who}/{session}{who}{code}{angle}.JPG": picture(number, 60, "JPEG")
    for session in "AB"
    for who in ("F01", "M35")
    for number, code in enumerate(("AN", "DI", "AF", "HA", "SA", "SU", "NE"))
    for angle in ("S", "FL")
}

FERPLUS = {
    f"data/FER2013{part}/{path}": content
    for part, first in (("Train", 0), ("Valid", 10), ("Test", 20))
    for path, content in (
        *((f"fer{first + n:07d}.png", picture(first + n)) for n in range(4)),
        (
            "label.csv",
            f'fer{first:07d}.png,"(0, 0, 48, 48)",0,8,0,0,2,0,0,0,0,0\n'  # happiness
            f'fer{first + 1:07d}.png,"(0, 0, 48, 48)",1,1,1,3,1,1,1,1,0,0\n'  # sadness, once single votes are out
            f'fer{first + 2:07d}.png,"(0, 0, 48, 48)",0,0,0,0,2,0,0,8,0,0\n'  # contempt
            f'fer{first + 3:07d}.png,"(0, 0, 48, 48)",5,5,0,0,0,0,0,0,0,0\n'.encode(),  # no majority
        ),
    )
}

TREES = {
    "RAF-DB": RAF_DB, "AffectNet": AFFECTNET, "ExpW": EXPW, "CK+48": CK48, "JAFFE": JAFFE, "KDEF": KDEF, "FER+": FERPLUS
}  # fmt: skip


def taken(tmp_path, tree, skip=0, *, packed=False, **wanted):
    """The source and what was left out of a data set in a folder, or in a zip."""
    folder = write_tree(tmp_path / "set", tree)
    path = tmp_path / "set.zip" if packed else folder
    if packed:
        path.write_bytes(zip_of(tree))
    bad = BadRows(skip)
    return read_source(str(path), bad, tmp_path / "work", Wanted(**wanted)), bad.left_out


def greys(source):
    """What is in the middle of each face."""
    return source.faces.pixels[:, 24, 24].tolist()


def labels(source):
    return [LABELS[emotion] for emotion in source.faces.emotion]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", TREES)
def test_a_set_is_told_by_its_files_and_its_folder_gives_the_same_in_a_zip(tmp_path, name, packed):
    source, left_out = taken(tmp_path, TREES[name], packed=packed)
    assert source.layout == name
    assert not left_out
    assert len(source.faces) + sum(source.dropped.values()) == source.rows
    assert not source.challenge_order
    expected, _ = taken(tmp_path / "again", TREES[name])
    assert source.faces.fingerprint() == expected.faces.fingerprint()
    assert (source.sha256 == expected.sha256) is not packed


def test_raf_db_goes_by_its_list_and_prefers_aligned_faces(tmp_path):
    source, _ = taken(tmp_path, RAF_DB)
    assert labels(source) == ["surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"]
    assert source.faces.usage.tolist() == ["Training", "PrivateTest"] * 3 + ["Training"]
    assert greys(source) == [20 * number for number in range(1, 8)]


def test_affectnet_drops_and_counts_what_is_none_of_the_seven(tmp_path):
    source, _ = taken(tmp_path, AFFECTNET)
    assert labels(source) == ["neutral", "happy", "sad", "surprise", "fear", "disgust", "angry"] * 2
    assert source.dropped == {"contempt": 2, "no face": 2, "none": 2, "uncertain": 2}
    assert source.faces.usage.tolist() == ["Training"] * 7 + ["PrivateTest"] * 7


def test_expw_cuts_each_face_out_of_its_photograph(tmp_path):
    source, _ = taken(tmp_path, EXPW)
    assert labels(source) == ["happy", "neutral"]
    assert (source.faces.pixels == np.array([100, 200])[:, None, None]).all()


def test_ck48_knows_contempt_and_the_subjects(tmp_path):
    source, _ = taken(tmp_path, CK48)
    assert labels(source) == ["angry", "disgust", "fear", "happy", "sad", "surprise"]
    assert source.dropped == {"contempt": 1}
    assert source.faces.subject.tolist() == ["S010", "S010", "S011", "S010", "S011", "S010"]


def test_jaffe_and_kdef_are_read_off_their_file_names(tmp_path):
    jaffe, _ = taken(tmp_path, JAFFE)
    assert sorted(labels(jaffe)) == sorted(SEVEN)
    assert set(jaffe.faces.subject) == {"KA", "KL"}
    kdef, _ = taken(tmp_path / "kdef", KDEF)
    assert {label: labels(kdef).count(label) for label in SEVEN} == dict.fromkeys(SEVEN, 8)
    assert set(kdef.faces.subject) == {"F01", "M35"}
    fear = greys(kdef)[labels(kdef).index("fear")]
    assert fear == 2 * 20  # AF is afraid, AN angry


def test_ferplus_takes_the_crowd_s_majority_and_keeps_the_votes(tmp_path):
    source, _ = taken(tmp_path, FERPLUS)
    assert labels(source) == ["happy", "sad"] * 3
    assert source.dropped == {"contempt": 3, "no majority": 3}
    assert source.faces.usage.tolist() == ["Training"] * 2 + ["PublicTest"] * 2 + ["PrivateTest"] * 2
    assert source.faces.votes[0, VOTES.index("happiness")] == 8


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("RAF-DB", {RAF_LIST: b"train_00001.jpg 8\n"}, "line 1: found 'train_00001.jpg 8'"),
        ("RAF-DB", {RAF_LIST: b"train_00009.jpg 7\n"}, "train_00009.jpg: no such file"),
        ("RAF-DB", {RAF_LIST: b"\xff\xfe1"}, "not a text in UTF-8"),
        ("RAF-DB", {f"other/{RAF_LIST}": b"train_00001.jpg 7\n"}, "found 2 files called list_patition_label"),
        ("ExpW", {EXPW_LIST: b"two people.jpg 0 10 30 90 70 3\n"}, "label.lst, line 1: found 'two people.jpg"),
        ("ExpW", {EXPW_LIST: b"two people.jpg 0 10 30 90 70 1.0 7\n"}, "label of 0 to 6; mend it"),
        ("ExpW", {EXPW_LIST: b"two people.jpg 0 10 230 290 70 1.0 6\n"}, "expected one inside"),
        ("AffectNet", {"train_set/annotations/3_exp.npy": note_of("11")}, "3_exp.npy: found '11', expected 0 to 10"),
        ("AffectNet", {"train_set/annotations/3_exp.npy": b"PK\x03\x04"}, "3_exp.npy: not one label"),
        ("AffectNet", {"train_set/annotations/3_exp.npy": note_of("3")[:-2]}, "3_exp.npy: not one label"),
        ("AffectNet", {"train_set/annotations/3_exp.npy": note_of(["3", "4"])}, "of shape (2,), expected one whole"),
        ("AffectNet", {"train_set/images/99.jpg": picture(1)}, "found no train_set/annotations/99_exp.npy"),
        ("FER+", {"data/FER2013Test/label.csv": b"fer0000020.png,box,1,2\n"}, "label.csv, line 1: found 'fer00"),
        ("KDEF", {"KDEF/AF01/AF01XXS.JPG": picture(1)}, "AF01XXS.JPG: found this name, expected such as AF01ANFL.JPG"),
    ],
)  # fmt: skip
def test_what_is_not_as_published_gets_one_sentence(tmp_path, name, change, sentence):
    with pytest.raises(UserError) as caught:
        taken(tmp_path, TREES[name] | change)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_annotation_that_would_have_to_be_unpickled_is_refused(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.array({"label": 3}, object), allow_pickle=True)
    tree = AFFECTNET | {"train_set/annotations/3_exp.npy": buffer.getvalue()}
    source, left_out = taken(tmp_path, tree, skip=1)
    assert len(source.faces) == 13
    assert "3_exp.npy: not one label" in left_out[0].reason


@pytest.mark.parametrize(
    ("layout", "of_two", "dropped"),
    [("raf-db", ["fear", "fear"], {}), ("affectnet", ["sad", "sad"], {"contempt": 2}), (None, None, None)],
)
def test_numbered_folders_are_read_as_the_set_that_was_named_and_refused_without_a_name(
    tmp_path, layout, of_two, dropped
):
    numbers = range(8) if layout == "affectnet" else range(1, 8)
    tree = {f"{part}/{number}/{number}.png": picture(number) for part in ("train", "test") for number in numbers}
    if layout is None:
        with pytest.raises(UserError, match=r"test/7/7\.png: its folder is named by no label.*give --layout"):
            taken(tmp_path, tree)
        return
    source, _ = taken(tmp_path, tree, layout=layout)
    assert [label for label, grey in zip(labels(source), greys(source), strict=True) if grey == 40] == of_two
    assert source.dropped == dropped
    assert set(source.faces.usage) == {"Training", "PrivateTest"}


def test_a_layout_that_is_none_is_refused_and_images_by_label_can_be_insisted_on(tmp_path):
    with pytest.raises(UserError, match=r"--layout: found 'rafdb', expected images, fer\+, raf-db"):
        taken(tmp_path, RAF_DB, layout="rafdb")
    by_label = {f"{label}/S010_00{n}_00000017.png": picture(n) for n, label in enumerate(SEVEN)}
    source, _ = taken(tmp_path / "images", by_label, layout="images")
    assert source.layout == "image folder"
    with pytest.raises(UserError, match="found no face as RAF-DB is published"):
        taken(tmp_path / "none", {"readme.txt": b"nothing"}, layout="raf-db")


@pytest.mark.parametrize("side", [32, 64])
def test_faces_come_in_the_size_that_is_asked_for(tmp_path, side):
    source, _ = taken(tmp_path, RAF_DB, side=side)
    assert source.faces.pixels.shape == (7, side, side)
    assert source.faces.pixels[:, side // 2, side // 2].tolist() == [20 * number for number in range(1, 8)]
