"""Versions and champions, in a folder and in a real S3 server's bucket."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import boto3
import pytest

from tasks.common.errors import UserError
from tasks.registry import champion as registry
from tasks.registry.champion import CHAMPION, champion_of, check, crown, history, publish
from tasks.registry.manifest import FILES, Manifest, list_files
from tasks.registry.stores import Bucket, ChangedError, Folder, Store, open_store
from tests.tasks.ingest.stores import CREDENTIALS, free_port, hurry, s3_server

ROOT = Path(__file__).parents[3]
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    if request.param == "folder":
        return open_store(str(tmp_path / "registry"))
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        (tmp_path / name).touch()
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("endpoint"))
    bucket = f"b{abs(hash(request.node.name))}"
    boto3.Session().client("s3").create_bucket(Bucket=bucket)
    return open_store(f"s3://{bucket}/models/")


def version(folder: Path, name: str, content: str = "") -> tuple[Path, Manifest]:
    made = folder / name
    made.mkdir()
    for file in FILES:
        (made / file).write_text(f"{file} of {name}{content}")
    return made, list_files(name, "abc123", made)


def promote(store: Store, folder: Path, name: str, who: str = "A <a@b.c>"):
    publish(store, *version(folder, name))
    return crown(store, name, kind="promotion", who=who, when=WHEN, reason=f"{name} is better")


def test_the_champion_moves_back_and_forth_and_the_history_knows(store, tmp_path):
    assert champion_of(store) is None
    promote(store, tmp_path, "v1")
    promote(store, tmp_path, "v2")
    crown(store, "v1", kind="rollback", who="B <b@b.c>", when=WHEN, reason="v2 is slow")
    told = [(one.number, one.version, one.kind, one.who, one.reason) for one in history(store)]
    assert told == [
        (1, "v1", "promotion", "A <a@b.c>", "v1 is better"),
        (2, "v2", "promotion", "A <a@b.c>", "v2 is better"),
        (3, "v1", "rollback", "B <b@b.c>", "v2 is slow"),
    ]
    assert champion_of(store) == history(store)[-1]
    assert champion_of(store).when == WHEN
    names = store.names("versions/")
    assert names == sorted(f"versions/{v}/{file}" for v in ("v1", "v2") for file in (*FILES, "manifest.json"))
    assert {type(open_store("s3://a/b")), type(open_store("a"))} == {Bucket, Folder}


def test_the_same_again_changes_nothing(store, tmp_path):
    first = promote(store, tmp_path, "v1")
    publish(store, tmp_path / "v1", list_files("v1", "abc123", tmp_path / "v1"))
    assert crown(store, "v1", kind="promotion", who="B", when=WHEN, reason="again") == first
    assert len(history(store)) == 1


def test_a_version_never_changes(store, tmp_path):
    promote(store, tmp_path, "v1")
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match="v1 is there and is another; a version never changes, choose another name"):
        publish(store, *version(tmp_path / "other", "v1", "x"))
    assert check(store, "v1").files == list_files("v1", "abc123", tmp_path / "v1").files


@pytest.mark.parametrize("damage", ["missing", "other"])
def test_a_version_that_is_not_whole_is_never_champion(store, tmp_path, damage):
    promote(store, tmp_path, "v1")
    made, manifest = version(tmp_path, "v2")
    publish(store, made, manifest)
    file = store.read("versions/v2/model.onnx")
    store.write("versions/v2/model.onnx", b"x", file.tag)
    if damage == "missing":
        made, manifest = version(tmp_path, "v3")
        store.write("versions/v3/manifest.json", manifest.content(), None)
    name = "v3" if damage == "missing" else "v2"
    with pytest.raises(UserError, match=rf"versions/{name}/model\.\w+: (missing|not what the manifest says); refused"):
        crown(store, name, kind="promotion", who="A", when=WHEN, reason="r")
    assert champion_of(store).version == "v1"
    with pytest.raises(UserError, match=r"versions/v9: no such version; there are v1"):
        check(store, "v9")


@pytest.mark.fault("registry", "two promotions at once")
def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(store, tmp_path, monkeypatch, seen):
    promote(store, tmp_path, "v1")
    for name in ("v2", "v3"):
        publish(store, *version(tmp_path, name))
    real = registry.check

    def meanwhile(store, name):
        monkeypatch.setattr(registry, "check", real)  # once: while v2's promotion is between reading and writing
        crown(store, "v3", kind="promotion", who="B", when=WHEN, reason="v3 is better")
        return real(store, name)

    monkeypatch.setattr(registry, "check", meanwhile)
    with pytest.raises(UserError, match="somebody else made another version the champion meanwhile") as raised:
        crown(store, "v2", kind="promotion", who="A", when=WHEN, reason="v2 is better")
    assert [one.version for one in history(store)] == ["v1", "v3"]
    assert champion_of(store).version == "v3"
    seen(str(raised.value).removeprefix(f"{store.address}: "))


def test_a_write_holds_to_its_condition(store):
    store.write("a", b"1", None)
    first = store.read("a")
    with pytest.raises(ChangedError):
        store.write("a", b"2", None)
    store.write("a", b"2", first.tag)
    with pytest.raises(ChangedError):
        store.write("a", b"3", first.tag)
    with pytest.raises(ChangedError):
        store.write("b", b"3", first.tag)
    assert store.read("a").content == b"2"
    assert store.read("b") is None


def test_what_a_killed_promotion_left_is_completed_by_the_next(store, tmp_path):
    promote(store, tmp_path, "v1")
    made, manifest = version(tmp_path, "v2")
    store.write("versions/v2/model.keras", b"half", None)  # killed in the middle of the files
    publish(store, made, manifest)
    assert check(store, "v2") == manifest
    # Killed between the champion and the history.
    last, before = champion_of(store), store.read(CHAMPION)
    store.write(CHAMPION, last.model_copy(update={"number": 2, "version": "v2"}).content(), before.tag)
    crown(store, "v1", kind="rollback", who="A", when=WHEN, reason="r")
    assert [one.version for one in history(store)] in (["v1", "v2"], ["v1", "v2", "v1"])


def test_many_at_once_leave_one_champion_and_a_whole_history(tmp_path):
    store = open_store(str(tmp_path / "registry"))
    for name in "abcd":
        publish(store, *version(tmp_path, name))
    code = (
        "import sys; from datetime import UTC, datetime\n"
        "from tasks.common.errors import UserError\n"
        "from tasks.registry.champion import crown; from tasks.registry.stores import open_store\n"
        "for _ in range(30):\n"
        "    try: crown(open_store(sys.argv[1]), sys.argv[2], kind='promotion', who='A', when=datetime.now(UTC),"
        " reason='r')\n"
        "    except UserError as error: assert 'somebody else' in str(error), error\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "registry")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = [subprocess.Popen([*command, name], env=environment) for name in "abcd"]
    assert [one.wait() for one in running] == [0, 0, 0, 0]
    told = history(store)
    assert [one.number for one in told] == list(range(1, len(told) + 1))
    assert told[-1] == champion_of(store)
    assert all(one.version != other.version for one, other in pairwise(told))


def test_a_store_that_is_not_there_is_said(tmp_path, monkeypatch):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    hurry(monkeypatch)
    with pytest.raises(UserError, match=r"s3://b/p: Could not connect .*; the champion is as it was"):
        champion_of(open_store("s3://b/p"))
    with pytest.raises(UserError, match="expected s3://bucket/prefix or a folder"):
        open_store("gs://b/p")
