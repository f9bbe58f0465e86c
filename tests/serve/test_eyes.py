"""The server's networks while the registry is away, slow, or names a champion that is not whole."""

import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from serve.web.eyes import Eyes
from serve.web.metrics import Metrics
from tasks.common.errors import UserError
from tasks.registry.champion import CHAMPION, crown
from tests.serve.test_predictor import published


@pytest.fixture
def store(network, tmp_path, monkeypatch):
    """A registry whose champion is v1, and which is asked before each look."""
    found = published(tmp_path, network)
    crowned(found, "v1")
    monkeypatch.setenv("FACIAL_EMOTION_REGISTRY", str(tmp_path / "registry"))
    monkeypatch.setattr("serve.web.eyes.FRESH", 0.0)
    return found


def crowned(store, version):
    crown(store, version, kind="promotion", who="A", when=datetime.now(UTC), reason="r")


def opened():
    return Eyes(None, "haar", 48, Metrics())


@pytest.mark.fault("serve.web", "the registry goes away, for good or for a while")
def test_the_champion_that_is_known_looks_on_while_the_registry_is_away(store, tmp_path, monkeypatch, caplog, seen):
    eyes = opened()
    (tmp_path / "registry").rename(tmp_path / "away")
    with caplog.at_level(logging.WARNING):
        assert [eyes.predictor(None).version for _ in range(3)] == ["v1"] * 3
        monkeypatch.setenv("FACIAL_EMOTION_REGISTRY", "ftp://nowhere")
        assert eyes.predictor(None).version == "v1"
    assert eyes.versions() == ("v1", ["v1"])
    assert b"serve_stale_total 4.0" in eyes.metrics.text()
    assert [record.getMessage() for record in caplog.records] == [
        "v1 goes on looking, the registry names no other: there is no champion yet; `make promote` makes one, or start "
        "with --model model.onnx"
    ]
    with pytest.raises(UserError, match="ftp://nowhere: expected s3://"):
        opened()
    (tmp_path / "away").rename(tmp_path / "registry")
    monkeypatch.setenv("FACIAL_EMOTION_REGISTRY", str(tmp_path / "registry"))
    crowned(store, "v2")
    assert eyes.predictor(None).version == "v2"
    assert eyes.versions() == ("v2", ["v1", "v2"])
    seen("the champion that was known looked on, which was logged once; the next one was found when it was back")


@pytest.mark.fault("serve.web", "the registry does not answer")
def test_while_one_waits_for_the_registry_the_others_look_on(store, tmp_path, seen):
    eyes, file = opened(), tmp_path / "registry" / CHAMPION
    content = file.read_bytes()
    file.unlink()
    os.mkfifo(file)  # whoever reads it waits until somebody writes
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(eyes.predictor, None)
        with file.open("wb") as pipe:  # as soon as the first one reads
            try:
                assert pool.submit(eyes.predictor, None).result(10).version == "v1"
                assert not first.done()
            finally:
                file.unlink()
                file.write_bytes(content)
                pipe.write(content)
    assert first.result().version == "v1"
    seen("one waited, the others looked on with the champion that was known")


@pytest.mark.fault("serve.web", "a new champion's network is damaged")
def test_a_champion_that_is_not_whole_leaves_the_one_before_it_looking(store, tmp_path, seen):
    eyes = opened()
    crowned(store, "v2")
    network = tmp_path / "registry" / "versions" / "v2" / "model.onnx"
    network.write_bytes(network.read_bytes()[:-1] + b"x")
    assert eyes.predictor(None).version == "v1"
    with pytest.raises(UserError, match=r"versions/v2/model\.onnx: not what the manifest says; refused"):
        eyes.predictor("v2")
    seen("the one before it looked on")


def test_a_network_that_many_ask_for_at_once_is_opened_once(store):
    eyes, start = opened(), threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: (start.wait(), eyes.predictor("v2"))[1], range(8)))
    assert len({id(one) for one in found}) == 1
