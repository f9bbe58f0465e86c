"""Faces that several people put right at once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Timer

import cv2
import httpx
import numpy as np
import pytest

from model.labels import LABELS
from serve.detector import Box
from serve.web.app import make_app
from serve.web.corrections import Corrections
from serve.web.eyes import Eyes
from serve.web.guard import Guard
from serve.web.limits import LARGEST
from serve.web.metrics import Metrics
from tasks.common.errors import UserError

BOX = Box(177, 66, 95, 95)


def test_of_several_labels_at_once_one_is_left(portrait, tmp_path):
    corrections = Corrections(tmp_path)
    with ThreadPoolExecutor(len(LABELS)) as pool:
        for _ in range(20):
            kept = list(pool.map(lambda label: corrections.keep(portrait, BOX, label), LABELS))
            assert len(list(tmp_path.rglob("*.png"))) == 1
            assert len({path.name for path in kept}) == 1


def test_the_server_answers_others_while_a_correction_waits_for_its_turn(network, picture, tmp_path):
    corrections = Corrections(tmp_path)
    app = make_app(Eyes(network, "haar", 48, Metrics()), corrections, Guard(None))

    async def talk():
        own = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")
        corrections.turn.acquire()
        unstuck = Timer(20, corrections.turn.release)  # a server that waits itself would never come to the end
        unstuck.start()
        keeping = asyncio.create_task(
            own.post("/api/corrections", params={"label": "sad", **BOX._asdict()}, content=picture.read_bytes())
        )
        await asyncio.sleep(0.5)
        assert (await own.get("/healthz")).text == "ok"
        assert corrections.turn.locked()
        unstuck.cancel()
        corrections.turn.release()
        return await keeping

    assert asyncio.run(talk()).json()["kept"].startswith("sad/")


def test_a_face_at_the_rim_is_kept_as_it_was_looked_at_and_a_box_beyond_measure_refused(portrait, tmp_path):
    corrections = Corrections(tmp_path)
    box = Box(-20, 430, 95, 95)
    kept = cv2.imread(str(corrections.keep(portrait, box, "sad")), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(kept, box.cut(cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY)))
    assert kept.shape == (95, 95)
    for beyond in (Box(0, 0, LARGEST, LARGEST), Box(0, 0, 95, 1025), Box(600, 0, 95, 95)):
        with pytest.raises(UserError, match="on 512x512 pixels, expected one inside"):
            corrections.keep(portrait, beyond, "sad")
