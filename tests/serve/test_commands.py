"""Pictures, video and camera as users call them."""

import csv
import json
import os
import re
import resource
import subprocess
import sys
from contextlib import suppress

import cv2
import numpy as np
import pytest

from model.labels import LABELS
from serve.detector import Box
from serve.looking import Seen
from serve.recording import filming
from serve.records import records
from tasks.common.errors import UserError
from tests.conftest import ROOT
from tests.serve.conftest import FPS


def serve(folder, what, *words, code=0):
    command = [sys.executable, "-m", f"serve.{what}", *map(str, words)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_picture_is_answered_drawn_on_and_noted(network, picture, tmp_path):
    said = serve(
        tmp_path, "image", picture, "--model", network, "--out", "seen", "--json", "seen.jsonl", "--csv", "seen.csv"
    )
    (told,) = lines(tmp_path / "seen.jsonl")
    assert f"{told['label']} {max(told['probabilities'].values()):.0%} at {told['left']},{told['top']}" in said
    assert list(told["probabilities"]) == list(LABELS)
    (row,) = csv.DictReader((tmp_path / "seen.csv").open())
    assert {name: float(row[name]) for name in LABELS} == told["probabilities"]
    drawn, before = cv2.imread(str(tmp_path / "seen" / "astronaut.png")), cv2.imread(str(picture))
    assert drawn.shape == before.shape
    assert (drawn != before).any()


def test_pictures_that_are_none_keep_no_other_from_being_seen(network, picture, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    files = ["broken.png", picture, "none.png"]
    said = serve(tmp_path, "image", *files, "--model", network, "--json", "seen.jsonl", code=1).splitlines()
    assert said == [
        "error: broken.png: not a picture, or a damaged one; expected jpg, png, bmp or webp",
        "error: none.png: No such file or directory; expected a picture",
    ]
    assert [told["frame"] for told in lines(tmp_path / "seen.jsonl")] == [1]


def test_each_picture_has_faces_of_its_own(network, picture, tmp_path):
    again = tmp_path / "again.png"
    again.write_bytes(picture.read_bytes())
    serve(tmp_path, "image", picture, again, "--model", network, "--json", "seen.jsonl")
    one, other = lines(tmp_path / "seen.jsonl")
    assert (one["face"], other["face"]) == (1, 2)  # `serve.drift` counts faces by these
    assert one["probabilities"] == other["probabilities"]


INTERRUPTED = """
import os, signal, sys
at = int(sys.argv.pop())
from serve import video
from serve.frames import Video
frames = Video.frames
def interrupted(self, every=1):
    for frame in frames(self, every):
        if frame.number == at:
            os.kill(os.getpid(), signal.SIGINT)
        yield frame
Video.frames = interrupted
video.main()
"""


def interrupted(folder, at, *words):
    """Look at a video, with Ctrl-C at a frame."""
    command = [sys.executable, "-c", INTERRUPTED, *map(str, words), str(at)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_ctrl_c_ends_a_video_with_what_was_seen_until_then(network, film, tmp_path):
    assert ": 30 frames at " in interrupted(tmp_path, 30, film, "--model", network, "--json", "seen.jsonl")
    seen = [told["frame"] for told in lines(tmp_path / "seen.jsonl")]
    assert seen
    assert set(seen) <= set(range(FPS, 30))


def truncated(path):
    """Write a video of which nothing is left but the head, which says that it has 60 frames."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (64, 48))
    for index in range(60):
        writer.write(np.full((48, 64, 3), index * 4, np.uint8))
    writer.release()
    path.write_bytes(path.read_bytes().partition(b"movi")[0] + b"movi")


@pytest.mark.fault("serve.video", "a video has no frame, or Ctrl-C is pressed before the first one")
def test_a_run_that_has_seen_nothing_leaves_what_an_earlier_one_wrote(network, film, tmp_path, seen):
    outputs = {"--json": "s.jsonl", "--csv": "s.csv", "--out": "s.mp4", "--timeline": "s.png"}
    for name in (*outputs.values(), ".s.part.mp4"):  # that one is of a run that was killed
        (tmp_path / name).write_bytes(b"of an earlier run")
    words = ["--model", network, *(word for pair in outputs.items() for word in pair)]
    truncated(tmp_path / "cut.avi")
    said = serve(tmp_path, "video", "cut.avi", *words, code=1)
    assert "cut.avi: not one frame can be read" in said
    there = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "cut.avi"}
    assert there == dict.fromkeys(outputs.values(), b"of an earlier run")
    assert ": 0 frames at " in interrupted(tmp_path, 0, film, *words)
    assert all((tmp_path / name).read_bytes() == content for name, content in there.items())
    seen("what an earlier run had written stayed")


def test_a_run_that_fails_midway_leaves_what_was_seen_until_then(tmp_path):
    picture, paths = np.zeros((48, 64, 3), np.uint8), [tmp_path / name for name in ("s.jsonl", "s.csv", "s.mp4")]
    for path in paths:
        path.write_bytes(b"of an earlier run")
    log, table, film = paths
    with suppress(UserError), records(log, table) as written, filming(film, FPS) as made:
        for index in range(3):
            written.write(index / FPS, index, [], "v1")
            made.take(picture, index / FPS)
        raise UserError("the camera was pulled out")
    assert (log.read_text(), table.read_text().split(",")[0]) == ("", "time")
    assert cv2.VideoCapture(str(film)).get(cv2.CAP_PROP_FRAME_COUNT) == 3


def test_a_log_for_which_there_is_no_room_leaves_the_one_before_it_whole(tmp_path):
    log = tmp_path / "s.jsonl"
    log.write_text("of an earlier run\n")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    face = Seen(1, Box(0, 0, 9, 9), np.full(7, 1 / 7, np.float32), 100.0)
    try:
        with suppress(OSError), records(log, None) as written:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
            for index in range(1000):
                written.write(index / FPS, index, [face], "v1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert log.read_text() == "of an earlier run\n"


def test_a_video_s_face_is_seen_when_and_where_it_is(network, film, tmp_path):
    said = serve(
        tmp_path, "video", film, "--model", network, "--json", "s.jsonl", "--out", "seen.mp4", "--timeline", "t.png"
    )
    told = lines(tmp_path / "s.jsonl")
    assert {one["face"] for one in told} == {1}
    times = [one["time"] for one in told]
    assert min(times) == pytest.approx(1.0, abs=0.11)
    assert max(times) == pytest.approx(2.0, abs=0.11)
    assert len(told) >= 0.8 * FPS
    middles = np.array([one["left"] + one["width"] / 2 for one in told])
    moved = 4 * FPS * (np.array(times) - times[0])
    np.testing.assert_allclose(middles - middles[0], moved, atol=12)
    assert "60 frames at" in said
    seen = cv2.VideoCapture(str(tmp_path / "seen.mp4"))
    assert seen.get(cv2.CAP_PROP_FRAME_COUNT) == 60
    assert (tmp_path / "t.png").read_bytes()[:4] == b"\x89PNG"
    assert not [path for path in tmp_path.iterdir() if ".part" in path.name]


def test_every_nth_frame_has_its_own_time(network, film, tmp_path):
    said = serve(tmp_path, "video", film, "--model", network, "--json", "s.jsonl", "--every", "7")
    assert "looking at film.mp4: 9/9 frames" in said
    told = lines(tmp_path / "s.jsonl")
    assert {one["frame"] % 7 for one in told} == {0}
    assert all(one["time"] == pytest.approx(one["frame"] / FPS, abs=0.001) for one in told)


def test_a_video_that_is_cut_short_is_seen_as_far_as_it_goes_and_that_is_said(network, tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "cut.avi"), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (64, 48))
    for index in range(60):
        writer.write(np.full((48, 64, 3), index * 4, np.uint8))
    writer.release()
    whole = (tmp_path / "cut.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    said = serve(tmp_path, "video", "cut.avi", "--model", network)
    assert "of the 60 frames that it says to have; cut short?" in said


@pytest.mark.parametrize(
    ("what", "words", "sentence"),
    [
        ("image", ["none.png"], "none.png: No such file or directory; expected a picture"),
        ("image", ["broken.png", "--json", "broken.png/x.jsonl"], "broken.png/x.jsonl: can't be written"),
        (
            "image",
            ["broken.png", "--out", "/dev/null"],
            "/dev/null/broken.png: can't be written (/dev/null is no folder)",
        ),
        ("image", ["broken.png", "--out", "/proc/x"], "/proc/x/broken.png: can't be written ("),
        ("image", ["broken.png", "--csv", "."], ".: is a folder or a device, expected a file to be written"),
        ("video", ["broken.mp4", "--out", "fifo"], "fifo: is a folder or a device, expected a file to be written"),
        ("video", ["broken.mp4", "--out", "/proc/x/seen.mp4"], "/proc/x/seen.mp4: can't be written ("),
        ("camera", ["--timeline", "broken.mp4/t.png"], "broken.mp4/t.png: can't be written (broken.mp4 is no folder)"),
        ("camera", ["--timeline", "t.xyz"], "t.xyz: a chart can't be written as .xyz; expected png, jpg,"),
        ("video", ["broken.mp4", "--timeline", "t.xyz"], "t.xyz: a chart can't be written as .xyz; expected png, jpg,"),
        ("web", ["--corrections", "broken.mp4"], "broken.mp4: can't be written (broken.mp4 is no folder)"),
        ("web", ["--corrections", "/proc/x"], "/proc/x: can't be written ("),
        ("image", ["broken.png"], "broken.png: not a picture, or a damaged one; expected jpg, png, bmp or webp"),
        ("video", ["none.mp4"], "none.mp4: no such file; expected a video"),
        ("video", ["broken.mp4"], "broken.mp4: not a video that OpenCV can play, or a damaged one"),
        ("video", ["broken.mp4", "--every", "0"], "--every: found 0, expected 1 or more"),
        ("camera", ["63"], "camera 63: can't be opened; is it plugged in"),
        ("camera", ["--max-fps", "0"], "--max-fps: found 0.0, expected more than 0"),
        ("camera", ["broken.mp4"], "broken.mp4: can't be opened"),
    ],
)
def test_what_cannot_be_seen_ends_with_one_sentence(network, tmp_path, what, words, sentence):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    os.mkfifo(tmp_path / "fifo")  # stands for a device, which a failing test would replace
    said = serve(tmp_path, what, *words, "--model", network, code=1)
    assert sentence in said
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("image", ["face.png", "--out", "."]),
        ("image", ["face.png", "a/face.png", "--out", "seen"]),
        ("image", ["face.png", "--json", "x.txt", "--csv", "x.txt"]),
        ("video", ["film.mp4", "--out", "film.mp4"]),
        ("video", ["film.mp4", "--timeline", "a/../film.mp4"]),
    ],
)
def test_nothing_is_written_over_what_is_looked_at_or_written_twice(network, picture, film, tmp_path, what, words):
    (tmp_path / "a").mkdir()
    for name, source in (("face.png", picture), ("a/face.png", picture), ("film.mp4", film)):
        (tmp_path / name).write_bytes(source.read_bytes())
    said = serve(tmp_path, what, *words, "--model", network, code=1)
    assert "would be written over a file that is looked at, or written twice; name another" in said
    assert (tmp_path / "face.png").read_bytes() == picture.read_bytes()
    assert (tmp_path / "film.mp4").read_bytes() == film.read_bytes()


def test_a_stream_that_does_not_come_is_said_without_its_password(network, tmp_path):
    address = "rtsp://someone:hidden@127.0.0.1:9/live?token=hidden"
    said = serve(tmp_path, "camera", address, "--model", network, code=1)
    assert "error: rtsp://127.0.0.1:9/live: can't be opened" in said
    assert "hidden" not in said


def test_a_stream_is_a_camera_and_its_film_lasts_as_long_as_it_did(network, film, tmp_path):
    words = ["--model", network, "--json", "s.jsonl", "--out", "seen.mp4", "--max-fps", "1e9"]
    said = serve(tmp_path, "camera", film, *words)
    told = re.search(r"60 frames at ([\d.]+) a second", said)
    assert told
    assert {one["face"] for one in lines(tmp_path / "s.jsonl")} == {1}
    seen, last = cv2.VideoCapture(str(tmp_path / "seen.mp4")), lines(tmp_path / "s.jsonl")[-1]
    lasts = seen.get(cv2.CAP_PROP_FRAME_COUNT) / seen.get(cv2.CAP_PROP_FPS)
    # Longer than until a face was seen last, and not longer than the command looked, which ends with closing files.
    assert 0 < last["time"] - 1 / 60 < lasts < 60 / (float(told[1]) - 0.05) + 2 / 60


def test_a_film_shows_each_picture_from_its_time_until_the_next_one_came(tmp_path):
    times = [3.0, 3.12, 3.19, 3.2, 3.72, 4.5, 4.93]  # as if looking were slow at times
    with filming(tmp_path / "film.mp4", 10) as made:
        for index, time in enumerate(times):
            made.take(np.full((48, 64, 3), 30 * index, np.uint8), time)
    shown, video = [], cv2.VideoCapture(str(tmp_path / "film.mp4"))
    while True:
        got, picture = video.read()
        if not got:
            break
        shown.append(round(float(picture.mean()) / 30))
    assert shown == [0, 1, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 6]
