"""The server against what nobody should send: by its own description, and damaged pictures by the thousand."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import httpx
import numpy as np
import onnx
import psutil
import pytest
import websockets
from onnx import TensorProto, helper, numpy_helper

from tests.serve.pages import serving
from tests.tasks.ingest.stores import free_port

COUNT = 1000


@pytest.fixture(scope="module")
def port():
    return free_port()


@pytest.fixture(scope="module")
def photo(picture):
    return picture.read_bytes()


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("log") / "server.log"


@pytest.fixture(scope="module")
def address(network, port, log, tmp_path_factory):
    with serving("--model", network, "--corrections", tmp_path_factory.mktemp("kept"), port=port, log=log) as found:
        yield found


def memory(port):
    """Bytes that the process which listens there has of its own."""
    for child in psutil.Process().children():
        if any(one.laddr.port == port for one in child.net_connections("tcp")):
            return child.memory_info().rss
    raise AssertionError("nobody listens")


def damaged(portrait):
    """Yield pictures that were cut short, or had bytes changed, put in, or taken out."""
    rng = np.random.default_rng(0)
    small = cv2.resize(portrait, (96, 96), interpolation=cv2.INTER_AREA)
    whole = [cv2.imencode(kind, small)[1].tobytes() for kind in (".jpg", ".png", ".webp", ".bmp")]
    for number in range(COUNT):
        content = bytearray(whole[number % len(whole)])
        at = int(rng.integers(len(content)))
        match number // len(whole) % 4:
            case 0:
                content = content[:at]
            case 1:
                for place in rng.integers(0, len(content), 8):
                    content[place] = int(rng.integers(256))
            case 2:
                content[at:at] = rng.bytes(40)
            case 3:
                del content[at : at + 40]
        yield bytes(content)


@pytest.mark.fault("serve.web", "requests that its description allows, and requests that it does not")
def test_the_server_is_what_it_describes(address, tmp_path, seen):
    # That a box lies on the picture, and that bytes are a picture, no schema can say.
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{address}/openapi.json", "--checks", "all",
        "--exclude-checks", "positive_data_acceptance", "--phases", "coverage,fuzzing", "--max-examples", "60",
        "--continue-on-failure", "--generation-database", "none", "--seed", "1", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "NO_PROXY": "*"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "5 selected / 5 total" in done.stdout
    seen("each was answered as described, by schemathesis' checks")


@pytest.mark.fault("serve.web", "a thousand damaged pictures")
def test_damaged_pictures_by_the_thousand_end_their_request_alone(address, port, log, portrait, seen):
    with httpx.Client() as client:
        codes = Counter[int]()
        for number, content in enumerate(damaged(portrait)):
            if number == COUNT // 4:
                before = memory(port)
            answer = client.post(f"{address}/api/picture", content=content)
            assert answer.json().keys() == ({"version", "faces"} if answer.status_code == 200 else {"detail"})
            codes[answer.status_code] += 1
    assert codes.keys() == {200, 400}, codes
    assert min(codes.values()) > COUNT // 20  # some damage leaves a picture, most does not
    assert memory(port) - before < 20e6
    assert len(log.read_text()) < 1000  # nobody can fill a disk with it
    seen("each was seen or refused in a sentence; memory and log stayed as they were")


@pytest.mark.fault("serve.web", "a thousand damaged frames over one connection")
def test_damaged_frames_by_the_thousand_are_told_and_the_connection_goes_on(address, portrait, seen):
    async def talk():
        answers = Counter[str]()
        async with websockets.connect(f"{address.replace('http', 'ws')}/live", max_size=None) as own:
            for content in damaged(portrait):
                await own.send(content)
                answers.update(json.loads(await own.recv()).keys() - {"frame"})
        return answers

    answers = asyncio.run(talk())
    assert answers.keys() == {"error", "faces", "version"}
    assert answers["error"] + answers["faces"] == COUNT
    seen("each was seen or refused in a sentence, and the connection went on")


@pytest.mark.fault("serve.web", "connections that speak no HTTP, or stop in the middle")
def test_what_is_no_http_and_what_stops_in_the_middle_are_let_go_of(address, port, photo, seen):
    async def knock():
        for said in (
            b"\0" * 5000,
            b"GET / HTTP/9.9\r\n\r\n",
            b"POST /api/picture HTTP/1.1\r\nContent-Length: 9\r\n\r\nx",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            writer.write_eof()
            assert b" 200 " not in await asyncio.wait_for(reader.read(), 30)
            writer.close()

    asyncio.run(knock())
    assert httpx.post(f"{address}/api/picture", content=photo).status_code == 200
    seen("let go of; the next request was answered")


@pytest.fixture
def failing(tmp_path):
    """A network that can be loaded, and fails at each face: its pixels make no rows of 7."""
    nodes = [
        helper.make_node("Cast", ["faces"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["floats", "rows"], ["said"]),
    ]
    given = helper.make_tensor_value_info("faces", TensorProto.UINT8, [None, 48, 48])
    said = helper.make_tensor_value_info("said", TensorProto.FLOAT, [None, 7])
    rows = numpy_helper.from_array(np.array([-1, 7]), "rows")
    graph = helper.make_graph(nodes, "failing", [given], [said], [rows])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 8
    onnx.save(model, tmp_path / "failing.onnx")
    return tmp_path / "failing.onnx"


@pytest.mark.fault("serve.web", "the network fails while it looks at a frame")
def test_what_nobody_foresaw_ends_the_connection_and_stands_in_the_log(failing, portrait, tmp_path, seen):
    async def talk(own):
        async with websockets.connect(f"{own.replace('http', 'ws')}/live") as client:
            await client.send(cv2.imencode(".jpg", np.zeros_like(portrait))[1].tobytes())
            first = json.loads(await client.recv())
            await client.send(cv2.imencode(".jpg", portrait)[1].tobytes())
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await asyncio.wait_for(client.recv(), 30)
            return first, closed.value.rcvd

    with serving("--model", failing, log=tmp_path / "log") as own:
        for _ in range(2):
            first, close = asyncio.run(talk(own))
            assert first["faces"] == []
            assert (close.code, close.reason) == (1011, "looking failed, the server's log says why")
        assert "serve_clients 0.0" in httpx.get(f"{own}/metrics").text
    log = (tmp_path / "log").read_text()
    assert log.count("Traceback") >= 2
    assert "Reshape" in log
    seen("the connection was closed with the reason, and the log had the cause; the next connection was answered")
