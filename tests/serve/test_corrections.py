"""Faces that several people put right at once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Timer

import httpx

from model.labels import LABELS
from serve.detector import Box
from serve.web.app import make_app
from serve.web.corrections import Corrections
from serve.web.eyes import Eyes
from serve.web.guard import Guard
from serve.web.metrics import Metrics

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
        release = Timer(3, corrections.turn.release)
        release.start()
        keeping = asyncio.create_task(
            own.post("/api/corrections", params={"label": "sad", **BOX._asdict()}, content=picture.read_bytes())
        )
        await asyncio.sleep(0.5)
        assert (await own.get("/healthz")).text == "ok"
        assert corrections.turn.locked()
        release.join()
        return await keeping

    assert asyncio.run(talk()).json()["kept"].startswith("sad/")
