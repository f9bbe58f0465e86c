"""The server behind the page, over real connections."""

import asyncio
import json
import re
import socket
import subprocess
import sys
import threading

import cv2
import httpx
import numpy as np
import pytest
import websockets

from serve.web.limits import BODY, FRAME
from tests.conftest import ROOT
from tests.serve.pages import serving

TOKEN = "a-token-that-nobody-guesses"  # noqa: S105
EVERYBODY = "0.0.0.0"  # noqa: S104


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("corrections") / "kept"


@pytest.fixture(scope="module")
def address(network, kept):
    with serving("--model", network, "--corrections", kept) as found:
        yield found


@pytest.fixture(scope="module")
def photo(picture):
    return picture.read_bytes()


def frame(portrait, quality=85):
    return cv2.imencode(".jpg", portrait, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def live(address, talk):
    """Talk over a WebSocket."""

    async def run():
        async with websockets.connect(f"{address.replace('http', 'ws')}/live", max_size=None) as own:
            return await talk(own)

    return asyncio.run(run())


def test_a_picture_is_answered(address, photo):
    answer = httpx.post(f"{address}/api/picture", content=photo).json()
    (face,) = answer["faces"]
    assert answer["version"] == "model.onnx"
    assert 150 < face["box"][0] < 200
    assert face["probabilities"][face["label"]] == face["confidence"] == max(face["probabilities"].values())


@pytest.mark.parametrize(
    ("content", "status", "sentence"),
    [
        (b"", 400, "not a picture, or a damaged one"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 100, 400, "not a picture, or a damaged one"),
        (b"x" * (BODY + 1), 413, "more than 8,388,608 bytes"),
        (cv2.imencode(".png", np.zeros((5000, 5000), np.uint8))[1].tobytes(), 400, "found 5000x5000 pixels, expected"),
    ],
)
def test_what_is_no_picture_ends_that_request_alone(address, photo, content, status, sentence):
    answer = httpx.post(f"{address}/api/picture", content=content)
    assert answer.status_code == status
    assert sentence in answer.json()["detail"]
    assert httpx.post(f"{address}/api/picture", content=photo).status_code == 200


def test_another_version_than_there_is_is_refused(address, photo):
    answer = httpx.post(f"{address}/api/picture?version=v7", content=photo)
    assert (answer.status_code, "this server has model.onnx alone" in answer.json()["detail"]) == (404, True)


def test_frames_are_answered_and_a_face_keeps_its_number(address, portrait):
    async def talk(own):
        answers = []
        for shift in (0, 8, 16):
            await own.send(frame(np.roll(portrait, shift, axis=1)))
            answers.append(json.loads(await own.recv()))
        await own.send("reset")
        await own.send(frame(portrait))
        return [*answers, json.loads(await own.recv())]

    answers = live(address, talk)
    assert [answer["frame"] for answer in answers] == [0, 1, 2, 3]
    assert [answer["faces"][0]["face"] for answer in answers] == [1, 1, 1, 1]
    lefts = [answer["faces"][0]["box"][0] for answer in answers[:3]]
    assert lefts[2] - lefts[0] == pytest.approx(16, abs=6)


def test_bad_frames_are_told_and_the_next_one_is_looked_at(address, portrait):
    async def talk(own):
        answers = []
        for content in (b"no picture", b"\xff\xd8\xff\xe0" + b"\0" * 50, b"x" * (FRAME + 1), frame(portrait)):
            await own.send(content)
            answers.append(json.loads(await own.recv()))
        return answers

    *bad, good = live(address, talk)
    assert [re.sub(r"^\w+: ", "", answer["error"])[:26] for answer in bad] == [
        "not a picture, or a damage", "not a picture, or a damage", "found 2,097,153 bytes, exp"
    ]  # fmt: skip
    assert len(good["faces"]) == 1


def test_a_client_that_sends_faster_than_it_is_answered_gets_the_newest(address, portrait):
    count = 200

    async def talk(own):
        for index in range(count):
            await own.send(frame(portrait, 30 + index % 60))
        numbers = []
        while not numbers or numbers[-1] != count - 1:
            numbers.append(json.loads(await asyncio.wait_for(own.recv(), 30))["frame"])
        return numbers

    numbers = live(address, talk)
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == count - 1
    assert len(numbers) < count
    assert "serve_dropped_total 0.0" not in httpx.get(f"{address}/metrics").text


def test_many_clients_at_once_are_all_answered(address, portrait):
    content, answered = frame(portrait), []

    async def talk(own):
        for _ in range(5):
            await own.send(content)
            answered.append(len(json.loads(await own.recv())["faces"]))

    threads = [threading.Thread(target=live, args=(address, talk)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answered == [1] * 60
    assert "serve_clients 0.0" in httpx.get(f"{address}/metrics").text


def test_corrections_become_a_folder_that_ingest_takes(address, kept, photo, tmp_path):
    box = dict(zip(("left", "top", "width", "height"), (177, 66, 95, 95), strict=True))
    for label in ("sad", "happy"):  # the last one counts
        answer = httpx.post(f"{address}/api/corrections", params={"label": label, **box}, content=photo)
        assert answer.json()["kept"].startswith(f"{label}/")
    assert [path.parent.name for path in kept.rglob("*.png")] == ["happy"]
    command = [sys.executable, "-m", "tasks.ingest", str(kept), "--no-pin"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True, check=False
    )
    assert "kept: 1 faces" in done.stdout, done.stderr
    for wrong, sentence in (
        ({"label": "glad"}, "found 'glad', expected angry"),
        ({"left": 5000}, "expected one inside"),
    ):
        answer = httpx.post(f"{address}/api/corrections", params={"label": "sad", **box} | wrong, content=photo)
        assert answer.status_code == 400
        assert sentence in answer.json()["detail"]


def test_frames_leave_nothing_behind(network, portrait, tmp_path):
    with serving("--model", network) as own:
        live(own, lambda connection: connection.send(frame(portrait)))
        answer = httpx.post(
            f"{own}/api/corrections", params={"label": "sad", "left": 0, "top": 0, "width": 9, "height": 9},
            content=frame(portrait),
        )  # fmt: skip
        assert answer.status_code == 400
        assert "corrections are not kept here" in answer.json()["detail"]


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}])
def test_other_sites_and_foreign_names_are_refused(address, headers):
    answer = httpx.get(f"{address}/api/versions", headers=headers)
    assert answer.status_code == 401

    async def knock():
        extra = {"additional_headers": headers} if "Host" not in headers else {}
        if "Host" in headers:
            return
        async with websockets.connect(f"{address.replace('http', 'ws')}/live", **extra) as own:
            with pytest.raises(websockets.ConnectionClosed, match="answers to itself alone"):
                await own.recv()

    asyncio.run(knock())


