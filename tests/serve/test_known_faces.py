"""A video in which known faces of FER2013 appear at known times."""

import json
from itertools import islice

import cv2
import numpy as np
import pytest

from serve.detector import Box, Haar
from serve.predictor import open_predictor
from tests.conftest import REAL
from tests.serve.conftest import FPS
from tests.serve.test_commands import serve

pytestmark = pytest.mark.skipif(not (REAL / "export.py").exists(), reason=f"the real FER2013 is not at {REAL}")

WHERE = Box(100, 60, 120, 120)
SHOWN = ((0.5, 1.5), (2.0, 3.0), (3.0, 3.5))
"""Seconds in which the first, the second and the third face are seen; in between, nobody."""


def showing(face):
    frame = np.full((240, 320, 3), 128, np.uint8)
    enlarged = cv2.resize(face, (WHERE.width, WHERE.height), interpolation=cv2.INTER_CUBIC)
    frame[WHERE.top : WHERE.top + WHERE.height, WHERE.left : WHERE.left + WHERE.width] = enlarged[..., None]
    return frame


def said_of(frame, predictor):
    (box,) = Haar(48).find(frame)
    return predictor.predict(box.cut(frame[..., 0])[None])[0]


@pytest.fixture(scope="module")
def known(real_faces):
    """Three test faces that the detector finds in such a frame, uint8 [3, 48, 48]."""
    detector = Haar(48)
    test = real_faces.pixels[real_faces.usage == "PrivateTest"]
    found = (face for face in test if [box.overlap(WHERE) > 0.4 for box in detector.find(showing(face))] == [True])
    return np.stack(list(islice(found, 3)))


def test_the_timeline_of_known_faces_is_right(network, known, tmp_path):
    film = tmp_path / "known.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (320, 240))
    for index in range(4 * FPS):
        now = [face for face, (start, end) in zip(known, SHOWN, strict=True) if start <= index / FPS < end]
        writer.write(showing(now[0]) if now else np.full((240, 320, 3), 128, np.uint8))
    writer.release()
    serve(tmp_path, "video", film, "--model", network, "--json", "s.jsonl", "--settle", "0", "--timeline", "t.png")
    told = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    shown = np.array([any(start <= index / FPS < end for start, end in SHOWN) for index in range(4 * FPS)])
    seen = np.isin(np.arange(4 * FPS), [one["frame"] for one in told])
    assert not seen[~shown].any()
    assert seen[shown].mean() > 0.9
    expected = np.stack([said_of(showing(face), open_predictor(network)) for face in known])
    for index, (start, end) in enumerate(SHOWN):
        own = [list(one["probabilities"].values()) for one in told if start <= one["time"] < end]
        apart = np.abs(expected - np.median(own, axis=0)).max(axis=1)
        assert apart.argmin() == index
        assert 3 * apart[index] < min(apart[other] for other in range(3) if other != index), apart
    assert (tmp_path / "t.png").read_bytes()[:4] == b"\x89PNG"
