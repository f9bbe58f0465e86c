"""The command, as users call it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tasks.common.tables import read_faces
from tasks.ingest.__main__ import main

from .helpers import assert_same, csv_of, images_of, lines_of, some_faces, write_tree

ROOT = Path(__file__).parents[3]
FACES = some_faces()


POWERLESS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
"""What takes root's right to read and write everything."""
rights = pytest.mark.skipif(bool(POWERLESS) and not shutil.which("setpriv"), reason="no setpriv, which Linux has")


def ingest(folder: Path, *arguments: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, "-m", "tasks.ingest", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_source_becomes_data_and_is_pinned(tmp_path):
    for command in (["git", "init", "--quiet"], [sys.executable, "-m", "dvc", "init", "--quiet"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    lines = lines_of(FACES)
    lines[4] = "9" + lines[4][1:]
    (tmp_path / "fer2013.csv").write_text("\n".join(lines))
    done = ingest(tmp_path, "fer2013.csv", "--skip-bad-rows", "1")
    assert done.returncode == 0, done.stderr
    assert "fer2013.csv: 8 faces, Training 3, PublicTest 2, PrivateTest 3" in done.stdout
    assert "left out 1, all listed in data/provenance.json; line 5 (row 3): emotion is '9'" in done.stdout
    assert "pinned by data.dvc" in done.stdout
    assert_same(read_faces(tmp_path / "data/faces.parquet"), FACES.take(FACES.row != 3))
    provenance = json.loads((tmp_path / "data/provenance.json").read_text())
    assert provenance["source"] == "fer2013.csv"
    assert provenance["left_out"] == [{"where": "line 5 (row 3)", "reason": "emotion is '9', expected 0 to 6"}]
    assert sum(provenance["labels"].values()) == sum(provenance["usages"].values()) == provenance["rows"] == 8
    assert str(tmp_path) not in json.dumps(provenance)
    assert "path: data" in (tmp_path / "data.dvc").read_text()


def test_the_sample_is_what_the_repository_pins(tmp_path):
    """Else the first run of a newcomer, who has no remote, would find no data."""
    for command in (["git", "init", "--quiet"], [sys.executable, "-m", "dvc", "init", "--quiet"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    done = ingest(tmp_path, "sample")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data.dvc").read_text() == (ROOT / "data.dvc").read_text()


def test_without_dvc_the_data_is_written_and_the_sentence_says_so(tmp_path):
    (tmp_path / "fer2013.csv").write_bytes(csv_of(FACES))
    done = ingest(tmp_path, "fer2013.csv")
    assert done.returncode == 1
    assert done.stderr.startswith("error: data: written, but DVC can't pin it: you are not inside of a DVC repository")
    assert done.stderr.count("\n") == 1
    assert_same(read_faces(tmp_path / "data/faces.parquet"), FACES)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing.csv"], "nothing.csv: no such file or folder"),
        (["gs://bucket/fer2013.csv"], "gs://bucket/fer2013.csv: no reader for 'gs:' sources"),
        (["fer2013.csv", "--skip-bad-rows", "-1"], "--skip-bad-rows: found -1, expected 0 or more"),
        (["fer2013.csv", "--votes", "no.csv"], "no.csv: can't be read"),
        (["fer2013.csv", "--votes", ""], "--votes: found nothing, expected the path of fer2013new.csv"),
        (["fer2013.csv", "--votes", " "], "--votes: found nothing, expected the path of fer2013new.csv"),
        ([""], "the source is empty; expected a path"),
        (["fer2013.csv", "--add", " "], "the source is empty; expected a path"),
        (["fer2013.csv", "--layout", "foo"], "--layout: found 'foo', expected images, fer"),
        (["http://[bad/x.csv"], r"http://\[bad/x.csv: no address; expected https://host/path"),
        (["s3://Bad*/x.csv"], r"s3://Bad\*: found the bucket 'Bad\*', expected letters"),
        (["/dev/null"], "/dev/null: neither a file nor a folder"),
    ],
)
def test_a_bad_call_ends_with_one_sentence(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ingest", "--no-pin", *arguments])
    (tmp_path / "fer2013.csv").write_bytes(csv_of(FACES))
    with pytest.raises(SystemExit, match=f"^error: {sentence}") as end:
        main()
    assert "\n" not in str(end.value)
    assert [path.name for path in tmp_path.iterdir()] == ["fer2013.csv"]


@pytest.mark.parametrize("target", ["loop.csv", "nowhere.csv"])
def test_a_link_that_leads_nowhere_ends_with_one_sentence(tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ingest", "--no-pin", "loop.csv"])
    (tmp_path / "loop.csv").symlink_to(target)
    with pytest.raises(SystemExit, match=r"^error: loop\.csv: found a link that leads nowhere, or to itself"):
        main()


@pytest.mark.parametrize(
    "source",
    [
        "s3://user:planted@bucket/x.csv",
        "s3://user:planted@bucket",
        "s3://key:planted/with-a-slash@bucket/x.csv",
        "s3:user:planted@bucket/x.csv",
        "https://user:planted@[bad/x.csv",
        "https://user:planted/with-a-slash@host/x.csv",
        "https://user:planted@host:port/x.csv?token=planted#planted",
    ],
)
def test_a_secret_in_a_bad_address_is_not_shown(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ingest", "--no-pin", source])
    with pytest.raises(SystemExit, match=r"^error: .*expected") as end:
        main()
    assert "planted" not in str(end.value)
    assert "\n" not in str(end.value)
    assert end.value.__cause__ is None


@rights
def test_what_is_not_ours_to_read_is_a_bad_image_or_names_the_remedy(tmp_path):
    folder = write_tree(tmp_path / "fer", images_of(FACES))
    unreadable = folder / "train/disgust/Training_00000001.png"
    unreadable.chmod(0)
    done = ingest(tmp_path, "fer", "--no-pin", before=POWERLESS)
    assert done.stderr == (
        "error: fer, train/disgust/Training_00000001.png: can't be read (Permission denied), expected a file that is "
        "yours to read; see `ls -ld` of its folders; mend it, or let bad rows go with --skip-bad-rows N\n"
    )
    done = ingest(tmp_path, "fer", "--no-pin", "--skip-bad-rows", "1", before=POWERLESS)
    assert done.returncode == 0, done.stderr
    assert_same(read_faces(tmp_path / "data/faces.parquet"), FACES.take(FACES.row != 1))
    unreadable.chmod(0o644)
    unreadable.parent.chmod(0o444)  # may be listed, and not entered
    done = ingest(tmp_path, "fer", "--no-pin", before=POWERLESS)
    unreadable.parent.chmod(0o755)
    assert done.stderr.startswith("error: fer, train/disgust/Training_00000001.png: can't be read (Permission denied)")
    (tmp_path / "fer2013.csv").write_bytes(csv_of(FACES))
    (tmp_path / "fer2013.csv").chmod(0)
    done = ingest(tmp_path, "fer2013.csv", "--no-pin", before=POWERLESS)
    assert done.stderr.startswith("error: fer2013.csv: Permission denied; see with `ls -ld` who may read and write")


@rights
def test_a_folder_that_is_not_ours_to_write_names_the_remedy(tmp_path):
    (tmp_path / "fer2013.csv").write_bytes(csv_of(FACES))
    tmp_path.chmod(0o555)
    done = ingest(tmp_path, "fer2013.csv", "--no-pin", before=POWERLESS)
    tmp_path.chmod(0o755)
    assert done.stderr == (
        "error: .data.new: Permission denied; see with `ls -ld` who may read and write there, get that right or work "
        "in another folder, and start the same command again\n"
    )