def test_with_a_token_only_who_knows_it_looks(network, photo):
    with serving("--model", network, "--host", EVERYBODY, "--token", TOKEN) as own:
        assert httpx.post(f"{own}/api/picture", content=photo).status_code == 401
        assert httpx.get(f"{own}/?token=wrong").status_code == 401
        assert httpx.get(f"{own}/healthz").text == "ok"
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert httpx.post(f"{own}/api/picture", content=photo, headers=bearer).status_code == 200
        with httpx.Client() as client:
            page = client.get(f"{own}/?token={TOKEN}")
            assert page.status_code == 200
            assert "httponly" in page.headers["set-cookie"].lower()
            assert client.get(f"{own}/api/versions").status_code == 200


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--host", EVERYBODY], "others could look through this page; give --token"),
        (["--host", EVERYBODY, "--token", "short"], "of at least 16 characters"),
        (["--model", "none.onnx"], "none.onnx: No such file or directory"),
        (["--detector", "yolo"], "yolo: no such file; expected `haar`"),
    ],
)
def test_what_cannot_be_served_ends_with_one_sentence(network, words, sentence):
    command = [sys.executable, "-m", "serve.web", "--model", str(network), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_said(network, address):
    port = address.rpartition(":")[2]
    command = [sys.executable, "-m", "serve.web", "--model", str(network), "--port", port]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert f"--port {port}: [Errno" in done.stderr
    assert "name another port, or end what listens there" in done.stderr


def test_it_listens_on_this_machine_alone(address):
    with socket.socket() as probe:
        probe.settimeout(1)
        own = socket.gethostbyname(socket.gethostname())
        if own.startswith("127."):
            pytest.skip("this machine has no other address than the loopback")
        with pytest.raises(OSError, match="refused"):
            probe.connect((own, int(address.rpartition(":")[2])))


def test_the_description_has_an_example_of_each_answer(address):
    described = httpx.get(f"{address}/openapi.json").json()
    schemas = described["components"]["schemas"]
    for name in ("PictureAnswer", "VersionsAnswer", "KeptAnswer", "Problem"):
        assert schemas[name]["examples"], name
    assert {"/api/picture", "/api/versions", "/api/corrections", "/healthz", "/metrics"} <= set(described["paths"])
