"""Faces found in a picture, followed from frame to frame, and steady in what is said of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.labels import LABELS
from serve.detector import Box, Haar, open_detector
from serve.drawing import draw
from serve.looking import Seen, Watcher
from serve.predictor import open_predictor
from serve.timeline import KINDS, Timeline, check_chart
from serve.tracking import Tracker
from tasks.common.errors import UserError

SURE = {label: np.eye(7, dtype=np.float32)[index] for index, label in enumerate(LABELS)}


def test_the_face_of_a_portrait_is_found_and_judged_alone(network, portrait):
    predictor = open_predictor(network)
    (seen,) = Watcher(predictor, Haar(48)).look(portrait, 0.0)
    middle = seen.box.left + seen.box.width / 2, seen.box.top + seen.box.height / 2
    assert 200 < middle[0] < 250
    assert 90 < middle[1] < 140
    grey = portrait @ np.array([0.114, 0.587, 0.299])
    assert seen.brightness == pytest.approx(seen.box.cut(grey).mean(), abs=2)
    assert seen.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert not Watcher(predictor, Haar(200)).look(portrait, 0.0)  # smaller than the least
    assert not Watcher(predictor, Haar(48)).look(np.zeros_like(portrait), 0.0)


def test_a_face_keeps_its_number_while_it_moves_and_gets_another_after_a_while():
    tracker = Tracker(patience=1.0)
    numbers = []
    for time, left in ((0.0, 0), (0.1, 10), (0.2, 20), (0.9, 30), (2.5, 30)):
        (track,) = tracker.follow([Box(left, 0, 50, 50)], SURE["sad"][None], time)
        numbers.append(track.number)
    assert numbers == [1, 1, 1, 1, 2]


def test_two_faces_that_cross_lines_are_told_apart_by_their_places():
    tracker = Tracker()
    boxes = [Box(0, 0, 50, 50), Box(100, 0, 50, 50)]
    first = [track.number for track in tracker.follow(boxes, np.stack([SURE["sad"], SURE["happy"]]), 0.0)]
    again = [track.number for track in tracker.follow(boxes[::-1], np.stack([SURE["happy"], SURE["sad"]]), 0.1)]
    assert first == again[::-1] == [1, 2]


@settings(max_examples=50, deadline=None)
@given(rate=st.integers(5, 60), settle=st.floats(0.1, 1.0))
def test_a_change_shows_to_two_thirds_after_the_settling_time_at_every_frame_rate(rate, settle):
    tracker = Tracker(settle=settle)
    box, count = Box(0, 0, 50, 50), max(1, round(settle * rate))
    tracker.follow([box], SURE["sad"][None], 0.0)
    for index in range(1, count + 1):
        (track,) = tracker.follow([box], SURE["happy"][None], index * settle / count)
    assert track.probabilities[LABELS.index("happy")] == pytest.approx(1 - np.exp(-1), abs=1e-3)
    assert track.probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_a_label_does_not_flicker_with_every_second_frame():
    tracker, labels = Tracker(settle=0.4), set()
    for index in range(60):
        said = 0.55 * SURE["sad" if index % 2 else "neutral"] + 0.45 * SURE["neutral" if index % 2 else "sad"]
        if index % 4 == 0:
            said = SURE["neutral"]
        (track,) = tracker.follow([Box(0, 0, 50, 50)], said[None], index / 20)
        labels.add(LABELS[track.probabilities.argmax()])
    assert labels == {"neutral"}


@given(
    st.builds(Box, *[st.integers(-50, 50)] * 2, *[st.integers(1, 60)] * 2),
    st.builds(Box, *[st.integers(-50, 50)] * 2, *[st.integers(1, 60)] * 2),
)
def test_overlap_is_that_of_the_pixels(one, other):
    both = np.zeros((2, 220, 220), bool)
    for index, box in enumerate((one, other)):
        both[index, box.top + 60 : box.top + 60 + box.height, box.left + 60 : box.left + 60 + box.width] = True
    assert one.overlap(other) == pytest.approx(both.all(axis=0).sum() / both.any(axis=0).sum())


@pytest.mark.parametrize(
    "box", [Box(0, 0, 40, 40), Box(-10, -10, 60, 60), Box(290, 200, 60, 60), Box(100, 230, 10, 10)]
)
def test_whatever_is_drawn_stays_on_a_picture_of_its_own(box):
    picture = np.full((240, 320, 3), 200, np.uint8)
    drawn = draw(picture, [Seen(1, box, SURE["happy"], 100.0)])
    assert drawn.shape == picture.shape
    assert (picture == 200).all()
    assert (drawn != 200).any()


@pytest.mark.parametrize("name", [*(f"t.{kind}" for kind in KINDS), "T.PNG", "t"])
def test_a_chart_can_be_written_as_each_kind_that_is_allowed(tmp_path, name):
    timeline = Timeline()
    for time in (0.0, 0.1, 0.2):
        timeline.add(time, [Seen(1, Box(0, 0, 40, 40), SURE["happy"], 100.0)])
    check_chart(tmp_path / name)
    timeline.draw(tmp_path / name)
    assert (tmp_path / name).stat().st_size > 1000


def test_detectors_that_are_none_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"no such file; expected `haar`, or YuNet"):
        open_detector("yolo", 48)
    (tmp_path / "other.onnx").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"other\.onnx: not a YuNet that OpenCV can load"):
        open_detector(str(tmp_path / "other.onnx"), 48)
    with pytest.raises(UserError, match="--min-face: found 0, expected 1 pixel or more"):
        open_detector("haar", 0)
